//===- ScalingTest.cpp - Operations of the mp dialect ---------------------===//

#include "Evaluate.h"

#include <cmath>
#include <limits>

using namespace mpt::reference;

namespace {
const double kInf = std::numeric_limits<double>::infinity();
using ScalingTest = ReferenceTest;

TEST_F(ScalingTest, CastsRoundAndOverflow) {
  const std::string operation = "mp.cast %0 : tensor<4xf32> to tensor<4xf16>";
  const Values x = {3.14159, 65520, 0x1p-24, 0x1p-26};
  EXPECT_EQ(value({"tensor<4xf32>"}, "tensor<4xf16>", operation, {x}),
            Values({3.140625, kInf, 0x1p-24, 0}));
  EXPECT_EQ(value({"tensor<4xf32>"}, "tensor<4xf16>", operation, {x}, f64()),
            x);
}

TEST_F(ScalingTest, ScalesAndUnscales) {
  EXPECT_EQ(value({}, "tensor<f32>", "mp.loss_seed : tensor<f32>", {}),
            Values({1}));
  EXPECT_EQ(value({"tensor<2xf32>", "tensor<f32>"}, "tensor<2xf32>",
                  "mp.scale %0 by %1 : tensor<2xf32>, tensor<f32>",
                  {{1, 3}, {4}}),
            Values({4, 12}));
  EXPECT_EQ(value({"tensor<2xf32>", "tensor<f32>"}, "tensor<2xf32>",
                  "mp.unscale %0 of \"w\" by %1 : tensor<2xf32>, tensor<f32>",
                  {{4, 0x1p-120}, {4}}),
            Values({1, 0x1p-122}));
}

TEST_F(ScalingTest, FindsTheFirstOperandThatIsNotFinite) {
  const std::string text = R"(
    func.func @f(%a: tensor<2xf32>, %b: tensor<2xf16>, %c: tensor<f32>) -> (tensor<i1>, tensor<i64>) {
      %finite, %first = mp.all_finite %a, %b, %c : tensor<2xf32>, tensor<2xf16>, tensor<f32>
      return %finite, %first : tensor<i1>, tensor<i64>
    })";
  using All = std::vector<Values>;
  EXPECT_EQ(values(text, {{1, 2}, {3, 4}, {5}}), (All{{1}, {-1}}));
  EXPECT_EQ(values(text, {{1, 2}, {3, NAN}, {kInf}}), (All{{0}, {1}}));
  EXPECT_EQ(values(text, {{1, 2}, {3, 4}, {-kInf}}), (All{{0}, {2}}));
}

TEST_F(ScalingTest, UpdatesOnlyWhenFinite) {
  const std::string guarded = "mp.update %0 to %1 if %2 : tensor<2xf32>";
  for (double finite : {0, 1})
    EXPECT_EQ(value({"tensor<2xf32>", "tensor<2xf32>", "tensor<i1>"},
                    "tensor<2xf32>", guarded, {{1, 2}, {NAN, 4}, {finite}})[1],
              finite ? 4 : 2);
  EXPECT_EQ(value({"tensor<i64>", "tensor<i64>"}, "tensor<i64>",
                  "mp.update %0 to %1 : tensor<i64>", {{1}, {2}}),
            Values({2}));
}

TEST_F(ScalingTest, DynamicScaleFollowsItsRules) {
  const std::string text = R"(
    func.func @f(%s: tensor<f32>, %c: tensor<i64>, %b: tensor<i64>, %f: tensor<i1>) -> (tensor<f32>, tensor<i64>, tensor<i64>) {
      %0:3 = mp.update_scale %s, %c, %b if %f {growthInterval = 3 : i64, minimum = 2.0, maximum = 16.0, hysteresis = 2 : i64} : tensor<f32>
      return %0#0, %0#1, %0#2 : tensor<f32>, tensor<i64>, tensor<i64>
    })";
  std::vector<Values> state = {{8}, {0}, {2}};
  auto step = [&](bool finite) {
    state = values(text, {state[0], state[1], state[2], {finite ? 1.0 : 0.0}});
  };
  using State = std::vector<Values>;
  step(true);
  step(true);
  EXPECT_EQ(state, (State{{8}, {2}, {2}}));
  step(true); // the interval is full
  EXPECT_EQ(state, (State{{16}, {0}, {2}}));
  for (int i = 0; i < 3; ++i)
    step(true);
  EXPECT_EQ(state[0], Values({16})); // the maximum
  step(false);                       // the budget allows one overflow
  EXPECT_EQ(state, (State{{16}, {0}, {1}}));
  step(false);
  EXPECT_EQ(state, (State{{8}, {0}, {0}}));
  step(false); // not refilled before the scale has grown
  EXPECT_EQ(state, (State{{4}, {0}, {0}}));
  for (int i = 0; i < 3; ++i)
    step(false);
  EXPECT_EQ(state[0], Values({2})); // the minimum
  for (int i = 0; i < 3; ++i)
    step(true);
  EXPECT_EQ(state, (State{{4}, {0}, {2}}));
}
} // namespace
