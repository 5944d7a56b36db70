//===- PointwiseTest.cpp - Pointwise kernels against the Reference --------===//

#include "Compare.h"

#include <limits>

using namespace mpt::test;

/// A unary operation on a shape with a remainder behind the last vector.
static std::string unary(const std::string &op,
                         const std::string &shape = "7x37") {
  return "func.func @f(%x: tensor<" + shape + "xT>) -> tensor<" + shape +
         "xT> {\n  %y = " + op + " : tensor<" + shape +
         "xT>\n  return %y : tensor<" + shape + "xT>\n}\n";
}

static std::string binary(const std::string &op, const std::string &lhs,
                          const std::string &rhs, const std::string &result) {
  return "func.func @f(%x: tensor<" + lhs + ">, %y: tensor<" + rhs +
         ">) -> tensor<" + result + "> {\n  %z = " + op + " : tensor<" + lhs +
         ">, tensor<" + rhs + ">\n  return %z : tensor<" + result + ">\n}\n";
}

TEST(Pointwise, MovesAndRounds) {
  CompareOptions exact;
  exact.ulps = 0;
  for (const char *op :
       {"nn.neg %x", "nn.abs %x", "nn.sign %x", "nn.floor %x", "nn.ceil %x",
        "nn.round %x", "nn.relu %x", "nn.clip %x {min = -0.5, max = 1.0}"})
    compareFloats(unary(op), exact);
}

// Half an ulp is the rounding to the result's type, the rest the function's:
// two for exp, log, tanh, erf, and what a formula of them adds.
TEST(Pointwise, ElementaryFunctions) {
  CompareOptions options;
  options.ulps = 2.5;
  for (const char *op :
       {"nn.exp %x", "nn.tanh %x", "nn.erf %x", "nn.sin %x", "nn.cos %x",
        "nn.tan %x", "nn.atan %x", "nn.sinh %x", "nn.cosh %x", "nn.asinh %x",
        "nn.sqrt %x", "nn.reciprocal %x"}) {
    if (std::string(op).find("sqrt") != std::string::npos)
      options.low = 0;
    compareFloats(unary(op), options);
    options.low = -2;
  }
  options.low = 0.01;
  options.high = 30;
  compareFloats(unary("nn.log %x"), options);
  compareFloats(unary("nn.acosh %x"), [&] {
    auto o = options;
    o.low = 1;
    return o;
  }());
  options.low = -0.99;
  options.high = 0.99;
  for (const char *op : {"nn.asin %x", "nn.acos %x", "nn.atanh %x"})
    compareFloats(unary(op), options);
}

TEST(Pointwise, Activations) {
  CompareOptions options;
  options.ulps = 6;
  options.scale = 0.5; // gelu and silu cancel for negative arguments
  options.low = -6;
  options.high = 6;
  for (const char *op :
       {"nn.sigmoid %x", "nn.silu %x", "nn.softplus %x", "nn.softsign %x",
        "nn.mish %x", "nn.hard_swish %x", "nn.gelu %x",
        "nn.gelu %x {tanh = true}", "nn.leaky_relu %x {alpha = 0.2}",
        "nn.elu %x", "nn.elu %x {alpha = 1.5, beta = 2.0, gamma = 1.1}",
        "nn.hard_sigmoid %x"})
    compareFloats(unary(op), options);
}

TEST(Pointwise, ActivationGradients) {
  CompareOptions options;
  options.ulps = 12;
  options.scale = 2; // dy * f'(x) with |dy| < 6
  options.low = -6;
  options.high = 6;
  for (const char *op :
       {"relu_grad", "sigmoid_grad", "tanh_grad", "gelu_grad", "silu_grad",
        "softplus_grad", "mish_grad", "hard_swish_grad", "leaky_relu_grad",
        "elu_grad", "hard_sigmoid_grad"})
    compareFloats(
        "func.func @f(%x: tensor<5x9xT>, %y: tensor<5x9xT>) -> tensor<5x9xT> "
        "{\n  %z = nn." +
            std::string(op) +
            " %x, %y : tensor<5x9xT>\n  return %z : tensor<5x9xT>\n}\n",
        options);
}

TEST(Pointwise, SpecialValues) {
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double values[] = {0.0,    -0.0,  inf,    -inf,    nan,    1e-45,
                           -1e-45, 1e-38, 3.4e38, -3.4e38, 1.0,    -1.0,
                           88.7,   89.0,  -87.3,  -103.9,  -104.5, 0.5,
                           0.625,  0.92,  0.93,   5.0};
  CompareOptions options;
  options.ulps = 2.5;
  options.value = [&](const std::string &, int64_t i) {
    return values[i % 22];
  };
  for (const char *op :
       {"nn.exp %x", "nn.log %x", "nn.tanh %x", "nn.erf %x", "nn.sigmoid %x",
        "nn.relu %x", "nn.sqrt %x", "nn.softplus %x", "nn.sign %x",
        "nn.round %x", "nn.elu %x"})
    compareFloats(unary(op, "53"), options);
}

