//===- Contraction.cpp - Derivatives of products and convolutions ---------===//

#include "GradientRules.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

/// `[..., R, C]` as `[rows, C]`.
static Value flattenRows(OpBuilder &builder, Location loc, Value matrix) {
  auto type = tensorOf(matrix);
  int64_t rows = 1;
  for (int64_t extent : type.getShape().drop_back())
    rows *= extent;
  return ReshapeOp::create(builder, loc,
                           RankedTensorType::get({rows, type.getShape().back()},
                                                 type.getElementType()),
                           matrix);
}

LogicalResult MatMulOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                      ArrayRef<bool> wanted,
                                      SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(2, Value());
  if (!grads[0])
    return success();
  Value lhs = getLhs(), rhs = getRhs();
  Value dy = castLike(builder, getLoc(), grads[0], lhs);
  bool tl = getTransposeLhs(), tr = getTransposeRhs();
  // With C = A B: dA = dC B^T, dB = A^T dC; a stored transpose takes the
  // transposed product. Broadcast leading axes are summed by the walker.
  auto product = [&](Value x, Value y, bool tx, bool ty) -> Value {
    return MatMulOp::create(builder, getLoc(), x, y, tx, ty);
  };
  if (wanted[0])
    operandGrads[0] =
        tl ? product(rhs, dy, tr, true) : product(dy, rhs, false, !tr);
  if (wanted[1]) {
    // A matrix shared by all batches: one long product instead of one per
    // batch and a sum over them.
    if (shapeOf(rhs).size() == 2 && shapeOf(lhs).size() > 2 && !tl &&
        tensorOf(lhs).hasStaticShape() && tensorOf(dy).hasStaticShape()) {
      lhs = flattenRows(builder, getLoc(), lhs);
      dy = flattenRows(builder, getLoc(), dy);
    }
    operandGrads[1] =
        tr ? product(dy, lhs, true, tl) : product(lhs, dy, !tl, false);
  }
  return success();
}

LogicalResult ConvOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    ArrayRef<bool> wanted,
                                    SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getNumOperands(), Value());
  if (!grads[0])
    return success();
  Value dy = castLike(builder, getLoc(), grads[0], getInput());
  if (wanted[0])
    operandGrads[0] = ConvTransposeOp::create(
        builder, getLoc(), getInput().getType(), dy, getFilter(), getStrides(),
        getPads(), getDilations(), getGroup());
  if (wanted[1])
    operandGrads[1] = ConvFilterGradOp::create(
        builder, getLoc(), getFilter().getType(), getInput(), dy, getStrides(),
        getPads(), getDilations(), getGroup());
  if (getBias() && wanted[2]) {
    SmallVector<int64_t> axes = {0};
    for (int64_t i = 2, rank = shapeOf(dy).size(); i < rank; ++i)
      axes.push_back(i);
    operandGrads[2] =
        ReduceSumOp::create(builder, getLoc(), dy, axes, /*keepdims=*/false);
  }
  return success();
}

// conv_transpose is linear in its input by the transpose of a convolution, so
// its own derivatives are that convolution and the filter gradient with the
// roles of input and output exchanged.
LogicalResult
ConvTransposeOp::buildGradient(OpBuilder &builder, ValueRange grads,
                               ArrayRef<bool> wanted,
                               SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(2, Value());
  if (!grads[0])
    return success();
  Value dy = castLike(builder, getLoc(), grads[0], getInput());
  if (wanted[0])
    operandGrads[0] = ConvOp::create(builder, getLoc(), getInput().getType(),
                                     dy, getFilter(), Value(), getStrides(),
                                     getPads(), getDilations(), getGroup());
  if (wanted[1])
    operandGrads[1] = ConvFilterGradOp::create(
        builder, getLoc(), getFilter().getType(), dy, getInput(), getStrides(),
        getPads(), getDilations(), getGroup());
  return success();
}

LogicalResult
ConvFilterGradOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                ArrayRef<bool> wanted,
                                SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(2, Value());
  if (!grads[0])
    return success();
  Value dw = castLike(builder, getLoc(), grads[0], getInput());
  if (wanted[0])
    operandGrads[0] = ConvTransposeOp::create(
        builder, getLoc(), getInput().getType(), getDy(), dw, getStrides(),
        getPads(), getDilations(), getGroup());
  if (wanted[1])
    operandGrads[1] = ConvOp::create(builder, getLoc(), getDy().getType(),
                                     getInput(), dw, Value(), getStrides(),
                                     getPads(), getDilations(), getGroup());
  return success();
}
