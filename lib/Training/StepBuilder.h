//===- StepBuilder.h - From a model file to the functions of a run --------===//

#ifndef MPT_LIB_TRAINING_STEPBUILDER_H
#define MPT_LIB_TRAINING_STEPBUILDER_H

#include "mpt/Training/Trainer.h"

#include "Evaluation.h"
#include "mlir/IR/OwningOpRef.h"

namespace mpt::training {

/// A module with one function to run.
struct BuiltFunction {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp function;
};

/// Everything the pipelines make of a model.
struct BuiltModel {
  BuiltFunction step;       // @train_step
  BuiltFunction evaluation; // @eval: the loss and the outputs
  BuiltFunction gradients;  // the first step's gradients; only if asked for
  std::vector<Classification> heads;
  std::vector<data::Dataset::Transcription> transcriptions;
  /// The parameters in the order of `first_nonfinite`.
  std::vector<std::string> gradientNames;
  int64_t opsLow = 0, opsFP32 = 0, casts = 0, castBytes = 0;
  int64_t flops = 0; // of one step
};

/// How the loss is scaled: the mode for mpt-scale-loss and its first value.
struct LossScaling {
  std::string mode; // "dynamic", "static", "auto" or "off"
  double initial = 1;
};
std::optional<LossScaling> getLossScaling(const TrainOptions &options,
                                          std::string &error);

/// The learning rate of the optimizer expression.
std::optional<double> getLearningRate(const TrainOptions &options,
                                      std::string &error);

/// Imports the model and runs the pipelines. `labelLengths` ("name=count") is
/// what the data says about labels that the model does not determine. Failures
/// are diagnostics, or a line in `error`.
std::optional<BuiltModel>
buildModel(mlir::MLIRContext &context, const TrainOptions &options,
           const std::vector<std::string> &labelLengths, std::string &error);

} // namespace mpt::training

#endif // MPT_LIB_TRAINING_STEPBUILDER_H
