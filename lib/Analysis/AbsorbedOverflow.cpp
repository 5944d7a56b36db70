//===- AbsorbedOverflow.cpp - Overflows that change no result -------------===//
//
// tanh(c (x + a x^3)): where x^3 leaves FP16, the hyperbolic tangent is 1 or -1
// for the infinity as for the number. What can be said of a power of one value
// is found with ranges: the values for which it overflows are two intervals,
// and everything behind it that is computed from an interval and from the
// infinity has to come to the same number.
//
//===----------------------------------------------------------------------===//

#include "mpt/Analysis/PrecisionFacts.h"
#include "mpt/Interfaces/LossScaleOpInterface.h"
#include "mpt/Interfaces/ValueRangeOpInterface.h"

#include <cmath>

using namespace mlir;
using namespace mpt;

/// Operations that are looked through behind a power.
static constexpr size_t kMostOperations = 16;

static NumericRange infer(Operation *op, ArrayRef<NumericRange> operands) {
  SmallVector<NumericRange> results(
      op->getNumResults(),
      NumericRange::unknown(getElementTypeOrSelf(op->getResult(0))));
  cast<ValueRangeOpInterface>(op).inferRanges(operands, results);
  return results[0];
}

/// One number up to the type's precision.
static bool isOneNumber(const NumericRange &range, FloatType type) {
  if (!range.isFinite() || !range.hasFinite() ||
      range.absMax() > largestOf(type))
    return false;
  const double step =
      std::ldexp(range.absMax(), -static_cast<int>(type.getFPMantissaWidth()));
  return range.hi - range.lo <= std::fmax(step, smallestSubnormalOf(type));
}

using RangeOf = function_ref<NumericRange(OpOperand &)>;

/// Adds, moves, or multiplies by at most 1: an absolute error does not grow, so
/// that one below the smallest number of the type stays below it.
static bool keepsErrorsSmall(OpOperand &use, RangeOf rangeOf) {
  Operation *op = use.getOwner();
  auto scale = dyn_cast<LossScaleOpInterface>(op);
  if (!scale || cast<PrecisionOpInterface>(op).getAccumulatorType())
    return false;
  if (scale.getScaleBehavior() == ScaleBehavior::Homogeneous)
    return true;
  return scale.getScaleBehavior() == ScaleBehavior::Product &&
         llvm::all_of(op->getOpOperands(), [&](OpOperand &other) {
           NumericRange range = rangeOf(other);
           return &other == &use || (range.isFinite() && range.absMax() <= 1);
         });
}

/// Can the range of the operation's only result be followed?
static bool isFollowed(Operation *op, Block *block) {
  auto interface = dyn_cast<PrecisionOpInterface>(op);
  return interface && isa<ValueRangeOpInterface>(op) &&
         op->getNumResults() == 1 && op->getBlock() == block &&
         interface.getPrecisionClass() != PrecisionClass::FP32;
}

/// Names the operations that absorb an overflow of `op` where its operand
/// `variable` lies in `piece`; "" where something is left of it.
std::string PrecisionFacts::absorbs(Value variable, const NumericRange &piece,
                                    Operation *op, FloatType type) {
  llvm::SmallDenseMap<Value, NumericRange, kMostOperations> known;
  known[variable] = piece;
  auto rangeOf = [&](OpOperand &operand) {
    auto it = known.find(operand.get());
    return it == known.end() ? rangeIn(operand, type) : it->second;
  };
  std::string absorbing;
  SmallVector<Operation *, kMostOperations> pending = {op};
  for (size_t count = 0; !pending.empty(); ++count) {
    if (count == kMostOperations)
      return "";
    // In program order, so that what one reads has been found before.
    auto earliest = llvm::min_element(pending, [](Operation *a, Operation *b) {
      return a->isBeforeInBlock(b);
    });
    Operation *current = *earliest;
    pending.erase(earliest);
    NumericRange exact =
        infer(current, llvm::map_to_vector(current->getOpOperands(), rangeOf));
    NumericRange result = roundToType(exact, type);
    if (result.nan || (current == op && !exact.isFinite()))
      return "";
    if (current != op) {
      if (isOneNumber(result, type)) {
        absorbing = describeOperation(current);
        continue;
      }
      for (OpOperand &operand : current->getOpOperands())
        if (operand.get() != variable && known.contains(operand.get()) &&
            !keepsErrorsSmall(operand, rangeOf))
          return "";
    }
    known[current->getResult(0)] = result;
    for (Operation *user : current->getResult(0).getUsers()) {
      if (!isFollowed(user, op->getBlock()) ||
          pending.size() == kMostOperations)
        return "";
      if (!llvm::is_contained(pending, user))
        pending.push_back(user);
    }
  }
  return absorbing;
}

/// An operation of one value and constants whose results overflow, if that is
/// absorbed.
PrecisionFact PrecisionFacts::proveAbsorbed(Operation *op, FloatType type) {
  auto transfer = dyn_cast<ValueRangeOpInterface>(op);
  if (!transfer || op->getNumResults() != 1 ||
      !isFloatTensor(op->getResult(0).getType()))
    return {};
  OpOperand *variable = nullptr;
  for (OpOperand &operand : op->getOpOperands())
    if (!getFloatConstant(operand.get().getDefiningOp())) {
      if (variable || !isFlexibleOperand(operand))
        return {};
      variable = &operand;
    }
  // Most powers are summed: nothing absorbs them.
  if (!variable || llvm::any_of(op->getUsers(), [&](Operation *user) {
        return !isFollowed(user, op->getBlock()) ||
               cast<PrecisionOpInterface>(user).getAccumulatorType();
      }))
    return {};
  // An operand that overflowed did so at its own operation.
  NumericRange whole = getRanges().lookup(variable->get());
  const double largest = std::fmin(whole.absMax(), largestOf(type));
  auto fits = [&](double bound) {
    SmallVector<NumericRange> operands;
    for (OpOperand &operand : op->getOpOperands())
      operands.push_back(&operand == variable
                             ? NumericRange::between(-bound, bound)
                             : rangeIn(operand, type));
    return roundToType(infer(op, operands), type).isFinite();
  };
  double bound = largest;
  while (bound > 1 && !fits(bound))
    bound /= 2;
  if (bound <= 1)
    return {};
  std::string first =
      absorbs(variable->get(), NumericRange::between(bound, largest), op, type);
  if (first.empty() ||
      absorbs(variable->get(), NumericRange::between(-largest, -bound), op,
              type)
          .empty())
    return {};
  return {PrecisionFact::Safe, "an overflow is absorbed by " + first};
}
