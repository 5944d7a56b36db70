//===- ElementwiseTest.cpp - Functions of single elements -----------------===//

#include "Evaluate.h"
#include "mpt/Support/Philox.h"

#include <cmath>
#include <limits>

using namespace mpt;
using namespace mpt::reference;

namespace {
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class ElementwiseTest : public ReferenceTest {
protected:
  /// f(x) of a unary operation, in double.
  double unary(const std::string &operation, double x,
               const std::string &attributes = "") {
    return value({"tensor<f64>"}, "tensor<f64>",
                 "nn." + operation + " %0 " + attributes + " : tensor<f64>",
                 {{x}})[0];
  }
  double grad(const std::string &operation, double dy, double v,
              const std::string &attributes = "") {
    return value({"tensor<f64>", "tensor<f64>"}, "tensor<f64>",
                 "nn." + operation + " %0, %1 " + attributes + " : tensor<f64>",
                 {{dy}, {v}})[0];
  }
  Values binary(const std::string &operation, const std::string &type, Values a,
                Values b, const std::string &attributes = "") {
    const std::string tensor =
        "tensor<" + std::to_string(a.size()) + "x" + type + ">";
    return value({tensor, tensor}, tensor,
                 "nn." + operation + " %0, %1 " + attributes + " : " + tensor +
                     ", " + tensor,
                 {a, b});
  }
};

TEST_F(ElementwiseTest, ResultsAreRoundedOnce) {
  auto type = [](const char *t) { return "tensor<" + std::string(t) + ">"; };
  // 1/3 in each format.
  for (auto [t, want] :
       std::vector<std::pair<const char *, double>>{{"f16", 0x1.554p-2},
                                                    {"bf16", 0x1.56p-2},
                                                    {"f32", 1.0f / 3.0f},
                                                    {"f64", 1.0 / 3.0}})
    EXPECT_EQ(
        value({type(t)}, type(t), "nn.reciprocal %0 : " + type(t), {{3}})[0],
        want)
        << t;
  EXPECT_EQ(binary("mul", "f16", {300}, {300})[0], kInf); // not saturated
  EXPECT_EQ(binary("mul", "f16", {0x1p-12}, {0x1p-12})[0], 0x1p-24);
}

TEST_F(ElementwiseTest, UnaryAgainstKnownValues) {
  // Reference values of Gelu and Erf to 16 digits from their series.
  EXPECT_NEAR(unary("gelu", 1), 0.8413447460685429, 1e-15);
  EXPECT_NEAR(unary("gelu", -1), -0.1586552539314571, 1e-15);
  EXPECT_NEAR(unary("gelu", 1, "{tanh = true}"), 0.8411919906082768, 1e-15);
  EXPECT_NEAR(unary("erf", 0.5), 0.5204998778130465, 1e-15);
  EXPECT_NEAR(unary("softplus", 800), 800, 0);
  EXPECT_NEAR(unary("softplus", -40), std::exp(-40), 1e-30);
  EXPECT_NEAR(unary("mish", 1), 0.8650983882673103, 1e-15);
  EXPECT_NEAR(unary("silu", 1), 0.7310585786300049, 1e-15);
  EXPECT_EQ(unary("hard_swish", 1), 1.0 * (1.0 / 6 + 0.5));
  EXPECT_EQ(unary("hard_sigmoid", 1), 0.7);
  EXPECT_EQ(unary("leaky_relu", -2, "{alpha = 0.25}"), -0.5);
  EXPECT_NEAR(unary("elu", -1, "{alpha = 2.0}"), 2 * std::expm1(-1), 1e-15);
  EXPECT_EQ(unary("softsign", -3), -0.75);
  EXPECT_EQ(unary("round", 2.5), 2);
  EXPECT_EQ(unary("round", -3.5), -4);
  EXPECT_EQ(unary("sign", -7), -1);
  EXPECT_EQ(unary("relu", -7), 0);
  EXPECT_EQ(unary("clip", 9, "{min = -1.0, max = 2.0}"), 2);
}

TEST_F(ElementwiseTest, NaNStays) {
  for (const char *name :
       {"relu", "sign", "abs", "softplus", "mish", "sigmoid"})
    EXPECT_TRUE(std::isnan(unary(name, kNaN))) << name;
  EXPECT_TRUE(std::isnan(unary("clip", kNaN, "{min = 0.0, max = 1.0}")));
  for (const char *name : {"min", "max"}) {
    EXPECT_TRUE(std::isnan(binary(name, "f32", {kNaN}, {1})[0])) << name;
    EXPECT_TRUE(std::isnan(binary(name, "f32", {1}, {kNaN})[0])) << name;
  }
}

/// Central differences in double: the error is about h^2 f'''/6 + 1e-16/h,
/// 1e-10 for h = 1e-5 and functions of the size of one.
TEST_F(ElementwiseTest, DerivativesAgreeWithDifferences) {
  struct Case {
    const char *function, *derivative, *attributes;
    bool fromResult;
  };
  const std::vector<Case> cases = {
      {"relu", "relu_grad", "", true},
      {"sigmoid", "sigmoid_grad", "", true},
      {"tanh", "tanh_grad", "", true},
      {"gelu", "gelu_grad", "", false},
      {"gelu", "gelu_grad", "{tanh = true}", false},
      {"silu", "silu_grad", "", false},
      {"softplus", "softplus_grad", "", false},
      {"mish", "mish_grad", "", false},
      {"hard_swish", "hard_swish_grad", "", false},
      {"leaky_relu", "leaky_relu_grad", "{alpha = 0.3}", false},
      {"elu", "elu_grad", "{alpha = 1.7, beta = 0.6, gamma = 1.1}", false},
      {"hard_sigmoid", "hard_sigmoid_grad", "{alpha = 0.3, beta = 0.4}", false},
      {"clip", "clip_grad", "{min = -1.0, max = 2.0}", false},
  };
  for (const Case &c : cases)
    for (double x : {-4.1, -2.2, -0.7, -0.1, 0.2, 0.9, 2.6, 3.7}) {
      const double h = 1e-5, dy = 1.25;
      const double want = dy *
                          (unary(c.function, x + h, c.attributes) -
                           unary(c.function, x - h, c.attributes)) /
                          (2 * h);
      const double from = c.fromResult ? unary(c.function, x, c.attributes) : x;
      EXPECT_NEAR(grad(c.derivative, dy, from, c.attributes), want, 1e-9)
          << c.derivative << " at " << x;
    }
}

TEST_F(ElementwiseTest, IntegersWrapAndTruncate) {
  EXPECT_EQ(binary("add", "i8", {127}, {1}), Values({-128}));
  EXPECT_EQ(binary("sub", "ui8", {1}, {2}), Values({255}));
  EXPECT_EQ(binary("mul", "i32", {65536}, {65536}), Values({0}));
  EXPECT_EQ(binary("div", "i32", {-7, 7}, {2, -2}), Values({-3, -3}));
  EXPECT_EQ(binary("div", "ui8", {200}, {3}), Values({66}));
  EXPECT_EQ(binary("div", "i8", {-128}, {-1}), Values({-128}));
  EXPECT_EQ(binary("max", "ui8", {200}, {100}), Values({200}));
  EXPECT_EQ(binary("mod", "i32", {-7, 7, -7}, {3, -3, -3}),
            Values({2, -2, -1}));
  EXPECT_EQ(binary("mod", "i32", {-7, 7, -7}, {3, -3, -3}, "{fmod = true}"),
            Values({-1, 1, -1}));
  EXPECT_EQ(binary("mod", "f32", {-7, 5.5}, {3, 2}), Values({2, 1.5}));
  EXPECT_EQ(binary("pow", "i32", {2, -3, 2}, {10, 3, -1}),
            Values({1024, -27, 0}));
  EXPECT_EQ(value({"tensor<3xi32>"}, "tensor<3xi32>",
                  "nn.clip %0 {min = -1.5, max = 2.5} : tensor<3xi32>",
                  {{-5, 0, 5}}),
            Values({-1, 0, 2}));
}

TEST_F(ElementwiseTest, Broadcasts) {
  EXPECT_EQ(value({"tensor<2x1xf32>", "tensor<3xf32>"}, "tensor<2x3xf32>",
                  "nn.sub %0, %1 : tensor<2x1xf32>, tensor<3xf32>",
                  {{10, 20}, {1, 2, 3}}),
            Values({9, 8, 7, 19, 18, 17}));
  EXPECT_EQ(value({"tensor<2xi1>", "tensor<f32>", "tensor<2x2xf32>"},
                  "tensor<2x2xf32>",
                  "nn.where %0, %1, %2 : tensor<2xi1>, tensor<f32>, "
                  "tensor<2x2xf32>",
                  {{1, 0}, {9}, {1, 2, 3, 4}}),
            Values({9, 2, 9, 4}));
  EXPECT_EQ(value({"tensor<0x3xf32>", "tensor<3xf32>"}, "tensor<0x3xf32>",
                  "nn.add %0, %1 : tensor<0x3xf32>, tensor<3xf32>",
                  {{}, {1, 2, 3}}),
            Values());
}

TEST_F(ElementwiseTest, Compares) {
  auto compare = [&](const char *predicate, const char *type, double a,
                     double b) {
    const std::string tensor = std::string("tensor<") + type + ">";
    return value({tensor, tensor}, "tensor<i1>",
                 std::string("nn.compare ") + predicate +
                     " %0, %1 : " + tensor + ", " + tensor,
                 {{a}, {b}})[0];
  };
  EXPECT_EQ(compare("lt", "f32", 1, 2), 1);
  EXPECT_EQ(compare("ge", "i64", 2, 2), 1);
  EXPECT_EQ(compare("gt", "ui8", 200, 100), 1);
  EXPECT_EQ(compare("eq", "f32", kNaN, kNaN), 0);
  EXPECT_EQ(compare("ne", "f32", kNaN, kNaN), 1);
}

TEST_F(ElementwiseTest, Casts) {
  auto cast = [&](const char *from, const char *to, double x) {
    const std::string a = std::string("tensor<") + from + ">";
    const std::string b = std::string("tensor<") + to + ">";
    return value({a}, b, "nn.cast %0 : " + a + " to " + b, {{x}})[0];
  };
  EXPECT_EQ(cast("f32", "i32", -1.7), -1);
  EXPECT_EQ(cast("f32", "i1", 0.1), 1);
  EXPECT_EQ(cast("f32", "i1", 0), 0);
  EXPECT_EQ(cast("i32", "i1", 4), 1);
  EXPECT_EQ(cast("i32", "ui8", -1), 255);
  EXPECT_EQ(cast("f32", "f16", 100000), kInf);
  // 2^60 + 2^36 + 1 lies above the middle of two floats; a double would lose
  // the 1 and the tie would go to the even 2^60.
  EXPECT_EQ(values(R"(
    func.func @f() -> tensor<f32> {
      %c = nn.constant dense<1152921573326323713> : tensor<i64>
      %r = nn.cast %c : tensor<i64> to tensor<f32>
      return %r : tensor<f32>
    })",
                   {})[0][0],
            0x1.000002p60);
}

