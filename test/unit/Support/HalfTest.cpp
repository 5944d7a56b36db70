//===- HalfTest.cpp - Exhaustive tests of the 16-bit conversions ----------===//

#include "mpt/Support/Half.h"

#include "gtest/gtest.h"

#include <cmath>
#include <limits>
#include <random>

using namespace mpt;

namespace {

// The format by its definition, independent of the code under test:
// (-1)^s * 2^(e-bias) * (1 + f/2^m), subnormal for e = 0.
template <typename Format> double valueByDefinition(uint32_t bits) {
  const int m = Format::fractionBits;
  const int e = (bits & 0x7FFF) >> m;
  const int f = bits & ((1 << m) - 1);
  const double sign = bits & 0x8000 ? -1.0 : 1.0;
  if (e == (1 << Format::exponentBits) - 1)
    return f ? std::numeric_limits<double>::quiet_NaN()
             : sign * std::numeric_limits<double>::infinity();
  if (e == 0)
    return sign * std::ldexp(double(f), 1 - Format::bias - m);
  return sign * std::ldexp(1.0 + double(f) / (1 << m), e - Format::bias);
}

template <typename Format> class HalfTest : public ::testing::Test {};
using Formats = ::testing::Types<F16Format, BF16Format>;
TYPED_TEST_SUITE(HalfTest, Formats);

TYPED_TEST(HalfTest, All65536PatternsRoundTrip) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const double want = valueByDefinition<TypeParam>(bits);
    const double got = decodeSmallFloat<TypeParam>(bits);
    const SmallFloat<TypeParam> narrow =
        SmallFloat<TypeParam>::fromBits(static_cast<uint16_t>(bits));
    if (std::isnan(want)) {
      ASSERT_TRUE(std::isnan(got)) << bits;
      ASSERT_TRUE(isNaNBits<TypeParam>(bits)) << bits;
      // Quiet, with sign and payload kept, from double and from float.
      const uint16_t quiet =
          static_cast<uint16_t>(bits | (1u << (TypeParam::fractionBits - 1)));
      ASSERT_EQ(encodeSmallFloat<TypeParam>(got), quiet) << bits;
      ASSERT_TRUE(std::isnan(float(narrow))) << bits;
      ASSERT_EQ(SmallFloat<TypeParam>(float(narrow)).bits, quiet) << bits;
      continue;
    }
    ASSERT_FALSE(isNaNBits<TypeParam>(bits)) << bits;
    ASSERT_EQ(got, want) << bits;
    ASSERT_EQ(std::signbit(got), std::signbit(want)) << bits;
    ASSERT_EQ(encodeSmallFloat<TypeParam>(got), bits);
    ASSERT_EQ(double(float(narrow)), want) << bits; // exact in float as well
    ASSERT_EQ(SmallFloat<TypeParam>(float(narrow)).bits, bits);
  }
}

// Between every two neighbours: the midpoint goes to the even one, the float
// and the double next to the midpoint go to the nearer one.
TYPED_TEST(HalfTest, EveryRoundingBoundary) {
  for (uint32_t low = 0; low < TypeParam::infinity; ++low) {
    const uint32_t high = low + 1; // may be infinity
    const double below = valueByDefinition<TypeParam>(low);
    // The number that would follow the largest one if the exponent went on.
    const double above = high == TypeParam::infinity
                             ? std::ldexp(1.0, TypeParam::bias + 1)
                             : valueByDefinition<TypeParam>(high);
    const double middle = below / 2 + above / 2;
    const uint32_t even = low & 1 ? high : low;
    for (uint32_t sign : {0u, 0x8000u}) {
      const double s = sign ? -1 : 1;
      ASSERT_EQ(encodeSmallFloat<TypeParam>(s * middle), even | sign) << low;
      ASSERT_EQ(encodeSmallFloat<TypeParam>(s * std::nextafter(middle, 0.0)),
                low | sign);
      ASSERT_EQ(encodeSmallFloat<TypeParam>(s * std::nextafter(middle, 1e300)),
                high | sign);
      // The midpoint is a float except below BF16's smallest subnormal.
      const float middle32 = static_cast<float>(middle);
      if (double(middle32) != middle)
        continue;
      ASSERT_EQ(SmallFloat<TypeParam>(float(s) * middle32).bits, even | sign);
      ASSERT_EQ(
          SmallFloat<TypeParam>(float(s) * std::nextafterf(middle32, 0.0f))
              .bits,
          low | sign);
      const float next =
          std::nextafterf(middle32, std::numeric_limits<float>::infinity());
      ASSERT_EQ(SmallFloat<TypeParam>(float(s) * next).bits, high | sign);
    }
  }
}

