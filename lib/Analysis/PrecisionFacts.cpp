//===- PrecisionFacts.cpp - What ranges say about 16 bits -----------------===//

#include "mpt/Analysis/PrecisionFacts.h"

#include "mpt/Interfaces/ValueRangeOpInterface.h"

using namespace mlir;
using namespace mpt;

PrecisionFact PrecisionFacts::lookup(Operation *op, FloatType type) {
  // Overflows are found where something was measured, and safety is asked for
  // where the class is FP32: everything else needs no ranges.
  auto interface = dyn_cast<PrecisionOpInterface>(op);
  bool unsafe =
      interface && interface.getPrecisionClass() == PrecisionClass::FP32;
  if (!unsafe && !seeds.measured)
    return {};
  if (seeds.measured)
    for (OpResult result : op->getResults())
      if (isFlexibleResult(result))
        if (std::optional<NumericRange> measured = seeds.measured(result);
            measured && measured->absMax() > largestOf(type))
          return {PrecisionFact::Overflows,
                  "with its margin the profile has " + measured->str()};
  auto transfer = dyn_cast<ValueRangeOpInterface>(op);
  if (!unsafe || !transfer)
    return {};
  if (!ranges)
    ranges.emplace(function, seeds);

  // Infinities and NaN that come in are the same in every type: what matters is
  // what becomes of finite elements.
  SmallVector<NumericRange> operands, results;
  for (OpOperand &operand : op->getOpOperands()) {
    NumericRange range = ranges->lookup(operand.get());
    range.posInf = range.negInf = range.nan = false;
    operands.push_back(isFlexibleOperand(operand) ? roundToType(range, type)
                                                  : range);
  }
  for (Type resultType : op->getResultTypes())
    results.push_back(NumericRange::unknown(getElementTypeOrSelf(resultType)));
  transfer.inferRanges(operands, results);
  std::string text;
  for (OpResult result : op->getResults()) {
    if (!isFlexibleResult(result))
      continue;
    NumericRange rounded = roundToType(results[result.getResultNumber()], type);
    if (!rounded.isFinite())
      return {};
    text = "its results lie in " + rounded.str();
  }
  return {PrecisionFact::Safe, std::move(text)};
}
