//===- Pooling.cpp - Ranges of pooling ------------------------------------===//

#include "RangeRules.h"

#include <numeric>

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

/// Can a window lie outside of the input altogether? Windows start inside the
/// input or its begin padding, so not where that is shorter than a window
/// without holes.
template <typename OpTy> static bool mayMissInput(OpTy op) {
  for (auto [axis, extent] : llvm::enumerate(op.getKernel()))
    if (op.getPads()[axis] != 0 &&
        (op.getDilations()[axis] != 1 || op.getPads()[axis] >= extent))
      return true;
  return false;
}

/// The most windows that cover an element of the input.
template <typename OpTy> static int64_t countWindows(OpTy op) {
  SmallVector<int64_t> hits;
  for (auto [extent, stride, dilation] :
       llvm::zip(op.getKernel(), op.getStrides(), op.getDilations())) {
    const int64_t apart = stride / std::gcd(stride, dilation);
    hits.push_back((extent + apart - 1) / apart);
  }
  return countElements(hits);
}

static void inferMaxPool(MaxPoolOp op, Operands x, Results y) {
  const NumericRange all = y[0];
  y[0] = x[0];
  if (mayMissInput(op)) {
    // The lowest value of the type.
    if (isFloat(op.getInput()))
      y[0].negInf = true;
    else
      y[0].join(NumericRange::point(all.lo));
  }
  y[1] = indices(countElements(op.getKernel()));
}

static void inferMaxPoolGrad(MaxPoolGradOp op, Operands x, Results y) {
  y[0] = sumOf(x[0], 0, countWindows(op), sumsWide(op.getDy()));
}

static void inferAvgPool(AvgPoolOp op, Operands x, Results y) {
  NumericRange input = x[0];
  // Padding counts as zeros, or a window without elements has the mean 0.
  if (llvm::any_of(op.getPads(), [](int64_t pad) { return pad != 0; }))
    input.joinZero();
  y[0] = meanOf(input, countElements(op.getKernel()), sumsWide(op.getInput()));
}

static void inferAvgPoolGrad(AvgPoolGradOp op, Operands x, Results y) {
  // Does every window hold all its elements?
  bool full = true;
  ArrayRef<int64_t> dy = shapeOf(op.getDy()), dx = shapeOf(op.getResult());
  for (size_t axis = 0; axis < op.getKernel().size(); ++axis) {
    const int64_t windows = dy[axis + 2], extent = dx[axis + 2];
    full &= op.getPads()[axis] == 0 && windows >= 0 && extent >= 0 &&
            (windows - 1) * op.getStrides()[axis] +
                    (op.getKernel()[axis] - 1) * op.getDilations()[axis] <
                extent;
  }
  NumericRange share = x[0];
  if (full)
    share = x[0] / NumericRange::point(
                       static_cast<double>(countElements(op.getKernel())));
  else
    share.join(
        scaled(x[0], 1 / static_cast<double>(countElements(op.getKernel()))));
  y[0] = sumOf(share, 0, countWindows(op), sumsWide(op.getDy()));
}

void nn::attachPoolingRanges(MLIRContext *context) {
  attachRange<MaxPoolOp, inferMaxPool>(context);
  attachRange<MaxPoolGradOp, inferMaxPoolGrad>(context);
  attachRange<AvgPoolOp, inferAvgPool>(context);
  attachRange<AvgPoolGradOp, inferAvgPoolGrad>(context);
}
