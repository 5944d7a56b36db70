//===- PrecisionPins.cpp - Operations whose precision is fixed ------------===//

#include "mpt/Analysis/PrecisionAssignment.h"

#include "mpt/Analysis/LossScalePowers.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"

#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace mpt;

static bool isConstant(Value value) {
  Operation *op = value.getDefiningOp();
  return op && op->hasTrait<OpTrait::ConstantLike>();
}

//===----------------------------------------------------------------------===//
// Operations whose precision is fixed
//===----------------------------------------------------------------------===//

PrecisionAssignment::Node *PrecisionAssignment::find(Operation *op) {
  auto it = index.find(op);
  return it == index.end() ? nullptr : &nodes[it->second];
}

FloatType PrecisionAssignment::lowTypeOf(const Node &node) const {
  return node.backward && policy.lowBackward ? policy.lowBackward : policy.low;
}

void PrecisionAssignment::fix(Node &node, State state, Rule rule) {
  node.state = state;
  node.rule = rule;
  node.fixed = true;
}

void PrecisionAssignment::fix(Node &node, State state, std::string text) {
  fix(node, state, Rule::Text);
  texts[numberOf(node)] = std::move(text);
}

void PrecisionAssignment::collect() {
  walkControlFlow(
      function.getFunctionBody(), [](Block &) {},
      [&](Operation *op) { collectOperation(op); });
  if (policy.lowBackward && policy.lowBackward != policy.low)
    markBackward();
  for (Node &node : nodes)
    fixByOwnNature(node);
}

/// Backward operations are those that depend on the seed.
void PrecisionAssignment::markBackward() {
  SmallVector<Value> pending;
  if (Value scale = getLossScaleArgument(function))
    pending.push_back(scale);
  for (Node &node : nodes)
    if (isa<mp::LossSeedOp>(node.op))
      pending.push_back(node.op->getResult(0));
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    for (OpOperand &use : value.getUses()) {
      Node *node = findReader(use);
      if (node ? std::exchange(node->backward, true)
               : !isa<mp::CastOp>(use.getOwner()))
        continue;
      llvm::append_range(pending, valuesBehind(use));
    }
  }
}

void PrecisionAssignment::fixByOwnNature(Node &node) {
  Operation *op = node.op;
  if (node.chain != ~0u)
    return fixChain(node);
  // What an earlier run decided and carried out is no longer open.
  auto earlier =
      op->getAttrOfType<mp::DecisionAttr>(mp::MPDialect::kDecisionAttrName);
  if (earlier && function->hasAttr(mp::MPDialect::kCastsInsertedAttrName))
    return fix(node, earlier.getLow() ? State::Low : State::FP32,
               earlier.getReason().str());
  if (auto pin = op->getAttrOfType<StringAttr>(mp::MPDialect::kPinAttrName))
    return fix(node, State::FP32, "pinned: " + pin.str());
  auto interface = dyn_cast<PrecisionOpInterface>(op);
  if (!interface)
    return fix(node, State::FP32, Rule::NoInterface);

  bool narrows = false, other = false;
  for (OpOperand &operand : op->getOpOperands())
    if (isFlexibleOperand(operand)) {
      narrows = true;
      other |= !isF32Tensor(operand.get().getType());
    }
  for (OpResult result : op->getResults())
    if (isFlexibleResult(result)) {
      narrows = true;
      other |= !isF32Tensor(result.getType());
    }
  FloatType low = lowTypeOf(node);
  bool scaling = isa<mp::MPDialect>(op->getDialect());
  bool hasKernel =
      interface.getPrecisionClass() != PrecisionClass::FP32 ||
      interface.getPrecisionReasonKind() != PrecisionReasonKind::NoKernel;
  if (fixByDemand(node,
                  /*mayBeLow=*/narrows && !other && !scaling && hasKernel))
    return;
  if (other)
    return fix(node, State::FP32, Rule::OtherType);
  if (!narrows)
    return fix(node, State::FP32, Rule::Nature);
  bool released = texts.contains(numberOf(node)); // by a demand
  if (!released && fixByFacts(node, interface, low))
    return;
  if (fixByConstants(node, low))
    return;
  if (interface.getPrecisionClass() == PrecisionClass::Low) {
    node.state = State::Low; // not fixed: the passes below may overrule it
    node.rule = Rule::Contraction;
  }
}

