//===- TrainingTest.cpp - Losses and optimizers by hand -------------------===//

#include "Evaluate.h"

#include <cmath>

using namespace mpt::reference;

namespace {
class TrainingTest : public ReferenceTest {
protected:
  std::vector<Values> crossEntropy(const std::string &attributes,
                                   const Values &logits, const Values &labels,
                                   const std::string &loss = "tensor<f64>") {
    return values(
        "func.func @f(%x: tensor<2x3xf64>, %t: tensor<2xi64>) -> (" + loss +
            ", tensor<2x3xf64>) {\n %r:2 = "
            "nn.softmax_cross_entropy %x, %t {axis = 1 : i64" +
            attributes + "} : (tensor<2x3xf64>, tensor<2xi64>) -> (" + loss +
            ", tensor<2x3xf64>)\n return %r#0, %r#1 : " + loss +
            ", tensor<2x3xf64>\n}",
        {logits, labels});
  }
  Values crossEntropyGrad(const std::string &attributes, const Values &dloss,
                          const Values &logProb, const Values &labels,
                          const std::string &loss = "tensor<f64>") {
    return value({loss, "tensor<2x3xf64>", "tensor<2xi64>"}, "tensor<2x3xf64>",
                 "nn.softmax_cross_entropy_grad %0, %1, %2 {axis = 1 : i64" +
                     attributes + "} : (" + loss +
                     ", tensor<2x3xf64>, tensor<2xi64>) -> tensor<2x3xf64>",
                 {dloss, logProb, labels});
  }
};

const std::string kSum = ", reduction = #nn<loss_reduction sum>";
const std::string kNone = ", reduction = #nn<loss_reduction none>";

TEST_F(TrainingTest, CrossEntropyByHand) {
  // Logits that are logarithms: the probabilities are 1/6, 2/6, 3/6 and 1/4,
  // 1/4, 2/4.
  const Values logits = {0, std::log(2), std::log(3), 0, 0, std::log(2)};
  const Values labels = {2, 0};
  const double first = std::log(2), second = std::log(4);
  EXPECT_NEAR(crossEntropy("", logits, labels)[0][0], (first + second) / 2,
              1e-15);
  EXPECT_NEAR(crossEntropy(kSum, logits, labels)[0][0], first + second, 1e-15);
  expectNear(crossEntropy(kNone, logits, labels, "tensor<2xf64>")[0],
             {first, second}, 1e-15);
  auto ignored = crossEntropy(", ignore_index = 0 : i64", logits, labels);
  EXPECT_NEAR(ignored[0][0], first, 1e-15); // divided by one sample
  const Values &logProb = ignored[1];
  expectNear(logProb,
             {std::log(1. / 6), std::log(1. / 3), std::log(1. / 2),
              std::log(1. / 4), std::log(1. / 4), std::log(1. / 2)},
             1e-15);
  expectNear(crossEntropyGrad("", {2}, logProb, labels),
             {1. / 6, 1. / 3, -1. / 2, -3. / 4, 1. / 4, 1. / 2}, 1e-15);
  expectNear(crossEntropyGrad(", ignore_index = 0 : i64", {1}, logProb, labels),
             {1. / 6, 1. / 3, -1. / 2, 0, 0, 0}, 1e-15);
  expectNear(crossEntropyGrad(kNone, {1, 4}, logProb, labels, "tensor<2xf64>"),
             {1. / 6, 1. / 3, -1. / 2, -3, 1, 2}, 1e-15);
}

TEST_F(TrainingTest, CrossEntropyOfLargeLogitsAndClassAxisInside) {
  EXPECT_NEAR(crossEntropy("", {1000, 0, 0, 0, 0, 1000}, {1, 2})[0][0], 500,
              1e-12);
  // [N, C, d]: the class axis has stride 2.
  auto result = values(R"(
    func.func @f(%x: tensor<1x2x2xf64>, %t: tensor<1x2xi64>, %w: tensor<2xf64>) -> tensor<f64> {
      %l, %p = nn.softmax_cross_entropy %x, %t weights %w {axis = 1 : i64} : (tensor<1x2x2xf64>, tensor<1x2xi64>, tensor<2xf64>) -> (tensor<f64>, tensor<1x2x2xf64>)
      return %l : tensor<f64>
    })",
                       {{0, 0, std::log(3), 0}, {1, 0}, {1, 3}});
  // Position 0: p = (1/4, 3/4), label 1, weight 3; position 1: p = 1/2, label
  // 0, weight 1.
  EXPECT_NEAR(result[0][0], (3 * -std::log(0.75) + std::log(2)) / 4, 1e-15);
}

TEST_F(TrainingTest, LabelsOutOfRangeAreErrors) {
  for (double label : {3, -1}) {
    EXPECT_TRUE(
        run(function({"tensor<1x3xf32>", "tensor<1xi64>"}, "tensor<f32>",
                     "nn.softmax_cross_entropy %0, %1 {axis = 1 : i64} : "
                     "(tensor<1x3xf32>, tensor<1xi64>) -> (tensor<f32>, "
                     "tensor<1x3xf32>)")
                .replace(function({"tensor<1x3xf32>", "tensor<1xi64>"},
                                  "tensor<f32>", "")
                             .find("%r ="),
                         4, "%r, %p ="),
            {{1, 2, 3}, {label}})
            .empty());
    EXPECT_NE(messages.find("label " + std::to_string(int(label))),
              std::string::npos)
        << messages;
    EXPECT_NE(messages.find("3 classes"), std::string::npos) << messages;
  }
}

