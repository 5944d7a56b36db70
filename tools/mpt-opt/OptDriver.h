//===- OptDriver.h - The driver behind mpt-opt ------------------*- C++ -*-===//

#ifndef MPT_TOOLS_MPTOPT_OPTDRIVER_H
#define MPT_TOOLS_MPTOPT_OPTDRIVER_H

#include "mlir/Support/LLVM.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/raw_ostream.h"

namespace mpt {

/// Parses the command line, reads the input (MLIR text or bytecode, ONNX by its
/// file ending), runs the passes and writes the output. Returns the exit code
/// of the process.
int runOpt(int argc, char **argv);

/// What the command line says about the passes, with the one that --explain
/// asks for behind them.
mlir::MlirOptMainConfig createConfig();

/// Prints the message as a line; returns the exit code 1.
int reportError(const llvm::Twine &message);

/// Writes what `produce` makes, to stdout ("-") or to a file, under another
/// name first: a failure of `produce` (which reports it) leaves no file behind.
/// Returns the exit code of the process.
int writeOutput(
    llvm::StringRef file,
    llvm::function_ref<llvm::LogicalResult(llvm::raw_ostream &)> produce);

} // namespace mpt

#endif // MPT_TOOLS_MPTOPT_OPTDRIVER_H
