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
  // On the module, not on each function: what it prints then has one order.
  void runOnOperation() override {
    markAllAnalysesPreserved();
    for (auto function : getOperation().getOps<func::FuncOp>())
      printPrecision(function, llvm::outs(), details);
  }
};
} // namespace
