//===- StructureOps.cpp - Parameters, constants, kernels ------------------===//

#include "Common.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

LogicalResult ParameterOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  if (!getValue())
    return success();
  if (auto external = dyn_cast<ExternalAttr>(*getValue())) {
    uint64_t bits =
        type.getElementType().isInteger(1) ? 8 : type.getElementTypeBitWidth();
    if (type.hasStaticShape() &&
        external.getLength() * 8 != type.getNumElements() * bits)
      return emitOpError() << "(C1) " << external.getLength()
                           << " external bytes do not make a " << type;
    return success();
  }
  auto elements = dyn_cast<ElementsAttr>(*getValue());
  if (!elements || elements.getType() != type)
    return emitOpError()
           << "(C2) the value should be a #nn.external or elements of type "
           << type;
  return success();
}

LogicalResult ConstantOp::inferReturnTypes(
    MLIRContext *context, std::optional<Location> location, ValueRange operands,
    DictionaryAttr attributes, OpaqueProperties properties, RegionRange regions,
    SmallVectorImpl<Type> &results) {
  Adaptor adaptor(operands, attributes, properties, regions);
  results.push_back(adaptor.getValue().getType());
  return success();
}

OpFoldResult ConstantOp::fold(FoldAdaptor adaptor) { return getValue(); }

void YieldOp::build(OpBuilder &, OperationState &) {}

LogicalResult KernelOp::verify() {
  Block &block = getBody().front();
  if (block.getArgumentTypes() != getInputs().getTypes())
    return emitOpError(
        "the region's arguments should have the operands' types");
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (!yield || yield.getValues().getTypes() != getOutputs().getTypes())
    return emitOpError("nn.yield should give the results' types");
  return success();
}

namespace {
/// What is known of ONNX operators that have no operation here.
struct OnnxNodeModel
    : PrecisionOpInterface::ExternalModel<OnnxNodeModel, OnnxNodeOp> {
  PrecisionClass getPrecisionClass(Operation *op) const {
    return isKnown(op) ? PrecisionClass::Follow : PrecisionClass::FP32;
  }
  StringRef getPrecisionReason(Operation *op) const {
    return isKnown(op) ? "safe in 16 bits: squares and their sum are FP32 "
                         "inside"
                       : "nothing is known about it";
  }
  PrecisionReasonKind getPrecisionReasonKind(Operation *) const {
    return PrecisionReasonKind::NoKernel;
  }

private:
  static bool isKnown(Operation *op) {
    auto node = cast<OnnxNodeOp>(op);
    return node.getDomain().empty() && node.getOpType() == "LRN";
  }
};
} // namespace

void NNDialect::registerStructureOps() {
  addOperations<
#define GET_OP_LIST
#include "mpt/Dialect/NN/IR/NNStructureOps.cpp.inc"
      >();
  OnnxNodeOp::attachInterface<OnnxNodeModel>(*getContext());
}

#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNStructureOps.cpp.inc"