TEST_F(ElementwiseTest, PhiloxAgainstRandom123) {
  // kat_vectors of the Random123 library, philox 4x32 10.
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox4x32(0, 0, 0),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32(~0ull, ~0ull, ~0ull),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(
      philox4x32(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e),
      (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST_F(ElementwiseTest, DropoutIsReproducibleAndHasItsRatio) {
  const std::string text = R"(
    func.func @f(%x: tensor<100x100xf32>, %step: tensor<i64>) -> (tensor<100x100xf32>, tensor<100x100xi1>) {
      %y, %mask = nn.dropout %x at %step {ratio = 0.2, seed = 7 : i64} : tensor<100x100xf32>
      return %y, %mask : tensor<100x100xf32>, tensor<100x100xi1>
    })";
  const Values ones(10000, 1.0);
  auto first = values(text, {ones, {3}});
  auto again = values(text, {ones, {3}});
  auto other = values(text, {ones, {4}});
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
  double kept = 0, both = 0;
  for (size_t i = 0; i < ones.size(); ++i) {
    kept += first[1][i];
    both += first[1][i] * other[1][i];
    EXPECT_EQ(first[0][i], first[1][i] ? 1.25 : 0);
  }
  // 8000 and 6400 expected; five standard deviations of the binomial
  // distribution are 200 and 240.
  EXPECT_NEAR(kept, 8000, 200);
  EXPECT_NEAR(both, 6400, 240);
}
} // namespace
