//===- CTC.cpp - Connectionist temporal classification --------------------===//
//
// Graves et al., "Connectionist Temporal Classification", ICML 2006: forward
// and backward variables over the labels with a blank before, between and
// behind them, in log space.
//
//===----------------------------------------------------------------------===//

#include "Evaluation.h"
#include "Softmax.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace mpt::reference {

static constexpr double kLow = -std::numeric_limits<double>::infinity();
static constexpr double kHigh = std::numeric_limits<double>::infinity();

/// log(e^a + e^b + e^c); NaN stays.
static double addLogs(double a, double b, double c = kLow) {
  for (double x : {a, b, c})
    if (std::isnan(x))
      return x;
  const double max = std::max({a, b, c});
  if (max == kLow)
    return kLow;
  return max +
         std::log(std::exp(a - max) + std::exp(b - max) + std::exp(c - max));
}

namespace {
/// One sample: its labels with blanks between, and where its frames are.
struct Sample {
  int64_t frames, firstElement, classes;
  SmallVector<int64_t> states; // blank, label, blank, ..., blank
  int64_t labels;

  /// May a path go from state s - 2 straight to s?
  bool skips(int64_t s) const {
    return s >= 2 && states[s] != states[0] && states[s] != states[s - 2];
  }
  int64_t at(int64_t frame, int64_t state) const {
    return firstElement + frame * classes + states[state];
  }
};
} // namespace

template <typename OpTy>
static FailureOr<Sample>
readSample(OpTy op, int64_t number, const Tensor &logProb, const Tensor &labels,
           const Tensor &logitLengths, const Tensor &labelLengths) {
  const int64_t frames = logProb.shape[1], longest = labels.shape[1];
  const auto blank = static_cast<int64_t>(op.getBlank());
  Sample sample;
  sample.frames = logitLengths.ints[number];
  sample.classes = logProb.shape[2];
  sample.firstElement = number * frames * sample.classes;
  sample.labels = labelLengths.ints[number];
  if (sample.frames < 0 || sample.frames > frames)
    return op.emitOpError("reads logit length ")
           << sample.frames << " of sample " << number << ", there are "
           << frames << " frames";
  if (sample.labels < 0 || sample.labels > longest)
    return op.emitOpError("reads label length ")
           << sample.labels << " of sample " << number << ", there are "
           << longest << " labels";
  sample.states.push_back(blank);
  for (int64_t i = 0; i < sample.labels; ++i) {
    const int64_t label = labels.ints[number * longest + i];
    if (label < 0 || label >= sample.classes || label == blank)
      return op.emitOpError("reads label ")
             << label << " of sample " << number
             << ", which is the blank or out of range for " << sample.classes
             << " classes";
    sample.states.push_back(label);
    sample.states.push_back(blank);
  }
  return sample;
}

/// What a sample's loss is multiplied by in the reduction.
template <typename OpTy>
static double weightOf(OpTy op, const Sample &sample, int64_t samples) {
  if (op.getReduction() != nn::LossReduction::Mean)
    return 1;
  return 1.0 / static_cast<double>(std::max<int64_t>(1, sample.labels)) /
         static_cast<double>(samples);
}

/// Subtracts the maximum, which is returned, from a row of logarithms.
static double shiftToZero(MutableArrayRef<double> row) {
  double max = kLow;
  for (double x : row)
    max = x > max || std::isnan(x) ? x : max;
  if (max == kLow)
    return kLow;
  for (double &x : row)
    x -= max;
  return max;
}

/// Fills a sample's forward variables, `width` to a frame, and returns minus
/// the logarithm of the probability of its labels.
static double runForward(const Sample &sample, const Tensor &logProb,
                         double *alpha, int64_t width) {
  const auto states = static_cast<int64_t>(sample.states.size());
  if (sample.frames == 0)
    return sample.labels == 0 ? 0 : kHigh;
  double total = 0;
  for (int64_t t = 0; t < sample.frames; ++t) {
    double *row = alpha + t * width, *before = row - width;
    for (int64_t s = 0; s < states; ++s) {
      const double arriving =
          t == 0 ? (s < 2 ? 0 : kLow)
                 : addLogs(before[s], s >= 1 ? before[s - 1] : kLow,
                           sample.skips(s) ? before[s - 2] : kLow);
      row[s] = arriving + logProb.floats[sample.at(t, s)];
    }
    total += shiftToZero({row, static_cast<size_t>(states)});
  }
  const double *last = alpha + (sample.frames - 1) * width;
  return -(total +
           addLogs(last[states - 1], states > 1 ? last[states - 2] : kLow));
}

