//===- ModelDriver.h - mpt-opt with ONNX at an end --------------*- C++ -*-===//

#ifndef MPT_TOOLS_MPTOPT_MODELDRIVER_H
#define MPT_TOOLS_MPTOPT_MODELDRIVER_H

#include "mlir/IR/DialectRegistry.h"
#include "llvm/ADT/StringRef.h"

namespace mpt {

/// Registers the options that only concern ONNX: --dim, --emit,
/// --export-function, --list-onnx-ops, --remarks.
void registerModelOptions();

/// Is the input or the output an ONNX model?
bool touchesONNX(llvm::StringRef input, llvm::StringRef output);

/// --list-onnx-ops was given: prints the table and is done.
bool printSupportedOps();

/// Reads `input` (ONNX by its file ending, else MLIR), runs the passes of the
/// command line and writes `output` (ONNX by its file ending or --emit=onnx,
/// else MLIR). Errors are one line each: file, node, what to do. No output file
/// is left behind after an error. Returns the exit code of the process.
int optimizeModel(llvm::StringRef input, llvm::StringRef output,
                  const mlir::DialectRegistry &registry);

} // namespace mpt

#endif // MPT_TOOLS_MPTOPT_MODELDRIVER_H
