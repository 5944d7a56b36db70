//===- PrecisionProblemTest.cpp - The cut against exhaustive enumeration --===//

#include "RandomProblem.h"

#include <gtest/gtest.h>

using namespace mpt;
using Cost = PrecisionProblem::Cost;
using State = PrecisionProblem::State;

namespace {

/// The least cost of all assignments that agree with the fixed nodes, and the
/// fewest low nodes of an assignment that has it.
struct Optimum {
  Cost cost = std::numeric_limits<Cost>::max();
  int64_t lowNodes = 0;
};

Optimum enumerate(const PrecisionProblem &problem) {
  Optimum best;
  std::vector<uint32_t> free;
  std::vector<bool> low(problem.numNodes());
  for (uint32_t i = 0; i < problem.numNodes(); ++i) {
    low[i] = problem.stateOf(i) == State::Low;
    if (problem.stateOf(i) == State::Free)
      free.push_back(i);
  }
  for (uint32_t choice = 0; choice < 1u << free.size(); ++choice) {
    for (uint32_t bit = 0; bit < free.size(); ++bit)
      low[free[bit]] = choice >> bit & 1;
    Cost cost = problem.evaluate(low);
    int64_t lowNodes = std::count(low.begin(), low.end(), true);
    if (cost < best.cost || (cost == best.cost && lowNodes < best.lowNodes))
      best = {cost, lowNodes};
  }
  return best;
}

void expectOptimal(const PrecisionProblem &problem) {
  PrecisionProblem::Solution solution = problem.solve();
  Optimum best = enumerate(problem);
  for (uint32_t i = 0; i < problem.numNodes(); ++i)
    if (problem.stateOf(i) != State::Free)
      EXPECT_EQ(solution.low[i], problem.stateOf(i) == State::Low);
  EXPECT_EQ(solution.cost, best.cost);
  EXPECT_EQ(problem.evaluate(solution.low), best.cost);
  EXPECT_EQ(std::count(solution.low.begin(), solution.low.end(), true),
            best.lowNodes);
}

TEST(PrecisionProblem, CutIsTheExhaustiveOptimum) {
  std::mt19937 random(1);
  for (int i = 0; i < 4000; ++i) {
    RandomProblemOptions options;
    options.nodes = 1 + i % 11;
    options.maxCost = i % 3 == 0 ? 3 : 20; // small costs: many ties
    options.fixed = i % 5 == 0 ? 0 : 0.3;
    SCOPED_TRACE(i);
    expectOptimal(makeRandomProblem(random, options));
    if (HasFailure())
      return;
  }
}

TEST(PrecisionProblem, CutIsTheExhaustiveOptimumWithTwoLowTypes) {
  std::mt19937 random(2);
  for (int i = 0; i < 4000; ++i) {
    RandomProblemOptions options;
    options.nodes = 2 + i % 10;
    options.twoGroups = true;
    SCOPED_TRACE(i);
    expectOptimal(makeRandomProblem(random, options));
    if (HasFailure())
      return;
  }
}

/// Carried values are read and written by one node, before and behind it.
TEST(PrecisionProblem, CutIsTheExhaustiveOptimumAroundLoops) {
  std::mt19937 random(5);
  for (int i = 0; i < 4000; ++i) {
    RandomProblemOptions options;
    options.nodes = 1 + i % 11;
    options.loops = true;
    options.twoGroups = i % 4 == 0;
    options.maxCost = i % 3 == 0 ? 3 : 20;
    SCOPED_TRACE(i);
    expectOptimal(makeRandomProblem(random, options));
    if (HasFailure())
      return;
  }
}

/// All-FP32 is an assignment where nothing is fixed low.
TEST(PrecisionProblem, NeverAboveAllFP32) {
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i) {
    RandomProblemOptions options;
    options.nodes = 500;
    options.fixed = 0;
    PrecisionProblem problem = makeRandomProblem(random, options);
    std::vector<bool> fp32(problem.numNodes(), false);
    EXPECT_LE(problem.solve().cost, problem.evaluate(fp32));
  }
}

/// On problems too large to enumerate no single change helps, and the changes
/// are what evaluating says.
TEST(PrecisionProblem, CostOfFlippingIsTheDifference) {
  std::mt19937 random(4);
  for (int i = 0; i < 50; ++i) {
    RandomProblemOptions options;
    options.nodes = 60;
    options.twoGroups = i % 2;
    options.loops = i % 4 >= 2;
    PrecisionProblem problem = makeRandomProblem(random, options);
    PrecisionProblem::Solution solution = problem.solve();
    std::vector<Cost> changes = problem.costOfFlipping(solution.low);
    for (uint32_t node = 0; node < problem.numNodes(); ++node) {
      std::vector<bool> other = solution.low;
      other[node] = !other[node];
      EXPECT_EQ(changes[node], problem.evaluate(other) - solution.cost);
      if (problem.stateOf(node) == State::Free)
        EXPECT_GE(changes[node], 0);
    }
  }
}

/// A value with a million readers costs one cast and is no quadratic matter.
TEST(PrecisionProblem, ManyReaders) {
  PrecisionProblem problem;
  std::vector<uint32_t> readers;
  for (int i = 0; i < 1000000; ++i)
    readers.push_back(problem.addNode(State::Free, 1, 0));
  PrecisionProblem::Value value;
  value.cast = 999999;
  problem.addValue(value, readers.data(), readers.size());
  PrecisionProblem::Solution solution = problem.solve();
  EXPECT_EQ(solution.cost, 999999);
  EXPECT_TRUE(solution.low.front());
}

TEST(PrecisionProblem, NothingToDecide) {
  PrecisionProblem problem;
  EXPECT_EQ(problem.solve().cost, 0);
  uint32_t reader = problem.addNode(State::Low, 5, 3);
  PrecisionProblem::Value value;
  value.cast = 7;
  problem.addValue(value, &reader, 1);
  EXPECT_EQ(problem.solve().cost, 10);
}

} // namespace
