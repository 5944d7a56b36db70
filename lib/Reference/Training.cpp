//===- Training.cpp - Losses and optimizers -------------------------------===//

#include "Evaluation.h"
#include "Softmax.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

#include <cmath>

using namespace mlir;

namespace mpt::reference {

//===----------------------------------------------------------------------===//
// Cross-entropy
//===----------------------------------------------------------------------===//

/// The weight of every sample, 0 for ignored ones; checks the labels.
template <typename OpTy>
static FailureOr<std::vector<double>>
sampleWeights(OpTy op, const Tensor &labels, const Tensor *weights,
              int64_t classes) {
  std::optional<int64_t> ignored;
  if (op.getIgnoreIndex())
    ignored = static_cast<int64_t>(*op.getIgnoreIndex());
  std::vector<double> result(labels.ints.size(), 0.0);
  for (size_t i = 0; i < result.size(); ++i) {
    const int64_t label = labels.ints[i];
    if (ignored && label == *ignored)
      continue;
    if (label < 0 || label >= classes)
      return op.emitOpError("reads label ")
             << label << " of sample " << i << ", which is out of range for "
             << classes << " classes";
    result[i] = weights ? weights->floats[label] : 1;
  }
  return result;
}

static double sumOf(ArrayRef<double> values) {
  double sum = 0;
  for (double value : values)
    sum += value;
  return sum;
}

static LogicalResult evaluateCrossEntropy(nn::SoftmaxCrossEntropyOp op,
                                          Evaluation &e) {
  const Tensor &logits = e.operand(0), &labels = e.operand(1);
  const AxisSplit split = splitAtAxis(logits.shape, op.getAxis());
  FailureOr<std::vector<double>> weights =
      sampleWeights(op, labels, e.optionalOperand(2), split.extent);
  if (failed(weights))
    return failure();
  Tensor &loss = e.result(0), &logProb = e.result(1);
  double sum = 0;
  for (int64_t outer = 0; outer < split.outer; ++outer) {
    for (int64_t inner = 0; inner < split.inner; ++inner) {
      const int64_t offset = outer * split.extent * split.inner + inner;
      const double *x = logits.floats.data() + offset;
      double *out = logProb.floats.data() + offset;
      const LogSumExp lse = logSumExp(x, split.extent, split.inner);
      for (int64_t i = 0; i < split.extent * split.inner; i += split.inner)
        out[i] = x[i] - lse.max - std::log(lse.sum);
      const int64_t sample = outer * split.inner + inner;
      const double weight = (*weights)[sample];
      const double term =
          weight == 0 ? 0 : -weight * out[labels.ints[sample] * split.inner];
      sum += term;
      if (op.getReduction() == nn::LossReduction::None)
        loss.floats[sample] = term;
    }
  }
  if (op.getReduction() == nn::LossReduction::Mean)
    sum /= sumOf(*weights);
  if (op.getReduction() != nn::LossReduction::None)
    loss.floats[0] = sum;
  return success();
}

static LogicalResult evaluateCrossEntropyGrad(nn::SoftmaxCrossEntropyGradOp op,
                                              Evaluation &e) {
  const Tensor &dloss = e.operand(0), &logProb = e.operand(1);
  const Tensor &labels = e.operand(2);
  const AxisSplit split = splitAtAxis(logProb.shape, op.getAxis());
  FailureOr<std::vector<double>> weights =
      sampleWeights(op, labels, e.optionalOperand(3), split.extent);
  if (failed(weights))
    return failure();
  const bool perSample = op.getReduction() == nn::LossReduction::None;
  const double divisor =
      op.getReduction() == nn::LossReduction::Mean ? sumOf(*weights) : 1;
  for (int64_t outer = 0; outer < split.outer; ++outer) {
    for (int64_t inner = 0; inner < split.inner; ++inner) {
      const int64_t sample = outer * split.inner + inner;
      const double weight = (*weights)[sample];
      if (weight == 0)
        continue;
      const double factor =
          dloss.floats[perSample ? sample : 0] * weight / divisor;
      for (int64_t c = 0; c < split.extent; ++c) {
        const int64_t i = (outer * split.extent + c) * split.inner + inner;
        e.result().floats[i] = factor * (std::exp(logProb.floats[i]) -
                                         (c == labels.ints[sample] ? 1 : 0));
      }
    }
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Losses of prediction and target
//===----------------------------------------------------------------------===//

template <typename OpTy>
static void addLoss(Registry &registry, double (*loss)(double, double)) {
  registry.add<OpTy>([loss](OpTy op, Evaluation &e) {
    const std::vector<double> &x = e.operand(0).floats,
                              &t = e.operand(1).floats;
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double term = loss(x[i], t[i]);
      sum += term;
      if (op.getReduction() == nn::LossReduction::None)
        e.result().floats[i] = term;
    }
    if (op.getReduction() == nn::LossReduction::Mean)
      sum /= static_cast<double>(x.size());
    if (op.getReduction() != nn::LossReduction::None)
      e.result().floats[0] = sum;
  });
}

template <typename OpTy>
static void addLossGrad(Registry &registry, double (*slope)(double, double)) {
  registry.add<OpTy>([slope](OpTy op, Evaluation &e) {
    const std::vector<double> &dloss = e.operand(0).floats;
    const std::vector<double> &x = e.operand(1).floats,
                              &t = e.operand(2).floats;
    const bool perElement = op.getReduction() == nn::LossReduction::None;
    const double divisor = op.getReduction() == nn::LossReduction::Mean
                               ? static_cast<double>(x.size())
                               : 1;
    for (size_t i = 0; i < x.size(); ++i)
      e.result().floats[i] =
          dloss[perElement ? i : 0] * slope(x[i], t[i]) / divisor;
  });
}

//===----------------------------------------------------------------------===//
// Optimizers
//===----------------------------------------------------------------------===//

static void evaluateSGD(nn::SGDOp op, Evaluation &e) {
  const double rate = e.operand(3).floats[0];
  const double momentum = op.getMomentum().convertToDouble();
  const double dampening = op.getDampening().convertToDouble();
  const double decay = op.getWeightDecay().convertToDouble();
  // PyTorch's first step takes the gradient whole.
  const double share = e.operand(4).ints[0] == 1 ? 1 : 1 - dampening;
  for (size_t i = 0; i < e.operand(0).floats.size(); ++i) {
    const double p = e.operand(0).floats[i], v = e.operand(2).floats[i];
    const double g = e.operand(1).floats[i] + decay * p;
    double newV = v, update = g;
    if (momentum != 0) {
      newV = momentum * v + share * g;
      update = op.getNesterov() ? g + momentum * newV : newV;
    }
    e.result(0).floats[i] = p - rate * update;
    e.result(1).floats[i] = newV;
  }
}

static void evaluateAdam(nn::AdamOp op, Evaluation &e) {
  const double rate = e.operand(4).floats[0];
  const auto step = static_cast<double>(e.operand(5).ints[0]);
  const double beta1 = op.getBeta1().convertToDouble();
  const double beta2 = op.getBeta2().convertToDouble();
  const double epsilon = op.getEpsilon().convertToDouble();
  const double decay = op.getWeightDecay().convertToDouble();
  const double correction1 = 1 - std::pow(beta1, step);
  const double correction2 = 1 - std::pow(beta2, step);
  for (size_t i = 0; i < e.operand(0).floats.size(); ++i) {
    const double parameter = e.operand(0).floats[i];
    const double g =
        e.operand(1).floats[i] + (op.getDecoupled() ? 0 : decay * parameter);
    const double m = beta1 * e.operand(2).floats[i] + (1 - beta1) * g;
    const double v = beta2 * e.operand(3).floats[i] + (1 - beta2) * g * g;
    const double p =
        op.getDecoupled() ? parameter * (1 - rate * decay) : parameter;
    e.result(0).floats[i] =
        p - rate * (m / correction1) / (std::sqrt(v / correction2) + epsilon);
    e.result(1).floats[i] = m;
    e.result(2).floats[i] = v;
  }
}

void addTrainingEvaluations(Registry &registry) {
  registry.add<nn::SoftmaxCrossEntropyOp>(evaluateCrossEntropy);
  registry.add<nn::SoftmaxCrossEntropyGradOp>(evaluateCrossEntropyGrad);
  addLoss<nn::MSELossOp>(registry,
                         [](double x, double t) { return (x - t) * (x - t); });
  addLossGrad<nn::MSELossGradOp>(
      registry, [](double x, double t) { return 2 * (x - t); });
  addLoss<nn::L1LossOp>(registry,
                        [](double x, double t) { return std::fabs(x - t); });
  addLossGrad<nn::L1LossGradOp>(registry, [](double x, double t) {
    return x > t ? 1.0 : x < t ? -1.0 : x - t; // NaN stays
  });
  addLoss<nn::BCEWithLogitsLossOp>(registry, [](double x, double t) {
    return (x > 0 || std::isnan(x) ? x : 0) - x * t +
           std::log1p(std::exp(-std::fabs(x)));
  });
  addLossGrad<nn::BCEWithLogitsLossGradOp>(
      registry, [](double x, double t) { return 1 / (1 + std::exp(-x)) - t; });
  registry.add<nn::SGDOp>(evaluateSGD);
  registry.add<nn::AdamOp>(evaluateAdam);
}

} // namespace mpt::reference
