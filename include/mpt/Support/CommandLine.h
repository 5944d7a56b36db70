//===- CommandLine.h - Parsing a tool's command line ------------*- C++ -*-===//

#ifndef MPT_SUPPORT_COMMANDLINE_H
#define MPT_SUPPORT_COMMANDLINE_H

#include "llvm/ADT/StringRef.h"

namespace mpt {

/// Parses the options that are registered with llvm::cl. LLVM's own behaviour
/// is to list everything that is wrong with a command line and to end the
/// process; this prints the first fault, as one line, and returns false.
/// `--help` and `--version` end the process with 0, as usual.
bool parseCommandLine(int argc, const char *const *argv,
                      llvm::StringRef overview);

} // namespace mpt

#endif // MPT_SUPPORT_COMMANDLINE_H
