//===- CommandLine.cpp - Parsing a tool's command line --------------------===//

#include "mpt/Support/CommandLine.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

bool mpt::parseCommandLine(int argc, const char *const *argv,
                           llvm::StringRef overview) {
  std::string messages;
  llvm::raw_string_ostream os(messages);
  if (llvm::cl::ParseCommandLineOptions(argc, argv, overview, &os))
    return true;
  llvm::StringRef first = llvm::StringRef(messages).split('\n').first;
  llvm::errs() << first.rtrim() << '\n';
  return false;
}
