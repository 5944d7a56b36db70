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
  Option<std::string> low{*this, "low",
                          llvm::cl::desc("the low type: f16 or bf16"),
                          llvm::cl::init("f16")};
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

/// Phase: decide the precision of every operation and insert the casts.
void addPrecisionPhase(mlir::OpPassManager &manager,
                       const MixedPrecisionOptions &options);

/// `mpt-mixed-precision`: any function, forward or backward, to mixed
/// precision.
void buildMixedPrecisionPipeline(mlir::OpPassManager &manager,
                                 const MixedPrecisionOptions &options);

/// Registers all pipelines under their names.
void registerPipelines();

} // namespace mpt

#endif // MPT_PIPELINES_PIPELINES_H
