//===- ContractionTest.cpp - Products and convolutions against loops ------===//

#include "Evaluate.h"

#include <cmath>

using namespace mpt::reference;

namespace {
// Sums of fewer than 1000 products of numbers below 1 in double, in another
// order: 1000 * 2^-53 * 1000 at the very worst.
constexpr double kTolerance = 1e-10;

class ContractionTest : public ReferenceTest {
protected:
  Values matmul(const std::string &lhs, const std::string &rhs,
                const std::string &result, const Values &a, const Values &b,
                const std::string &attributes = "") {
    return value({lhs, rhs}, result,
                 "nn.matmul %0, %1 " + attributes + " : (" + lhs + ", " + rhs +
                     ") -> " + result,
                 {a, b});
  }
};

TEST_F(ContractionTest, MatMulAgainstLoops) {
  // Sizes around the tile of 4 x 8.
  for (int m : {1, 4, 7})
    for (int n : {1, 8, 19})
      for (int k : {1, 33}) {
        const Values a = numbers(m * k), b = numbers(k * n, 2);
        Values want(m * n), at(m * k), bt(k * n);
        for (int i = 0; i < m; ++i)
          for (int j = 0; j < n; ++j)
            for (int l = 0; l < k; ++l)
              want[i * n + j] += a[i * k + l] * b[l * n + j];
        for (int l = 0; l < k; ++l) {
          for (int i = 0; i < m; ++i)
            at[l * m + i] = a[i * k + l];
          for (int j = 0; j < n; ++j)
            bt[j * k + l] = b[l * n + j];
        }
        auto type = [](int rows, int columns) {
          return "tensor<" + std::to_string(rows) + "x" +
                 std::to_string(columns) + "xf64>";
        };
        expectNear(matmul(type(m, k), type(k, n), type(m, n), a, b), want,
                   kTolerance);
        expectNear(matmul(type(k, m), type(n, k), type(m, n), at, bt,
                          "{transpose_lhs = true, transpose_rhs = true}"),
                   want, kTolerance);
      }
}

TEST_F(ContractionTest, MatMulBroadcastsBatches) {
  const Values a = numbers(2 * 1 * 2 * 3), b = numbers(4 * 3 * 2, 2);
  Values want(2 * 4 * 2 * 2);
  for (int p = 0; p < 2; ++p)
    for (int q = 0; q < 4; ++q)
      for (int i = 0; i < 2; ++i)
        for (int j = 0; j < 2; ++j)
          for (int l = 0; l < 3; ++l)
            want[((p * 4 + q) * 2 + i) * 2 + j] +=
                a[(p * 2 + i) * 3 + l] * b[(q * 3 + l) * 2 + j];
  expectNear(matmul("tensor<2x1x2x3xf64>", "tensor<4x3x2xf64>",
                    "tensor<2x4x2x2xf64>", a, b),
             want, kTolerance);
}

TEST_F(ContractionTest, SumsAreRoundedOnce) {
  // 2048 + 1 + 1 is 2050 in f16 only when the sum is not rounded on its way.
  EXPECT_EQ(matmul("tensor<1x3xf16>", "tensor<3x1xf16>", "tensor<1x1xf16>",
                   {2048, 1, 1}, {1, 1, 1}),
            Values({2050}));
  EXPECT_EQ(matmul("tensor<1x2xf16>", "tensor<2x1xf16>", "tensor<1x1xf32>",
                   {2048, 1}, {1, 1}),
            Values({2049}));
}

/// A 2-D convolution with all attributes away from their defaults.
struct Shape {
  int n = 2, c = 4, h = 7, w = 8, f = 6, kh = 3, kw = 2, group = 2;
  int sh = 2, sw = 1, ph = 1, pw = 0, phEnd = 2, pwEnd = 1, dh = 1, dw = 3;

