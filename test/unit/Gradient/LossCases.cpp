//===- LossCases.cpp - Losses and shared subexpressions -------------------===//

#include "RuleCases.h"

using namespace mpt::test;

static std::string tensor(std::string type) { return "tensor<" + type + ">"; }

static void addCrossEntropies(std::vector<RuleCase> &cases) {
  struct Shape {
    const char *logits, *labels;
    int axis, classes;
  };
  for (Shape s :
       {Shape{"4x3xf64", "4xi64", 1, 3}, Shape{"3x5xf64", "5xi64", 0, 3},
        Shape{"2x3x4xf64", "2x4xi64", 1, 3},
        Shape{"2x3x4xf64", "2x3xi64", 2, 4}})
    for (std::string reduction : {"none", "mean", "sum"})
      for (bool weighted : {false, true}) {
        std::string labels = s.labels;
        std::string loss = reduction == "none"
                               ? labels.substr(0, labels.size() - 3) + "f64"
                               : "f64";
        std::string weights = std::to_string(s.classes) + "xf64";
        std::string body = "%r, %p = nn.softmax_cross_entropy %a0, %a1 ";
        if (weighted)
          body += "weights %a2 ";
        // Label 0 is ignored: some samples do not count.
        body += "{axis = " + std::to_string(s.axis) +
                " : i64, ignore_index = 0 : i64, reduction = "
                "#nn<loss_reduction " +
                reduction + ">} : (" + tensor(s.logits) + ", " +
                tensor(labels) + (weighted ? ", " + tensor(weights) : "") +
                ") -> (" + tensor(loss) + ", " + tensor(s.logits) + ")";
        RuleCase rule{"softmax_cross_entropy",
                      {{s.logits, -2, 2}, index(labels, 0, s.classes - 1)},
                      body,
                      {{"%r", loss}, {"%p", s.logits}}};
        if (weighted)
          rule.arguments.push_back(fixed(weights, 0.5, 2));
        cases.push_back(rule);
        // The loss alone.
        rule.results.pop_back();
        cases.push_back(rule);
      }
}

static void addCTC(std::vector<RuleCase> &cases) {
  for (std::string reduction : {"none", "mean", "sum"})
    for (std::string rest :
         {"", ", blank = 2 : i64", ", zero_infinity = true"}) {
      const bool isBlank2 = rest.find("blank") != std::string::npos;
      std::string loss = reduction == "none" ? "3xf64" : "f64";
      // Three labels of at most two kinds, so some are repeated, in seven or
      // eight frames: every sample has a path, most have many.
      RuleCase rule{
          "ctc_loss",
          {{"3x8x4xf64", -2, 2},
           isBlank2 ? index("3x3xi64", 0, 1) : index("3x3xi64", 1, 2),
           index("3xi64", 7, 8),
           index("3xi64", 1, 3)},
          "%r, %p, %q = nn.ctc_loss %a0, %a1, %a2, %a3 {reduction = "
          "#nn<loss_reduction " +
              reduction + ">" + rest +
              "} : (tensor<3x8x4xf64>, tensor<3x3xi64>, tensor<3xi64>, "
              "tensor<3xi64>) -> (tensor<" +
              loss + ">, tensor<3x8x4xf64>, tensor<3x8x7xf64>)",
          {{"%r", loss}, {"%p", "3x8x4xf64"}}};
      cases.push_back(rule);
      rule.results.pop_back();
      cases.push_back(rule);
    }
}

void mpt::test::addLossCases(std::vector<RuleCase> &cases) {
  addCrossEntropies(cases);
  addCTC(cases);
  for (std::string op : {"mse_loss", "l1_loss", "bce_with_logits_loss"})
    for (std::string reduction : {"none", "mean", "sum"})
      for (std::string shape : {"5xf64", "2x3xf64"}) {
        std::string loss = reduction == "none" ? shape : "f64";
        cases.push_back({op,
                         {{shape, -2, 2}, {shape, 0, 1}},
                         "%r = nn." + op +
                             " %a0, %a1 {reduction = #nn<loss_reduction " +
                             reduction + ">} : (" + tensor(shape) + ", " +
                             tensor(shape) + ") -> " + tensor(loss),
                         {{"%r", loss}}});
      }
  // The walker: a value with three uses, a path that ends in an integer.
  cases.push_back({"shared",
                   {{"2x3xf64"}},
                   "%0 = nn.tanh %a0 : tensor<2x3xf64>\n"
                   "  %1 = nn.mul %0, %0 : tensor<2x3xf64>, tensor<2x3xf64>\n"
                   "  %2 = nn.mul %1, %a0 : tensor<2x3xf64>, tensor<2x3xf64>\n"
                   "  %3 = nn.compare gt %0, %a0 : tensor<2x3xf64>, "
                   "tensor<2x3xf64>\n"
                   "  %r = nn.where %3, %2, %0 : tensor<2x3xi1>, "
                   "tensor<2x3xf64>, tensor<2x3xf64>",
                   {{"%r", "2x3xf64"}}});
}
