//===- Normalization.cpp - Ranges of normalizations -----------------------===//
//
// With mean m and population variance v of n numbers, |x - m| <= sqrt(n v), so
// that a normalized element has at most the magnitude sqrt(n); its root mean
// square is at most 1. The projection in the derivatives,
// g - mean(g) - xhat mean(g xhat), does not lengthen g: at most sqrt(n) max|g|.
//
// Both hold for the rounded mean and variance as far as FP32 sums go: the
// bounds carry the factor (1 + n 2^-24 + 2^-20).
//
//===----------------------------------------------------------------------===//

#include "RangeRules.h"

#include <cfloat>
#include <cmath>

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

static double withSumError(double bound, double count) {
  return bound * (1 + count * 0x1p-24 + 0x1p-20);
}

namespace {
/// What normalizing groups of n elements gives.
struct Normalized {
  NumericRange value; // (x - mean) * rstd, or x * rstd
  NumericRange mean, variance, rstd;
};
} // namespace

/// 1 / sqrt(moment + epsilon), for a moment that is not negative.
static NumericRange inverseRoot(const NumericRange &moment, double epsilon) {
  return NumericRange::point(1) / sqrtOf(moment + NumericRange::point(epsilon));
}

/// The special values of a group's results: one that is not finite spoils its
/// group. Squares may overflow FP32 on the way.
static bool mayBeSpoiled(const NumericRange &x, int64_t count, bool wide) {
  const double spread = 2 * x.absMax();
  return !x.isFinite() ||
         (!wide && spread * spread * static_cast<double>(count) > FLT_MAX);
}

static Normalized normalize(const NumericRange &x, int64_t count,
                            double epsilon, bool wide) {
  const auto n = static_cast<double>(count);
  Normalized r;
  r.mean = meanOf(x, count, wide);
  // Popoviciu: the variance of numbers in an interval.
  const double half = x.hasFinite() ? (x.hi - x.lo) / 2 : 0;
  r.variance = NumericRange::between(0, withSumError(half * half, n));
  r.rstd = inverseRoot(r.variance, epsilon);
  double bound = withSumError(std::sqrt(n), n);
  if (epsilon > 0)
    bound = std::fmin(bound, withSumError(2 * half / std::sqrt(epsilon), n));
  r.value = NumericRange::between(-bound, bound);
  if (mayBeSpoiled(x, count, wide)) {
    r.value.nan = r.variance.nan = r.rstd.nan = true;
    r.variance.posInf = true;
    r.rstd.joinZero(); // 1 / sqrt(inf)
  }
  // 0 * (1 / sqrt(0)).
  r.value.nan |= !(epsilon > 0);
  return r;
}

static Normalized normalizeBySquares(const NumericRange &x, int64_t count,
                                     double epsilon, bool wide) {
  const auto n = static_cast<double>(count);
  Normalized r;
  r.variance = meanOf(squareOf(x), count, wide);
  r.rstd = inverseRoot(r.variance, epsilon);
  double bound = withSumError(std::sqrt(n), n);
  if (epsilon > 0)
    bound = std::fmin(bound, withSumError(x.absMax() / std::sqrt(epsilon), n));
  r.value = NumericRange::between(-bound, bound);
  if (mayBeSpoiled(x, count, wide)) {
    r.value.nan = r.rstd.nan = true;
    r.rstd.joinZero();
  }
  r.value.nan |= !(epsilon > 0);
  return r;
}

//===----------------------------------------------------------------------===//
// Forward
//===----------------------------------------------------------------------===//

static int64_t countFrom(Value value, int64_t axis) {
  return countElements(shapeOf(value).drop_front(axis));
}
/// Elements per channel.
static int64_t countPerChannel(Value value) {
  SmallVector<int64_t> extents(shapeOf(value));
  extents.erase(extents.begin() + 1);
  return countElements(extents);
}
static int64_t countPerGroup(Value value, int64_t groups) {
  SmallVector<int64_t> extents(shapeOf(value).drop_front());
  if (extents[0] >= 0)
    extents[0] /= groups;
  return countElements(extents);
}

static void inferBatchNormInference(BatchNormInferenceOp op, Operands x,
                                    Results y) {
  NumericRange rstd = inverseRoot(x[4], op.getEpsilon().convertToDouble());
  y[0] = (x[0] - x[3]) * rstd * x[1] + x[2];
}

