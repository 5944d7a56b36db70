//===- NormalizationTest.cpp - Normalizations, softmax, cross-entropy -----===//
//
// Tolerances: sums of n FP32 terms of magnitude about 1 are good to some 1e-7 n
// before they are divided by n or scaled; gradients sum over a batch.
//
//===----------------------------------------------------------------------===//

#include "OpTest.h"

using namespace mpt;
using namespace mpt::test;

namespace {
class NormalizationTest : public OpTest {
protected:
  using Shape = std::vector<int64_t>;

  static int64_t countOf(const Shape &shape) {
    int64_t product = 1;
    for (int64_t extent : shape)
      product *= extent;
    return product;
  }

  /// Positive rstd-like values in operand `index`.
  static std::function<void(std::vector<Buffer> &)> positive(size_t index) {
    return [index](std::vector<Buffer> &inputs) {
      std::mt19937 generator(3);
      inputs[index].fillRandom(generator, 0.5, 2);
    };
  }

  void checkBatchNorm(const Shape &shape, llvm::StringRef type) {
    std::string x = tensorText(shape, type);
    std::string s = tensorText({shape[1]}, "f32");
    double n = double(countOf(shape) / shape[1]);
    checkReference(
        functionText("nn.batch_norm_training %0, %1, %2, %3, %4 "
                     "{epsilon = 1.0e-3 : f64, momentum = 0.8 : f64}",
                     {x, s, s, s, s}, {x, s, s, s, s}),
        {1e-5, 1e-5}, {}, "batch_norm_training");
    checkReference(functionText("nn.batch_norm_inference %0, %1, %2, %3, %4 "
                                "{epsilon = 1.0e-3 : f64}",
                                {x, s, s, s, s}, {x}),
                   {1e-5, 1e-5}, positive(4), "batch_norm_inference");
    checkReference(functionText("nn.batch_norm_grad %0, %1, %2, %3, %4",
                                {x, x, s, s, s}, {x, s, s}),
                   {2e-7 * n + 1e-5, 1e-5}, positive(4), "batch_norm_grad");
  }

  void checkRowNorm(const Shape &shape, int64_t axis, llvm::StringRef type) {
    std::string x = tensorText(shape, type);
    Shape rows(shape), columns(shape.begin() + axis, shape.end());
    std::fill(rows.begin() + axis, rows.end(), 1);
    std::string s = tensorText(columns, "f32"), m = tensorText(rows, "f32");
    std::string a = " {axis = " + std::to_string(axis) + " : i64}";
    double n = double(countOf(rows));
    checkReference(
        functionText("nn.layer_norm %0, %1, %2" + a, {x, s, s}, {x, m, m}),
        {1e-5, 1e-5}, {}, "layer_norm");
    checkReference(functionText("nn.layer_norm %0, %1" + a, {x, s}, {x, m, m}),
                   {1e-5, 1e-5}, {}, "layer_norm");
    checkReference(functionText("nn.layer_norm_grad %0, %1, %2, %3, %4" + a,
                                {x, x, s, m, m}, {x, s, s}),
                   {2e-7 * n + 1e-5, 1e-5}, positive(4), "layer_norm_grad");
    checkReference(functionText("nn.rms_norm %0, %1" + a, {x, s}, {x, m}),
                   {1e-5, 1e-5}, {}, "rms_norm");
    checkReference(functionText("nn.rms_norm_grad %0, %1, %2, %3" + a,
                                {x, x, s, m}, {x, s}),
                   {2e-7 * n + 1e-5, 1e-5}, positive(3), "rms_norm_grad");
  }

