//===- Softmax.cpp - Ranges of softmax, log-softmax and their gradients ---===//

#include "RangeRules.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

/// Does every line of a constant mask along `axis` keep an element that is not
/// -inf? Then a sum with finite scores does too.
static bool everyLineStaysOpen(DenseElementsAttr mask, int64_t axis) {
  auto type = cast<RankedTensorType>(mask.getType());
  if (!isa<FloatType>(type.getElementType()) || type.getNumElements() == 0)
    return false;
  if (mask.isSplat())
    return mask.getSplatValue<APFloat>().isFinite();
  const int64_t extent = type.getDimSize(axis);
  int64_t inner = 1;
  for (int64_t size : type.getShape().drop_front(axis + 1))
    inner *= size;
  std::vector<bool> open(type.getNumElements() / extent, false);
  int64_t i = 0;
  for (APFloat value : mask.getValues<APFloat>()) {
    if (value.isFinite())
      open[i / (extent * inner) * inner + i % inner] = true;
    ++i;
  }
  return llvm::all_of(open, [](bool value) { return value; });
}

/// May a line consist of -inf only? `x` may be -inf.
static bool mayBeMaskedCompletely(Value input, int64_t axis) {
  auto add = skipCasts(input).getDefiningOp<AddOp>();
  if (!add)
    return true;
  const int64_t rank = static_cast<int64_t>(shapeOf(add).size());
  for (Value operand : add->getOperands()) {
    DenseElementsAttr mask;
    if (!matchPattern(operand, m_Constant(&mask)))
      continue;
    auto type = cast<RankedTensorType>(mask.getType());
    const int64_t own = axis - (rank - type.getRank());
    if (own < 0 || type.getDimSize(own) != shapeOf(add)[axis])
      return true;
    return !everyLineStaysOpen(mask, own);
  }
  return true;
}

/// A NaN stands behind a NaN, an infinity, or a line of -inf.
static bool mayBeNaN(Value input, const NumericRange &x, int64_t axis) {
  return x.nan || x.posInf || (x.negInf && mayBeMaskedCompletely(input, axis));
}

static void inferSoftmax(SoftmaxOp op, Operands x, Results y) {
  const int64_t extent = countElements(shapeOf(op.getInput())[op.getAxis()]);
  // exp(lo - hi) / K; 0 for -inf.
  const double least =
      x[0].hasFinite() && !x[0].negInf
          ? std::exp(x[0].lo - x[0].hi) / static_cast<double>(extent)
          : 0;
  y[0] = NumericRange::between(least * (1 - 0x1p-20), 1);
  y[0].nan = mayBeNaN(op.getInput(), x[0], op.getAxis());
}

/// log_softmax: from lo - hi - log K to 0.
static NumericRange logSoftmax(const NumericRange &x, int64_t extent) {
  NumericRange r = NumericRange::point(0);
  if (x.hasFinite())
    r = NumericRange::between(
        (x.lo - x.hi - std::log(static_cast<double>(extent))) * (1 + 0x1p-20),
        0);
  // A finite distance may overflow.
  r.negInf |= x.negInf;
  return r;
}

static void inferLogSoftmax(LogSoftmaxOp op, Operands x, Results y) {
  y[0] = logSoftmax(x[0], countElements(shapeOf(op.getInput())[op.getAxis()]));
  y[0].nan = mayBeNaN(op.getInput(), x[0], op.getAxis());
}

static double unitOf(Value value) {
  Type type = getElementTypeOrSelf(value);
  return type.isF16()    ? 0x1p-11
         : type.isBF16() ? 0x1p-8
         : type.isF32()  ? 0x1p-24
                         : 0x1p-53;
}

/// y (dy - sum(dy y)). Where y is a softmax along the same axis, the sum is a
/// mean of dy's, and |dx| = y (1 - y) |dy - mean of the others| is at most a
/// quarter of their spread.
static void inferSoftmaxGrad(SoftmaxGradOp op, Operands x, Results y) {
  const int64_t extent = countElements(shapeOf(op.getY())[op.getAxis()]);
  const NumericRange &dy = x[0], &p = x[1];
  NumericRange r = p * (dy - sumOf(dy * p, extent, sumsWide(op.getDy())));
  auto forward = skipCasts(op.getY()).getDefiningOp<SoftmaxOp>();
  if (forward && forward.getAxis() == op.getAxis() && r.hasFinite()) {
    // Stored probabilities do not add up to 1 exactly.
    const double defect = 2 * std::fmax(unitOf(op.getY()), unitOf(forward)) +
                          static_cast<double>(extent) * 0x1p-24;
    const double bound =
        ((dy.hi - dy.lo) / 4 + 2 * defect * dy.absMax()) * (1 + 0x1p-20);
    if (dy.hasFinite()) {
      r.lo = std::fmax(r.lo, -bound);
      r.hi = std::fmin(r.hi, bound);
      r.tidy();
    }
  }
  y[0] = r;
}

/// dy - exp(y) sum(dy).
static void inferLogSoftmaxGrad(LogSoftmaxGradOp op, Operands x, Results y) {
  const int64_t extent = countElements(shapeOf(op.getY())[op.getAxis()]);
  y[0] = x[0] - expOf(x[1]) * sumOf(x[0], extent, sumsWide(op.getDy()));
}

