//===- MinCut.h - Minimum s-t cuts of sparse networks -----------*- C++ -*-===//
//
// A thin wrapper over Boost.Graph's Boykov-Kolmogorov maximum flow, on a
// compressed graph: about 80 bytes per arc while it is solved.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_ANALYSIS_MINCUT_H
#define MPT_ANALYSIS_MINCUT_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mpt {

/// A network with a source and a sink that are not numbered. Capacities are
/// integers >= 0 whose sum must stay below 2^62.
class MinCut {
public:
  using Capacity = int64_t;

  /// Adds a node and returns its number: 0, 1, ...
  uint32_t addNode();
  /// Adds capacity from the source to the node and from the node to the sink.
  void addTerminals(uint32_t node, Capacity fromSource, Capacity toSink);
  /// An arc, and one back (0: none).
  void addArc(uint32_t from, uint32_t to, Capacity capacity, Capacity back = 0);

  struct Result {
    Capacity flow = 0;
    /// Per node: is it on the source's side? Of all minimum cuts the one whose
    /// source side is largest, so that the result does not depend on the
    /// algorithm.
    std::vector<bool> onSourceSide;
  };
  /// The maximum flow and a minimum cut.
  Result solve() const;

  /// The capacity of the arcs that lead from the source's side to the sink's.
  Capacity valueOf(const std::vector<bool> &onSourceSide) const;

  uint32_t numNodes() const { return terminals.size(); }
  size_t numArcs() const { return arcs.size(); }

  struct Terminals {
    Capacity fromSource = 0, toSink = 0;
  };
  struct Arc {
    uint32_t from, to;
    Capacity capacity, back;
  };
  /// What was added, for other solvers (tests).
  const std::vector<Terminals> &getTerminals() const { return terminals; }
  const std::vector<Arc> &getArcs() const { return arcs; }

private:
  std::vector<Terminals> terminals;
  std::vector<Arc> arcs;
};

} // namespace mpt

#endif // MPT_ANALYSIS_MINCUT_H
