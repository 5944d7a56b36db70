//===- GenericTest.cpp - Plain templates against the Reference ------------===//

#include "Compare.h"

#include <limits>

using namespace mpt::test;

namespace {

/// func @f of one operation: operand types, result types, the text between the
/// operation's name and its types ("%0, %1 {axis = 1 : i64}").
std::string single(const std::string &op,
                   const std::vector<std::string> &operands,
                   const std::vector<std::string> &results,
                   const std::string &text) {
  std::string arguments, types, resultTypes, values;
  for (size_t i = 0; i < operands.size(); ++i) {
    arguments += (i ? ", " : "") + ("%" + std::to_string(i)) + ": tensor<" +
                 operands[i] + ">";
    types += (i ? ", " : "") + ("tensor<" + operands[i] + ">");
  }
  for (size_t i = 0; i < results.size(); ++i) {
    resultTypes += (i ? ", " : "") + ("tensor<" + results[i] + ">");
    values += (i ? ", %r#" : "%r#") + std::to_string(i);
  }
  return "func.func @f(" + arguments + ") -> (" + resultTypes +
         ") {\n  %r:" + std::to_string(results.size()) + " = \"" + op + "\"(" +
         text.substr(0, text.find('|')) + ") " +
         text.substr(text.find('|') + 1) + " : (" + types + ") -> (" +
         resultTypes + ")\n  return " + values + " : " + resultTypes + "\n}\n";
}

CompareOptions exact() {
  CompareOptions options;
  options.ulps = 0;
  return options;
}

} // namespace

TEST(Shape, MovesBits) {
  compareFloats(single("nn.transpose", {"5x7x3xT"}, {"3x5x7xT"},
                       "%0|<{permutation = array<i64: 2, 0, 1>}>"),
                exact());
  compareFloats(single("nn.transpose", {"70x8x3xT"}, {"70x3x8xT"},
                       "%0|<{permutation = array<i64: 0, 2, 1>}>"),
                exact());
  compareFloats(single("nn.concat", {"4x3x5xT", "4x1x5xT", "4x0x5xT"},
                       {"4x4x5xT"}, "%0, %1, %2|<{axis = 1 : i64}>"),
                exact());
  compareFloats(single("nn.split", {"4x7xT"}, {"4x3xT", "4x4xT"},
                       "%0|<{axis = 1 : i64}>"),
                exact());
  compareFloats(
      single("nn.slice", {"9x11xT"}, {"4x3xT"},
             "%0|<{starts = array<i64: 8, 1>, steps = array<i64: -2, 4>}>"),
      exact());
  compareFloats(
      single("nn.slice_grad", {"4x3xT"}, {"9x11xT"},
             "%0|<{starts = array<i64: 8, 1>, steps = array<i64: -2, 4>}>"),
      exact());
  compare(single("nn.transpose", {"5x7xi1"}, {"7x5xi1"},
                 "%0|<{permutation = array<i64: 1, 0>}>"),
          exact());
  compareFloats("func.func @f(%x: tensor<3x1xT>) -> tensor<2x3x5xT> {\n  %y = "
                "nn.expand %x : tensor<3x1xT> to "
                "tensor<2x3x5xT>\n  return %y : tensor<2x3x5xT>\n}\n",
                exact());
}

TEST(Shape, Pads) {
  for (const char *mode : {"constant", "reflect", "edge", "wrap"}) {
    const std::string attributes = "low = array<i64: 1, 3>, high = array<i64: "
                                   "2, -1>, mode = #nn<pad_mode " +
                                   std::string(mode) + ">}>";
    compareFloats(single("nn.pad", {"4x6xT"}, {"7x8xT"},
                         "%0|<{value = 0.25 : f64, " + attributes),
                  exact());
    CompareOptions sums;
    sums.ulps = 1.5; // up to four terms, in f32
    sums.scale = 4;
    compareFloats(
        single("nn.pad_grad", {"7x8xT"}, {"4x6xT"}, "%0|<{" + attributes),
        sums);
  }
}

