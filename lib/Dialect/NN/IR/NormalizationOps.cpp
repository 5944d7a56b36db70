//===- NormalizationOps.cpp - Normalization and softmax -------------------===//

#include "Common.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

//===----------------------------------------------------------------------===//
// Type inference. Statistics have the type of the scale (f32, or f64 with f64
// data).
//===----------------------------------------------------------------------===//

/// The operand's shape with extent 1 from `axis` on.
static SmallVector<int64_t> rowShape(ArrayRef<int64_t> shape, int64_t axis) {
  SmallVector<int64_t> result(shape);
  for (int64_t i = std::max<int64_t>(axis, 0), rank = shape.size(); i < rank;
       ++i)
    result[i] = 1;
  return result;
}

LogicalResult BatchNormInferenceOp::inferReturnTypes(
    MLIRContext *, std::optional<Location>, ValueRange operands, DictionaryAttr,
    OpaqueProperties, RegionRange, SmallVectorImpl<Type> &results) {
  results.push_back(operands[0].getType());
  return success();
}

LogicalResult BatchNormTrainingOp::inferReturnTypes(
    MLIRContext *, std::optional<Location>, ValueRange operands, DictionaryAttr,
    OpaqueProperties, RegionRange, SmallVectorImpl<Type> &results) {
  results.push_back(operands[0].getType());
  for (Value statistic : {operands[3], operands[4], operands[1], operands[1]})
    results.push_back(statistic.getType());
  return success();
}

LogicalResult BatchNormGradOp::inferReturnTypes(
    MLIRContext *, std::optional<Location>, ValueRange operands, DictionaryAttr,
    OpaqueProperties, RegionRange, SmallVectorImpl<Type> &results) {
  results.assign(
      {operands[1].getType(), operands[2].getType(), operands[2].getType()});
  return success();
}

LogicalResult LayerNormOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &results) {
  Adaptor adaptor(operands, attributes, properties, regions);
  auto statistic =
      RankedTensorType::get(rowShape(shapeOf(operands[0]), adaptor.getAxis()),
                            getElementTypeOrSelf(operands[1]));
  results.assign({operands[0].getType(), statistic, statistic});
  return success();
}

LogicalResult LayerNormGradOp::inferReturnTypes(
    MLIRContext *, std::optional<Location>, ValueRange operands, DictionaryAttr,
    OpaqueProperties, RegionRange, SmallVectorImpl<Type> &results) {
  results.assign(
      {operands[1].getType(), operands[2].getType(), operands[2].getType()});
  return success();
}

LogicalResult RMSNormOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &results) {
  Adaptor adaptor(operands, attributes, properties, regions);
  results.push_back(operands[0].getType());
  results.push_back(
      RankedTensorType::get(rowShape(shapeOf(operands[0]), adaptor.getAxis()),
                            getElementTypeOrSelf(operands[1])));
  return success();
}

LogicalResult RMSNormGradOp::inferReturnTypes(
    MLIRContext *, std::optional<Location>, ValueRange operands, DictionaryAttr,
    OpaqueProperties, RegionRange, SmallVectorImpl<Type> &results) {
  results.assign({operands[1].getType(), operands[2].getType()});
  return success();
}

LogicalResult GroupNormOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &results) {
  Adaptor adaptor(operands, attributes, properties, regions);
  int64_t groups = adaptor.getNumGroups();
  auto statistic = RankedTensorType::get({shapeOf(operands[0])[0], groups},
                                         getElementTypeOrSelf(operands[1]));
  results.assign({operands[0].getType(), statistic, statistic});
  return success();
}

