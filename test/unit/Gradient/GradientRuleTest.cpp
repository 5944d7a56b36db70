//===- GradientRuleTest.cpp - Derivatives against central differences -----===//
//
// Every operation with a derivative rule, in several shapes: a weighted sum of
// its results (random weights) is differentiated by mpt-differentiate and the
// gradients are compared with central differences, all in f64 through the
// reference interpreter.
//
//===----------------------------------------------------------------------===//

#include "RuleCases.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Reference/Interpreter.h"
#include "mpt/Transforms/Passes.h"

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

// Central differences with step h are wrong by h^2 |f'''|/6 (truncation) and
// eps |f| / h (rounding): with h = cbrt(eps) = 6e-6 both are near 4e-11 for
// values of order 1. The bound leaves room for large third derivatives (1/x,
// log near 0.2) and is far below what a wrong term would make (1e-2 and more).
constexpr double kTolerance = 1e-7;
// Gradients below this are compared absolutely: rounding alone makes 4e-11.
constexpr double kFloor = 1e-2;

class GradientRule : public testing::TestWithParam<RuleCase> {
protected:
  void SetUp() override {
    context.loadDialect<func::FuncDialect, nn::NNDialect, mp::MPDialect>();
  }
  static void TearDownTestSuite() {
    std::printf("worst relative error of all rules: %.1e (%s)\n", worstOfAll,
                worstRule.c_str());
  }

  static inline double worstOfAll = 0;
  static inline std::string worstRule;

