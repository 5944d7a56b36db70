//===- ContractionTest.cpp - Matrix products and convolutions -------------===//

#include "OpTest.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::test;

namespace {
class ContractionTest : public OpTest {
protected:
  //===------------------------------------------------------------------===//
  // matmul
  //===------------------------------------------------------------------===//

  static std::vector<Values> matmulFormula(Operation *op,
                                           const std::vector<Values> &in) {
    auto matmul = cast<nn::MatMulOp>(op);
    auto lhs = cast<RankedTensorType>(matmul.getLhs().getType()).getShape();
    auto rhs = cast<RankedTensorType>(matmul.getRhs().getType()).getShape();
    auto out = cast<RankedTensorType>(matmul.getResult().getType()).getShape();
    int64_t m = out[out.size() - 2], n = out.back();
    int64_t k = matmul.getTransposeLhs() ? lhs[lhs.size() - 2] : lhs.back();
    auto leading = out.drop_back(2);
    auto base = [&](ArrayRef<int64_t> shape, int64_t batch) {
      // The linear number, in a shape that broadcasts, of leading index
      // `batch`.
      int64_t result = 0, stride = 1;
      for (int64_t i = leading.size() - 1, j = int64_t(shape.size()) - 3;
           i >= 0; --i, --j) {
        int64_t at = batch % leading[i];
        batch /= leading[i];
        if (j < 0)
          continue;
        result += (shape[j] == 1 ? 0 : at) * stride;
        stride *= shape[j];
      }
      return result;
    };
    int64_t batches = 1;
    for (int64_t extent : leading)
      batches *= extent;
    Values result(batches * m * n);
    for (int64_t b = 0; b < batches; ++b) {
      int64_t lhsBase = base(lhs, b) * m * k, rhsBase = base(rhs, b) * k * n;
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (int64_t l = 0; l < k; ++l)
            sum += in[0][lhsBase +
                         (matmul.getTransposeLhs() ? l * m + i : i * k + l)] *
                   in[1][rhsBase +
                         (matmul.getTransposeRhs() ? j * k + l : l * n + j)];
          result[(b * m + i) * n + j] = sum;
        }
    }
    return {result};
  }

  void checkMatMul(std::vector<int64_t> lhsBatch, std::vector<int64_t> rhsBatch,
                   std::vector<int64_t> batch, int64_t m, int64_t n, int64_t k,
                   bool ta, bool tb, StringRef type, StringRef resultType) {
    auto shape = [](std::vector<int64_t> leading, int64_t a, int64_t b) {
      leading.push_back(a);
      leading.push_back(b);
      return leading;
    };
    std::string flags = "nn.matmul %0, %1 {transpose_lhs = " +
                        std::string(ta ? "true" : "false") +
                        ", transpose_rhs = " + (tb ? "true" : "false") + "}";
    std::string text = functionText(
        flags,
        {tensorText(shape(lhsBatch, ta ? k : m, ta ? m : k), type),
         tensorText(shape(rhsBatch, tb ? n : k, tb ? k : n), type)},
        {tensorText(shape(batch, m, n), resultType)});
    // FP32 sums of k products of magnitude at most 1: an error of half an ulp
    // of the partial sums (at most sqrt(k) typically) per addition, random
    // walk.
    check(text, matmulFormula, {1.2e-7 * k + 1e-7, 1e-6}, {}, "matmul");
  }

  //===------------------------------------------------------------------===//
  // Convolutions
  //===------------------------------------------------------------------===//

