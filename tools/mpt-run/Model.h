//===- Model.h - A function to run ------------------------------*- C++ -*-===//

#ifndef MPT_TOOLS_MPTRUN_MODEL_H
#define MPT_TOOLS_MPTRUN_MODEL_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mpt/Data/HostTensor.h"
#include "mpt/Import/ONNX/ImportONNX.h"
#include "mpt/Reference/Interpreter.h"

#include <optional>
#include <string>
#include <vector>

namespace mpt::run {

/// Arguments by number; nothing where a parameter keeps its initial value.
using Inputs = std::vector<std::optional<data::HostTensor>>;

struct Model {
  std::string path;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp function;
  std::vector<std::string> arguments; // names; "arg0", ... without mp.name
  std::vector<std::string> results;   // names; "result0", ...
  std::vector<bool> isParameter;      // of the arguments

  /// "x: 2x3 f32, y: scalar i64": the arguments that need a value.
  std::string describeInputs() const;
  /// The number of the argument of that name.
  std::optional<unsigned> findArgument(llvm::StringRef name) const;
  /// Is there an ONNX operator without a counterpart in nn? Its name.
  std::optional<std::string> findForeignOperator() const;
};

/// Loads dialects a model may hold.
void loadDialects(mlir::MLIRContext &context);

/// Reads `.onnx`, `.onnxtxt`, `.mlir` or bytecode. `functionName` may be empty:
/// then it is the only public function, or @forward. Errors are diagnostics of
/// the context; the result is then empty.
std::optional<Model> loadModel(mlir::MLIRContext &context,
                               const std::string &path,
                               const std::string &functionName,
                               const ImportOptions &options);

/// What the interpreter starts from: the inputs and the parameters' initial
/// values, as its tensors.
mlir::FailureOr<std::vector<reference::Tensor>>
makeArguments(Model &model, const Inputs &inputs, bool f64);

/// Gives state that a step starts from where `inputs` has no value:
/// `mp.initial` where an argument has it, else zero for state (moments,
/// counters).
void fillInitialState(Model &model, Inputs &inputs);

/// Runs the function in the interpreter, or as compiled kernels on `threads`
/// threads (0: one per processor). Errors are diagnostics of the context.
mlir::FailureOr<std::vector<data::HostTensor>>
runReference(Model &model, const Inputs &inputs, bool f64);
mlir::FailureOr<std::vector<data::HostTensor>>
runReference(Model &model, llvm::ArrayRef<reference::Tensor> arguments,
             const reference::Options &options);
mlir::FailureOr<std::vector<data::HostTensor>>
runCompiled(Model &model, const Inputs &inputs, int32_t threads);

} // namespace mpt::run

#endif // MPT_TOOLS_MPTRUN_MODEL_H
