//===- PoolingTest.cpp - Pooling ------------------------------------------===//

#include "OpTest.h"

using namespace mpt;
using namespace mpt::test;

namespace {
class PoolingTest : public OpTest {
protected:
  struct Pool {
    std::vector<int64_t> input, kernel, strides, pads, dilations;
    bool roundUp = false;

    std::vector<int64_t> output() const {
      std::vector<int64_t> result{input[0], input[1]};
      size_t axes = kernel.size();
      for (size_t i = 0; i < axes; ++i) {
        int64_t reach = input[i + 2] + pads[i] + pads[axes + i] -
                        dilations[i] * (kernel[i] - 1) - 1;
        result.push_back((reach + (roundUp ? strides[i] - 1 : 0)) / strides[i] +
                         1);
      }
      return result;
    }
    std::string attributes(llvm::StringRef more = "") const {
      auto list = [](const std::vector<int64_t> &values) {
        std::string text = "array<i64: ";
        for (size_t i = 0; i < values.size(); ++i)
          text += (i ? ", " : "") + std::to_string(values[i]);
        return text + ">";
      };
      return "{kernel = " + list(kernel) + ", strides = " + list(strides) +
             ", pads = " + list(pads) + ", dilations = " + list(dilations) +
             more.str() + "}";
    }
  };

  void checkMax(const Pool &pool, llvm::StringRef type,
                std::function<void(std::vector<Buffer> &)> prepare = {}) {
    std::string x = tensorText(pool.input, type);
    std::string y = tensorText(pool.output(), type);
    std::string taps = tensorText(pool.output(), "i8");
    // A maximum is exact.
    checkReference(
        functionText("nn.max_pool %0 " + pool.attributes(), {x}, {y, taps}),
        {0, 0}, prepare, "max_pool");
    int64_t window = 1;
    for (int64_t extent : pool.kernel)
      window *= extent;
    checkReference(
        functionText("nn.max_pool_grad %0, %1 " + pool.attributes(), {y, taps},
                     {x}),
        {1e-6, 1e-6},
        [window](std::vector<Buffer> &inputs) {
          for (int64_t i = 0; i < inputs[1].size(); ++i)
            inputs[1].set(i, double(i * 5 % window));
        },
        "max_pool_grad");
  }

  void checkMean(const Pool &pool, llvm::StringRef type, bool includePad) {
    std::string x = tensorText(pool.input, type);
    std::string y = tensorText(pool.output(), type);
    std::string more = includePad ? ", count_include_pad = true"
                                  : ", count_include_pad = false";
    checkReference(
        functionText("nn.avg_pool %0 " + pool.attributes(more), {x}, {y}),
        {1e-6, 1e-6}, {}, "avg_pool");
    checkReference(
        functionText("nn.avg_pool_grad %0 " + pool.attributes(more), {y}, {x}),
        {1e-6, 1e-6}, {}, "avg_pool_grad");
  }
};
} // namespace

TEST_F(PoolingTest, Max) {
  for (llvm::StringRef type : {"f32", "f16", "bf16"}) {
    checkMax({{2, 3, 28, 28}, {2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}}, type);
    checkMax({{2, 3, 15, 17}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}}, type);
  }
  checkMax({{2, 3, 7, 7}, {2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}}, "f32");
  checkMax({{1, 2, 12, 30}, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}}, "f32");
  checkMax({{1, 2, 19, 23}, {2, 3}, {3, 4}, {0, 1, 1, 2}, {1, 1}}, "f32");
  checkMax({{1, 2, 19, 23}, {3, 2}, {1, 2}, {2, 0, 1, 1}, {2, 3}}, "f32");
  checkMax({{1, 2, 10, 11}, {3, 3}, {2, 2}, {0, 0, 0, 0}, {1, 1}, true}, "f32");
  checkMax({{2, 3, 40}, {3}, {2}, {1, 0}, {1}}, "f16");
  checkMax({{1, 1, 3, 3}, {3, 3}, {1, 1}, {0, 0, 0, 0}, {1, 1}}, "f32");
}

TEST_F(PoolingTest, MaxOfEqualsAndNaN) {
  auto prepare = [](std::vector<Buffer> &inputs) {
    for (int64_t i = 0; i < inputs[0].size(); ++i)
      inputs[0].set(i, i % 11 == 0  ? NAN
                       : i % 5 == 0 ? -HUGE_VAL
                       : i < 40     ? -HUGE_VAL
                                    : double(i % 3));
  };
  checkMax({{1, 2, 12, 12}, {2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}}, "f32",
           prepare);
  checkMax({{1, 2, 12, 12}, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}}, "f16",
           prepare);
}

TEST_F(PoolingTest, Mean) {
  for (llvm::StringRef type : {"f32", "f16"}) {
    checkMean({{2, 3, 28, 28}, {2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}}, type,
              false);
    checkMean({{2, 3, 15, 17}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}}, type,
              true);
  }
  checkMean({{1, 2, 12, 30}, {3, 3}, {1, 1}, {0, 0, 0, 0}, {1, 1}}, "f32",
            false);
  checkMean({{1, 2, 13, 31}, {4, 3}, {3, 4}, {0, 0, 0, 0}, {1, 1}}, "f32",
            false);
}

TEST_F(PoolingTest, OtherVectorLengths) {
  for (auto [bytes, registers] : {std::pair(64, 32), std::pair(16, 16)}) {
    setVectors(bytes, registers);
    checkMax({{2, 3, 28, 28}, {2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}}, "f16");
    checkMax({{2, 3, 15, 47}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}}, "f32");
  }
}
