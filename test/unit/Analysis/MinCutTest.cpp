//===- MinCutTest.cpp - The solver against LEMON --------------------------===//

#include "RandomProblem.h"

#include <gtest/gtest.h>

#ifdef MPT_HAVE_LEMON
// LEMON 1.3 uses members of std::allocator that newer libraries only warn of.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include <lemon/preflow.h>
#include <lemon/smart_graph.h>
#endif

using namespace mpt;

namespace {

MinCut makeRandomNetwork(std::mt19937 &random, uint32_t nodes, int arcsPerNode,
                         int maxCapacity) {
  auto upTo = [&](int max) {
    return std::uniform_int_distribution<int>(0, max)(random);
  };
  MinCut cut;
  for (uint32_t i = 0; i < nodes; ++i) {
    uint32_t node = cut.addNode();
    if (upTo(3) == 0)
      cut.addTerminals(node, upTo(maxCapacity), upTo(maxCapacity));
  }
  for (uint32_t i = 0; i < nodes * arcsPerNode; ++i) {
    uint32_t from = upTo(nodes - 1);
    // Mostly between neighbours, as in a program.
    uint32_t to = upTo(9) ? (from + 1 + upTo(20)) % nodes : upTo(nodes - 1);
    cut.addArc(from, to, upTo(maxCapacity), upTo(2) ? 0 : upTo(maxCapacity));
  }
  return cut;
}

/// The side of the source is closed and the cut is as large as the flow.
void expectMinimum(const MinCut &cut, const MinCut::Result &result) {
  EXPECT_EQ(cut.valueOf(result.onSourceSide), result.flow);
}

TEST(MinCut, FlowIsTheValueOfTheCut) {
  std::mt19937 random(1);
  for (int i = 0; i < 500; ++i) {
    MinCut cut = makeRandomNetwork(random, 1 + i, 3, i % 2 ? 2 : 1000);
    expectMinimum(cut, cut.solve());
  }
}

TEST(MinCut, SmallNetworks) {
  MinCut empty;
  EXPECT_EQ(empty.solve().flow, 0);
  MinCut cut;
  uint32_t a = cut.addNode(), b = cut.addNode(), c = cut.addNode();
  cut.addTerminals(a, 5, 0);
  cut.addTerminals(a, 2, 1);
  cut.addArc(a, b, 4);
  cut.addTerminals(b, 0, 10);
  MinCut::Result result = cut.solve();
  EXPECT_EQ(result.flow, 5); // 1 straight through a, 4 through b
  EXPECT_TRUE(result.onSourceSide[a]);
  EXPECT_FALSE(result.onSourceSide[b]);
  EXPECT_TRUE(result.onSourceSide[c]); // the largest source side
}

#ifdef MPT_HAVE_LEMON
int64_t solveWithLemon(const MinCut &cut) {
  lemon::SmartDigraph graph;
  lemon::SmartDigraph::ArcMap<int64_t> capacity(graph);
  std::vector<lemon::SmartDigraph::Node> nodes;
  for (uint32_t i = 0; i < cut.numNodes() + 2; ++i)
    nodes.push_back(graph.addNode());
  auto source = nodes[cut.numNodes()], sink = nodes[cut.numNodes() + 1];
  auto add = [&](auto from, auto to, int64_t value) {
    if (value > 0)
      capacity[graph.addArc(from, to)] = value;
  };
  for (uint32_t i = 0; i < cut.numNodes(); ++i) {
    add(source, nodes[i], cut.getTerminals()[i].fromSource);
    add(nodes[i], sink, cut.getTerminals()[i].toSink);
  }
  for (const MinCut::Arc &arc : cut.getArcs()) {
    add(nodes[arc.from], nodes[arc.to], arc.capacity);
    add(nodes[arc.to], nodes[arc.from], arc.back);
  }
  lemon::Preflow<lemon::SmartDigraph, decltype(capacity)> preflow(
      graph, capacity, source, sink);
  preflow.runMinCut();
  return preflow.flowValue();
}

TEST(MinCut, AgreesWithLemonOnRandomNetworks) {
  std::mt19937 random(2);
  for (uint32_t nodes : {10u, 100u, 1000u, 20000u}) {
    MinCut cut = makeRandomNetwork(random, nodes, 3, 1000);
    EXPECT_EQ(cut.solve().flow, solveWithLemon(cut)) << nodes;
  }
}

TEST(MinCut, AgreesWithLemonOnAssignments) {
  std::mt19937 random(3);
  for (uint32_t nodes : {100u, 1000u, 10000u, 20000u}) {
    RandomProblemOptions options;
    options.nodes = nodes;
    options.maxCost = 100000;
    options.twoGroups = nodes == 1000;
    options.fixed = 0.1;
    PrecisionProblem problem = makeRandomProblem(random, options);
    PrecisionProblem::Network network = problem.buildNetwork();
    MinCut::Result result = network.cut.solve();
    expectMinimum(network.cut, result);
    EXPECT_EQ(result.flow, solveWithLemon(network.cut)) << nodes;
    EXPECT_EQ(problem.solve().cost, result.flow + network.constant);
  }
}
#else
TEST(MinCut, AgreesWithLemon) {
  GTEST_SKIP() << "liblemon-dev is not installed: scripts/setup.sh";
}
#endif

} // namespace
