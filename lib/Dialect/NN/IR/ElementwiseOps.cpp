//===- ElementwiseOps.cpp - Elementwise operations ------------------------===//

#include "Common.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

//===----------------------------------------------------------------------===//
// Type inference
//===----------------------------------------------------------------------===//

/// Broadcasts the operands' shapes (C1); the element type is given.
static LogicalResult inferBroadcast(std::optional<Location> location,
                                    ValueRange operands, Type elementType,
                                    SmallVectorImpl<Type> &results) {
  SmallVector<ArrayRef<int64_t>> shapes;
  for (Value operand : operands)
    shapes.push_back(shapeOf(operand));
  std::optional<SmallVector<int64_t>> shape = broadcastShapes(shapes);
  if (!shape)
    return emitOptionalError(location,
                             "(C1) the operands' shapes do not broadcast");
  results.push_back(RankedTensorType::get(*shape, elementType));
  return success();
}

/// As above, and the operands' element types are equal (C2).
static LogicalResult inferSameElementBroadcast(std::optional<Location> location,
                                               ValueRange operands,
                                               Type elementType,
                                               SmallVectorImpl<Type> &results) {
  Type first = getElementTypeOrSelf(operands.front());
  for (Value operand : operands.drop_front())
    if (getElementTypeOrSelf(operand) != first)
      return emitOptionalError(location, "(C2) element types differ: ", first,
                               " and ", getElementTypeOrSelf(operand));
  return inferBroadcast(location, operands, elementType ? elementType : first,
                        results);
}

#define MPT_INFER(OP, CALL)                                                    \
  LogicalResult OP::inferReturnTypes(                                          \
      MLIRContext *context, std::optional<Location> location,                  \
      ValueRange operands, DictionaryAttr attributes,                          \
      OpaqueProperties properties, RegionRange regions,                        \
      SmallVectorImpl<Type> &results) {                                        \
    return CALL;                                                               \
  }
MPT_INFER(AddOp, inferSameElementBroadcast(location, operands, Type(), results))
MPT_INFER(SubOp, inferSameElementBroadcast(location, operands, Type(), results))
MPT_INFER(MulOp, inferSameElementBroadcast(location, operands, Type(), results))
MPT_INFER(DivOp, inferSameElementBroadcast(location, operands, Type(), results))
MPT_INFER(PowOp, inferBroadcast(location, operands,
                                getElementTypeOrSelf(operands[0]), results))
MPT_INFER(MinOp, inferSameElementBroadcast(location, operands, Type(), results))
MPT_INFER(MaxOp, inferSameElementBroadcast(location, operands, Type(), results))
MPT_INFER(ModOp, inferSameElementBroadcast(location, operands, Type(), results))
MPT_INFER(AndOp, inferSameElementBroadcast(location, operands, Type(), results))
MPT_INFER(OrOp, inferSameElementBroadcast(location, operands, Type(), results))
MPT_INFER(XorOp, inferSameElementBroadcast(location, operands, Type(), results))
MPT_INFER(CompareOp,
          inferSameElementBroadcast(location, operands,
                                    IntegerType::get(context, 1), results))
MPT_INFER(IsNaNOp, inferBroadcast(location, operands,
                                  IntegerType::get(context, 1), results))
MPT_INFER(IsInfOp, inferBroadcast(location, operands,
                                  IntegerType::get(context, 1), results))
#undef MPT_INFER

LogicalResult WhereOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &results) {
  if (getElementTypeOrSelf(operands[1]) != getElementTypeOrSelf(operands[2]))
    return emitOptionalError(location, "(C2) element types differ: ",
                             getElementTypeOrSelf(operands[1]), " and ",
                             getElementTypeOrSelf(operands[2]));
  return inferBroadcast(location, operands, getElementTypeOrSelf(operands[1]),
                        results);
}

LogicalResult DropoutOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &results) {
  auto type = tensorOf(operands[0]);
  results.push_back(type);
  results.push_back(
      RankedTensorType::get(type.getShape(), IntegerType::get(context, 1)));
  return success();
}

//===----------------------------------------------------------------------===//
// Verifiers and folders
//===----------------------------------------------------------------------===//

LogicalResult CastOp::verify() {
  if (failed(verifyCompatibleShape(getInput().getType(), getType())))
    return emitOpError("(C1) the shapes differ");
  return success();
}

OpFoldResult CastOp::fold(FoldAdaptor adaptor) {
  return getInput().getType() == getType() ? getInput() : Value();
}

LogicalResult DropoutOp::verify() {
  double ratio = getRatio().convertToDouble();
  if (!(ratio >= 0.0 && ratio < 1.0))
    return emitOpError("ratio must lie in [0, 1)");
  return success();
}

void NNDialect::registerElementwiseOps() {
  addOperations<
#define GET_OP_LIST
#include "mpt/Dialect/NN/IR/NNElementwiseOps.cpp.inc"
      >();
}

#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNElementwiseOps.cpp.inc"
