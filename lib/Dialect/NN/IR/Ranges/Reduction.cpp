//===- Reduction.cpp - Ranges of reductions -------------------------------===//

#include "RangeRules.h"

#include <cmath>

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

/// The elements that one element of the result combines: the product of all
/// reduced extents.
template <typename OpTy> static int64_t countReduced(OpTy op) {
  return countElements(shapeOf(op.getInput()), op.getAxes());
}

static void inferSum(ReduceSumOp op, Operands x, Results y) {
  NumericRange r = sumOf(x[0], countReduced(op), sumsWide(op.getInput()));
  y[0] = isFloat(op.getInput()) ? r : integers(r);
}

static void inferMean(ReduceMeanOp op, Operands x, Results y) {
  if (isFloat(op.getInput()))
    y[0] = meanOf(x[0], countReduced(op), sumsWide(op.getInput()));
}

template <typename OpTy>
static void inferExtremum(OpTy op, Operands x, Results y) {
  constexpr bool max = std::is_same_v<OpTy, ReduceMaxOp>;
  const NumericRange all = y[0];
  y[0] = x[0];
  // An extent that is not known may be 0.
  const bool known = llvm::none_of(op.getAxes(), [&](int64_t axis) {
    return shapeOf(op.getInput())[axis] <= 0;
  });
  if (known)
    return;
  // The extremum of nothing.
  if (!isFloat(op.getInput()))
    y[0] = all;
  else
    (max ? y[0].negInf : y[0].posInf) = true;
}

static void inferProd(ReduceProdOp op, Operands x, Results y) {
  if (!isFloat(op.getInput()))
    return;
  const auto count = static_cast<double>(countReduced(op));
  if (count == 0) {
    y[0] = NumericRange::point(1);
    return;
  }
  const NumericRange &a = x[0];
  const double slack = 1 + count * 0x1p-24;
  NumericRange r;
  if (a.hasFinite()) {
    const double most = std::pow(a.absMax(), count) * slack;
    r = a.lo >= 0 ? NumericRange::between(std::pow(a.lo, count) / slack, most)
                  : NumericRange::between(-most, most);
  }
  // Partial products may overflow although the whole does not.
  if (!a.isFinite() || std::pow(std::fmax(a.absMax(), 1), count) > 1e38) {
    r.posInf = r.nan = true;
    r.negInf = a.mayBeNegative();
  }
  y[0] = r;
}

template <typename OpTy> static void inferArg(OpTy op, Operands, Results y) {
  y[0] = indices(countElements(shapeOf(op.getInput())[op.getAxis()]));
}

static void inferCumSum(CumSumOp op, Operands x, Results y) {
  const int64_t extent = countElements(shapeOf(op.getInput())[op.getAxis()]);
  NumericRange r = op.getExclusive()
                       ? sumOf(x[0], 0, extent - 1, sumsWide(op.getInput()))
                       : sumOf(x[0], 1, extent, sumsWide(op.getInput()));
  y[0] = isFloat(op.getInput()) ? r : integers(r);
}

void nn::attachReductionRanges(MLIRContext *context) {
  attachRange<ReduceSumOp, inferSum>(context);
  attachRange<ReduceMeanOp, inferMean>(context);
  attachRange<ReduceMaxOp, inferExtremum<ReduceMaxOp>>(context);
  attachRange<ReduceMinOp, inferExtremum<ReduceMinOp>>(context);
  attachRange<ReduceProdOp, inferProd>(context);
  attachRange<ArgMaxOp, inferArg<ArgMaxOp>>(context);
  attachRange<ArgMinOp, inferArg<ArgMinOp>>(context);
  attachRange<CumSumOp, inferCumSum>(context);
}