LogicalResult GroupNormGradOp::inferReturnTypes(
    MLIRContext *, std::optional<Location>, ValueRange operands, DictionaryAttr,
    OpaqueProperties, RegionRange, SmallVectorImpl<Type> &results) {
  results.assign(
      {operands[1].getType(), operands[2].getType(), operands[2].getType()});
  return success();
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

/// Scale, shift and statistics are f32, or f64 with f64 data, and of one type.
static LogicalResult verifyStatisticTypes(Operation *op, StringRef constraint,
                                          Value data, ValueRange statistics) {
  Type wanted = getAccumulatorElementType(data.getType());
  for (Value statistic : statistics)
    if (statistic && getElementTypeOrSelf(statistic) != wanted)
      return op->emitOpError()
             << "(" << constraint << ") scale, shift and statistics should be "
             << wanted << ", are " << getElementTypeOrSelf(statistic);
  return success();
}

static LogicalResult verifyPerChannel(Operation *op, StringRef constraint,
                                      Value data, ValueRange vectors) {
  for (Value vector : vectors) {
    auto shape = shapeOf(vector);
    if (shape.size() != 1 || !compatible(shape[0], shapeOf(data)[1]))
      return op->emitOpError()
             << "(" << constraint
             << ") per-channel operands should have shape [" << shapeOf(data)[1]
             << "], one is " << vector.getType();
  }
  return verifyStatisticTypes(op, constraint, data, vectors);
}

static LogicalResult verifyBatchNorm(Operation *op, Value data,
                                     ValueRange vectors) {
  if (shapeOf(data).size() < 2)
    return op->emitOpError("(C1) needs rank 2 or more");
  return verifyPerChannel(op, "C2", data, vectors);
}

/// (C1) to (C3) of the norms over trailing axes.
static LogicalResult verifyRowNorm(Operation *op, Value data, int64_t axis,
                                   ValueRange vectors, ValueRange statistics) {
  auto shape = shapeOf(data);
  if (failed(verifyAxis(op, "C1", axis, shape.size())))
    return failure();
  for (Value vector : vectors)
    if (vector &&
        failed(verifyCompatibleShape(shapeOf(vector), shape.drop_front(axis))))
      return op->emitOpError(
          "(C2) scale and bias should have the shape of the normalized axes");
  for (Value statistic : statistics)
    if (failed(
            verifyCompatibleShape(shapeOf(statistic), rowShape(shape, axis))))
      return op->emitOpError(
          "(C2) statistics should have extent 1 on the normalized axes");
  SmallVector<Value> all(vectors);
  llvm::append_range(all, statistics);
  return verifyStatisticTypes(op, "C3", data, all);
}

static LogicalResult verifyGroupNorm(Operation *op, Value data, int64_t groups,
                                     ValueRange vectors) {
  auto shape = shapeOf(data);
  if (shape.size() < 3)
    return op->emitOpError("(C1) needs rank 3 or more");
  if (groups < 1 ||
      (!ShapedType::isDynamic(shape[1]) && shape[1] % groups != 0))
    return op->emitOpError()
           << "(C2) " << shape[1] << " channels do not divide into " << groups
           << " groups";
  return verifyPerChannel(op, "C3", data, vectors);
}

LogicalResult BatchNormInferenceOp::verify() {
  return verifyBatchNorm(*this, getInput(),
                         {getScale(), getBias(), getMean(), getVariance()});
}
LogicalResult BatchNormTrainingOp::verify() {
  return verifyBatchNorm(
      *this, getInput(),
      {getScale(), getBias(), getRunningMean(), getRunningVariance()});
}
LogicalResult BatchNormGradOp::verify() {
  if (getDy().getType() != getInput().getType())
    return emitOpError("dy should have the input's type");
  return verifyBatchNorm(*this, getInput(), {getScale(), getMean(), getRstd()});
}
LogicalResult LayerNormOp::verify() {
  SmallVector<Value> vectors = {getScale()};
  if (getBias())
    vectors.push_back(getBias());
  return verifyRowNorm(*this, getInput(), getAxis(), vectors,
                       {getMean(), getRstd()});
}
LogicalResult LayerNormGradOp::verify() {
  if (getDy().getType() != getInput().getType())
    return emitOpError("dy should have the input's type");
  return verifyRowNorm(*this, getInput(), getAxis(), getScale(),
                       {getMean(), getRstd()});
}
LogicalResult RMSNormOp::verify() {
  return verifyRowNorm(*this, getInput(), getAxis(), getScale(), getRstd());
}
LogicalResult RMSNormGradOp::verify() {
  if (getDy().getType() != getInput().getType())
    return emitOpError("dy should have the input's type");
  return verifyRowNorm(*this, getInput(), getAxis(), getScale(), getRstd());
}
LogicalResult GroupNormOp::verify() {
  return verifyGroupNorm(*this, getInput(), getNumGroups(),
                         {getScale(), getBias()});
}
LogicalResult GroupNormGradOp::verify() {
  if (getDy().getType() != getInput().getType())
    return emitOpError("dy should have the input's type");
  return verifyGroupNorm(*this, getInput(), getNumGroups(), getScale());
}
LogicalResult SoftmaxOp::verify() {
  return verifyAxis(*this, "C1", getAxis(), getType().getRank());
}
LogicalResult SoftmaxGradOp::verify() {
  return verifyAxis(*this, "C1", getAxis(), getType().getRank());
}
LogicalResult LogSoftmaxOp::verify() {
  return verifyAxis(*this, "C1", getAxis(), getType().getRank());
}
LogicalResult LogSoftmaxGradOp::verify() {
  return verifyAxis(*this, "C1", getAxis(), getType().getRank());
}

void NNDialect::registerNormalizationOps() {
  addOperations<
#define GET_OP_LIST
#include "mpt/Dialect/NN/IR/NNNormalizationOps.cpp.inc"
      >();
}

#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNNormalizationOps.cpp.inc"
