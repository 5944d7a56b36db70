//===- NumericRangeTest.cpp - Arithmetic on ranges ------------------------===//

#include "mpt/Interfaces/NumericRange.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace mpt;

namespace {
constexpr double kInf = NumericRange::kInfinity;
const double kNaN = std::nan("");

/// Random ranges with members: ends, zero, special values, the middle.
struct Sample {
  NumericRange range;
  std::vector<double> members;
};

Sample makeSample(std::mt19937_64 &random) {
  auto uniform = [&] {
    return std::uniform_real_distribution<double>(-1, 1)(random);
  };
  static constexpr double kMagnitudes[] = {1e-40, 1e-3, 1, 50, 1e6, 1e30};
  const double scale = kMagnitudes[random() % std::size(kMagnitudes)];
  double a = uniform() * scale, b = uniform() * scale;
  if (random() % 4 == 0)
    a = 0;
  if (random() % 8 == 0)
    b = a;
  Sample sample;
  auto add = [&](double value) {
    sample.members.push_back(value);
    sample.range.join(NumericRange::point(value));
  };
  add(a);
  add(b);
  if (random() % 3 == 0)
    add(0);
  if (random() % 6 == 0)
    add(kInf);
  if (random() % 6 == 0)
    add(-kInf);
  if (random() % 6 == 0)
    add(kNaN);
  // What lies between, as far as it is no smaller than the smallest.
  for (int i = 0; i < 4; ++i) {
    const double t = std::uniform_real_distribution<double>(0, 1)(random);
    const double value =
        sample.range.lo + t * (sample.range.hi - sample.range.lo);
    if (std::fabs(value) >= sample.range.smallest)
      sample.members.push_back(value);
  }
  return sample;
}

using Range = const NumericRange &;

TEST(NumericRange, BinaryOperationsContainTheirResults) {
  struct {
    const char *name;
    NumericRange (*range)(Range, Range);
    double (*scalar)(double, double);
  } operations[] = {
      {"+", [](Range a, Range b) { return a + b; },
       [](double a, double b) { return a + b; }},
      {"-", [](Range a, Range b) { return a - b; },
       [](double a, double b) { return a - b; }},
      {"*", [](Range a, Range b) { return a * b; },
       [](double a, double b) { return a * b; }},
      {"/", [](Range a, Range b) { return a / b; },
       [](double a, double b) { return a / b; }},
      {"min", [](Range a, Range b) { return minOf(a, b); },
       [](double a, double b) { return std::isnan(a) || a < b ? a : b; }},
      {"max", [](Range a, Range b) { return maxOf(a, b); },
       [](double a, double b) { return std::isnan(a) || a > b ? a : b; }},
  };
  std::mt19937_64 random(1);
  for (int round = 0; round < 4000; ++round) {
    const Sample a = makeSample(random), b = makeSample(random);
    for (auto &operation : operations) {
      const NumericRange result = operation.range(a.range, b.range);
      for (double x : a.members)
        for (double y : b.members)
          EXPECT_TRUE(result.contains(operation.scalar(x, y)))
              << x << ' ' << operation.name << ' ' << y << " = "
              << operation.scalar(x, y) << " in " << result.str() << " from "
              << a.range.str() << " and " << b.range.str() << ", at least "
              << result.smallest;
    }
    if (HasFailure())
      return;
  }
}

TEST(NumericRange, UnaryOperationsContainTheirResults) {
  struct {
    const char *name;
    NumericRange (*range)(Range);
    double (*scalar)(double);
  } operations[] = {
      {"-", [](Range a) { return -a; }, [](double a) { return -a; }},
      {"abs", absOf, [](double a) { return std::fabs(a); }},
      {"square", squareOf, [](double a) { return a * a; }},
      {"sqrt", sqrtOf, [](double a) { return std::sqrt(a); }},
      {"exp", expOf, [](double a) { return std::exp(a); }},
      {"log", logOf, [](double a) { return std::log(a); }},
  };
  std::mt19937_64 random(2);
  for (int round = 0; round < 20000; ++round) {
    const Sample a = makeSample(random);
    for (auto &operation : operations) {
      NumericRange result = operation.range(a.range);
      // An end that overflows stands for the infinity.
      result.posInf |= result.hi == kInf;
      for (double x : a.members)
        EXPECT_TRUE(result.contains(operation.scalar(x)))
            << operation.name << ' ' << x << " = " << operation.scalar(x)
            << " in " << result.str() << " from " << a.range.str();
    }
    if (HasFailure())
      return;
  }
}

TEST(NumericRange, SumsAreBoundedByTheNumberOfTerms) {
  const NumericRange terms = NumericRange::between(-1, 3);
  const NumericRange sum = sumOf(terms, 100, /*wide=*/false);
  EXPECT_NEAR(sum.lo, -100, 0.01); // FP32 sums: 100 * 100 * 2^-24 = 6e-4
  EXPECT_NEAR(sum.hi, 300, 0.01);
  EXPECT_TRUE(sum.isFinite());
  EXPECT_EQ(sumOf(terms, 0, false), NumericRange::point(0));
  // A part of the terms only.
  EXPECT_EQ(sumOf(NumericRange::between(1, 3), 0, 10, true).lo, 0);
  // FP32 overflows on the way, although a mean does not.
  const NumericRange large = NumericRange::between(0, 1e37);
  EXPECT_TRUE(sumOf(large, 100, false).posInf);
  EXPECT_TRUE(meanOf(large, 100, false).posInf);
  EXPECT_FALSE(meanOf(large, 100, true).posInf);
  EXPECT_TRUE(meanOf(large, 0, true).nan);
}

TEST(NumericRange, RoundingKeepsWhatTheTypeHolds) {
  mlir::MLIRContext context;
  mlir::Builder builder(&context);
  mlir::Type f16 = builder.getF16Type(), i8 = builder.getI8Type();
  EXPECT_FALSE(roundToType(NumericRange::point(65519), f16).posInf);
  EXPECT_TRUE(roundToType(NumericRange::point(65520), f16).posInf);
  EXPECT_EQ(roundToType(NumericRange::between(-1e9, 1), f16).lo, -65504);
  EXPECT_TRUE(roundToType(NumericRange::between(-1e9, 1), f16).negInf);
  EXPECT_EQ(roundToType(NumericRange::point(1e-8), f16).lo, 0);
  EXPECT_EQ(roundToType(NumericRange::point(0.1), f16).smallest,
            nearestIn(mlir::cast<mlir::FloatType>(f16), 0.1));
  // 100 + 100 wraps in i8.
  EXPECT_EQ(roundToType(NumericRange::between(0, 200), i8),
            NumericRange::unknown(i8));
  EXPECT_EQ(roundToType(NumericRange::between(0, 100), i8).hi, 100);
}

TEST(NumericRange, ReadsElements) {
  mlir::MLIRContext context;
  mlir::Builder builder(&context);
  const float values[] = {0, -2.5f, 1e-3f, INFINITY};
  const NumericRange range =
      rangeOfBytes(builder.getF32Type(),
                   {reinterpret_cast<const char *>(values), sizeof(values)});
  EXPECT_EQ(range.lo, -2.5);
  EXPECT_EQ(range.hi, 1e-3f);
  EXPECT_EQ(range.smallest, 1e-3f);
  EXPECT_TRUE(range.posInf && !range.negInf && !range.nan);
  EXPECT_EQ(range.str(), "[-2.5, 0.001] or inf");
}
} // namespace
