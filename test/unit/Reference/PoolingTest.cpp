//===- PoolingTest.cpp - Windows at borders -------------------------------===//

#include "Evaluate.h"

#include <cmath>
#include <limits>

using namespace mpt::reference;

namespace {
const double kInf = std::numeric_limits<double>::infinity();

class PoolingTest : public ReferenceTest {
protected:
  static std::string tensor(size_t n, const std::string &type = "f32") {
    return "tensor<1x1x" + std::to_string(n) + "x" + type + ">";
  }
  static std::string window(int k, int s, int p, int pEnd, int d,
                            const std::string &more = "") {
    auto array = [](int a) { return "array<i64: " + std::to_string(a) + ">"; };
    return "{kernel = " + array(k) + ", strides = " + array(s) +
           ", pads = array<i64: " + std::to_string(p) + ", " +
           std::to_string(pEnd) + ">, dilations = " + array(d) + more + "}";
  }
  /// Pooled values and taps.
  std::vector<Values> maxPool(const Values &x, size_t out,
                              const std::string &attributes,
                              const std::string &type = "f32") {
    const std::string y = tensor(out, type), taps = tensor(out, "i8");
    return values("func.func @f(%x: " + tensor(x.size(), type) + ") -> (" + y +
                      ", " + taps + ") {\n %r:2 = nn.max_pool %x " +
                      attributes + " : (" + tensor(x.size(), type) + ") -> (" +
                      y + ", " + taps + ")\n return %r#0, %r#1 : " + y + ", " +
                      taps + "\n}",
                  {x});
  }
  Values avgPool(const Values &x, size_t out, const std::string &attributes) {
    return value({tensor(x.size())}, tensor(out),
                 "nn.avg_pool %0 " + attributes + " : (" + tensor(x.size()) +
                     ") -> " + tensor(out),
                 {x});
  }
  Values avgPoolGrad(const Values &dy, size_t in,
                     const std::string &attributes) {
    return value({tensor(dy.size())}, tensor(in),
                 "nn.avg_pool_grad %0 " + attributes + " : (" +
                     tensor(dy.size()) + ") -> " + tensor(in),
                 {dy});
  }
};

TEST_F(PoolingTest, MaximumWithPaddingAndStride) {
  EXPECT_EQ(maxPool({-5, -1, -2, -9}, 2, window(3, 2, 1, 1, 1)),
            (std::vector<Values>{{-1, -1}, {2, 0}}));
}

TEST_F(PoolingTest, MaximumTakesTheFirstOfEqualsAndNaN) {
  EXPECT_EQ(maxPool({3, 3, 1}, 2, window(2, 1, 0, 0, 1)),
            (std::vector<Values>{{3, 3}, {0, 0}}));
  auto result = maxPool({1, NAN, 9}, 1, window(3, 1, 0, 0, 1));
  EXPECT_TRUE(std::isnan(result[0][0]));
  EXPECT_EQ(result[1], Values({1}));
}

TEST_F(PoolingTest, MaximumOfMinusInfinityIsNotThePadding) {
  // Tap 0 lies in the padding and must not be the one taken.
  EXPECT_EQ(maxPool({-kInf, -kInf}, 1, window(3, 3, 1, 0, 1)),
            (std::vector<Values>{{-kInf}, {1}}));
}

TEST_F(PoolingTest, MaximumWithDilationAndCeilMode) {
  EXPECT_EQ(maxPool({1, 2, 3, 4, 5}, 3, window(2, 1, 0, 0, 2)),
            (std::vector<Values>{{3, 4, 5}, {1, 1, 1}}));
  // ceil_mode: the third window has only one element.
  EXPECT_EQ(maxPool({5, 4, 3, 2, 1}, 3, window(2, 2, 0, 0, 1)),
            (std::vector<Values>{{5, 3, 1}, {0, 0, 0}}));
}

TEST_F(PoolingTest, MaximumOfUnsignedIntegers) {
  EXPECT_EQ(maxPool({200, 100, 7}, 2, window(2, 1, 0, 0, 1), "ui8"),
            (std::vector<Values>{{200, 100}, {0, 0}}));
}

TEST_F(PoolingTest, MaximumGradientGoesToTheTap) {
  EXPECT_EQ(value({tensor(3), tensor(3, "i8")}, tensor(4),
                  "nn.max_pool_grad %0, %1 " + window(2, 1, 0, 0, 1) + " : (" +
                      tensor(3) + ", " + tensor(3, "i8") + ") -> " + tensor(4),
                  {{1, 2, 4}, {1, 0, 1}}),
            Values({0, 3, 0, 4}));
}

TEST_F(PoolingTest, MeanCountsElementsOrPadding) {
  EXPECT_EQ(avgPool({2, 4, 6}, 3, window(3, 1, 1, 1, 1)), Values({3, 4, 5}));
  EXPECT_EQ(avgPool({3, 3, 6}, 3,
                    window(3, 1, 1, 1, 1, ", count_include_pad = true")),
            Values({2, 4, 3}));
  // ceil_mode: what lies behind the padding is never counted.
  EXPECT_EQ(avgPool({2, 4, 6, 8, 10}, 3,
                    window(2, 2, 0, 0, 1, ", count_include_pad = true")),
            Values({3, 7, 10}));
}

TEST_F(PoolingTest, MeanGradientSpreads) {
  EXPECT_EQ(avgPoolGrad({2, 3, 4}, 3, window(3, 1, 1, 1, 1)),
            Values({2, 4, 3}));
  EXPECT_EQ(avgPoolGrad({3, 6, 9}, 3,
                        window(3, 1, 1, 1, 1, ", count_include_pad = true")),
            Values({3, 6, 5}));
}
} // namespace
