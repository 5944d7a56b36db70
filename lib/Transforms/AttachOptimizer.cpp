//===- AttachOptimizer.cpp - From gradients to a training step ------------===//

#include "mpt/Transforms/Passes.h"

#include "StepFunction.h"
#include "mlir/IR/SymbolTable.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Support/CallExpression.h"
#include "llvm/ADT/MapVector.h"

#include <cmath>

namespace mpt {
#define GEN_PASS_DEF_ATTACHOPTIMIZERPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;

static constexpr llvm::StringLiteral kStepName = "train_step";

namespace {

/// What the user's expression says; the defaults are PyTorch's.
struct OptimizerSettings {
  enum class Kind { SGD, Adam } kind = Kind::SGD;
  double learningRate = 0, weightDecay = 0;
  double momentum = 0, dampening = 0;
  bool nesterov = false;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  bool decoupled = false;

  static std::optional<OptimizerSettings> parse(StringRef text,
                                                std::string &error);
};

} // namespace

static OptimizerSettings readSGD(CallArguments &args) {
  OptimizerSettings settings;
  settings.learningRate = args.requireNumber("lr");
  settings.momentum = args.getNumber("momentum", 0.0);
  settings.dampening = args.getNumber("dampening", 0.0);
  settings.weightDecay = args.getNumber("weight_decay", 0.0);
  settings.nesterov = args.getBoolean("nesterov", false);
  if (!(settings.momentum >= 0 && settings.momentum < 1))
    args.reject("momentum", "momentum must lie in [0, 1)");
  if (settings.nesterov && (settings.momentum == 0 || settings.dampening != 0))
    args.reject("nesterov", "nesterov needs a momentum and no dampening");
  return settings;
}

static OptimizerSettings readAdam(CallArguments &args, bool decoupled) {
  OptimizerSettings settings;
  settings.kind = OptimizerSettings::Kind::Adam;
  settings.decoupled = decoupled;
  settings.learningRate = args.getNumber("lr", 1e-3);
  std::vector<double> betas = args.getTuple("betas", {0.9, 0.999});
  settings.beta1 = betas[0];
  settings.beta2 = betas[1];
  settings.epsilon = args.getNumber("eps", 1e-8);
  settings.weightDecay = args.getNumber("weight_decay", decoupled ? 0.01 : 0.0);
  for (double beta : betas)
    if (!(beta >= 0 && beta < 1))
      args.reject("betas", "betas must lie in [0, 1)");
  if (!(settings.epsilon >= 0))
    args.reject("eps", "eps must not be negative");
  return settings;
}

std::optional<OptimizerSettings> OptimizerSettings::parse(StringRef text,
                                                          std::string &error) {
  auto expression =
      CallExpression::parse(std::string_view(text.data(), text.size()), error);
  if (!expression)
    return std::nullopt;
  const CallTerm &term = expression->terms.front();
  if (expression->terms.size() != 1 || term.coefficient != 1.0) {
    error = expression->diagnose(term.offset, "an optimizer is a single call");
    return std::nullopt;
  }
  CallArguments args(*expression, term);
  OptimizerSettings settings;
  if (term.name == "sgd")
    settings = readSGD(args);
  else if (term.name == "adam" || term.name == "adamw")
    settings = readAdam(args, term.name == "adamw");
  else {
    error = expression->diagnose(term.offset, "there is no optimizer '" +
                                                  term.name +
                                                  "'; use sgd, adam or adamw");
    return std::nullopt;
  }
  if (!(settings.learningRate >= 0) || std::isinf(settings.learningRate))
    args.reject("lr", "lr must not be negative");
  if (!(settings.weightDecay >= 0))
    args.reject("weight_decay", "weight_decay must not be negative");
  if (!args.finish(error))
    return std::nullopt;
  return settings;
}

namespace {

/// Builds the optimizer behind the gradients of one function.
class OptimizerBuilder {
public:
  OptimizerBuilder(func::FuncOp function, const OptimizerSettings &settings,
                   double clipNorm)
      : function(function), step(function), settings(settings),
        clipNorm(clipNorm), builder(step.getReturn()), loc(function.getLoc()) {}

  LogicalResult run();

private:
  struct Trained {
    BlockArgument parameter;
    Value gradient;
    std::string name;
  };
  struct Update {
    Value oldValue, newValue;
    mp::Role role;
    std::string name;
  };

  LogicalResult collect();
  void clip();
  void optimize(const Trained &trained);
  LogicalResult updateStatistics();
  BlockArgument addState(const Trained &trained, StringRef suffix);
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
  double clipNorm;
  OpBuilder builder;
  Location loc;
  SmallVector<Trained> trainedParameters;
  SmallVector<Update> updates;
  Value learningRate, stepNumber, gradientNorm;
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
    trainedParameters.push_back({parameter, gradient, name.str()});
  }
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

void OptimizerBuilder::optimize(const Trained &trained) {
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
    return;
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

LogicalResult OptimizerBuilder::run() {
  if (failed(collect()) || failed(updateStatistics()))
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
  // Dropout draws new bits in every step.
  for (auto dropout : step.getBody().getOps<nn::DropoutOp>())
    if (!dropout.getStep())
      dropout.getStepMutable().assign(stepArgument);
  clip();
  for (const Trained &trained : trainedParameters)
    optimize(trained);
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
      if (failed(OptimizerBuilder(function, *settings, clipNorm).run()))
        return signalPassFailure();
      if (function.getName() != kStepName &&
          failed(symbols.rename(function, kStepName)))
        return signalPassFailure();
    }
  }
};

} // namespace
