//===- AttachOptimizer.cpp - From gradients to a training step ------------===//

#include "mpt/Transforms/Passes.h"

#include "NameSelector.h"
#include "ParameterPlaces.h"
#include "StepFunction.h"
#include "mlir/IR/SymbolTable.h"
#include "mpt/Dialect/MP/IR/StepAttributes.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Transforms/OptimizerSettings.h"
#include "llvm/ADT/MapVector.h"

#include <cmath>
#include <map>

namespace mpt {
#define GEN_PASS_DEF_ATTACHOPTIMIZERPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;

static constexpr llvm::StringLiteral kStepName = "train_step";

namespace {

/// Builds the optimizer behind the gradients of one function.
class OptimizerBuilder {
public:
  OptimizerBuilder(func::FuncOp function, const OptimizerSettings &settings,
                   ArrayRef<ParameterGroup> groups, double clipNorm, double ema)
      : function(function), step(function), settings(settings), groups(groups),
        clipNorm(clipNorm), ema(ema), builder(step.getReturn()),
        loc(function.getLoc()) {}

  LogicalResult run();

private:
  struct Trained {
    BlockArgument parameter;
    Value gradient;
    std::string name;
    const OptimizerSettings *settings;
  };
  struct Update {
    Value oldValue, newValue;
    mp::Role role;
    std::string name;
  };

  LogicalResult collect();
  LogicalResult assignGroups();
  void clip();
  Value optimize(const Trained &trained);
  void average(const Trained &trained, Value newParameter);
  LogicalResult updateStatistics();
  void stepDropouts(Value stepArgument);
  BlockArgument addState(const Trained &trained, StringRef suffix);
  Value scaledRate(double scale);
  FloatAttr number(double value) { return builder.getF64FloatAttr(value); }
  /// Everything from here on is FP32.
  template <typename Op, typename... Args> Op create(Args &&...args) {
    auto op = Op::create(builder, loc, std::forward<Args>(args)...);
    op->setAttr(mp::MPDialect::kPinAttrName,
                builder.getStringAttr("optimizer"));
    return op;
  }

  func::FuncOp function;
  StepFunction step;
  const OptimizerSettings &settings;
  ArrayRef<ParameterGroup> groups;
  double clipNorm, ema;
  OpBuilder builder;
  Location loc;
  SmallVector<Trained> trainedParameters;
  SmallVector<Update> updates;
  Value learningRate, stepNumber, gradientNorm;
  std::map<double, Value> scaledRates;
};

} // namespace

LogicalResult OptimizerBuilder::collect() {
  llvm::StringMap<BlockArgument> parameters;
  for (BlockArgument argument : function.getArguments())
    if (mp::getArgRole(function, argument.getArgNumber()) ==
        mp::Role::Parameter)
      parameters[mp::getArgName(function, argument.getArgNumber())] = argument;
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    if (mp::getResultRole(function, i) != mp::Role::Gradient)
      continue;
    StringRef name = mp::getResultName(function, i);
    Value gradient = step.getReturn().getOperand(i);
    BlockArgument parameter = parameters.lookup(name);
    if (!parameter)
      return emitError(function.getLoc()) << "gradient '" << name
                                          << "' belongs to no argument of role "
                                             "parameter";
    if (parameter.getType() != gradient.getType())
      return emitError(function.getLoc())
             << "parameter '" << name << "' has type " << parameter.getType()
             << ", its gradient " << gradient.getType()
             << "; the optimizer works on f32 masters";
    trainedParameters.push_back({parameter, gradient, name.str(), &settings});
  }
  return success();
}

/// Is `parameter` what a group's @names ask for? A vector that is multiplied or
/// added outside of a normalization or matrix product plays the part of a scale
/// or bias: exporters spell normalizations out.
static bool hasRole(const ParameterGroup &group, Value parameter, Place place) {
  bool isAdded = llvm::any_of(parameter.getUsers(), [](Operation *user) {
    return isa<nn::AddOp>(user);
  });
  switch (place) {
  case Place::NormAffine:
    return group.norms;
  case Place::Bias:
    return group.biases;
  case Place::Scalar:
  case Place::ScalarFactor:
  case Place::Gate:
  case Place::Vector:
    return isAdded ? group.biases : group.norms;
  case Place::ScoreTable:
  case Place::JoinedTable:
  case Place::AddedTable:
  case Place::GatheredTable:
    return group.embeddings;
  case Place::Filter:
  case Place::MatrixFactor:
    return group.weights;
  default:
    return false;
  }
}

