//===- Pipelines.h - Passes in their order ----------------------*- C++ -*-===//
//
// Pipelines are built from named phases, each a function that adds its passes
// to a pass manager over a module, so that a compiler engineer can put phases
// between others of their own.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_PIPELINES_PIPELINES_H
#define MPT_PIPELINES_PIPELINES_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace mpt {

/// Options of the phase that decides and carries out precisions.
struct MixedPrecisionOptions
    : mlir::PassPipelineOptions<MixedPrecisionOptions> {
  Option<std::string> policy{
      *this, "policy",
      llvm::cl::desc("a policy file (docs/Policy.md), or conservative, "
                     "default, aggressive or bf16")};
  Option<std::string> low{
      *this, "low",
      llvm::cl::desc("the low type: f16 or bf16, or f16/bf16 for "
                     "forward/backward (the policy's, else f16)")};
  Option<std::string> profile{
      *this, "profile",
      llvm::cl::desc("what mpt-run --profile measured of the values")};
  Option<std::string> strategy{
      *this, "strategy",
      llvm::cl::desc("cut (least cost) or paint (the policy's, else cut)")};
  Option<std::string> target{
      *this, "target",
      llvm::cl::desc("the machine that costs are counted for (the "
                     "policy\'s, else generic)")};
  Option<bool> keepIO{*this, "keep-io",
                      llvm::cl::desc("keep the types of inputs and outputs"),
                      llvm::cl::init(true)};
  Option<bool> widenResults{
      *this, "widen-results",
      llvm::cl::desc("let results be f32 where the operands are low; off, so "
                     "that the function can be exported to ONNX"),
      llvm::cl::init(false)};
  ListOption<std::string> fp32Ops{
      *this, "fp32-ops",
      llvm::cl::desc("operations and nodes (regex) to keep in FP32")};
  ListOption<std::string> lowOps{
      *this, "low-ops",
      llvm::cl::desc("operations and nodes (regex) to run in the low type")};
};

/// Options of the whole way from a forward function to a training step. The
/// strings are those of the passes and of mpt-train.
struct TrainingOptions : mlir::PassPipelineOptions<TrainingOptions> {
  // What is trained.
  Option<std::string> trainable{
      *this, "trainable",
      llvm::cl::desc("names or regexes of parameters to train in any case")};
  Option<std::string> freeze{
      *this, "freeze",
      llvm::cl::desc("names or regexes of parameters not to train")};
  Option<std::string> batchNorm{
      *this, "batch-norm",
      llvm::cl::desc("keep, or training: inference-mode batch norm becomes "
                     "training-mode"),
      llvm::cl::init("keep")};
  Option<bool> fuseActivations{
      *this, "fuse-activations",
      llvm::cl::desc("make one operation of a gelu or silu that is spelled "
                     "out"),
      llvm::cl::init(true)};
  // The loss and the optimizer.
  Option<std::string> loss{
      *this, "loss", llvm::cl::desc("the loss, over output and label names")};
  ListOption<std::string> labelLengths{
      *this, "label-lengths",
      llvm::cl::desc("name=count: labels of a sample where the logits do not "
                     "say it (ctc)")};
  Option<std::string> optimizer{
      *this, "optimizer", llvm::cl::desc("sgd(...), adam(...) or adamw(...)"),
      llvm::cl::init("sgd(lr=0.1)")};
  Option<std::string> paramGroups{
      *this, "param-groups",
      llvm::cl::desc("names:settings groups, separated by semicolons")};
  Option<double> clipNorm{
      *this, "clip-norm",
      llvm::cl::desc("bound of the global gradient norm; 0: none"),
      llvm::cl::init(0.0)};
  Option<double> ema{
      *this, "ema",
      llvm::cl::desc("decay of the moving average of the parameters; 0: none"),
      llvm::cl::init(0.0)};
  Option<int64_t> microBatches{*this, "micro-batches",
                               llvm::cl::desc("parts the batch is computed in"),
                               llvm::cl::init(1)};
  Option<bool> keepOutputs{
      *this, "keep-outputs",
      llvm::cl::desc("keep the model's outputs as results of the step"),
      llvm::cl::init(false)};
  // Loss scaling.
  Option<std::string> lossScale{*this, "loss-scale",
                                llvm::cl::desc("dynamic, static, auto or off"),
                                llvm::cl::init("dynamic")};
  Option<std::string> scaleProfile{
      *this, "scale-profile",
      llvm::cl::desc("loss-scale=auto: a profile of the step, from which the "
                     "first scale is chosen")};
  Option<double> initScale{*this, "init-scale",
                           llvm::cl::desc("the scale of the first step"),
                           llvm::cl::init(65536.0)};
  Option<int64_t> growthInterval{
      *this, "growth-interval",
      llvm::cl::desc("finite steps before the scale grows"),
      llvm::cl::init(2000)};
  // Precision.
  Option<std::string> precision{
      *this, "precision",
      llvm::cl::desc("fp16, bf16, fp16/bf16 (forward/backward) or fp32 (no "
                     "casts)"),
      llvm::cl::init("fp16")};
  Option<std::string> profile{
      *this, "profile",
      llvm::cl::desc("what mpt-run --profile measured of the values")};
  Option<std::string> strategy{
      *this, "strategy",
      llvm::cl::desc("cut (least cost) or paint (the policy's, else cut)")};
  Option<std::string> policy{
      *this, "policy",
      llvm::cl::desc("a policy file (docs/Policy.md), or conservative, "
                     "default, aggressive or bf16")};
  Option<std::string> precisionTarget{
      *this, "precision-target",
      llvm::cl::desc("the machine that costs are counted for (the "
                     "policy\'s, else generic)")};
  ListOption<std::string> fp32Ops{
      *this, "fp32-ops",
      llvm::cl::desc("operations and nodes (regex) to keep in FP32")};
  ListOption<std::string> lowOps{
      *this, "low-ops",
      llvm::cl::desc("operations and nodes (regex) to run in the low type")};
  // Memory.
  Option<bool> rematerialize{
      *this, "rematerialize",
      llvm::cl::desc("compute cheap values again in the backward pass"),
      llvm::cl::init(false)};
  Option<std::string> memoryBudget{
      *this, "memory-budget",
      llvm::cl::desc("with rematerialize: largest peak of live bytes, or a "
                     "fraction of the peak without it")};
};

