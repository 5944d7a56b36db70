//===- ValueRangesTest.cpp - Inferred ranges hold what is computed --------===//

#include "../Gradient/RuleCases.h"

#include "mpt/Analysis/ValueRanges.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Interfaces/ValueRangeOpInterface.h"
#include "mpt/Reference/Interpreter.h"
#include "mpt/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

using namespace mlir;
using namespace mpt;
using namespace mpt::test;
using reference::Tensor;

namespace {

std::string replaceAll(std::string text, StringRef from, StringRef to) {
  for (size_t at = 0; (at = text.find(from.str(), at)) != std::string::npos;
       at += to.size())
    text.replace(at, from.size(), to.str());
  return text;
}

/// How the elements of float arguments are chosen.
struct Draw {
  double factor = 1;     // the declared bounds are multiplied by it
  bool specials = false; // infinities, NaN and zeros among them; no bounds
};

class Soundness : public testing::TestWithParam<RuleCase> {
protected:
  void SetUp() override {
    context.loadDialect<func::FuncDialect, nn::NNDialect, mp::MPDialect>();
    context.getDiagEngine().registerHandler(
        [](Diagnostic &) { return success(); });
  }

  /// False where the text does not hold in these types.
  bool check(const std::string &text, const Draw &draw) {
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
    if (!module)
      return false;
    const RuleCase &rule = GetParam();
    DifferentiatePassOptions options;
    for (auto [i, argument] : llvm::enumerate(rule.arguments))
      if (argument.differentiate)
        options.wrt += (options.wrt.empty() ? "a" : ",a") + std::to_string(i);
    PassManager manager(&context);
    manager.addPass(createDifferentiatePass(options));
    if (failed(manager.run(*module)))
      return false;
    auto function = *module->getOps<func::FuncOp>().begin();
    std::mt19937_64 random(20260101);
    for (int round = 0; round < 4; ++round) {
      SmallVector<Tensor> arguments;
      const ArgumentSpec weight{"", -1.5, 1.5};
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        arguments.push_back(drawArgument(
            function, i, i < rule.arguments.size() ? rule.arguments[i] : weight,
            draw, random));
      const ValueRanges ranges(function);
      reference::Options interpret;
      interpret.observer = [&](Operation *op, ArrayRef<Tensor> results) {
        for (auto [value, tensor] : llvm::zip(op->getResults(), results))
          expectInside(op, ranges.lookup(value), tensor);
        return success();
      };
      (void)reference::Interpreter(interpret).run(function,
                                                  ArrayRef<Tensor>(arguments));
      if (HasFailure()) {
        function.dump();
        return true;
      }
    }
    return true;
  }

private:
  Tensor drawArgument(func::FuncOp function, unsigned index,
                      const ArgumentSpec &spec, const Draw &draw,
                      std::mt19937_64 &random) {
    auto type = cast<RankedTensorType>(function.getArgumentTypes()[index]);
    Tensor tensor(type.getShape(), type.getElementType());
    const double low = spec.low * draw.factor, high = spec.high * draw.factor;
    for (double &value : tensor.floats) {
      const double u = std::uniform_real_distribution<double>(0, 1)(random);
      value = low + u * (high - low);
      // The ends are where a bound is wrong first.
      switch (random() % 8) {
      case 0:
        value = low;
        break;
      case 1:
        value = high;
        break;
      case 2:
        value = low <= 0 && 0 <= high ? 0 : value;
        break;
      default:
        break;
      }
      if (spec.onGrid)
        value = std::round(value);
      if (draw.specials) {
        const double kSpecials[] = {INFINITY, -INFINITY, std::nan(""), 0,
                                    1e-40,    3e38,      -3e38,        -0.0};
        if (random() % 6 == 0)
          value = kSpecials[random() % std::size(kSpecials)];
      }
      value = std::isnan(value)
                  ? value
                  : reference::roundToType(
                        value, cast<FloatType>(type.getElementType()));
    }
    for (int64_t &value : tensor.ints)
      value = std::uniform_int_distribution<int64_t>(
          int64_t(spec.low), int64_t(spec.high))(random);
    if (tensor.isFloat() && !draw.specials) {
      // The bounds as the type holds them.
      auto element = cast<FloatType>(type.getElementType());
      const double bounds[] = {reference::roundToType(low, element),
                               reference::roundToType(high, element)};
      function.setArgAttr(index, kRangeAttrName,
                          DenseF64ArrayAttr::get(&context, bounds));
    }
    return tensor;
  }

