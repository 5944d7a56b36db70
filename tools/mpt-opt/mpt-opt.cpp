//===- mpt-opt.cpp - Runs MPT's and upstream passes -----------------------===//

#include "OptDriver.h"

#include "llvm/Support/InitLLVM.h"

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  return mpt::runOpt(argc, argv);
}
