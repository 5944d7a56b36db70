//===- StepFunction.h - Arguments and results with roles --------*- C++ -*-===//
//
// The passes that build a training step add arguments and results in bulk: the
// signature is rewritten once, whatever their number.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_LIB_TRANSFORMS_STEPFUNCTION_H
#define MPT_LIB_TRANSFORMS_STEPFUNCTION_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "llvm/ADT/BitVector.h"

#include <string>

namespace mpt {

/// On a function: an evaluation function, not to be made a training step.
inline constexpr llvm::StringLiteral kEvaluationAttrName = "mp.evaluation";

/// A function of one block whose arguments and results carry roles.
class StepFunction {
public:
  explicit StepFunction(mlir::func::FuncOp function) : function(function) {}

  mlir::func::FuncOp getFunction() const { return function; }
  mlir::Block &getBody() { return function.getBody().front(); }
  mlir::func::ReturnOp getReturn() {
    return llvm::cast<mlir::func::ReturnOp>(getBody().getTerminator());
  }

  /// A new argument, at the end or before argument `index`. The signature is
  /// brought up to date by finish().
  mlir::BlockArgument
  addArgument(mlir::Type type, mp::Role role, llvm::StringRef name,
              std::optional<unsigned> index = {},
              llvm::ArrayRef<mlir::NamedAttribute> more = {});
  void addResult(mlir::Value value, mp::Role role, llvm::StringRef name,
                 bool front = false);
  /// Drops the arguments that are set; they have no uses.
  void eraseArguments(const llvm::BitVector &which);
  /// Drops the results with this role.
  void eraseResults(mp::Role role);
  void setArgumentAttr(unsigned index, llvm::StringRef name,
                       mlir::Attribute value);

  /// Writes signature, attributes and return operation.
  void finish();

private:
  void load();

  mlir::func::FuncOp function;
  bool loaded = false;
  llvm::SmallVector<mlir::DictionaryAttr> argumentAttrs, resultAttrs;
  llvm::SmallVector<mlir::Value> results;
};

/// Has the function a result of this role?
bool hasResult(mlir::func::FuncOp function, mp::Role role);

/// The functions of a module that have a body and are no evaluation functions.
/// A function that has the given result role but several blocks is an error.
llvm::LogicalResult
collectFunctions(mlir::ModuleOp module, mp::Role resultRole,
                 llvm::SmallVectorImpl<mlir::func::FuncOp> &functions);

} // namespace mpt

#endif // MPT_LIB_TRANSFORMS_STEPFUNCTION_H
