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
  // What an option itself has to say it has printed already.
  auto [first, rest] = llvm::StringRef(messages).split('\n');
  if (first.empty())
    return false;
  llvm::errs() << first.rtrim();
  // "mpt-opt: Did you mean '--mpt-mixed-precision'?"
  auto [second, others] = rest.split('\n');
  if (size_t guess = second.find("Did you mean"); guess != second.npos)
    llvm::errs() << "  " << second.drop_front(guess);
  llvm::errs() << '\n';
  return false;
}
