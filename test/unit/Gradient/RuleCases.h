//===- RuleCases.h - Small functions for the derivative tests ---*- C++ -*-===//

#ifndef MPT_TEST_UNIT_GRADIENT_RULECASES_H
#define MPT_TEST_UNIT_GRADIENT_RULECASES_H

#include <ostream>
#include <string>
#include <vector>

namespace mpt::test {

/// An argument %a<number>: floats are uniform in [low, high], integers in the
/// closed range.
struct ArgumentSpec {
  std::string type; // inside of tensor<>: "2x3xf64"
  double low = -1, high = 1;
  bool differentiate = true;
  bool onGrid = false; // floats are whole numbers, so that some are equal
};

struct ResultSpec {
  std::string value; // "%r"
  std::string type;
};

struct RuleCase {
  std::string name;
  std::vector<ArgumentSpec> arguments;
  std::string body;
  std::vector<ResultSpec> results;
  bool mayBeZero = false;
};

inline void PrintTo(const RuleCase &rule, std::ostream *os) {
  *os << rule.body;
}

/// The rule's function with a loss that is a weighted sum of all its results,
/// as text: the weights, further arguments, are the gradients of the results.
std::string textOf(const RuleCase &rule);

/// An index or label argument: not differentiated by.
inline ArgumentSpec index(std::string type, int low, int high) {
  return {std::move(type), double(low), double(high), false};
}
inline ArgumentSpec fixed(std::string type, double low = -1, double high = 1) {
  return {std::move(type), low, high, false};
}

void addElementwiseCases(std::vector<RuleCase> &cases);
void addContractionCases(std::vector<RuleCase> &cases);
void addNormalizationCases(std::vector<RuleCase> &cases);
void addReductionCases(std::vector<RuleCase> &cases);
void addShapeCases(std::vector<RuleCase> &cases);
void addLossCases(std::vector<RuleCase> &cases);

inline std::vector<RuleCase> listRuleCases() {
  std::vector<RuleCase> cases;
  addElementwiseCases(cases);
  addContractionCases(cases);
  addNormalizationCases(cases);
  addReductionCases(cases);
  addShapeCases(cases);
  addLossCases(cases);
  return cases;
}

} // namespace mpt::test

#endif // MPT_TEST_UNIT_GRADIENT_RULECASES_H
