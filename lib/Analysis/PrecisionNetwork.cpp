//===- PrecisionNetwork.cpp - The minimum cut of a function ---------------===//

#include "mpt/Analysis/PrecisionAssignment.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Interfaces/WorkOpInterface.h"

using namespace mlir;
using namespace mpt;

/// An operation that follows is low only where low operations lead to it: a
/// region that no contraction touches has nothing to gain.
void PrecisionAssignment::fixWithoutLowNeighbours() {
  std::vector<uint32_t> pending;
  std::vector<bool> reached(nodes.size(), false);
  for (uint32_t number = 0; number < nodes.size(); ++number)
    if (nodes[number].state == State::Low) {
      reached[number] = true;
      pending.push_back(number);
    }
  while (!pending.empty()) {
    uint32_t number = pending.back();
    pending.pop_back();
    for (Neighbour neighbour : neighboursOf(number)) {
      if (nodes[neighbour.number].state != State::Open ||
          reached[neighbour.number])
        continue;
      reached[neighbour.number] = true;
      pending.push_back(neighbour.number);
    }
  }
  for (uint32_t number = 0; number < nodes.size(); ++number)
    if (nodes[number].state == State::Open && !reached[number])
      fix(nodes[number], State::FP32, Rule::NoLowNeighbour);
}

/// Is the state that the function returns the next step's? Then its parameters
/// are FP32 masters; else they are as wide as their readers want them.
static bool hasTrainedState(FunctionOpInterface function) {
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    std::optional<mp::Role> role = mp::getResultRole(function, i);
    if (role && (mp::isStateRole(*role) || *role == mp::Role::Gradient))
      return true;
  }
  return false;
}

/// A node for an argument that may be 16 bits wide, or none.
uint32_t PrecisionAssignment::addArgument(PrecisionProblem &problem,
                                          Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != &function.getFunctionBody().front() ||
      hasTrainedState(function))
    return PrecisionProblem::kNone;
  std::optional<mp::Role> role =
      mp::getArgRole(function, argument.getArgNumber());
  bool open = role == mp::Role::Parameter
                  ? true
                  : !policy.keepIO && (!role || *role == mp::Role::Input);
  return open ? problem.addNode(PrecisionProblem::State::Free, 0, 0)
              : PrecisionProblem::kNone;
}

/// The value with its readers. A use that takes no part reads FP32.
void PrecisionAssignment::addValue(PrecisionProblem &problem, Value value,
                                   std::vector<uint32_t> &lastValue) {
  Operation *producer = value.getDefiningOp();
  if (!isF32Tensor(value.getType()) || value.use_empty() ||
      (producer &&
       (producer->hasTrait<OpTrait::ConstantLike>() || isMadeAnew(producer))))
    return;
  PrecisionProblem::Value description;
  description.producer = writerOf(value);
  if (description.producer != PrecisionProblem::kNone && producer)
    if (auto interface = dyn_cast<PrecisionOpInterface>(producer))
      description.widenable =
          policy.widenResults &&
          interface.isResultWidenable(cast<OpResult>(value).getResultNumber());

  SmallVector<uint32_t, 16> readers;
  bool anyLow = description.producer != PrecisionProblem::kNone &&
                nodes[description.producer].state != State::FP32;
  uint32_t number = problem.getValues().size();
  for (OpOperand &use : value.getUses()) {
    Operation *user = use.getOwner();
    if (isa<mp::CastOp>(user)) // takes what it gets
      continue;
    uint32_t reader = readerOf(use);
    if (reader != PrecisionProblem::kNone) {
      anyLow |= nodes[reader].state != State::FP32;
      // Once, however many operands.
      if (std::exchange(lastValue[reader], number) != number)
        readers.push_back(reader);
      continue;
    }
    if (!policy.keepIO && user->hasTrait<OpTrait::ReturnLike>() &&
        user->getParentOp() == function && producer) {
      std::optional<mp::Role> role =
          mp::getResultRole(function, use.getOperandNumber());
      if (!role || *role == mp::Role::Output)
        continue;
    }
    description.readInFP32 = true;
  }
  if (!anyLow)
    return;
  if (!producer && description.producer == PrecisionProblem::kNone)
    description.producer = addArgument(problem, value);
  int64_t elements = countElements(value.getType());
  double weight = weightOf(value.getParentRegion());
  description.cast = costs.ofCast(elements, weight);
  description.convert = costs.ofConversion(elements, weight);
  description.wide = costs.ofWidening(elements, weight);
  problem.addValue(description, readers.data(), readers.size());
}

void PrecisionAssignment::cut() {
  PrecisionProblem problem;
  for (Node &node : nodes) {
    using Fixed = PrecisionProblem::State;
    Fixed state =
        node.state == State::FP32 ? Fixed::FP32
        : node.state == State::Low && (node.fixed || policy.target.alwaysLow)
            ? Fixed::Low
            : Fixed::Free;
    FloatType low = lowTypeOf(node);
    // What is carried is handed over in place.
    double weight =
        node.chain != ~0u ? 0 : weightOf(node.op->getParentRegion());
    PrecisionCosts::OperationCosts cost =
        costs.ofOperation(node.op, low, weight);
    if (state == Fixed::FP32)
      cost.low = cost.fp32;
    problem.addNode(state, cost.fp32, cost.low, low != policy.low);
    totals.allFP32 += cost.fp32;
  }
  std::vector<uint32_t> lastValue(nodes.size(), PrecisionProblem::kNone);
  walkControlFlow(
      function.getFunctionBody(),
      [&](Block &block) {
        for (Value argument : block.getArguments())
          addValue(problem, argument, lastValue);
      },
      [&](Operation *op) {
        for (Value result : op->getResults())
          addValue(problem, result, lastValue);
      });

  PrecisionProblem::Solution solution = problem.solve();
  totals.cost = solution.cost;
  totals.cutNodes = solution.cutNodes;
  totals.cutArcs = solution.cutArcs;
  flips = problem.costOfFlipping(solution.low);
  for (uint32_t number = 0; number < nodes.size(); ++number) {
    Node &node = nodes[number];
    if (problem.stateOf(number) != PrecisionProblem::State::Free)
      continue;
    bool low = solution.low[number];
    if (low && node.state == State::Open)
      node.rule = Rule::Follows;
    if (!low)
      node.rule = Rule::Costs;
    node.state = low ? State::Low : State::FP32;
  }
}
