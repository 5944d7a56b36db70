//===- PrecisionProblem.cpp - The assignment as an optimisation -----------===//

#include "mpt/Analysis/PrecisionProblem.h"

#include <cassert>

using namespace mpt;

uint32_t PrecisionProblem::addNode(State state, Cost fp32, Cost low,
                                   unsigned group) {
  nodes.push_back({fp32, low, state, static_cast<uint8_t>(group)});
  return nodes.size() - 1;
}

uint32_t PrecisionProblem::addValue(Value value, const uint32_t *first,
                                    size_t count) {
  value.firstReader = readers.size();
  value.numReaders = count;
  readers.insert(readers.end(), first, first + count);
  if (value.producer == kNone)
    value.widenable = false;
  for (size_t i = 0; i < count && value.widenable; ++i)
    value.widenable = nodes[first[i]].group == nodes[value.producer].group;
  values.push_back(value);
  return values.size() - 1;
}

//===----------------------------------------------------------------------===//
// What an assignment costs
//===----------------------------------------------------------------------===//

PrecisionProblem::Counts
PrecisionProblem::countReaders(const Value &value,
                               const std::vector<bool> &low) const {
  Counts counts;
  counts.fp32 = value.readInFP32;
  for (uint32_t i = 0; i < value.numReaders; ++i) {
    uint32_t reader = readers[value.firstReader + i];
    if (low[reader])
      ++counts.low[nodes[reader].group];
    else
      ++counts.fp32;
  }
  return counts;
}

PrecisionProblem::Cost PrecisionProblem::costOf(const Value &value,
                                                bool producerLow,
                                                const Counts &counts) const {
  Cost cost = 0;
  if (!producerLow) {
    for (uint32_t readInGroup : counts.low)
      cost += readInGroup ? value.cast : 0;
    return cost;
  }
  if (value.widenable && counts.low[0] + counts.low[1] == 0)
    return counts.fp32 ? value.wide : 0;
  unsigned group = nodes[value.producer].group;
  cost += counts.fp32 ? value.cast : 0;
  cost += counts.low[1 - group] ? value.convert : 0;
  return cost;
}

PrecisionProblem::Cost
PrecisionProblem::castCost(const Value &value,
                           const std::vector<bool> &low) const {
  bool producerLow = value.producer != kNone && low[value.producer];
  Counts counts = countReaders(value, low);
  if (producerLow && value.widenable && counts.low[0] + counts.low[1] == 0)
    return 0;
  return costOf(value, producerLow, counts);
}

PrecisionProblem::Cost
PrecisionProblem::evaluate(const std::vector<bool> &low) const {
  Cost cost = 0;
  for (uint32_t node = 0; node < nodes.size(); ++node)
    cost += low[node] ? nodes[node].low : nodes[node].fp32;
  for (const Value &value : values)
    cost += costOf(value, value.producer != kNone && low[value.producer],
                   countReaders(value, low));
  return cost;
}

std::vector<PrecisionProblem::Cost>
PrecisionProblem::costOfFlipping(const std::vector<bool> &low) const {
  std::vector<Cost> change(nodes.size());
  for (uint32_t node = 0; node < nodes.size(); ++node) {
    change[node] = nodes[node].low - nodes[node].fp32;
    if (low[node])
      change[node] = -change[node];
  }
  for (const Value &value : values) {
    bool producerLow = value.producer != kNone && low[value.producer];
    Counts counts = countReaders(value, low);
    Cost now = costOf(value, producerLow, counts);
    bool producerReads = false;
    for (uint32_t i = 0; i < value.numReaders; ++i) {
      uint32_t reader = readers[value.firstReader + i];
      bool isProducer = reader == value.producer;
      producerReads |= isProducer;
      Counts other = counts;
      uint32_t &lowReaders = other.low[nodes[reader].group];
      lowReaders += low[reader] ? -1 : 1;
      other.fp32 += low[reader] ? 1 : -1;
      change[reader] += costOf(value, producerLow != isProducer, other) - now;
    }
    if (value.producer != kNone && !producerReads)
      change[value.producer] += costOf(value, !producerLow, counts) - now;
  }
  return change;
}

//===----------------------------------------------------------------------===//
// The network
//===----------------------------------------------------------------------===//

namespace {

/// A side of the cut that is a variable or known. The source's side is FP32.
struct Literal {
  enum Kind : uint8_t { FP32, Low, Variable } kind;
  uint32_t node = 0;
};

/// Adds costs to a network in terms of literals.
class NetworkBuilder {
public:
  using Cost = PrecisionProblem::Cost;
  NetworkBuilder(PrecisionProblem::Network &network, Cost infinite)
      : network(network), infinite(infinite) {}

