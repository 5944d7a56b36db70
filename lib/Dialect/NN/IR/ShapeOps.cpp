//===- ShapeOps.cpp - Operations that rearrange elements ------------------===//

#include "Common.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

//===----------------------------------------------------------------------===//
// reshape, expand
//===----------------------------------------------------------------------===//

LogicalResult ReshapeOp::verify() {
  auto input = tensorOf(getInput()), result = tensorOf(getResult());
  if (input.hasStaticShape() && result.hasStaticShape() &&
      input.getNumElements() != result.getNumElements())
    return emitOpError() << "(C1) cannot give " << input.getNumElements()
                         << " elements the shape of " << result;
  return verifySameElementType(*this, "C2", {getInput(), getResult()});
}

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  auto type = tensorOf(getResult());
  if (getInput().getType() == type && type.hasStaticShape())
    return getInput();
  if (auto producer = getInput().getDefiningOp<ReshapeOp>()) {
    getInputMutable().assign(producer.getInput());
    return getResult();
  }
  auto value = dyn_cast_or_null<DenseElementsAttr>(adaptor.getInput());
  return value && type.hasStaticShape() ? OpFoldResult(value.reshape(type))
                                        : OpFoldResult();
}

LogicalResult ExpandOp::verify() {
  auto shape = broadcastShapes({shapeOf(getInput()), shapeOf(getResult())});
  if (!shape || failed(verifyCompatibleShape(*shape, shapeOf(getResult()))))
    return emitOpError() << "(C1) " << getInput().getType()
                         << " does not broadcast to " << getType();
  return verifySameElementType(*this, "C2", {getInput(), getResult()});
}

OpFoldResult ExpandOp::fold(FoldAdaptor adaptor) {
  auto type = tensorOf(getResult());
  return getInput().getType() == type && type.hasStaticShape() ? getInput()
                                                               : Value();
}

//===----------------------------------------------------------------------===//
// transpose
//===----------------------------------------------------------------------===//

LogicalResult TransposeOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &results) {
  Adaptor adaptor(operands, attributes, properties, regions);
  auto shape = shapeOf(operands[0]);
  auto attr =
      inferenceAttr(adaptor.getPermutationAttr(), attributes, "permutation");
  if (!attr)
    return emitOptionalError(location, "requires attribute 'permutation'");
  ArrayRef<int64_t> permutation = attr;
  SmallVector<bool> seen(shape.size(), false);
  SmallVector<int64_t> permuted;
  for (int64_t axis : permutation) {
    if (axis < 0 || axis >= static_cast<int64_t>(shape.size()) || seen[axis])
      return emitOptionalError(location,
                               "(C1) not a permutation of the operand's ",
                               shape.size(), " axes");
    seen[axis] = true;
    permuted.push_back(shape[axis]);
  }
  if (permuted.size() != shape.size())
    return emitOptionalError(location,
                             "(C1) not a permutation of the operand's ",
                             shape.size(), " axes");
  results.push_back(
      RankedTensorType::get(permuted, getElementTypeOrSelf(operands[0])));
  return success();
}

LogicalResult TransposeOp::verify() {
  return success();
} // (C1) is checked by inference.

OpFoldResult TransposeOp::fold(FoldAdaptor adaptor) {
  auto permutation = getPermutation();
  bool identity = true;
  for (auto [i, axis] : llvm::enumerate(permutation))
    identity &= axis == static_cast<int64_t>(i);
  if (identity)
    return getInput();
  auto producer = getInput().getDefiningOp<TransposeOp>();
  if (!producer)
    return {};
  SmallVector<int64_t> combined;
  for (int64_t axis : permutation)
    combined.push_back(producer.getPermutation()[axis]);
  getInputMutable().assign(producer.getInput());
  setPermutation(combined);
  return getResult();
}

//===----------------------------------------------------------------------===//
// concat, split
//===----------------------------------------------------------------------===//

LogicalResult ConcatOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &results) {
  Adaptor adaptor(operands, attributes, properties, regions);
  auto attr = inferenceAttr(adaptor.getAxisAttr(), attributes, "axis");
  if (!attr)
    return emitOptionalError(location, "requires attribute 'axis'");
  int64_t axis = attr.getInt();
  if (operands.empty())
    return emitOptionalError(location, "(C1) needs at least one operand");
  SmallVector<int64_t> shape(shapeOf(operands[0]));
  if (axis < 0 || axis >= static_cast<int64_t>(shape.size()))
    return emitOptionalError(location, "(C1) axis ", axis, " is not in [0, ",
                             shape.size(), ")");
  for (Value operand : operands.drop_front()) {
    auto other = shapeOf(operand);
    bool fits =
        other.size() == shape.size() &&
        getElementTypeOrSelf(operand) == getElementTypeOrSelf(operands[0]);
    for (size_t i = 0; fits && i < shape.size(); ++i)
      fits = static_cast<int64_t>(i) == axis || compatible(other[i], shape[i]);
    if (!fits)
      return emitOptionalError(location, "(C2) operands differ off the axis: ",
                               operands[0].getType(), " and ",
                               operand.getType());
    bool dynamic = ShapedType::isDynamic(shape[axis]) ||
                   ShapedType::isDynamic(other[axis]);
    shape[axis] = dynamic ? ShapedType::kDynamic : shape[axis] + other[axis];
  }
  results.push_back(
      RankedTensorType::get(shape, getElementTypeOrSelf(operands[0])));
  return success();
}

