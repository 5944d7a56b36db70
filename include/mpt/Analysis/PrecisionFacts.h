//===- PrecisionFacts.h - What ranges say about 16 bits ---------*- C++ -*-===//

#ifndef MPT_ANALYSIS_PRECISIONFACTS_H
#define MPT_ANALYSIS_PRECISIONFACTS_H

#include "mpt/Analysis/PrecisionAssignment.h"
#include "mpt/Analysis/ValueRanges.h"

namespace mpt {

/// Facts for PrecisionPolicy::fact from ranges that are inferred, from what
/// `seeds` say, when the first fact is asked for.
///
/// An operation is safe if its results, computed from finite operands that were
/// rounded to the type (and may have become infinities or zero), are finite and
/// fit the type. It is safe, too, if its overflow is absorbed: the operations
/// behind it give the same result for an infinity as for every number that
/// becomes one (the cube in the tanh form of gelu). It overflows where results
/// were measured that do not fit; what only may overflow, since intervals grow
/// from operation to operation, is no reason to keep it in FP32.
class PrecisionFacts {
public:
  PrecisionFacts(mlir::FunctionOpInterface function, RangeSeeds seeds)
      : function(function), seeds(std::move(seeds)) {}

  /// Facts about operations of class FP32 and, where something was measured,
  /// all others.
  PrecisionFact lookup(mlir::Operation *op, mlir::FloatType type);
  /// Safe, if it is proved that the results fit; of any class.
  PrecisionFact prove(mlir::Operation *op, mlir::FloatType type);

private:
  const ValueRanges &getRanges();
  NumericRange rangeIn(mlir::OpOperand &operand, mlir::FloatType type);
  PrecisionFact proveAbsorbed(mlir::Operation *op, mlir::FloatType type);
  std::string absorbs(mlir::Value variable, const NumericRange &piece,
                      mlir::Operation *op, mlir::FloatType type);

  mlir::FunctionOpInterface function;
  RangeSeeds seeds;
  std::optional<ValueRanges> ranges;
};

} // namespace mpt

#endif // MPT_ANALYSIS_PRECISIONFACTS_H
