//===- Pipelines.cpp - Passes in their order
//-------------------------------===//

#include "mpt/Pipelines/Pipelines.h"

#include "mpt/Transforms/Passes.h"

using namespace mlir;
using namespace mpt;

void mpt::addPrecisionPhase(OpPassManager &manager,
                            const MixedPrecisionOptions &options) {
  AssignPrecisionPassOptions assign;
  assign.low = options.low;
  assign.keepIO = options.keepIO;
  llvm::append_range(assign.fp32Ops, options.fp32Ops);
  llvm::append_range(assign.lowOps, options.lowOps);
  InsertCastsPassOptions insert;
  insert.widenResults = options.widenResults;
  OpPassManager &functions = manager.nest<func::FuncOp>();
  functions.addPass(createAssignPrecisionPass(assign));
  functions.addPass(createInsertCastsPass(insert));
}

void mpt::buildMixedPrecisionPipeline(OpPassManager &manager,
                                      const MixedPrecisionOptions &options) {
  addPrecisionPhase(manager, options);
}

void mpt::registerPipelines() {
  PassPipelineRegistration<MixedPrecisionOptions>(
      "mpt-mixed-precision",
      "Decide the precision of every operation of every function and insert "
      "the casts",
      buildMixedPrecisionPipeline);
}
