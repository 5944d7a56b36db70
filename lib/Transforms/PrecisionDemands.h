//===- PrecisionDemands.h - What the user demands of operations -*- C++ -*-===//

#ifndef MPT_LIB_TRANSFORMS_PRECISIONDEMANDS_H
#define MPT_LIB_TRANSFORMS_PRECISIONDEMANDS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mpt/Analysis/PrecisionAssignment.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Regex.h"

namespace mpt {

/// What the user demands: by node name (the last rule that matches), else by
/// type of operation.
class PrecisionDemands {
public:
  /// False, and a text in `error`, for a bad regular expression. `text` is what
  /// reasons quote; `where` the user wrote it is empty for a preset's rule,
  /// which need not match anything.
  bool addNode(llvm::StringRef text, llvm::StringRef regex,
               PrecisionDemand demand, llvm::ArrayRef<unsigned> fp32Operands,
               std::string &error, llvm::StringRef where = "");
  bool addTensor(llvm::StringRef text, llvm::StringRef regex,
                 std::string &error, llvm::StringRef where = "");
  /// A type with its dialect or without ("nn.softmax", "softmax").
  void addType(llvm::StringRef text, PrecisionDemand demand,
               llvm::ArrayRef<unsigned> fp32Operands = {},
               llvm::StringRef where = "");

  bool empty() const { return nodes.empty() && types.empty(); }
  bool hasTensors() const { return !tensors.empty(); }

  PrecisionDemand find(mlir::Operation *op, std::string &text) const;

  /// Warns of rules that match nothing in the function: a misspelt name would
  /// silently do nothing. A type need only exist.
  void warnOfIdleRules(mlir::func::FuncOp function) const;

  /// The text that pins the tensor, or "": by the name of the argument, of a
  /// result of the function, or of the node that computes it.
  std::string findTensor(mlir::Value value, mlir::func::FuncOp function) const;

private:
  struct NamePattern {
    std::string text, where;
    llvm::Regex regex;
  };
  struct TypeRule {
    PrecisionDemand demand = PrecisionDemand::None;
    llvm::SmallVector<unsigned> fp32Operands;
    std::string where;
  };
  struct NodeRule : TypeRule {
    NamePattern name;
  };
  static bool compile(llvm::StringRef text, llvm::StringRef regex,
                      NamePattern &pattern, std::string &error);
  static PrecisionDemand apply(mlir::Operation *op, const TypeRule &rule,
                               llvm::StringRef name, std::string &text);

  std::vector<NodeRule> nodes;
  llvm::StringMap<TypeRule> types;
  std::vector<NamePattern> tensors;
};

} // namespace mpt

#endif // MPT_LIB_TRANSFORMS_PRECISIONDEMANDS_H
