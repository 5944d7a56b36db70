//===- Compare.h - A function compiled against the Reference ----*- C++ -*-===//

#ifndef MPT_TEST_UNIT_EXECUTION_COMPARE_H
#define MPT_TEST_UNIT_EXECUTION_COMPARE_H

#include "mpt/Execution/StepExecutor.h"

#include "gtest/gtest.h"

#include <functional>
#include <string>

namespace mpt::test {

struct CompareOptions {
  /// Allowed difference per result element, in units of the last place of the
  /// larger of |reference| and `scale`.
  double ulps = 4;
  /// Magnitude below which the error is absolute (cancelling sums).
  double scale = 0;
  /// Uniform inputs in [low, high).
  double low = -2, high = 2;
  /// Integers in [0, integers).
  int64_t integers = 3;
  int32_t threads = 2;
  uint64_t seed = 1;
  /// Replaces random values: element i of the input `name`, or nothing.
  std::function<std::optional<double>(const std::string &name, int64_t i)>
      value;
};

/// Runs the function `f` of the module compiled (with the check of its memory
/// plan, twice) and interpreted on the same inputs, and compares all results.
void compare(const std::string &source, const CompareOptions &options = {});

/// The same for f32, f16 and bf16: `T` in the source stands for the type.
void compareFloats(const std::string &source, CompareOptions options = {});

} // namespace mpt::test

#endif // MPT_TEST_UNIT_EXECUTION_COMPARE_H
