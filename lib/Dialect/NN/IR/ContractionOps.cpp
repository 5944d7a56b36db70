//===- ContractionOps.cpp - Matrix products and convolutions --------------===//

#include "Common.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

//===----------------------------------------------------------------------===//
// matmul
//===----------------------------------------------------------------------===//

/// The result shape of a matrix product; emits (C1) to (C3) through `error` and
/// returns nullopt.
static std::optional<SmallVector<int64_t>>
inferMatMulShape(ArrayRef<int64_t> lhs, ArrayRef<int64_t> rhs,
                 bool transposeLhs, bool transposeRhs,
                 llvm::function_ref<InFlightDiagnostic()> error) {
  if (lhs.size() < 2 || rhs.size() < 2) {
    error() << "(C1) both operands need rank 2 or more";
    return std::nullopt;
  }
  int64_t m = lhs[lhs.size() - 2], k = lhs.back(), k2 = rhs[rhs.size() - 2],
          n = rhs.back();
  if (transposeLhs)
    std::swap(m, k);
  if (transposeRhs)
    std::swap(k2, n);
  if (!compatible(k, k2)) {
    error() << "(C2) contracted extents differ: " << k << " and " << k2;
    return std::nullopt;
  }
  auto leading = broadcastShapes({lhs.drop_back(2), rhs.drop_back(2)});
  if (!leading) {
    error() << "(C3) the leading axes do not broadcast";
    return std::nullopt;
  }
  leading->push_back(m);
  leading->push_back(n);
  return leading;
}

LogicalResult MatMulOp::verify() {
  auto shape =
      inferMatMulShape(shapeOf(getLhs()), shapeOf(getRhs()), getTransposeLhs(),
                       getTransposeRhs(), [&] { return emitOpError(); });
  if (!shape ||
      failed(verifyContractionTypes(*this, "C4", getOperands(), getResult())))
    return failure();
  return verifyResultShape(*this, "C5", *shape, getResult());
}

void MatMulOp::build(OpBuilder &builder, OperationState &state, Value lhs,
                     Value rhs, bool transposeLhs, bool transposeRhs) {
  auto shape = inferMatMulShape(
      shapeOf(lhs), shapeOf(rhs), transposeLhs, transposeRhs,
      [&] { return mlir::emitError(state.location, "'nn.matmul' op "); });
  // A failed inference was reported; the type only keeps the operation
  // printable.
  auto type = RankedTensorType::get(shape ? *shape : SmallVector<int64_t>(),
                                    getElementTypeOrSelf(lhs));
  build(builder, state, type, lhs, rhs, transposeLhs, transposeRhs);
}

//===----------------------------------------------------------------------===//
// Convolutions
//===----------------------------------------------------------------------===//

/// `[N, F, Y...]` of a convolution of `input [N, C, X...]` by `filter [F,
/// C/group, K...]`.
static SmallVector<int64_t> inferConvShape(ArrayRef<int64_t> input,
                                           ArrayRef<int64_t> filter,
                                           ArrayRef<int64_t> strides,
                                           ArrayRef<int64_t> pads,
                                           ArrayRef<int64_t> dilations) {
  SmallVector<int64_t> shape = {input[0], filter[0]};
  size_t spatial = input.size() - 2;
  for (size_t i = 0; i < spatial; ++i)
    shape.push_back(ShapedType::isDynamic(input[i + 2])
                        ? ShapedType::kDynamic
                        : getWindowedExtent(input[i + 2], filter[i + 2],
                                            strides[i], pads[i],
                                            pads[i + spatial], dilations[i]));
  return shape;
}

/// (C1) and (C2) of the convolutions, for tensors of one rank.
static LogicalResult verifyConvWindow(Operation *op, ValueRange tensors,
                                      ArrayRef<int64_t> strides,
                                      ArrayRef<int64_t> pads,
                                      ArrayRef<int64_t> dilations) {
  size_t rank = shapeOf(tensors.front()).size();
  for (Value tensor : tensors)
    if (shapeOf(tensor).size() != rank || rank < 3)
      return op->emitOpError("(C1) needs tensors of one rank, at least 3");
  return verifyWindow(op, "C2", rank - 2, strides, pads, dilations);
}

