//===- LossScalePowers.cpp - Which power of the loss scale a value carries ===//

#include "mpt/Analysis/LossScalePowers.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"

#include "mlir/IR/Matchers.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mpt;

static bool isFloating(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

/// Zero in every element. Only splats are looked into: a large table that
/// happens to hold zeros only is no case worth its reading.
static bool isZero(Attribute value) {
  if (auto scalar = dyn_cast_or_null<FloatAttr>(value))
    return scalar.getValue().isZero();
  auto elements = dyn_cast_or_null<DenseFPElementsAttr>(value);
  return elements && elements.isSplat() &&
         elements.getSplatValue<APFloat>().isZero();
}

Value mpt::getLossScaleArgument(FunctionOpInterface function) {
  for (BlockArgument argument : function.getArguments())
    if (mp::getArgRole(function, argument.getArgNumber()) ==
            mp::Role::LossScale &&
        isFloating(argument))
      return argument;
  return {};
}

ScalePower LossScalePowers::lookup(Value value) const {
  auto it = powers.find(value);
  return it == powers.end() ? ScalePower::of(0) : it->second;
}

//===----------------------------------------------------------------------===//
// Messages
//===----------------------------------------------------------------------===//

static std::string describe(ScalePower power) {
  if (power.isAny())
    return "any power of the loss scale";
  return "power " + llvm::itostr(power.get()) + " of the loss scale";
}

Value LossScalePowers::findCarrier(Operation *op) const {
  for (Value operand : op->getOperands())
    if (isFloating(operand) && !lookup(operand).fits(0))
      return operand;
  return {};
}

/// Follows the power back to where it changed or began. Values that carry no
/// scale end the walk, so it reads one path of the backward graph.
void LossScalePowers::explain(InFlightDiagnostic &diagnostic,
                              Value value) const {
  constexpr unsigned maxNotes = 6, maxSteps = 100000;
  Operation *reader = nullptr;
  unsigned notes = 0;
  for (unsigned step = 0; step < maxSteps && notes < maxNotes; ++step) {
    Operation *op = value.getDefiningOp();
    if (!op) {
      if (reader && !lookup(value).fits(0))
        diagnostic.attachNote(reader->getLoc())
            << "the loss scale enters here, " << describe(lookup(value));
      return;
    }
    // The operand that brought the power: the first that carries one; for
    // mp.scale and mp.unscale what they scale, whatever it carries.
    Value origin;
    auto interface = dyn_cast<LossScaleOpInterface>(op);
    if (interface && interface.getScaleBehavior() == ScaleBehavior::Shift)
      origin = op->getOperand(0);
    else
      origin = findCarrier(op);
    if (!origin) {
      if (!lookup(value).fits(0)) {
        diagnostic.attachNote(op->getLoc())
            << describe(lookup(value)) << " begins here ('" << op->getName()
            << "')";
      }
      return;
    }
    ScalePower before = lookup(origin), after = lookup(value);
    if (!before.isAny() && !after.isAny() && before.get() != after.get()) {
      diagnostic.attachNote(op->getLoc())
          << "'" << op->getName() << "' takes it from power " << before.get()
          << " to power " << after.get();
      ++notes;
    }
    value = origin;
    reader = op;
  }
}

InFlightDiagnostic LossScalePowers::report(Operation *op, ValueRange blamed,
                                           const Twine &message) {
  InFlightDiagnostic diagnostic = op->emitOpError() << message;
  for (Value value : blamed)
    explain(diagnostic, value);
  return diagnostic;
}

//===----------------------------------------------------------------------===//
// Transfer
//===----------------------------------------------------------------------===//

/// The power of the results; failure (reported) when no rule fits.
FailureOr<ScalePower> LossScalePowers::transfer(Operation *op) {
  Attribute constant;
  if (matchPattern(op, m_Constant(&constant)))
    return isZero(constant) ? ScalePower::any() : ScalePower::of(0);

  auto interface = dyn_cast<LossScaleOpInterface>(op);
  ScaleBehavior behavior =
      interface ? interface.getScaleBehavior() : ScaleBehavior::NonLinear;

  // What does not take part in the scaling must not carry it.
  SmallVector<Value> scaled;
  for (auto [index, operand] : llvm::enumerate(op->getOperands())) {
    if (!isFloating(operand) || behavior == ScaleBehavior::Invariant)
      continue;
    if (behavior != ScaleBehavior::NonLinear &&
        interface.isScaledOperand(index)) {
      scaled.push_back(operand);
      continue;
    }
    if (!lookup(operand).fits(0)) {
      report(op, operand,
             "operand #" + Twine(index) + " carries " +
                 describe(lookup(operand)) +
                 (interface ? ", but the operation is not linear in it"
                            : ", but nothing is known about the operation"));
      return failure();
    }
  }

  // The power that several operands share.
  auto shared = [&]() -> FailureOr<ScalePower> {
    Value first;
    for (Value operand : scaled) {
      if (lookup(operand).isAny())
        continue;
      if (!first)
        first = operand;
      else if (lookup(operand).get() != lookup(first).get()) {
        report(op, {first, operand},
               "combines a value with " + describe(lookup(first)) +
                   " and one with " + describe(lookup(operand)));
        return failure();
      }
    }
    return first ? lookup(first) : ScalePower::any();
  };

  switch (behavior) {
  case ScaleBehavior::Homogeneous:
  case ScaleBehavior::LinearIn:
    return shared();
  case ScaleBehavior::Comparison:
    if (failed(shared()))
      return failure();
    return ScalePower::of(0);
  case ScaleBehavior::Invariant:
  case ScaleBehavior::NonLinear:
    return ScalePower::of(0);
  case ScaleBehavior::Product: {
    int64_t sum = 0;
    for (Value operand : scaled) {
      if (lookup(operand).isAny())
        return ScalePower::any();
      sum += lookup(operand).get();
    }
    return ScalePower::of(sum);
  }
  case ScaleBehavior::Quotient: {
    if (scaled.size() != 2)
      return ScalePower::of(0);
    ScalePower numerator = lookup(scaled[0]), divisor = lookup(scaled[1]);
    if (numerator.isAny() || divisor.isAny())
      return ScalePower::any();
    return ScalePower::of(numerator.get() - divisor.get());
  }
  case ScaleBehavior::SquareRoot: {
    FailureOr<ScalePower> power = shared();
    if (failed(power) || power->isAny())
      return power;
    if (power->get() % 2 != 0) {
      report(op, scaled.front(),
             "takes the square root of a value with " + describe(*power));
      return failure();
    }
    return ScalePower::of(power->get() / 2);
  }
  case ScaleBehavior::Shift: {
    // The other operand is the scale itself; visit() has looked at it.
    ScalePower power = lookup(scaled.front());
    if (power.isAny())
      return power;
    return ScalePower::of(power.get() + interface.getScaleShift());
  }
  }
  return ScalePower::of(0);
}

LogicalResult LossScalePowers::visit(Operation *op) {
  auto isScale = [&](Value scale) {
    if (!lookup(scale).isAny() && lookup(scale).get() == 1)
      return true;
    report(op, scale,
           "the scale operand carries " + describe(lookup(scale)) +
               ": it is not the loss scale of this step");
    return false;
  };
  auto isScaledOnce = [&](mp::UnscaleOp unscale) {
    ScalePower gradient = lookup(unscale.getGradient());
    if (gradient.fits(1))
      return true;
    report(op, unscale.getGradient(),
           "the gradient of '" + unscale.getParameter() + "' carries " +
               describe(gradient) + ", not power 1: " +
               (gradient.get() < 1 ? "it was never scaled, or unscaled before"
                                   : "it was scaled more than once"));
    return false;
  };
  FailureOr<ScalePower> power = failure();
  if (auto unscale = dyn_cast<mp::UnscaleOp>(op)) {
    if (isScale(unscale.getScale()) && isScaledOnce(unscale))
      power = transfer(op);
  } else if (auto scale = dyn_cast<mp::ScaleByOp>(op)) {
    if (isScale(scale.getScale()))
      power = transfer(op);
  } else if (auto update = dyn_cast<mp::UpdateScaleOp>(op)) {
    if (isScale(update.getScale()))
      power = ScalePower::of(1);
  } else {
    power = transfer(op);
  }
  // Behind an error every power is right: one mistake, one message.
  for (Value result : op->getResults())
    if (isFloating(result))
      powers.insert({result, failed(power) ? ScalePower::any() : *power});
  return success(succeeded(power));
}

LogicalResult LossScalePowers::run(unsigned maxErrors) {
  if (Value scale = getLossScaleArgument(function))
    powers.insert({scale, ScalePower::of(1)});
  unsigned errors = 0;
  Region &body = function.getFunctionBody();
  // Pre-order and textual order: operands stand before their users. Terminators
  // of the function itself are the caller's business.
  body.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op->getParentRegion() == &body && op->hasTrait<OpTrait::IsTerminator>())
      return WalkResult::advance();
    if (failed(visit(op)) && ++errors >= maxErrors)
      return WalkResult::interrupt();
    return WalkResult::advance();
  });
  return success(errors == 0);
}