  void expectInside(Operation *op, const NumericRange &range,
                    const Tensor &tensor) {
    for (int64_t i = 0; i < tensor.numElements(); ++i) {
      const double value = tensor.isFloat()
                               ? tensor.floats[i]
                               : static_cast<double>(tensor.ints[i]);
      EXPECT_TRUE(range.contains(value))
          << op->getName().getStringRef().str() << " gives " << value
          << " outside of " << range.str() << " (smallest " << range.smallest
          << ")";
      if (HasFailure())
        return;
    }
  }

protected:
  MLIRContext context;
};

/// The function in another element type; infinities in constants have its bits.
std::string inType(std::string text, StringRef type) {
  const StringRef infinity = type == "f16" ? "0xFC00" : "0xFF800000";
  for (const char *end : {",", "]"})
    text = replaceAll(text, std::string("0xFFF0000000000000") + end,
                      (infinity + end).str());
  return replaceAll(text, "f64>", (type + ">").str());
}

TEST_P(Soundness, InDeclaredRanges) {
  const std::string text = textOf(GetParam());
  EXPECT_TRUE(check(text, {}));
  EXPECT_TRUE(check(inType(text, "f32"), {}));
  check(inType(text, "f16"), {});
}
TEST_P(Soundness, InWideRanges) {
  const std::string text = textOf(GetParam());
  for (double factor : {1e-3, 30.0, 1e4}) {
    check(inType(text, "f32"), {factor});
    check(inType(text, "f16"), {factor});
  }
}
TEST_P(Soundness, OfAnyInput) {
  const std::string text = textOf(GetParam());
  check(inType(text, "f32"), {1, /*specials=*/true});
  check(inType(text, "f16"), {1, /*specials=*/true});
}

std::vector<RuleCase> listCases() { return listRuleCases(); }
INSTANTIATE_TEST_SUITE_P(Rules, Soundness, testing::ValuesIn(listCases()),
                         [](const testing::TestParamInfo<RuleCase> &info) {
                           return info.param.name + "_" +
                                  std::to_string(info.index);
                         });

//===----------------------------------------------------------------------===//

class ValueRangesTest : public testing::Test {
protected:
  ValueRangesTest() {
    context.loadDialect<func::FuncDialect, nn::NNDialect, mp::MPDialect,
                        arith::ArithDialect>();
  }
  /// The ranges of what the function returns.
  std::vector<NumericRange> infer(StringRef text, RangeSeeds seeds = {}) {
    module = parseSourceString<ModuleOp>(text, &context);
    EXPECT_TRUE(module);
    if (!module)
      return {};
    auto function = *module->getOps<func::FuncOp>().begin();
    const ValueRanges ranges(function, seeds);
    std::vector<NumericRange> result;
    for (Value value :
         function.getBody().front().getTerminator()->getOperands())
      result.push_back(ranges.lookup(value));
    return result;
  }
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

/// An operation without a transfer function may give anything: sound, and of
/// no use. The list is what is known to be so.
TEST_F(ValueRangesTest, OperationsWithoutTransferFunction) {
  // Symbols, foreign nodes, groups and terminators; constants are read, and
  // regions iterated.
  const std::set<std::string> none = {
      "nn.branch_yield", "nn.constant", "nn.if",   "nn.kernel",
      "nn.loop",         "nn.next",     "nn.scan", "nn.onnx_node",
      "nn.parameter",    "nn.yield"};
  std::set<std::string> missing;
  for (RegisteredOperationName name : context.getRegisteredOperations()) {
    StringRef dialect = name.getDialectNamespace();
    if ((dialect == "nn" || dialect == "mp") &&
        !name.hasInterface<ValueRangeOpInterface>())
      missing.insert(name.getStringRef().str());
  }
  EXPECT_EQ(missing, none);
}

TEST_F(ValueRangesTest, UnknownInputsMayBeAnything) {
  auto ranges = infer(R"(
    func.func @f(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<1xf32>) {
      %s = nn.softmax %x {axis = 0} : tensor<4xf32>
      %0 = nn.onnx_node "" : "Fancy"(%s) {opset = 1 : i64, node = "", operand_names = ["s"]} : (tensor<4xf32>) -> tensor<4xf32>
      %1 = nn.exp %0 : tensor<4xf32>
      %2 = nn.reduce_sum %s {axes = array<i64: 0>, keepdims = true} : (tensor<4xf32>) -> tensor<1xf32>
      return %s, %1, %2 : tensor<4xf32>, tensor<4xf32>, tensor<1xf32>
    })");
  ASSERT_EQ(ranges.size(), 3u);
  EXPECT_EQ(ranges[0].hi, 1);
  EXPECT_EQ(ranges[0].lo, 0);
  EXPECT_TRUE(ranges[0].nan && !ranges[0].hasInf());
  EXPECT_EQ(ranges[1].lo, 0);
  EXPECT_TRUE(ranges[1].posInf && ranges[1].nan);
  EXPECT_NEAR(ranges[2].hi, 4, 1e-5);
}

TEST_F(ValueRangesTest, SlicesHaveTheRangeOfTheWhole) {
  auto ranges = infer(R"(
    func.func @f(%c: tensor<i1>, %x: tensor<3x4xf32> {mp.range = array<f64: -2.0, 3.0>}) -> (tensor<4x3xf32>, tensor<3x4xf32>) {
      %0 = nn.scan carried() over(%x) {
      ^bb0(%slice: tensor<4xf32>):
        %1 = nn.relu %slice : tensor<4xf32>
        nn.next collected(%1 : tensor<4xf32>)
      } {axes = array<i64: 0>, reversed = array<i1: false>, collected_axes = array<i64: 1>, collected_reversed = array<i1: false>}
        : (tensor<3x4xf32>) -> (tensor<4x3xf32>)
      %2 = nn.if %c -> (tensor<3x4xf32>) {
        %3 = nn.neg %x : tensor<3x4xf32>
        nn.branch_yield %3 : tensor<3x4xf32>
      } else {
        nn.branch_yield %x : tensor<3x4xf32>
      }
      return %0, %2 : tensor<4x3xf32>, tensor<3x4xf32>
    })");
  EXPECT_EQ(ranges[0].lo, 0);
  EXPECT_EQ(ranges[0].hi, 3);
  EXPECT_EQ(ranges[1].lo, -3);
  EXPECT_EQ(ranges[1].hi, 3);
}

TEST_F(ValueRangesTest, OperandsThatHangTogether) {
  auto ranges = infer(R"(
    func.func @f(%x: tensor<2x8xf32> {mp.range = array<f64: -50.0, 50.0>}) -> (tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>) {
      %max = nn.reduce_max %x {axes = array<i64: 1>, keepdims = true} : (tensor<2x8xf32>) -> tensor<2x1xf32>
      %d = nn.sub %x, %max : tensor<2x8xf32>, tensor<2x1xf32>
      %e = nn.exp %d : tensor<2x8xf32>
      %sum = nn.reduce_sum %e {axes = array<i64: 1>} : (tensor<2x8xf32>) -> tensor<2xf32>
      %view = nn.reshape %sum : tensor<2xf32> to tensor<2x1xf32>
      %p = nn.div %e, %view : tensor<2x8xf32>, tensor<2x1xf32>
      %eps = nn.constant dense<1.0e-5> : tensor<f32>
      %sq = nn.mul %x, %x : tensor<2x8xf32>, tensor<2x8xf32>
      %ms = nn.reduce_mean %sq {axes = array<i64: 1>, keepdims = true} : (tensor<2x8xf32>) -> tensor<2x1xf32>
      %add = nn.add %ms, %eps : tensor<2x1xf32>, tensor<f32>
      %rms = nn.sqrt %add : tensor<2x1xf32>
      %n = nn.div %x, %rms : tensor<2x8xf32>, tensor<2x1xf32>
      return %e, %p, %n : tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>
    })");
  ASSERT_EQ(ranges.size(), 3u);
  EXPECT_EQ(ranges[0].hi, 1);
  EXPECT_GT(ranges[0].smallest, 0);
  EXPECT_EQ(ranges[1].hi, 1);
  EXPECT_TRUE(ranges[1].isFinite());
  EXPECT_NEAR(ranges[2].hi, std::sqrt(8.0), 1e-4); // the margin for FP32 sums
}

/// The maximum over another axis says nothing of an element.
TEST_F(ValueRangesTest, OperandsThatDoNotHangTogether) {
  auto ranges = infer(R"(
    func.func @f(%x: tensor<8x8xf32> {mp.range = array<f64: -5.0, 5.0>}) -> tensor<8x8xf32> {
      %max = nn.reduce_max %x {axes = array<i64: 1>} : (tensor<8x8xf32>) -> tensor<8xf32>
      %d = nn.sub %x, %max : tensor<8x8xf32>, tensor<8xf32>
      return %d : tensor<8x8xf32>
    })");
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_EQ(ranges[0].hi, 10);
}

TEST_F(ValueRangesTest, MasksStayFiniteApartFromTheirInfinities) {
  auto ranges = infer(R"(
    func.func @f(%x: tensor<2x2xf32> {mp.range = array<f64: -9.0, 9.0>}) -> (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>) {
      %open = nn.constant dense<[[0.0, 0xFF800000], [0.0, 0.0]]> : tensor<2x2xf32>
      %a = nn.add %x, %open : tensor<2x2xf32>, tensor<2x2xf32>
      %s = nn.softmax %a {axis = 1} : tensor<2x2xf32>
      %closed = nn.constant dense<[[0xFF800000, 0xFF800000], [0.0, 0.0]]> : tensor<2x2xf32>
      %b = nn.add %x, %closed : tensor<2x2xf32>, tensor<2x2xf32>
      %t = nn.softmax %b {axis = 1} : tensor<2x2xf32>
      return %a, %s, %t : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>
    })");
  ASSERT_EQ(ranges.size(), 3u);
  EXPECT_EQ(ranges[0].str(), "[-9, 9] or -inf");
  EXPECT_EQ(ranges[1].str(), "[0, 1]");
  EXPECT_EQ(ranges[2].str(), "[0, 1] or nan");
}

TEST_F(ValueRangesTest, MeasuredRangesAreMet) {
  RangeSeeds seeds;
  seeds.measured = [](Value value) -> std::optional<NumericRange> {
    if (value.getDefiningOp<nn::NegOp>())
      return NumericRange::between(-2, 1);
    return std::nullopt;
  };
  auto ranges = infer(R"(
    func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = nn.neg %x : tensor<4xf32>
      %1 = nn.mul %0, %0 : tensor<4xf32>, tensor<4xf32>
      return %1 : tensor<4xf32>
    })",
                      seeds);
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_EQ(ranges[0].str(), "[0, 4]");
}

TEST_F(ValueRangesTest, LossScaleAndStepFollowTheirContract) {
  auto ranges = infer(R"(
    func.func @f(%s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale", mp.initial = 65536.0 : f32},
                 %c: tensor<i64>, %b: tensor<i64>, %f: tensor<i1>,
                 %t: tensor<i64> {mp.role = #mp.role<step>, mp.name = "step"}) -> (tensor<f32>, tensor<i64>) {
      %0:3 = mp.update_scale %s, %c, %b if %f : tensor<f32>
      return %s, %t : tensor<f32>, tensor<i64>
    })");
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(ranges[0].str(), "[1, 1.677722e+07]");
  EXPECT_EQ(ranges[1].lo, 0);
}
} // namespace