  struct Conv {
    int64_t batch, channels, filters;
    std::vector<int64_t> input, kernel, strides, pads, dilations;
    int64_t group = 1;
    std::vector<int64_t> output() const {
      std::vector<int64_t> result;
      size_t axes = input.size();
      for (size_t i = 0; i < axes; ++i)
        result.push_back((input[i] + pads[i] + pads[axes + i] -
                          dilations[i] * (kernel[i] - 1) - 1) /
                             strides[i] +
                         1);
      return result;
    }
    std::string attributes() const {
      auto list = [](const std::vector<int64_t> &values) {
        std::string text = "array<i64: ";
        for (size_t i = 0; i < values.size(); ++i)
          text += (i ? ", " : "") + std::to_string(values[i]);
        return text + ">";
      };
      return "{strides = " + list(strides) + ", pads = " + list(pads) +
             ", dilations = " + list(dilations) +
             ", group = " + std::to_string(group) + " : i64}";
    }
    static std::vector<int64_t> prepend(int64_t a, int64_t b,
                                        std::vector<int64_t> rest) {
      rest.insert(rest.begin(), {a, b});
      return rest;
    }
    /// Calls visit(x, w, y) with linear numbers for every product of the
    /// convolution.
    void
    forEach(llvm::function_ref<void(int64_t, int64_t, int64_t)> visit) const {
      std::vector<int64_t> out = output();
      size_t axes = input.size();
      auto size = [](const std::vector<int64_t> &extents) {
        int64_t product = 1;
        for (int64_t extent : extents)
          product *= extent;
        return product;
      };
      int64_t inSize = size(input), outSize = size(out), taps = size(kernel);
      int64_t groupChannels = channels / group, groupFilters = filters / group;
      for (int64_t n = 0; n < batch; ++n)
        for (int64_t f = 0; f < filters; ++f)
          for (int64_t p = 0; p < outSize; ++p)
            for (int64_t c = 0; c < groupChannels; ++c)
              for (int64_t t = 0; t < taps; ++t) {
                int64_t position = p, tap = t, x = 0, stride = 1;
                bool inside = true;
                for (size_t i = axes; i-- > 0;) {
                  int64_t at = position % out[i] * strides[i] - pads[i] +
                               tap % kernel[i] * dilations[i];
                  position /= out[i];
                  tap /= kernel[i];
                  inside &= at >= 0 && at < input[i];
                  x += at * stride;
                  stride *= input[i];
                }
                if (inside)
                  visit((n * channels + f / groupFilters * groupChannels + c) *
                                inSize +
                            x,
                        (f * groupChannels + c) * taps + t,
                        (n * filters + f) * outSize + p);
              }
    }
  };

  /// All three operations of a convolution.
  void checkConv(const Conv &conv, StringRef type, StringRef resultType,
                 bool bias = false) {
    auto x = Conv::prepend(conv.batch, conv.channels, conv.input);
    auto w =
        Conv::prepend(conv.filters, conv.channels / conv.group, conv.kernel);
    auto y = Conv::prepend(conv.batch, conv.filters, conv.output());
    auto size = [](const std::vector<int64_t> &extents) {
      int64_t product = 1;
      for (int64_t extent : extents)
        product *= extent;
      return product;
    };
    // As for matmul, with the length of each operation's sums.
    auto tolerance = [](double terms) {
      return Tolerance{1.2e-7 * terms + 1e-7, 1e-6};
    };
    double taps = double(size(conv.kernel));
    std::vector<std::string> operands{tensorText(x, type), tensorText(w, type)};
    if (bias)
      operands.push_back(tensorText({conv.filters}, type));
    check(
        functionText("nn.conv %0, %1 " + std::string(bias ? "bias %2 " : "") +
                         conv.attributes(),
                     operands, {tensorText(y, resultType)}),
        [&](Operation *, const std::vector<Values> &in) {
          Values result(size(y));
          int64_t plane = size(conv.output());
          if (bias)
            for (size_t i = 0; i < result.size(); ++i)
              result[i] = in[2][i / plane % conv.filters];
          conv.forEach([&](int64_t xi, int64_t wi, int64_t yi) {
            result[yi] += in[0][xi] * in[1][wi];
          });
          return std::vector<Values>{result};
        },
        tolerance(taps * conv.channels / conv.group), {}, "conv");
    check(
        functionText("nn.conv_transpose %0, %1 " + conv.attributes(),
                     {tensorText(y, type), tensorText(w, type)},
                     {tensorText(x, resultType)}),
        [&](Operation *, const std::vector<Values> &in) {
          Values result(size(x));
          conv.forEach([&](int64_t xi, int64_t wi, int64_t yi) {
            result[xi] += in[0][yi] * in[1][wi];
          });
          return std::vector<Values>{result};
        },
        tolerance(taps * conv.filters / conv.group), {}, "conv_transpose");
    check(
        functionText("nn.conv_filter_grad %0, %1 " + conv.attributes(),
                     {tensorText(x, type), tensorText(y, type)},
                     {tensorText(w, resultType)}),
        [&](Operation *, const std::vector<Values> &in) {
          Values result(size(w));
          conv.forEach([&](int64_t xi, int64_t wi, int64_t yi) {
            result[wi] += in[0][xi] * in[1][yi];
          });
          return std::vector<Values>{result};
        },
        tolerance(double(conv.batch * size(conv.output()))), {},
        "conv_filter_grad");
  }
};
} // namespace

