//===- StepExecutor.h - Runs a step, compiled or interpreted ----*- C++ -*-===//
//
// What mpt-run and mpt-train know of execution: a function whose arguments and
// results have names and roles (docs/Architecture.md), with state that stays
// inside from run to run.
//
//   auto executor = StepExecutor::create(module, func, options);
//   executor->setInput("image", image);  executor->setInput("learning_rate",
//   lr); executor->run(); loss = executor->getScalar("loss");
//
// State are the arguments that a result replaces (same role and name:
// parameters, statistics, optimizer state, loss scale, step) and the parameters
// no result replaces (frozen ones). It starts with the initial values of the
// nn.parameter symbols; optimizer state, step and loss-scale state start at
// zero until setState. All other arguments are inputs.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_EXECUTION_STEPEXECUTOR_H
#define MPT_EXECUTION_STEPEXECUTOR_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mpt/Data/HostTensor.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

#include "llvm/ADT/StringMap.h"

#include <memory>
#include <string>
#include <vector>

namespace mpt::execution {

enum class Target { Reference, CPU };

struct ExecutorOptions {
  Target target = Target::CPU;
  /// CPU: threads, 0 for one per processor.
  int32_t threads = 0;
  /// CPU: LLVM's name of a processor; empty for the host.
  std::string cpu;
  /// CPU: check in every run that no kernel writes outside its outputs or reads
  /// what is dead; a violation makes run() fail. Slow.
  bool checkPlan = false;
  /// Reference: compute in double without rounding to the element types.
  bool float64 = false;
  /// Where relative paths of external parameter values are looked for, beside
  /// the current folder.
  std::string directory;
  /// Measure the time of every kernel (getProfile).
  bool profile = false;
};

/// What a plan costs; zero for the Reference.
struct ExecutionStatistics {
  int64_t numKernels = 0;         // launches of a step
  int64_t numDistinctKernels = 0; // compiled
  int64_t arenaBytes = 0;
  int64_t stateBytes = 0; // parameters, statistics, optimizer, scale
  int64_t inputBytes = 0; // batch and hyperparameters
  int64_t constantBytes = 0;
  /// Everything else: activations, gradients and scratch. Planned size, and the
  /// largest sum of live bytes, which no plan can go below.
  int64_t transientBytes = 0;
  int64_t transientLowerBound = 0;
  /// Bytes of values made before and read after the first gradient operation
  /// (mp.loss_seed or the loss scale's use): what is kept for the backward
  /// pass.
  int64_t activationBytes = 0;
  double compileSeconds = 0;
};

/// One argument or result.
struct ValueInfo {
  std::string name;
  mp::Role role;
  data::DType dtype;
  std::vector<int64_t> shape;
  bool isState = false; // an argument that keeps its value
};

class StepExecutor {
public:
  virtual ~StepExecutor();

  /// Prepares `func` of `module`. Failures are reported as diagnostics at an
  /// operation or at the function. `module` is not changed and must outlive a
  /// Reference executor.
  static mlir::FailureOr<std::unique_ptr<StepExecutor>>
  create(mlir::ModuleOp module, mlir::func::FuncOp func,
         const ExecutorOptions &options);

  mlir::ArrayRef<ValueInfo> getArguments() const { return arguments; }
  mlir::ArrayRef<ValueInfo> getResults() const { return results; }

  bool hasArgument(llvm::StringRef name) const {
    return argumentNumbers.contains(name);
  }

  /// Sets an argument by name. The shape must be the argument's; the element
  /// type is converted as data::convert does. False, with a message in `error`,
  /// if there is no such argument or the shape differs.
  bool setInput(llvm::StringRef name, const data::HostTensor &value,
                std::string &error);
  bool setScalar(llvm::StringRef name, double value, std::string &error);
  /// The same for state (parameters by their ONNX name, "fc1.weight.exp_avg",
  /// "loss_scale", "step").
  bool setState(llvm::StringRef name, const data::HostTensor &value,
                std::string &error) {
    return setInput(name, value, error);
  }

  /// One step: reads inputs and state, writes results and the new state. On
  /// failure (a violation of the plan, or the Reference met a bad label or
  /// index) there is a line in `error` and the state is undefined.
  virtual bool run(std::string &error) = 0;

  /// A copy of a result of the last run.
  bool getResult(llvm::StringRef name, data::HostTensor &value,
                 std::string &error) const;
  /// A result of one element, as a number ("loss", "grad_norm", "finite").
  bool getScalar(llvm::StringRef name, double &value, std::string &error) const;
  /// A copy of an argument (state: the current value).
  bool getState(llvm::StringRef name, data::HostTensor &value,
                std::string &error) const;

  /// The same by number, without a copy: valid until the next call of a
  /// member. After run() a state argument holds the new state.
  virtual data::TensorView getArgumentView(unsigned index) const = 0;
  virtual data::TensorView getResultView(unsigned index) const = 0;
  /// Sets an argument by number; shape and element type as in setInput.
  virtual bool setArgument(unsigned index, const data::HostTensor &value,
                           std::string &error) = 0;
  /// The argument's own memory, to be filled before run(); null for the
  /// Reference.
  virtual void *getMutableArgument(unsigned index) { return nullptr; }

  virtual ExecutionStatistics getStatistics() const { return {}; }
  /// One line per kernel, slowest first: calls, time, share, name. Empty for
  /// the Reference.
  virtual std::string getProfile() const { return {}; }

protected:
  /// Fills `arguments` and `results`.
  mlir::LogicalResult describe(mlir::func::FuncOp func);
  /// Sets the parameters' initial values through setArgument.
  mlir::LogicalResult loadParameters(mlir::ModuleOp module,
                                     mlir::func::FuncOp func,
                                     const ExecutorOptions &options);

  std::vector<ValueInfo> arguments, results;

private:
  llvm::StringMap<unsigned> argumentNumbers, resultNumbers;
};

/// The element type of a tensor in host memory (i1 is Bool), or nothing.
std::optional<data::DType> getDType(mlir::Type elementType);

} // namespace mpt::execution

#endif // MPT_EXECUTION_STEPEXECUTOR_H
