//===- PrecisionHazards.cpp - Epsilons, and powers that are summed --------===//
//
// Operations that are FP32 for what stands around them, whatever a preset says
// of their type. Both patterns can be told from the graph alone:
//
// - An epsilon that the low type cannot hold, where it keeps a root, a
//   logarithm, a power or a divisor from zero. It is there for values of its
//   size, so the squares that it is added to are FP32 too.
// - Powers that are summed (variances, norms): squares leave FP16 above 256 and
//   vanish below 2e-4, ordinary sizes. So powers, sum and root are FP32 unless
//   ranges prove that the powers fit.
//
//===----------------------------------------------------------------------===//

#include "mpt/Analysis/PrecisionAssignment.h"

#include "mpt/Analysis/ValueRanges.h"
#include "mpt/Interfaces/LossScaleOpInterface.h"
#include "mpt/Interfaces/ValueRangeOpInterface.h"

#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;
using namespace mpt;

/// Between an epsilon or a sum and what it is there for lie a few operations.
static constexpr size_t kMostSteps = 16, kMostUses = 64;

static ScaleBehavior behaviorOf(Operation *op) {
  auto interface = dyn_cast<LossScaleOpInterface>(op);
  return interface ? interface.getScaleBehavior() : ScaleBehavior::NonLinear;
}

static bool isConstantOperand(Value value) {
  return getFloatConstant(value.getDefiningOp()) != nullptr;
}

/// Adds, scales, sums or moves: the result is about as large as the operand.
static bool keepsSize(PrecisionOpInterface op) {
  PrecisionClass own = op.getPrecisionClass();
  if (op->getNumResults() != 1 ||
      (own != PrecisionClass::Follow && own != PrecisionClass::Transparent))
    return false;
  ScaleBehavior behavior = behaviorOf(op);
  return behavior == ScaleBehavior::Homogeneous ||
         (behavior == ScaleBehavior::Product &&
          llvm::any_of(op->getOperands(), isConstantOperand));
}

/// A root, logarithm, power or reciprocal: zero or an infinity breaks it.
static bool isDelicate(PrecisionOpInterface op) {
  return op.getPrecisionClass() == PrecisionClass::FP32 &&
         op->getNumResults() == 1 &&
         (isRangeTheDanger(op) || behaviorOf(op) == ScaleBehavior::SquareRoot);
}

/// x * x, or what is FP32 because its results leave FP16 (pow, exp).
static bool isPower(PrecisionOpInterface op) {
  if (op.getPrecisionClass() == PrecisionClass::FP32)
    return isRangeTheDanger(op) && op->getNumResults() == 1;
  return op.getPrecisionClass() == PrecisionClass::Follow &&
         op->getNumOperands() == 2 && op->getOperand(0) == op->getOperand(1) &&
         behaviorOf(op) == ScaleBehavior::Product;
}

static bool isSum(PrecisionOpInterface op) {
  return op.getAccumulatorType() && op->getNumResults() == 1 &&
         op.getPrecisionClass() != PrecisionClass::Low &&
         behaviorOf(op) == ScaleBehavior::Homogeneous;
}

/// The operations from the power that the value is made of to the value, the
/// power first; nothing if there is no such power.
static SmallVector<Operation *, 4> findPower(Value value) {
  SmallVector<Operation *, 4> path;
  while (path.size() < kMostSteps) {
    auto op = dyn_cast_or_null<PrecisionOpInterface>(value.getDefiningOp());
    if (!op)
      return {};
    path.push_back(op);
    if (isPower(op)) {
      std::reverse(path.begin(), path.end());
      return path;
    }
    if (!keepsSize(op))
      return {};
    Value next;
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isFlexibleOperand(operand) || isConstantOperand(operand.get()))
        continue;
      if (next)
        return {};
      next = operand.get();
    }
    if (!next)
      return {};
    value = next;
  }
  return {};
}

/// FP32, unless the user wants it low.
void PrecisionAssignment::keepFP32(Operation *op, Rule rule) {
  Node *node = find(op);
  if (node && node->state != State::FP32 && !node->fixed)
    fix(*node, State::FP32, rule);
}

namespace {
/// A value on the way from an epsilon or a sum, and what is left of the
/// epsilon in it.
struct Step {
  Value value;
  Operation *op;
  size_t from;
  double epsilon;
};
} // namespace

/// What an operation makes of one operand's value, the others being constants;
/// 0 if that is not known.
static double evaluate(OpOperand &use, double value) {
  Operation *op = use.getOwner();
  auto transfer = dyn_cast<ValueRangeOpInterface>(op);
  if (!transfer || op->getNumResults() != 1)
    return 0;
  SmallVector<NumericRange> operands, results(1, NumericRange::none());
  for (OpOperand &operand : op->getOpOperands()) {
    ElementsAttr constant = getFloatConstant(operand.get().getDefiningOp());
    if (&operand != &use && !constant)
      return 0;
    operands.push_back(&operand == &use ? NumericRange::point(value)
                                        : rangeOfConstant(constant));
  }
  transfer.inferRanges(operands, results);
  return results[0].isFinite() ? results[0].absMax() : 0;
}

