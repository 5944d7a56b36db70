//===- LossScaleOpInterface.h - Powers of the loss scale --------*- C++ -*-===//

#ifndef MPT_INTERFACES_LOSSSCALEOPINTERFACE_H
#define MPT_INTERFACES_LOSSSCALEOPINTERFACE_H

#include "mlir/IR/OpDefinition.h"

namespace mpt {

/// How the power of the loss scale combines over the floating operands of an
/// operation.
enum class ScaleBehavior {
  /// f(Sx, Sy) = S f(x, y): all scaled operands have one power, the results
  /// have it too
  /// (add, concat, reshape, sum, max, where). A constant zero has every power.
  Homogeneous,
  /// The powers add up (mul, matmul, conv).
  Product,
  /// power(lhs) - power(rhs).
  Quotient,
  /// Linear in the scaled operands, which share one power that the results
  /// take; every other
  /// operand has power 0 (the derivative ops: linear in the incoming gradient).
  LinearIn,
  /// Operand and result have nothing to do with each other's power: any power
  /// in, 0 out
  /// (is_nan, all_finite, sign, shape of).
  Invariant,
  /// The operands are compared or combined by value: they share one power, the
  /// result has 0.
  Comparison,
  /// The power halves; an odd power is an error (sqrt).
  SquareRoot,
  /// The result has the operand's power plus getScaleShift() (scale +1, unscale
  /// -1).
  Shift,
  /// Every operand has power 0, and so have the results.
  NonLinear,
};

} // namespace mpt

#include "mpt/Interfaces/LossScaleOpInterface.h.inc"

#endif // MPT_INTERFACES_LOSSSCALEOPINTERFACE_H