  /// `cost` where `a` is FP32 and `b` is low.
  void addCost(Literal a, Literal b, Cost cost) {
    if (cost == 0 || a.kind == Literal::Low || b.kind == Literal::FP32)
      return;
    bool aKnown = a.kind == Literal::FP32, bKnown = b.kind == Literal::Low;
    if (aKnown && bKnown)
      network.constant += cost;
    else if (aKnown)
      network.cut.addTerminals(b.node, cost, 0);
    else if (bKnown)
      network.cut.addTerminals(a.node, 0, cost);
    else
      network.cut.addArc(a.node, b.node, cost);
  }
  void forbid(Literal a, Literal b) { addCost(a, b, infinite); }
  Literal addNode() { return {Literal::Variable, network.cut.addNode()}; }

private:
  PrecisionProblem::Network &network;
  Cost infinite;
};

/// Collects literals; `any` is one that is `side` when one of them is.
class AnyOf {
public:
  AnyOf(NetworkBuilder &builder, Literal::Kind side)
      : builder(builder), side(side) {}
  void add(Literal literal) {
    if (literal.kind == side)
      known = true;
    else if (literal.kind == Literal::Variable)
      variables.push_back(literal);
  }
  Literal get() {
    if (known)
      return {side};
    if (variables.empty())
      return {side == Literal::Low ? Literal::FP32 : Literal::Low};
    if (variables.size() == 1)
      return variables.front();
    Literal any = builder.addNode();
    for (Literal variable : variables) {
      if (side == Literal::Low)
        builder.forbid(any, variable);
      else
        builder.forbid(variable, any);
    }
    return any;
  }
  void clear() {
    known = false;
    variables.clear();
  }

private:
  NetworkBuilder &builder;
  Literal::Kind side;
  bool known = false;
  std::vector<Literal> variables;
};

} // namespace

PrecisionProblem::Network PrecisionProblem::buildNetwork() const {
  Network network;
  Cost infinite = 1;
  for (const Node &node : nodes)
    infinite += node.fp32 + node.low;
  for (const Value &value : values)
    infinite += 3 * value.cast;
  NetworkBuilder builder(network, infinite);

  network.nodeOf.assign(nodes.size(), kNone);
  for (uint32_t i = 0; i < nodes.size(); ++i) {
    const Node &node = nodes[i];
    if (node.state == State::Free) {
      network.nodeOf[i] = network.cut.addNode();
      network.cut.addTerminals(network.nodeOf[i], node.low, node.fp32);
    } else {
      network.constant += node.state == State::Low ? node.low : node.fp32;
    }
  }
  auto literalOf = [&](uint32_t node) -> Literal {
    if (node == kNone || nodes[node].state == State::FP32)
      return {Literal::FP32};
    if (nodes[node].state == State::Low)
      return {Literal::Low};
    return {Literal::Variable, network.nodeOf[node]};
  };

  AnyOf low0(builder, Literal::Low), low1(builder, Literal::Low),
      fp32(builder, Literal::FP32);
  for (const Value &value : values) {
    if (value.numReaders == 0 && !value.readInFP32)
      continue;
    Literal producer = literalOf(value.producer);
    unsigned group = value.producer == kNone ? 0 : nodes[value.producer].group;
    low0.clear();
    low1.clear();
    fp32.clear();
    if (value.readInFP32)
      fp32.add({Literal::FP32});
    for (uint32_t i = 0; i < value.numReaders; ++i) {
      uint32_t reader = readers[value.firstReader + i];
      Literal literal = literalOf(reader);
      (nodes[reader].group == 0 ? low0 : low1).add(literal);
      fp32.add(literal);
    }
    if (value.widenable) {
      // A cast when some reader is low and anybody else is not; FP32 from a
      // low producer when no reader is low.
      Literal anyLow = (group == 0 ? low0 : low1).get();
      fp32.add(producer);
      builder.addCost(fp32.get(), anyLow, value.cast);
      builder.addCost(anyLow, producer, value.wide);
      continue;
    }
    builder.addCost(fp32.get(), producer, value.cast);
    for (unsigned g = 0; g < 2; ++g) {
      Literal anyLow = (g == 0 ? low0 : low1).get();
      Cost convert =
          g == group || producer.kind == Literal::FP32 ? 0 : value.convert;
      builder.addCost({Literal::FP32}, anyLow, convert);
      builder.addCost(producer, anyLow, value.cast - convert);
    }
  }
  return network;
}

PrecisionProblem::Solution PrecisionProblem::solve() const {
  Network network = buildNetwork();
  MinCut::Result cut = network.cut.solve();
  Solution solution;
  solution.cutNodes = network.cut.numNodes();
  solution.cutArcs = network.cut.numArcs();
  solution.low.resize(nodes.size());
  for (uint32_t i = 0; i < nodes.size(); ++i)
    solution.low[i] = nodes[i].state == State::Free
                          ? !cut.onSourceSide[network.nodeOf[i]]
                          : nodes[i].state == State::Low;
  solution.cost = cut.flow + network.constant;
  assert(cut.flow == network.cut.valueOf(cut.onSourceSide) &&
         "the flow is not maximal or the cut not minimal");
  assert(solution.cost == evaluate(solution.low) &&
         "the network does not cost what the problem does");
  return solution;
}
