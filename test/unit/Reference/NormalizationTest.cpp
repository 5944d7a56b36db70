//===- NormalizationTest.cpp - Normalization, softmax, their gradients ----===//

#include "Evaluate.h"

#include <cmath>

using namespace mpt::reference;

namespace {
class NormalizationTest : public ReferenceTest {
protected:
  /// Compares the gradients that `backward` computes with central differences
  /// of sum(dy * y), y being the first result of `forward`. Both functions
  /// take the same operands, backward after dy and followed by the results of
  /// forward numbered in `saved`; gradient i belongs to operand i.
  void checkGradients(const std::string &forward, const std::string &backward,
                      std::vector<Values> operands,
                      std::vector<unsigned> backwardOperands,
                      std::vector<unsigned> saved, unsigned gradients) {
    const std::vector<Values> results = values(forward, operands);
    const Values dy = numbers(results[0].size(), 99);
    std::vector<Values> inputs = {dy};
    for (unsigned i : backwardOperands)
      inputs.push_back(operands[i]);
    for (unsigned i : saved)
      inputs.push_back(results[i]);
    const std::vector<Values> got = values(backward, inputs);
    ASSERT_EQ(got.size(), gradients);
    for (unsigned g = 0; g < gradients; ++g) {
      ASSERT_EQ(got[g].size(), operands[g].size());
      for (size_t i = 0; i < operands[g].size(); ++i) {
        const double h = 1e-5, at = operands[g][i];
        auto loss = [&](double x) {
          operands[g][i] = x;
          const Values y = values(forward, operands)[0];
          operands[g][i] = at;
          double sum = 0;
          for (size_t k = 0; k < y.size(); ++k)
            sum += dy[k] * y[k];
          return sum;
        };
        // The error of the difference is about h^2 times the third derivative.
        EXPECT_NEAR(got[g][i], (loss(at + h) - loss(at - h)) / (2 * h), 1e-7)
            << "gradient " << g << " element " << i;
      }
    }
  }
  /// A function of one operation with several results.
  static std::string several(const std::vector<std::string> &arguments,
                             const std::vector<std::string> &results,
                             const std::string &name,
                             const std::string &attributes) {
    std::string list, types, returned, resultTypes;
    for (size_t i = 0; i < arguments.size(); ++i) {
      list += (i ? ", %" : "%") + std::to_string(i);
      types += (i ? ", " : "") + arguments[i];
    }
    for (size_t i = 0; i < results.size(); ++i) {
      returned += (i ? ", %r#" : "%r#") + std::to_string(i);
      resultTypes += (i ? ", " : "") + results[i];
    }
    std::string text = "func.func @f(";
    for (size_t i = 0; i < arguments.size(); ++i)
      text += (i ? ", %" : "%") + std::to_string(i) + ": " + arguments[i];
    return text + ") -> (" + resultTypes +
           ") {\n %r:" + std::to_string(results.size()) + " = nn." + name +
           " " + list + " " + attributes + " : (" + types + ") -> (" +
           resultTypes + ")\n return " + returned + " : " + resultTypes + "\n}";
  }
};

const std::string kX = "tensor<2x4x3xf64>", kC = "tensor<4xf64>";

TEST_F(NormalizationTest, BatchNormByHand) {
  // One channel with the values 1, 3, 5, 7: mean 4, population variance 5.
  auto results =
      values(several({"tensor<2x1x2xf64>", "tensor<1xf64>", "tensor<1xf64>",
                      "tensor<1xf64>", "tensor<1xf64>"},
                     {"tensor<2x1x2xf64>", "tensor<1xf64>", "tensor<1xf64>",
                      "tensor<1xf64>", "tensor<1xf64>"},
                     "batch_norm_training", "{epsilon = 4.0, momentum = 0.75}"),
             {{1, 3, 5, 7}, {6}, {10}, {8}, {1}});
  ASSERT_EQ(results.size(), 5u);
  expectNear(results[0], {4, 8, 12, 16}, 1e-15); // (x - 4) / 3 * 6 + 10
  EXPECT_EQ(results[1], Values({7}));            // 0.75 * 8 + 0.25 * 4
  EXPECT_EQ(results[2], Values({2}));            // 0.75 * 1 + 0.25 * 5
  EXPECT_EQ(results[3], Values({4}));
  EXPECT_EQ(results[4], Values({1. / 3}));
  auto inference = values(
      several({"tensor<2x1x2xf64>", "tensor<1xf64>", "tensor<1xf64>",
               "tensor<1xf64>", "tensor<1xf64>"},
              {"tensor<2x1x2xf64>"}, "batch_norm_inference", "{epsilon = 4.0}"),
      {{1, 3, 5, 7}, {6}, {10}, {4}, {5}});
  expectNear(inference[0], {4, 8, 12, 16}, 1e-15);
}

TEST_F(NormalizationTest, BatchNormGradients) {
  checkGradients(
      several({kX, kC, kC, kC, kC}, {kX, kC, kC, kC, kC}, "batch_norm_training",
              "{epsilon = 0.1}"),
      several({kX, kX, kC, kC, kC}, {kX, kC, kC}, "batch_norm_grad", ""),
      {numbers(24), numbers(4, 2), numbers(4, 3), Values(4, 0.0),
       Values(4, 1.0)},
      {0, 1}, {3, 4}, 3);
}

TEST_F(NormalizationTest, LayerNormGradients) {
  const std::string s = "tensor<4x3xf64>", m = "tensor<2x1x1xf64>";
  checkGradients(several({kX, s, s}, {kX, m, m}, "layer_norm",
                         "{axis = 1 : i64, epsilon = 0.1}"),
                 several({kX, kX, s, m, m}, {kX, s, s}, "layer_norm_grad",
                         "{axis = 1 : i64}"),
                 {numbers(24), numbers(12, 2), numbers(12, 3)}, {0, 1}, {1, 2},
                 3);
}

TEST_F(NormalizationTest, GroupNormGradients) {
  const std::string m = "tensor<2x2xf64>";
  checkGradients(several({kX, kC, kC}, {kX, m, m}, "group_norm",
                         "{num_groups = 2 : i64, epsilon = 0.1}"),
                 several({kX, kX, kC, m, m}, {kX, kC, kC}, "group_norm_grad",
                         "{num_groups = 2 : i64}"),
                 {numbers(24), numbers(4, 2), numbers(4, 3)}, {0, 1}, {1, 2},
                 3);
}

TEST_F(NormalizationTest, RMSNormGradients) {
  const std::string s = "tensor<3xf64>", m = "tensor<2x4x1xf64>";
  checkGradients(
      several({kX, s}, {kX, m}, "rms_norm", "{axis = 2 : i64, epsilon = 0.1}"),
      several({kX, kX, s, m}, {kX, s}, "rms_norm_grad", "{axis = 2 : i64}"),
      {numbers(24), numbers(3, 2)}, {0, 1}, {1}, 2);
}

TEST_F(NormalizationTest, SoftmaxGradients) {
  for (const std::string name : {"softmax", "log_softmax"}) {
    const std::string attributes = " {axis = 1 : i64} : " + kX;
    checkGradients(
        function({kX}, kX, "nn." + name + " %0" + attributes),
        function({kX, kX}, kX, "nn." + name + "_grad %0, %1" + attributes),
        {numbers(24)}, {}, {0}, 1);
  }
}

TEST_F(NormalizationTest, SoftmaxDoesNotOverflow) {
  const std::string t = "tensor<1x2xf32>";
  auto softmax = [&](const std::string &name, const Values &x) {
    return value({t}, t, "nn." + name + " %0 {axis = 1 : i64} : " + t, {x});
  };
  EXPECT_EQ(softmax("softmax", {1000, 1000}), Values({0.5, 0.5}));
  EXPECT_EQ(softmax("log_softmax", {1000, 0}), Values({0, -1000}));
  // A masked element has probability 0; a row of masked ones is NaN.
  EXPECT_EQ(softmax("softmax", {-INFINITY, 3}), Values({0, 1}));
  EXPECT_TRUE(std::isnan(softmax("softmax", {-INFINITY, -INFINITY})[0]));
}
} // namespace