TEST(Pointwise, Broadcasting) {
  CompareOptions options;
  options.ulps = 0.5; // one operation, rounded once
  for (auto [lhs, rhs, result] : std::vector<std::array<const char *, 3>>{
           {"3x4x5xT", "5xT", "3x4x5xT"},
           {"3x4x5xT", "4x1xT", "3x4x5xT"},
           {"3x1x5xT", "1x4x1xT", "3x4x5xT"},
           {"2x3x17x19xT", "3x1x1xT", "2x3x17x19xT"},
           {"T", "2x3xT", "2x3xT"},
           {"1x1xT", "7xT", "1x7xT"},
           {"T", "T", "T"},
           {"1xT", "1xT", "1xT"},
           {"0x3xT", "3xT", "0x3xT"},
           {"4099xT", "4099xT", "4099xT"},
           {"3x8193xT", "3x1xT", "3x8193xT"}})
    for (const char *op : {"nn.add %x, %y", "nn.sub %x, %y", "nn.mul %x, %y",
                           "nn.div %x, %y", "nn.min %x, %y", "nn.max %x, %y"})
      compareFloats(binary(op, lhs, rhs, result), options);
}

TEST(Pointwise, Integers) {
  CompareOptions options;
  options.integers = 100;
  for (const char *type : {"i64", "i32", "i8", "ui8"}) {
    const std::string t = std::string("33x") + type;
    for (const char *op : {"nn.add %x, %y", "nn.sub %x, %y", "nn.mul %x, %y",
                           "nn.min %x, %y", "nn.max %x, %y"})
      compare(binary(op, t, t, t), options);
    options.value = [](const std::string &name,
                       int64_t i) -> std::optional<double> {
      return name == "arg1" ? std::optional<double>(1 + i % 5) : std::nullopt;
    };
    for (const char *op : {"nn.div %x, %y", "nn.mod %x, %y"})
      compare(binary(op, t, t, t), options);
    options.value = nullptr;
  }
  for (const char *p : {"eq", "ne", "lt", "le", "gt", "ge"}) {
    compare(binary("nn.compare " + std::string(p) + " %x, %y", "33xi64",
                   "33xi64", "33xi1"));
    compare(binary("nn.compare " + std::string(p) + " %x, %y", "33xf32",
                   "33xf32", "33xi1"));
  }
}

TEST(Pointwise, Casts) {
  CompareOptions options;
  options.ulps = 0;
  options.low = -300;
  options.high = 300;
  options.integers = 200;
  for (const char *from : {"f32", "f16", "f64", "i64", "i32", "i1", "ui8"})
    for (const char *to : {"f32", "f16", "bf16", "f64", "i64", "i32", "i1"}) {
      if (std::string(from) == to)
        continue;
      const std::string x = std::string("tensor<41x") + from + ">",
                        y = std::string("tensor<41x") + to + ">";
      compare("func.func @f(%x: " + x + ") -> " + y +
                  " {\n  %y = nn.cast %x : " + x + " to " + y +
                  "\n  return %y : " + y + "\n}\n",
              options);
    }
}

TEST(Pointwise, WhereAndLogic) {
  compare(R"(
    func.func @f(%c: tensor<5x1xi1>, %d: tensor<3xi1>, %x: tensor<5x3xf16>, %y: tensor<f16>)
        -> (tensor<5x3xf16>, tensor<5x3xi1>) {
      %e = nn.and %c, %d : tensor<5x1xi1>, tensor<3xi1>
      %n = nn.not %e : tensor<5x3xi1>
      %z = nn.where %n, %x, %y : tensor<5x3xi1>, tensor<5x3xf16>, tensor<f16>
      return %z, %n : tensor<5x3xf16>, tensor<5x3xi1>
    })");
}

TEST(Pointwise, Dropout) {
  CompareOptions options;
  options.ulps = 1.5; // the factor 1 / 0.7 is rounded, then the product
  for (const char *shape : {"1000", "3x7x11", "1"})
    compare("func.func @f(%x: tensor<" + std::string(shape) +
                "xf32>, %s: tensor<i64>) -> (tensor<" + shape +
                "xf32>, tensor<" + shape +
                "xi1>) {\n  %y, %m = nn.dropout %x at %s {ratio = 0.3, seed = "
                "81985529216486895} : tensor<" +
                shape + "xf32>\n  return %y, %m : tensor<" + shape +
                "xf32>, tensor<" + shape + "xi1>\n}\n",
            options);
}

TEST(Pointwise, ClusterWithSeveralResults) {
  CompareOptions options;
  options.ulps = 8; // f16: what is rounded in between by the Reference stays
                    // f32 in a kernel
  options.scale = 4;
  compareFloats(R"(
    func.func @f(%x: tensor<6x1000xT>, %b: tensor<1000xT>) -> (tensor<6x1000xT>, tensor<6x1000xT>) {
      %0 = nn.add %x, %b : tensor<6x1000xT>, tensor<1000xT>
      %1 = nn.mul %0, %0 : tensor<6x1000xT>, tensor<6x1000xT>
      %2 = nn.relu %1 : tensor<6x1000xT>
      %3 = nn.neg %1 : tensor<6x1000xT>
      return %2, %3 : tensor<6x1000xT>, tensor<6x1000xT>
    })",
                options);
}
