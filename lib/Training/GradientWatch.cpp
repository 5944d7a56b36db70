//===- GradientWatch.cpp - Which tensor will overflow next ----------------===//

#include "GradientWatch.h"

#include "mpt/Reference/Interpreter.h"

#include <cmath>

using namespace mlir;
using namespace mpt;
using namespace mpt::training;

static bool is16Bit(Value value) {
  Type type = getElementTypeOrSelf(value);
  return type.isF16() || type.isBF16();
}

GradientWatch::GradientWatch(func::FuncOp function)
    : function(function), names(nameTensors(function)) {
  llvm::DenseSet<Value> backward = findBackward(function);
  // Scalars are the scale itself and what follows from it.
  for (Value value : backward) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (type && type.getRank() > 0 && isa<FloatType>(type.getElementType()))
      watched.insert(value);
  }
  if (llvm::any_of(watched, is16Bit))
    for (Value value : llvm::to_vector(watched))
      if (!is16Bit(value))
        watched.erase(value);
}

bool GradientWatch::look(const execution::StepExecutor &executor,
                         StepRecord &record, std::string &error) const {
  func::FuncOp function = this->function; // its accessors are not const
  ScopedDiagnosticHandler handler(function.getContext(),
                                  [&](Diagnostic &diagnostic) {
                                    error = diagnostic.str();
                                    return success();
                                  });
  std::vector<reference::Tensor> arguments;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto tensor =
        reference::fromHost(data::copy(executor.getArgumentView(i)),
                            getElementTypeOrSelf(function.getArgument(i)),
                            /*exact=*/false, function.getLoc());
    if (failed(tensor))
      return false;
    arguments.push_back(std::move(*tensor));
  }
  double least = NumericRange::kInfinity;
  reference::Options options;
  options.observer = [&](Operation *op, ArrayRef<reference::Tensor> results) {
    for (auto [value, tensor] : llvm::zip_equal(op->getResults(), results)) {
      if (!watched.contains(value))
        continue;
      auto type = cast<FloatType>(tensor.elementType);
      if (!is16Bit(value))
        type = Float16Type::get(type.getContext());
      TensorStatistics statistics;
      statistics.add(tensor.floats);
      // Doublings until the largest element overflows; none left once it has.
      const double headroom =
          statistics.infinite || statistics.nans
              ? -1
              : std::log2(largestOf(type) / statistics.absMax());
      if (headroom < least) {
        least = headroom;
        record.watchOverflow = names.lookup(value);
        record.watchHeadroom = headroom;
      }
      const double normal = smallestNormalOf(type);
      const int64_t nonzero =
          statistics.elements - statistics.zeros - statistics.nans;
      int64_t small = 0;
      for (auto [exponent, count] : statistics.exponents) {
        record.watchExponents[exponent] += count;
        if (std::ldexp(1.0, exponent) < normal)
          small += count;
      }
      const double share =
          nonzero ? static_cast<double>(small) / static_cast<double>(nonzero)
                  : 0;
      if (share > record.watchSubnormal) {
        record.watchUnderflow = names.lookup(value);
        record.watchSubnormal = share;
      }
    }
    return success();
  };
  return succeeded(reference::Interpreter(options).run(
      function, ArrayRef<reference::Tensor>(arguments)));
}
