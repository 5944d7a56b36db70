//===- Pipelines.cpp - Passes in their order ------------------------------===//

#include "mpt/Pipelines/Pipelines.h"

#include "mpt/Conversion/Passes.h"

#include "mpt/Transforms/Passes.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mpt;

void mpt::addPrecisionPhase(OpPassManager &manager,
                            const MixedPrecisionOptions &options) {
  AssignPrecisionPassOptions assign;
  assign.low = options.low;
  assign.keepIO = options.keepIO;
  assign.policyName = options.policy.getValue();
  assign.strategy = options.strategy.getValue();
  assign.target = options.target;
  assign.widenResults = options.widenResults;
  assign.profile = options.profile.getValue();
  llvm::append_range(assign.fp32Ops, options.fp32Ops);
  llvm::append_range(assign.lowOps, options.lowOps);
  InsertCastsPassOptions insert;
  insert.widenResults = options.widenResults;
  OpPassManager &functions = manager.nest<func::FuncOp>();
  functions.addPass(createNormalizeMasksPass());
  functions.addPass(createAssignPrecisionPass(assign));
  functions.addPass(createInsertCastsPass(insert));
}

void mpt::buildMixedPrecisionPipeline(OpPassManager &manager,
                                      const MixedPrecisionOptions &options) {
  addPrecisionPhase(manager, options);
}

//===----------------------------------------------------------------------===//
// Training
//===----------------------------------------------------------------------===//

void mpt::addLossPhase(OpPassManager &manager, const TrainingOptions &options) {
  PrepareParametersPassOptions prepare;
  prepare.trainable = options.trainable;
  prepare.freeze = options.freeze;
  prepare.batchNorm = options.batchNorm;
  manager.addPass(createPrepareParametersPass(prepare));
  AttachLossPassOptions loss;
  loss.loss = options.loss;
  llvm::append_range(loss.labelLengths, options.labelLengths);
  manager.addPass(createAttachLossPass(loss));
  if (options.fuseActivations)
    manager.addNestedPass<func::FuncOp>(createFuseActivationsPass());
}

void mpt::addGradientPhase(OpPassManager &manager,
                           const TrainingOptions &options) {
  manager.addPass(createDifferentiatePass());
  AccumulateGradientsPassOptions accumulate;
  accumulate.microBatches = options.microBatches;
  manager.addPass(createAccumulateGradientsPass(accumulate));
}

void mpt::addOptimizerPhase(OpPassManager &manager,
                            const TrainingOptions &options) {
  AttachOptimizerPassOptions optimizer;
  optimizer.optimizer = options.optimizer;
  optimizer.groups = options.paramGroups;
  optimizer.clipNorm = options.clipNorm;
  optimizer.ema = options.ema;
  optimizer.keepOutputs = options.keepOutputs;
  manager.addPass(createAttachOptimizerPass(optimizer));
}

void mpt::addScalingPhase(OpPassManager &manager,
                          const TrainingOptions &options) {
  ScaleLossPassOptions scale;
  scale.mode = options.lossScale;
  scale.profile = options.scaleProfile;
  scale.initScale = options.initScale;
  scale.growthInterval = options.growthInterval;
  OpPassManager &functions = manager.nest<func::FuncOp>();
  functions.addPass(createScaleLossPass(scale));
  functions.addPass(createVerifyLossScalingPass());
}

void mpt::addCleanupPhase(OpPassManager &manager) {
  OpPassManager &functions = manager.nest<func::FuncOp>();
  functions.addPass(createCanonicalizerPass());
  functions.addPass(createCSEPass());
}

void mpt::addTrainingPrecisionPhase(OpPassManager &manager,
                                    const TrainingOptions &options) {
  addCleanupPhase(manager);
  if (options.precision == "fp32")
    return;
  MixedPrecisionOptions mixed;
  // An unknown name is reported by mpt-assign-precision.
  mixed.low = options.precision == "fp16"        ? std::string("f16")
              : options.precision == "fp16/bf16" ? std::string("f16/bf16")
                                                 : options.precision.getValue();
  mixed.policy = options.policy.getValue();
  mixed.profile = options.profile.getValue();
  mixed.strategy = options.strategy.getValue();
  mixed.target = options.precisionTarget.getValue();
  mixed.widenResults = true;
  for (const std::string &text : options.fp32Ops)
    mixed.fp32Ops.push_back(text);
  for (const std::string &text : options.lowOps)
    mixed.lowOps.push_back(text);
  addPrecisionPhase(manager, mixed);
  addCleanupPhase(manager);
}

void mpt::addMemoryPhase(OpPassManager &manager,
                         const TrainingOptions &options) {
  if (!options.rematerialize && options.precision == "fp32")
    return;
  RematerializePassOptions rematerialize;
  rematerialize.scope = options.rematerialize ? "all" : "inputs";
  rematerialize.budget = options.memoryBudget;
  manager.nest<func::FuncOp>().addPass(createRematerializePass(rematerialize));
}

void mpt::buildTrainingPipeline(OpPassManager &manager,
                                const TrainingOptions &options) {
  addLossPhase(manager, options);
  addGradientPhase(manager, options);
  addOptimizerPhase(manager, options);
  addScalingPhase(manager, options);
  addTrainingPrecisionPhase(manager, options);
  addMemoryPhase(manager, options);
}

//===----------------------------------------------------------------------===//

void mpt::buildLowerToCPUPipeline(OpPassManager &pm,
                                  const LowerToCPUOptions &options) {
  pm.addNestedPass<func::FuncOp>(createFormKernelsPass());
  PlanMemoryPassOptions plan;
  plan.cpu = options.cpu;
  plan.threads = options.threads;
  pm.addNestedPass<func::FuncOp>(createPlanMemoryPass(plan));
  if (options.stage == "plan")
    return;
  LowerKernelsToCPUPassOptions lowering;
  lowering.cpu = options.cpu;
  lowering.stage = options.stage;
  pm.addPass(createLowerKernelsToCPUPass(lowering));
}

void mpt::registerPipelines() {
  PassPipelineRegistration<LowerToCPUOptions>(
      "mpt-lower-to-cpu",
      "Form kernels, plan their memory and lower each distinct one",
      buildLowerToCPUPipeline);
  PassPipelineRegistration<MixedPrecisionOptions>(
      "mpt-mixed-precision",
      "Decide the precision of every operation of every function and insert "
      "the casts",
      buildMixedPrecisionPipeline);
  PassPipelineRegistration<TrainingOptions>(
      "mpt-training",
      "Make a mixed-precision training step of a forward function",
      buildTrainingPipeline);
}
