//===- PrecisionAssignment.cpp - Which operations run in 16 bits ----------===//

#include "mpt/Analysis/PrecisionAssignment.h"

using namespace mlir;
using namespace mpt;

/// Looks at operands only: lists of uses are scattered over the memory.
void PrecisionAssignment::findNeighbours() {
  std::vector<std::pair<uint32_t, uint32_t>> edges;
  edges.reserve(nodes.size());
  auto addEdge = [&](OpOperand &operand, uint32_t reader) {
    uint32_t writer = writerOf(operand.get());
    if (writer != PrecisionProblem::kNone && writer != reader)
      edges.push_back({writer, reader});
  };
  for (uint32_t reader = 0; reader < nodes.size(); ++reader) {
    const Node &node = nodes[reader];
    if (node.chain != ~0u) {
      for (OpOperand *operand : chains[node.chain].operands)
        addEdge(*operand, reader);
      continue;
    }
    for (OpOperand &operand : node.op->getOpOperands())
      if (isFlexibleOperand(operand))
        addEdge(operand, reader);
  }
  firstNeighbour.assign(nodes.size() + 1, 0);
  for (auto [producer, reader] : edges) {
    ++firstNeighbour[producer + 1];
    ++firstNeighbour[reader + 1];
  }
  for (uint32_t number = 0; number < nodes.size(); ++number)
    firstNeighbour[number + 1] += firstNeighbour[number];
  neighbours.resize(2 * edges.size());
  std::vector<uint32_t> next = firstNeighbour;
  for (auto [producer, reader] : edges) {
    neighbours[next[producer]++] = {reader, true};
    neighbours[next[reader]++] = {producer, false};
  }
}

ArrayRef<PrecisionAssignment::Neighbour>
PrecisionAssignment::neighboursOf(uint32_t number) const {
  return ArrayRef(neighbours)
      .slice(firstNeighbour[number],
             firstNeighbour[number + 1] - firstNeighbour[number]);
}

/// In the order found: a reason names the nearest low operation on the way to a
/// contraction.
void PrecisionAssignment::explainLowNodes() {
  std::vector<uint32_t> pending;
  std::vector<bool> seen(nodes.size(), false);
  for (uint32_t number = 0; number < nodes.size(); ++number)
    if (nodes[number].state == State::Low &&
        nodes[number].rule != Rule::Follows) {
      seen[number] = true;
      pending.push_back(number);
    }
  for (size_t next = 0; next < pending.size(); ++next)
    for (Neighbour neighbour : neighboursOf(pending[next])) {
      if (nodes[neighbour.number].state != State::Low || seen[neighbour.number])
        continue;
      seen[neighbour.number] = true;
      nodes[neighbour.number].because = pending[next];
      pending.push_back(neighbour.number);
    }
}

void PrecisionAssignment::run() {
  collect();
  fixReadersOfMasks();
  fixBehindGradients();
  fixReadersOfTheSeed();
  fixLoss();
  fixHazards();
  findNeighbours();
  if (policy.strategy == PrecisionStrategy::Paint) {
    paint();
  } else {
    fixWithoutLowNeighbours();
    cut();
  }
  explainLowNodes();
}

void PrecisionAssignment::forEachDecision(
    llvm::function_ref<void(const Decision &)> visit) {
  SmallString<128> reason;
  for (uint32_t number = 0; number < nodes.size(); ++number) {
    const Node &node = nodes[number];
    auto interface = dyn_cast<PrecisionOpInterface>(node.op);
    StringRef nature = natureOf(node);
    reason.clear();
    llvm::raw_svector_ostream os(reason);
    switch (node.rule) {
    case Rule::Text:
      os << texts.lookup(number);
      break;
    case Rule::Nature:
    case Rule::Contraction:
      os << nature;
      break;
    case Rule::Unsafe:
      os << stringifyPrecisionReasonKind(interface.getPrecisionReasonKind())
         << ": " << nature;
      break;
    case Rule::NoInterface:
      os << "no kernel: nothing is known about it";
      break;
    case Rule::OtherType:
      os << "the model chose another type than f32";
      break;
    case Rule::ConstantOverflows:
      os << "unsafe: a constant operand overflows the low type";
      break;
    case Rule::ConstantVanishes:
      os << "unsafe: a constant operand vanishes in the low type";
      break;
    case Rule::ConstantUnknown:
      os << "unsafe: a constant operand cannot be read";
      break;
    case Rule::ReadsMask:
      os << "unsafe: reads a masking value that overflows the low type";
      break;
    case Rule::Epsilon:
      os << "unsafe: around an epsilon that vanishes in the low type";
      break;
    case Rule::SumsPowers:
      os << "unsafe: powers that are summed overflow or vanish in FP16";
      break;
    case Rule::ReadsSum:
      os << "unsafe: reads a sum that may overflow FP16";
      break;
    case Rule::BehindGradient:
      os << "unsafe: behind a finished gradient";
      break;
    case Rule::ReadsScale:
      os << "unsafe: reads the loss scale";
      break;
    case Rule::ComputesLoss:
      os << "unsafe: computes the loss";
      break;
    case Rule::NoLowNeighbour:
      os << "slow: no low operation beside it";
      break;
    case Rule::Follows: {
      auto text = texts.find(number);
      os << (text == texts.end() ? nature : StringRef(text->second));
      if (node.because != ~0u)
        os << " <- " << describeOperation(nodes[node.because].op);
      break;
    }
    case Rule::Costs:
      os << "slow: in the low type it would need more casts";
      if (number < flips.size() && flips[number] > 0)
        os << ", " << flips[number] / PrecisionCosts::kUnitsPerByte
           << " bytes more than it saves";
      break;
    case Rule::Painted:
      os << "slow: not between operations on the allow list";
      break;
    }
    visit({node.op, node.state == State::Low, lowTypeOf(node), reason.str(),
           node.chainOfOp});
  }
}
