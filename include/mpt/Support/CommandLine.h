//===- CommandLine.h - Parsing a tool's command line ------------*- C++ -*-===//

#ifndef MPT_SUPPORT_COMMANDLINE_H
#define MPT_SUPPORT_COMMANDLINE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/CommandLine.h"

namespace mpt {

/// Parses the options that are registered with llvm::cl. LLVM's own behaviour
/// is to list everything that is wrong with a command line and to end the
/// process; this prints the first fault, as one line, and returns false.
/// `--help` and `--version` end the process with 0, as usual.
bool parseCommandLine(int argc, const char *const *argv,
                      llvm::StringRef overview);

/// Parses the name of one of an option's values; the message of another lists
/// them.
template <typename T> class ValueParser : public llvm::cl::parser<T> {
public:
  using llvm::cl::parser<T>::parser;
  bool parse(llvm::cl::Option &option, llvm::StringRef name,
             llvm::StringRef text, T &value) {
    std::string names;
    for (const auto &entry : this->Values) {
      if (entry.Name == text) {
        value = entry.V.getValue();
        return false;
      }
      names += (names.empty() ? "" : ", ") + entry.Name.str();
    }
    return option.error("there is no '" + text + "'; it takes " + names);
  }
};

} // namespace mpt

#endif // MPT_SUPPORT_COMMANDLINE_H
