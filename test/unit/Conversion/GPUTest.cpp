//===- GPUTest.cpp - What a GPU computes, computed without one ------------===//
//
// The templates' code for a GPU, run as a grid of one and of several threads
// one after the other, against the reference interpreter. (That the same code
// becomes PTX is what test/Conversion/GPU checks.)
//
//===----------------------------------------------------------------------===//

#include "OpTest.h"

#include "mpt/Reference/Interpreter.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::test;

namespace {

class GPUTest : public OpTest {
protected:
  static reference::Tensor toTensor(const Buffer &buffer) {
    reference::Tensor tensor(buffer.type.getShape(),
                             buffer.type.getElementType());
    for (int64_t i = 0; i < buffer.size(); ++i) {
      if (tensor.isFloat())
        tensor.floats[i] = buffer.get(i);
      else
        tensor.ints[i] = int64_t(buffer.get(i));
    }
    return tensor;
  }

  /// Sums of up to some hundred terms of size 1 in f32: 1e-5; 16-bit results
  /// are rounded once more.
  void checkGPU(const std::string &text, double absolute = 1e-5,
                std::function<void(std::vector<Buffer> &)> prepare = {}) {
    SCOPED_TRACE(text);
    auto target = conversion::TargetDescription::getGPU("sm_80", "+ptx80");
    target.threads = 7;
    std::string error;
    auto compiled = CompiledOp::compile(context, text, target, error);
    ASSERT_TRUE(compiled) << error;
    std::mt19937 generator(11);
    std::vector<Buffer> inputs, outputs;
    for (RankedTensorType type : compiled->getInputTypes()) {
      inputs.emplace_back(type);
      inputs.back().fillRandom(generator);
    }
    if (prepare)
      prepare(inputs);
    for (RankedTensorType type : compiled->getOutputTypes())
      outputs.emplace_back(type);

    std::vector<reference::Tensor> operands;
    for (const Buffer &input : inputs)
      operands.push_back(toTensor(input));
    SmallVector<const reference::Tensor *> pointers;
    for (Value operand : compiled->getOp()->getOperands())
      pointers.push_back(
          &operands[cast<BlockArgument>(operand).getArgNumber()]);
    auto expected = reference::evaluateOp(compiled->getOp(), pointers);
    ASSERT_TRUE(succeeded(expected));

    std::vector<std::vector<double>> first;
    for (int64_t threads : {1, 7}) {
      SmallVector<void *> tensors;
      for (Buffer &input : inputs)
        tensors.push_back(input.data());
      for (Buffer &output : outputs) {
        output.fillBytes(0x7B);
        tensors.push_back(output.data());
      }
      compiled->run(tensors, threads, /*poisonScratch=*/true);
      for (auto [number, output] : llvm::enumerate(outputs)) {
        const reference::Tensor &wanted = (*expected)[number];
        const double ulp = storageUlp(output.type.getElementType());
        for (int64_t i = 0; i < output.size(); ++i) {
          const double want =
              wanted.isFloat() ? wanted.floats[i] : double(wanted.ints[i]);
          ASSERT_NEAR(output.get(i), want,
                      absolute + ulp * (std::fabs(want) + absolute))
              << "result " << number << ", element " << i << ", " << threads
              << " threads";
        }
      }
      // Bit for bit the same, whatever the grid.
      for (auto [number, output] : llvm::enumerate(outputs)) {
        if (threads == 1)
          first.push_back(output.values());
        else
          ASSERT_EQ(first[number], output.values()) << "result " << number;
      }
    }
  }
};

std::string window(llvm::StringRef op, llvm::StringRef rest = "") {
  return (op +
          " {strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, "
          "dilations = array<i64: 1, 1>" +
          rest + "}")
      .str();
}

TEST_F(GPUTest, Pointwise) {
  for (int64_t count : {1, 7, 8, 64, 1001})
    // Not bf16: the GPU rounds by an instruction that a CPU calls a library
    // for.
    for (const char *type : {"f16", "f32"}) {
      std::string tensor = tensorText({count}, type);
      checkGPU("func.func @f(%a: " + tensor + ", %b: " + tensor + ") -> " +
               tensor + " {\n %0 = nn.add %a, %b : " + tensor + ", " + tensor +
               "\n return %0 : " + tensor + "\n}");
    }
}

TEST_F(GPUTest, MatMul) {
  for (const char *attributes :
       {"", " {transpose_rhs = true}", " {transpose_lhs = true}"}) {
    std::string text = attributes;
    bool lhs = text.find("lhs") != std::string::npos,
         rhs = text.find("rhs") != std::string::npos;
    checkGPU(functionText(
        "nn.matmul %0, %1" + text,
        {lhs ? tensorText({2, 1, 30, 9}, "f16")
             : tensorText({2, 1, 9, 30}, "f16"),
         rhs ? tensorText({3, 11, 30}, "f16") : tensorText({3, 30, 11}, "f16")},
        {tensorText({2, 3, 9, 11}, "f32")}));
  }
}

TEST_F(GPUTest, Convolutions) {
  std::string x = tensorText({3, 4, 9, 8}, "f16"),
              w = tensorText({6, 2, 3, 3}, "f16"),
              y = tensorText({3, 6, 5, 4}, "f16");
  std::string group = ", group = 2 : i64";
  checkGPU(functionText(window("nn.conv %0, %1", group), {x, w}, {y}));
  checkGPU(
      functionText(window("nn.conv_transpose %0, %1", group), {y, w}, {x}));
  checkGPU(functionText(window("nn.conv_filter_grad %0, %1", group), {x, y},
                        {tensorText({6, 2, 3, 3}, "f32")}));
}

TEST_F(GPUTest, Pooling) {
  std::string x = tensorText({2, 3, 9, 8}, "f16"),
              y = tensorText({2, 3, 5, 4}, "f16"),
              taps = tensorText({2, 3, 5, 4}, "i8");
  std::string kernel = ", kernel = array<i64: 3, 3>";
  checkGPU(functionText(window("nn.max_pool %0", kernel), {x}, {y, taps}));
  checkGPU(
      functionText(window("nn.max_pool_grad %0, %1", kernel), {y, taps}, {x}));
  checkGPU(functionText(window("nn.avg_pool %0", kernel), {x}, {y}));
  checkGPU(functionText(window("nn.avg_pool_grad %0", kernel), {y}, {x}));
}

TEST_F(GPUTest, Reductions) {
  for (const char *op : {"sum", "mean", "max", "min", "prod"})
    for (auto [axes, result] :
         {std::pair<const char *, SmallVector<int64_t>>{": 0", {10, 6}},
          {": 1", {70, 6}},
          {": 0, 2", {10}},
          {": 0, 1, 2", {}},
          {"", {70, 10, 6}}})
      checkGPU(functionText(std::string("nn.reduce_") + op +
                                " %0 {axes = array<i64" + axes + ">}",
                            {tensorText({70, 10, 6}, "f32")},
                            {tensorText(result, "f32")}),
               /*absolute=*/1e-4);
}

TEST_F(GPUTest, BatchNorm) {
  std::string stats = tensorText({5}, "f32");
  auto positive = [](std::vector<Buffer> &inputs) {
    for (int64_t i = 0; i < 5; ++i)
      inputs[4].set(i, std::fabs(inputs[4].get(i)) + 0.5);
  };
  for (std::string x :
       {tensorText({6, 5, 7, 3}, "f16"), tensorText({40, 5}, "f32")}) {
    checkGPU(functionText("nn.batch_norm_training %0, %1, %2, %3, %4",
                          {x, stats, stats, stats, stats},
                          {x, stats, stats, stats, stats}),
             1e-5, positive);
    checkGPU(functionText("nn.batch_norm_grad %0, %1, %2, %3, %4",
                          {x, x, stats, stats, stats}, {x, stats, stats}),
             1e-4, positive);
    checkGPU(functionText("nn.batch_norm_inference %0, %1, %2, %3, %4",
                          {x, stats, stats, stats, stats}, {x}),
             1e-5, positive);
  }
}

TEST_F(GPUTest, SoftmaxAndLoss) {
  std::string x = tensorText({33, 10}, "f32"), labels = tensorText({33}, "i64"),
              weights = tensorText({10}, "f32"), loss = tensorText({}, "f32");
  checkGPU("func.func @f(%0: " + x + ") -> " + x +
           " {\n  %r = nn.softmax %0 {axis = 1 : i64} : " + x +
           "\n  return %r : " + x + "\n}");
  std::string axis = " {axis = 1 : i64, ignore_index = 3 : i64}";
  checkGPU(functionText("nn.softmax_cross_entropy %0, %1" + axis, {x, labels},
                        {loss, x}));
  checkGPU(functionText("nn.softmax_cross_entropy_grad %0, %1, %2" + axis,
                        {loss, x, labels}, {x}));
}

TEST_F(GPUTest, Finite) {
  std::string text = "func.func @f(%a: tensor<1003xf16>, %b: tensor<5xf32>) -> "
                     "(tensor<i1>, tensor<i64>) {\n  %0:2 = mp.all_finite %a, "
                     "%b : tensor<1003xf16>, tensor<5xf32>\n  return %0#0, "
                     "%0#1 : tensor<i1>, tensor<i64>\n}";
  checkGPU(text);
  for (int64_t operand : {0, 1})
    checkGPU(text, 0, [&](std::vector<Buffer> &inputs) {
      inputs[operand].set(inputs[operand].size() - 1,
                          std::numeric_limits<double>::infinity());
    });
}

} // namespace
