//===- PrecisionRegions.cpp - Nodes of carried values ---------------------===//

#include "mpt/Analysis/PrecisionAssignment.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"

using namespace mlir;
using namespace mpt;

static constexpr uint32_t kNone = PrecisionProblem::kNone;
static constexpr StringLiteral kCarries =
    "carried through a region, in one precision throughout";

//===----------------------------------------------------------------------===//
// Collecting
//===----------------------------------------------------------------------===//

void PrecisionAssignment::collectOperation(Operation *op) {
  if (op->getNumRegions() == 0) {
    if (takesPrecision(op)) {
      index[op] = nodes.size();
      nodes.emplace_back().op = op;
    }
    return;
  }
  SmallVector<CarriedChain> carried = getCarriedChains(op);
  if (takesPrecision(op)) {
    index[op] = nodes.size();
    nodes.emplace_back().op = op;
  }
  for (auto [number, chain] : llvm::enumerate(carried)) {
    uint32_t node = nodes.size();
    for (OpOperand *operand : chain.operands)
      chainOfUse[operand] = node;
    for (Value input : chain.inputs)
      chainOfValue[input] = node;
    nodes.emplace_back();
    nodes.back().op = op;
    nodes.back().chain = chains.size();
    nodes.back().chainOfOp = number;
    chains.push_back(std::move(chain));
  }
  weighRegions(op);
}

/// An operation comes before what is in its regions, so the weight around it is
/// known.
void PrecisionAssignment::weighRegions(Operation *op) {
  auto branches = dyn_cast<RegionBranchOpInterface>(op);
  if (!branches)
    return;
  double outer = weightOf(op->getParentRegion());
  for (Region &region : op->getRegions())
    weights[&region] = outer * estimateTrips(branches, region);
}

double PrecisionAssignment::weightOfNested(Region *region) const {
  auto it = weights.find(region);
  return it == weights.end() ? 1 : it->second;
}

void PrecisionAssignment::fixChain(Node &node) {
  Operation *op = node.op;
  if (function->hasAttr(mp::MPDialect::kCastsInsertedAttrName)) {
    SmallVector<mp::DecisionAttr> earlier = getCarriedDecisions(op);
    if (node.chainOfOp < earlier.size() && earlier[node.chainOfOp]) {
      mp::DecisionAttr decision = earlier[node.chainOfOp];
      return fix(node, decision.getLow() ? State::Low : State::FP32,
                 decision.getReason().str());
    }
  }
  if (auto pin = op->getAttrOfType<StringAttr>(mp::MPDialect::kPinAttrName))
    return fix(node, State::FP32, "pinned: " + pin.str());
  if (index.contains(op)) // there is more than it carries
    return fix(node, State::FP32, Rule::NoInterface);
  const CarriedChain &chain = chains[node.chain];
  bool isF32 = llvm::all_of(chain.operands,
                            [](OpOperand *operand) {
                              return isF32Tensor(operand->get().getType());
                            }) &&
               llvm::all_of(chain.inputs, [](Value input) {
                 return isF32Tensor(input.getType());
               });
  if (policy.pinned) {
    auto isPinned = [&](Value value) {
      std::string text = policy.pinned(value);
      if (!text.empty())
        fix(node, State::FP32,
            "the user wants the tensor '" + text + "' in FP32");
      return !text.empty();
    };
    for (OpOperand *operand : chain.operands)
      if (isPinned(operand->get()))
        return;
    for (Value input : chain.inputs)
      if (isPinned(input))
        return;
  }
  if (fixByDemand(node, /*mayBeLow=*/isF32))
    return;
  if (!isF32)
    fix(node, State::FP32, Rule::OtherType);
}

//===----------------------------------------------------------------------===//
// Who reads and who writes
//===----------------------------------------------------------------------===//

uint32_t PrecisionAssignment::readerOf(OpOperand &use) const {
  if (!chainOfUse.empty())
    if (auto it = chainOfUse.find(&use); it != chainOfUse.end())
      return it->second;
  auto it = index.find(use.getOwner());
  return it != index.end() && isFlexibleOperand(use) ? it->second : kNone;
}

uint32_t PrecisionAssignment::writerOf(Value value) const {
  if (!chainOfValue.empty())
    if (auto it = chainOfValue.find(value); it != chainOfValue.end())
      return it->second;
  auto result = dyn_cast<OpResult>(value);
  if (!result || !isFlexibleResult(result))
    return kNone;
  auto it = index.find(result.getOwner());
  return it == index.end() ? kNone : it->second;
}

PrecisionAssignment::Node *PrecisionAssignment::findReader(OpOperand &use) {
  if (!chainOfUse.empty())
    if (auto it = chainOfUse.find(&use); it != chainOfUse.end())
      return &nodes[it->second];
  return find(use.getOwner());
}

PrecisionAssignment::Node *PrecisionAssignment::findWriter(Value value) {
  if (!chainOfValue.empty())
    if (auto it = chainOfValue.find(value); it != chainOfValue.end())
      return &nodes[it->second];
  Operation *op = value.getDefiningOp();
  return op ? find(op) : nullptr;
}

ValueRange PrecisionAssignment::valuesBehind(OpOperand &use) const {
  if (!chainOfUse.empty())
    if (auto it = chainOfUse.find(&use); it != chainOfUse.end())
      return chains[nodes[it->second].chain].inputs;
  return use.getOwner()->getResults();
}

PrecisionClass PrecisionAssignment::classOf(const Node &node) const {
  if (node.chain != ~0u)
    return PrecisionClass::Transparent;
  auto interface = dyn_cast<PrecisionOpInterface>(node.op);
  return interface ? interface.getPrecisionClass() : PrecisionClass::FP32;
}

StringRef PrecisionAssignment::natureOf(const Node &node) const {
  if (node.chain != ~0u)
    return kCarries;
  auto interface = dyn_cast<PrecisionOpInterface>(node.op);
  return interface ? interface.getPrecisionReason() : StringRef();
}