  void checkGroupNorm(const Shape &shape, int64_t groups,
                      llvm::StringRef type) {
    std::string x = tensorText(shape, type);
    std::string s = tensorText({shape[1]}, "f32");
    std::string m = tensorText({shape[0], groups}, "f32");
    std::string a = " {num_groups = " + std::to_string(groups) + " : i64}";
    double n = double(countOf(shape) / shape[1]);
    checkReference(
        functionText("nn.group_norm %0, %1, %2" + a, {x, s, s}, {x, m, m}),
        {1e-5, 1e-5}, {}, "group_norm");
    checkReference(functionText("nn.group_norm_grad %0, %1, %2, %3, %4" + a,
                                {x, x, s, m, m}, {x, s, s}),
                   {2e-7 * n + 1e-5, 1e-5}, positive(4), "group_norm_grad");
  }

  static std::string sameType(llvm::StringRef body, const std::string &type,
                              int operands) {
    std::string arguments = "%0: " + type;
    if (operands == 2)
      arguments += ", %1: " + type;
    return "func.func @f(" + arguments + ") -> " + type +
           " {\n  %r = " + body.str() + " : " + type +
           "\n  return %r : " + type + "\n}";
  }

  void checkSoftmax(const Shape &shape, int64_t axis, llvm::StringRef type) {
    std::string x = tensorText(shape, type);
    std::string a = " {axis = " + std::to_string(axis) + " : i64}";
    auto wide = [](std::vector<Buffer> &inputs) {
      std::mt19937 generator(3);
      inputs[0].fillRandom(generator, -30, 30);
    };
    checkReference(sameType("nn.softmax %0" + a, x, 1), {1e-6, 1e-5}, wide,
                   "softmax");
    checkReference(sameType("nn.log_softmax %0" + a, x, 1), {1e-5, 1e-5}, wide,
                   "log_softmax");
    checkReference(sameType("nn.softmax_grad %0, %1" + a, x, 2), {1e-5, 1e-5},
                   {}, "softmax_grad");
    checkReference(sameType("nn.log_softmax_grad %0, %1" + a, x, 2),
                   {5e-5, 1e-5}, {}, "log_softmax_grad");
  }

  void checkCrossEntropy(const Shape &shape, int64_t axis, bool weights,
                         bool ignore, llvm::StringRef reduction,
                         llvm::StringRef labelType = "i64") {
    std::string x = tensorText(shape, "f32");
    Shape samples(shape);
    samples.erase(samples.begin() + axis);
    std::string labels = tensorText(samples, labelType);
    std::string w = tensorText({shape[axis]}, "f32");
    std::string loss = reduction == "none" ? tensorText(samples, "f32")
                                           : std::string("tensor<f32>");
    std::string a = "{axis = " + std::to_string(axis) + " : i64, " +
                    (ignore ? "ignore_index = 2 : i64, " : "") +
                    "reduction = #nn<loss_reduction " + reduction.str() + ">}";
    int64_t classes = shape[axis];
    auto label = [classes](size_t index) {
      return [=](std::vector<Buffer> &inputs) {
        for (int64_t i = 0; i < inputs[index].size(); ++i)
          inputs[index].set(i, double((i * 7 + 3) % classes));
        if (inputs.size() > index + 1) {
          std::mt19937 generator(3);
          inputs[index + 1].fillRandom(generator, 0.5, 2);
        }
      };
    };
    std::vector<std::string> forward{x, labels}, backward{loss, x, labels};
    if (weights) {
      forward.push_back(w);
      backward.push_back(w);
    }
    checkReference(functionText("nn.softmax_cross_entropy %0, %1 " +
                                    std::string(weights ? "weights %2 " : "") +
                                    a,
                                forward, {loss, x}),
                   {1e-6 * double(countOf(samples)) + 1e-5, 1e-5}, label(1),
                   "softmax_cross_entropy");
    checkReference(functionText("nn.softmax_cross_entropy_grad %0, %1, %2 " +
                                    std::string(weights ? "weights %3 " : "") +
                                    a,
                                backward, {x}),
                   {1e-5, 1e-5}, label(2), "softmax_cross_entropy");
  }
};
} // namespace