/// The first group that matches a parameter gives its settings.
LogicalResult OptimizerBuilder::assignGroups() {
  if (groups.empty())
    return success();
  SmallVector<NameSelector> selectors;
  for (const ParameterGroup &group : groups) {
    auto selector = NameSelector::parse(group.names, function.getLoc());
    if (!selector)
      return failure();
    selectors.push_back(std::move(*selector));
  }
  ParameterPlaces places(function);
  // The last count is that of the rest.
  SmallVector<std::pair<int64_t, int64_t>> counts(groups.size() + 1);
  std::vector<std::string> known;
  for (Trained &trained : trainedParameters) {
    known.push_back(trained.name);
    size_t first = groups.size();
    Place place = places.getPlace(trained.parameter);
    // Every selector sees every name: one that matches nothing is an error.
    for (size_t i = groups.size(); i-- > 0;)
      if (selectors[i].matches(trained.name) ||
          hasRole(groups[i], trained.parameter, place))
        first = i;
    counts[first].first += 1;
    counts[first].second +=
        cast<RankedTensorType>(trained.parameter.getType()).getNumElements();
    if (first == groups.size())
      continue;
    trained.settings = &groups[first].settings;
    step.setArgumentAttr(trained.parameter.getArgNumber(), mp::kGroupAttrName,
                         builder.getStringAttr(groups[first].text));
  }
  for (const NameSelector &selector : selectors)
    if (failed(selector.checkAllUsed(function.getLoc(), "trained parameter",
                                     known)))
      return failure();
  for (auto [i, count] : llvm::enumerate(counts))
    emitRemark(function.getLoc())
        << (i < groups.size() ? "parameter group '" + groups[i].text + "': "
                              : std::string("in no parameter group: "))
        << count.first << " parameters, " << count.second << " elements";
  return success();
}

/// The global norm, and the gradients times min(1, C / (norm + 1e-6))
/// (torch.nn.utils.clip_grad_norm_).
void OptimizerBuilder::clip() {
  Value total;
  for (const Trained &trained : trainedParameters) {
    auto type = cast<RankedTensorType>(trained.gradient.getType());
    Value square = create<nn::MulOp>(trained.gradient, trained.gradient);
    Value sum = create<nn::ReduceSumOp>(
        square, llvm::to_vector(llvm::seq<int64_t>(0, type.getRank())), false);
    if (total && total.getType() != sum.getType())
      sum = create<nn::CastOp>(total.getType(), sum);
    total = total ? Value(create<nn::AddOp>(total, sum)) : sum;
  }
  gradientNorm = create<nn::SqrtOp>(total.getType(), total);
  if (clipNorm <= 0)
    return;
  auto scalar = [&](double value) {
    return nn::createScalar(builder, loc, gradientNorm.getType(), value);
  };
  Value bound = create<nn::DivOp>(
      scalar(clipNorm), create<nn::AddOp>(gradientNorm, scalar(1e-6)));
  Value coefficient = create<nn::MinOp>(bound, scalar(1.0));
  for (Trained &trained : trainedParameters) {
    Value factor = coefficient;
    Type element = getElementTypeOrSelf(trained.gradient.getType());
    if (getElementTypeOrSelf(factor.getType()) != element)
      factor = create<nn::CastOp>(RankedTensorType::get({}, element), factor);
    trained.gradient = create<nn::MulOp>(trained.gradient, factor);
  }
}

BlockArgument OptimizerBuilder::addState(const Trained &trained,
                                         StringRef suffix) {
  return step.addArgument(trained.parameter.getType(), mp::Role::OptimizerState,
                          trained.name + suffix.str(), std::nullopt,
                          builder.getNamedAttr(mp::MPDialect::kDonateAttrName,
                                               builder.getUnitAttr()));
}

/// The learning rate times a group's factor, made once.
Value OptimizerBuilder::scaledRate(double scale) {
  if (scale == 1)
    return learningRate;
  Value &rate = scaledRates[scale];
  if (!rate)
    rate = create<nn::MulOp>(
        learningRate,
        nn::createScalar(builder, loc, learningRate.getType(), scale));
  return rate;
}

