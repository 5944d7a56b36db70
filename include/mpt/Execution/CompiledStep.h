//===- CompiledStep.h - A step as kernels over one arena --------*- C++ -*-===//

#ifndef MPT_EXECUTION_COMPILEDSTEP_H
#define MPT_EXECUTION_COMPILEDSTEP_H

#include "mpt/Conversion/TargetDescription.h"
#include "mpt/Execution/StepExecutor.h"
#include "mpt/Runtime/mpt_runtime.h"

#include <deque>

namespace mpt::execution {

class KernelCode;

/// A function compiled kernel by kernel for this machine, with its schedule and
/// its arena. run() allocates nothing.
class CompiledStep : public StepExecutor {
public:
  ~CompiledStep() override;

  /// Forms kernels and plans memory if that has not been done, compiles each
  /// distinct kernel once (on the threads of `options`), and fills the
  /// constants and the parameters' initial values.
  static mlir::FailureOr<std::unique_ptr<StepExecutor>>
  create(mlir::ModuleOp module, mlir::func::FuncOp func,
         const ExecutorOptions &options);

  bool run(std::string &error) override;
  data::TensorView getArgumentView(unsigned index) const override;
  data::TensorView getResultView(unsigned index) const override;
  bool setArgument(unsigned index, const data::HostTensor &value,
                   std::string &error) override;
  void *getMutableArgument(unsigned index) override;
  ExecutionStatistics getStatistics() const override { return statistics; }
  std::string getProfile() const override;

private:
  friend class StepBuilder;
  CompiledStep();

  struct Range {
    int64_t offset, bytes;
  };
  std::unique_ptr<KernelCode> code;
  mpt_pool *pool = nullptr;
  uint8_t *arena = nullptr;
  bool checkPlan = false;
  ExecutionStatistics statistics;
  std::vector<Range> argumentRanges, resultRanges;
  // The schedule; the tables it points to do not move.
  std::vector<mpt_launch> launches;
  std::deque<std::vector<int64_t>> offsets;
  std::deque<std::string> names;
  std::vector<mpt_launch_check> checks;
  std::deque<std::vector<mpt_access>> accesses;
  std::deque<std::vector<mpt_range>> deadRanges;
  std::vector<mpt_range> live;
  std::vector<int64_t> nanoseconds;
  int64_t numRuns = 0;
};

} // namespace mpt::execution

#endif // MPT_EXECUTION_COMPILEDSTEP_H
