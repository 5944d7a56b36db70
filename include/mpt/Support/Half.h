//===- Half.h - IEEE binary16 and bfloat16 conversions ----------*- C++ -*-===//
//
// The one place that defines how this project rounds to 16 bits:
//
//  * binary16 (FP16): (-1)^s * 2^(e-15) * (1 + f/1024), e = 0 is subnormal
//    ((-1)^s * 2^-14 * f/1024), e = 31 is infinity (f = 0) or NaN (f != 0);
//  * bfloat16 (BF16): the upper 16 bits of an IEEE binary32.
//
// Rounding is to nearest, ties to even, directly from the source value (a
// double is never rounded to float first). Subnormals are kept, values at or
// above the overflow threshold (65520 for FP16) become infinity and never the
// largest finite number, and a NaN stays a NaN (quiet, sign and the leading
// payload bits kept). All functions are constexpr and need no LLVM.
//
// Source: IEEE 754-2019, sections 3.4, 4.3.1 and 7.4.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_SUPPORT_HALF_H
#define MPT_SUPPORT_HALF_H

#include <cstdint>

namespace mpt {

/// Reinterprets the bits of a value as another type of the same size.
template <typename To, typename From> constexpr To bitCast(From value) {
  static_assert(sizeof(To) == sizeof(From), "sizes differ");
  return __builtin_bit_cast(To, value);
}

/// The parameters of a 16-bit binary interchange format.
template <int ExponentBits> struct SmallFloatFormat {
  static constexpr int exponentBits = ExponentBits;
  static constexpr int fractionBits = 15 - ExponentBits;
  static constexpr int bias = (1 << (ExponentBits - 1)) - 1;
  static constexpr int minExponent = 1 - bias; // of the smallest normal number
  static constexpr uint16_t infinity = ((1u << ExponentBits) - 1)
                                       << fractionBits;
  static constexpr uint16_t quietNaN = infinity | (1u << (fractionBits - 1));
};

using F16Format = SmallFloatFormat<5>;
using BF16Format = SmallFloatFormat<8>;

/// Rounds `value` to the format (to nearest, ties to even) and returns the
/// bits.
template <typename Format> constexpr uint16_t encodeSmallFloat(double value) {
  const uint64_t bits = bitCast<uint64_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 48) & 0x8000);
  const int biasedExponent = static_cast<int>((bits >> 52) & 0x7FF);
  const uint64_t fraction = bits & ((uint64_t(1) << 52) - 1);
  if (biasedExponent == 0x7FF) {
    if (fraction == 0)
      return sign | Format::infinity;
    return sign | Format::quietNaN |
           static_cast<uint16_t>(fraction >> (52 - Format::fractionBits));
  }
  const int exponent = biasedExponent - 1023;
  if (exponent > Format::bias)
    return sign | Format::infinity;
  // value = significand * 2^(exponent-52). A double's own subnormals are far
  // below half of the smallest subnormal of either format.
  const uint64_t significand = fraction | (uint64_t(1) << 52);
  int shift = 52 - Format::fractionBits;
  if (exponent < Format::minExponent)
    shift += Format::minExponent - exponent;
  if (biasedExponent == 0 || shift > 53)
    return sign;
  uint64_t quotient = significand >> shift;
  const uint64_t remainder = significand & ((uint64_t(1) << shift) - 1);
  const uint64_t half = uint64_t(1) << (shift - 1);
  if (remainder > half || (remainder == half && (quotient & 1)))
    ++quotient;
  // The quotient of a normal number carries its implicit one into the exponent
  // field, and a carry out of the fraction does the right thing in every case,
  // from subnormal to normal as well as from the largest number to infinity.
  if (exponent >= Format::minExponent)
    quotient += static_cast<uint64_t>(exponent - Format::minExponent)
                << Format::fractionBits;
  return sign | static_cast<uint16_t>(quotient);
}

/// The value of the bits; every 16-bit number is exactly a double.
template <typename Format> constexpr double decodeSmallFloat(uint16_t bits) {
  const uint64_t sign = static_cast<uint64_t>(bits & 0x8000) << 48;
  const uint64_t magnitude = bits & 0x7FFF;
  const uint64_t fraction = magnitude & ((1u << Format::fractionBits) - 1);
  if (magnitude >= Format::infinity)
    return bitCast<double>(sign | (uint64_t(0x7FF) << 52) |
                           (fraction << (52 - Format::fractionBits)));
  const uint64_t exponent = magnitude >> Format::fractionBits;
  if (exponent == 0) {
    // 2^(minExponent - fractionBits), the smallest subnormal, as a double.
    const double quantum = bitCast<double>(
        static_cast<uint64_t>(1023 + Format::minExponent - Format::fractionBits)
        << 52);
    const double value = static_cast<double>(fraction) * quantum;
    return sign ? -value : value;
  }
  return bitCast<double>(sign | ((exponent - Format::bias + 1023) << 52) |
                         (fraction << (52 - Format::fractionBits)));
}

