//===- CPUNames.h - The processors LLVM knows -------------------*- C++ -*-===//

#ifndef MPT_CONVERSION_CPUNAMES_H
#define MPT_CONVERSION_CPUNAMES_H

#include <string>

namespace mpt::conversion {

/// Whether code for the host's architecture can be made for this processor:
/// "native", "", or a name of LLVM's. LLVM itself ends the process when it
/// meets another. If not, `error` says so in a line.
bool checkCPUName(const std::string &cpu, std::string &error);

} // namespace mpt::conversion

#endif // MPT_CONVERSION_CPUNAMES_H
