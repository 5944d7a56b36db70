//===- Pooling.cpp - Derivatives of pooling -------------------------------===//

#include "GradientRules.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

LogicalResult MaxPoolOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                       ArrayRef<bool> wanted,
                                       SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  if (wanted[0] && grads[0])
    operandGrads[0] = MaxPoolGradOp::create(
        builder, getLoc(), getInput().getType(), grads[0], getTaps(),
        getKernel(), getStrides(), getPads(), getDilations());
  return success();
}

LogicalResult AvgPoolOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                       ArrayRef<bool> wanted,
                                       SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  if (wanted[0] && grads[0])
    operandGrads[0] = AvgPoolGradOp::create(
        builder, getLoc(), getInput().getType(), grads[0], getKernel(),
        getStrides(), getPads(), getDilations(), getCountIncludePad());
  return success();
}