TEST_F(NormalizationTest, BatchNorm) {
  for (llvm::StringRef type : {"f32", "f16", "bf16"}) {
    checkBatchNorm({4, 3, 7, 7}, type);
    checkBatchNorm({5, 19}, type); // channels along the lanes
  }
  checkBatchNorm({2, 3, 28, 28}, "f32");
  checkBatchNorm({3, 2, 2, 2}, "f32"); // less than a vector
  checkBatchNorm({9, 8}, "f32");
  checkBatchNorm({6, 1, 5}, "f16");
}

TEST_F(NormalizationTest, BatchNormOfLargeMean) {
  // E[x^2] - E[x]^2 in FP32 would lose the variance altogether.
  checkReference(
      functionText("nn.batch_norm_training %0, %1, %2, %3, %4",
                   {"tensor<4x2x9x9xf32>", "tensor<2xf32>", "tensor<2xf32>",
                    "tensor<2xf32>", "tensor<2xf32>"},
                   {"tensor<4x2x9x9xf32>", "tensor<2xf32>", "tensor<2xf32>",
                    "tensor<2xf32>", "tensor<2xf32>"}),
      // Elements near 4096 have an ulp of 4.9e-4, a standard deviation of 0.58.
      {2e-3, 1e-4}, [](std::vector<Buffer> &inputs) {
        std::mt19937 generator(3);
        inputs[0].fillRandom(generator, 4095, 4097);
      });
}

TEST_F(NormalizationTest, Rows) {
  for (llvm::StringRef type : {"f32", "f16"}) {
    checkRowNorm({6, 64}, 1, type);
    checkRowNorm({2, 3, 5, 7}, 2, type);
  }
  checkRowNorm({3, 5}, 1, "f32");
  checkRowNorm({40, 100}, 1, "bf16");
  checkRowNorm({4, 6}, 0, "f32");
}

TEST_F(NormalizationTest, Groups) {
  checkGroupNorm({3, 6, 5, 7}, 2, "f32");
  checkGroupNorm({2, 4, 9}, 4, "f16");
  checkGroupNorm({2, 4, 40, 3}, 1, "f32");
}

TEST_F(NormalizationTest, Softmax) {
  for (llvm::StringRef type : {"f32", "f16"}) {
    checkSoftmax({5, 10}, 1, type);
    checkSoftmax({2, 3, 64}, 2, type);
    checkSoftmax({2, 5, 19}, 1, type);
    checkSoftmax({7, 3, 2}, 0, type);
  }
  checkSoftmax({3, 1}, 1, "f32");
}

TEST_F(NormalizationTest, SoftmaxOfInfinities) {
  checkReference(
      sameType("nn.softmax %0 {axis = 1 : i64}", "tensor<3x20xf32>", 1),
      {1e-6, 1e-5}, [](std::vector<Buffer> &inputs) {
        for (int64_t i = 0; i < 20; ++i) // causal masks
          if (i != 3)
            inputs[0].set(i, -HUGE_VAL);
        inputs[0].set(25, NAN);
      });
}

TEST_F(NormalizationTest, CrossEntropy) {
  for (llvm::StringRef reduction : {"mean", "sum", "none"}) {
    checkCrossEntropy({13, 10}, 1, false, false, reduction);
    checkCrossEntropy({13, 10}, 1, true, true, reduction, "i32");
    checkCrossEntropy({2, 5, 3, 4}, 1, true, false, reduction);
    checkCrossEntropy({3, 40, 7}, 1, false, true, reduction);
  }
}

TEST_F(NormalizationTest, OtherVectorLengths) {
  for (auto [bytes, registers] : {std::pair(64, 32), std::pair(16, 16)}) {
    setVectors(bytes, registers);
    checkBatchNorm({4, 3, 7, 7}, "f16");
    checkBatchNorm({5, 19}, "f32");
    checkRowNorm({6, 100}, 1, "f32");
    checkSoftmax({2, 5, 19}, 1, "f32");
  }
}