/// The parameter's new value.
Value OptimizerBuilder::optimize(const Trained &trained) {
  const OptimizerSettings &settings = *trained.settings;
  Value learningRate = scaledRate(settings.learningRateScale);
  auto update = [&](Value oldValue, Value newValue, mp::Role role,
                    std::string name) {
    updates.push_back({oldValue, newValue, role, std::move(name)});
  };
  if (settings.kind == OptimizerSettings::Kind::Adam) {
    Value first = addState(trained, ".exp_avg");
    Value second = addState(trained, ".exp_avg_sq");
    auto op = create<nn::AdamOp>(
        trained.parameter, trained.gradient, first, second, learningRate,
        stepNumber, number(settings.beta1), number(settings.beta2),
        number(settings.epsilon), number(settings.weightDecay),
        builder.getBoolAttr(settings.decoupled));
    update(trained.parameter, op.getNewParameter(), mp::Role::Parameter,
           trained.name);
    update(first, op.getNewFirstMoment(), mp::Role::OptimizerState,
           trained.name + ".exp_avg");
    update(second, op.getNewSecondMoment(), mp::Role::OptimizerState,
           trained.name + ".exp_avg_sq");
    return op.getNewParameter();
  }
  // Without momentum there is no velocity: the operand is carried through and
  // not read, so the parameter itself stands in for it.
  bool hasVelocity = settings.momentum != 0;
  Value velocity = hasVelocity ? Value(addState(trained, ".momentum"))
                               : Value(trained.parameter);
  auto op = create<nn::SGDOp>(
      trained.parameter, trained.gradient, velocity, learningRate, stepNumber,
      number(settings.momentum), number(settings.dampening),
      builder.getBoolAttr(settings.nesterov), number(settings.weightDecay));
  update(trained.parameter, op.getNewParameter(), mp::Role::Parameter,
         trained.name);
  if (hasVelocity)
    update(velocity, op.getNewVelocity(), mp::Role::OptimizerState,
           trained.name + ".momentum");
  return op.getNewParameter();
}

/// The exponential moving average of a parameter, which starts as its first
/// value: average + (1 - decay) * (parameter - average).
void OptimizerBuilder::average(const Trained &trained, Value newParameter) {
  BlockArgument average = addState(trained, ".ema");
  if (Attribute symbol = function.getArgAttr(trained.parameter.getArgNumber(),
                                             nn::NNDialect::kParameterAttrName))
    step.setArgumentAttr(average.getArgNumber(),
                         nn::NNDialect::kParameterAttrName, symbol);
  Value share = nn::createScalar(
      builder, loc, getElementTypeOrSelf(average.getType()), 1.0 - ema);
  Value difference = create<nn::SubOp>(newParameter, average);
  Value next = create<nn::AddOp>(average, create<nn::MulOp>(difference, share));
  updates.push_back(
      {average, next, mp::Role::OptimizerState, trained.name + ".ema"});
}

/// Running statistics become state. A statistic that several batch norms share
/// is updated by one after the other.
LogicalResult OptimizerBuilder::updateStatistics() {
  llvm::MapVector<Value, Value> newest; // argument -> its value so far
  for (auto norm : step.getBody().getOps<nn::BatchNormTrainingOp>()) {
    auto chain = [&](OpOperand &operand, Value updated) {
      auto argument = dyn_cast<BlockArgument>(operand.get());
      if (!argument)
        return;
      auto role = mp::getArgRole(function, argument.getArgNumber());
      if (role != mp::Role::Statistic && role != mp::Role::Parameter)
        return;
      auto [it, inserted] = newest.insert({argument, updated});
      if (!inserted) {
        operand.set(it->second);
        it->second = updated;
      }
    };
    chain(norm.getRunningMeanMutable(), norm.getNewMean());
    chain(norm.getRunningVarianceMutable(), norm.getNewVariance());
  }
  for (auto [argument, updated] : newest) {
    unsigned index = cast<BlockArgument>(argument).getArgNumber();
    StringRef name = mp::getArgName(function, index);
    if (name.empty())
      return emitError(function.getLoc())
             << "argument " << index
             << " is a running statistic of batch norm and has no mp.name";
    updates.push_back({argument, updated, mp::Role::Statistic, name.str()});
  }
  return success();
}

/// Dropout draws new bits in every step and every micro-batch: micro-batch i of
/// N in step t draws what step t * N + i would without accumulation.
void OptimizerBuilder::stepDropouts(Value stepArgument) {
  OpBuilder atStart(&step.getBody(), step.getBody().begin());
  Value base = stepArgument;
  if (auto parts =
          function->getAttrOfType<IntegerAttr>(mp::kMicroBatchesAttrName))
    base = nn::MulOp::create(
        atStart, loc, stepArgument,
        nn::createScalar(atStart, loc, stepArgument.getType(), parts.getInt()));
  for (auto dropout : step.getBody().getOps<nn::DropoutOp>()) {
    if (dropout.getStep())
      continue;
    Value counter = base;
    auto part = dropout->getAttrOfType<IntegerAttr>(mp::kMicroBatchAttrName);
    if (part && part.getInt() != 0)
      counter = nn::AddOp::create(
          atStart, loc, base,
          nn::createScalar(atStart, loc, base.getType(), part.getInt()));
    dropout->removeAttr(mp::kMicroBatchAttrName);
    dropout.getStepMutable().assign(counter);
  }
}

