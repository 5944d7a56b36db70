//===- RangeCheck.h - Inferred ranges against a run -------------*- C++ -*-===//

#ifndef MPT_TOOLS_MPTRUN_RANGECHECK_H
#define MPT_TOOLS_MPTRUN_RANGECHECK_H

#include "Model.h"

namespace mpt::run {

/// Floating values of the functions run, and how many of them the analysis
/// knows something of.
struct RangeStatistics {
  int64_t values = 0;
  int64_t bounded = 0; // a bound that the type alone does not give
  int64_t fits = 0;    // proven to fit FP16
  int64_t outside = 0; // values with an element outside of their range
  /// Operations that say of themselves that they must be FP32, and those of
  /// them whose operands and results are proven to fit FP16.
  int64_t denied = 0, released = 0;
};

/// Infers ranges, taking those of the inputs' elements as declared, and checks
/// every value of a run in the interpreter. A value outside of its range is
/// printed, with its node, and counted. `fuzz` more runs follow, with all
/// floats, parameters too, drawn anew from their ranges, ends preferred.
mlir::FailureOr<std::vector<data::HostTensor>>
runCheckingRanges(Model &model, const Inputs &inputs, int64_t fuzz,
                  RangeStatistics &statistics);

/// Prints a line with the shares. Returns the exit code: 1 if a value was
/// outside.
int printRanges(const RangeStatistics &statistics);

} // namespace mpt::run

#endif // MPT_TOOLS_MPTRUN_RANGECHECK_H