/// True where the user decides. A demand to follow leaves a text and the node
/// open.
bool PrecisionAssignment::fixByDemand(Node &node, bool mayBeLow) {
  Operation *op = node.op;
  if (policy.pinned) {
    auto pinnedBy = [&](Value value) {
      std::string text = policy.pinned(value);
      if (!text.empty())
        fix(node, State::FP32,
            "the user wants the tensor '" + text + "' in FP32");
      return !text.empty();
    };
    for (OpOperand &operand : op->getOpOperands())
      if (isFlexibleOperand(operand) && pinnedBy(operand.get()))
        return true;
    for (OpResult result : op->getResults())
      if (isFlexibleResult(result) && pinnedBy(result))
        return true;
  }
  if (!policy.demand)
    return false;
  std::string text;
  switch (policy.demand(op, text)) {
  case PrecisionDemand::None:
    return false;
  case PrecisionDemand::FP32:
    fix(node, State::FP32, "the user wants '" + text + "' in FP32");
    return true;
  case PrecisionDemand::Low:
    if (mayBeLow)
      fix(node, State::Low, "the user wants '" + text + "' low");
    return mayBeLow;
  case PrecisionDemand::Follow:
    if (mayBeLow)
      texts[numberOf(node)] = "the user lets '" + text + "' follow";
    return false;
  }
  return false;
}

/// FP32 by class, unless proved safe; and what overflows.
bool PrecisionAssignment::fixByFacts(Node &node, PrecisionOpInterface op,
                                     FloatType low) {
  bool unsafe = op.getPrecisionClass() == PrecisionClass::FP32;
  PrecisionFact fact;
  if (policy.fact && !isa<mp::MPDialect>(node.op->getDialect()) &&
      (!unsafe || isRangeTheDanger(op)))
    fact = policy.fact(node.op, low);
  if (unsafe && fact.kind != PrecisionFact::Safe) {
    fix(node, State::FP32, Rule::Unsafe);
    return true;
  }
  if (fact.kind == PrecisionFact::Overflows) {
    fix(node, State::FP32, "unsafe: a result overflows: " + fact.text);
    return true;
  }
  if (unsafe)
    texts[numberOf(node)] = "proved safe in 16 bits: " + fact.text;
  return false;
}

/// A constant that the low type cannot hold keeps its operation in FP32.
bool PrecisionAssignment::fixByConstants(Node &node, FloatType low) {
  for (OpOperand &operand : node.op->getOpOperands()) {
    if (!isFlexibleOperand(operand))
      continue;
    Operation *producer = operand.get().getDefiningOp();
    ElementsAttr value = getFloatConstant(producer);
    if (!value)
      continue;
    auto [known, isNew] =
        constants.insert({{producer, low}, ConstantFit::Fits});
    if (isNew)
      known->second = classifyConstant(value, low, policy.maxAbs);
    switch (known->second) {
    case ConstantFit::Fits:
      continue;
    case ConstantFit::Overflows:
      // Any number far below the scores masks as well.
      if (node.op->hasAttr(kMaskAttrName) && !policy.maxAbs) {
        texts[numberOf(node)] =
            "masks for a softmax: a value that the low type "
            "cannot hold is its lowest number";
        continue;
      }
      fix(node, State::FP32, Rule::ConstantOverflows);
      // BF16 has the range of FP32 but for the last half of a step.
      node.masks =
          classifyConstant(value, BFloat16Type::get(value.getContext())) ==
          ConstantFit::Overflows;
      return true;
    case ConstantFit::Vanishes:
      node.vanishes = true;
      if (policy.constantsMayVanish)
        continue;
      fix(node, State::FP32, Rule::ConstantVanishes);
      return true;
    case ConstantFit::Unknown:
      fix(node, State::FP32, Rule::ConstantUnknown);
      return true;
    }
  }
  return false;
}