TEST_F(TrainingTest, PairLosses) {
  auto loss = [&](const std::string &name, const Values &x, const Values &t,
                  const std::string &attributes = "") {
    return value({"tensor<2xf64>", "tensor<2xf64>"}, "tensor<f64>",
                 "nn." + name + " %0, %1 " + attributes +
                     " : (tensor<2xf64>, tensor<2xf64>) -> tensor<f64>",
                 {x, t})[0];
  };
  auto grad = [&](const std::string &name, const Values &x, const Values &t) {
    return value({"tensor<f64>", "tensor<2xf64>", "tensor<2xf64>"},
                 "tensor<2xf64>",
                 "nn." + name +
                     "_grad %0, %1, %2 : (tensor<f64>, tensor<2xf64>, "
                     "tensor<2xf64>) -> tensor<2xf64>",
                 {{3}, x, t});
  };
  EXPECT_EQ(loss("mse_loss", {1, 4}, {3, 1}), 6.5);
  EXPECT_EQ(
      loss("mse_loss", {1, 4}, {3, 1}, "{reduction = #nn<loss_reduction sum>}"),
      13);
  EXPECT_EQ(grad("mse_loss", {1, 4}, {3, 1}), Values({-6, 9}));
  EXPECT_EQ(loss("l1_loss", {1, 4}, {3, 1}), 2.5);
  EXPECT_EQ(grad("l1_loss", {1, 4}, {3, 4}), Values({-1.5, 0}));
  const double p = 1 / (1 + std::exp(-2.0));
  EXPECT_NEAR(loss("bce_with_logits_loss", {2, -700}, {1, 0}), -std::log(p) / 2,
              1e-15);
  expectNear(grad("bce_with_logits_loss", {2, 2}, {1, 0.25}),
             {1.5 * (p - 1), 1.5 * (p - 0.25)}, 1e-15);
}

TEST_F(TrainingTest, SGDByHand) {
  auto sgd = [&](Values state, double gradient, double step,
                 const std::string &attributes) {
    auto all = values(
        R"(
      func.func @f(%p: tensor<1xf64>, %g: tensor<1xf64>, %v: tensor<1xf64>, %lr: tensor<f64>, %t: tensor<i64>) -> (tensor<1xf64>, tensor<1xf64>) {
        %0:2 = nn.sgd %p, %g, %v, %lr, %t )" +
            attributes +
            R"( : (tensor<1xf64>, tensor<1xf64>, tensor<1xf64>, tensor<f64>, tensor<i64>) -> (tensor<1xf64>, tensor<1xf64>)
        return %0#0, %0#1 : tensor<1xf64>, tensor<1xf64>
      })",
        {{state[0]}, {gradient}, {state[1]}, {0.5}, {step}});
    return Values{all[0][0], all[1][0]};
  };
  // Without momentum the velocity is carried along.
  EXPECT_EQ(sgd({4, 7}, 2, 1, "{weight_decay = 0.25}"), Values({2.5, 7}));
  const std::string momentum = "{momentum = 0.5, dampening = 0.25}";
  Values state = sgd({4, 0}, 2, 1, momentum); // takes the gradient whole
  EXPECT_EQ(state, Values({3, 2}));
  state = sgd(state, 4, 2, momentum); // v = 1 + 0.75 * 4
  EXPECT_EQ(state, Values({1, 4}));
  const std::string nesterov = "{momentum = 0.5, nesterov = true}";
  EXPECT_EQ(sgd({4, 2}, 2, 2, nesterov), Values({4 - 0.5 * (2 + 1.5), 3}));
}

TEST_F(TrainingTest, AdamByHand) {
  auto adam = [&](Values s, double gradient, double step,
                  const std::string &attributes) {
    const std::string t = "tensor<1xf64>";
    auto all = values(
        "func.func @f(%p: " + t + ", %g: " + t + ", %m: " + t + ", %v: " + t +
            ", %lr: tensor<f64>, %t: tensor<i64>) -> (" + t + ", " + t + ", " +
            t + ") {\n %0:3 = nn.adam %p, %g, %m, %v, %lr, %t " + attributes +
            " : (" + t + ", " + t + ", " + t + ", " + t +
            ", tensor<f64>, tensor<i64>) -> (" + t + ", " + t + ", " + t +
            ")\n return %0#0, %0#1, %0#2 : " + t + ", " + t + ", " + t + "\n}",
        {{s[0]}, {gradient}, {s[1]}, {s[2]}, {0.5}, {step}});
    return Values{all[0][0], all[1][0], all[2][0]};
  };
  const std::string betas = "{beta1 = 0.5, beta2 = 0.75, epsilon = 1.0";
  // Step 1: the corrections undo the moments' start at zero: m' = g, v' = g^2.
  Values state = adam({4, 0, 0}, 3, 1, betas + "}");
  EXPECT_EQ(state, Values({4 - 0.5 * 3 / (3 + 1), 1.5, 2.25}));
  // Step 2 with g = -1: m = 0.25, v = 1.9375, corrections 3/4 and 7/16.
  const double p = state[0];
  state = adam(state, -1, 2, betas + "}");
  expectNear(state,
             {p - 0.5 * (0.25 / 0.75) / (std::sqrt(1.9375 / 0.4375) + 1), 0.25,
              1.9375},
             1e-15);
  // Decay in the gradient (Adam): g = 3 + 0.25 * 4; beside it (AdamW): p * 7/8.
  EXPECT_EQ(adam({4, 0, 0}, 3, 1, betas + ", weight_decay = 0.25}")[1], 2);
  EXPECT_EQ(
      adam({4, 0, 0}, 3, 1, betas + ", weight_decay = 0.25, decoupled = true}"),
      Values({3.5 - 0.5 * 3 / (3 + 1), 1.5, 2.25}));
}
} // namespace
