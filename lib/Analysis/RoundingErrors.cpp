//===- RoundingErrors.cpp - What 16-bit storage does to the results -------===//

#include "mpt/Analysis/RoundingErrors.h"

#include "mpt/Analysis/CarriedValues.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Interfaces/LossScaleOpInterface.h"
#include "mpt/Interfaces/PrecisionOpInterface.h"
#include "mpt/Interfaces/RoundingOpInterface.h"
#include "mpt/Interfaces/WorkOpInterface.h"

#include "mlir/IR/Matchers.h"
#include "llvm/ADT/MapVector.h"

#include <cmath>

using namespace mlir;
using namespace mpt;

static FloatType getFloat(Type type) {
  return dyn_cast<FloatType>(getElementTypeOrSelf(type));
}
static bool isLow(Type type) {
  FloatType element = getFloat(type);
  return element && element.getWidth() <= 16;
}

/// Mean square of the relative error of rounding to nearest with p bits of
/// fraction: uniform in half a unit of the last place of m 2^e, with m
/// log-uniform in [1, 2): 2^-2p / 12 E[1/m^2], which is 3 / (8 ln 2).
static double roundingVariance(Type type) {
  const int fraction =
      static_cast<int>(getFloat(type).getFPMantissaWidth()) - 1;
  return std::ldexp(3 / (96 * std::log(2.0)), -2 * fraction);
}

double RoundingErrors::lookup(Value value) const {
  auto it = states.find(value);
  return it == states.end() ? 0 : std::sqrt(it->second.variance);
}

/// The variance of the results from those of the operands, which hold 0 for
/// what is no floating value.
double RoundingErrors::combine(Operation *op,
                               ArrayRef<double> variances) const {
  auto interface = dyn_cast<LossScaleOpInterface>(op);
  auto rounding = dyn_cast<RoundingOpInterface>(op);
  auto amplified = [&](unsigned index) {
    const double factor = rounding ? rounding.getErrorAmplification(index) : 1;
    return factor * factor * variances[index];
  };
  switch (interface ? interface.getScaleBehavior() : ScaleBehavior::NonLinear) {
  case ScaleBehavior::Invariant:
  case ScaleBehavior::Comparison:
    return 0;
  case ScaleBehavior::SquareRoot:
    return amplified(0) / 4;
  case ScaleBehavior::Homogeneous: {
    // A mean, weighted by squares: elements of about size 1, where they are not
    // known. What is broadcast counts little: biases are small beside what they
    // are added to.
    double sum = 0, weight = 0;
    for (unsigned i = 0; i < variances.size(); ++i) {
      Value operand = op->getOperand(i);
      if (!getFloat(operand.getType()))
        continue;
      auto elements = static_cast<double>(countElements(operand.getType()));
      DenseFPElementsAttr constant;
      if (matchPattern(operand, m_Constant(&constant)) && constant.isSplat()) {
        const double size = constant.getSplatValue<APFloat>().convertToDouble();
        elements =
            size * size *
            static_cast<double>(countElements(op->getResult(0).getType()));
        if (!std::isfinite(elements))
          continue; // a mask
      }
      sum += elements * amplified(i);
      weight += elements;
    }
    return weight == 0 ? 0 : sum / weight;
  }
  case ScaleBehavior::Product:
  case ScaleBehavior::Quotient:
  case ScaleBehavior::LinearIn:
  case ScaleBehavior::Shift:
  case ScaleBehavior::NonLinear:
    break;
  }
  // Independent errors of factors add up by their squares; those of x * x are
  // one error, twice.
  llvm::SmallMapVector<Value, double, 8> errors;
  for (unsigned i = 0; i < variances.size(); ++i)
    errors[op->getOperand(i)] += std::sqrt(amplified(i));
  double sum = 0;
  for (auto [operand, error] : errors)
    sum += error * error;
  return sum;
}

