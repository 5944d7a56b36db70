//===- PrecisionAssignment.h - Which operations run in 16 bits --*- C++ -*-===//
//
// Decides, from PrecisionOpInterface alone, the precision of every operation
// of a function, with the reason. See docs/Rationale/MixedPrecision.md for the
// rules.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_ANALYSIS_PRECISIONASSIGNMENT_H
#define MPT_ANALYSIS_PRECISIONASSIGNMENT_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mpt/Analysis/FloatConstants.h"
#include "mpt/Interfaces/PrecisionOpInterface.h"
#include "llvm/ADT/DenseMap.h"

#include <functional>
#include <string>
#include <vector>

namespace mpt {

/// What a user may demand of single operations; null means nothing.
struct PrecisionPolicy {
  mlir::FloatType low; // f16 or bf16
  /// Does the user want this operation in FP32 / low? The text that matched, or
  /// "" for no.
  std::function<std::string(mlir::Operation *)> wantsFP32, wantsLow;
};

/// The name of the node an operation came from (NameLoc), or "".
llvm::StringRef getNodeName(mlir::Location location);

/// An f32 tensor: what the precision passes may narrow.
bool isF32Tensor(mlir::Type type);
/// A tensor of any floating element type.
bool isFloatTensor(mlir::Type type);

/// Does the operation get a decision? It computes on floating tensors, is no
/// constant, no terminator and no cast of the compiler.
bool takesPrecision(mlir::Operation *op);

/// The operands / results of a low operation that are in the low type:
/// floating, not pinned. (An operation without the interface has none.)
bool isFlexibleOperand(mlir::OpOperand &operand);
bool isFlexibleResult(mlir::OpResult result);

/// One decision per operation that takes one.
class PrecisionAssignment {
public:
  PrecisionAssignment(mlir::FunctionOpInterface function,
                      const PrecisionPolicy &policy)
      : function(function), policy(policy) {}

  struct Decision {
    mlir::Operation *op;
    bool low;
    std::string reason;
  };

  /// Linear in the size of the function.
  std::vector<Decision> run();

private:
  enum class State { Open, Low, FP32 };
  struct Node {
    mlir::Operation *op = nullptr;
    State state = State::Open;
    bool fixed = false;
    bool masks = false; // has a constant beyond every range, like -3.4e38
    std::string reason;
    mlir::Operation *because = nullptr; // the neighbour that decided
  };
  /// How many uses of a value want which precision.
  struct Users {
    int64_t low = 0, fp32 = 0;
  };

  Node *find(mlir::Operation *op);
  void fix(Node &node, State state, std::string reason);
  void collect();
  void fixByOwnNature(Node &node);
  bool fixByConstants(Node &node);
  void fixReadersOfMasks();
  void fixBehindGradients();
  void fixReadersOfTheSeed();
  void fixLoss();
  void growLowRegions();
  void countUsers();
  void dropCostlyNodes();
  bool isLowUse(mlir::OpOperand &use);
  bool isLowValue(mlir::Value value);
  /// Elements that move through casts at the operands and results of the node
  /// when it is low minus when it is FP32.
  int64_t extraCastsOfLow(Node &node);

  mlir::FunctionOpInterface function;
  const PrecisionPolicy &policy;
  std::vector<Node> nodes;
  llvm::DenseMap<mlir::Operation *, unsigned> index;
  llvm::DenseMap<mlir::Value, Users> users;
  /// Constants that have been looked into: each is read once.
  llvm::DenseMap<mlir::Operation *, ConstantFit> constants;
};

} // namespace mpt

#endif // MPT_ANALYSIS_PRECISIONASSIGNMENT_H
