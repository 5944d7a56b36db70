//===- ValueRanges.h - What values of a function may hold -------*- C++ -*-===//
//
// A sound interval for the elements of every tensor of a function, with both
// ends, the special values, and a bound of the magnitude of what is not zero:
//
//   ValueRanges ranges(function, seeds);
//   ranges.fits(value, f16)       // no finite element becomes an infinity
//   ranges.mayVanish(value, f16)  // an element may become zero
//
// "Sound" is: whatever arguments lie in their seeds, no element of a value that
// the reference interpreter computes lies outside of its range. FP32 sums of
// compiled kernels are covered too.
//
// One walk over the operations in their order, with ValueRangeOpInterface as
// the transfer function; it knows no network operation. The data-flow framework
// of MLIR is not used: straight-line code needs no fixed point, and its solver
// keeps a lattice object with its dependents, and a work list, per value (about
// 400 bytes, against 40 here) and runs dead-code analysis first. Only
// operations with regions need a fixed point: they are iterated, and widened to
// the type's limits after a few rounds, over RegionBranchOpInterface.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_ANALYSIS_VALUERANGES_H
#define MPT_ANALYSIS_VALUERANGES_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mpt/Interfaces/NumericRange.h"
#include "llvm/ADT/DenseMap.h"

#include <functional>
#include <optional>

namespace mlir {
class RegionBranchOpInterface;
} // namespace mlir

namespace mpt {

/// On a function argument: `mp.range = array<f64: lo, hi>` declares that it is
/// finite and between the two numbers (an infinite bound: no bound, and the
/// infinity itself).
constexpr llvm::StringLiteral kRangeAttrName = "mp.range";
/// On an operation, one dictionary per result: what mpt-infer-ranges found.
constexpr llvm::StringLiteral kRangesAttrName = "mp.ranges";

/// What is known beforehand. Everything given is met with what is inferred.
struct RangeSeeds {
  /// Of an argument (a parameter's values), besides its `mp.range`.
  std::function<std::optional<NumericRange>(mlir::FunctionOpInterface,
                                            unsigned)>
      argument;
  /// Of any value: what was measured. Ranges are then those of runs like it.
  std::function<std::optional<NumericRange>(mlir::Value)> measured;
};

/// The elements of a constant, or everything its type holds where they cannot
/// be read. One pass over the bytes.
NumericRange rangeOfConstant(mlir::ElementsAttr value);

class ValueRanges {
public:
  /// Walks the function: linear in its size.
  explicit ValueRanges(mlir::FunctionOpInterface function,
                       const RangeSeeds &seeds = {});

  /// Everything the type holds for a value that is not a tensor of numbers.
  NumericRange lookup(mlir::Value value) const;

  /// Is every finite element still finite in `type`?
  bool fits(mlir::Value value, mlir::FloatType type) const;
  bool mayOverflow(mlir::Value value, mlir::FloatType type) const {
    return !fits(value, type);
  }
  /// May an element that is not zero become zero in `type`?
  bool mayVanish(mlir::Value value, mlir::FloatType type) const;
  /// May an element that is not zero be below the smallest normal number of
  /// `type`, and lose bits?
  bool mayBeSubnormal(mlir::Value value, mlir::FloatType type) const;
  /// Is there a bound that the type alone does not give?
  bool isBounded(mlir::Value value) const;

private:
  void visitBlock(mlir::Block &block);
  void visit(mlir::Operation *op);
  void visitRegions(mlir::Operation *op);
  void visitBranches(mlir::RegionBranchOpInterface op);
  void set(mlir::Value value, const NumericRange &range);
  NumericRange seedOf(mlir::FunctionOpInterface function, unsigned index);

  const RangeSeeds &seeds;
  llvm::DenseMap<mlir::Value, NumericRange> ranges;
  unsigned depth = 0; // of regions around the operation visited
};

/// Remarks, with node names, on what FP16 does to the values of a function:
/// constants that overflow or lose their bits, epsilons that vanish, sums and
/// products that can overflow although what they are made of does not.
void remarkOnRanges(mlir::FunctionOpInterface function,
                    const ValueRanges &ranges);

} // namespace mpt

#endif // MPT_ANALYSIS_VALUERANGES_H
