//===- RunDriver.h - The driver behind mpt-run ------------------*- C++ -*-===//

#ifndef MPT_TOOLS_MPTRUN_RUNDRIVER_H
#define MPT_TOOLS_MPTRUN_RUNDRIVER_H

namespace mpt {

/// Parses the command line and runs a model on inputs from files, or on ONNX
/// backend tests. Returns the exit code of the process.
int runModel(int argc, char **argv);

} // namespace mpt

#endif // MPT_TOOLS_MPTRUN_RUNDRIVER_H