constexpr uint16_t encodeF16(double value) {
  return encodeSmallFloat<F16Format>(value);
}
constexpr uint16_t encodeBF16(double value) {
  return encodeSmallFloat<BF16Format>(value);
}
constexpr double decodeF16(uint16_t bits) {
  return decodeSmallFloat<F16Format>(bits);
}
constexpr double decodeBF16(uint16_t bits) {
  return decodeSmallFloat<BF16Format>(bits);
}

/// The nearest FP16 (BF16) number, as a double.
constexpr double roundToF16(double value) {
  return decodeF16(encodeF16(value));
}
constexpr double roundToBF16(double value) {
  return decodeBF16(encodeBF16(value));
}

/// A 16-bit float as a storage type: converts on construction, reads as float.
template <typename Format> struct SmallFloat {
  uint16_t bits = 0;

  constexpr SmallFloat() = default;
  constexpr explicit SmallFloat(double value)
      : bits(encodeSmallFloat<Format>(value)) {}
  static constexpr SmallFloat fromBits(uint16_t bits) {
    SmallFloat result;
    result.bits = bits;
    return result;
  }
  constexpr operator float() const {
    return static_cast<float>(decodeSmallFloat<Format>(bits));
  }
};

using Float16 = SmallFloat<F16Format>;
using BFloat16 = SmallFloat<BF16Format>;
static_assert(sizeof(Float16) == 2 && sizeof(BFloat16) == 2, "storage types");

//===----------------------------------------------------------------------===//
// Units in the last place
//===----------------------------------------------------------------------===//

/// The distance from the format's number nearest below |value| (in magnitude)
/// to the next one: the size of one unit in the last place at `value`. The
/// exponent is clamped to the format's normal range; NaN for NaN or infinity.
template <typename Format> constexpr double ulpOfSmallFloat(double value) {
  const uint64_t bits = bitCast<uint64_t>(value);
  const int biasedExponent = static_cast<int>((bits >> 52) & 0x7FF);
  if (biasedExponent == 0x7FF)
    return bitCast<double>(uint64_t(0x7FF8) << 48);
  int exponent = biasedExponent - 1023;
  if (exponent < Format::minExponent)
    exponent = Format::minExponent;
  if (exponent > Format::bias)
    exponent = Format::bias;
  return bitCast<double>(
      static_cast<uint64_t>(1023 + exponent - Format::fractionBits) << 52);
}
constexpr double ulpF16(double value) {
  return ulpOfSmallFloat<F16Format>(value);
}
constexpr double ulpBF16(double value) {
  return ulpOfSmallFloat<BF16Format>(value);
}
/// One unit in the last place of an IEEE binary32 at `value`.
constexpr double ulpF32(double value) {
  const uint64_t bits = bitCast<uint64_t>(value);
  const int biasedExponent = static_cast<int>((bits >> 52) & 0x7FF);
  if (biasedExponent == 0x7FF)
    return bitCast<double>(uint64_t(0x7FF8) << 48);
  int exponent = biasedExponent - 1023;
  exponent = exponent < -126 ? -126 : exponent > 127 ? 127 : exponent;
  return bitCast<double>(static_cast<uint64_t>(1023 + exponent - 23) << 52);
}

/// How many representable numbers lie between two values of one sign-magnitude
/// format (the bits of FP16, BF16 or F32, widened by the caller's choice of
/// type). +0 and -0 are the same number; infinity follows the largest finite
/// number. Undefined for NaN: ask isNaN first.
constexpr uint32_t ulpDistance(uint16_t lhs, uint16_t rhs) {
  const int32_t a = lhs & 0x8000 ? -(lhs & 0x7FFF) : lhs;
  const int32_t b = rhs & 0x8000 ? -(rhs & 0x7FFF) : rhs;
  return static_cast<uint32_t>(a > b ? a - b : b - a);
}
constexpr uint64_t ulpDistance(float lhs, float rhs) {
  const uint32_t l = bitCast<uint32_t>(lhs), r = bitCast<uint32_t>(rhs);
  const int64_t a = l >> 31 ? -int64_t(l & 0x7FFFFFFF) : int64_t(l);
  const int64_t b = r >> 31 ? -int64_t(r & 0x7FFFFFFF) : int64_t(r);
  return static_cast<uint64_t>(a > b ? a - b : b - a);
}

template <typename Format> constexpr bool isNaNBits(uint16_t bits) {
  return (bits & 0x7FFF) > Format::infinity;
}
constexpr bool isNaNF16(uint16_t bits) { return isNaNBits<F16Format>(bits); }
constexpr bool isNaNBF16(uint16_t bits) { return isNaNBits<BF16Format>(bits); }

} // namespace mpt

#endif // MPT_SUPPORT_HALF_H