LogicalResult ConcatOp::verify() {
  return success();
} // (C1), (C2) are checked by inference.

LogicalResult SplitOp::verify() {
  auto shape = shapeOf(getInput());
  int64_t axis = getAxis();
  if (failed(verifyAxis(*this, "C1", axis, shape.size())))
    return failure();
  if (getParts().empty())
    return emitOpError("(C1) needs at least one result");
  int64_t sum = 0;
  for (Value part : getParts()) {
    auto other = shapeOf(part);
    bool fits = other.size() == shape.size() &&
                getElementTypeOrSelf(part) == getElementTypeOrSelf(getInput());
    for (size_t i = 0; fits && i < shape.size(); ++i)
      fits = static_cast<int64_t>(i) == axis || compatible(other[i], shape[i]);
    if (!fits)
      return emitOpError() << "(C2) a part of type " << part.getType()
                           << " does not fit " << getInput().getType();
    if (ShapedType::isDynamic(other[axis]) || ShapedType::isDynamic(sum))
      sum = ShapedType::kDynamic;
    else if (llvm::AddOverflow(sum, other[axis], sum))
      return emitOpError() << "(C2) the parts' extents do not add up";
  }
  if (!compatible(sum, shape[axis]))
    return emitOpError() << "(C2) the parts' extents add up to " << sum
                         << " instead of " << shape[axis];
  return success();
}

//===----------------------------------------------------------------------===//
// slice, pad
//===----------------------------------------------------------------------===//

/// (C1) to (C3) of a slice of `whole` to `part`.
static LogicalResult verifySlice(Operation *op, Value whole, Value part,
                                 ArrayRef<int64_t> starts,
                                 ArrayRef<int64_t> steps) {
  auto from = shapeOf(whole), to = shapeOf(part);
  if (starts.size() != from.size() || steps.size() != from.size() ||
      to.size() != from.size() || llvm::is_contained(steps, 0))
    return op->emitOpError(
        "(C1) needs one start and one non-zero step per axis");
  for (size_t i = 0; i < from.size(); ++i) {
    if (ShapedType::isDynamic(from[i]) || ShapedType::isDynamic(to[i]) ||
        to[i] == 0)
      continue;
    int64_t last = starts[i] + (to[i] - 1) * steps[i];
    if (starts[i] < 0 || starts[i] >= from[i] || last < 0 || last >= from[i])
      return op->emitOpError()
             << "(C2) axis " << i << " reads elements " << starts[i] << " to "
             << last << " of " << from[i];
  }
  return verifySameElementType(op, "C3", {whole, part});
}
LogicalResult SliceOp::verify() {
  return verifySlice(*this, getInput(), getResult(), getStarts(), getSteps());
}
LogicalResult SliceGradOp::verify() {
  return verifySlice(*this, getResult(), getDy(), getStarts(), getSteps());
}

/// (C1) to (C3) of padding `inner` to `padded`.
static LogicalResult verifyPad(Operation *op, Value inner, Value padded,
                               ArrayRef<int64_t> low, ArrayRef<int64_t> high,
                               PadMode mode) {
  auto shape = shapeOf(inner);
  if (low.size() != shape.size() || high.size() != shape.size())
    return op->emitOpError("(C1) needs one low and one high entry per axis");
  SmallVector<int64_t> expected;
  for (auto [extent, before, after] : llvm::zip(shape, low, high)) {
    expected.push_back(ShapedType::isDynamic(extent) ? extent
                                                     : extent + before + after);
    if (mode == PadMode::Reflect && !ShapedType::isDynamic(extent) &&
        (before >= extent || after >= extent))
      return op->emitOpError(
          "(C3) a reflected border must be shorter than its axis");
  }
  return verifyResultShape(op, "C2", expected, padded);
}
LogicalResult PadOp::verify() {
  if (failed(verifyPad(*this, getInput(), getResult(), getLow(), getHigh(),
                       getMode())))
    return failure();
  return verifySameElementType(*this, "C4", {getInput(), getResult()});
}
LogicalResult PadGradOp::verify() {
  if (failed(verifyPad(*this, getResult(), getDy(), getLow(), getHigh(),
                       getMode())))
    return failure();
  return verifyContractionTypes(*this, "C4", getDy(), getResult());
}

void NNDialect::registerShapeOps() {
  addOperations<
#define GET_OP_LIST
#include "mpt/Dialect/NN/IR/NNShapeOps.cpp.inc"
      >();
}

#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNShapeOps.cpp.inc"
