//===- Shape.cpp - Derivatives of shape and indexing operations -----------===//

#include "GradientRules.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

/// A rule with one operand that has a gradient, from dy.
#define MPT_SHAPE_RULE(OP, BODY)                                               \
  LogicalResult OP::buildGradient(OpBuilder &builder, ValueRange grads,        \
                                  ArrayRef<bool> wanted,                       \
                                  SmallVectorImpl<Value> &operandGrads) {      \
    operandGrads.assign(this->getOperation()->getNumOperands(), Value());      \
    Value dy = grads[0];                                                       \
    if (wanted[0] && dy)                                                       \
      operandGrads[0] = BODY;                                                  \
    return success();                                                          \
  }

static SmallVector<int64_t> invert(ArrayRef<int64_t> permutation) {
  SmallVector<int64_t> inverse(permutation.size());
  for (auto [i, axis] : llvm::enumerate(permutation))
    inverse[axis] = i;
  return inverse;
}

MPT_SHAPE_RULE(ReshapeOp,
               ReshapeOp::create(builder, getLoc(), getInput().getType(), dy))
MPT_SHAPE_RULE(TransposeOp, TransposeOp::create(builder, getLoc(), dy,
                                                invert(getPermutation())))
// Summed down to the operand's shape by the walker.
MPT_SHAPE_RULE(ExpandOp, dy)
MPT_SHAPE_RULE(SliceOp,
               SliceGradOp::create(builder, getLoc(), getInput().getType(), dy,
                                   getStarts(), getSteps()))
MPT_SHAPE_RULE(SliceGradOp,
               SliceOp::create(builder, getLoc(), getDy().getType(), dy,
                               getStarts(), getSteps()))
MPT_SHAPE_RULE(PadOp, PadGradOp::create(builder, getLoc(), getInput().getType(),
                                        dy, getLow(), getHigh(), getMode()))

// Rows that are gathered often collect many terms: the sum is FP32 and goes
// back to the data's type afterwards.
static RankedTensorType sumType(Value data) {
  return RankedTensorType::get(shapeOf(data),
                               getAccumulatorElementType(data.getType()));
}
MPT_SHAPE_RULE(GatherOp, castLike(builder, getLoc(),
                                  GatherGradOp::create(builder, getLoc(),
                                                       sumType(getData()), dy,
                                                       getIndices(), getAxis()),
                                  getData()))
MPT_SHAPE_RULE(GatherElementsOp,
               castLike(builder, getLoc(),
                        GatherElementsGradOp::create(builder, getLoc(),
                                                     sumType(getData()), dy,
                                                     getIndices(), getAxis()),
                        getData()))
MPT_SHAPE_RULE(GatherNDOp,
               castLike(builder, getLoc(),
                        GatherNDGradOp::create(builder, getLoc(),
                                               sumType(getData()), dy,
                                               getIndices(), getBatchDims()),
                        getData()))
// Scattered sums are linear: the gradient is what a gather reads.
MPT_SHAPE_RULE(GatherElementsGradOp,
               GatherElementsOp::create(builder, getLoc(), getDy().getType(),
                                        castLike(builder, getLoc(), dy,
                                                 getDy()),
                                        getIndices(), getAxis()))
MPT_SHAPE_RULE(GatherNDGradOp,
               GatherNDOp::create(builder, getLoc(), getDy().getType(),
                                  castLike(builder, getLoc(), dy, getDy()),
                                  getIndices(), getBatchDims()))
MPT_SHAPE_RULE(TopKOp,
               castLike(builder, getLoc(),
                        GatherElementsGradOp::create(builder, getLoc(),
                                                     sumType(getData()), dy,
                                                     getIndices(), getAxis()),
                        getData()))
#undef MPT_SHAPE_RULE

LogicalResult ConcatOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                      ArrayRef<bool> wanted,
                                      SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getNumOperands(), Value());
  if (!grads[0])
    return success();
  auto parts = SplitOp::create(builder, getLoc(), getInputs().getTypes(),
                               grads[0], getAxis());
  for (auto [i, part] : llvm::enumerate(parts.getParts()))
    if (wanted[i])
      operandGrads[i] = part;
  return success();
}

LogicalResult SplitOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                     ArrayRef<bool> wanted,
                                     SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  if (!wanted[0] || llvm::none_of(grads, [](Value grad) { return !!grad; }))
    return success();
  SmallVector<Value> parts;
  for (auto [part, grad] : llvm::zip(getParts(), grads)) {
    auto type = tensorOf(part);
    parts.push_back(grad ? grad : createSplat(builder, getLoc(), type, 0));
  }
  operandGrads[0] = ConcatOp::create(builder, getLoc(), parts, getAxis());
  return success();
}
