//===- NormalizationCases.cpp - Normalizations and softmax ----------------===//

#include "RuleCases.h"

using namespace mpt::test;

void mpt::test::addNormalizationCases(std::vector<RuleCase> &cases) {
  for (std::string x : {"3x2xf64", "2x3x4xf64", "2x2x2x3xf64"}) {
    std::string c = std::string(1, x[2]) + "xf64";
    std::string tx = "tensor<" + x + ">", tc = "tensor<" + c + ">";
    std::string four = tc + ", " + tc + ", " + tc + ", " + tc;
    cases.push_back({"batch_norm_inference",
                     {{x}, {c}, {c}, {c}, {c, 0.5, 2}},
                     "%r = nn.batch_norm_inference %a0, %a1, %a2, %a3, %a4 "
                     "{epsilon = 1.0e-3} : (" +
                         tx + ", " + four + ") -> " + tx,
                     {{"%r", x}}});
    cases.push_back(
        {"batch_norm_training",
         {{x}, {c}, {c}, fixed(c), fixed(c, 0.5, 2)},
         "%r, %nm, %nv, %sm, %sr = nn.batch_norm_training %a0, %a1, %a2, %a3, "
         "%a4 {epsilon = 1.0e-2} : (" +
             tx + ", " + four + ") -> (" + tx + ", " + four + ")",
         {{"%r", x}}});
  }

  struct Layer {
    const char *x, *scale, *statistics;
    int axis;
  };
  for (Layer l : {Layer{"3x4xf64", "4xf64", "3x1xf64", 1},
                  Layer{"2x3x4xf64", "4xf64", "2x3x1xf64", 2},
                  Layer{"2x3x4xf64", "3x4xf64", "2x1x1xf64", 1},
                  Layer{"5xf64", "5xf64", "1xf64", 0}}) {
    std::string x = "tensor<" + std::string(l.x) + ">",
                s = "tensor<" + std::string(l.scale) + ">",
                t = "tensor<" + std::string(l.statistics) + ">";
    std::string attributes =
        "{axis = " + std::to_string(l.axis) + " : i64, epsilon = 1.0e-2}";
    cases.push_back({"layer_norm",
                     {{l.x}, {l.scale}, {l.scale}},
                     "%r, %m, %d = nn.layer_norm %a0, %a1, %a2 " + attributes +
                         " : (" + x + ", " + s + ", " + s + ") -> (" + x +
                         ", " + t + ", " + t + ")",
                     {{"%r", l.x}}});
    cases.push_back({"layer_norm_without_bias",
                     {{l.x}, {l.scale}},
                     "%r, %m, %d = nn.layer_norm %a0, %a1 " + attributes +
                         " : (" + x + ", " + s + ") -> (" + x + ", " + t +
                         ", " + t + ")",
                     {{"%r", l.x}}});
    cases.push_back({"rms_norm",
                     {{l.x}, {l.scale}},
                     "%r, %d = nn.rms_norm %a0, %a1 " + attributes + " : (" +
                         x + ", " + s + ") -> (" + x + ", " + t + ")",
                     {{"%r", l.x}}});
  }

  struct Group {
    const char *x, *scale, *statistics;
    int groups;
  };
  for (Group g : {Group{"2x4x3xf64", "4xf64", "2x2xf64", 2},
                  Group{"1x3x2x2xf64", "3xf64", "1x3xf64", 3},
                  Group{"2x2x3xf64", "2xf64", "2x1xf64", 1}}) {
    std::string x = "tensor<" + std::string(g.x) + ">",
                s = "tensor<" + std::string(g.scale) + ">",
                t = "tensor<" + std::string(g.statistics) + ">";
    cases.push_back({"group_norm",
                     {{g.x}, {g.scale}, {g.scale}},
                     "%r, %m, %d = nn.group_norm %a0, %a1, %a2 {num_groups = " +
                         std::to_string(g.groups) +
                         " : i64, epsilon = 1.0e-2} : (" + x + ", " + s + ", " +
                         s + ") -> (" + x + ", " + t + ", " + t + ")",
                     {{"%r", g.x}}});
  }

  for (std::string op : {"softmax", "log_softmax"}) {
    struct Axis {
      const char *x;
      int axis;
    };
    for (Axis a : {Axis{"5xf64", 0}, Axis{"2x4xf64", 1}, Axis{"3x2xf64", 0},
                   Axis{"2x3x2xf64", 1}})
      cases.push_back({op,
                       {{a.x, -2, 2}},
                       "%r = nn." + op +
                           " %a0 {axis = " + std::to_string(a.axis) +
                           " : i64} : tensor<" + a.x + ">",
                       {{"%r", a.x}}});
  }
  // Attention as exporters write it: rows that are masked completely, here the
  // second, are zero, and so is their gradient.
  cases.push_back(
      {"softmax_guarded",
       {{"2x3xf64", -2, 2}},
       "%mask = nn.constant dense<[[0.0, 0xFFF0000000000000, 0.0], "
       "[0xFFF0000000000000, 0xFFF0000000000000, 0xFFF0000000000000]]> : "
       "tensor<2x3xf64>\n"
       "  %zero = nn.constant dense<0.0> : tensor<f64>\n"
       "  %m = nn.add %a0, %mask : tensor<2x3xf64>, tensor<2x3xf64>\n"
       "  %y = nn.softmax %m {axis = 1 : i64} : tensor<2x3xf64>\n"
       "  %n = nn.is_nan %y : tensor<2x3xf64>\n"
       "  %r = nn.where %n, %zero, %y : tensor<2x3xi1>, tensor<f64>, "
       "tensor<2x3xf64>",
       {{"%r", "2x3xf64"}}});
}
