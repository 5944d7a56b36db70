//===- OptDriver.h - The driver behind mpt-opt ------------------*- C++ -*-===//

#ifndef MPT_TOOLS_MPTOPT_OPTDRIVER_H
#define MPT_TOOLS_MPTOPT_OPTDRIVER_H

namespace mpt {

/// Parses the command line, reads the input (MLIR text or bytecode, ONNX by its
/// file ending), runs the passes and writes the output. The output file is
/// written under another name and renamed, so an error leaves none behind.
/// Returns the exit code of the process.
int runOpt(int argc, char **argv);

} // namespace mpt

#endif // MPT_TOOLS_MPTOPT_OPTDRIVER_H
