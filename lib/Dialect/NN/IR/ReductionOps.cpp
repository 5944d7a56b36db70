//===- ReductionOps.cpp - Reductions --------------------------------------===//

#include "Common.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

/// (C1) to (C3); `widens`: 16-bit terms may give an f32 result.
static LogicalResult verifyReduce(Operation *op, Value input,
                                  ArrayRef<int64_t> axes, bool keepdims,
                                  Value result, bool widens) {
  auto shape = shapeOf(input);
  int64_t last = -1;
  for (int64_t axis : axes) {
    if (axis <= last || axis >= static_cast<int64_t>(shape.size()))
      return op->emitOpError()
             << "(C1) axes should ascend within [0, " << shape.size() << ")";
    last = axis;
  }
  if (failed(verifyResultShape(op, "C2", getReducedShape(shape, axes, keepdims),
                               result)))
    return failure();
  return widens && isa<FloatType>(getElementTypeOrSelf(input))
             ? verifyContractionTypes(op, "C3", input, result)
             : verifySameElementType(op, "C3", {input, result});
}

static RankedTensorType reducedType(Value input, ArrayRef<int64_t> axes,
                                    bool keepdims) {
  return RankedTensorType::get(getReducedShape(shapeOf(input), axes, keepdims),
                               getElementTypeOrSelf(input));
}

#define MPT_REDUCTION(OP, WIDENS)                                              \
  LogicalResult OP::verify() {                                                 \
    return verifyReduce(*this, getInput(), getAxes(), getKeepdims(),           \
                        getResult(), WIDENS);                                  \
  }                                                                            \
  void OP::build(OpBuilder &builder, OperationState &state, Value input,       \
                 ArrayRef<int64_t> axes, bool keepdims) {                      \
    build(builder, state, reducedType(input, axes, keepdims), input, axes,     \
          keepdims);                                                           \
  }
MPT_REDUCTION(ReduceSumOp, true)
MPT_REDUCTION(ReduceMeanOp, true)
MPT_REDUCTION(ReduceMaxOp, false)
MPT_REDUCTION(ReduceMinOp, false)
MPT_REDUCTION(ReduceProdOp, false)
#undef MPT_REDUCTION

static LogicalResult verifyArg(Operation *op, Value input, int64_t axis,
                               bool keepdims, Value result) {
  if (failed(verifyAxis(op, "C1", axis, shapeOf(input).size())))
    return failure();
  return verifyResultShape(
      op, "C2", getReducedShape(shapeOf(input), axis, keepdims), result);
}
LogicalResult ArgMaxOp::verify() {
  return verifyArg(*this, getInput(), getAxis(), getKeepdims(), getResult());
}
LogicalResult ArgMinOp::verify() {
  return verifyArg(*this, getInput(), getAxis(), getKeepdims(), getResult());
}
LogicalResult CumSumOp::verify() {
  return verifyAxis(*this, "C1", getAxis(), shapeOf(getInput()).size());
}

void NNDialect::registerReductionOps() {
  addOperations<
#define GET_OP_LIST
#include "mpt/Dialect/NN/IR/NNReductionOps.cpp.inc"
      >();
}

#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNReductionOps.cpp.inc"