/// Are the results finite in the low type, whatever is read?
bool PrecisionAssignment::boundsResults(const Node &node) {
  return policy.prove && node.chain == ~0u &&
         llvm::any_of(node.op->getResults(), isFlexibleResult) &&
         policy.prove(node.op, lowTypeOf(node)).kind == PrecisionFact::Safe;
}

/// A masking constant like -3.4e38 would become an infinity where its value is
/// cast, and a row that is masked completely a NaN. So what reads it stays
/// FP32, up to the first operation that sums (softmax) or bounds it (clip).
void PrecisionAssignment::fixReadersOfMasks() {
  SmallVector<Value> pending;
  for (Node &node : nodes)
    if (node.masks)
      llvm::append_range(pending, node.op->getResults());
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (writerOf(value) == PrecisionProblem::kNone)
      continue;
    for (OpOperand &use : value.getUses()) {
      Node *node = findReader(use);
      if (!node || node->state != State::Open)
        continue;
      fix(*node, State::FP32, Rule::ReadsMask);
      auto interface = dyn_cast<PrecisionOpInterface>(node->op);
      if ((!interface || !interface.getAccumulatorType()) &&
          !boundsResults(*node))
        llvm::append_range(pending, valuesBehind(use));
    }
  }
}

/// Everything that depends on a finished gradient.
void PrecisionAssignment::fixBehindGradients() {
  SmallVector<Value> pending;
  llvm::DenseSet<const void *> seen; // operations and nodes of chains
  for (Node &node : nodes)
    if (isa<mp::GradientOp, mp::UnscaleOp>(node.op) &&
        seen.insert(node.op).second)
      llvm::append_range(pending, node.op->getResults());
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    for (OpOperand &use : value.getUses()) {
      Node *node = findReader(use);
      const void *visited = use.getOwner();
      if (node && node->chain != ~0u)
        visited = node;
      if (!seen.insert(visited).second)
        continue;
      llvm::append_range(pending, valuesBehind(use));
      if (node && !node->fixed)
        fix(*node, State::FP32, Rule::BehindGradient);
    }
  }
}

/// The seed of the backward graph is the loss scale, up to 2^24: no FP16
/// number. Neither is what is computed from it and constants alone.
void PrecisionAssignment::fixReadersOfTheSeed() {
  SmallVector<Value> pending;
  llvm::DenseSet<Value> seeds;
  auto add = [&](Value value) {
    if (isFloatTensor(value.getType()) && seeds.insert(value).second)
      pending.push_back(value);
  };
  if (Value scale = getLossScaleArgument(function))
    add(scale);
  for (Node &node : nodes)
    if (isa<mp::LossSeedOp>(node.op))
      add(node.op->getResult(0));
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      Node *node = findReader(use);
      bool cast = isa<mp::CastOp>(user);
      if (!node && !cast)
        continue;
      // Not even where the user wants it low.
      if (node && node->state != State::FP32)
        fix(*node, State::FP32, Rule::ReadsScale);
      // What is carried may be the seed and nothing else.
      bool onlySeeds = (node && node->chain != ~0u) ||
                       llvm::all_of(user->getOperands(), [&](Value operand) {
                         return !isFloatTensor(operand.getType()) ||
                                isConstant(operand) || seeds.contains(operand);
                       });
      if (onlySeeds)
        for (Value result : valuesBehind(use))
          add(result);
    }
  }
}

/// What leads from the last low or FP32 operation to the loss computes the
/// loss.
void PrecisionAssignment::fixLoss() {
  SmallVector<Value> pending;
  for (Block &block : function.getFunctionBody()) {
    Operation *terminator = &block.back();
    if (!terminator->hasTrait<OpTrait::ReturnLike>())
      continue;
    for (auto [number, value] : llvm::enumerate(terminator->getOperands()))
      if (mp::getResultRole(function, number) == mp::Role::Loss)
        pending.push_back(value);
  }
  while (!pending.empty()) {
    Node *node = findWriter(pending.pop_back_val());
    if (!node || node->state != State::Open)
      continue;
    fix(*node, State::FP32, Rule::ComputesLoss);
    if (node->chain == ~0u)
      llvm::append_range(pending, node->op->getOperands());
    else
      for (OpOperand *operand : chains[node->chain].operands)
        pending.push_back(operand->get());
  }
}
