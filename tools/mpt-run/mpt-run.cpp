//===- mpt-run.cpp - Runs a model -----------------------------------------===//

#include "RunDriver.h"

#include "llvm/Support/InitLLVM.h"

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  return mpt::runModel(argc, argv);
}
