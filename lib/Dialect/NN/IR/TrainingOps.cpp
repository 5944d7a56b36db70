//===- TrainingOps.cpp - Losses and optimizers ----------------------------===//

#include "Common.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

LogicalResult SoftmaxCrossEntropyOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &results) {
  Adaptor adaptor(operands, attributes, properties, regions);
  auto logits = tensorOf(operands[0]);
  bool each = adaptor.getReduction() == LossReduction::None;
  results.push_back(
      RankedTensorType::get(each ? shapeOf(operands[1]) : ArrayRef<int64_t>(),
                            logits.getElementType()));
  results.push_back(logits);
  return success();
}

LogicalResult SoftmaxCrossEntropyOp::verify() {
  auto logits = shapeOf(getLogits());
  int64_t axis = getAxis();
  if (failed(verifyAxis(*this, "C1", axis, logits.size())))
    return failure();
  if (failed(verifyCompatibleShape(getReducedShape(logits, axis, false),
                                   shapeOf(getLabels()))))
    return emitOpError() << "(C2) labels of type " << getLabels().getType()
                         << " do not fit logits of type "
                         << getLogits().getType()
                         << " with the classes on axis " << axis;
  if (getWeights() && (shapeOf(getWeights()).size() != 1 ||
                       !compatible(shapeOf(getWeights())[0], logits[axis])))
    return emitOpError() << "(C3) the weights should have shape ["
                         << logits[axis] << "]";
  return success();
}

LogicalResult CTCLossOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &results) {
  Adaptor adaptor(operands, attributes, properties, regions);
  auto logits = tensorOf(operands[0]);
  const bool each = adaptor.getReduction() == LossReduction::None;
  results.push_back(RankedTensorType::get(each ? logits.getShape().take_front()
                                               : ArrayRef<int64_t>(),
                                          logits.getElementType()));
  results.push_back(logits);
  const int64_t labels = shapeOf(operands[1])[1];
  results.push_back(RankedTensorType::get(
      {logits.getDimSize(0), logits.getDimSize(1),
       ShapedType::isDynamic(labels) ? labels : 2 * labels + 1},
      logits.getElementType()));
  return success();
}

LogicalResult CTCLossOp::verify() {
  auto logits = shapeOf(getLogits());
  for (Value other : {getLabels(), getLogitLengths(), getLabelLengths()})
    if (!compatible(shapeOf(other)[0], logits[0]))
      return emitOpError() << "(C1) " << other.getType() << " does not fit "
                           << logits[0] << " samples";
  const auto blank = static_cast<int64_t>(getBlank());
  if (blank < 0 || (!ShapedType::isDynamic(logits[2]) && blank >= logits[2]))
    return emitOpError() << "(C2) blank " << blank << " is not one of "
                         << logits[2] << " classes";
  if (logits[0] == 0 || logits[1] == 0)
    return emitOpError() << "(C3) needs samples and frames, has logits of type "
                         << getLogits().getType();
  return success();
}

static LogicalResult inferPairLoss(ValueRange operands, LossReduction reduction,
                                   SmallVectorImpl<Type> &results) {
  auto type = tensorOf(operands[0]);
  results.push_back(reduction == LossReduction::None
                        ? type
                        : RankedTensorType::get({}, type.getElementType()));
  return success();
}
#define MPT_PAIR_LOSS(OP)                                                      \
  LogicalResult OP::inferReturnTypes(                                          \
      MLIRContext *context, std::optional<Location> location,                  \
      ValueRange operands, DictionaryAttr attributes,                          \
      OpaqueProperties properties, RegionRange regions,                        \
      SmallVectorImpl<Type> &results) {                                        \
    if (operands[0].getType() != operands[1].getType())                        \
      return emitOptionalError(                                                \
          location,                                                            \
          "(C1) prediction and target differ: ", operands[0].getType(),        \
          " and ", operands[1].getType());                                     \
    Adaptor adaptor(operands, attributes, properties, regions);                \
    return inferPairLoss(operands, adaptor.getReduction(), results);           \
  }
MPT_PAIR_LOSS(MSELossOp)
MPT_PAIR_LOSS(L1LossOp)
MPT_PAIR_LOSS(BCEWithLogitsLossOp)
#undef MPT_PAIR_LOSS

//===----------------------------------------------------------------------===//
// Optimizers
//===----------------------------------------------------------------------===//

LogicalResult SGDOp::inferReturnTypes(MLIRContext *,
                                      std::optional<Location> location,
                                      ValueRange operands, DictionaryAttr,
                                      OpaqueProperties, RegionRange,
                                      SmallVectorImpl<Type> &results) {
  if (operands[0].getType() != operands[1].getType() ||
      operands[0].getType() != operands[2].getType())
    return emitOptionalError(
        location, "parameter, gradient and velocity should have one type");
  results.assign({operands[0].getType(), operands[2].getType()});
  return success();
}

LogicalResult AdamOp::inferReturnTypes(MLIRContext *,
                                       std::optional<Location> location,
                                       ValueRange operands, DictionaryAttr,
                                       OpaqueProperties, RegionRange,
                                       SmallVectorImpl<Type> &results) {
  for (unsigned i : {1, 2, 3})
    if (operands[0].getType() != operands[i].getType())
      return emitOptionalError(
          location, "parameter, gradient and moments should have one type");
  results.assign(
      {operands[0].getType(), operands[2].getType(), operands[3].getType()});
  return success();
}

void NNDialect::registerTrainingOps() {
  addOperations<
#define GET_OP_LIST
#include "mpt/Dialect/NN/IR/NNTrainingOps.cpp.inc"
      >();
}

#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNTrainingOps.cpp.inc"
