//===- GradientWatch.h - Which tensor will overflow next --------*- C++ -*-===//

#ifndef MPT_LIB_TRAINING_GRADIENTWATCH_H
#define MPT_LIB_TRAINING_GRADIENTWATCH_H

#include "mpt/Analysis/TensorProfile.h"
#include "mpt/Execution/StepExecutor.h"
#include "mpt/Training/TrainingLog.h"

namespace mpt::training {

/// Looks into the backward graph of a step before it runs: the interpreter
/// evaluates the step on a copy of the executor's arguments, so that a compiled
/// step pays nothing in between. 16-bit tensors are measured against their
/// type; a step without any, against FP16.
class GradientWatch {
public:
  explicit GradientWatch(mlir::func::FuncOp function);

  /// Fills the record's `watch...` fields. The step runs as usual afterwards.
  bool look(const execution::StepExecutor &executor, StepRecord &record,
            std::string &error) const;

private:
  mlir::func::FuncOp function;
  llvm::DenseMap<mlir::Value, std::string> names;
  llvm::DenseSet<mlir::Value> watched;
};

} // namespace mpt::training

#endif // MPT_LIB_TRAINING_GRADIENTWATCH_H
