//===- PrecisionProblem.h - The assignment as an optimisation ---*- C++ -*-===//
//
// What an assignment of precisions costs, apart from any IR, and the assignment
// that costs least. See docs/Rationale/MixedPrecision.md.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_ANALYSIS_PRECISIONPROBLEM_H
#define MPT_ANALYSIS_PRECISIONPROBLEM_H

#include "mpt/Analysis/MinCut.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mpt {

/// Nodes are FP32 or low. A node costs what it takes to run it; a value costs
/// the casts it needs, once per direction however many nodes read it.
///
/// A value is written by a node in the node's precision, or given in FP32. It
/// needs
///   - a cast to the low type when it is FP32 and some node that reads it low,
///   - a cast to FP32 when it is low and somebody reads it in FP32,
///   - a conversion when it is low and a low node of the other group (with
///     another low type) reads it.
/// A *widenable* value is written in FP32 by a low node, at `wide`, when nobody
/// reads it low.
class PrecisionProblem {
public:
  /// Costs are integers >= 0 of any unit; their sum must stay below 2^60.
  using Cost = int64_t;
  enum class State : uint8_t { Free, FP32, Low };
  static constexpr uint32_t kNone = ~0u;

  /// A node that costs `fp32` or `low` to run. Low nodes of group 0 and of
  /// group 1 have different low types. Returns the node's number.
  uint32_t addNode(State state, Cost fp32, Cost low, unsigned group = 0);

  struct Value {
    uint32_t producer = kNone; // none: given in FP32
    bool readInFP32 = false; // by somebody who is no node, or a pinned operand
    bool widenable = false;
    Cost cast = 0;    // to the low type, or to FP32
    Cost convert = 0; // from one low type to the other; at most `cast`
    Cost wide = 0;    // at most `cast`
    uint32_t firstReader = 0, numReaders = 0; // set by addValue
  };
  /// `readers`: nodes, each once. A widenable value with readers in the other
  /// group than its producer is not widenable. Returns the value's number.
  uint32_t addValue(Value value, const uint32_t *readers, size_t numReaders);

  /// What the assignment costs; `low[node]` must agree with fixed nodes.
  Cost evaluate(const std::vector<bool> &low) const;
  /// Of that, the casts (`cast` and `convert`) of one value.
  Cost castCost(const Value &value, const std::vector<bool> &low) const;

  struct Solution {
    std::vector<bool> low;
    Cost cost = 0;
    uint32_t cutNodes = 0; // size of the network
    size_t cutArcs = 0;
  };
  /// An assignment of least cost: a minimum cut. Where several cost the same,
  /// the one with the most FP32 nodes: it rounds less.
  Solution solve() const;

  /// Per node: what the assignment would cost more (less, if negative) with
  /// this node alone in its other precision. Linear.
  std::vector<Cost> costOfFlipping(const std::vector<bool> &low) const;

  uint32_t numNodes() const { return nodes.size(); }
  State stateOf(uint32_t node) const { return nodes[node].state; }
  const std::vector<Value> &getValues() const { return values; }

  /// The network whose minimum cut solves the problem; `nodeOf[i]` is the
  /// network's node of node i, or kNone for a fixed one. `constant` is the part
  /// of the cost that nothing can change.
  struct Network {
    MinCut cut;
    std::vector<uint32_t> nodeOf;
    Cost constant = 0;
  };
  Network buildNetwork() const;

private:
  struct Node {
    Cost fp32, low;
    State state;
    uint8_t group;
  };
  /// Readers of a value by what they want.
  struct Counts {
    uint32_t low[2] = {0, 0};
    uint32_t fp32 = 0;
  };
  Counts countReaders(const Value &value, const std::vector<bool> &low) const;
  Cost costOf(const Value &value, bool producerLow, const Counts &counts) const;

  std::vector<Node> nodes;
  std::vector<Value> values;
  std::vector<uint32_t> readers;
};

} // namespace mpt

#endif // MPT_ANALYSIS_PRECISIONPROBLEM_H
