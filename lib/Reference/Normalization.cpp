//===- Normalization.cpp - Batch, layer, RMS and group normalization ------===//
//
// Statistics, scale and shift per group of elements. The formulas are those of
// the operations' descriptions (Ioffe and Szegedy 2015, Ba et al. 2016).
//
//===----------------------------------------------------------------------===//

#include "Evaluation.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

#include <cmath>

using namespace mlir;

namespace mpt::reference {

namespace {
struct Moments {
  double mean, variance; // of the population
};
} // namespace

/// Mean and variance of the elements that `visit(fn)` calls fn for, in two
/// passes.
template <typename Visit> static Moments momentsOf(Visit visit) {
  double sum = 0, count = 0;
  visit([&](double x) { sum += x, ++count; });
  const double mean = sum / count;
  double squares = 0;
  visit([&](double x) { squares += (x - mean) * (x - mean); });
  return {mean, squares / count};
}

//===----------------------------------------------------------------------===//
// Batch normalization: [N, C, inner], statistics per channel
//===----------------------------------------------------------------------===//

/// Calls fn(offset) for all elements of a channel.
template <typename Fn>
static void forEachOfChannel(ArrayRef<int64_t> shape, int64_t channel, Fn fn) {
  const int64_t inner = product(shape.drop_front(2));
  for (int64_t sample = 0; sample < shape[0]; ++sample) {
    const int64_t offset = (sample * shape[1] + channel) * inner;
    for (int64_t i = 0; i < inner; ++i)
      fn(offset + i);
  }
}

static void evaluateBatchNormInference(nn::BatchNormInferenceOp op,
                                       Evaluation &e) {
  const Tensor &x = e.operand(0);
  Tensor &y = e.result();
  const double epsilon = op.getEpsilon().convertToDouble();
  for (int64_t c = 0; c < x.shape[1]; ++c) {
    const double scale = e.operand(1).floats[c], bias = e.operand(2).floats[c];
    const double mean = e.operand(3).floats[c];
    const double rstd = 1 / std::sqrt(e.operand(4).floats[c] + epsilon);
    forEachOfChannel(x.shape, c, [&](int64_t i) {
      y.floats[i] = (x.floats[i] - mean) * rstd * scale + bias;
    });
  }
}

static void evaluateBatchNormTraining(nn::BatchNormTrainingOp op,
                                      Evaluation &e) {
  const Tensor &x = e.operand(0);
  const double epsilon = op.getEpsilon().convertToDouble();
  const double momentum = op.getMomentum().convertToDouble();
  for (int64_t c = 0; c < x.shape[1]; ++c) {
    const double scale = e.operand(1).floats[c], bias = e.operand(2).floats[c];
    const Moments moments = momentsOf([&](auto fn) {
      forEachOfChannel(x.shape, c, [&](int64_t i) { fn(x.floats[i]); });
    });
    const double rstd = 1 / std::sqrt(moments.variance + epsilon);
    forEachOfChannel(x.shape, c, [&](int64_t i) {
      e.result(0).floats[i] =
          (x.floats[i] - moments.mean) * rstd * scale + bias;
    });
    e.result(1).floats[c] =
        momentum * e.operand(3).floats[c] + (1 - momentum) * moments.mean;
    e.result(2).floats[c] =
        momentum * e.operand(4).floats[c] + (1 - momentum) * moments.variance;
    e.result(3).floats[c] = moments.mean;
    e.result(4).floats[c] = rstd;
  }
}

static void evaluateBatchNormGrad(nn::BatchNormGradOp, Evaluation &e) {
  const Tensor &dy = e.operand(0), &x = e.operand(1);
  Tensor &dx = e.result(0);
  for (int64_t c = 0; c < x.shape[1]; ++c) {
    const double scale = e.operand(2).floats[c];
    const double mean = e.operand(3).floats[c], rstd = e.operand(4).floats[c];
    double sum = 0, projection = 0, count = 0;
    forEachOfChannel(x.shape, c, [&](int64_t i) {
      sum += dy.floats[i];
      projection += dy.floats[i] * (x.floats[i] - mean) * rstd;
      ++count;
    });
    forEachOfChannel(x.shape, c, [&](int64_t i) {
      const double xhat = (x.floats[i] - mean) * rstd;
      dx.floats[i] = scale * rstd *
                     (dy.floats[i] - sum / count - xhat * projection / count);
    });
    e.result(1).floats[c] = projection;
    e.result(2).floats[c] = sum;
  }
}

//===----------------------------------------------------------------------===//
// Layer, RMS and group normalization: rows of consecutive elements
//===----------------------------------------------------------------------===//

namespace {
/// `rows` rows of `length` elements with statistics of their own; element i of
/// row r takes entry scaleIndex(r, i) of scale and shift.
struct Rows {
  int64_t rows, length;
  int64_t groups = 0, channelsPerGroup = 0, inner = 0; // of group norm

