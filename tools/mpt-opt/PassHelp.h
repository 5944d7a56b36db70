//===- PassHelp.h - The options of passes ------------------------*- C++
//-*-===//

#ifndef MPT_TOOLS_MPTOPT_PASSHELP_H
#define MPT_TOOLS_MPTOPT_PASSHELP_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace mpt {

/// Whether every pass that the command line names, as `--pass=options` or in a
/// `--pass-pipeline`, has the options it is given. If not, `error` is one line
/// that names the pass and the options it has: MLIR's own message has neither.
bool checkPassOptions(llvm::ArrayRef<const char *> arguments,
                      std::string &error);

/// Prints `--help`: this tool's options and passes, with the defaults of their
/// options. Those of MLIR and LLVM, of which there are a thousand, are behind
/// `--help-hidden`.
void printOwnHelp(llvm::StringRef overview);

} // namespace mpt

#endif // MPT_TOOLS_MPTOPT_PASSHELP_H
