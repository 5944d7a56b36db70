//===- Softmax.cpp - Softmax, log-softmax and their gradients -------------===//

#include "Softmax.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace mpt::reference {

LogSumExp logSumExp(const double *x, int64_t count, int64_t stride) {
  double max = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < count; ++i)
    if (x[i * stride] > max || std::isnan(x[i * stride]))
      max = x[i * stride];
  double sum = 0;
  for (int64_t i = 0; i < count; ++i)
    sum += std::exp(x[i * stride] - max);
  return {max, sum};
}

/// Calls fn(offset of the first element, extent, stride) for every line along
/// an axis.
template <typename Fn>
static void forEachLine(ArrayRef<int64_t> shape, int64_t axis, Fn fn) {
  const AxisSplit split = splitAtAxis(shape, axis);
  for (int64_t outer = 0; outer < split.outer; ++outer)
    for (int64_t inner = 0; inner < split.inner; ++inner)
      fn(outer * split.extent * split.inner + inner, split.extent, split.inner);
}

template <typename OpTy> static void evaluateSoftmax(OpTy op, Evaluation &e) {
  constexpr bool logarithm = std::is_same_v<OpTy, nn::LogSoftmaxOp>;
  forEachLine(e.result().shape, op.getAxis(),
              [&](int64_t offset, int64_t count, int64_t stride) {
                const double *x = e.operand(0).floats.data() + offset;
                double *y = e.result().floats.data() + offset;
                const LogSumExp lse = logSumExp(x, count, stride);
                for (int64_t i = 0; i < count * stride; i += stride)
                  y[i] = logarithm ? x[i] - lse.max - std::log(lse.sum)
                                   : std::exp(x[i] - lse.max) / lse.sum;
              });
}

template <typename OpTy>
static void evaluateSoftmaxGrad(OpTy op, Evaluation &e) {
  constexpr bool logarithm = std::is_same_v<OpTy, nn::LogSoftmaxGradOp>;
  forEachLine(e.result().shape, op.getAxis(),
              [&](int64_t offset, int64_t count, int64_t stride) {
                const double *dy = e.operand(0).floats.data() + offset;
                const double *y = e.operand(1).floats.data() + offset;
                double *dx = e.result().floats.data() + offset;
                double sum = 0;
                for (int64_t i = 0; i < count * stride; i += stride)
                  sum += logarithm ? dy[i] : dy[i] * y[i];
                for (int64_t i = 0; i < count * stride; i += stride)
                  dx[i] = logarithm ? dy[i] - std::exp(y[i]) * sum
                                    : y[i] * (dy[i] - sum);
              });
}

void addSoftmaxEvaluations(Registry &registry) {
  registry.add<nn::SoftmaxOp>(evaluateSoftmax<nn::SoftmaxOp>);
  registry.add<nn::LogSoftmaxOp>(evaluateSoftmax<nn::LogSoftmaxOp>);
  registry.add<nn::SoftmaxGradOp>(evaluateSoftmaxGrad<nn::SoftmaxGradOp>);
  registry.add<nn::LogSoftmaxGradOp>(evaluateSoftmaxGrad<nn::LogSoftmaxGradOp>);
}

} // namespace mpt::reference