//===----------------------------------------------------------------------===//
// Cross-entropy of a softmax
//===----------------------------------------------------------------------===//

static int64_t countSamples(Value logits, int64_t axis) {
  SmallVector<int64_t> extents(shapeOf(logits));
  extents.erase(extents.begin() + axis);
  return countElements(extents);
}

/// The weights of samples: 1, or what is given; ignored samples have 0.
template <typename OpTy>
static NumericRange sampleWeights(OpTy op, const NumericRange *given) {
  NumericRange weights = given ? *given : NumericRange::point(1);
  if (op.getIgnoreIndex())
    weights.joinZero();
  return weights;
}

static void inferCrossEntropy(SoftmaxCrossEntropyOp op, Operands x, Results y) {
  const int64_t classes = countElements(shapeOf(op.getLogits())[op.getAxis()]);
  const int64_t samples = countSamples(op.getLogits(), op.getAxis());
  const NumericRange *given = op.getWeights() ? &x[2] : nullptr;
  const NumericRange weights = sampleWeights(op, given);
  NumericRange logProb = logSoftmax(x[0], classes);
  logProb.nan = mayBeNaN(op.getLogits(), x[0], op.getAxis());
  y[1] = logProb;
  const NumericRange term = -logProb;
  switch (op.getReduction()) {
  case LossReduction::None:
    y[0] = term * weights;
    break;
  case LossReduction::Sum:
    y[0] = sumOf(term * weights, samples, sumsWide(op.getLogits()));
    break;
  case LossReduction::Mean:
    // A weighted mean; 0 / 0 where nothing counts.
    if (weights.lo < 0 || !weights.isFinite())
      return;
    y[0] = meanOf(term, samples, sumsWide(op.getLogits()));
    y[0].joinZero();
    y[0].nan |= weights.mayBeZero();
    break;
  }
}

static void inferCrossEntropyGrad(SoftmaxCrossEntropyGradOp op, Operands x,
                                  Results y) {
  const int64_t samples = countSamples(op.getLogProb(), op.getAxis());
  const NumericRange *given = op.getWeights() ? &x[3] : nullptr;
  const NumericRange weights = sampleWeights(op, given);
  // exp(log_prob) - onehot
  NumericRange slope = expOf(x[1]);
  slope = slope + NumericRange::between(-1, 0);
  NumericRange share = weights;
  if (op.getReduction() == LossReduction::Mean) {
    if (weights.lo < 0 || !weights.isFinite())
      return;
    // w / sum(w) is at most 1, and 1 / samples where all count alike.
    const double each = 1 / static_cast<double>(samples);
    share = given || op.getIgnoreIndex() ? NumericRange::between(0, 1)
                                         : NumericRange::between(each, each);
  }
  y[0] = x[0] * share * slope;
  if (given || op.getIgnoreIndex())
    y[0].joinZero();
}

//===----------------------------------------------------------------------===//
// CTC. Losses of samples that have no path are infinite, slopes NaN.
//===----------------------------------------------------------------------===//

static void inferCTC(CTCLossOp op, Operands x, Results y) {
  ArrayRef<int64_t> shape = shapeOf(op.getLogits());
  NumericRange logProb = logSoftmax(x[0], countElements(shape[2]));
  logProb.nan = mayBeNaN(op.getLogits(), x[0], 2);
  y[1] = logProb;
  if (!logProb.hasFinite())
    return;
  // A single path has the product of a probability per frame, and a frame has
  // at most three times the ways of the one before.
  const auto frames = static_cast<double>(countElements(shape[1]));
  const double least = frames * (logProb.lo - std::log(3.0)) * (1 + 0x1p-16);
  y[2] = NumericRange::between(least, 0);
  y[2].negInf = y[2].nan = true;
  // Rounding may take a loss near 0 below it.
  double samples = 1;
  if (op.getReduction() == LossReduction::Sum)
    samples = static_cast<double>(countElements(shape[0]));
  y[0] = NumericRange::between(samples * least * 0x1p-16,
                               -samples * least * (1 + 0x1p-16));
  y[0].posInf = y[0].nan = true;
}

/// Shares of the loss's slope: a probability minus a posterior.
static void inferCTCGrad(CTCLossGradOp, Operands x, Results y) {
  const double bound = 1 + 0x1p-8;
  y[0] = x[0] * NumericRange::between(-bound, bound);
  y[0].joinZero();
  y[0].nan = true;
}

void nn::attachSoftmaxRanges(MLIRContext *context) {
  attachRange<SoftmaxOp, inferSoftmax>(context);
  attachRange<LogSoftmaxOp, inferLogSoftmax>(context);
  attachRange<SoftmaxGradOp, inferSoftmaxGrad>(context);
  attachRange<LogSoftmaxGradOp, inferLogSoftmaxGrad>(context);
  attachRange<SoftmaxCrossEntropyOp, inferCrossEntropy>(context);
  attachRange<SoftmaxCrossEntropyGradOp, inferCrossEntropyGrad>(context);
  attachRange<CTCLossOp, inferCTC>(context);
  attachRange<CTCLossGradOp, inferCTCGrad>(context);
}