  static Rows fromAxis(ArrayRef<int64_t> shape, int64_t axis) {
    return {product(shape.take_front(axis)), product(shape.drop_front(axis))};
  }
  static Rows fromGroups(ArrayRef<int64_t> shape, int64_t groups) {
    const int64_t inner = product(shape.drop_front(2));
    const int64_t channels = shape[1] / groups;
    return {shape[0] * groups, channels * inner, groups, channels, inner};
  }
  int64_t scaleIndex(int64_t row, int64_t i) const {
    return groups ? row % groups * channelsPerGroup + i / inner : i;
  }
};
} // namespace

/// Layer and group normalization: results y, mean, rstd.
static void normalizeRows(const Rows &rows, double epsilon, Evaluation &e) {
  const std::vector<double> &scale = e.operand(1).floats;
  const Tensor *bias = e.optionalOperand(2);
  for (int64_t row = 0; row < rows.rows; ++row) {
    const double *x = e.operand(0).floats.data() + row * rows.length;
    double *y = e.result(0).floats.data() + row * rows.length;
    const Moments moments = momentsOf([&](auto fn) {
      for (int64_t i = 0; i < rows.length; ++i)
        fn(x[i]);
    });
    const double rstd = 1 / std::sqrt(moments.variance + epsilon);
    for (int64_t i = 0; i < rows.length; ++i) {
      const int64_t s = rows.scaleIndex(row, i);
      y[i] = (x[i] - moments.mean) * rstd * scale[s] +
             (bias ? bias->floats[s] : 0.0);
    }
    e.result(1).floats[row] = moments.mean;
    e.result(2).floats[row] = rstd;
  }
}

/// Operands dy, x, scale, mean, rstd; results dx, dscale, dbias.
static void differentiateRows(const Rows &rows, Evaluation &e) {
  const std::vector<double> &scale = e.operand(2).floats;
  const auto length = static_cast<double>(rows.length);
  for (int64_t row = 0; row < rows.rows; ++row) {
    const double *dy = e.operand(0).floats.data() + row * rows.length;
    const double *x = e.operand(1).floats.data() + row * rows.length;
    double *dx = e.result(0).floats.data() + row * rows.length;
    const double mean = e.operand(3).floats[row];
    const double rstd = e.operand(4).floats[row];
    double sum = 0, projection = 0;
    for (int64_t i = 0; i < rows.length; ++i) {
      const int64_t s = rows.scaleIndex(row, i);
      const double xhat = (x[i] - mean) * rstd, g = dy[i] * scale[s];
      sum += g;
      projection += g * xhat;
      e.result(1).floats[s] += dy[i] * xhat;
      e.result(2).floats[s] += dy[i];
    }
    for (int64_t i = 0; i < rows.length; ++i) {
      const double xhat = (x[i] - mean) * rstd;
      const double g = dy[i] * scale[rows.scaleIndex(row, i)];
      dx[i] = rstd * (g - sum / length - xhat * projection / length);
    }
  }
}

static void evaluateLayerNorm(nn::LayerNormOp op, Evaluation &e) {
  normalizeRows(Rows::fromAxis(e.operand(0).shape, op.getAxis()),
                op.getEpsilon().convertToDouble(), e);
}
static void evaluateLayerNormGrad(nn::LayerNormGradOp op, Evaluation &e) {
  differentiateRows(Rows::fromAxis(e.operand(1).shape, op.getAxis()), e);
}
static void evaluateGroupNorm(nn::GroupNormOp op, Evaluation &e) {
  normalizeRows(Rows::fromGroups(e.operand(0).shape, op.getNumGroups()),
                op.getEpsilon().convertToDouble(), e);
}
static void evaluateGroupNormGrad(nn::GroupNormGradOp op, Evaluation &e) {
  differentiateRows(Rows::fromGroups(e.operand(1).shape, op.getNumGroups()), e);
}

static void evaluateRMSNorm(nn::RMSNormOp op, Evaluation &e) {
  const Rows rows = Rows::fromAxis(e.operand(0).shape, op.getAxis());
  const std::vector<double> &scale = e.operand(1).floats;
  for (int64_t row = 0; row < rows.rows; ++row) {
    const double *x = e.operand(0).floats.data() + row * rows.length;
    double *y = e.result(0).floats.data() + row * rows.length;
    double squares = 0;
    for (int64_t i = 0; i < rows.length; ++i)
      squares += x[i] * x[i];
    const double rstd =
        1 / std::sqrt(squares / static_cast<double>(rows.length) +
                      op.getEpsilon().convertToDouble());
    for (int64_t i = 0; i < rows.length; ++i)
      y[i] = x[i] * rstd * scale[i];
    e.result(1).floats[row] = rstd;
  }
}

static void evaluateRMSNormGrad(nn::RMSNormGradOp op, Evaluation &e) {
  const Rows rows = Rows::fromAxis(e.operand(1).shape, op.getAxis());
  const std::vector<double> &scale = e.operand(2).floats;
  for (int64_t row = 0; row < rows.rows; ++row) {
    const double *dy = e.operand(0).floats.data() + row * rows.length;
    const double *x = e.operand(1).floats.data() + row * rows.length;
    double *dx = e.result(0).floats.data() + row * rows.length;
    const double rstd = e.operand(3).floats[row];
    double projection = 0; // sum(g x)
    for (int64_t i = 0; i < rows.length; ++i) {
      projection += dy[i] * scale[i] * x[i];
      e.result(1).floats[i] += dy[i] * x[i] * rstd;
    }
    const double mean = projection / static_cast<double>(rows.length);
    for (int64_t i = 0; i < rows.length; ++i)
      dx[i] = rstd * (dy[i] * scale[i] - x[i] * rstd * rstd * mean);
  }
}

void addNormalizationEvaluations(Registry &registry) {
  registry.add<nn::BatchNormInferenceOp>(evaluateBatchNormInference);
  registry.add<nn::BatchNormTrainingOp>(evaluateBatchNormTraining);
  registry.add<nn::BatchNormGradOp>(evaluateBatchNormGrad);
  registry.add<nn::LayerNormOp>(evaluateLayerNorm);
  registry.add<nn::LayerNormGradOp>(evaluateLayerNormGrad);
  registry.add<nn::RMSNormOp>(evaluateRMSNorm);
  registry.add<nn::RMSNormGradOp>(evaluateRMSNormGrad);
  registry.add<nn::GroupNormOp>(evaluateGroupNorm);
  registry.add<nn::GroupNormGradOp>(evaluateGroupNormGrad);
}

} // namespace mpt::reference
