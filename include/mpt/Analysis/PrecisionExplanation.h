//===- PrecisionExplanation.h - Why what runs in which precision *- C++ -*-===//
//
// The decisions of a function as data, read from the IR (mp.decision, types,
// mp.cast), before or after the casts were inserted, and three ways to write
// them down.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_ANALYSIS_PRECISIONEXPLANATION_H
#define MPT_ANALYSIS_PRECISIONEXPLANATION_H

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

namespace mpt {

struct PrecisionExplanation {
  enum class Precision { FP32, F16, BF16, Cast, Other };

  struct Op {
    std::string type; // "nn.conv"
    std::string name; // of the node it came from, or ""
    Precision precision = Precision::Other;
    std::string reason; // what mp.decision says, its own part
    /// Operations that decided in turn, the nearest first; the last one's own
    /// reason ends the chain.
    std::vector<uint32_t> chain;
    std::string change;            // what would change the decision, or ""
    std::vector<uint32_t> inputs;  // operations whose results are read
    int64_t fp32Bytes = 0;         // of the results, were they all FP32
    int64_t bytes = 0;             // of the results as they are
    double error = 0;              // expected of the results, relative
    uint32_t layer = 0, place = 0; // in a drawing: row, and place in the row
  };

  std::string function;
  std::vector<Op> ops;
  int64_t lowOps = 0, fp32Ops = 0;
  int64_t casts = 0, castBytes = 0; // read and written by casts
  int64_t fp32Bytes = 0, bytes = 0; // of all floating results
  /// Of what the function returns, by RoundingErrors: the relative error that
  /// 16-bit storage is expected to bring, and what a run may show.
  double expectedError = 0, errorTolerance = 0;
};

/// "f32", "f16", "bf16", "cast", "other".
llvm::StringRef stringifyPrecision(PrecisionExplanation::Precision precision);

/// Linear in the size of the function.
PrecisionExplanation explainPrecision(mlir::FunctionOpInterface function);

/// A line per operation and its chain below it.
void writeText(llvm::ArrayRef<PrecisionExplanation> functions,
               llvm::raw_ostream &os);
/// An object per function: `totals`, and `ops` with all fields of Op.
void writeJSON(llvm::ArrayRef<PrecisionExplanation> functions,
               llvm::raw_ostream &os);
/// One page that needs no other file: the graph, coloured by precision, which
/// can be moved, enlarged and searched by name, and the reasons of an
/// operation that is clicked.
void writeHTML(llvm::ArrayRef<PrecisionExplanation> functions,
               llvm::raw_ostream &os);

} // namespace mpt

#endif // MPT_ANALYSIS_PRECISIONEXPLANATION_H
