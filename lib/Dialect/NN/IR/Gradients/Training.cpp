//===- Training.cpp - Derivatives of losses -------------------------------===//

#include "GradientRules.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

LogicalResult
SoftmaxCrossEntropyOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                     ArrayRef<bool> wanted,
                                     SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getNumOperands(), Value());
  if (getWeights() && wanted[2])
    return missingDerivative(*this, "its class weights", "freeze them");
  if (!wanted[0])
    return success();
  if (grads[0])
    operandGrads[0] = SoftmaxCrossEntropyGradOp::create(
        builder, getLoc(), getLogits().getType(), grads[0], getLogProb(),
        getLabels(), getWeights(), getAxisAttr(), getIgnoreIndexAttr(),
        getReductionAttr());
  // The log-probabilities may be a result of the model, too.
  if (grads[1]) {
    Value through =
        LogSoftmaxGradOp::create(builder, getLoc(), getLogits().getType(),
                                 grads[1], getLogProb(), getAxis());
    operandGrads[0] =
        operandGrads[0]
            ? Value(AddOp::create(builder, getLoc(), operandGrads[0], through))
            : through;
  }
  return success();
}

LogicalResult CTCLossOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                       ArrayRef<bool> wanted,
                                       SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getNumOperands(), Value());
  if (!wanted[0])
    return success();
  if (grads[2])
    return missingDerivative(*this, "its forward variables",
                             "use its loss or its log-probabilities");
  if (grads[0])
    operandGrads[0] = CTCLossGradOp::create(
        builder, getLoc(), getLogits().getType(), grads[0], getLogProb(),
        getLogAlpha(), getLabels(), getLogitLengths(), getLabelLengths(),
        getBlank(), getReduction(), getZeroInfinity());
  if (grads[1]) {
    Value through =
        LogSoftmaxGradOp::create(builder, getLoc(), getLogits().getType(),
                                 grads[1], getLogProb(), /*axis=*/2);
    operandGrads[0] =
        operandGrads[0]
            ? Value(AddOp::create(builder, getLoc(), operandGrads[0], through))
            : through;
  }
  return success();
}

/// A rule of a loss of two tensors; TARGET is the gradient of the second.
#define MPT_PAIR_LOSS_RULE(OP, GRAD, TARGET)                                   \
  LogicalResult OP::buildGradient(OpBuilder &builder, ValueRange grads,        \
                                  ArrayRef<bool> wanted,                       \
                                  SmallVectorImpl<Value> &operandGrads) {      \
    operandGrads.assign(2, Value());                                           \
    if (!grads[0])                                                             \
      return success();                                                        \
    Type type = getPrediction().getType();                                     \
    if (wanted[0])                                                             \
      operandGrads[0] =                                                        \
          GRAD::create(builder, getLoc(), type, grads[0], getPrediction(),     \
                       getTarget(), getReductionAttr());                       \
    if (wanted[1])                                                             \
      operandGrads[1] = TARGET;                                                \
    return success();                                                          \
  }
MPT_PAIR_LOSS_RULE(MSELossOp, MSELossGradOp,
                   MSELossGradOp::create(builder, getLoc(), type, grads[0],
                                         getTarget(), getPrediction(),
                                         getReductionAttr()))
MPT_PAIR_LOSS_RULE(L1LossOp, L1LossGradOp,
                   L1LossGradOp::create(builder, getLoc(), type, grads[0],
                                        getTarget(), getPrediction(),
                                        getReductionAttr()))

/// d/dt (max(x, 0) - x t + ...) = -x, shared among the elements of a mean.
static Value bceTargetGradient(OpBuilder &builder, BCEWithLogitsLossOp op,
                               Value dloss) {
  Location loc = op.getLoc();
  Value x = op.getPrediction();
  Value gradient = MulOp::create(builder, loc, dloss,
                                 NegOp::create(builder, loc, x.getType(), x));
  if (op.getReduction() != LossReduction::Mean)
    return gradient;
  double count = static_cast<double>(tensorOf(x).getNumElements());
  return DivOp::create(builder, loc, gradient,
                       scalarLike(builder, loc, x, count));
}
MPT_PAIR_LOSS_RULE(BCEWithLogitsLossOp, BCEWithLogitsLossGradOp,
                   bceTargetGradient(builder, *this, grads[0]))
#undef MPT_PAIR_LOSS_RULE
