//===- AttachLoss.cpp - Compute a loss from outputs and labels ------------===//

#include "mpt/Transforms/Passes.h"

#include "NameSelector.h"
#include "StepFunction.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Support/CallExpression.h"

#include <cmath>

namespace mpt {
#define GEN_PASS_DEF_ATTACHLOSSPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;

namespace {

/// Builds one loss expression in one function.
class LossBuilder {
public:
  LossBuilder(func::FuncOp function, const CallExpression &expression,
              const llvm::StringMap<int64_t> &labelLengths)
      : function(function), step(function), expression(expression),
        labelLengths(labelLengths), builder(step.getReturn()) {
    for (BlockArgument argument : function.getArguments()) {
      unsigned index = argument.getArgNumber();
      auto role = mp::getArgRole(function, index);
      if (role != mp::Role::Input && role != mp::Role::Label)
        continue;
      inputs[mp::getArgName(function, index)] = argument;
      behindInputs = index + 1;
    }
  }

  LogicalResult run();

private:
  FailureOr<Value> buildTerm(const CallTerm &term);
  FailureOr<Value> buildCrossEntropy(const CallTerm &term);
  FailureOr<Value> buildCTC(const CallTerm &term);
  template <typename LossOp>
  FailureOr<Value> buildPairLoss(const CallTerm &term);
  Value multiply(Value loss, double factor);
  FailureOr<Value> useOutput(const CallTerm &term);

  /// The output of that name, in f32 unless it is f64.
  FailureOr<Value> getOutput(StringRef name);
  /// The same for a term whose arguments have all been taken.
  FailureOr<Value> getOutput(CallArguments &args, StringRef name);
  /// The argument of that name, made where there is none.
  FailureOr<Value> getLabel(StringRef name, RankedTensorType type);
  Value cast(Value value, Type elementType);

  InFlightDiagnostic error() {
    return emitError(function.getLoc()) << "loss '" << expression.text << "': ";
  }

  func::FuncOp function;
  StepFunction step;
  const CallExpression &expression;
  const llvm::StringMap<int64_t> &labelLengths;
  OpBuilder builder;
  llvm::StringMap<BlockArgument> inputs, labels;
  unsigned behindInputs = 0;
};

} // namespace

Value LossBuilder::cast(Value value, Type elementType) {
  auto type = ::cast<RankedTensorType>(value.getType());
  if (type.getElementType() == elementType)
    return value;
  return nn::CastOp::create(builder, function.getLoc(),
                            RankedTensorType::get(type.getShape(), elementType),
                            value);
}

FailureOr<Value> LossBuilder::getOutput(StringRef name) {
  std::vector<std::string> known;
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    if (mp::getResultRole(function, i) != mp::Role::Output)
      continue;
    known.push_back(mp::getResultName(function, i).str());
    if (known.back() != name)
      continue;
    Value value = step.getReturn().getOperand(i);
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || !type.hasStaticShape() ||
        !isa<FloatType>(type.getElementType()))
      return error() << "output '" << name << "' has type " << value.getType()
                     << ", a loss needs a float tensor of static shape";
    return cast(value, type.getElementType().isF64() ? type.getElementType()
                                                     : builder.getF32Type());
  }
  return error() << "there is no output '" << name
                 << "'; outputs are: " << listNames(known, 16);
}

FailureOr<Value> LossBuilder::getLabel(StringRef name, RankedTensorType type) {
  auto reject = [&](Type present) -> LogicalResult {
    return error() << "'" << name << "' has type " << present
                   << " where the loss needs " << type;
  };
  if (BlockArgument label = labels.lookup(name)) {
    if (label.getType() != type)
      return reject(label.getType());
    return Value(label);
  }
  if (BlockArgument input = inputs.lookup(name)) {
    if (input.getType() != type)
      return reject(input.getType());
    return Value(input);
  }
  BlockArgument label = step.addArgument(type, mp::Role::Label, name,
                                         behindInputs + labels.size());
  labels[name] = label;
  return Value(label);
}

FailureOr<Value> LossBuilder::getOutput(CallArguments &args, StringRef name) {
  std::string message;
  if (args.finish(message))
    return getOutput(name);
  emitError(function.getLoc()) << message;
  return failure();
}

