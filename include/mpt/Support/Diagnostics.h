//===- Diagnostics.h - Diagnostics as one line each -------------*- C++ -*-===//

#ifndef MPT_SUPPORT_DIAGNOSTICS_H
#define MPT_SUPPORT_DIAGNOSTICS_H

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

#include <string>

namespace mpt {

/// "model.onnx: node 'conv1'", "step.mlir:12:3", or "" for an unknown location.
std::string describeLocation(mlir::Location location);

/// For as long as it lives, prints the context's errors and warnings to
/// standard error as the tools' users expect them: one line
///
///   model.onnx: node 'conv1' (Conv): what is wrong and what to do
///
/// without the operation dumped behind it. Remarks are printed only when asked
/// for; notes follow their error, indented. `file` is named where a location
/// names a node but no file, as those of an imported model do.
class OneLineDiagnostics {
public:
  explicit OneLineDiagnostics(mlir::MLIRContext &context,
                              bool printRemarks = false, std::string file = "");
  bool sawError() const { return error; }

private:
  mlir::ScopedDiagnosticHandler handler;
  bool error = false;
};

} // namespace mpt

#endif // MPT_SUPPORT_DIAGNOSTICS_H
