//===- InferenceMode.cpp - The evaluation function ------------------------===//

#include "mpt/Transforms/Passes.h"

#include "StepFunction.h"
#include "mlir/IR/SymbolTable.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

namespace mpt {
#define GEN_PASS_DEF_INFERENCEMODEPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;

static LogicalResult convert(nn::BatchNormTrainingOp op) {
  for (Value saved : {op.getSavedMean(), op.getSavedRstd()})
    if (!saved.use_empty())
      return op.emitOpError("has users of its batch statistics; inference mode "
                            "has none");
  OpBuilder builder(op);
  Value result = nn::BatchNormInferenceOp::create(
      builder, op.getLoc(), op.getInput(), op.getScale(), op.getBias(),
      op.getRunningMean(), op.getRunningVariance(), op.getEpsilonAttr());
  op.getResult().replaceAllUsesWith(result);
  op.getNewMean().replaceAllUsesWith(op.getRunningMean());
  op.getNewVariance().replaceAllUsesWith(op.getRunningVariance());
  op.erase();
  return success();
}

static LogicalResult convert(nn::DropoutOp op) {
  op.getResult().replaceAllUsesWith(op.getInput());
  if (!op.getMask().use_empty()) {
    OpBuilder builder(op);
    op.getMask().replaceAllUsesWith(
        nn::createSplat(builder, op.getLoc(),
                        cast<RankedTensorType>(op.getMask().getType()), 1.0));
  }
  op.erase();
  return success();
}

static LogicalResult convertBody(func::FuncOp function) {
  for (Operation &op : llvm::make_early_inc_range(function.getBody().front())) {
    LogicalResult result = success();
    if (auto norm = dyn_cast<nn::BatchNormTrainingOp>(op))
      result = convert(norm);
    else if (auto dropout = dyn_cast<nn::DropoutOp>(op))
      result = convert(dropout);
    if (failed(result))
      return failure();
  }
  return success();
}

namespace {

struct InferenceModePass : mpt::impl::InferenceModePassBase<InferenceModePass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<func::FuncOp> functions;
    if (failed(collectFunctions(getOperation(), mp::Role::Output, functions)))
      return signalPassFailure();
    SymbolTable symbols(getOperation());
    for (func::FuncOp function : functions) {
      // A step's gradients were built for training mode.
      bool isStep = false;
      for (unsigned i = 0; i < function.getNumResults(); ++i) {
        auto role = mp::getResultRole(function, i);
        isStep |=
            role == mp::Role::Gradient || (role && mp::isStateRole(*role));
      }
      if (isStep || symbols.lookup("eval"))
        continue;
      auto clone = cast<func::FuncOp>(function->clone());
      clone.setName("eval");
      clone->setAttr(kEvaluationAttrName, UnitAttr::get(&getContext()));
      symbols.insert(clone, std::next(function->getIterator()));
      if (failed(convertBody(clone)))
        return signalPassFailure();
    }
  }
};

} // namespace