FailureOr<Value> LossBuilder::buildCrossEntropy(const CallTerm &term) {
  CallArguments args(expression, term);
  std::string outputName = args.requireName("logits");
  std::string labelName = args.requireName("labels");
  int64_t axis = args.getInteger("axis", -1);
  int64_t ignoreIndex = args.getInteger("ignore_index", -100);
  std::string weightsName = args.getName("weights", "none");
  std::string reduction = args.getChoice("reduction", "mean", {"mean", "sum"});
  auto logits = getOutput(args, outputName);
  if (failed(logits))
    return failure();
  auto type = ::cast<RankedTensorType>(logits->getType());
  if (axis < -type.getRank() || axis >= type.getRank())
    return error() << "axis " << axis << " does not fit output '" << outputName
                   << "' of type " << type;
  if (axis < 0)
    axis += type.getRank();
  auto labels = getLabel(
      labelName,
      RankedTensorType::get(nn::getReducedShape(type.getShape(), axis, false),
                            builder.getI64Type()));
  if (failed(labels))
    return failure();
  Value weights;
  if (weightsName != "none") {
    auto given =
        getLabel(weightsName, RankedTensorType::get({type.getDimSize(axis)},
                                                    type.getElementType()));
    if (failed(given))
      return failure();
    weights = *given;
  }
  auto loss = nn::SoftmaxCrossEntropyOp::create(
      builder, function.getLoc(), *logits, *labels, weights,
      builder.getI64IntegerAttr(axis), builder.getI64IntegerAttr(ignoreIndex),
      nn::LossReductionAttr::get(builder.getContext(),
                                 reduction == "sum" ? nn::LossReduction::Sum
                                                    : nn::LossReduction::Mean));
  return loss.getLoss();
}

FailureOr<Value> LossBuilder::buildCTC(const CallTerm &term) {
  CallArguments args(expression, term);
  std::string outputName = args.requireName("logits");
  std::string names[] = {args.requireName("labels"),
                         args.requireName("logit_lengths"),
                         args.requireName("label_lengths")};
  int64_t blank = args.getInteger("blank", 0);
  std::string reduction = args.getChoice("reduction", "mean", {"mean", "sum"});
  bool zeroInfinity = args.getBoolean("zero_infinity", false);
  auto logits = getOutput(args, outputName);
  if (failed(logits))
    return failure();
  auto type = ::cast<RankedTensorType>(logits->getType());
  if (type.getRank() != 3 || type.getNumElements() == 0)
    return error() << "ctc needs logits [batch, frames, classes], output '"
                   << outputName << "' has type " << type;
  if (blank < 0 || blank >= type.getDimSize(2))
    return error() << "blank " << blank << " is not one of the "
                   << type.getDimSize(2) << " classes of output '" << outputName
                   << "'";
  // An input of that name brings its own length.
  const int64_t samples = type.getDimSize(0);
  int64_t longest = type.getDimSize(1);
  if (auto given = labelLengths.find(names[0]); given != labelLengths.end())
    longest = given->second;
  if (BlockArgument input = inputs.lookup(names[0]))
    if (auto labels = dyn_cast<RankedTensorType>(input.getType());
        labels && labels.getRank() == 2)
      longest = labels.getDimSize(1);
  SmallVector<int64_t> shapes[] = {{samples, longest}, {samples}, {samples}};
  SmallVector<Value> labels;
  for (auto [name, shape] : llvm::zip(names, shapes)) {
    auto label =
        getLabel(name, RankedTensorType::get(shape, builder.getI64Type()));
    if (failed(label))
      return failure();
    labels.push_back(*label);
  }
  auto loss = nn::CTCLossOp::create(
      builder, function.getLoc(), *logits, labels[0], labels[1], labels[2],
      blank,
      reduction == "sum" ? nn::LossReduction::Sum : nn::LossReduction::Mean,
      zeroInfinity);
  return loss.getLoss();
}

template <typename LossOp>
FailureOr<Value> LossBuilder::buildPairLoss(const CallTerm &term) {
  CallArguments args(expression, term);
  std::string outputName = args.requireName("output");
  std::string targetName = args.requireName("target");
  std::string reduction = args.getChoice("reduction", "mean", {"mean", "sum"});
  auto output = getOutput(args, outputName);
  if (failed(output))
    return failure();
  auto target =
      getLabel(targetName, ::cast<RankedTensorType>(output->getType()));
  if (failed(target))
    return failure();
  auto loss = LossOp::create(
      builder, function.getLoc(), *output, *target,
      nn::LossReductionAttr::get(builder.getContext(),
                                 reduction == "sum" ? nn::LossReduction::Sum
                                                    : nn::LossReduction::Mean));
  return loss.getLoss();
}