TEST_F(ContractionTest, MatMulSizes) {
  for (bool ta : {false, true})
    for (bool tb : {false, true}) {
      checkMatMul({}, {}, {}, 1, 1, 1, ta, tb, "f32", "f32");
      checkMatMul({}, {}, {}, 3, 5, 7, ta, tb, "f32", "f32");
      checkMatMul({}, {}, {}, 48, 48, 20, ta, tb, "f32", "f32"); // whole tiles
      checkMatMul({}, {}, {}, 37, 61, 43, ta, tb, "f32", "f32");
      checkMatMul({}, {}, {}, 70, 130, 900, ta, tb, "f32",
                  "f32"); // split depth
      checkMatMul({}, {}, {}, 37, 61, 43, ta, tb, "f16", "f32");
      checkMatMul({}, {}, {}, 70, 35, 450, ta, tb, "f16", "f16");
      checkMatMul({}, {}, {}, 33, 20, 17, ta, tb, "bf16", "bf16");
    }
  checkMatMul({}, {}, {}, 300, 600, 30, false, false, "f32",
              "f32"); // several blocks
  checkMatMul({}, {}, {}, 301, 603, 31, false, true, "f16", "f16");
  checkMatMul({}, {}, {}, 1, 1000, 64, false, false, "f32", "f32");
  checkMatMul({}, {}, {}, 64, 10, 128, false, true, "f32", "f32");
}

TEST_F(ContractionTest, MatMulBatches) {
  checkMatMul({2, 3}, {2, 3}, {2, 3}, 5, 9, 11, false, true, "f32", "f32");
  checkMatMul({4, 3}, {}, {4, 3}, 5, 17, 8, false, false, "f32", "f32");
  checkMatMul({3}, {2, 1}, {2, 3}, 6, 16, 8, true, false, "f16", "f16");
  checkMatMul({}, {4}, {4}, 6, 16, 8, false, false, "f32", "f32");
  checkMatMul({2, 1, 3}, {5, 1}, {2, 5, 3}, 4, 4, 4, false, true, "f32", "f32");
}