TEST(Gather, ForwardAndGradient) {
  CompareOptions sums;
  sums.ulps = 4; // eight terms
  sums.scale = 8;
  sums.integers = 4;
  for (const char *index : {"i64", "i32"}) {
    const std::string i = std::string("2x3x") + index;
    compareFloats(single("nn.gather", {"5x4x3xT", i}, {"5x2x3x3xT"},
                         "%0, %1|<{axis = 1 : i64}>"),
                  sums);
    compareFloats(single("nn.gather_grad", {"5x2x3x3xT", i}, {"5x4x3xT"},
                         "%0, %1|<{axis = 1 : i64}>"),
                  sums);
  }
  compareFloats(single("nn.gather_grad", {"50x9xT", "50xi64"}, {"4x9xf32"},
                       "%0, %1|<{axis = 0 : i64}>"),
                [&] {
                  CompareOptions o = sums;
                  o.ulps = 16; // fifty terms
                  o.scale = 16;
                  return o;
                }());
  compareFloats(single("nn.gather_elements", {"4x5xT", "3x5xi64"}, {"3x5xT"},
                       "%0, %1|<{axis = 0 : i64}>"),
                sums);
  compareFloats(single("nn.gather_elements_grad", {"3x5xT", "3x5xi64"},
                       {"4x5xT"}, "%0, %1|<{axis = 0 : i64}>"),
                sums);
  compareFloats(single("nn.gather_nd", {"2x4x5x3xT", "2x6x2xi64"}, {"2x6x3xT"},
                       "%0, %1|<{batch_dims = 1 : i64}>"),
                sums);
  compareFloats(single("nn.gather_nd_grad", {"2x6x3xT", "2x6x2xi64"},
                       {"2x4x5x3xT"}, "%0, %1|<{batch_dims = 1 : i64}>"),
                sums);
}

TEST(TopK, TakesTheFirstOfEquals) {
  for (const char *largest : {"true", "false"})
    for (bool isGrid : {false, true}) {
      CompareOptions options = exact();
      // Ties, infinities and NaN.
      if (isGrid)
        options.value = [](const std::string &,
                           int64_t i) -> std::optional<double> {
          return i % 11 == 3   ? std::numeric_limits<double>::quiet_NaN()
                 : i % 11 == 7 ? -std::numeric_limits<double>::infinity()
                               : double(i * 7 % 5);
        };
      const std::string attributes =
          ", largest = " + std::string(largest) + "}>";
      compareFloats(single("nn.top_k", {"3x9x4xT"}, {"3x5x4xT", "3x5x4xi64"},
                           "%0|<{axis = 1 : i64, k = 5 : i64" + attributes),
                    options);
      compareFloats(single("nn.top_k", {"7x6xT"}, {"7x6xT", "7x6xi64"},
                           "%0|<{axis = 1 : i64, k = 6 : i64" + attributes),
                    options);
    }
}

TEST(Finite, FindsTheFirstTensor) {
  for (int bad : {-1, 0, 999, 1000, 1003, 2500}) {
    CompareOptions options;
    options.value = [&](const std::string &name,
                        int64_t i) -> std::optional<double> {
      const int64_t number = name == "arg0"   ? i
                             : name == "arg1" ? 1000 + i
                                              : 2000 + i;
      if (number == bad)
        return bad % 2 ? std::numeric_limits<double>::infinity()
                       : std::numeric_limits<double>::quiet_NaN();
      return std::nullopt;
    };
    compare(single("mp.all_finite", {"1000xf16", "3xf32", "50x17xf32"},
                   {"i1", "i64"}, "%0, %1, %2|"),
            options);
    compare(single("mp.all_finite", {"1000xf16", "5xf32", "50x17xbf16"},
                   {"i1", "i64"}, "%0, %1, %2|"),
            options);
  }
}