TYPED_TEST(HalfTest, RandomFloatsGoToTheNearestNumber) {
  std::mt19937 generator(7);
  for (int i = 0; i < 200000; ++i) {
    const float value = bitCast<float>(static_cast<uint32_t>(generator()));
    if (!std::isfinite(value))
      continue;
    const uint16_t bits = encodeSmallFloat<TypeParam>(value);
    const double got = decodeSmallFloat<TypeParam>(bits);
    if (std::isinf(got)) {
      const double threshold = std::ldexp(
          2.0 - std::ldexp(1.0, -TypeParam::fractionBits - 1), TypeParam::bias);
      ASSERT_GE(std::fabs(double(value)), threshold);
      continue;
    }
    // No neighbour is nearer.
    const double error = std::fabs(got - double(value));
    const uint16_t magnitude = bits & 0x7FFF;
    for (int step : {-1, 1}) {
      if (magnitude + step < 0 || magnitude + step >= TypeParam::infinity)
        continue;
      const double other = decodeSmallFloat<TypeParam>(
          static_cast<uint16_t>((bits & 0x8000) | (magnitude + step)));
      ASSERT_LE(error, std::fabs(other - double(value))) << value;
    }
  }
}

TEST(Half, WorkedExampleOfTheDocumentation) {
  static_assert(encodeF16(3.14159) == 0x4248, "constexpr");
  EXPECT_EQ(encodeF16(3.14159), 0x4248);
  EXPECT_EQ(decodeF16(0x4248), 3.140625);
  EXPECT_EQ(float(Float16(3.14159)), 3.140625f);
}

TEST(Half, OverflowThresholds) {
  EXPECT_EQ(encodeF16(65504.0), 0x7BFF);
  EXPECT_EQ(encodeF16(std::nextafter(65520.0, 0.0)), 0x7BFF);
  EXPECT_EQ(encodeF16(65519.996f), 0x7BFF);
  EXPECT_EQ(encodeF16(65520.0), 0x7C00);
  EXPECT_EQ(encodeF16(-65520.0), 0xFC00);
  EXPECT_EQ(encodeF16(1e308), 0x7C00);
  EXPECT_EQ(encodeF16(-INFINITY), 0xFC00);
  EXPECT_EQ(encodeBF16(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_EQ(encodeBF16(1e308), 0x7F80);
}

TEST(Half, SubnormalsAndZeros) {
  EXPECT_EQ(encodeF16(std::ldexp(1.0, -24)), 0x0001);
  EXPECT_EQ(encodeF16(std::ldexp(1.0, -25)), 0x0000); // a tie, zero is even
  EXPECT_EQ(encodeF16(std::ldexp(1.0000001, -25)), 0x0001);
  EXPECT_EQ(encodeF16(std::ldexp(1.0, -14)), 0x0400);
  EXPECT_EQ(encodeF16(-0.0), 0x8000);
  EXPECT_EQ(encodeF16(-1e-300), 0x8000);
  EXPECT_EQ(encodeF16(std::numeric_limits<double>::denorm_min()), 0x0000);
  EXPECT_EQ(encodeBF16(std::ldexp(1.0, -133)), 0x0001);
  EXPECT_EQ(encodeBF16(std::ldexp(1.0, -134)), 0x0000);
}

// 1 + 2^-11 + 2^-40 lies just above the midpoint of 1 and its successor. By way
// of float it would become the midpoint and then round to even, downwards.
TEST(Half, NoDoubleRounding) {
  const double value = 1.0 + std::ldexp(1.0, -11) + std::ldexp(1.0, -40);
  EXPECT_EQ(encodeF16(value), 0x3C01);
  EXPECT_EQ(encodeF16(static_cast<float>(value)), 0x3C00);
}

TEST(Half, UnitsInTheLastPlace) {
  EXPECT_EQ(ulpF16(1.0), std::ldexp(1.0, -10));
  EXPECT_EQ(ulpF16(0.999), std::ldexp(1.0, -11));
  EXPECT_EQ(ulpF16(-1000.0), 0.5);
  EXPECT_EQ(ulpF16(0.0), std::ldexp(1.0, -24));
  EXPECT_EQ(ulpF16(1e9), 32.0);
  EXPECT_EQ(ulpBF16(1.0), std::ldexp(1.0, -7));
  EXPECT_EQ(ulpF32(1.0), std::ldexp(1.0, -23));
  EXPECT_EQ(ulpF32(0.0), std::ldexp(1.0, -149));
  EXPECT_TRUE(std::isnan(ulpF16(INFINITY)));

  EXPECT_EQ(ulpDistance(encodeF16(1.0), encodeF16(1.0 + 3.0 / 1024)), 3u);
  EXPECT_EQ(ulpDistance(uint16_t(0x0000), uint16_t(0x8000)), 0u);
  EXPECT_EQ(ulpDistance(uint16_t(0x0001), uint16_t(0x8001)), 2u);
  EXPECT_EQ(ulpDistance(uint16_t(0x7BFF), uint16_t(0x7C00)), 1u);
  EXPECT_EQ(ulpDistance(1.0f, std::nextafterf(1.0f, 2.0f)), 1u);
  EXPECT_EQ(ulpDistance(-0.0f, 0.0f), 0u);
  EXPECT_EQ(ulpDistance(std::nextafterf(0, -1), std::nextafterf(0, 1)), 2u);
}

} // namespace
