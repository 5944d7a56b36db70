//===- Compare.cpp - A function compiled against the Reference ------------===//

#include "Compare.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

#include "mlir/Parser/Parser.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace mpt;
using namespace mpt::execution;

/// Bits of the significand and the least exponent.
static std::pair<int, int> getPrecision(data::DType dtype) {
  switch (dtype) {
  case data::DType::F64:
    return {53, -1022};
  case data::DType::F16:
    return {11, -14};
  case data::DType::BF16:
    return {8, -126};
  default:
    return {24, -126};
  }
}

static double getUlp(double magnitude, data::DType dtype) {
  auto [bits, least] = getPrecision(dtype);
  int exponent = least;
  if (magnitude > 0 && std::isfinite(magnitude))
    exponent = std::max(least, std::ilogb(magnitude));
  return std::ldexp(1.0, exponent - bits + 1);
}

static void fill(StepExecutor &executor, const test::CompareOptions &options) {
  uint64_t random = options.seed * 0x9E3779B97F4A7C15 + 1;
  auto next = [&] {
    // xorshift64* (Vigna 2016)
    random ^= random >> 12;
    random ^= random << 25;
    random ^= random >> 27;
    return double((random * 0x2545F4914F6CDD1D) >> 11) * 0x1p-53;
  };
  for (auto [number, info] : llvm::enumerate(executor.getArguments())) {
    data::HostTensor tensor(data::DType::F64, info.shape);
    for (int64_t i = 0; i < tensor.numElements(); ++i) {
      const double uniform = next();
      std::optional<double> given;
      if (options.value)
        given = options.value(info.name, i);
      double value = options.low + (options.high - options.low) * uniform;
      if (info.dtype == data::DType::Bool)
        value = uniform < 0.5;
      else if (!data::isFloat(info.dtype))
        value = std::floor(uniform * double(options.integers));
      tensor.data<double>()[i] = given.value_or(value);
    }
    std::string error;
    // Rounded once, so that both get the same numbers.
    ASSERT_TRUE(
        executor.setArgument(number, data::convert(tensor, info.dtype), error))
        << error;
  }
}

static void compareResult(const data::TensorView &actual,
                          const data::TensorView &expected,
                          const test::CompareOptions &options) {
  ASSERT_EQ(actual.dtype, expected.dtype) << actual.name;
  data::HostTensor a = data::convert(data::copy(actual), data::DType::F64);
  data::HostTensor e = data::convert(data::copy(expected), data::DType::F64);
  ASSERT_EQ(a.shape, e.shape) << actual.name;
  double worst = 0;
  for (int64_t i = 0; i < a.numElements(); ++i) {
    const double x = a.data<double>()[i], y = e.data<double>()[i];
    if (x == y || (std::isnan(x) && std::isnan(y)))
      continue;
    const double unit =
        getUlp(std::max(std::fabs(y), options.scale), actual.dtype);
    const double error = data::isFloat(actual.dtype)
                             ? std::fabs(x - y) / unit
                             : std::numeric_limits<double>::infinity();
    ASSERT_LE(error, options.ulps) << actual.name << "[" << i << "]: compiled "
                                   << x << ", reference " << y;
    worst = std::max(worst, error);
  }
  ::testing::Test::RecordProperty("ulps_" + actual.name, std::to_string(worst));
}

void test::compare(const std::string &source, const CompareOptions &options) {
  SCOPED_TRACE(source);
  DialectRegistry registry;
  registry.insert<arith::ArithDialect, func::FuncDialect, mp::MPDialect,
                  nn::NNDialect>();
  MLIRContext context(registry);
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>(source, ParserConfig(&context));
  ASSERT_TRUE(module);
  auto func = module->lookupSymbol<func::FuncOp>("f");
  ASSERT_TRUE(func);

  auto create = [&](Target target, bool checkPlan, int32_t threads) {
    ExecutorOptions executorOptions;
    executorOptions.target = target;
    executorOptions.checkPlan = checkPlan;
    executorOptions.threads = threads;
    auto executor = StepExecutor::create(*module, func, executorOptions);
    return failed(executor) ? nullptr : std::move(*executor);
  };
  auto reference = create(Target::Reference, false, 1);
  auto compiled = create(Target::CPU, false, options.threads);
  auto checked = create(Target::CPU, true, 1);
  ASSERT_TRUE(reference && compiled && checked);
  std::string error;
  for (StepExecutor *executor :
       {reference.get(), compiled.get(), checked.get()}) {
    fill(*executor, options);
    if (::testing::Test::HasFatalFailure())
      return;
    ASSERT_TRUE(executor->run(error)) << error;
  }
  for (size_t i = 0; i < reference->getResults().size(); ++i) {
    compareResult(compiled->getResultView(i), reference->getResultView(i),
                  options);
    compareResult(checked->getResultView(i), reference->getResultView(i),
                  options);
    if (::testing::Test::HasFatalFailure())
      return;
  }
}

void test::compareFloats(const std::string &source, CompareOptions options) {
  for (const char *type : {"f32", "f16", "bf16"}) {
    std::string text;
    for (size_t i = 0; i < source.size(); ++i) {
      // A `T` that is not part of a word.
      const bool alone =
          source[i] == 'T' &&
          (i == 0 || !isalnum(source[i - 1]) || source[i - 1] == 'x') &&
          (i + 1 == source.size() || !isalnum(source[i + 1]));
      if (alone)
        text += type;
      else
        text += source[i];
    }
    compare(text, options);
    if (::testing::Test::HasFatalFailure())
      return;
  }
}