TEST(Reduction, AllKinds) {
  CompareOptions sums;
  sums.ulps = 24; // 77 terms in another order
  sums.scale = 4;
  for (const char *op : {"reduce_sum", "reduce_mean", "reduce_max",
                         "reduce_min", "reduce_prod"}) {
    const std::string name = std::string("nn.") + op;
    if (name == "nn.reduce_prod") {
      sums.low = 0.8;
      sums.high = 1.2;
    }
    compareFloats(
        single(name, {"7x5x11xT"}, {"5xT"}, "%0|<{axes = array<i64: 0, 2>}>"),
        sums);
    compareFloats(single(name, {"7x5x11xT"}, {"7x1x11xT"},
                         "%0|<{axes = array<i64: 1>, keepdims = true}>"),
                  sums);
    compareFloats(single(name, {"77xT"}, {"T"}, "%0|<{axes = array<i64: 0>}>"),
                  sums);
    compare(single(name, {"4x3xf64"}, {"4xf64"}, "%0|<{axes = array<i64: 1>}>"),
            sums);
    if (name != "nn.reduce_mean" && name != "nn.reduce_prod")
      compare(
          single(name, {"4x3xi64"}, {"4xi64"}, "%0|<{axes = array<i64: 1>}>"));
  }
  for (const char *op : {"nn.arg_max", "nn.arg_min"})
    for (const char *last : {"true", "false"}) {
      compare(single(op, {"4x9x3xf16"}, {"4x3xi64"},
                     "%0|<{axis = 1 : i64, select_last = " + std::string(last) +
                         "}>"));
      compare(single(op, {"4x9xi32"}, {"4x1xi64"},
                     "%0|<{axis = 1 : i64, keepdims = true, select_last = " +
                         std::string(last) + "}>"));
    }
  for (const char *flags : {"", ", exclusive = true", ", reverse = true",
                            ", exclusive = true, reverse = true"})
    compareFloats(single("nn.cum_sum", {"3x9x2xT"}, {"3x9x2xT"},
                         "%0|<{axis = 1 : i64" + std::string(flags) + "}>"),
                  [&] {
                    CompareOptions o = CompareOptions();
                    o.scale = 8;
                    return o;
                  }());
}

TEST(Softmax, ForwardAndGradient) {
  CompareOptions options;
  options.ulps = 8;
  options.scale = 1;
  options.high = 4;
  for (const char *shape : {"6x37xT", "3x5x4xT"})
    for (const char *axis : {"1", "0"}) {
      const std::string attribute =
          "|<{axis = " + std::string(axis) + " : i64}>";
      compareFloats(single("nn.softmax", {shape}, {shape}, "%0" + attribute),
                    options);
      compareFloats(
          single("nn.log_softmax", {shape}, {shape}, "%0" + attribute),
          options);
      options.scale = 64; // sums of products
      compareFloats(single("nn.softmax_grad", {shape, shape}, {shape},
                           "%0, %1" + attribute),
                    options);
      options.scale = 4096; // e^y up to 55 times a sum of up to 37 terms
      compareFloats(single("nn.log_softmax_grad", {shape, shape}, {shape},
                           "%0, %1" + attribute),
                    options);
      options.scale = 1;
    }
  compare(
      single("nn.softmax", {"3x5xf64"}, {"3x5xf64"}, "%0|<{axis = 1 : i64}>"),
      options);
}