/// Channels, divisible by the group, against a filter's [F, C/group].
static bool groupsMatch(int64_t channels, int64_t perGroup, int64_t filters,
                        int64_t group) {
  if (group < 1 || (!ShapedType::isDynamic(filters) && filters % group != 0))
    return false;
  return ShapedType::isDynamic(channels) || ShapedType::isDynamic(perGroup) ||
         channels == perGroup * group;
}

LogicalResult ConvOp::verify() {
  auto input = shapeOf(getInput()), filter = shapeOf(getFilter());
  if (failed(verifyConvWindow(*this, {getInput(), getFilter(), getResult()},
                              getStrides(), getPads(), getDilations())))
    return failure();
  if (!groupsMatch(input[1], filter[1], filter[0], getGroup()))
    return emitOpError() << "(C3, C4) " << input[1]
                         << " channels and a filter of " << filter[0] << " x "
                         << filter[1] << " do not fit group " << getGroup();
  if (getBias() && (shapeOf(getBias()).size() != 1 ||
                    !compatible(shapeOf(getBias())[0], filter[0])))
    return emitOpError() << "(C5) the bias should have shape [" << filter[0]
                         << "]";
  if (failed(verifyContractionTypes(*this, "C6", getOperands(), getResult())))
    return failure();
  return verifyResultShape(
      *this, "C7",
      inferConvShape(input, filter, getStrides(), getPads(), getDilations()),
      getResult());
}

void ConvOp::build(OpBuilder &builder, OperationState &state, Value input,
                   Value filter, Value bias, ArrayRef<int64_t> strides,
                   ArrayRef<int64_t> pads, ArrayRef<int64_t> dilations,
                   int64_t group) {
  auto shape =
      inferConvShape(shapeOf(input), shapeOf(filter), strides, pads, dilations);
  build(builder, state,
        RankedTensorType::get(shape, getElementTypeOrSelf(input)), input,
        filter, bias, strides, pads, dilations, group);
}

LogicalResult ConvTransposeOp::verify() {
  auto input = shapeOf(getInput()), filter = shapeOf(getFilter()),
       result = shapeOf(getResult());
  if (failed(verifyConvWindow(*this, {getInput(), getFilter(), getResult()},
                              getStrides(), getPads(), getDilations())))
    return failure();
  if (!compatible(filter[0], input[1]))
    return emitOpError() << "(C3) filter dim 0 should be " << input[1]
                         << ", is " << filter[0];
  if (!groupsMatch(result[1], filter[1], filter[0], getGroup()))
    return emitOpError() << "(C3, C4) the result has " << result[1]
                         << " channels where the filter and group "
                         << getGroup() << " give "
                         << filter[1] * static_cast<int64_t>(getGroup());
  if (failed(verifyContractionTypes(*this, "C6", getOperands(), getResult())))
    return failure();
  return verifyResultShape(
      *this, "C5",
      inferConvShape(result, filter, getStrides(), getPads(), getDilations()),
      getInput());
}

LogicalResult ConvFilterGradOp::verify() {
  auto input = shapeOf(getInput()), filter = shapeOf(getResult());
  if (failed(verifyConvWindow(*this, {getInput(), getDy(), getResult()},
                              getStrides(), getPads(), getDilations())))
    return failure();
  if (!groupsMatch(input[1], filter[1], filter[0], getGroup()))
    return emitOpError() << "(C3) " << input[1] << " channels and a filter of "
                         << filter[0] << " x " << filter[1]
                         << " do not fit group " << getGroup();
  if (failed(verifyContractionTypes(*this, "C4", getOperands(), getResult())))
    return failure();
  return verifyResultShape(
      *this, "C3",
      inferConvShape(input, filter, getStrides(), getPads(), getDilations()),
      getDy());
}

void NNDialect::registerContractionOps() {
  addOperations<
#define GET_OP_LIST
#include "mpt/Dialect/NN/IR/NNContractionOps.cpp.inc"
      >();
}

#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNContractionOps.cpp.inc"
