//===- Contraction.cpp - Ranges of matrix products and convolutions -------===//
//
// A sum of K products: K is the contracted extent, or a window's elements times
// the channels of a group.
//
//===----------------------------------------------------------------------===//

#include "RangeRules.h"

#include <numeric>

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

static void inferMatMul(MatMulOp op, Operands x, Results y) {
  ArrayRef<int64_t> lhs = shapeOf(op.getLhs());
  const int64_t depth = lhs[lhs.size() - (op.getTransposeLhs() ? 2 : 1)];
  y[0] = sumOf(x[0] * x[1], countElements(depth), sumsWide(op.getLhs()));
}

template <typename OpTy> static bool hasPads(OpTy op) {
  return llvm::any_of(op.getPads(), [](int64_t pad) { return pad != 0; });
}

static void inferConv(ConvOp op, Operands x, Results y) {
  NumericRange input = x[0];
  if (hasPads(op))
    input.joinZero();
  // [F, C/group, K...]: all but the filters.
  const int64_t depth = countElements(shapeOf(op.getFilter()).drop_front());
  y[0] = sumOf(input * x[1], depth, sumsWide(op.getInput()));
  if (op.getBias())
    y[0] = y[0] + x[2];
}

static void inferConvTranspose(ConvTransposeOp op, Operands x, Results y) {
  ArrayRef<int64_t> filter = shapeOf(op.getFilter());
  // Of a window's elements along an axis, those that hit one position lie
  // stride / gcd(stride, dilation) apart.
  SmallVector<int64_t> hits{
      filter[0] < 0 ? filter[0]
                    : filter[0] / static_cast<int64_t>(op.getGroup())};
  for (auto [extent, stride, dilation] :
       llvm::zip(filter.drop_front(2), op.getStrides(), op.getDilations())) {
    const int64_t apart = stride / std::gcd(stride, dilation);
    hits.push_back(extent < 0 ? extent : (extent + apart - 1) / apart);
  }
  y[0] = sumOf(x[0] * x[1], 0, countElements(hits), sumsWide(op.getInput()));
}

static void inferConvFilterGrad(ConvFilterGradOp op, Operands x, Results y) {
  NumericRange input = x[0];
  if (hasPads(op))
    input.joinZero();
  // [N, F, Y...]: all but the filters.
  ArrayRef<int64_t> dy = shapeOf(op.getDy());
  SmallVector<int64_t> extents(dy.drop_front(2));
  extents.push_back(dy[0]);
  y[0] = sumOf(input * x[1], countElements(extents), sumsWide(op.getInput()));
}

void nn::attachContractionRanges(MLIRContext *context) {
  attachRange<MatMulOp, inferMatMul>(context);
  attachRange<ConvOp, inferConv>(context);
  attachRange<ConvTransposeOp, inferConvTranspose>(context);
  attachRange<ConvFilterGradOp, inferConvFilterGrad>(context);
}