static void inferBatchNormTraining(BatchNormTrainingOp op, Operands x,
                                   Results y) {
  const int64_t count = countPerChannel(op.getInput());
  if (count == 0)
    return;
  const double momentum = op.getMomentum().convertToDouble();
  const Normalized r = normalize(x[0], count, op.getEpsilon().convertToDouble(),
                                 sumsWide(op.getInput()));
  y[0] = r.value * x[1] + x[2];
  y[1] = scaled(x[3], momentum) + scaled(r.mean, 1 - momentum);
  y[2] = scaled(x[4], momentum) + scaled(r.variance, 1 - momentum);
  y[3] = r.mean;
  y[4] = r.rstd;
}

static void setNormResults(Results y, const Normalized &r,
                           const NumericRange &scale,
                           const NumericRange *bias) {
  y[0] = r.value * scale;
  if (bias)
    y[0] = y[0] + *bias;
  y[1] = r.mean;
  y[2] = r.rstd;
}

static void inferLayerNorm(LayerNormOp op, Operands x, Results y) {
  const int64_t count = countFrom(op.getInput(), op.getAxis());
  if (count == 0)
    return;
  setNormResults(y,
                 normalize(x[0], count, op.getEpsilon().convertToDouble(),
                           sumsWide(op.getInput())),
                 x[1], op.getBias() ? &x[2] : nullptr);
}

static void inferGroupNorm(GroupNormOp op, Operands x, Results y) {
  const int64_t count = countPerGroup(op.getInput(), op.getNumGroups());
  if (count == 0)
    return;
  setNormResults(y,
                 normalize(x[0], count, op.getEpsilon().convertToDouble(),
                           sumsWide(op.getInput())),
                 x[1], &x[2]);
}

static void inferRMSNorm(RMSNormOp op, Operands x, Results y) {
  const int64_t count = countFrom(op.getInput(), op.getAxis());
  if (count == 0)
    return;
  const Normalized r = normalizeBySquares(
      x[0], count, op.getEpsilon().convertToDouble(), sumsWide(op.getInput()));
  y[0] = r.value * x[1];
  y[1] = r.rstd;
}

//===----------------------------------------------------------------------===//
// Backward
//===----------------------------------------------------------------------===//

/// The rounding unit of a float type.
static double unitOf(Value value) {
  Type type = getElementTypeOrSelf(value);
  return type.isF16()    ? 0x1p-11
         : type.isBF16() ? 0x1p-8
         : type.isF32()  ? 0x1p-24
                         : 0x1p-53;
}

namespace {
/// What a derivative knows of the normalized input that it computes again.
struct Recomputed {
  int64_t count = 0;
  bool wide = false;
  /// The statistics are those of normalizing this very input: its normalized
  /// elements are those of the forward operation up to `error`.
  bool linked = false;
  double error = 0;
  NumericRange xhat;

  double root() const { return std::sqrt(static_cast<double>(count)); }
  NumericRange bounded(NumericRange range, double bound) const {
    bound = withSumError(bound, static_cast<double>(count));
    if (linked && range.hasFinite()) {
      range.lo = std::fmax(range.lo, -bound);
      range.hi = std::fmin(range.hi, bound);
      range.tidy();
    }
    return range;
  }
};
} // namespace

/// `OpTy` is the forward operation, `input` and the statistics are operands of
/// its derivative; `sameGroups(forward)` tells whether it normalized the same
/// groups.
template <typename OpTy, typename SameGroups>
static Recomputed recompute(Value input, const NumericRange &x, Value mean,
                            const NumericRange *meanRange, Value rstd,
                            const NumericRange &rstdRange, int64_t count,
                            SameGroups sameGroups) {
  Recomputed r;
  r.count = count;
  r.wide = sumsWide(input);
  r.xhat = (meanRange ? x - *meanRange : x) * rstdRange;
  auto forward = rstd.getDefiningOp<OpTy>();
  if (!forward || (mean && mean.getDefiningOp() != forward) ||
      skipCasts(forward.getInput()) != skipCasts(input) || !sameGroups(forward))
    return r;
  r.linked = true;
  // The mean is rounded when it is saved, the input where it was cast. What
  // that changes, counted in standard deviations:
  if (meanRange)
    r.error = meanRange->absMax() * unitOf(mean) * rstdRange.absMax();
  if (forward.getInput() != input)
    r.error +=
        (x.absMax() * std::fmax(unitOf(input), unitOf(forward.getInput())) +
         0x1p-25) *
        2 * rstdRange.absMax();
  else // numbers that differ do so by their unit at least
    r.error = std::fmin(r.error, r.root());
  r.xhat = r.bounded(r.xhat, r.root() + r.error);
  return r;
}

