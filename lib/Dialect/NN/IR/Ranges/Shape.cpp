//===- Shape.cpp - Ranges of shapes, indexing and structure ---------------===//

#include "RangeRules.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

template <typename OpTy> static void inferSame(OpTy, Operands x, Results y) {
  for (NumericRange &result : y)
    result = x[0];
}

static void inferConcat(ConcatOp, Operands x, Results y) {
  y[0] = NumericRange::none();
  for (const NumericRange &part : x)
    y[0].join(part);
}

static void inferSliceGrad(SliceGradOp, Operands x, Results y) {
  y[0] = x[0];
  y[0].joinZero();
}

static void inferPad(PadOp op, Operands x, Results y) {
  y[0] = x[0];
  auto grows = [](int64_t border) { return border > 0; };
  if (op.getMode() != PadMode::Constant ||
      (llvm::none_of(op.getLow(), grows) && llvm::none_of(op.getHigh(), grows)))
    return;
  double value = op.getValue().convertToDouble();
  if (!isFloat(op.getInput()))
    value = std::trunc(value);
  y[0].join(NumericRange::point(value));
}

/// An element collects itself and the border elements that copied it.
static void inferPadGrad(PadGradOp op, Operands x, Results y) {
  SmallVector<int64_t> copies;
  for (auto [low, high] : llvm::zip(op.getLow(), op.getHigh()))
    copies.push_back(op.getMode() == PadMode::Constant
                         ? 1
                         : 1 + std::max<int64_t>(low, 0) +
                               std::max<int64_t>(high, 0));
  y[0] = sumOf(x[0], 0, countElements(copies), sumsWide(op.getDy()));
}

//===----------------------------------------------------------------------===//
// Indexing. In the worst case all indices are the same.
//===----------------------------------------------------------------------===//

static void inferGatherGrad(GatherGradOp op, Operands x, Results y) {
  y[0] = sumOf(x[0], 0, countElements(shapeOf(op.getIndices())),
               sumsWide(op.getDy()));
}

static void inferGatherElementsGrad(GatherElementsGradOp op, Operands x,
                                    Results y) {
  y[0] = sumOf(x[0], 0, countElements(shapeOf(op.getIndices())[op.getAxis()]),
               sumsWide(op.getDy()));
}

static void inferGatherNDGrad(GatherNDGradOp op, Operands x, Results y) {
  ArrayRef<int64_t> tuples =
      shapeOf(op.getIndices()).drop_front(op.getBatchDims()).drop_back();
  y[0] = sumOf(x[0], 0, countElements(tuples), sumsWide(op.getDy()));
}

static void inferTopK(TopKOp op, Operands x, Results y) {
  y[0] = x[0];
  y[1] = indices(countElements(shapeOf(op.getData())[op.getAxis()]));
}

void nn::attachShapeRanges(MLIRContext *context) {
  attachRange<ReshapeOp, inferSame<ReshapeOp>>(context);
  attachRange<TransposeOp, inferSame<TransposeOp>>(context);
  attachRange<ExpandOp, inferSame<ExpandOp>>(context);
  attachRange<ConcatOp, inferConcat>(context);
  attachRange<SplitOp, inferSame<SplitOp>>(context);
  attachRange<SliceOp, inferSame<SliceOp>>(context);
  attachRange<SliceGradOp, inferSliceGrad>(context);
  attachRange<PadOp, inferPad>(context);
  attachRange<PadGradOp, inferPadGrad>(context);
  attachRange<GatherOp, inferSame<GatherOp>>(context);
  attachRange<GatherGradOp, inferGatherGrad>(context);
  attachRange<GatherElementsOp, inferSame<GatherElementsOp>>(context);
  attachRange<GatherElementsGradOp, inferGatherElementsGrad>(context);
  attachRange<GatherNDOp, inferSame<GatherNDOp>>(context);
  attachRange<GatherNDGradOp, inferGatherNDGrad>(context);
  attachRange<TopKOp, inferTopK>(context);
}
