//===- RecomputePlan.h - What the backward pass computes again --*- C++ -*-===//

#ifndef MPT_LIB_TRANSFORMS_RECOMPUTEPLAN_H
#define MPT_LIB_TRANSFORMS_RECOMPUTEPLAN_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

#include <optional>
#include <vector>

namespace mpt {

/// A set of forward operations that run again, and what that means.
struct RecomputePlan {
  std::vector<bool> again; // by number of the operation
  int64_t kept = 0;        // bytes that the backward pass reads of the forward
                           // pass, of one micro-batch
  int64_t peak = 0;        // largest sum of live bytes, by operation
  int64_t flops = 0;       // of the step
};

/// What it costs to run an operation again, in bytes kept.
struct RecomputePrices {
  double byteMoved = 0; // per byte of operands and results
  /// Per flop of a contraction; nullopt: contractions never run again.
  std::optional<double> flop;
};

/// A step seen as a forward pass (what does not depend on the gradient's seed)
/// and a backward pass.
class RecomputeProblem {
public:
  explicit RecomputeProblem(mlir::func::FuncOp function);

  bool hasBackwardPass() const { return !backwardReads.empty(); }
  /// The plan in which nothing changes.
  RecomputePlan evaluateToday() const;
  /// The minimum cut for these prices.
  RecomputePlan solve(const RecomputePrices &prices) const;
  /// Carries a plan out; the number of copies made. The problem is used up.
  int64_t apply(const RecomputePlan &plan);
  /// Makes the compiler's casts of inputs again in front of the backward
  /// pass's first reader, where both passes read them; the number of copies.
  /// Nothing else moves.
  int64_t repeatInputCasts();

private:
  enum class Pass { Forward, ForBackward, Backward };
  struct Node {
    mlir::Operation *op;
    Pass pass;
    bool repeatable; // may run a second time
    int64_t flops, traffic;
  };
  using Number = uint32_t;

  void classify();
  int64_t bytesOf(mlir::Value value) const;
  /// The number of the forward operation behind a value that takes memory.
  std::optional<Number> producerOf(mlir::Value value) const;
  /// The order of execution under a plan: numbers, each with whether it is a
  /// copy.
  std::vector<std::pair<Number, bool>>
  schedule(const std::vector<bool> &again) const;
  void measure(RecomputePlan &plan,
               llvm::ArrayRef<std::pair<Number, bool>> order) const;
  bool runsAgain(const std::vector<bool> &again, mlir::Value value) const;

  mlir::func::FuncOp function;
  mlir::Operation *terminator;
  std::vector<Node> nodes; // in order
  llvm::DenseMap<mlir::Operation *, Number> numbers;
  /// Values of the forward pass that the backward pass reads.
  std::vector<mlir::Value> backwardReads;
  int64_t totalFlops = 0, microBatches = 1;
};

} // namespace mpt

#endif // MPT_LIB_TRANSFORMS_RECOMPUTEPLAN_H