  int oh() const { return (h + ph + phEnd - dh * (kh - 1) - 1) / sh + 1; }
  int ow() const { return (w + pw + pwEnd - dw * (kw - 1) - 1) / sw + 1; }
  std::string input() const { return type(n, c, h, w); }
  std::string filter() const { return type(f, c / group, kh, kw); }
  std::string output() const { return type(n, f, oh(), ow()); }
  static std::string type(int a, int b, int c, int d) {
    return "tensor<" + std::to_string(a) + "x" + std::to_string(b) + "x" +
           std::to_string(c) + "x" + std::to_string(d) + "xf64>";
  }
  std::string attributes() const {
    return "{strides = array<i64: 2, 1>, pads = array<i64: 1, 0, 2, 1>, "
           "dilations = array<i64: 1, 3>, group = 2 : i64}";
  }
  /// fn(x index, filter index, y index) for every product of the convolution.
  template <typename Fn> void forEachProduct(Fn fn) const {
    const int cg = c / group, fg = f / group;
    for (int b = 0; b < n; ++b)
      for (int o = 0; o < f; ++o)
        for (int y = 0; y < oh(); ++y)
          for (int x = 0; x < ow(); ++x)
            for (int i = 0; i < cg; ++i)
              for (int p = 0; p < kh; ++p)
                for (int q = 0; q < kw; ++q) {
                  const int iy = y * sh - ph + p * dh;
                  const int ix = x * sw - pw + q * dw;
                  if (iy < 0 || iy >= h || ix < 0 || ix >= w)
                    continue;
                  const int channel = o / fg * cg + i;
                  fn(((b * c + channel) * h + iy) * w + ix,
                     ((o * cg + i) * kh + p) * kw + q,
                     ((b * f + o) * oh() + y) * ow() + x);
                }
  }
};

TEST_F(ContractionTest, ConvolutionAndItsGradientsAgainstLoops) {
  const Shape s;
  const Values x = numbers(s.n * s.c * s.h * s.w);
  const Values filter = numbers(s.f * s.c / s.group * s.kh * s.kw, 2);
  const Values y = numbers(s.n * s.f * s.oh() * s.ow(), 3);
  const Values bias = numbers(s.f, 4);
  Values wantY(y.size()), wantX(x.size()), wantFilter(filter.size());
  for (size_t i = 0; i < wantY.size(); ++i)
    wantY[i] = bias[i / (s.oh() * s.ow()) % s.f];
  s.forEachProduct([&](int i, int k, int o) {
    wantY[o] += x[i] * filter[k];
    wantX[i] += y[o] * filter[k];
    wantFilter[k] += x[i] * y[o];
  });
  expectNear(value({s.input(), s.filter(), "tensor<6xf64>"}, s.output(),
                   "nn.conv %0, %1 bias %2 " + s.attributes() + " : (" +
                       s.input() + ", " + s.filter() + ", tensor<6xf64>) -> " +
                       s.output(),
                   {x, filter, bias}),
             wantY, kTolerance);
  expectNear(value({s.output(), s.filter()}, s.input(),
                   "nn.conv_transpose %0, %1 " + s.attributes() + " : (" +
                       s.output() + ", " + s.filter() + ") -> " + s.input(),
                   {y, filter}),
             wantX, kTolerance);
  expectNear(value({s.input(), s.output()}, s.filter(),
                   "nn.conv_filter_grad %0, %1 " + s.attributes() + " : (" +
                       s.input() + ", " + s.output() + ") -> " + s.filter(),
                   {x, y}),
             wantFilter, kTolerance);
}

TEST_F(ContractionTest, ConvolvesAlongOneAndThreeAxes) {
  EXPECT_EQ(value({"tensor<1x1x5xf32>", "tensor<1x1x3xf32>"},
                  "tensor<1x1x3xf32>",
                  "nn.conv %0, %1 {strides = array<i64: 2>, pads = array<i64: "
                  "1, 1>, dilations = array<i64: 1>} : (tensor<1x1x5xf32>, "
                  "tensor<1x1x3xf32>) -> tensor<1x1x3xf32>",
                  {{1, 2, 3, 4, 5}, {1, 10, 100}}),
            Values({210, 432, 54}));
  EXPECT_EQ(value({"tensor<1x1x2x2x2xf32>", "tensor<1x1x2x1x2xf32>"},
                  "tensor<1x1x1x2x1xf32>",
                  "nn.conv %0, %1 {strides = array<i64: 1, 1, 1>, pads = "
                  "array<i64: 0, 0, 0, 0, 0, 0>, dilations = array<i64: 1, 1, "
                  "1>} : (tensor<1x1x2x2x2xf32>, tensor<1x1x2x1x2xf32>) -> "
                  "tensor<1x1x1x2x1xf32>",
                  {{1, 2, 3, 4, 5, 6, 7, 8}, {1, 10, 100, 1000}}),
            Values({6521, 8743}));
}
} // namespace