TEST(Norm, ForwardAndGradient) {
  CompareOptions options;
  options.ulps = 32; // sums of up to 140 terms of magnitude up to 4
  options.scale = 4;
  compareFloats(single("nn.layer_norm", {"6x35xT", "35xf32", "35xf32"},
                       {"6x35xT", "6x1xf32", "6x1xf32"},
                       "%0, %1, %2|<{axis = 1 : i64}>"),
                options);
  compareFloats(single("nn.rms_norm", {"6x35xT", "35xf32"},
                       {"6x35xT", "6x1xf32"}, "%0, %1|<{axis = 1 : i64}>"),
                options);
  compareFloats(single("nn.group_norm", {"3x6x5xT", "6xf32", "6xf32"},
                       {"3x6x5xT", "3x2xf32", "3x2xf32"},
                       "%0, %1, %2|<{num_groups = 2 : i64}>"),
                options);
  compareFloats(single("nn.batch_norm_training",
                       {"4x6x5x7xT", "6xf32", "6xf32", "6xf32", "6xf32"},
                       {"4x6x5x7xT", "6xf32", "6xf32", "6xf32", "6xf32"},
                       "%0, %1, %2, %3, %4|"),
                options);
  options.low = 0.1; // a variance
  compareFloats(single("nn.batch_norm_inference",
                       {"4x6x5xT", "6xf32", "6xf32", "6xf32", "6xf32"},
                       {"4x6x5xT"}, "%0, %1, %2, %3, %4|"),
                options);
  options.scale = 256; // dx and the sums
  compareFloats(single("nn.layer_norm_grad",
                       {"6x35xT", "6x35xT", "35xf32", "6x1xf32", "6x1xf32"},
                       {"6x35xT", "35xf32", "35xf32"},
                       "%0, %1, %2, %3, %4|<{axis = 1 : i64}>"),
                options);
  compareFloats(
      single("nn.rms_norm_grad", {"6x35xT", "6x35xT", "35xf32", "6x1xf32"},
             {"6x35xT", "35xf32"}, "%0, %1, %2, %3|<{axis = 1 : i64}>"),
      options);
  compareFloats(single("nn.group_norm_grad",
                       {"3x6x5xT", "3x6x5xT", "6xf32", "3x2xf32", "3x2xf32"},
                       {"3x6x5xT", "6xf32", "6xf32"},
                       "%0, %1, %2, %3, %4|<{num_groups = 2 : i64}>"),
                options);
  compareFloats(single("nn.batch_norm_grad",
                       {"4x6x5xT", "4x6x5xT", "6xf32", "6xf32", "6xf32"},
                       {"4x6x5xT", "6xf32", "6xf32"}, "%0, %1, %2, %3, %4|"),
                options);
}

TEST(Pooling, ForwardAndGradient) {
  CompareOptions options;
  options.ulps = 4;
  options.scale = 8;
  options.integers = 6;
  const std::string window = "kernel = array<i64: 3, 2>, strides = array<i64: "
                             "2, 1>, pads = array<i64: 1, 0, 1, 1>, "
                             "dilations = array<i64: 1, 2>";
  compareFloats(single("nn.max_pool", {"2x3x9x8xT"},
                       {"2x3x5x7xT", "2x3x5x7xi8"}, "%0|<{" + window + "}>"),
                options);
  compareFloats(single("nn.max_pool_grad", {"2x3x5x7xT", "2x3x5x7xi8"},
                       {"2x3x9x8xT"}, "%0, %1|<{" + window + "}>"),
                options);
  for (const char *pad : {"true", "false"}) {
    const std::string all = window + ", count_include_pad = " + pad + "}>";
    compareFloats(
        single("nn.avg_pool", {"2x3x9x8xT"}, {"2x3x5x7xT"}, "%0|<{" + all),
        options);
    compareFloats(
        single("nn.avg_pool_grad", {"2x3x5x7xT"}, {"2x3x9x8xT"}, "%0|<{" + all),
        options);
  }
}

TEST(Loss, AllKinds) {
  CompareOptions options;
  options.ulps = 16;
  options.scale = 8;
  options.integers = 7;
  for (const char *reduction : {"none", "mean", "sum"}) {
    const bool none = std::string(reduction) == "none";
    const std::string attribute =
        "reduction = #nn<loss_reduction " + std::string(reduction) + ">";
    for (const char *op : {"mse_loss", "l1_loss", "bce_with_logits_loss"}) {
      const std::string loss = none ? "5x41xf32" : "f32",
                        name = std::string("nn.") + op;
      options.scale = 512; // a sum of 205 terms
      compare(single(name, {"5x41xf32", "5x41xf32"}, {loss},
                     "%0, %1|<{" + attribute + "}>"),
              options);
      options.scale = 8;
      compare(single(name + "_grad", {loss, "5x41xf32", "5x41xf32"},
                     {"5x41xf32"}, "%0, %1, %2|<{" + attribute + "}>"),
              options);
    }
    const std::string loss = none ? "6x3xf32" : "f32";
    for (const char *ignore : {"", ", ignore_index = 2 : i64"}) {
      const std::string all = attribute + ", axis = 1 : i64" + ignore + "}>";
      compare(single("nn.softmax_cross_entropy",
                     {"6x7x3xf32", "6x3xi64", "7xf32"}, {loss, "6x7x3xf32"},
                     "%0, %1, %2|<{" + all),
              [&] {
                CompareOptions o = options;
                o.low = 0.1;
                return o;
              }());
      compare(single("nn.softmax_cross_entropy_grad",
                     {loss, "6x7x3xf32", "6x3xi64", "7xf32"}, {"6x7x3xf32"},
                     "%0, %1, %2, %3|<{" + all),
              [&] {
                CompareOptions o = options;
                o.low = 0.1;
                return o;
              }());
    }
  }
}

