//===- Reduction.cpp - Derivatives of reductions --------------------------===//

#include "GradientRules.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

/// A reduced value with its reduced axes back, at extent 1, so that it
/// broadcasts against the operand.
static Value restoreAxes(OpBuilder &builder, Location loc, Value reduced,
                         Value input, ArrayRef<int64_t> axes) {
  auto type = RankedTensorType::get(getReducedShape(shapeOf(input), axes, true),
                                    getElementTypeOrSelf(reduced));
  return ReshapeOp::create(builder, loc, type, reduced);
}

static Value expandLike(OpBuilder &builder, Location loc, Value value,
                        Value like) {
  return ExpandOp::create(builder, loc, like.getType(),
                          castLike(builder, loc, value, like));
}

static int64_t countTerms(Value input, ArrayRef<int64_t> axes) {
  int64_t count = 1;
  for (int64_t axis : axes)
    count *= shapeOf(input)[axis];
  return count;
}

LogicalResult ReduceSumOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                         ArrayRef<bool> wanted,
                                         SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  if (wanted[0] && grads[0])
    operandGrads[0] = expandLike(
        builder, getLoc(),
        restoreAxes(builder, getLoc(), grads[0], getInput(), getAxes()),
        getInput());
  return success();
}

LogicalResult
ReduceMeanOp::buildGradient(OpBuilder &builder, ValueRange grads,
                            ArrayRef<bool> wanted,
                            SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  if (!wanted[0] || !grads[0])
    return success();
  Location loc = getLoc();
  Value count =
      scalarLike(builder, loc, grads[0],
                 static_cast<double>(countTerms(getInput(), getAxes())));
  Value share = DivOp::create(builder, loc, grads[0], count);
  operandGrads[0] = expandLike(
      builder, loc, restoreAxes(builder, loc, share, getInput(), getAxes()),
      getInput());
  return success();
}

/// The gradient of an extremum goes to the elements that are equal to it, in
/// equal shares (PyTorch's amax and amin).
static Value extremumGradient(OpBuilder &builder, Location loc, Value dy,
                              Value input, Value extremum,
                              ArrayRef<int64_t> axes) {
  Value restored = restoreAxes(builder, loc, extremum, input, axes);
  Value hit =
      CompareOp::create(builder, loc, input, restored, ComparePredicate::EQ);
  auto accumulator = RankedTensorType::get(
      shapeOf(input), getAccumulatorElementType(input.getType()));
  Value ones = CastOp::create(builder, loc, accumulator, hit);
  Value count =
      ReduceSumOp::create(builder, loc, ones, axes, /*keepdims=*/true);
  Value gradient =
      castLike(builder, loc, restoreAxes(builder, loc, dy, input, axes), count);
  Value share = castLike(builder, loc,
                         DivOp::create(builder, loc, gradient, count), input);
  return WhereOp::create(builder, loc, hit, share,
                         scalarLike(builder, loc, input, 0));
}

template <typename OpTy>
static void extremumGradient(OpTy op, OpBuilder &builder, ValueRange grads,
                             ArrayRef<bool> wanted,
                             SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  if (wanted[0] && grads[0])
    operandGrads[0] =
        extremumGradient(builder, op.getLoc(), grads[0], op.getInput(),
                         op.getResult(), op.getAxes());
}

LogicalResult ReduceMaxOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                         ArrayRef<bool> wanted,
                                         SmallVectorImpl<Value> &operandGrads) {
  extremumGradient(*this, builder, grads, wanted, operandGrads);
  return success();
}

LogicalResult ReduceMinOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                         ArrayRef<bool> wanted,
                                         SmallVectorImpl<Value> &operandGrads) {
  extremumGradient(*this, builder, grads, wanted, operandGrads);
  return success();
}

// prod / x is wrong where x is 0. With n zeros in the product: n = 0, y / x;
// n = 1, the product of the others for the zero itself and 0 for the rest;
// n > 1, 0. The product of the others is a second product with ones for zeros.
LogicalResult
ReduceProdOp::buildGradient(OpBuilder &builder, ValueRange grads,
                            ArrayRef<bool> wanted,
                            SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  if (!wanted[0] || !grads[0])
    return success();
  Location loc = getLoc();
  Value x = getInput();
  Value zero = scalarLike(builder, loc, x, 0),
        one = scalarLike(builder, loc, x, 1);
  Value isZero = CompareOp::create(builder, loc, x, zero, ComparePredicate::EQ);
  Value safe = WhereOp::create(builder, loc, isZero, one, x);
  Value others =
      ReduceProdOp::create(builder, loc, safe, getAxes(), /*keepdims=*/true);
  Value zeros = ReduceSumOp::create(
      builder, loc, WhereOp::create(builder, loc, isZero, one, zero), getAxes(),
      /*keepdims=*/true);
  Value none =
      CompareOp::create(builder, loc, zeros, zero, ComparePredicate::EQ);
  Value single =
      CompareOp::create(builder, loc, zeros, one, ComparePredicate::EQ);
  Value atZero = WhereOp::create(builder, loc, single, others, zero);
  Value elsewhere = WhereOp::create(
      builder, loc, none, DivOp::create(builder, loc, others, safe), zero);
  Value slope = WhereOp::create(builder, loc, isZero, atZero, elsewhere);
  Value dy = restoreAxes(builder, loc, grads[0], x, getAxes());
  operandGrads[0] =
      MulOp::create(builder, loc, castLike(builder, loc, dy, x), slope);
  return success();
}

LogicalResult CumSumOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                      ArrayRef<bool> wanted,
                                      SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  // Each element is in every later sum: the running sum from the other end.
  if (wanted[0] && grads[0])
    operandGrads[0] =
        CumSumOp::create(builder, getLoc(), getType(), grads[0], getAxis(),
                         getExclusive(), !getReverse());
  return success();
}
