//===- Interpreter.h - The oracle: evaluation op by op ----------*- C++ -*-===//
//
// Evaluates functions of nn and mp operations without generating code. Each
// operation has one evaluation function (lib/Reference/<Family>.cpp), which
// computes in double, sums included; every float result is then rounded once
// to its element type (docs/Architecture.md, "Execution").
//
//===----------------------------------------------------------------------===//

#ifndef MPT_REFERENCE_INTERPRETER_H
#define MPT_REFERENCE_INTERPRETER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"
#include "mpt/Reference/Tensor.h"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace mpt::nn {
class ParameterOp;
} // namespace mpt::nn

namespace mpt::data {
class MappedFile;
} // namespace mpt::data

namespace mpt::reference {

struct Options {
  /// Round no float at all: the mathematics of the function. Casts between
  /// float types do nothing, constants keep the value they are stored with.
  bool f64 = false;

  /// Called with every operation and its results, kernels' bodies included; a
  /// failure ends the evaluation.
  std::function<mlir::LogicalResult(mlir::Operation *, llvm::ArrayRef<Tensor>)>
      observer;
};

/// Has the interpreter an evaluation for operations of this name?
bool hasEvaluation(llvm::StringRef operationName);

/// Evaluates one operation. The operands have the shapes and element types of
/// the operation's operand types; its result types are static. An error
/// (no evaluation, an index out of range, ...) is reported at the operation.
mlir::FailureOr<llvm::SmallVector<Tensor>>
evaluateOp(mlir::Operation *op, llvm::ArrayRef<const Tensor *> operands,
           const Options &options = {});

class Interpreter {
public:
  explicit Interpreter(Options options = {}) : options(std::move(options)) {}

  /// Runs a function of one block and gives what it returns. Values are freed
  /// after their last use. The arguments must have the function's types.
  mlir::FailureOr<llvm::SmallVector<Tensor>>
  run(mlir::func::FuncOp function, llvm::ArrayRef<const Tensor *> arguments);
  mlir::FailureOr<llvm::SmallVector<Tensor>>
  run(mlir::func::FuncOp function, llvm::ArrayRef<Tensor> arguments);

  const Options &getOptions() const { return options; }

private:
  Options options;
};

/// Initial values of `nn.parameter` operations. Files of `#nn.external` values
/// are mapped once; a relative path that does not exist from the current folder
/// is looked for beside `directory`.
class ParameterLoader {
public:
  explicit ParameterLoader(std::string directory = "");
  ~ParameterLoader();

  /// A parameter without a value is an error.
  mlir::FailureOr<Tensor> load(nn::ParameterOp parameter);

  /// The value of the parameter that argument `index` of the function refers
  /// to; nullopt for an argument without `nn.parameter`.
  mlir::FailureOr<std::optional<Tensor>>
  loadArgument(mlir::func::FuncOp function, unsigned index);

private:
  std::string directory;
  mlir::SymbolTableCollection symbols;
  std::map<std::string, std::unique_ptr<data::MappedFile>> files;
};

} // namespace mpt::reference

#endif // MPT_REFERENCE_INTERPRETER_H
