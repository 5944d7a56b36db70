//===- ContractionCases.cpp - Products, convolutions, pooling -------------===//

#include "RuleCases.h"

using namespace mpt::test;

/// `OP %a0, %a1 {attributes} : (tensor<l>, tensor<r>) -> tensor<result>`.
static RuleCase twoOperands(std::string name, std::string op, std::string l,
                            std::string r, std::string attributes,
                            std::string result) {
  return {std::move(name),
          {{l}, {r}},
          "%r = nn." + op + " %a0, %a1 " + attributes + " : (tensor<" + l +
              ">, tensor<" + r + ">) -> tensor<" + result + ">",
          {{"%r", result}}};
}

static void addMatMuls(std::vector<RuleCase> &cases) {
  struct Product {
    const char *lhs, *rhs, *result;
    bool transposeLhs, transposeRhs;
  };
  for (Product p :
       {Product{"2x3", "3x4", "2x4", false, false},
        Product{"3x2", "3x4", "2x4", true, false},
        Product{"2x3", "4x3", "2x4", false, true},
        Product{"3x2", "4x3", "2x4", true, true},
        // Batches: equal, shared matrices on either side, stretched axes.
        Product{"2x2x3", "2x3x2", "2x2x2", false, false},
        Product{"2x3x2", "2x2x3", "2x2x2", true, true},
        Product{"2x2x3", "3x2", "2x2x2", false, false},
        Product{"2x2x3", "2x3", "2x2x2", false, true},
        Product{"2x3x2", "3x4", "2x2x4", true, false},
        Product{"2x3", "2x3x2", "2x2x2", false, false},
        Product{"2x1x2x3", "3x3x2", "2x3x2x2", false, false},
        Product{"1x2x3", "2x2x3", "2x2x2", false, true},
        Product{"2x2x2x3", "3x1", "2x2x2x1", false, false}}) {
    std::string attributes = "{transpose_lhs = ";
    attributes += p.transposeLhs ? "true" : "false";
    attributes += ", transpose_rhs = ";
    attributes += p.transposeRhs ? "true}" : "false}";
    cases.push_back(twoOperands("matmul", "matmul", std::string(p.lhs) + "xf64",
                                std::string(p.rhs) + "xf64", attributes,
                                std::string(p.result) + "xf64"));
  }
  // Operands of 16 bits with an f32 result: gradients in the operands' type.
  cases.push_back(twoOperands("matmul_widened", "matmul", "2x3xf16", "3x2xf16",
                              "", "2x2xf32"));
}

namespace {
struct Convolution {
  const char *input, *filter, *result; // of the convolution
  const char *attributes;
};
} // namespace

static const Convolution kConvolutions[] = {
    {"1x2x5", "3x2x3", "1x3x3",
     "strides = array<i64: 1>, pads = array<i64: 0, 0>, "
     "dilations = array<i64: 1>"},
    {"2x2x6", "2x2x3", "2x2x3",
     "strides = array<i64: 2>, pads = array<i64: 1, 0>, "
     "dilations = array<i64: 1>"},
    {"1x4x7", "4x2x2", "1x4x5",
     "strides = array<i64: 1>, pads = array<i64: 0, 0>, "
     "dilations = array<i64: 2>, group = 2 : i64"},
    {"1x2x4x4", "3x2x3x3", "1x3x4x4",
     "strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, "
     "dilations = array<i64: 1, 1>"},
    // The last row and column of the input are read by no window.
    {"2x1x4x6", "2x1x1x3", "2x2x2x2",
     "strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, "
     "dilations = array<i64: 1, 1>"},
    {"1x3x3x4", "3x1x2x2", "1x3x3x2",
     "strides = array<i64: 1, 2>, pads = array<i64: 1, 0, 0, 1>, "
     "dilations = array<i64: 1, 2>, group = 3 : i64"},
    {"1x1x3x3x2", "2x1x2x2x1", "1x2x2x2x2",
     "strides = array<i64: 1, 1, 1>, pads = array<i64: 0, 0, 0, 0, 0, 0>, "
     "dilations = array<i64: 1, 1, 1>"},
};

static void addConvolutions(std::vector<RuleCase> &cases) {
  for (const Convolution &c : kConvolutions) {
    std::string attributes = "{" + std::string(c.attributes) + "}";
    std::string x = std::string(c.input) + "xf64",
                w = std::string(c.filter) + "xf64",
                y = std::string(c.result) + "xf64";
    cases.push_back(twoOperands("conv", "conv", x, w, attributes, y));
    std::string bias = std::string(1, c.filter[0]) + "xf64";
    cases.push_back({"conv_bias",
                     {{x}, {w}, {bias}},
                     "%r = nn.conv %a0, %a1 bias %a2 " + attributes +
                         " : (tensor<" + x + ">, tensor<" + w + ">, tensor<" +
                         bias + ">) -> tensor<" + y + ">",
                     {{"%r", y}}});
    cases.push_back(
        twoOperands("conv_transpose", "conv_transpose", y, w, attributes, x));
    cases.push_back(twoOperands("conv_filter_grad", "conv_filter_grad", x, y,
                                attributes, w));
  }
}

static void addPooling(std::vector<RuleCase> &cases) {
  struct Pool {
    const char *input, *result, *attributes;
  };
  for (Pool p :
       {Pool{"1x2x6", "1x2x3",
             "kernel = array<i64: 2>, strides = array<i64: 2>, "
             "pads = array<i64: 0, 0>, dilations = array<i64: 1>"},
        Pool{"1x1x4x4", "1x1x4x4",
             "kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, "
             "pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>"},
        Pool{"2x2x5x4", "2x2x2x2",
             "kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, "
             "pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>"},
        // Rounded up: the last windows hang over the end.
        Pool{"1x1x5x5", "1x1x3x3",
             "kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, "
             "pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>"},
        Pool{"1x1x7", "1x1x3",
             "kernel = array<i64: 3>, strides = array<i64: 1>, "
             "pads = array<i64: 0, 0>, dilations = array<i64: 2>"}}) {
    std::string x = std::string(p.input) + "xf64",
                y = std::string(p.result) + "xf64", a = p.attributes;
    cases.push_back({"max_pool",
                     {{x}},
                     "%r, %t = nn.max_pool %a0 {" + a + "} : (tensor<" + x +
                         ">) -> (tensor<" + y + ">, tensor<" + p.result +
                         "xi8>)",
                     {{"%r", y}}});
    for (std::string include : {"false", "true"})
      cases.push_back({"avg_pool",
                       {{x}},
                       "%r = nn.avg_pool %a0 {" + a +
                           ", count_include_pad = " + include + "} : (tensor<" +
                           x + ">) -> tensor<" + y + ">",
                       {{"%r", y}}});
  }
}

void mpt::test::addContractionCases(std::vector<RuleCase> &cases) {
  addMatMuls(cases);
  addConvolutions(cases);
  addPooling(cases);
}