FailureOr<Value> LossBuilder::useOutput(const CallTerm &term) {
  auto output = getOutput(term.name);
  if (failed(output))
    return failure();
  auto type = ::cast<RankedTensorType>(output->getType());
  if (type.getNumElements() != 1)
    return error() << "output '" << term.name << "' of type " << type
                   << " is no loss: it has more than one element";
  if (type.getRank() == 0)
    return *output;
  return Value(nn::ReshapeOp::create(
      builder, function.getLoc(),
      RankedTensorType::get({}, type.getElementType()), *output));
}

FailureOr<Value> LossBuilder::buildTerm(const CallTerm &term) {
  if (!term.hasParentheses)
    return useOutput(term);
  if (term.name == "cross_entropy")
    return buildCrossEntropy(term);
  if (term.name == "ctc")
    return buildCTC(term);
  if (term.name == "mse")
    return buildPairLoss<nn::MSELossOp>(term);
  if (term.name == "l1")
    return buildPairLoss<nn::L1LossOp>(term);
  if (term.name == "bce_with_logits")
    return buildPairLoss<nn::BCEWithLogitsLossOp>(term);
  emitError(function.getLoc()) << expression.diagnose(
      term.offset,
      "there is no loss '" + term.name +
          "'; use cross_entropy, ctc, mse, l1, bce_with_logits or the "
          "name of an output that is a loss");
  return failure();
}

/// A factor like 0.4 is no f32 number; the rest of it is a second one, which
/// makes no difference in f32 and makes evaluation in double right.
Value LossBuilder::multiply(Value loss, double factor) {
  Location loc = function.getLoc();
  auto times = [&](double number) -> Value {
    return nn::MulOp::create(
        builder, loc, loss,
        nn::createScalar(builder, loc, loss.getType(), number));
  };
  Value product = times(factor);
  const double rest = factor - static_cast<double>(static_cast<float>(factor));
  if (rest == 0 || !std::isfinite(rest))
    return product;
  return nn::AddOp::create(builder, loc, product, times(rest));
}

LogicalResult LossBuilder::run() {
  Value loss;
  for (const CallTerm &term : expression.terms) {
    auto built = buildTerm(term);
    if (failed(built))
      return failure();
    Value value = cast(*built, builder.getF32Type());
    if (term.coefficient != 1.0)
      value = multiply(value, term.coefficient);
    loss =
        loss ? Value(nn::AddOp::create(builder, function.getLoc(), loss, value))
             : value;
  }
  step.addResult(loss, mp::Role::Loss, "loss", /*front=*/true);
  step.finish();
  return success();
}

namespace {

struct AttachLossPass : mpt::impl::AttachLossPassBase<AttachLossPass> {
  using Base::Base;

  void runOnOperation() override {
    if (loss.empty()) {
      emitError(UnknownLoc::get(&getContext()))
          << "give the loss, as in loss={cross_entropy(logits, labels)}, or "
             "the "
             "name of an output that is one";
      return signalPassFailure();
    }
    std::string message;
    auto expression = CallExpression::parse(loss.getValue(), message);
    if (!expression) {
      emitError(getOperation().getLoc()) << message;
      return signalPassFailure();
    }
    llvm::StringMap<int64_t> lengths;
    for (StringRef text : labelLengths) {
      auto [name, count] = text.rsplit('=');
      if (count.getAsInteger(10, lengths[name]) || lengths[name] < 0) {
        emitError(getOperation().getLoc())
            << "label-lengths takes name=count, not '" << text << "'";
        return signalPassFailure();
      }
    }
    func::FuncOp target = findFunction();
    if (!target || failed(LossBuilder(target, *expression, lengths).run()))
      signalPassFailure();
  }

private:
  /// The function to work on; reports when there is none, or several.
  func::FuncOp findFunction() {
    SmallVector<func::FuncOp> candidates;
    if (failed(collectFunctions(getOperation(), mp::Role::Output, candidates)))
      return {};
    llvm::erase_if(candidates, [&](func::FuncOp candidate) {
      return (!function.empty() && candidate.getName() != function) ||
             (function.empty() && hasResult(candidate, mp::Role::Loss));
    });
    if (candidates.size() == 1) {
      if (!hasResult(candidates[0], mp::Role::Loss))
        return candidates[0];
      emitError(candidates[0].getLoc())
          << "function '" << candidates[0].getName() << "' has a loss already";
      return {};
    }
    auto diagnostic = emitError(getOperation().getLoc());
    if (!candidates.empty())
      diagnostic << "several functions have outputs; choose one with the "
                    "option 'function'";
    else if (function.empty())
      diagnostic << "no function has outputs and no loss yet: results need "
                    "mp.role = #mp.role<output> and mp.name";
    else
      diagnostic << "there is no function '" << function.getValue()
                 << "' with outputs";
    return {};
  }
};

} // namespace
