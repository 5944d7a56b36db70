//===- MinCut.cpp - Minimum s-t cuts of sparse networks -------------------===//

#include "mpt/Analysis/MinCut.h"

#include <boost/graph/boykov_kolmogorov_max_flow.hpp>
#include <boost/graph/compressed_sparse_row_graph.hpp>

#include <algorithm>

using namespace mpt;

uint32_t MinCut::addNode() {
  terminals.emplace_back();
  return terminals.size() - 1;
}

void MinCut::addTerminals(uint32_t node, Capacity fromSource, Capacity toSink) {
  terminals[node].fromSource += fromSource;
  terminals[node].toSink += toSink;
}

void MinCut::addArc(uint32_t from, uint32_t to, Capacity capacity,
                    Capacity back) {
  if (from != to && (capacity > 0 || back > 0))
    arcs.push_back({from, to, capacity, back});
}

MinCut::Capacity MinCut::valueOf(const std::vector<bool> &onSourceSide) const {
  Capacity value = 0;
  for (uint32_t node = 0; node < terminals.size(); ++node)
    value += onSourceSide[node] ? terminals[node].toSink
                                : terminals[node].fromSource;
  for (const Arc &arc : arcs)
    if (onSourceSide[arc.from] != onSourceSide[arc.to])
      value += onSourceSide[arc.from] ? arc.capacity : arc.back;
  return value;
}

//===----------------------------------------------------------------------===//
// The graph Boost works on
//===----------------------------------------------------------------------===//

namespace {

using Graph =
    boost::compressed_sparse_row_graph<boost::directedS, boost::no_property,
                                       boost::no_property, boost::no_property,
                                       uint32_t, uint32_t>;
using Edge = boost::graph_traits<Graph>::edge_descriptor;

/// The opposite of every edge, by its number.
struct ReverseEdges {
  using key_type = Edge;
  using value_type = Edge;
  using reference = Edge;
  using category = boost::readable_property_map_tag;
  const Graph *graph;
  const uint32_t *numbers;
};
Edge get(const ReverseEdges &map, const Edge &edge) {
  return Edge(boost::target(edge, *map.graph), map.numbers[edge.idx]);
}

/// Edges in the order of their sources, with capacities and opposites.
struct SortedEdges {
  std::vector<std::pair<uint32_t, uint32_t>> ends;
  std::vector<MinCut::Capacity> capacities;
  std::vector<uint32_t> opposites;
};

} // namespace

/// Counting sort: stable, so that equal networks give equal graphs. `visit`
/// calls its argument with (from, to, capacity, back) for every arc.
template <typename Visit>
static SortedEdges sortEdges(uint32_t nodes, Visit visit) {
  std::vector<uint32_t> next(nodes + 1, 0);
  visit([&](uint32_t from, uint32_t to, MinCut::Capacity, MinCut::Capacity) {
    ++next[from + 1];
    ++next[to + 1];
  });
  for (uint32_t node = 0; node < nodes; ++node)
    next[node + 1] += next[node];
  SortedEdges edges;
  size_t count = next[nodes];
  edges.ends.resize(count);
  edges.capacities.resize(count);
  edges.opposites.resize(count);
  visit([&](uint32_t from, uint32_t to, MinCut::Capacity capacity,
            MinCut::Capacity back) {
    uint32_t there = next[from]++, home = next[to]++;
    edges.ends[there] = {from, to};
    edges.ends[home] = {to, from};
    edges.capacities[there] = capacity;
    edges.capacities[home] = back;
    edges.opposites[there] = home;
    edges.opposites[home] = there;
  });
  return edges;
}

MinCut::Result MinCut::solve() const {
  const uint32_t nodes = terminals.size(), source = nodes, sink = nodes + 1;
  Result result;
  SortedEdges edges = sortEdges(nodes + 2, [&](auto add) {
    for (uint32_t node = 0; node < nodes; ++node) {
      // What flows straight through needs no search.
      Capacity through =
          std::min(terminals[node].fromSource, terminals[node].toSink);
      if (Capacity left = terminals[node].fromSource - through)
        add(source, node, left, Capacity(0));
      if (Capacity left = terminals[node].toSink - through)
        add(node, sink, left, Capacity(0));
    }
    for (const Arc &arc : arcs)
      add(arc.from, arc.to, arc.capacity, arc.back);
  });
  Graph graph(boost::edges_are_sorted, edges.ends.begin(), edges.ends.end(),
              nodes + 2);
  std::vector<std::pair<uint32_t, uint32_t>>().swap(edges.ends);

  std::vector<Capacity> residual(edges.capacities.size());
  std::vector<Edge> predecessors(nodes + 2);
  std::vector<boost::default_color_type> colors(nodes + 2);
  std::vector<uint32_t> distances(nodes + 2);
  auto index = boost::get(boost::vertex_index, graph);
  auto edgeIndex = boost::get(boost::edge_index, graph);
  result.flow = boost::boykov_kolmogorov_max_flow(
      graph,
      boost::make_iterator_property_map(edges.capacities.begin(), edgeIndex),
      boost::make_iterator_property_map(residual.begin(), edgeIndex),
      ReverseEdges{&graph, edges.opposites.data()},
      boost::make_iterator_property_map(predecessors.begin(), index),
      boost::make_iterator_property_map(colors.begin(), index),
      boost::make_iterator_property_map(distances.begin(), index), index,
      source, sink);
  for (const Terminals &terminal : terminals)
    result.flow += std::min(terminal.fromSource, terminal.toSink);

  // White are the nodes from which the sink can still be reached.
  result.onSourceSide.resize(nodes);
  for (uint32_t node = 0; node < nodes; ++node)
    result.onSourceSide[node] =
        colors[node] != boost::color_traits<boost::default_color_type>::white();
  return result;
}
