//===- Training.cpp - Ranges of pair losses and optimizers ----------------===//

#include "RangeRules.h"

#include <cmath>

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

//===----------------------------------------------------------------------===//
// Losses over pairs
//===----------------------------------------------------------------------===//

template <typename OpTy>
static NumericRange reduceLoss(OpTy op, const NumericRange &term) {
  const int64_t count = countElements(shapeOf(op.getPrediction()));
  const bool wide = sumsWide(op.getPrediction());
  switch (op.getReduction()) {
  case LossReduction::None:
    return term;
  case LossReduction::Mean:
    return meanOf(term, count, wide);
  case LossReduction::Sum:
    return sumOf(term, count, wide);
  }
  return NumericRange::unknown(getElementTypeOrSelf(op.getPrediction()));
}

/// dloss slope / count.
template <typename OpTy>
static NumericRange scaleSlope(OpTy op, const NumericRange &dloss,
                               const NumericRange &slope) {
  NumericRange r = dloss * slope;
  if (op.getReduction() == LossReduction::Mean)
    r = r / NumericRange::point(static_cast<double>(
                countElements(shapeOf(op.getPrediction()))));
  return r;
}

static void inferMSE(MSELossOp op, Operands x, Results y) {
  y[0] = reduceLoss(op, squareOf(x[0] - x[1]));
}
static void inferMSEGrad(MSELossGradOp op, Operands x, Results y) {
  y[0] = scaleSlope(op, x[0], scaled(x[1] - x[2], 2));
}
static void inferL1(L1LossOp op, Operands x, Results y) {
  y[0] = reduceLoss(op, absOf(x[0] - x[1]));
}
static void inferL1Grad(L1LossGradOp op, Operands x, Results y) {
  const NumericRange difference = x[1] - x[2];
  NumericRange slope = NumericRange::between(-1, 1);
  slope.nan = difference.nan;
  y[0] = scaleSlope(op, x[0], slope);
}

static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// max(x, 0) - x t + log1p(e^-|x|)
static void inferBCE(BCEWithLogitsLossOp op, Operands x, Results y) {
  NumericRange tail = NumericRange::between(0, 0.6931471805599454);
  tail.nan = x[0].nan;
  NumericRange term = maxOf(x[0], NumericRange::point(0)) - x[0] * x[1] + tail;
  // With a probability as target it is a cross-entropy.
  if (x[1].isFinite() && x[1].lo >= 0 && x[1].hi <= 1 && term.hasFinite()) {
    const double bound = (x[0].absMax() + 0.6931471805599454) * (1 + 0x1p-20);
    // Its three parts cancel up to their rounding.
    term.lo = std::fmax(term.lo, -bound * 0x1p-20);
    term.hi = std::fmin(term.hi, bound);
    term.tidy();
  }
  y[0] = reduceLoss(op, term);
}
static void inferBCEGrad(BCEWithLogitsLossGradOp op, Operands x, Results y) {
  y[0] = scaleSlope(op, x[0], apply(x[1], sigmoid) - x[2]);
}

//===----------------------------------------------------------------------===//
// Optimizers
//===----------------------------------------------------------------------===//

static void inferSGD(SGDOp op, Operands x, Results y) {
  const double momentum = op.getMomentum().convertToDouble();
  const NumericRange share = NumericRange::between(
      std::fmin(1 - op.getDampening().convertToDouble(), 1),
      std::fmax(1 - op.getDampening().convertToDouble(), 1));
  const NumericRange g =
      x[1] + scaled(x[0], op.getWeightDecay().convertToDouble());
  NumericRange velocity = x[2], update = g;
  if (momentum != 0) {
    velocity = scaled(x[2], momentum) + share * g;
    update = op.getNesterov() ? g + scaled(velocity, momentum) : velocity;
  }
  y[0] = x[0] - x[3] * update;
  y[1] = velocity;
}

static void inferAdam(AdamOp op, Operands x, Results y) {
  const double beta1 = op.getBeta1().convertToDouble();
  const double beta2 = op.getBeta2().convertToDouble();
  const double decay = op.getWeightDecay().convertToDouble();
  NumericRange g = x[1];
  if (!op.getDecoupled() && decay != 0)
    g = g + scaled(x[0], decay);
  const NumericRange m = scaled(x[2], beta1) + scaled(g, 1 - beta1);
  const NumericRange v = scaled(x[3], beta2) + scaled(squareOf(g), 1 - beta2);
  y[1] = m;
  y[2] = v;
  // A step count that is not known may be 0, and the corrections with it.
  const bool known = x[5].hasFinite() && x[5].lo >= 1 && beta1 >= 0 &&
                     beta1 < 1 && beta2 >= 0 && beta2 < 1;
  if (!known)
    return;
  const NumericRange correction1 = NumericRange::between(1 - beta1, 1);
  const NumericRange correction2 = NumericRange::between(1 - beta2, 1);
  const NumericRange root =
      sqrtOf(v / correction2) +
      NumericRange::point(op.getEpsilon().convertToDouble());
  NumericRange p = x[0];
  if (op.getDecoupled())
    p = x[0] - x[0] * scaled(x[4], decay);
  y[0] = p - x[4] * (m / correction1) / root;
}

void nn::attachTrainingRanges(MLIRContext *context) {
  attachRange<MSELossOp, inferMSE>(context);
  attachRange<MSELossGradOp, inferMSEGrad>(context);
  attachRange<L1LossOp, inferL1>(context);
  attachRange<L1LossGradOp, inferL1Grad>(context);
  attachRange<BCEWithLogitsLossOp, inferBCE>(context);
  attachRange<BCEWithLogitsLossGradOp, inferBCEGrad>(context);
  attachRange<SGDOp, inferSGD>(context);
  attachRange<AdamOp, inferAdam>(context);
}
