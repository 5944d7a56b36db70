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
  if (!unsafe)
    return {};
  PrecisionFact fact = prove(op, type);
  return fact.kind == PrecisionFact::Safe ? fact : proveAbsorbed(op, type);
}

const ValueRanges &PrecisionFacts::getRanges() {
  if (!ranges)
    ranges.emplace(function, seeds);
  return *ranges;
}

/// What the operation reads when it is low. Infinities and NaN that come in are
/// the same in every type: what matters is what becomes of finite elements.
NumericRange PrecisionFacts::rangeIn(OpOperand &operand, FloatType type) {
  NumericRange range = getRanges().lookup(operand.get());
  range.posInf = range.negInf = range.nan = false;
  return isFlexibleOperand(operand) ? roundToType(range, type) : range;
}

PrecisionFact PrecisionFacts::prove(Operation *op, FloatType type) {
  auto transfer = dyn_cast<ValueRangeOpInterface>(op);
  if (!transfer)
    return {};
  SmallVector<NumericRange> operands, results;
  for (OpOperand &operand : op->getOpOperands())
    operands.push_back(rangeIn(operand, type));
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
