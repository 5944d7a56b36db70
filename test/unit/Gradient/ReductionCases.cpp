//===- ReductionCases.cpp - Reductions ------------------------------------===//

#include "RuleCases.h"

using namespace mpt::test;

void mpt::test::addReductionCases(std::vector<RuleCase> &cases) {
  struct Shape {
    const char *x, *axes, *keepdims, *result;
  };
  const Shape shapes[] = {
      {"5xf64", "array<i64: 0>", "false", "f64"},
      {"2x3xf64", "array<i64: 1>", "false", "2xf64"},
      {"2x3xf64", "array<i64: 0>", "true", "1x3xf64"},
      {"2x3x4xf64", "array<i64: 0, 2>", "false", "3xf64"},
      {"2x3x2xf64", "array<i64: 0, 1, 2>", "true", "1x1x1xf64"},
      {"2x3xf64", "array<i64>", "false", "2x3xf64"},
  };
  for (std::string op :
       {"reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod"})
    for (const Shape &s : shapes)
      cases.push_back({op,
                       {{s.x}},
                       "%r = nn." + op + " %a0 {axes = " + s.axes +
                           ", keepdims = " + s.keepdims + "} : (tensor<" + s.x +
                           ">) -> tensor<" + s.result + ">",
                       {{"%r", s.result}}});
  // None, one and several zeros among the factors.
  cases.push_back({"reduce_prod_zeros",
                   {{"8x3xf64", -1, 1, true, true}},
                   "%r = nn.reduce_prod %a0 {axes = array<i64: 1>} : "
                   "(tensor<8x3xf64>) -> tensor<8xf64>",
                   {{"%r", "8xf64"}}});
  cases.push_back({"reduce_sum_widened",
                   {{"2x3xf16"}},
                   "%r = nn.reduce_sum %a0 {axes = array<i64: 0>} : "
                   "(tensor<2x3xf16>) -> tensor<3xf32>",
                   {{"%r", "3xf32"}}});
  for (std::string exclusive : {"false", "true"})
    for (std::string reverse : {"false", "true"})
      for (std::string axis : {"0", "1"})
        cases.push_back({"cum_sum",
                         {{"3x4xf64"}},
                         "%r = nn.cum_sum %a0 {axis = " + axis +
                             " : i64, exclusive = " + exclusive +
                             ", reverse = " + reverse + "} : tensor<3x4xf64>",
                         {{"%r", "3x4xf64"}}});
}
