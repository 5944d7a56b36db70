//===- ReductionTest.cpp - Reductions and running sums --------------------===//

#include "Evaluate.h"

#include <cmath>
#include <limits>

using namespace mpt::reference;

namespace {
class ReductionTest : public ReferenceTest {
protected:
  Values reduce(const std::string &operation, const std::string &from,
                const std::string &to, const Values &x,
                const std::string &attributes) {
    return value({from}, to,
                 "nn." + operation + " %0 {" + attributes + "} : (" + from +
                     ") -> " + to,
                 {x});
  }
};

TEST_F(ReductionTest, SumsOverInnerAndOuterAxes) {
  const Values x = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  EXPECT_EQ(reduce("reduce_sum", "tensor<2x3x2xf32>", "tensor<3xf32>", x,
                   "axes = array<i64: 0, 2>"),
            Values({18, 26, 34}));
  EXPECT_EQ(reduce("reduce_mean", "tensor<2x3x2xf32>", "tensor<2x1x2xf32>", x,
                   "axes = array<i64: 1>, keepdims = true"),
            Values({3, 4, 9, 10}));
  EXPECT_EQ(reduce("reduce_sum", "tensor<2x3x2xf32>", "tensor<2x3x2xf32>", x,
                   "axes = array<i64>"),
            x);
  EXPECT_EQ(reduce("reduce_prod", "tensor<4xi32>", "tensor<i32>", {2, 3, 4, 5},
                   "axes = array<i64: 0>"),
            Values({120}));
}

TEST_F(ReductionTest, SumsAreNotRoundedOnTheirWay) {
  Values x(4096, 1);
  x[0] = 2048;
  EXPECT_EQ(reduce("reduce_sum", "tensor<4096xf16>", "tensor<f16>", x,
                   "axes = array<i64: 0>"),
            Values({6144})); // 6143 to the nearest multiple of 4
  EXPECT_EQ(reduce("reduce_sum", "tensor<4096xf16>", "tensor<f32>", x,
                   "axes = array<i64: 0>"),
            Values({6143}));
}

TEST_F(ReductionTest, ExtremaLetNaNWin) {
  EXPECT_TRUE(std::isnan(reduce("reduce_max", "tensor<3xf32>", "tensor<f32>",
                                {1, NAN, 3}, "axes = array<i64: 0>")[0]));
  EXPECT_EQ(reduce("reduce_min", "tensor<3xi32>", "tensor<i32>", {4, -1, 3},
                   "axes = array<i64: 0>"),
            Values({-1}));
  EXPECT_EQ(reduce("reduce_max", "tensor<2xui8>", "tensor<ui8>", {200, 100},
                   "axes = array<i64: 0>"),
            Values({200}));
  EXPECT_EQ(reduce("reduce_max", "tensor<0xf32>", "tensor<f32>", {},
                   "axes = array<i64: 0>"),
            Values({-std::numeric_limits<double>::infinity()}));
}

TEST_F(ReductionTest, PositionsOfExtrema) {
  const Values x = {1, 3, 3, 2, 0, 0};
  EXPECT_EQ(reduce("arg_max", "tensor<2x3xf32>", "tensor<2xi64>", x,
                   "axis = 1 : i64"),
            Values({1, 0}));
  EXPECT_EQ(reduce("arg_max", "tensor<2x3xf32>", "tensor<2xi64>", x,
                   "axis = 1 : i64, select_last = true"),
            Values({2, 0}));
  EXPECT_EQ(reduce("arg_min", "tensor<2x3xf32>", "tensor<1x3xi64>", x,
                   "axis = 0 : i64, keepdims = true"),
            Values({0, 1, 1}));
}

TEST_F(ReductionTest, RunningSums) {
  auto sum = [&](const std::string &attributes) {
    return value({"tensor<2x3xf32>"}, "tensor<2x3xf32>",
                 "nn.cum_sum %0 {axis = 1 : i64" + attributes +
                     "} : tensor<2x3xf32>",
                 {{1, 2, 3, 4, 5, 6}});
  };
  EXPECT_EQ(sum(""), Values({1, 3, 6, 4, 9, 15}));
  EXPECT_EQ(sum(", exclusive = true"), Values({0, 1, 3, 0, 4, 9}));
  EXPECT_EQ(sum(", reverse = true"), Values({6, 5, 3, 15, 11, 6}));
  EXPECT_EQ(sum(", exclusive = true, reverse = true"),
            Values({5, 3, 0, 11, 6, 0}));
}
} // namespace
