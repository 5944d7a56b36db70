//===- NNDialect.cpp - The network dialect --------------------------------===//

#include "mpt/Dialect/NN/IR/NNDialect.h"

#include "Common.h"
#include "Ranges/RangeRules.h"
#include "Rounding.h"
#include "Work.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mpt/Dialect/NN/IR/NNControlFlow.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

#include "mpt/Dialect/NN/IR/NNDialect.cpp.inc"
#include "mpt/Dialect/NN/IR/NNEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "mpt/Dialect/NN/IR/NNAttributes.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "mpt/Dialect/NN/IR/NNTypes.cpp.inc"

void NNDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "mpt/Dialect/NN/IR/NNAttributes.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "mpt/Dialect/NN/IR/NNTypes.cpp.inc"
      >();
  // Each family registers its own operations, in the file that defines them.
  registerElementwiseOps();
  registerContractionOps();
  registerPoolingOps();
  registerNormalizationOps();
  registerReductionOps();
  registerShapeOps();
  registerTrainingOps();
  registerStructureOps();
  addOperations<
#define GET_OP_LIST
#include "mpt/Dialect/NN/IR/NNControlFlowOps.cpp.inc"
      >();

  attachElementwiseRanges(getContext());
  attachBinaryRanges(getContext());
  attachContractionRanges(getContext());
  attachPoolingRanges(getContext());
  attachNormalizationRanges(getContext());
  attachSoftmaxRanges(getContext());
  attachReductionRanges(getContext());
  attachShapeRanges(getContext());
  attachTrainingRanges(getContext());
  attachRoundingModels(*getContext());
  attachWorkModels(*getContext());
}

Operation *NNDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                          Type type, Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  if (!elements || elements.getType() != type)
    return nullptr;
  return ConstantOp::create(builder, loc, type, elements);
}

//===----------------------------------------------------------------------===//
// Helpers of the dialect's users
//===----------------------------------------------------------------------===//

Value nn::createSplat(OpBuilder &builder, Location loc, RankedTensorType type,
                      double value) {
  Type element = type.getElementType();
  Attribute scalar;
  if (isa<FloatType>(element))
    scalar = builder.getFloatAttr(element, value);
  else
    scalar = builder.getIntegerAttr(element, static_cast<int64_t>(value));
  return ConstantOp::create(builder, loc, type,
                            DenseElementsAttr::get(type, scalar));
}

Value nn::createScalar(OpBuilder &builder, Location loc, Type like,
                       double value) {
  return createSplat(builder, loc,
                     RankedTensorType::get({}, getElementTypeOrSelf(like)),
                     value);
}

Type nn::getAccumulatorElementType(Type type) {
  Type element = getElementTypeOrSelf(type);
  if (!isa<FloatType>(element) || element.isF64())
    return element;
  return Float32Type::get(type.getContext());
}

std::optional<SmallVector<int64_t>>
nn::broadcastShapes(ArrayRef<ArrayRef<int64_t>> shapes) {
  size_t rank = 0;
  for (ArrayRef<int64_t> shape : shapes)
    rank = std::max(rank, shape.size());
  SmallVector<int64_t> result(rank, 1);
  for (ArrayRef<int64_t> shape : shapes) {
    for (size_t i = 0; i < shape.size(); ++i) {
      int64_t &extent = result[rank - shape.size() + i];
      int64_t other = shape[i];
      if (other == 1 || other == extent)
        continue;
      if (extent == 1 || (extent == ShapedType::kDynamic && other != 1))
        extent = other;
      else if (other != ShapedType::kDynamic)
        return std::nullopt;
    }
  }
  return result;
}

int64_t nn::getWindowedExtent(int64_t input, int64_t kernel, int64_t stride,
                              int64_t padBegin, int64_t padEnd,
                              int64_t dilation) {
  // Wide: a verifier asks before anything bounds these.
  const __int128 room = static_cast<__int128>(input) + padBegin + padEnd -
                        static_cast<__int128>(dilation) * (kernel - 1) - 1;
  return room < 0 ? 0 : static_cast<int64_t>(room / stride + 1);
}

SmallVector<int64_t> nn::getReducedShape(ArrayRef<int64_t> shape,
                                         ArrayRef<int64_t> axes,
                                         bool keepdims) {
  SmallVector<int64_t> result;
  size_t next = 0;
  for (auto [i, extent] : llvm::enumerate(shape)) {
    bool reduced = next < axes.size() && axes[next] == static_cast<int64_t>(i);
    if (reduced)
      ++next;
    if (!reduced)
      result.push_back(extent);
    else if (keepdims)
      result.push_back(1);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Helpers of the verifiers
//===----------------------------------------------------------------------===//

LogicalResult nn::verifyResultShape(Operation *op, StringRef constraint,
                                    ArrayRef<int64_t> expected, Value result) {
  auto type = cast<RankedTensorType>(result.getType());
  if (succeeded(verifyCompatibleShape(expected, type.getShape())))
    return success();
  return op->emitOpError() << "(" << constraint << ") result shape should be "
                           << RankedTensorType::get(expected,
                                                    type.getElementType())
                           << ", is " << type;
}

LogicalResult nn::verifySameElementType(Operation *op, StringRef constraint,
                                        ValueRange values) {
  for (Value value : values.drop_front())
    if (getElementTypeOrSelf(value) != getElementTypeOrSelf(values.front()))
      return op->emitOpError()
             << "(" << constraint << ") element types differ: "
             << getElementTypeOrSelf(values.front()) << " and "
             << getElementTypeOrSelf(value);
  return success();
}

LogicalResult nn::verifyContractionTypes(Operation *op, StringRef constraint,
                                         ValueRange operands, Value result) {
  if (failed(verifySameElementType(op, constraint, operands)))
    return failure();
  Type operand = getElementTypeOrSelf(operands.front()),
       type = getElementTypeOrSelf(result);
  if (type == operand ||
      (type.isF32() && (operand.isF16() || operand.isBF16())))
    return success();
  return op->emitOpError() << "(" << constraint
                           << ") result element type should be " << operand
                           << (operand.isF16() || operand.isBF16() ? " or f32"
                                                                   : "")
                           << ", is " << type;
}

LogicalResult nn::verifyWindow(Operation *op, StringRef constraint,
                               size_t spatial, ArrayRef<int64_t> strides,
                               ArrayRef<int64_t> pads,
                               ArrayRef<int64_t> dilations) {
  auto positive = [](int64_t value) { return value > 0; };
  if (strides.size() != spatial || dilations.size() != spatial ||
      pads.size() != 2 * spatial)
    return op->emitOpError()
           << "(" << constraint << ") needs " << spatial << " strides, "
           << spatial << " dilations and " << 2 * spatial << " pads";
  if (!llvm::all_of(strides, positive) || !llvm::all_of(dilations, positive))
    return op->emitOpError()
           << "(" << constraint << ") strides and dilations must be positive";
  if (llvm::any_of(pads, [](int64_t value) { return value < 0; }))
    return op->emitOpError()
           << "(" << constraint << ") pads must not be negative";
  return success();
}

LogicalResult nn::verifyAxis(Operation *op, StringRef constraint, int64_t axis,
                             int64_t rank) {
  if (axis >= 0 && axis < rank)
    return success();
  return op->emitOpError() << "(" << constraint << ") axis " << axis
                           << " is not in [0, " << rank << ")";
}
