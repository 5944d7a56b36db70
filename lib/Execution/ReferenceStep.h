//===- ReferenceStep.h - A step in the interpreter --------------*- C++ -*-===//

#ifndef MPT_LIB_EXECUTION_REFERENCESTEP_H
#define MPT_LIB_EXECUTION_REFERENCESTEP_H

#include "mpt/Execution/StepExecutor.h"
#include "mpt/Reference/Interpreter.h"

namespace mpt::execution {

class ReferenceStep : public StepExecutor {
public:
  static mlir::FailureOr<std::unique_ptr<StepExecutor>>
  create(mlir::ModuleOp module, mlir::func::FuncOp func,
         const ExecutorOptions &options);

  bool run(std::string &error) override;
  data::TensorView getArgumentView(unsigned index) const override;
  data::TensorView getResultView(unsigned index) const override;
  bool setArgument(unsigned index, const data::HostTensor &value,
                   std::string &error) override;

private:
  ReferenceStep(mlir::func::FuncOp func, const ExecutorOptions &options);

  mlir::func::FuncOp func;
  reference::Options options;
  llvm::SmallVector<int64_t> replacing; // per argument: the new value's result
  std::vector<reference::Tensor> argumentValues, resultValues;
  // What the last view shows.
  mutable data::HostTensor shown;
};

} // namespace mpt::execution

#endif // MPT_LIB_EXECUTION_REFERENCESTEP_H
