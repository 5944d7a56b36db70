//===- PrintPrecision.cpp - Print what runs in which precision ------------===//

#include "mpt/Transforms/Passes.h"

#include "mpt/Analysis/PrecisionSummary.h"

namespace mpt {
#define GEN_PASS_DEF_PRINTPRECISIONPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;

namespace {
struct PrintPrecisionPass
    : mpt::impl::PrintPrecisionPassBase<PrintPrecisionPass> {
  using Base::Base;
  void runOnOperation() override {
    markAllAnalysesPreserved();
    // In one piece: functions are printed from several threads.
    std::string text;
    llvm::raw_string_ostream os(text);
    printPrecision(getOperation(), os, details);
    llvm::outs() << text;
  }
};
} // namespace
