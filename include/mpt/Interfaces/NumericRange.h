//===- NumericRange.h - What is known of a tensor's elements ----*- C++ -*-===//
//
// An interval with both ends, the special values apart: a mask that holds 0 and
// -inf has the finite part [0, 0] and may be -inf, and 16 bits hold it.
//
// Functions on ranges are sound for real arithmetic in double, each widened by
// kSlack so that errors of the library's functions are inside; what the
// element type makes of the result is the business of roundToType, which the
// analysis calls once per result. Sums are widened by the error that FP32
// accumulation makes, too.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_INTERFACES_NUMERICRANGE_H
#define MPT_INTERFACES_NUMERICRANGE_H

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <limits>
#include <string>

namespace mpt {

/// A set that contains every element of a tensor.
struct NumericRange {
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();

  /// The finite elements lie in [lo, hi]; lo > hi: there is none.
  double lo = kInfinity, hi = -kInfinity;
  /// Every finite element that is not zero has at least this magnitude. 0:
  /// nothing is known; infinity: all finite elements are zero.
  double smallest = kInfinity;
  /// Which special values there may be.
  bool negInf = false, posInf = false, nan = false;

  /// Nothing at all: the range of a tensor without elements.
  static NumericRange none() { return {}; }
  /// One number, infinities and NaN included.
  static NumericRange point(double value);
  /// All finite numbers between the bounds. An infinite bound stands for the
  /// infinity too, and for any finite number.
  static NumericRange between(double lo, double hi);
  /// Everything a float or integer type can hold; everything for other types.
  static NumericRange unknown(mlir::Type elementType);

  bool hasFinite() const { return lo <= hi; }
  bool hasInf() const { return negInf || posInf; }
  bool isFinite() const { return !negInf && !posInf && !nan; }
  bool mayBeZero() const { return lo <= 0 && 0 <= hi; }
  bool mayBePositive() const { return posInf || (hasFinite() && hi > 0); }
  bool mayBeNegative() const { return negInf || (hasFinite() && lo < 0); }
  /// The largest magnitude of a finite element; 0 without one.
  double absMax() const;
  bool contains(double value) const;

  /// The union with another range.
  NumericRange &join(const NumericRange &other);
  NumericRange &joinZero() { return join(point(0)); }
  /// What both know; a range that contradicts another keeps its own bounds.
  NumericRange &meet(const NumericRange &other);
  /// Draws what can be drawn from the bounds: `smallest` is at least the bound
  /// nearest to zero. A bound that is no number makes everything unknown.
  NumericRange &tidy();

  bool operator==(const NumericRange &other) const;
  bool operator!=(const NumericRange &other) const { return !(*this == other); }
  /// "[-1, 1]", "[0, inf] or nan".
  std::string str() const;
};

/// Relative widening of what a library function or a few double operations
/// give.
constexpr double kSlack = 0x1p-48;

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

/// The largest finite number of a float type, and its smallest subnormal and
/// normal ones.
double largestOf(mlir::FloatType type);
double smallestSubnormalOf(mlir::FloatType type);
double smallestNormalOf(mlir::FloatType type);
/// The nearest number of the type, ties to even; overflow gives infinity.
double nearestIn(mlir::FloatType type, double value);

/// The range of elements that are computed exactly and then stored in
/// `elementType`. The result holds the values before and after rounding (a
/// fused kernel does not round in between), overflow adds infinities. Integers
/// that leave their type wrap: everything.
NumericRange roundToType(const NumericRange &range, mlir::Type elementType);

/// The range of the elements behind `bytes` (row-major, little-endian; one
/// element suffices when all are equal). Everything the type holds for types
/// that are neither floats nor integers.
NumericRange rangeOfBytes(mlir::Type elementType, llvm::ArrayRef<char> bytes);

//===----------------------------------------------------------------------===//
// Arithmetic on ranges. No result is rounded.
//===----------------------------------------------------------------------===//

NumericRange operator-(const NumericRange &a);
NumericRange operator+(const NumericRange &a, const NumericRange &b);
NumericRange operator-(const NumericRange &a, const NumericRange &b);
NumericRange operator*(const NumericRange &a, const NumericRange &b);
NumericRange operator/(const NumericRange &a, const NumericRange &b);
NumericRange minOf(const NumericRange &a, const NumericRange &b);
NumericRange maxOf(const NumericRange &a, const NumericRange &b);
NumericRange absOf(const NumericRange &a);
NumericRange squareOf(const NumericRange &a);
NumericRange sqrtOf(const NumericRange &a);
NumericRange expOf(const NumericRange &a);
NumericRange logOf(const NumericRange &a);
/// Scaled by a number.
inline NumericRange scaled(const NumericRange &a, double factor) {
  return a * NumericRange::point(factor);
}
/// [-bound, bound], with the special values of `from`.
NumericRange within(double bound, const NumericRange &from);

/// A continuous function that is monotone between the turning points. It is
/// evaluated at the ends, at the turning points between them, and at the
/// infinities there are.
NumericRange apply(const NumericRange &a,
                   llvm::function_ref<double(double)> function,
                   llvm::ArrayRef<double> turningPoints = {});
/// An odd increasing function: it keeps a bound away from zero.
NumericRange applyOdd(const NumericRange &a,
                      llvm::function_ref<double(double)> function);

/// Sums of `least` to `most` elements, accumulated in FP32 (in double where
/// `wide`).
NumericRange sumOf(const NumericRange &a, int64_t least, int64_t most,
                   bool wide);
inline NumericRange sumOf(const NumericRange &a, int64_t count, bool wide) {
  return sumOf(a, count, count, wide);
}
/// Means of `count` elements.
NumericRange meanOf(const NumericRange &a, int64_t count, bool wide);

} // namespace mpt

#endif // MPT_INTERFACES_NUMERICRANGE_H
