//===- PoolingOps.cpp - Pooling -------------------------------------------===//

#include "Common.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

/// (C1) to (C4) for pooling `input` to `pooled`.
static LogicalResult verifyPool(Operation *op, Value input, Value pooled,
                                ArrayRef<int64_t> kernel,
                                ArrayRef<int64_t> strides,
                                ArrayRef<int64_t> pads,
                                ArrayRef<int64_t> dilations) {
  auto in = shapeOf(input), out = shapeOf(pooled);
  if (in.size() < 3 || out.size() != in.size())
    return op->emitOpError("(C1) needs tensors of one rank, at least 3");
  size_t spatial = in.size() - 2;
  if (kernel.size() != spatial ||
      llvm::any_of(kernel, [](int64_t k) { return k < 1; }))
    return op->emitOpError()
           << "(C2) needs " << spatial << " positive kernel extents";
  if (failed(verifyWindow(op, "C2", spatial, strides, pads, dilations)))
    return failure();
  if (!compatible(in[0], out[0]) || !compatible(in[1], out[1]))
    return op->emitOpError("(C3) pooling keeps the batch and channel extents");
  for (size_t i = 0; i < spatial; ++i) {
    if (ShapedType::isDynamic(in[i + 2]) || ShapedType::isDynamic(out[i + 2]))
      continue;
    int64_t down = getWindowedExtent(in[i + 2], kernel[i], strides[i], pads[i],
                                     pads[i + spatial], dilations[i]);
    const __int128 last = static_cast<__int128>(out[i + 2] - 1) * strides[i];
    bool roundedUp = out[i + 2] == static_cast<__int128>(down) + 1 &&
                     last < static_cast<__int128>(in[i + 2]) + pads[i];
    if (out[i + 2] != down && !roundedUp)
      return op->emitOpError() << "(C3) spatial axis " << i << " should pool "
                               << in[i + 2] << " to " << down << " or "
                               << down + 1 << ", pools to " << out[i + 2];
  }
  return verifySameElementType(op, "C4", {input, pooled});
}

/// The taps have the pooled shape; their type is wide enough for the window.
static LogicalResult verifyTaps(Operation *op, Value pooled, Value taps,
                                ArrayRef<int64_t> kernel) {
  if (failed(verifyCompatibleShape(pooled.getType(), taps.getType())))
    return op->emitOpError("taps should have the pooled shape");
  int64_t window = 1;
  for (int64_t k : kernel)
    if (llvm::MulOverflow(window, k, window))
      return op->emitOpError("has a window that no index reaches across");
  if (getElementTypeOrSelf(taps).isInteger(8) != (window <= 127))
    return op->emitOpError() << "taps of a window of " << window
                             << " should be " << (window <= 127 ? "i8" : "i32");
  return success();
}

LogicalResult MaxPoolOp::verify() {
  if (failed(verifyPool(*this, getInput(), getResult(), getKernel(),
                        getStrides(), getPads(), getDilations())))
    return failure();
  return verifyTaps(*this, getResult(), getTaps(), getKernel());
}
LogicalResult MaxPoolGradOp::verify() {
  if (failed(verifyPool(*this, getResult(), getDy(), getKernel(), getStrides(),
                        getPads(), getDilations())))
    return failure();
  return verifyTaps(*this, getDy(), getTaps(), getKernel());
}
LogicalResult AvgPoolOp::verify() {
  return verifyPool(*this, getInput(), getResult(), getKernel(), getStrides(),
                    getPads(), getDilations());
}
LogicalResult AvgPoolGradOp::verify() {
  return verifyPool(*this, getResult(), getDy(), getKernel(), getStrides(),
                    getPads(), getDilations());
}

void NNDialect::registerPoolingOps() {
  addOperations<
#define GET_OP_LIST
#include "mpt/Dialect/NN/IR/NNPoolingOps.cpp.inc"
      >();
}

#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNPoolingOps.cpp.inc"
