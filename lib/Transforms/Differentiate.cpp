//===- Differentiate.cpp - Reverse-mode differentiation -------------------===//
//
// One forward sweep marks the values that depend on what is differentiated by,
// one backward sweep builds the gradients: linear in the function, no
// recursion.
//
//===----------------------------------------------------------------------===//

#include "mpt/Transforms/Passes.h"

#include "NameSelector.h"
#include "StepFunction.h"
#include "mlir/IR/SymbolTable.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace mpt {
#define GEN_PASS_DEF_DIFFERENTIATEPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;

static bool isFloatTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && isa<FloatType>(tensor.getElementType());
}

/// Sums a gradient in a broadcast shape down to the shape of the value it
/// belongs to: one reduction over all axes that were stretched.
static Value sumToShape(OpBuilder &builder, Location loc, Value gradient,
                        RankedTensorType type) {
  auto from = cast<RankedTensorType>(gradient.getType());
  if (from.getShape() == type.getShape())
    return gradient;
  int64_t added = from.getRank() - type.getRank();
  SmallVector<int64_t> axes;
  for (int64_t axis = 0; axis < from.getRank(); ++axis)
    if (axis < added ||
        (type.getDimSize(axis - added) == 1 && from.getDimSize(axis) != 1))
      axes.push_back(axis);
  Value sum = nn::ReduceSumOp::create(builder, loc, gradient, axes,
                                      /*keepdims=*/false);
  auto target = RankedTensorType::get(type.getShape(), from.getElementType());
  if (sum.getType() == target)
    return sum;
  return nn::ReshapeOp::create(builder, loc, target, sum);
}

namespace {

/// Builds the backward graph of one function.
class Differentiator {
public:
  Differentiator(func::FuncOp function, ArrayRef<BlockArgument> wanted)
      : function(function), step(function), wanted(wanted),
        builder(step.getReturn()) {}

  LogicalResult run(Value loss);

private:
  void markActive();
  LogicalResult differentiate(Operation *op);
  LogicalResult accumulate(Operation *op, Value value, Value gradient);
  LogicalResult reportMissingRule(Operation *op);

  func::FuncOp function;
  StepFunction step;
  ArrayRef<BlockArgument> wanted;
  OpBuilder builder;
  llvm::DenseSet<Value> active;
  llvm::DenseMap<Value, Value> gradients;
};

} // namespace

/// Active are the float values that depend on a wanted argument.
void Differentiator::markActive() {
  active.insert(wanted.begin(), wanted.end());
  auto isActive = [&](Value value) { return active.contains(value); };
  for (Operation &op : step.getBody()) {
    if (op.hasTrait<NonDifferentiable>())
      continue;
    bool depends = llvm::any_of(op.getOperands(), isActive);
    // An operation with regions may read the value inside.
    if (!depends && op.getNumRegions() != 0)
      op.walk([&](Operation *nested) {
        depends |= llvm::any_of(nested->getOperands(), isActive);
      });
    if (!depends)
      continue;
    for (Value result : op.getResults())
      if (isFloatTensor(result.getType()) ||
          !isa<RankedTensorType>(result.getType()))
        active.insert(result);
  }
}

LogicalResult Differentiator::reportMissingRule(Operation *op) {
  if (auto node = dyn_cast<nn::OnnxNodeOp>(op))
    return emitError(op->getLoc())
           << "the ONNX operator " << node.getOpType()
           << " has no derivative here, and the loss depends on a trained "
              "parameter through it; freeze the parameters before it";
  return emitError(op->getLoc())
         << "'" << op->getName()
         << "' has no derivative, and the loss depends on a trained parameter "
            "through it; freeze the parameters before it";
}

LogicalResult Differentiator::accumulate(Operation *op, Value value,
                                         Value gradient) {
  auto type = cast<RankedTensorType>(value.getType());
  auto given = cast<RankedTensorType>(gradient.getType());
  if (given.getElementType() != type.getElementType())
    return emitError(op->getLoc()) << "derivative rule of '" << op->getName()
                                   << "' gives a gradient of type " << given
                                   << " for an operand of type " << type;
  gradient = sumToShape(builder, op->getLoc(), gradient, type);
  Value &slot = gradients[value];
  slot = slot ? Value(nn::AddOp::create(builder, op->getLoc(), slot, gradient))
              : gradient;
  return success();
}

LogicalResult Differentiator::differentiate(Operation *op) {
  SmallVector<Value> resultGradients;
  bool reached = false;
  for (Value result : op->getResults()) {
    Value gradient = gradients.lookup(result);
    reached |= gradient != nullptr;
    resultGradients.push_back(gradient);
  }
  if (!reached)
    return success();
  SmallVector<bool> wantedOperands;
  bool any = false;
  for (Value operand : op->getOperands()) {
    wantedOperands.push_back(active.contains(operand));
    any |= wantedOperands.back();
  }
  auto rule = dyn_cast<DifferentiableOpInterface>(op);
  if (!rule)
    return reportMissingRule(op);
  if (!any)
    return success();
  SmallVector<Value> operandGradients(op->getNumOperands());
  if (failed(rule.buildGradient(builder, resultGradients, wantedOperands,
                                operandGradients)))
    return failure();
  for (auto [i, gradient] : llvm::enumerate(operandGradients))
    if (gradient && wantedOperands[i] &&
        failed(accumulate(op, op->getOperand(i), gradient)))
      return failure();
  return success();
}

