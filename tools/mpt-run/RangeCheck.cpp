//===- RangeCheck.cpp - Inferred ranges against a run ---------------------===//

#include "RangeCheck.h"

#include "mpt/Analysis/PrecisionAssignment.h"
#include "mpt/Analysis/ValueRanges.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Interfaces/PrecisionOpInterface.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>
#include <random>

using namespace mlir;

namespace mpt::run {

static NumericRange rangeOf(const reference::Tensor &tensor) {
  if (tensor.isFloat())
    return rangeOfBytes(Float64Type::get(tensor.elementType.getContext()),
                        {reinterpret_cast<const char *>(tensor.floats.data()),
                         tensor.floats.size() * sizeof(double)});
  auto signedness = tensor.elementType.isUnsignedInteger()
                        ? IntegerType::Unsigned
                        : IntegerType::Signless;
  return rangeOfBytes(
      IntegerType::get(tensor.elementType.getContext(), 64, signedness),
      {reinterpret_cast<const char *>(tensor.ints.data()),
       tensor.ints.size() * sizeof(int64_t)});
}

static double elementOf(const reference::Tensor &tensor, int64_t i) {
  if (tensor.isFloat())
    return tensor.floats[i];
  return reference::integerToDouble(tensor.ints[i],
                                    cast<IntegerType>(tensor.elementType));
}

/// The first element outside of the range, or -1.
static int64_t findOutside(const NumericRange &range,
                           const reference::Tensor &tensor) {
  for (int64_t i = 0, count = tensor.numElements(); i < count; ++i)
    if (!range.contains(elementOf(tensor, i)))
      return i;
  return -1;
}

static void countReleased(func::FuncOp function, const ValueRanges &ranges,
                          FloatType f16, RangeStatistics &statistics) {
  function.walk([&](PrecisionOpInterface op) {
    if (op.getPrecisionClass() != PrecisionClass::FP32 ||
        op->hasTrait<OpTrait::ConstantLike>() ||
        isa<mp::MPDialect>(op->getDialect()))
      return;
    auto fits = [&](Value value) {
      return !isFloatTensor(value.getType()) || ranges.fits(value, f16);
    };
    ++statistics.denied;
    statistics.released += llvm::all_of(op->getOperands(), fits) &&
                           llvm::all_of(op->getResults(), fits);
  });
}

/// Other elements in the range of the tensor's own: integers are shuffled, so
/// that labels and indices stay valid.
static void redraw(reference::Tensor &tensor, const NumericRange &range,
                   std::mt19937_64 &random) {
  std::shuffle(tensor.ints.begin(), tensor.ints.end(), random);
  if (!range.hasFinite())
    return;
  std::uniform_real_distribution<double> uniform(0, 1);
  for (double &value : tensor.floats) {
    if (!std::isfinite(value))
      continue;
    switch (random() % 4) {
    case 0:
      value = range.lo;
      break;
    case 1:
      value = range.hi;
      break;
    default:
      value = range.lo + uniform(random) * (range.hi - range.lo);
    }
  }
  reference::roundElements(tensor);
}

FailureOr<std::vector<data::HostTensor>>
runCheckingRanges(Model &model, const Inputs &inputs, int64_t fuzz,
                  RangeStatistics &statistics) {
  FailureOr<std::vector<reference::Tensor>> arguments =
      makeArguments(model, inputs, /*f64=*/false);
  if (failed(arguments))
    return failure();
  std::vector<NumericRange> declared;
  for (const reference::Tensor &argument : *arguments) {
    declared.push_back(rangeOf(argument));
    if (fuzz > 0 && argument.isFloat())
      declared.back().smallest = 0; // a draw may be nearer to zero
  }
  RangeSeeds seeds;
  seeds.argument = [&](FunctionOpInterface, unsigned index) {
    return std::optional<NumericRange>(declared[index]);
  };
  const ValueRanges ranges(model.function, seeds);
  const FloatType f16 = Float16Type::get(model.function.getContext());
  countReleased(model.function, ranges, f16, statistics);
  bool counting = true;
  reference::Options options;
  options.observer = [&](Operation *op, ArrayRef<reference::Tensor> results) {
    for (auto [value, tensor] : llvm::zip_equal(op->getResults(), results)) {
      if (tensor.isFloat() && counting) {
        ++statistics.values;
        statistics.bounded += ranges.isBounded(value);
        statistics.fits += ranges.fits(value, f16);
      }
      const NumericRange range = ranges.lookup(value);
      const int64_t element = findOutside(range, tensor);
      if (element < 0)
        continue;
      ++statistics.outside;
      llvm::outs() << model.path << ": " << op->getName().getStringRef();
      if (StringRef name = getNodeName(op->getLoc()); !name.empty())
        llvm::outs() << " '" << name << "'";
      llvm::outs() << ": element " << element << " is "
                   << llvm::format("%.9g", elementOf(tensor, element))
                   << ", outside of " << range.str() << ", smallest "
                   << llvm::format("%.9g", range.smallest) << '\n';
    }
    return success();
  };
  FailureOr<std::vector<data::HostTensor>> results =
      runReference(model, *arguments, options);
  counting = false;
  std::mt19937_64 random(1);
  for (int64_t run = 0; run < fuzz && succeeded(results); ++run) {
    for (auto [argument, range] : llvm::zip_equal(*arguments, declared))
      redraw(argument, range, random);
    if (failed(runReference(model, *arguments, options)))
      return failure();
  }
  return results;
}

int printRanges(const RangeStatistics &statistics) {
  const double all =
      static_cast<double>(std::max<int64_t>(statistics.values, 1)) / 100;
  llvm::outs() << "ranges: " << statistics.values
               << " floating values, outside: " << statistics.outside
               << ", bounded: " << statistics.bounded << " ("
               << llvm::format("%.1f", statistics.bounded / all)
               << " %), proven to fit f16: " << statistics.fits << " ("
               << llvm::format("%.1f", statistics.fits / all)
               << " %); operations that must be FP32: " << statistics.denied
               << ", proven to fit f16: " << statistics.released << '\n';
  return statistics.outside ? 1 : 0;
}

} // namespace mpt::run
