//===- RandomProblem.h - Random precision problems --------------*- C++ -*-===//

#ifndef MPT_TEST_UNIT_ANALYSIS_RANDOMPROBLEM_H
#define MPT_TEST_UNIT_ANALYSIS_RANDOMPROBLEM_H

#include "mpt/Analysis/PrecisionProblem.h"

#include <algorithm>
#include <random>

namespace mpt {

struct RandomProblemOptions {
  uint32_t nodes = 8;
  int maxReaders = 4;
  bool twoGroups = false; // some nodes have another low type
  int maxCost = 20;
  double fixed = 0.3; // share of nodes whose state is fixed
  bool loops = false; // nodes may read what later nodes write, or they do
};

/// Nodes in the order of a program: values are read by later nodes only, but
/// for `loops`.
inline PrecisionProblem makeRandomProblem(std::mt19937 &random,
                                          const RandomProblemOptions &options) {
  using State = PrecisionProblem::State;
  auto upTo = [&](int max) {
    return std::uniform_int_distribution<int>(0, max)(random);
  };
  auto chance = [&](double p) {
    return std::uniform_real_distribution<>(0, 1)(random) < p;
  };
  PrecisionProblem problem;
  for (uint32_t i = 0; i < options.nodes; ++i) {
    State state = !chance(options.fixed) ? State::Free
                  : chance(0.5)          ? State::FP32
                                         : State::Low;
    problem.addNode(state, upTo(options.maxCost), upTo(options.maxCost),
                    options.twoGroups && chance(0.5));
  }
  auto addValue = [&](uint32_t producer, uint32_t first) {
    std::vector<uint32_t> readers;
    for (int i = upTo(options.maxReaders); i > 0 && first < options.nodes; --i)
      readers.push_back(first + upTo(std::min<int>(options.nodes - first - 1,
                                                   3 * options.maxReaders)));
    std::sort(readers.begin(), readers.end());
    readers.erase(std::unique(readers.begin(), readers.end()), readers.end());
    PrecisionProblem::Value value;
    value.producer = producer;
    value.readInFP32 = chance(0.2);
    value.widenable = chance(0.3);
    value.cast = upTo(options.maxCost);
    value.convert = upTo(value.cast);
    value.wide = upTo(value.cast);
    problem.addValue(value, readers.data(), readers.size());
  };
  for (uint32_t i = 0; i < 1 + options.nodes / 4; ++i)
    addValue(PrecisionProblem::kNone, upTo(options.nodes - 1));
  for (uint32_t i = 0; i < options.nodes; ++i)
    for (int results = 1 + chance(0.2); results > 0; --results)
      addValue(i, options.loops ? upTo(i) : i + 1);
  return problem;
}

} // namespace mpt

#endif // MPT_TEST_UNIT_ANALYSIS_RANDOMPROBLEM_H