LogicalResult Differentiator::run(Value loss) {
  markActive();
  SmallVector<Operation *> forward;
  for (Operation &op : step.getBody().without_terminator())
    forward.push_back(&op);
  if (active.contains(loss))
    gradients[loss] =
        mp::LossSeedOp::create(builder, loss.getLoc(), loss.getType());
  for (Operation *op : llvm::reverse(forward)) {
    bool onPath = llvm::any_of(op->getResults(), [&](Value result) {
      return active.contains(result) && gradients.contains(result);
    });
    if (onPath && failed(differentiate(op)))
      return failure();
  }
  for (BlockArgument argument : wanted) {
    StringRef name = mp::getArgName(function, argument.getArgNumber());
    auto type = cast<RankedTensorType>(argument.getType());
    Value gradient = gradients.lookup(argument);
    if (!gradient) {
      emitWarning(argument.getLoc())
          << "the loss does not depend on the trained parameter '" << name
          << "': its gradient is zero; freeze it to save the work";
      gradient = nn::createSplat(builder, argument.getLoc(), type, 0.0);
    }
    // The optimizer works on 32 bits.
    if (type.getElementTypeBitWidth() < 32)
      gradient = nn::CastOp::create(
          builder, argument.getLoc(),
          RankedTensorType::get(type.getShape(), builder.getF32Type()),
          gradient);
    Value result = mp::GradientOp::create(builder, argument.getLoc(),
                                          gradient.getType(), gradient, name);
    step.addResult(result, mp::Role::Gradient, name);
  }
  step.finish();
  return success();
}

namespace {

struct DifferentiatePass : mpt::impl::DifferentiatePassBase<DifferentiatePass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<func::FuncOp> functions;
    if (failed(collectFunctions(getOperation(), mp::Role::Loss, functions)))
      return signalPassFailure();
    SymbolTable symbols(getOperation());
    for (func::FuncOp function : functions)
      if (!hasResult(function, mp::Role::Gradient) &&
          failed(differentiate(function, symbols)))
        return signalPassFailure();
  }

private:
  LogicalResult differentiate(func::FuncOp function, SymbolTable &symbols);
  FailureOr<SmallVector<BlockArgument>> selectArguments(func::FuncOp function,
                                                        SymbolTable &symbols);
};

} // namespace

/// The arguments to differentiate by, with a complete name each.
FailureOr<SmallVector<BlockArgument>>
DifferentiatePass::selectArguments(func::FuncOp function,
                                   SymbolTable &symbols) {
  std::optional<NameSelector> selector =
      NameSelector::parse(wrt, function.getLoc());
  if (!selector)
    return failure();
  SmallVector<BlockArgument> selected;
  std::vector<std::string> known;
  for (BlockArgument argument : function.getArguments()) {
    if (!isFloatTensor(argument.getType()))
      continue;
    unsigned index = argument.getArgNumber();
    StringRef name = mp::getArgName(function, index);
    auto symbol = function.getArgAttrOfType<FlatSymbolRefAttr>(
        index, nn::NNDialect::kParameterAttrName);
    if (!selector->empty()) {
      if (name.empty())
        continue;
      known.push_back(name.str());
      if (selector->matches(name))
        selected.push_back(argument);
      continue;
    }
    if (!symbol)
      continue;
    auto parameter = symbols.lookup<nn::ParameterOp>(symbol.getValue());
    if (!parameter)
      return emitError(function.getLoc())
             << "argument " << index << " refers to " << symbol
             << ", which is no nn.parameter of the module";
    if (!parameter.getTrainable() ||
        mp::getArgRole(function, index) == mp::Role::Statistic)
      continue;
    if (name.empty())
      return emitError(function.getLoc())
             << "the argument for the trained parameter " << symbol
             << " has no mp.name";
    selected.push_back(argument);
  }
  if (failed(
          selector->checkAllUsed(function.getLoc(), "float argument", known)))
    return failure();
  if (selected.empty())
    return emitError(function.getLoc())
           << "function '" << function.getName()
           << "' has no trained parameter to differentiate by; run "
              "mpt-prepare-parameters first, or name some with its option "
              "'trainable'";
  return selected;
}

LogicalResult DifferentiatePass::differentiate(func::FuncOp function,
                                               SymbolTable &symbols) {
  Value loss;
  Operation *terminator = function.getBody().front().getTerminator();
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    if (mp::getResultRole(function, i) != mp::Role::Loss)
      continue;
    if (loss)
      return emitError(function.getLoc())
             << "function '" << function.getName()
             << "' has several results of role loss; a training "
                "step has one";
    loss = terminator->getOperand(i);
  }
  auto type = dyn_cast<RankedTensorType>(loss.getType());
  if (!type || type.getRank() != 0 || !isa<FloatType>(type.getElementType()))
    return emitError(function.getLoc())
           << "the loss should be a float scalar, is " << loss.getType();
  auto arguments = selectArguments(function, symbols);
  if (failed(arguments))
    return failure();
  return Differentiator(function, *arguments).run(loss);
}