void RoundingErrors::visit(Operation *op) {
  auto decision =
      op->getAttrOfType<mp::DecisionAttr>(mp::MPDialect::kDecisionAttrName);
  auto precision = dyn_cast<PrecisionOpInterface>(op);
  const bool decidedLow = decision && decision.getLow();
  const bool isTransparent =
      precision && precision.getPrecisionClass() == PrecisionClass::Transparent;

  SmallVector<double> variances;
  bool rounds = !isTransparent;
  for (OpOperand &operand : op->getOpOperands()) {
    State state = states.lookup(operand.get());
    if (getFloat(operand.get().getType())) {
      // A cast that is decided and not inserted yet.
      if (decidedLow && !state.low &&
          !(precision &&
            precision.isOperandPinned(operand.getOperandNumber()))) {
        state.variance += roundingVariance(decision.getType());
        state.low = true;
      }
      rounds |= !state.low;
    }
    variances.push_back(state.variance);
  }
  const double variance = combine(op, variances);
  for (OpResult result : op->getResults()) {
    if (!getFloat(result.getType()))
      continue;
    State state{variance, isLow(result.getType())};
    Type type = result.getType();
    if (decidedLow && !state.low && getFloat(type).isF32() &&
        !(precision && precision.isResultPinned(result.getResultNumber()))) {
      state.low = true;
      type = decision.getType();
    }
    if (state.low && rounds)
      state.variance += roundingVariance(type);
    if (state.variance > 0 || state.low)
      states[result] = state;
  }
}

void RoundingErrors::visitRegion(Region &region) {
  for (Block &block : region)
    for (Operation &op : block) {
      visit(&op);
      if (op.getNumRegions() != 0)
        if (auto branches = dyn_cast<RegionBranchOpInterface>(op))
          visitControlFlow(branches);
    }
}

/// What a trip adds to the error of a carried value, every trip adds.
void RoundingErrors::visitControlFlow(RegionBranchOpInterface op) {
  SmallVector<CarriedChain> chains = getCarriedChains(op);
  SmallVector<mp::DecisionAttr> decisions = getCarriedDecisions(op);
  /// The worst of the values that are handed over, from outside or from inside.
  auto worst = [&](size_t number, bool outside) {
    State state;
    auto decision =
        number < decisions.size() ? decisions[number] : mp::DecisionAttr();
    for (OpOperand *operand : chains[number].operands) {
      if ((operand->getOwner() == op) != outside)
        continue;
      State given = states.lookup(operand->get());
      if (decision && decision.getLow() && !given.low)
        given = {given.variance + roundingVariance(decision.getType()), true};
      state.variance = std::max(state.variance, given.variance);
      state.low |= given.low;
    }
    return state;
  };
  SmallVector<State> before;
  for (size_t number = 0; number < chains.size(); ++number) {
    before.push_back(worst(number, /*outside=*/true));
    for (Value input : chains[number].inputs)
      states[input] = before.back();
  }
  double trips = 1;
  for (Region &region : op->getRegions()) {
    visitRegion(region);
    trips = std::max(trips, estimateTrips(op, region));
  }
  for (size_t number = 0; number < chains.size(); ++number) {
    State state = worst(number, /*outside=*/false);
    const double added = state.variance - before[number].variance;
    state.variance = before[number].variance + trips * std::max(added, 0.0);
    for (Value input : chains[number].inputs)
      if (input.getDefiningOp() == op)
        states[input] = state;
  }
}

RoundingErrors::RoundingErrors(FunctionOpInterface function) {
  for (BlockArgument argument : function.getArguments())
    if (isLow(argument.getType()))
      states[argument] = {roundingVariance(argument.getType()), true};
  // Bodies of operations other than control flow are passed over: their results
  // have the errors of the operands.
  visitRegion(function.getFunctionBody());
  for (Block &block : function.getFunctionBody())
    for (OpOperand &result : block.getTerminator()->getOpOperands()) {
      std::optional<mp::Role> role =
          mp::getResultRole(function, result.getOperandNumber());
      if (!role || *role == mp::Role::Output || *role == mp::Role::Loss ||
          *role == mp::Role::Gradient)
        expected = std::max(expected, lookup(result.get()));
    }
  // What has nothing to do any more with the exact result, but its norm.
  expected = std::min(expected, std::sqrt(2.0));
}