TEST_F(ContractionTest, Conv2D) {
  Conv simple{3, 4, 5, {9, 11}, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}};
  for (StringRef type : {"f32", "f16", "bf16"}) {
    checkConv(simple, type, type);
    checkConv(simple, type, "f32", /*bias=*/true);
  }
  checkConv({2, 3, 8, {16, 16}, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}}, "f32",
            "f32"); // whole vectors
  checkConv({70, 1, 6, {7, 7}, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}}, "f32",
            "f32"); // many small images
  checkConv({2, 3, 4, {10, 13}, {3, 2}, {2, 3}, {1, 0, 2, 1}, {1, 1}}, "f32",
            "f32"); // strides, uneven pads
  checkConv({2, 3, 4, {12, 15}, {3, 3}, {1, 1}, {2, 1, 0, 3}, {2, 1}}, "f32",
            "f32"); // dilation
  checkConv({2, 2, 3, {14, 17}, {3, 3}, {2, 2}, {2, 2, 2, 2}, {2, 3}}, "f16",
            "f16"); // both
  checkConv({2, 2, 3, {9, 9}, {1, 1}, {2, 2}, {0, 0, 0, 0}, {1, 1}}, "f32",
            "f32"); // taps miss elements
  checkConv({3, 5, 7, {6, 5}, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}}, "f32",
            "f32", true); // pointwise
  checkConv({1, 2, 2, {4, 4}, {5, 5}, {1, 1}, {2, 2, 2, 2}, {1, 1}}, "f32",
            "f32"); // kernel larger than image
  checkConv({1, 2, 2, {8, 8}, {2, 2}, {3, 3}, {0, 0, 0, 0}, {1, 1}}, "f32",
            "f32"); // stride beyond kernel
  checkConv({1, 1, 1, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}}, "f32",
            "f32");
  checkConv({1, 3, 4, {40, 300}, {3, 5}, {1, 2}, {1, 2, 1, 2}, {1, 1}}, "f32",
            "f32", true); // bands of rows
}

TEST_F(ContractionTest, ConvGroups) {
  checkConv({2, 6, 9, {7, 8}, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 3}, "f32",
            "f32", true);
  checkConv({2, 6, 6, {7, 8}, {3, 3}, {2, 1}, {1, 1, 1, 1}, {1, 1}, 6}, "f16",
            "f32");
  checkConv({2, 4, 8, {10, 10}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 4}, "f32",
            "f32");
}

TEST_F(ContractionTest, ConvLarge) {
  checkConv({2, 40, 50, {30, 30}, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}}, "f32",
            "f32");
  checkConv({2, 130, 70, {7, 7}, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}}, "f16",
            "f16");
  checkConv({1, 300, 40, {30, 30}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}}, "f32",
            "f32"); // channels in blocks
}

TEST_F(ContractionTest, ConvOtherRanks) {
  checkConv({2, 3, 4, {19}, {3}, {1}, {1, 1}, {1}}, "f32", "f32", true);
  checkConv({2, 3, 4, {29}, {4}, {3}, {2, 1}, {2}}, "f16", "f16");
  checkConv({1, 4, 3, {33000}, {3}, {2}, {1, 1}, {1}}, "f32",
            "f32"); // bands of columns
  checkConv(
      {2, 3, 4, {5, 6, 7}, {3, 2, 3}, {1, 1, 1}, {1, 0, 1, 1, 1, 1}, {1, 1, 1}},
      "f32", "f32");
  checkConv({2,
             2,
             4,
             {6, 7, 9},
             {2, 3, 3},
             {2, 1, 2},
             {0, 2, 1, 1, 2, 1},
             {1, 2, 1},
             2},
            "f32", "f32", true);
  checkConv({1,
             8,
             4,
             {30, 40, 40},
             {3, 3, 3},
             {1, 1, 1},
             {1, 1, 1, 1, 1, 1},
             {1, 1, 1}},
            "f32", "f32"); // bands
}

TEST_F(ContractionTest, OtherVectorLengths) {
  for (auto [bytes, registers] : {std::pair(64, 32), std::pair(16, 16)}) {
    setVectors(bytes, registers);
    checkMatMul({}, {}, {}, 37, 61, 43, false, true, "f32", "f32");
    checkMatMul({}, {}, {}, 70, 135, 450, true, false, "f16", "f16");
    checkConv({3, 4, 5, {9, 19}, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}}, "f16",
              "f32", true);
    checkConv({2, 3, 4, {10, 40}, {3, 2}, {2, 2}, {1, 0, 2, 1}, {1, 1}}, "f32",
              "f32");
  }
}