/// Follows a value to the delicate operations and divisors that it reaches, and
/// keeps them and the way there FP32. Did it reach one?
bool PrecisionAssignment::fixUpToDelicate(Value start, double epsilon,
                                          FloatType low, Rule rule) {
  SmallVector<Step, kMostSteps> steps = {{start, nullptr, 0, epsilon}};
  llvm::SmallPtrSet<Operation *, kMostSteps> seen;
  bool reached = false;
  size_t uses = 0;
  for (size_t number = 0; number < steps.size(); ++number) {
    const Step step = steps[number];
    for (OpOperand &use : step.value.getUses()) {
      if (++uses > kMostUses || steps.size() > kMostSteps)
        return reached;
      auto user = dyn_cast<PrecisionOpInterface>(use.getOwner());
      if (!user || !seen.insert(user).second)
        continue;
      const bool delicate = isDelicate(user);
      const bool follows = user.getPrecisionClass() == PrecisionClass::Follow;
      const bool divides = follows && epsilon != 0 &&
                           use.getOperandNumber() == 1 &&
                           behaviorOf(user) == ScaleBehavior::Quotient;
      const bool overflows = follows && step.epsilon > largestOf(low) &&
                             behaviorOf(user) == ScaleBehavior::Product;
      if (delicate || divides || overflows) {
        reached = true;
        keepFP32(user, rule);
        for (size_t back = number; back != 0; back = steps[back].from)
          keepFP32(steps[back].op, rule);
        // The square root of an epsilon is mostly one that 16 bits hold.
        double left =
            delicate && epsilon != 0 ? evaluate(use, step.epsilon) : 0;
        if (left != 0 && (nearestIn(low, left) == 0 || left > largestOf(low)))
          steps.push_back({user->getResult(0), user, number, left});
        continue;
      }
      if (keepsSize(user))
        steps.push_back({user->getResult(0), user, number, step.epsilon});
    }
  }
  return reached;
}

/// The lower bound that an operation gives values of any size (max(x, 1e-12)
/// with the bound as an attribute), if it vanishes in the low type; else 0.
static double vanishingBound(Operation *op, FloatType low) {
  auto precision = dyn_cast_or_null<PrecisionOpInterface>(op);
  auto transfer = dyn_cast_or_null<ValueRangeOpInterface>(op);
  if (!precision || !transfer || op->getNumOperands() != 1 ||
      op->getNumResults() != 1 ||
      precision.getPrecisionClass() != PrecisionClass::Transparent)
    return 0;
  Type element = getElementTypeOrSelf(op->getOperand(0).getType());
  if (!isa<FloatType>(element))
    return 0;
  SmallVector<NumericRange> operands(1, NumericRange::unknown(element));
  SmallVector<NumericRange> results(1, NumericRange::none());
  transfer.inferRanges(operands, results);
  double bound = results[0].lo;
  return bound > 0 && nearestIn(low, bound) == 0 ? bound : 0;
}

/// An epsilon that vanishes stands for values of its size.
void PrecisionAssignment::fixAroundEpsilon(Node &node) {
  FloatType low = lowTypeOf(node);
  double epsilon = vanishingBound(node.op, low);
  for (Value operand : node.op->getOperands()) {
    auto known = constants.find({operand.getDefiningOp(), low});
    if (known != constants.end() && known->second == ConstantFit::Vanishes)
      epsilon = std::max(
          epsilon,
          rangeOfConstant(getFloatConstant(operand.getDefiningOp())).absMax());
  }
  if (epsilon == 0 ||
      !fixUpToDelicate(node.op->getResult(0), epsilon, low, Rule::Epsilon))
    return;
  keepFP32(node.op, Rule::ConstantVanishes);
  for (OpOperand &operand : node.op->getOpOperands())
    if (isFlexibleOperand(operand) && !isConstantOperand(operand.get()))
      for (Operation *op : findPower(operand.get()))
        keepFP32(op, Rule::Epsilon);
}

void PrecisionAssignment::fixAroundSum(Node &node) {
  FloatType low = lowTypeOf(node);
  SmallVector<Operation *, 4> path = findPower(node.op->getOperand(0));
  if (!path.empty() && policy.prove &&
      policy.prove(path.front(), low).kind == PrecisionFact::Safe)
    path.clear();
  for (Operation *op : path)
    keepFP32(op, Rule::SumsPowers);
  if (!path.empty())
    keepFP32(node.op, Rule::SumsPowers);
  if (!path.empty() || !isFlexibleResult(node.op->getResult(0)))
    fixUpToDelicate(node.op->getResult(0), 0, low, Rule::ReadsSum);
}

void PrecisionAssignment::fixHazards() {
  for (Node &node : nodes)
    if ((node.vanishes && node.op->getNumResults() == 1 &&
         behaviorOf(node.op) == ScaleBehavior::Homogeneous) ||
        vanishingBound(node.op, lowTypeOf(node)) != 0)
      fixAroundEpsilon(node);
  for (Node &node : nodes)
    if (auto op = dyn_cast_or_null<PrecisionOpInterface>(node.op);
        op && isSum(op) && lowTypeOf(node).isF16())
      fixAroundSum(node);
}