/// Phase: choose and repair the parameters, attach the loss, fuse activations.
void addLossPhase(mlir::OpPassManager &manager, const TrainingOptions &options);
/// Phase: append the gradients of the trained parameters, accumulated over
/// micro-batches.
void addGradientPhase(mlir::OpPassManager &manager,
                      const TrainingOptions &options);
/// Phase: turn gradients into a step: `@train_step`.
void addOptimizerPhase(mlir::OpPassManager &manager,
                       const TrainingOptions &options);
/// Phase: scale the loss and prove that the scale cancels out. It comes before
/// any cleanup, so that the proof reads what the passes built.
void addScalingPhase(mlir::OpPassManager &manager,
                     const TrainingOptions &options);
/// Phase: canonicalize and cse. None of the patterns folds a cast of the model
/// or a rounding.
void addCleanupPhase(mlir::OpPassManager &manager);

/// Phase: decide the precision of every operation and insert the casts.
void addPrecisionPhase(mlir::OpPassManager &manager,
                       const MixedPrecisionOptions &options);
/// The same for a training step or its evaluation function, with cleanup before
/// and after; `fp32` only cleans up.
void addTrainingPrecisionPhase(mlir::OpPassManager &manager,
                               const TrainingOptions &options);

/// Phase: trade memory for arithmetic; without `rematerialize` the copies of
/// inputs alone. The last one: it reads the precisions that were decided.
void addMemoryPhase(mlir::OpPassManager &manager,
                    const TrainingOptions &options);

/// `mpt-mixed-precision`: any function, forward or backward, to mixed
/// precision.
void buildMixedPrecisionPipeline(mlir::OpPassManager &manager,
                                 const MixedPrecisionOptions &options);

/// `mpt-training`: a forward function to a training step in mixed precision.
void buildTrainingPipeline(mlir::OpPassManager &manager,
                           const TrainingOptions &options);

/// Options of the way from a step to CPU code.
struct LowerToCPUOptions : mlir::PassPipelineOptions<LowerToCPUOptions> {
  Option<std::string> cpu{
      *this, "mcpu",
      llvm::cl::desc("processor (LLVM's name); the host by default")};
  Option<int64_t> threads{*this, "threads",
                          llvm::cl::desc("threads that get scratch memory"),
                          llvm::cl::init(1)};
  Option<std::string> stage{
      *this, "stage", llvm::cl::desc("where to stop: plan, loops, or llvm"),
      llvm::cl::init("llvm")};
};
/// Kernels, a memory plan (`stage=plan` ends here), and every distinct kernel
/// as a module of its own.
void buildLowerToCPUPipeline(mlir::OpPassManager &pm,
                             const LowerToCPUOptions &options);

/// Registers all pipelines under their names.
void registerPipelines();

} // namespace mpt

#endif // MPT_PIPELINES_PIPELINES_H
