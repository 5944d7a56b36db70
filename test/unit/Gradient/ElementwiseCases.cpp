//===- ElementwiseCases.cpp - Elementwise operations ----------------------===//

#include "RuleCases.h"

using namespace mpt::test;

namespace {
struct Unary {
  const char *name;
  double low, high;
  const char *attributes = "";
};
} // namespace

/// Domains keep away from poles and from where the slope is infinite.
static const Unary kUnaries[] = {
    {"neg", -2, 2},
    {"abs", -2, 2},
    {"exp", -2, 2},
    {"log", 0.2, 3},
    {"sqrt", 0.2, 3},
    {"reciprocal", 0.4, 2},
    {"sin", -3, 3},
    {"cos", -3, 3},
    {"tan", -1.2, 1.2},
    {"asin", -0.9, 0.9},
    {"acos", -0.9, 0.9},
    {"atan", -3, 3},
    {"sinh", -2, 2},
    {"cosh", -2, 2},
    {"asinh", -3, 3},
    {"acosh", 1.2, 4},
    {"atanh", -0.9, 0.9},
    {"tanh", -3, 3},
    {"sigmoid", -4, 4},
    {"erf", -2, 2},
    {"relu", -2, 2},
    {"silu", -4, 4},
    {"softplus", -4, 4},
    {"softsign", -3, 3},
    {"mish", -4, 4},
    {"hard_swish", -5, 5},
    {"gelu", -3, 3},
    {"gelu", -3, 3, "{tanh = true} "},
    {"leaky_relu", -2, 2},
    {"leaky_relu", -2, 2, "{alpha = 0.3} "},
    {"elu", -3, 3},
    {"elu", -3, 3, "{alpha = 1.5, beta = 0.7, gamma = 1.2} "},
    {"hard_sigmoid", -4, 4},
    {"hard_sigmoid", -4, 4, "{alpha = 0.3, beta = 0.4} "},
    {"clip", -2, 2, "{min = -1.0, max = 0.5} "},
    {"clip", -2, 2, "{min = 0xFFF0000000000000 : f64, max = 0.5} "},
};

static const char *const kShapes[] = {"7xf64", "2x3xf64", "2x1x4xf64", "f64"};

static void addUnaries(std::vector<RuleCase> &cases) {
  for (const Unary &unary : kUnaries)
    for (std::string shape : kShapes) {
      // One element may lie in a flat part.
      bool single = shape == "f64";
      cases.push_back({unary.name,
                       {{shape, unary.low, unary.high}},
                       "%r = nn." + std::string(unary.name) + " %a0 " +
                           unary.attributes + ": tensor<" + shape + ">",
                       {{"%r", shape}},
                       single});
    }
  cases.push_back({"cast",
                   {{"2x3xf64"}},
                   "%r = nn.cast %a0 : tensor<2x3xf64> to tensor<2x3xf32>",
                   {{"%r", "2x3xf32"}}});
  cases.push_back({"cast",
                   {{"4xf32"}},
                   "%r = nn.cast %a0 : tensor<4xf32> to tensor<4xf64>",
                   {{"%r", "4xf64"}}});
  for (std::string shape : {"31xf64", "2x9xf64"})
    cases.push_back({"dropout",
                     {{shape}},
                     "%r, %m = nn.dropout %a0 {ratio = 0.3, seed = 7} : "
                     "tensor<" +
                         shape + ">",
                     {{"%r", shape}}});
}

namespace {
struct Broadcast {
  const char *lhs, *rhs, *result;
};
} // namespace

static const Broadcast kBroadcasts[] = {
    {"2x3", "2x3", "2x3"},     {"2x3", "3", "2x3"}, {"3", "2x3", "2x3"},
    {"2x1", "1x3", "2x3"},     {"2x3", "", "2x3"},  {"", "4", "4"},
    {"2x1x3", "4x1", "2x4x3"}, {"1", "2x2", "2x2"}, {"1x1", "3", "1x3"},
};

static std::string typed(std::string shape) {
  return shape.empty() ? "f64" : shape + "xf64";
}

static void addBinaries(std::vector<RuleCase> &cases) {
  struct Domain {
    const char *name;
    double low, high;
  };
  for (Domain op :
       {Domain{"add", -1, 1}, Domain{"sub", -1, 1}, Domain{"mul", -1, 1},
        Domain{"div", 0.5, 2}, Domain{"pow", 0.3, 2}, Domain{"min", -1, 1},
        Domain{"max", -1, 1}})
    for (const Broadcast &shape : kBroadcasts) {
      std::string l = typed(shape.lhs), r = typed(shape.rhs);
      // The larger of one pair takes all.
      bool mayBeZero =
          std::string(op.name) == "min" || std::string(op.name) == "max";
      cases.push_back({op.name,
                       {{l, op.low, op.high}, {r, op.low, op.high}},
                       "%r = nn." + std::string(op.name) +
                           " %a0, %a1 : tensor<" + l + ">, tensor<" + r + ">",
                       {{"%r", typed(shape.result)}},
                       mayBeZero});
    }
  // Equal elements: half each is also what central differences give.
  for (std::string op : {"min", "max"})
    cases.push_back(
        {op + "_ties",
         {{"4x5xf64", 0, 2, true, true}, {"5xf64", 0, 2, true, true}},
         "%r = nn." + op +
             " %a0, %a1 : tensor<4x5xf64>, "
             "tensor<5xf64>",
         {{"%r", "4x5xf64"}}});
  for (std::string exponent : {"0.0", "1.0", "2.0", "3.0", "0.5", "-1.5"})
    cases.push_back({"pow_constant",
                     {{"2x3xf64", 0.3, 2}},
                     "%e = nn.constant dense<" + exponent +
                         "> : tensor<f64>\n  %r = nn.pow %a0, %e : "
                         "tensor<2x3xf64>, tensor<f64>",
                     {{"%r", "2x3xf64"}},
                     exponent == "0.0"});
  // Whole exponents of negative bases.
  cases.push_back({"pow_integer",
                   {{"5xf64", -2, 2}},
                   "%e = nn.constant dense<3> : tensor<i64>\n"
                   "  %r = nn.pow %a0, %e : tensor<5xf64>, tensor<i64>",
                   {{"%r", "5xf64"}}});
  cases.push_back({"pow_integer_tensor",
                   {{"2x3xf64", -2, 2}, index("3xi64", 0, 3)},
                   "%r = nn.pow %a0, %a1 : tensor<2x3xf64>, tensor<3xi64>",
                   {{"%r", "2x3xf64"}}});
}

static void addWhere(std::vector<RuleCase> &cases) {
  struct Shapes {
    const char *condition, *x, *y, *result;
  };
  for (Shapes s :
       {Shapes{"2x3", "2x3", "2x3", "2x3"}, Shapes{"2x3", "3", "2x1", "2x3"},
        Shapes{"3", "2x3", "", "2x3"}, Shapes{"2x1x4", "4", "3x1", "2x3x4"}}) {
    std::string c = std::string(s.condition) + "xi1", x = typed(s.x),
                y = typed(s.y);
    cases.push_back({"where",
                     {index(c, 0, 1), {x}, {y}},
                     "%r = nn.where %a0, %a1, %a2 : tensor<" + c +
                         ">, tensor<" + x + ">, tensor<" + y + ">",
                     {{"%r", typed(s.result)}}});
  }
}

void mpt::test::addElementwiseCases(std::vector<RuleCase> &cases) {
  addUnaries(cases);
  addBinaries(cases);
  addWhere(cases);
}
