//===- ExplainPrecision.cpp - Write down why what runs in which precision -===//

#include "mpt/Transforms/Passes.h"

#include "mpt/Analysis/CarriedValues.h"
#include "mpt/Analysis/PrecisionExplanation.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/ToolOutputFile.h"

namespace mpt {
#define GEN_PASS_DEF_EXPLAINPRECISIONPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;

namespace {
struct ExplainPrecisionPass
    : mpt::impl::ExplainPrecisionPassBase<ExplainPrecisionPass> {
  using Base::Base;
  void runOnOperation() override;
};
} // namespace

static bool isDecided(FunctionOpInterface function) {
  return function
      ->walk([](Operation *op) {
        return op->hasAttr(mp::MPDialect::kDecisionAttrName) ||
                       op->hasAttr(kCarriedAttrName)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

void ExplainPrecisionPass::runOnOperation() {
  markAllAnalysesPreserved();
  StringRef file = output;
  auto write = file.ends_with(".json")                 ? writeJSON
               : file.ends_with(".html")               ? writeHTML
               : file.ends_with(".txt") || file == "-" ? writeText
                                                       : nullptr;
  if (!write) {
    getOperation().emitError("mpt-explain-precision: the output '")
        << output << "' should end in .json, .html or .txt";
    return signalPassFailure();
  }
  std::vector<PrecisionExplanation> explanations;
  for (auto function : getOperation().getOps<FunctionOpInterface>())
    if (!function.isExternal() && isDecided(function))
      explanations.push_back(explainPrecision(function));
  std::error_code problem;
  llvm::ToolOutputFile stream(file, problem, llvm::sys::fs::OF_Text);
  if (!problem) {
    write(explanations, stream.os());
    stream.os().flush();
    problem = stream.os().error();
    stream.os().clear_error();
  }
  if (problem) {
    getOperation().emitError("mpt-explain-precision: cannot write '")
        << output << "': " << problem.message();
    return signalPassFailure();
  }
  stream.keep();
}
