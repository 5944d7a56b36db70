//===- NumericRangeTypes.cpp - Ranges and element types -------------------===//

#include "mpt/Interfaces/NumericRange.h"

#include "mpt/Support/Half.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace mpt;

//===----------------------------------------------------------------------===//
// Float types
//===----------------------------------------------------------------------===//

static double toDouble(APFloat value) {
  bool lossy = false;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
  return value.convertToDouble();
}

double mpt::largestOf(FloatType type) {
  return toDouble(APFloat::getLargest(type.getFloatSemantics()));
}
double mpt::smallestSubnormalOf(FloatType type) {
  return toDouble(APFloat::getSmallest(type.getFloatSemantics()));
}
double mpt::smallestNormalOf(FloatType type) {
  return toDouble(APFloat::getSmallestNormalized(type.getFloatSemantics()));
}

double mpt::nearestIn(FloatType type, double value) {
  if (type.isF64())
    return value;
  if (type.isF32())
    return static_cast<float>(value);
  if (type.isF16())
    return roundToF16(value);
  if (type.isBF16())
    return roundToBF16(value);
  APFloat rounded(value);
  bool lossy = false;
  rounded.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                  &lossy);
  return toDouble(rounded);
}

/// f16, bf16, f32 and f64 are the types that occur in every value; their limits
/// are known without a detour by APFloat.
static void getLimits(FloatType type, double &largest, double &subnormal) {
  if (type.isF32()) {
    largest = std::numeric_limits<float>::max();
    subnormal = std::numeric_limits<float>::denorm_min();
  } else if (type.isF16()) {
    largest = 65504;
    subnormal = 0x1p-24;
  } else {
    largest = largestOf(type);
    subnormal = smallestSubnormalOf(type);
  }
}

/// The bounds of an integer type, signless ones being signed; i1 is 0 or 1.
static void getLimits(IntegerType type, double &lo, double &hi) {
  const unsigned width = type.getWidth();
  const bool isUnsigned = type.isUnsigned() || width == 1;
  hi = std::ldexp(1.0, isUnsigned ? width : width - 1) - 1;
  lo = isUnsigned ? 0 : -hi - 1;
}

NumericRange NumericRange::unknown(Type elementType) {
  NumericRange range;
  if (auto type = dyn_cast<FloatType>(elementType)) {
    getLimits(type, range.hi, range.smallest);
    range.lo = -range.hi;
    range.negInf = range.posInf = range.nan = true;
    return range;
  }
  if (auto type = dyn_cast<IntegerType>(elementType)) {
    getLimits(type, range.lo, range.hi);
    range.smallest = 1;
    return range;
  }
  range.lo = -kInfinity;
  range.hi = kInfinity;
  range.smallest = 0;
  range.negInf = range.posInf = range.nan = true;
  return range;
}

NumericRange mpt::roundToType(const NumericRange &range, Type elementType) {
  NumericRange r = range;
  r.tidy();
  if (auto type = dyn_cast<IntegerType>(elementType)) {
    double lo, hi;
    getLimits(type, lo, hi);
    // A double holds integers exactly up to 2^53.
    const double exact = std::fmin(hi, 0x1p53);
    if (!r.isFinite() ||
        (r.hasFinite() && (r.lo < std::fmax(lo, -exact - 1) || r.hi > exact)))
      return NumericRange::unknown(type);
    return r;
  }
  auto type = dyn_cast<FloatType>(elementType);
  if (!type || !r.hasFinite())
    return r;
  double largest, subnormal;
  getLimits(type, largest, subnormal);
  // Another order of the operations may end on the other side of a rounding
  // boundary; numbers of the type are far from one.
  if (type.isF64() || nearestIn(type, r.lo) != r.lo)
    r.lo -= std::fabs(r.lo) * kSlack;
  if (type.isF64() || nearestIn(type, r.hi) != r.hi)
    r.hi += std::fabs(r.hi) * kSlack;
  if (std::isfinite(r.smallest))
    r.smallest *= 1 - kSlack;
  const double lo = nearestIn(type, r.lo), hi = nearestIn(type, r.hi);
  r.negInf |= lo == -NumericRange::kInfinity;
  r.posInf |= hi == NumericRange::kInfinity;
  // All of it overflows: what is left is a bound that holds of nothing.
  r.lo = std::fmin(std::fmax(std::fmin(r.lo, lo), -largest), largest);
  r.hi = std::fmax(std::fmin(std::fmax(r.hi, hi), largest), -largest);
  const double least =
      std::isinf(r.smallest) ? r.smallest : nearestIn(type, r.smallest);
  r.smallest = std::fmax(least == 0 ? subnormal : std::fmin(r.smallest, least),
                         subnormal);
  return r.tidy();
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

namespace {
/// Folds elements into a range without branches on their values.
struct Fold {
  double lo = NumericRange::kInfinity, hi = -NumericRange::kInfinity;
  double smallest = NumericRange::kInfinity;
  bool negInf = false, posInf = false, nan = false;

  void add(double value) {
    const double magnitude = std::fabs(value);
    if (!(magnitude < NumericRange::kInfinity)) {
      nan |= std::isnan(value);
      posInf |= value > 0;
      negInf |= value < 0;
      return;
    }
    lo = value < lo ? value : lo;
    hi = value > hi ? value : hi;
    smallest = magnitude != 0 && magnitude < smallest ? magnitude : smallest;
  }
  NumericRange get() const {
    NumericRange range;
    range.lo = lo;
    range.hi = hi;
    range.smallest = smallest;
    range.negInf = negInf;
    range.posInf = posInf;
    range.nan = nan;
    return range;
  }
};

template <typename T> NumericRange foldElements(ArrayRef<char> bytes) {
  Fold fold;
  for (size_t i = 0, count = bytes.size() / sizeof(T); i < count; ++i) {
    T element;
    std::memcpy(&element, bytes.data() + i * sizeof(T), sizeof(T));
    fold.add(static_cast<double>(element));
  }
  return fold.get();
}

template <typename Signed>
NumericRange foldIntegers(ArrayRef<char> bytes, bool isUnsigned) {
  return isUnsigned ? foldElements<std::make_unsigned_t<Signed>>(bytes)
                    : foldElements<Signed>(bytes);
}
} // namespace

NumericRange mpt::rangeOfBytes(Type elementType, ArrayRef<char> bytes) {
  if (elementType.isF32())
    return foldElements<float>(bytes);
  if (elementType.isF64())
    return foldElements<double>(bytes);
  if (elementType.isF16() || elementType.isBF16()) {
    Fold fold;
    for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
      uint16_t bits;
      std::memcpy(&bits, bytes.data() + i, sizeof(bits));
      fold.add(elementType.isF16() ? decodeF16(bits) : decodeBF16(bits));
    }
    return fold.get();
  }
  auto type = dyn_cast<IntegerType>(elementType);
  if (!type)
    return NumericRange::unknown(elementType);
  switch (type.getWidth()) {
  case 8:
    return foldIntegers<int8_t>(bytes, type.isUnsigned());
  case 16:
    return foldIntegers<int16_t>(bytes, type.isUnsigned());
  case 32:
    return foldIntegers<int32_t>(bytes, type.isUnsigned());
  case 64:
    return foldIntegers<int64_t>(bytes, type.isUnsigned());
  default:
    return NumericRange::unknown(elementType);
  }
}
