//===- Normalization.cpp - Derivatives of normalization and softmax -------===//

#include "GradientRules.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

/// Sends the gradients of (x, scale, bias) to the operands that want them.
static void assignNormGradients(ValueRange gradients, ArrayRef<bool> wanted,
                                SmallVectorImpl<Value> &operandGrads) {
  for (auto [i, gradient] : llvm::enumerate(gradients))
    if (i < wanted.size() && wanted[i])
      operandGrads[i] = gradient;
}

/// Statistics are results for the operation's own derivative and for the
/// running averages; nothing flows back through them.
static LogicalResult rejectStatistics(Operation *op, ValueRange grads) {
  for (Value grad : grads.drop_front())
    if (grad)
      return missingDerivative(
          op, "the statistics it returns",
          "compute them with reductions where the loss needs them");
  return success();
}

// With fixed statistics the normalization is linear in x, per channel:
// y = x a + (bias - mean a) with a = scale / sqrt(variance + epsilon).
LogicalResult
BatchNormInferenceOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    ArrayRef<bool> wanted,
                                    SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(5, Value());
  if (!grads[0])
    return success();
  Location loc = getLoc();
  int64_t rank = shapeOf(getInput()).size(), channels = shapeOf(getInput())[1];
  SmallVector<int64_t> perChannel(rank, 1), axes;
  perChannel[1] = channels;
  for (int64_t i = 0; i < rank; ++i)
    if (i != 1)
      axes.push_back(i);
  auto vectorType = tensorOf(getScale());
  auto columnType =
      RankedTensorType::get(perChannel, vectorType.getElementType());
  auto column = [&](Value vector) -> Value {
    return ReshapeOp::create(builder, loc, columnType, vector);
  };
  auto sum = [&](Value value) -> Value {
    return ReduceSumOp::create(builder, loc, value, axes, /*keepdims=*/false);
  };
  Value variance = AddOp::create(
      builder, loc, getVariance(),
      scalarLike(builder, loc, getVariance(), getEpsilon().convertToDouble()));
  Value deviation = SqrtOp::create(builder, loc, variance.getType(), variance);
  Value slope = DivOp::create(builder, loc, getScale(), deviation);
  Value dy = castLike(builder, loc, grads[0], getScale());
  if (wanted[0])
    operandGrads[0] =
        castLike(builder, loc, MulOp::create(builder, loc, dy, column(slope)),
                 getInput());
  Value dbias = sum(dy);
  if (wanted[2])
    operandGrads[2] = dbias;
  if (wanted[3])
    operandGrads[3] = NegOp::create(builder, loc, vectorType,
                                    MulOp::create(builder, loc, dbias, slope));
  if (!wanted[1] && !wanted[4])
    return success();
  Value x = castLike(builder, loc, getInput(), getScale());
  Value centered = SubOp::create(builder, loc, x, column(getMean()));
  Value moment = sum(MulOp::create(builder, loc, dy, centered));
  if (wanted[1])
    operandGrads[1] = DivOp::create(builder, loc, moment, deviation);
  if (wanted[4]) {
    // d/dv scale (v + eps)^(-1/2) = -1/2 scale (v + eps)^(-3/2)
    Value factor = DivOp::create(builder, loc, slope, variance);
    Value half = scalarLike(builder, loc, factor, -0.5);
    operandGrads[4] = MulOp::create(builder, loc, moment,
                                    MulOp::create(builder, loc, half, factor));
  }
  return success();
}

LogicalResult
BatchNormTrainingOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   ArrayRef<bool> wanted,
                                   SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(5, Value());
  if (failed(rejectStatistics(*this, grads)))
    return failure();
  if (!grads[0])
    return success();
  // The running statistics are state: no gradient goes through them.
  auto gradient =
      BatchNormGradOp::create(builder, getLoc(), grads[0], getInput(),
                              getScale(), getSavedMean(), getSavedRstd());
  assignNormGradients(gradient.getResults(), wanted, operandGrads);
  return success();
}

LogicalResult LayerNormOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                         ArrayRef<bool> wanted,
                                         SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getNumOperands(), Value());
  if (failed(rejectStatistics(*this, grads)))
    return failure();
  if (!grads[0])
    return success();
  auto gradient =
      LayerNormGradOp::create(builder, getLoc(), grads[0], getInput(),
                              getScale(), getMean(), getRstd(), getAxis());
  assignNormGradients(gradient.getResults(), wanted, operandGrads);
  return success();
}

LogicalResult RMSNormOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                       ArrayRef<bool> wanted,
                                       SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(2, Value());
  if (failed(rejectStatistics(*this, grads)))
    return failure();
  if (!grads[0])
    return success();
  auto gradient = RMSNormGradOp::create(builder, getLoc(), grads[0], getInput(),
                                        getScale(), getRstd(), getAxis());
  assignNormGradients(gradient.getResults(), wanted, operandGrads);
  return success();
}

LogicalResult GroupNormOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                         ArrayRef<bool> wanted,
                                         SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(3, Value());
  if (failed(rejectStatistics(*this, grads)))
    return failure();
  if (!grads[0])
    return success();
  auto gradient =
      GroupNormGradOp::create(builder, getLoc(), grads[0], getInput(),
                              getScale(), getMean(), getRstd(), getNumGroups());
  assignNormGradients(gradient.getResults(), wanted, operandGrads);
  return success();
}

/// Whether `value` is a splat of zeros.
static bool isZero(Value value) {
  DenseElementsAttr elements;
  return matchPattern(value, m_Constant(&elements)) && elements.isSplat() &&
         isa<FloatType>(elements.getElementType()) &&
         elements.getSplatValue<APFloat>().isZero();
}

/// `where(isnan(y), 0, y)` among the readers of the softmax y: exporters write
/// attention so, for rows that are masked completely.
static WhereOp findGuard(SoftmaxOp softmax) {
  Value y = softmax.getResult();
  for (Operation *user : y.getUsers()) {
    auto guard = dyn_cast<WhereOp>(user);
    auto test =
        guard ? guard.getCondition().getDefiningOp<IsNaNOp>() : IsNaNOp();
    if (test && test.getInput() == y && guard.getY() == y &&
        guard.getType() == y.getType() && isZero(guard.getX()))
      return guard;
  }
  return {};
}

// The derivative reads y. Where the model puts zeros for rows of NaN, it reads
// what the model goes on with: equal in the other rows, a gradient of 0 instead
// of NaN in those, and neither y nor the mask need be kept.
LogicalResult SoftmaxOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                       ArrayRef<bool> wanted,
                                       SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  if (!wanted[0] || !grads[0])
    return success();
  Value y = getResult(), dy = grads[0];
  if (WhereOp guard = findGuard(*this)) {
    y = guard.getResult();
    // A row of zeros has the gradient 0 whatever arrives.
    auto masked = dy.getDefiningOp<WhereOp>();
    if (masked && masked.getCondition() == guard.getCondition() &&
        isZero(masked.getX()) && masked.getType() == dy.getType())
      dy = masked.getY();
  }
  operandGrads[0] =
      SoftmaxGradOp::create(builder, getLoc(), getType(), dy, y, getAxis());
  return success();
}

LogicalResult
LogSoftmaxOp::buildGradient(OpBuilder &builder, ValueRange grads,
                            ArrayRef<bool> wanted,
                            SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  if (wanted[0] && grads[0])
    operandGrads[0] = LogSoftmaxGradOp::create(
        builder, getLoc(), getType(), grads[0], getResult(), getAxis());
  return success();
}