/// Values of the arguments behind the logits; the third of five samples has no
/// path (two equal labels in two frames), the fourth no label.
static CompareOptions ctcOptions(unsigned firstInteger) {
  CompareOptions options;
  options.low = -4;
  options.high = 4;
  options.value = [firstInteger](const std::string &name,
                                 int64_t i) -> std::optional<double> {
    static const double labels[] = {1,  1,  2, 3, 2, 1, 4, 4,
                                    -7, 99, 0, 0, 2, 6, 2};
    static const double frames[] = {9, 7, 2, 5, 8}, counts[] = {3, 2, 2, 0, 3};
    const unsigned number = name.back() - '0';
    if (number == firstInteger)
      return labels[i];
    if (number == firstInteger + 1)
      return frames[i];
    if (number == firstInteger + 2)
      return counts[i];
    return std::nullopt;
  };
  return options;
}

TEST(Loss, CTC) {
  for (const char *reduction : {"none", "mean", "sum"})
    for (const char *type : {"f32", "f64"})
      for (const char *zero : {"false", "true"}) {
        // Compiling is what takes time: everything in f32 but one.
        const std::string t = type;
        const bool isMean = std::string(reduction) == "mean";
        if (!isMean && (t == "f64" || std::string(zero) == "true"))
          continue;
        const std::string loss =
            std::string(reduction) == "none" ? "5x" + t : t;
        const std::string attributes = "|<{reduction = #nn<loss_reduction " +
                                       std::string(reduction) +
                                       ">, zero_infinity = " + zero + "}>";
        CompareOptions options = ctcOptions(1);
        // Sums over nine frames of logarithms up to 10.
        options.ulps = 32;
        options.scale = 16;
        compare(single("nn.ctc_loss",
                       {"5x9x7x" + t, "5x3xi64", "5xi64", "5xi64"},
                       {loss, "5x9x7x" + t, "5x9x7x" + t},
                       "%0, %1, %2, %3" + attributes),
                options);
        // The gradient of a loss, so that the forward variables are some.
        const std::string x = "tensor<5x9x7x" + t + ">";
        const std::string out = "tensor<" + loss + ">";
        const std::string rest =
            "tensor<5x3xi64>, tensor<5xi64>, tensor<5xi64>";
        options = ctcOptions(2);
        options.ulps = 64; // e^x of differences up to 10, x off by 8 ulp
        options.scale = 4;
        compare("func.func @f(%d: " + out + ", %x: " + x +
                    ", %l: tensor<5x3xi64>, %t: tensor<5xi64>, %s: "
                    "tensor<5xi64>) -> " +
                    x + " {\n  %r:3 = \"nn.ctc_loss\"(%x, %l, %t, %s) " +
                    attributes.substr(1) + " : (" + x + ", " + rest + ") -> (" +
                    out + ", " + x + ", " + x +
                    ")\n  %g = \"nn.ctc_loss_grad\"(%d, %r#1, %r#2, %l, %t, "
                    "%s) " +
                    attributes.substr(1) + " : (" + out + ", " + x + ", " + x +
                    ", " + rest + ") -> " + x + "\n  return %g : " + x +
                    "\n}\n",
                options);
      }
}

TEST(Contraction, PlainF64) {
  CompareOptions options;
  options.ulps = 16;
  options.scale = 16;
  compare(
      single("nn.matmul", {"2x3x5xf64", "5x4xf64"}, {"2x3x4xf64"}, "%0, %1|"),
      options);
  compareFloats(
      single("nn.matmul", {"2x3x5xT", "5x4xT"}, {"2x3x4xT"}, "%0, %1|"),
      options);
}