  std::optional<double> evaluateLoss(ArrayRef<Tensor> arguments) {
    auto results = evaluate(*module, arguments);
    if (results.empty())
      return std::nullopt;
    return results[0].floats[0];
  }
  SmallVector<Tensor> evaluate(ModuleOp module, ArrayRef<Tensor> arguments) {
    reference::Options options;
    options.f64 = true;
    auto results = reference::Interpreter(options).run(
        *module.getOps<func::FuncOp>().begin(), arguments);
    return succeeded(results) ? std::move(*results) : SmallVector<Tensor>();
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

Tensor makeTensor(const ArgumentSpec &spec, RankedTensorType type,
                  std::mt19937_64 &random) {
  Tensor tensor(type.getShape(), type.getElementType());
  for (double &value : tensor.floats) {
    double u = std::uniform_real_distribution<double>(0, 1)(random);
    value = spec.low + u * (spec.high - spec.low);
    if (spec.onGrid)
      value = std::round(value);
  }
  for (int64_t &value : tensor.ints)
    value = std::uniform_int_distribution<int64_t>(int64_t(spec.low),
                                                   int64_t(spec.high))(random);
  return tensor;
}

/// What the rule's function is differentiated by.
SmallVector<unsigned> selectArguments(const RuleCase &rule) {
  SmallVector<unsigned> selected;
  for (auto [i, argument] : llvm::enumerate(rule.arguments))
    if (argument.differentiate)
      selected.push_back(i);
  return selected;
}

DifferentiatePassOptions differentiateBy(ArrayRef<unsigned> selected) {
  DifferentiatePassOptions options;
  for (unsigned i : selected)
    options.wrt += (options.wrt.empty() ? "a" : ",a") + std::to_string(i);
  return options;
}

SmallVector<Tensor> makeArguments(const RuleCase &rule, ModuleOp module) {
  std::mt19937_64 random(20260101);
  SmallVector<Tensor> arguments;
  auto function = *module.getOps<func::FuncOp>().begin();
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    ArgumentSpec weight{"", 0.5, 1.5};
    arguments.push_back(
        makeTensor(i < rule.arguments.size() ? rule.arguments[i] : weight,
                   cast<RankedTensorType>(type), random));
  }
  return arguments;
}

TEST_P(GradientRule, EqualsCentralDifferences) {
  const RuleCase &rule = GetParam();
  std::string text = textOf(rule);
  module = parseSourceString<ModuleOp>(text, &context);
  ASSERT_TRUE(module) << text;
  OwningOpRef<ModuleOp> differentiated(module->clone());
  SmallVector<unsigned> selected = selectArguments(rule);
  PassManager manager(&context);
  manager.addPass(createDifferentiatePass(differentiateBy(selected)));
  ASSERT_TRUE(succeeded(manager.run(*differentiated))) << text;
  SmallVector<Tensor> arguments = makeArguments(rule, *module);
  SmallVector<Tensor> results = evaluate(*differentiated, arguments);
  ASSERT_EQ(results.size(), 1 + selected.size()) << text;
  double worst = 0;
  for (auto [k, index] : llvm::enumerate(selected)) {
    const Tensor &gradient = results[1 + k];
    ASSERT_EQ(gradient.shape, arguments[index].shape);
    double difference = 0, norm = 0;
    for (size_t i = 0; i < gradient.floats.size(); ++i) {
      double &x = arguments[index].floats[i];
      const double kept = x;
      double step = std::cbrt(2.2e-16) * std::max(1.0, std::abs(x));
      // The step that is really taken.
      volatile double up = kept + step, down = kept - step;
      x = up;
      auto above = evaluateLoss(arguments);
      x = down;
      auto below = evaluateLoss(arguments);
      x = kept;
      ASSERT_TRUE(above && below) << text;
      double numeric = (*above - *below) / (up - down);
      difference += std::pow(gradient.floats[i] - numeric, 2);
      norm += numeric * numeric;
    }
    double error = std::sqrt(difference) / (std::sqrt(norm) + kFloor);
    EXPECT_LE(error, kTolerance) << "argument " << index << " of\n" << text;
    // A test of nothing but zeros could not fail.
    if (!rule.mayBeZero) {
      EXPECT_GT(norm, 0) << "argument " << index << " of\n" << text;
    }
    worst = std::max(worst, error);
  }
  if (worst > worstOfAll) {
    worstOfAll = worst;
    worstRule = rule.name;
  }
}

/// The backward graph of every rule is linear in the loss scale, which
/// mpt-verify-loss-scaling must see, and a power of two scales exactly.
TEST_P(GradientRule, IsLinearInTheLossScale) {
  const RuleCase &rule = GetParam();
  module = parseSourceString<ModuleOp>(textOf(rule), &context);
  ASSERT_TRUE(module);
  SmallVector<Tensor> arguments = makeArguments(rule, *module);
  SmallVector<unsigned> selected = selectArguments(rule);
  OwningOpRef<ModuleOp> scaled(module->clone());
  PassManager plain(&context), scaling(&context);
  for (PassManager *manager : {&plain, &scaling})
    manager->addPass(createDifferentiatePass(differentiateBy(selected)));
  ScaleLossPassOptions options;
  options.mode = "static";
  scaling.addNestedPass<func::FuncOp>(createScaleLossPass(options));
  scaling.addNestedPass<func::FuncOp>(createVerifyLossScalingPass());
  ASSERT_TRUE(succeeded(plain.run(*module)));
  ASSERT_TRUE(succeeded(scaling.run(*scaled))) << textOf(rule);
  SmallVector<Tensor> want = evaluate(*module, arguments);
  arguments.push_back(Tensor::scalar(1024, Float32Type::get(&context)));
  SmallVector<Tensor> got = evaluate(*scaled, arguments);
  ASSERT_GE(got.size(), want.size());
  for (size_t i = 1; i < want.size(); ++i)
    EXPECT_EQ(got[i].floats, want[i].floats) << textOf(rule);
}

INSTANTIATE_TEST_SUITE_P(Rules, GradientRule,
                         testing::ValuesIn(listRuleCases()),
                         [](const testing::TestParamInfo<RuleCase> &info) {
                           std::string name = info.param.name + "_" +
                                              std::to_string(info.index);
                           for (char &c : name)
                             if (!std::isalnum(static_cast<unsigned char>(c)))
                               c = '_';
                           return name;
                         });

/// Every operation with a derivative rule has a case above.
TEST(GradientRuleCoverage, EveryDifferentiableOperation) {
  MLIRContext context;
  context.loadDialect<nn::NNDialect, mp::MPDialect, func::FuncDialect>();
  std::set<std::string> covered;
  for (const RuleCase &rule : listRuleCases()) {
    auto module = parseSourceString<ModuleOp>(textOf(rule), &context);
    ASSERT_TRUE(module) << textOf(rule);
    // The operations of the case itself, not of the loss around it.
    module->walk([&](Operation *op) {
      std::string name = op->getName().getStringRef().str();
      if (StringRef(rule.body).contains(name + " "))
        covered.insert(name);
    });
  }
  size_t differentiable = 0;
  for (RegisteredOperationName name : context.getRegisteredOperations()) {
    if (!name.hasInterface<DifferentiableOpInterface>())
      continue;
    ++differentiable;
    EXPECT_TRUE(covered.count(name.getStringRef().str()))
        << name.getStringRef().str() << " has no case";
  }
  EXPECT_GT(differentiable, 70u);
}

//===----------------------------------------------------------------------===//
// Where central differences say nothing: exact conventions
//===----------------------------------------------------------------------===//

SmallVector<Tensor> differentiateText(MLIRContext &context, StringRef text,
                                      ArrayRef<Tensor> arguments) {
  auto module = parseSourceString<ModuleOp>(text, &context);
  EXPECT_TRUE(module);
  DifferentiatePassOptions options;
  options.wrt = "x";
  PassManager manager(&context);
  manager.addPass(createDifferentiatePass(options));
  EXPECT_TRUE(succeeded(manager.run(*module)));
  reference::Options f64;
  f64.f64 = true;
  auto results = reference::Interpreter(f64).run(
      *module->getOps<func::FuncOp>().begin(), arguments);
  EXPECT_TRUE(succeeded(results));
  return std::move(*results);
}

TEST(GradientConventions, EqualMaximaShareEvenly) {
  MLIRContext context;
  context.loadDialect<nn::NNDialect, mp::MPDialect, func::FuncDialect>();
  Tensor x({4}, Float64Type::get(&context));
  x.floats = {2, 1, 2, 2};
  auto results = differentiateText(
      context, R"(func.func @f(%x: tensor<4xf64> {mp.name = "x"})
        -> (tensor<f64> {mp.role = #mp.role<loss>}) {
      %0 = nn.reduce_max %x {axes = array<i64: 0>} : (tensor<4xf64>) -> tensor<f64>
      return %0 : tensor<f64> })",
      {x});
  double third = 1.0 / 3;
  EXPECT_EQ(results[1].floats, (std::vector<double>{third, 0, third, third}));
}

TEST(GradientConventions, ZeroToThePowerZero) {
  MLIRContext context;
  context.loadDialect<nn::NNDialect, mp::MPDialect, func::FuncDialect>();
  Tensor x({2}, Float64Type::get(&context)), e = x;
  x.floats = {0, 0};
  e.floats = {0, 2};
  auto results = differentiateText(
      context,
      R"(func.func @f(%x: tensor<2xf64> {mp.name = "x"}, %e: tensor<2xf64>)
        -> (tensor<f64> {mp.role = #mp.role<loss>}) {
      %0 = nn.pow %x, %e : tensor<2xf64>, tensor<2xf64>
      %1 = nn.reduce_sum %0 {axes = array<i64: 0>} : (tensor<2xf64>) -> tensor<f64>
      return %1 : tensor<f64> })",
      {x, e});
  EXPECT_EQ(results[1].floats, (std::vector<double>{0, 0}));
}

TEST(GradientConventions, ReluHasSlopeZeroAtZero) {
  MLIRContext context;
  context.loadDialect<nn::NNDialect, mp::MPDialect, func::FuncDialect>();
  Tensor x({}, Float64Type::get(&context));
  x.floats = {0};
  auto results = differentiateText(
      context, R"(func.func @f(%x: tensor<f64> {mp.name = "x"})
        -> (tensor<f64> {mp.role = #mp.role<loss>}) {
      %0 = nn.relu %x : tensor<f64>
      return %0 : tensor<f64> })",
      {x});
  EXPECT_EQ(results[1].floats, (std::vector<double>{0}));
}

} // namespace
