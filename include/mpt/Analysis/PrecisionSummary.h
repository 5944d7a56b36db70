//===- PrecisionSummary.h - What runs in which precision --------*- C++ -*-===//

#ifndef MPT_ANALYSIS_PRECISIONSUMMARY_H
#define MPT_ANALYSIS_PRECISIONSUMMARY_H

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/Support/raw_ostream.h"

namespace mpt {

/// Counts over a function whose precision was decided (`mp.decision`); what was
/// not decided is FP32. Bytes
/// are those of one step, of static shapes only.
struct PrecisionSummary {
  int64_t lowOps = 0;    // operations decided low
  int64_t fp32Ops = 0;   // operations decided FP32, or undecided
  int64_t casts = 0;     // mp.cast operations
  int64_t castBytes = 0; // read by them
  int64_t lowBytes = 0;  // results in 16-bit floats
  int64_t fp32Bytes = 0; // results in FP32 (and FP64)
};

/// Linear in the size of the function; reads into the bodies of kernels too.
PrecisionSummary summarizePrecision(mlir::FunctionOpInterface function);

/// Prints the counts; with `details`, one line per operation: name, precision
/// and reason.
void printPrecision(mlir::FunctionOpInterface function, llvm::raw_ostream &os,
                    bool details = false);

} // namespace mpt

#endif // MPT_ANALYSIS_PRECISIONSUMMARY_H
