//===- IndexingOps.cpp - Gathers and their derivatives --------------------===//

#include "Common.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

//===----------------------------------------------------------------------===//
// gather
//===----------------------------------------------------------------------===//

static SmallVector<int64_t>
gatherShape(ArrayRef<int64_t> data, ArrayRef<int64_t> indices, int64_t axis) {
  SmallVector<int64_t> shape(data.take_front(axis));
  llvm::append_range(shape, indices);
  llvm::append_range(shape, data.drop_front(axis + 1));
  return shape;
}

LogicalResult GatherOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &results) {
  Adaptor adaptor(operands, attributes, properties, regions);
  auto data = shapeOf(operands[0]);
  auto attr = inferenceAttr(adaptor.getAxisAttr(), attributes, "axis");
  if (!attr)
    return emitOptionalError(location, "requires attribute 'axis'");
  int64_t axis = attr.getInt();
  if (axis < 0 || axis >= static_cast<int64_t>(data.size()))
    return emitOptionalError(location, "(C1) axis ", axis, " is not in [0, ",
                             data.size(), ")");
  results.push_back(
      RankedTensorType::get(gatherShape(data, shapeOf(operands[1]), axis),
                            getElementTypeOrSelf(operands[0])));
  return success();
}
LogicalResult GatherOp::verify() {
  return success();
} // (C1) is checked by inference.

LogicalResult GatherGradOp::verify() {
  auto data = shapeOf(getResult());
  if (failed(verifyAxis(*this, "C1", getAxis(), data.size())))
    return failure();
  if (failed(verifyCompatibleShape(
          gatherShape(data, shapeOf(getIndices()), getAxis()),
          shapeOf(getDy()))))
    return emitOpError() << "dy " << getDy().getType()
                         << " does not have the gathered shape";
  return verifyContractionTypes(*this, "C2", getDy(), getResult());
}

//===----------------------------------------------------------------------===//
// gather_elements
//===----------------------------------------------------------------------===//

static LogicalResult verifyGatherElements(Operation *op, Value data,
                                          Value indices, Value gathered,
                                          int64_t axis) {
  auto from = shapeOf(data), at = shapeOf(indices);
  if (from.size() != at.size() ||
      failed(verifyAxis(op, "C1", axis, from.size())))
    return op->emitOpError("(C1) data and indices should have one rank");
  for (size_t i = 0; i < from.size(); ++i)
    if (static_cast<int64_t>(i) != axis && !ShapedType::isDynamic(from[i]) &&
        at[i] > from[i])
      return op->emitOpError() << "(C2) axis " << i << " has " << at[i]
                               << " indices for an extent of " << from[i];
  if (failed(verifyCompatibleShape(at, shapeOf(gathered))))
    return op->emitOpError(
        "the gathered tensor should have the indices' shape");
  return success();
}
LogicalResult GatherElementsOp::verify() {
  if (failed(verifyGatherElements(*this, getData(), getIndices(), getResult(),
                                  getAxis())))
    return failure();
  return verifySameElementType(*this, "C3", {getData(), getResult()});
}
LogicalResult GatherElementsGradOp::verify() {
  if (failed(verifyGatherElements(*this, getResult(), getIndices(), getDy(),
                                  getAxis())))
    return failure();
  return verifyContractionTypes(*this, "C3", getDy(), getResult());
}

//===----------------------------------------------------------------------===//
// gather_nd
//===----------------------------------------------------------------------===//

static LogicalResult verifyGatherND(Operation *op, Value data, Value indices,
                                    Value gathered, int64_t batchDims) {
  auto from = shapeOf(data), at = shapeOf(indices);
  if (at.empty() || batchDims < 0 ||
      batchDims >= static_cast<int64_t>(std::min(at.size(), from.size())))
    return op->emitOpError("(C1) batch_dims must be smaller than both ranks");
  if (ShapedType::isDynamic(at.back()))
    return success();
  if (at.back() < 1 ||
      at.back() > static_cast<int64_t>(from.size()) - batchDims)
    return op->emitOpError() << "(C1) index tuples of " << at.back()
                             << " do not fit rank " << from.size();
  SmallVector<int64_t> shape(at.drop_back());
  llvm::append_range(shape, from.drop_front(batchDims + at.back()));
  if (failed(verifyCompatibleShape(shape, shapeOf(gathered))))
    return op->emitOpError() << "(C2) the gathered tensor has the wrong shape: "
                             << gathered.getType();
  return success();
}
LogicalResult GatherNDOp::verify() {
  if (failed(verifyGatherND(*this, getData(), getIndices(), getResult(),
                            getBatchDims())))
    return failure();
  return verifySameElementType(*this, "C3", {getData(), getResult()});
}
LogicalResult GatherNDGradOp::verify() {
  if (failed(verifyGatherND(*this, getResult(), getIndices(), getDy(),
                            getBatchDims())))
    return failure();
  return verifyContractionTypes(*this, "C3", getDy(), getResult());
}

//===----------------------------------------------------------------------===//
// top_k
//===----------------------------------------------------------------------===//

LogicalResult
TopKOp::inferReturnTypes(MLIRContext *context, std::optional<Location> location,
                         ValueRange operands, DictionaryAttr attributes,
                         OpaqueProperties properties, RegionRange regions,
                         SmallVectorImpl<Type> &results) {
  Adaptor adaptor(operands, attributes, properties, regions);
  SmallVector<int64_t> shape(shapeOf(operands[0]));
  auto axis = inferenceAttr(adaptor.getAxisAttr(), attributes, "axis");
  auto k = inferenceAttr(adaptor.getKAttr(), attributes, "k");
  if (!axis || !k)
    return emitOptionalError(location, "requires attributes 'axis' and 'k'");
  if (axis.getInt() < 0 || axis.getInt() >= static_cast<int64_t>(shape.size()))
    return emitOptionalError(location, "(C1) axis ", axis.getInt(),
                             " is not in [0, ", shape.size(), ")");
  int64_t &extent = shape[axis.getInt()];
  if (k.getInt() < 0 || (!ShapedType::isDynamic(extent) && k.getInt() > extent))
    return emitOptionalError(location, "(C2) k = ", k.getInt(),
                             " does not fit an axis of extent ", extent);
  extent = k.getInt();
  results.push_back(
      RankedTensorType::get(shape, getElementTypeOrSelf(operands[0])));
  results.push_back(
      RankedTensorType::get(shape, IntegerType::get(context, 64)));
  return success();
}
LogicalResult TopKOp::verify() {
  return success();
} // (C1) and (C2) are checked by inference.