LogicalResult OptimizerBuilder::run() {
  if (failed(collect()) || failed(assignGroups()) || failed(updateStatistics()))
    return failure();
  auto counterType = RankedTensorType::get({}, builder.getI64Type());
  auto donate = builder.getNamedAttr(mp::MPDialect::kDonateAttrName,
                                     builder.getUnitAttr());
  BlockArgument stepArgument = step.addArgument(
      counterType, mp::Role::Step, "step", std::nullopt,
      {donate, builder.getNamedAttr(mp::MPDialect::kInitialAttrName,
                                    builder.getI64IntegerAttr(0))});
  learningRate = step.addArgument(
      RankedTensorType::get({}, builder.getF32Type()), mp::Role::Hyperparameter,
      "learning_rate", std::nullopt,
      builder.getNamedAttr(mp::MPDialect::kInitialAttrName,
                           builder.getF32FloatAttr(settings.learningRate)));
  stepNumber = create<nn::AddOp>(
      stepArgument, nn::createScalar(builder, loc, counterType, 1.0));
  stepDropouts(stepArgument);
  clip();
  for (const Trained &trained : trainedParameters) {
    Value newParameter = optimize(trained);
    if (ema > 0)
      average(trained, newParameter);
  }
  updates.push_back({stepArgument, stepNumber, mp::Role::Step, "step"});

  step.eraseResults(mp::Role::Gradient);
  for (const Update &update : updates) {
    auto argument = cast<BlockArgument>(update.oldValue);
    step.setArgumentAttr(argument.getArgNumber(),
                         mp::MPDialect::kDonateAttrName, builder.getUnitAttr());
    if (update.role == mp::Role::Statistic)
      step.setArgumentAttr(
          argument.getArgNumber(), mp::MPDialect::kRoleAttrName,
          mp::RoleAttr::get(builder.getContext(), mp::Role::Statistic));
    Value value = mp::UpdateOp::create(builder, loc, update.oldValue.getType(),
                                       update.oldValue, update.newValue,
                                       /*finite=*/Value());
    step.addResult(value, update.role, update.name);
  }
  step.addResult(gradientNorm, mp::Role::Metric, "grad_norm");
  step.finish();
  return success();
}

namespace {

struct AttachOptimizerPass
    : mpt::impl::AttachOptimizerPassBase<AttachOptimizerPass> {
  using Base::Base;

  void runOnOperation() override {
    std::string message;
    auto settings = OptimizerSettings::parse(optimizer.getValue(), message);
    if (!settings) {
      emitError(getOperation().getLoc()) << message;
      return signalPassFailure();
    }
    auto parsed = parseParameterGroups(groups, optimizer, message);
    if (!parsed) {
      emitError(getOperation().getLoc()) << message;
      return signalPassFailure();
    }
    if (!(ema >= 0 && ema < 1)) {
      emitError(getOperation().getLoc())
          << "ema should lie in [0, 1); 0 keeps no average";
      return signalPassFailure();
    }
    if (!std::isfinite(clipNorm) || clipNorm < 0) {
      emitError(getOperation().getLoc())
          << "clip-norm should be positive, or 0 for no clipping";
      return signalPassFailure();
    }
    SmallVector<func::FuncOp> functions;
    if (failed(collectFunctions(getOperation(), mp::Role::Gradient, functions)))
      return signalPassFailure();
    SymbolTable symbols(getOperation());
    for (func::FuncOp function : functions) {
      if (function.getName() != kStepName && symbols.lookup(kStepName)) {
        emitError(function.getLoc())
            << "cannot be renamed to @" << kStepName
            << ": the module has a symbol of that name";
        return signalPassFailure();
      }
      if (failed(OptimizerBuilder(function, *settings, *parsed, clipNorm, ema)
                     .run()))
        return signalPassFailure();
      if (!keepOutputs) {
        StepFunction step(function);
        step.eraseResults(mp::Role::Output);
        step.finish();
      }
      if (function.getName() != kStepName &&
          failed(symbols.rename(function, kStepName)))
        return signalPassFailure();
    }
  }
};

} // namespace