/// g - mean(g) - xhat mean(g xhat), without mean(g) unless `centered`.
static NumericRange project(const NumericRange &g, const Recomputed &x,
                            bool centered) {
  NumericRange r = g - x.xhat * meanOf(g * x.xhat, x.count, x.wide);
  if (centered)
    r = r - meanOf(g, x.count, x.wide);
  return x.bounded(r, g.absMax() *
                          (x.root() + x.error * (1 + x.root() + x.error)));
}

static void inferBatchNormGrad(BatchNormGradOp op, Operands x, Results y) {
  const int64_t count = countPerChannel(op.getInput());
  if (count == 0)
    return;
  const Recomputed input = recompute<BatchNormTrainingOp>(
      op.getInput(), x[1], op.getMean(), &x[3], op.getRstd(), x[4], count,
      [](BatchNormTrainingOp) { return true; });
  y[0] = x[2] * x[4] * project(x[0], input, /*centered=*/true);
  // The mean magnitude of a normalized element is at most 1.
  y[1] = input.bounded(sumOf(x[0] * input.xhat, count, input.wide),
                       static_cast<double>(count) * x[0].absMax() *
                           (1 + input.error));
  y[2] = sumOf(x[0], count, input.wide);
}

/// Gradients of layer_norm and group_norm: dy scale is projected; scale and
/// shift collect `shared` elements each.
static void inferRowNormGrad(Operands x, Results y, const Recomputed &input,
                             int64_t shared) {
  y[0] = x[4] * project(x[0] * x[2], input, /*centered=*/true);
  y[1] = sumOf(x[0] * input.xhat, shared, input.wide);
  y[2] = sumOf(x[0], shared, input.wide);
}

static void inferLayerNormGrad(LayerNormGradOp op, Operands x, Results y) {
  const int64_t count = countFrom(op.getInput(), op.getAxis());
  if (count == 0)
    return;
  inferRowNormGrad(
      x, y,
      recompute<LayerNormOp>(op.getInput(), x[1], op.getMean(), &x[3],
                             op.getRstd(), x[4], count,
                             [&](LayerNormOp forward) {
                               return forward.getAxis() == op.getAxis();
                             }),
      countElements(shapeOf(op.getInput()).take_front(op.getAxis())));
}

static void inferGroupNormGrad(GroupNormGradOp op, Operands x, Results y) {
  const int64_t count = countPerGroup(op.getInput(), op.getNumGroups());
  if (count == 0)
    return;
  inferRowNormGrad(x, y,
                   recompute<GroupNormOp>(op.getInput(), x[1], op.getMean(),
                                          &x[3], op.getRstd(), x[4], count,
                                          [&](GroupNormOp forward) {
                                            return forward.getNumGroups() ==
                                                   op.getNumGroups();
                                          }),
                   countPerChannel(op.getInput()));
}

static void inferRMSNormGrad(RMSNormGradOp op, Operands x, Results y) {
  const int64_t count = countFrom(op.getInput(), op.getAxis());
  if (count == 0)
    return;
  const Recomputed input = recompute<RMSNormOp>(
      op.getInput(), x[1], Value(), nullptr, op.getRstd(), x[3], count,
      [&](RMSNormOp forward) { return forward.getAxis() == op.getAxis(); });
  y[0] = x[3] * project(x[0] * x[2], input, /*centered=*/false);
  y[1] = sumOf(x[0] * input.xhat,
               countElements(shapeOf(op.getInput()).take_front(op.getAxis())),
               input.wide);
}

void nn::attachNormalizationRanges(MLIRContext *context) {
  attachRange<BatchNormInferenceOp, inferBatchNormInference>(context);
  attachRange<BatchNormTrainingOp, inferBatchNormTraining>(context);
  attachRange<BatchNormGradOp, inferBatchNormGrad>(context);
  attachRange<LayerNormOp, inferLayerNorm>(context);
  attachRange<LayerNormGradOp, inferLayerNormGrad>(context);
  attachRange<RMSNormOp, inferRMSNorm>(context);
  attachRange<RMSNormGradOp, inferRMSNormGrad>(context);
  attachRange<GroupNormOp, inferGroupNorm>(context);
  attachRange<GroupNormGradOp, inferGroupNormGrad>(context);
}
