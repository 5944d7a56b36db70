//===- ShapeCases.cpp - Shapes and indexing -------------------------------===//

#include "RuleCases.h"

using namespace mpt::test;

static std::string tensor(std::string type) { return "tensor<" + type + ">"; }

static void addMoves(std::vector<RuleCase> &cases) {
  auto unary = [&](std::string op, std::string x, std::string attributes,
                   std::string result, bool printsResult = true) {
    cases.push_back({op,
                     {{x}},
                     "%r = nn." + op + " %a0 " + attributes + " : " +
                         tensor(x) +
                         (printsResult ? " to " + tensor(result) : ""),
                     {{"%r", result}}});
  };
  unary("reshape", "2x3xf64", "", "6xf64");
  unary("reshape", "4xf64", "", "1x2x2xf64");
  unary("reshape", "1xf64", "", "f64");
  unary("transpose", "2x3xf64", "{permutation = array<i64: 1, 0>}", "3x2xf64",
        false);
  unary("transpose", "2x3x4xf64", "{permutation = array<i64: 2, 0, 1>}",
        "4x2x3xf64", false);
  unary("expand", "3xf64", "", "2x3xf64");
  unary("expand", "2x1xf64", "", "2x4xf64");
  unary("expand", "f64", "", "2x2xf64");
  unary("expand", "1x2x1xf64", "", "3x2x2xf64");
  unary("slice", "5xf64", "{starts = array<i64: 1>, steps = array<i64: 2>}",
        "2xf64");
  unary("slice", "4x5xf64",
        "{starts = array<i64: 3, 0>, steps = array<i64: -1, 1>}", "3x2xf64");
  unary("slice_grad", "2xf64",
        "{starts = array<i64: 1>, steps = array<i64: 2>}", "5xf64");
  unary("slice_grad", "3x2xf64",
        "{starts = array<i64: 3, 0>, steps = array<i64: -1, 1>}", "4x5xf64");
  for (std::string mode : {"constant", "reflect", "edge", "wrap"}) {
    std::string attribute = "mode = #nn<pad_mode " + mode + ">";
    unary("pad", "4xf64",
          "{low = array<i64: 2>, high = array<i64: 1>, value = 0.5, " +
              attribute + "}",
          "7xf64");
    unary("pad", "3x3xf64",
          "{low = array<i64: 1, 0>, high = array<i64: 2, 2>, " + attribute +
              "}",
          "6x5xf64");
  }
  unary("pad", "5xf64", "{low = array<i64: -1>, high = array<i64: 2>}",
        "6xf64");
}

static void addConcatAndSplit(std::vector<RuleCase> &cases) {
  cases.push_back(
      {"concat",
       {{"2x3xf64"}, {"1x3xf64"}, {"2x3xf64"}},
       "%r = nn.concat %a0, %a1, %a2 {axis = 0 : i64} : tensor<2x3xf64>, "
       "tensor<1x3xf64>, tensor<2x3xf64>",
       {{"%r", "5x3xf64"}}});
  // One operand twice, one not differentiated by.
  cases.push_back(
      {"concat",
       {{"2x2xf64"}, fixed("2x1xf64")},
       "%r = nn.concat %a0, %a1, %a0 {axis = 1 : i64} : tensor<2x2xf64>, "
       "tensor<2x1xf64>, tensor<2x2xf64>",
       {{"%r", "2x5xf64"}}});
  cases.push_back({"split",
                   {{"5x2xf64"}},
                   "%r, %s = nn.split %a0 {axis = 0 : i64} : "
                   "(tensor<5x2xf64>) -> (tensor<2x2xf64>, tensor<3x2xf64>)",
                   {{"%r", "2x2xf64"}, {"%s", "3x2xf64"}}});
  // A part that nothing uses.
  cases.push_back({"split",
                   {{"2x6xf64"}},
                   "%r, %u, %t = nn.split %a0 {axis = 1 : i64} : "
                   "(tensor<2x6xf64>) -> (tensor<2x1xf64>, tensor<2x3xf64>, "
                   "tensor<2x2xf64>)",
                   {{"%r", "2x1xf64"}, {"%t", "2x2xf64"}}});
}

static void addIndexing(std::vector<RuleCase> &cases) {
  struct Gather {
    const char *op, *data, *indices;
    int low, high;
    const char *attributes, *result;
  };
  // Few rows and many indices: some are read more than once.
  for (Gather g : {
           Gather{"gather", "4x3xf64", "6xi64", 0, 3, "{axis = 0 : i64}",
                  "6x3xf64"},
           Gather{"gather", "4x3xf64", "2x2xi64", -3, 2, "{axis = 1 : i64}",
                  "4x2x2xf64"},
           Gather{"gather", "5xf64", "i64", 0, 4, "{axis = 0 : i64}", "f64"},
           Gather{"gather_elements", "4x3xf64", "2x3xi64", 0, 3,
                  "{axis = 0 : i64}", "2x3xf64"},
           Gather{"gather_elements", "2x3xf64", "2x5xi64", -3, 2,
                  "{axis = 1 : i64}", "2x5xf64"},
           Gather{"gather_nd", "3x3xf64", "4x2xi64", 0, 2, "", "4xf64"},
           Gather{"gather_nd", "3x2xf64", "4x1xi64", 0, 2, "", "4x2xf64"},
           Gather{"gather_nd", "2x3x2xf64", "2x2x1xi64", 0, 2,
                  "{batch_dims = 1 : i64}", "2x2x2xf64"},
       }) {
    std::string signature = g.op == std::string("gather")
                                ? tensor(g.data) + ", " + tensor(g.indices)
                                : "(" + tensor(g.data) + ", " +
                                      tensor(g.indices) + ") -> " +
                                      tensor(g.result);
    cases.push_back({g.op,
                     {{g.data}, index(g.indices, g.low, g.high)},
                     "%r = nn." + std::string(g.op) + " %a0, %a1 " +
                         g.attributes + " : " + signature,
                     {{"%r", g.result}}});
  }
}

/// Scattered sums, and the largest elements.
static void addScatters(std::vector<RuleCase> &cases) {
  cases.push_back({"gather_elements_grad",
                   {{"5x3xf64"}, index("5x3xi64", -4, 3)},
                   "%r = nn.gather_elements_grad %a0, %a1 {axis = 0 : i64} : "
                   "(tensor<5x3xf64>, tensor<5x3xi64>) -> tensor<4x3xf64>",
                   {{"%r", "4x3xf64"}}});
  cases.push_back({"gather_nd_grad",
                   {{"2x4x2xf64"}, index("2x4x1xi64", 0, 2)},
                   "%r = nn.gather_nd_grad %a0, %a1 {batch_dims = 1 : i64} : "
                   "(tensor<2x4x2xf64>, tensor<2x4x1xi64>) -> "
                   "tensor<2x3x2xf64>",
                   {{"%r", "2x3x2xf64"}}});
  for (std::string largest : {"true", "false"})
    cases.push_back({"top_k",
                     {{"3x6x2xf64"}},
                     "%r, %i = nn.top_k %a0 {axis = 1 : i64, k = 2 : i64, "
                     "largest = " +
                         largest +
                         "} : (tensor<3x6x2xf64>) -> (tensor<3x2x2xf64>, "
                         "tensor<3x2x2xi64>)",
                     {{"%r", "3x2x2xf64"}}});
}

void mpt::test::addShapeCases(std::vector<RuleCase> &cases) {
  addMoves(cases);
  addConcatAndSplit(cases);
  addIndexing(cases);
  addScatters(cases);
}
