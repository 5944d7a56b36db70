//===- ScaleLoss.cpp - Scale the loss, unscale and check the gradients ----===//

#include "mpt/Transforms/Passes.h"

#include "mpt/Analysis/TensorProfile.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"

#include "llvm/ADT/DenseSet.h"
#include <cmath>

namespace mpt {
#define GEN_PASS_DEF_SCALELOSSPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;
using namespace mpt::mp;

namespace {

enum class Mode { Dynamic, Static, Off };

/// The operations of one step that take part.
struct StepOps {
  SmallVector<LossSeedOp> seeds;
  SmallVector<GradientOp> gradients;
  SmallVector<UpdateOp> updates;
};

struct ScaleLossPass : mpt::impl::ScaleLossPassBase<ScaleLossPass> {
  using Base::Base;

  void runOnOperation() override;

private:
  std::optional<Mode> checkOptions();
  LogicalResult chooseScale();
  LogicalResult checkStep(func::FuncOp function, StepOps &ops);
  Value addArgument(func::FuncOp function, Type type, StringRef name,
                    TypedAttr initial, bool donate);
  void addResult(func::FuncOp function, Value value, Role role, StringRef name);
  LogicalResult guardUpdates(AllFiniteOp check, ArrayRef<UpdateOp> updates);
};

} // namespace

/// Passes print their options with seven digits, so that 2^24 comes back from a
/// dumped pipeline as 16777220: a scale that is no power of two rounds.
static double restorePowerOfTwo(double value) {
  double power = std::exp2(std::round(std::log2(value)));
  return std::abs(value - power) <= 1e-6 * power ? power : value;
}

std::optional<Mode> ScaleLossPass::checkOptions() {
  auto fail = [&](const Twine &message) -> std::optional<Mode> {
    emitError(getOperation().getLoc()) << "mpt-scale-loss: " << message;
    return std::nullopt;
  };
  // Not finite first: no comparison with a NaN would be true.
  for (double value :
       {initScale.getValue(), growth.getValue(), backoff.getValue(),
        minimum.getValue(), maximum.getValue()})
    if (!std::isfinite(value) || value <= 0)
      return fail("scales and factors must be positive and finite");
  initScale = restorePowerOfTwo(initScale);
  minimum = restorePowerOfTwo(minimum);
  maximum = restorePowerOfTwo(maximum);
  if (mode == "off")
    return Mode::Off;
  if (mode == "static")
    return Mode::Static;
  if (mode == "auto") {
    if (failed(chooseScale()))
      return std::nullopt;
  } else if (mode != "dynamic") {
    return fail("unknown mode '" + mode +
                "', use dynamic, static, auto or off");
  }
  if (growth < 1 || backoff >= 1)
    return fail("needs growth >= 1 and backoff < 1");
  if (growthInterval < 1 || hysteresis < 1)
    return fail("growth-interval and hysteresis must be positive");
  if (minimum > initScale || initScale > maximum)
    return fail("needs min <= init-scale <= max");
  return Mode::Dynamic;
}

/// The largest power of two that leaves the largest gradient measured room to
/// grow: growing by 2^4 between steps is nothing unusual, and a scale that is
/// too small costs only what vanishes below it until it grows.
LogicalResult ScaleLossPass::chooseScale() {
  constexpr double kHeadroom = 16, kLargest = 65504;
  Location loc = getOperation().getLoc();
  if (profile.empty())
    return emitError(loc) << "mpt-scale-loss: mode=auto needs profile=FILE, "
                             "which mpt-run --profile writes of a step";
  std::string error;
  std::optional<TensorProfile> measured = TensorProfile::read(profile, error);
  if (!measured)
    return emitError(loc) << "mpt-scale-loss: " << error;
  auto largest = measured->largestGradient();
  if (!largest || !(largest->first > 0))
    return emitError(loc) << "mpt-scale-loss: " << profile
                          << ": has no tensor of a backward graph; profile a "
                             "training step, not the forward function";
  const double scale =
      std::exp2(std::floor(std::log2(kLargest / (kHeadroom * largest->first))));
  initScale = std::fmin(std::fmax(scale, minimum), maximum);
  getOperation().emitRemark()
      << "first loss scale " << initScale.getValue() << ": the largest of the "
      << "gradients measured is " << largest->first << ", of "
      << largest->second;
  return success();
}

LogicalResult ScaleLossPass::checkStep(func::FuncOp function, StepOps &ops) {
  if (!function.getBody().hasOneBlock())
    return function.emitError("a step to be scaled must be one block");
  for (LossSeedOp seed : ops.seeds) {
    auto type = cast<ShapedType>(seed.getType());
    Type element = type.getElementType();
    if (!type.hasRank() || type.getRank() != 0)
      return seed.emitOpError(
          "must be a scalar to be scaled: seed the gradient "
          "of a scalar loss");
    if (!element.isF32() && !element.isF64())
      return seed.emitOpError(
          "must be f32 or f64 to be scaled: a 16-bit float cannot hold the "
          "loss scale");
  }
  for (UpdateOp update : ops.updates)
    if (update.getFinite())
      return update.emitOpError(
          "is guarded already: the step was scaled before");
  return success();
}

Value ScaleLossPass::addArgument(func::FuncOp function, Type type,
                                 StringRef name, TypedAttr initial,
                                 bool donate) {
  NamedAttrList attrs(getRoleAttrs(&getContext(), Role::LossScale, name));
  attrs.set(MPDialect::kInitialAttrName, initial);
  if (donate)
    attrs.set(MPDialect::kDonateAttrName, UnitAttr::get(&getContext()));
  unsigned index = function.getNumArguments();
  Location loc = NameLoc::get(StringAttr::get(&getContext(), name));
  (void)function.insertArgument(index, type, attrs.getDictionary(&getContext()),
                                loc);
  return function.getArgument(index);
}

void ScaleLossPass::addResult(func::FuncOp function, Value value, Role role,
                              StringRef name) {
  (void)function.insertResult(function.getNumResults(), value.getType(),
                              getRoleAttrs(&getContext(), role, name));
  Operation *terminator = function.getBody().front().getTerminator();
  terminator->insertOperands(terminator->getNumOperands(), value);
}

/// Gives every update the flag. Updates that stand before the check move behind
/// it, together with whatever reads them.
LogicalResult ScaleLossPass::guardUpdates(AllFiniteOp check,
                                          ArrayRef<UpdateOp> updates) {
  llvm::DenseSet<Operation *> guarded(updates.begin(), updates.end());
  SmallVector<Operation *> toMove;
  llvm::DenseSet<Operation *> moving;
  for (Operation &op : *check->getBlock()) {
    bool readsMoved = llvm::any_of(op.getOperands(), [&](Value operand) {
      return moving.contains(operand.getDefiningOp());
    });
    if (&op == check.getOperation()) {
      if (readsMoved)
        return check.emitOpError("depends on an update that it would guard");
      break;
    }
    // An operation with regions may read a moved value inside.
    if (!readsMoved && op.getNumRegions() != 0)
      op.walk([&](Operation *nested) {
        for (Value operand : nested->getOperands())
          readsMoved |= moving.contains(operand.getDefiningOp());
      });
    if (readsMoved || guarded.contains(&op)) {
      moving.insert(&op);
      toMove.push_back(&op);
    }
  }
  Operation *last = check;
  for (Operation *op : toMove) {
    op->moveAfter(last);
    last = op;
  }
  for (UpdateOp update : updates)
    update.getFiniteMutable().assign(check.getFinite());
  return success();
}

void ScaleLossPass::runOnOperation() {
  std::optional<Mode> chosen = checkOptions();
  if (!chosen)
    return signalPassFailure();
  func::FuncOp function = getOperation();
  if (*chosen == Mode::Off || function.isDeclaration())
    return markAllAnalysesPreserved();

  StepOps ops;
  for (Operation &op : function.getOps()) {
    if (auto seed = dyn_cast<LossSeedOp>(op))
      ops.seeds.push_back(seed);
    else if (auto gradient = dyn_cast<GradientOp>(op))
      ops.gradients.push_back(gradient);
    else if (auto update = dyn_cast<UpdateOp>(op))
      ops.updates.push_back(update);
  }
  if (ops.seeds.empty() && ops.gradients.empty())
    return markAllAnalysesPreserved();
  if (ops.seeds.empty() || ops.gradients.empty()) {
    function.emitError() << "cannot scale the loss of '" << function.getName()
                         << "': it has no mp."
                         << (ops.seeds.empty() ? "loss_seed" : "gradient");
    return signalPassFailure();
  }
  if (failed(checkStep(function, ops)))
    return signalPassFailure();

  OpBuilder builder(&getContext());
  auto scalarOf = [](Type element) {
    return RankedTensorType::get({}, element);
  };
  Type scaleType = scalarOf(builder.getF32Type());
  Type counterType = scalarOf(builder.getI64Type());
  bool dynamic = *chosen == Mode::Dynamic;
  Value scale = addArgument(function, scaleType, "loss_scale",
                            builder.getF32FloatAttr(initScale), dynamic);
  Value counter, budget;
  if (dynamic) {
    counter = addArgument(function, counterType, "loss_scale.counter",
                          builder.getI64IntegerAttr(0), true);
    budget = addArgument(function, counterType, "loss_scale.budget",
                         builder.getI64IntegerAttr(hysteresis), true);
  }

  for (LossSeedOp seed : ops.seeds) {
    Value value = scale;
    if (seed.getType() != scaleType) {
      builder.setInsertionPoint(seed);
      value = mp::CastOp::create(builder, seed.getLoc(), seed.getType(), scale);
    }
    seed.replaceAllUsesWith(value);
    seed.erase();
  }

  // Gradients are checked and unscaled in FP32 (f64 stays).
  SmallVector<Value> scaled;
  Operation *last = nullptr;
  for (GradientOp gradient : ops.gradients) {
    builder.setInsertionPoint(gradient);
    Value value = gradient.getGradient();
    auto type = cast<ShapedType>(value.getType());
    bool narrow = type.getElementTypeBitWidth() < 32;
    if (narrow)
      value = mp::CastOp::create(builder, gradient.getLoc(),
                                 type.clone(builder.getF32Type()), value);
    scaled.push_back(value);
    auto unscale =
        UnscaleOp::create(builder, gradient.getLoc(), value.getType(), value,
                          scale, gradient.getParameterAttr());
    last = unscale;
    Value result = unscale.getResult();
    if (narrow) {
      auto back = mp::CastOp::create(builder, gradient.getLoc(), type, result);
      last = back;
      result = back.getResult();
    }
    gradient.replaceAllUsesWith(result);
    gradient.erase();
  }

  builder.setInsertionPointAfter(last);
  auto check = AllFiniteOp::create(builder, function.getLoc(), scaled);
  if (failed(guardUpdates(check, ops.updates)))
    return signalPassFailure();

  addResult(function, check.getFinite(), Role::Metric, "finite");
  addResult(function, check.getFirst(), Role::Metric, "first_nonfinite");
  if (!dynamic)
    return;
  builder.setInsertionPoint(function.getBody().front().getTerminator());
  auto next = UpdateScaleOp::create(
      builder, function.getLoc(), scale, counter, budget, check.getFinite(),
      growth, backoff, growthInterval, minimum, maximum, hysteresis);
  addResult(function, next.getNewScale(), Role::LossScale, "loss_scale");
  addResult(function, next.getNewCounter(), Role::LossScale,
            "loss_scale.counter");
  addResult(function, next.getNewBudget(), Role::LossScale,
            "loss_scale.budget");
}