static LogicalResult evaluateCTC(nn::CTCLossOp op, Evaluation &e) {
  const Tensor &logits = e.operand(0);
  Tensor &loss = e.result(0), &logProb = e.result(1), &alpha = e.result(2);
  const int64_t samples = logits.shape[0], frames = logits.shape[1];
  const int64_t classes = logits.shape[2], width = alpha.shape[2];
  for (int64_t row = 0; row < samples * frames; ++row) {
    const double *x = logits.floats.data() + row * classes;
    const LogSumExp lse = logSumExp(x, classes, 1);
    for (int64_t k = 0; k < classes; ++k)
      logProb.floats[row * classes + k] = x[k] - lse.max - std::log(lse.sum);
  }
  std::fill(alpha.floats.begin(), alpha.floats.end(), kLow);
  for (int64_t n = 0; n < samples; ++n) {
    FailureOr<Sample> sample =
        readSample(op, n, logProb, e.operand(1), e.operand(2), e.operand(3));
    if (failed(sample))
      return failure();
    double value = runForward(*sample, logProb,
                              alpha.floats.data() + n * frames * width, width);
    if (value == kHigh && op.getZeroInfinity())
      value = 0;
    value *= weightOf(op, *sample, samples);
    if (op.getReduction() == nn::LossReduction::None)
      loss.floats[n] = value;
    else
      loss.floats[0] += value;
  }
  return success();
}

/// Adds -factor times the posterior of every class to a sample's frames;
/// returns false when no path gives the labels.
static bool subtractPosteriors(const Sample &sample, const Tensor &logProb,
                               const double *alpha, int64_t width,
                               double factor, Tensor &result) {
  const auto states = static_cast<int64_t>(sample.states.size());
  // Backward variables of a frame, without its own emission.
  std::vector<double> beta(states, kLow), before(states), joint(states);
  beta[states - 1] = 0;
  if (states > 1)
    beta[states - 2] = 0;
  for (int64_t t = sample.frames - 1; t >= 0; --t) {
    double total = kLow;
    for (int64_t s = 0; s < states; ++s) {
      joint[s] = alpha[t * width + s] + beta[s];
      total = addLogs(total, joint[s]);
    }
    if (total == kLow)
      return false;
    for (int64_t s = 0; s < states; ++s)
      result.floats[sample.at(t, s)] -= factor * std::exp(joint[s] - total);
    auto leaving = [&](int64_t s) {
      return beta[s] + logProb.floats[sample.at(t, s)];
    };
    for (int64_t s = 0; s < states; ++s)
      before[s] = addLogs(leaving(s), s + 1 < states ? leaving(s + 1) : kLow,
                          s + 2 < states && sample.skips(s + 2) ? leaving(s + 2)
                                                                : kLow);
    shiftToZero(before);
    beta.swap(before);
  }
  return true;
}

static LogicalResult evaluateCTCGrad(nn::CTCLossGradOp op, Evaluation &e) {
  const Tensor &dloss = e.operand(0), &logProb = e.operand(1),
               &alpha = e.operand(2);
  Tensor &result = e.result();
  const int64_t samples = logProb.shape[0], frames = logProb.shape[1];
  const int64_t width = alpha.shape[2];
  for (int64_t n = 0; n < samples; ++n) {
    FailureOr<Sample> sample =
        readSample(op, n, logProb, e.operand(3), e.operand(4), e.operand(5));
    if (failed(sample))
      return failure();
    const bool perSample = op.getReduction() == nn::LossReduction::None;
    const double factor =
        dloss.floats[perSample ? n : 0] * weightOf(op, *sample, samples);
    const int64_t begin = sample->firstElement;
    const int64_t end = begin + sample->frames * sample->classes;
    for (int64_t i = begin; i < end; ++i)
      result.floats[i] = factor * std::exp(logProb.floats[i]);
    if (subtractPosteriors(*sample, logProb,
                           alpha.floats.data() + n * frames * width, width,
                           factor, result))
      continue;
    std::fill(result.floats.begin() + begin, result.floats.begin() + end,
              op.getZeroInfinity() ? 0.0
                                   : std::numeric_limits<double>::quiet_NaN());
  }
  return success();
}

void addCTCEvaluations(Registry &registry) {
  registry.add<nn::CTCLossOp>(evaluateCTC);
  registry.add<nn::CTCLossGradOp>(evaluateCTCGrad);
}

} // namespace mpt::reference
