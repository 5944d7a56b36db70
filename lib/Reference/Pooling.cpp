//===- Pooling.cpp - Maxima and means over windows ------------------------===//

#include "Evaluation.h"
#include "Window.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace mpt::reference {

template <typename OpTy>
static SmallVector<Tap> makePoolingTaps(OpTy op, const Tensor &input,
                                        const Tensor &output) {
  return makeTaps(spatial(input), spatial(output), op.getKernel(),
                  op.getStrides(), op.getPads(), op.getDilations());
}

/// Calls fn(input plane's offset, output plane's offset) for all N * C planes.
template <typename Fn>
static void forEachPlane(const Tensor &input, const Tensor &output, Fn fn) {
  const int64_t inputPlane = product(spatial(input));
  const int64_t outputPlane = product(spatial(output));
  for (int64_t i = 0, count = input.shape[0] * input.shape[1]; i < count; ++i)
    fn(i * inputPlane, i * outputPlane);
}

template <typename T, typename Better>
static void poolMaximum(const Tensor &input, ArrayRef<Tap> taps,
                        const std::vector<T> &x, std::vector<T> &y, T lowest,
                        Evaluation &e, Better better) {
  std::vector<int64_t> &taken = e.result(1).ints;
  std::fill(y.begin(), y.end(), lowest);
  std::fill(taken.begin(), taken.end(), -1);
  forEachPlane(input, e.result(0), [&](int64_t inPlane, int64_t outPlane) {
    for (size_t number = 0; number < taps.size(); ++number)
      forEachPosition(taps[number], inPlane, outPlane,
                      [&](int64_t i, int64_t o) {
                        if (taken[o] < 0 || better(x[i], y[o])) {
                          y[o] = x[i];
                          taken[o] = static_cast<int64_t>(number);
                        }
                      });
  });
  // A window that lies in the padding altogether holds the lowest value.
  for (int64_t &tap : taken)
    tap = std::max<int64_t>(tap, 0);
}

static void evaluateMaxPool(nn::MaxPoolOp op, Evaluation &e) {
  const Tensor &x = e.operand(0);
  Tensor &y = e.result(0);
  const SmallVector<Tap> taps = makePoolingTaps(op, x, y);
  const double lowest = -std::numeric_limits<double>::infinity();
  if (x.isFloat())
    return poolMaximum(x, taps, x.floats, y.floats, lowest, e,
                       [](double a, double b) {
                         return a > b || (std::isnan(a) && !std::isnan(b));
                       });
  auto type = cast<IntegerType>(x.elementType);
  const bool isUnsigned = type.isUnsigned();
  poolMaximum(x, taps, x.ints, y.ints, truncateToType(lowest, type), e,
              [=](int64_t a, int64_t b) {
                return isUnsigned
                           ? static_cast<uint64_t>(a) > static_cast<uint64_t>(b)
                           : a > b;
              });
}

static void evaluateMaxPoolGrad(nn::MaxPoolGradOp op, Evaluation &e) {
  const Tensor &dy = e.operand(0), &taken = e.operand(1);
  Tensor &dx = e.result();
  const SmallVector<Tap> taps = makePoolingTaps(op, dx, dy);
  forEachPlane(dx, dy, [&](int64_t inPlane, int64_t outPlane) {
    for (size_t number = 0; number < taps.size(); ++number)
      forEachPosition(taps[number], inPlane, outPlane,
                      [&](int64_t i, int64_t o) {
                        if (taken.ints[o] == static_cast<int64_t>(number))
                          dx.floats[i] += dy.floats[o];
                      });
  });
}

/// What the mean at each output position divides by.
template <typename OpTy>
static std::vector<double> countElements(OpTy op, const Tensor &input,
                                         const Tensor &output,
                                         ArrayRef<Tap> taps) {
  std::vector<double> counts(product(spatial(output)), 0.0);
  SmallVector<Tap> padded;
  if (op.getCountIncludePad()) {
    // The padding counts as input; what ceil_mode adds behind it does not.
    const ArrayRef<int64_t> pads = op.getPads();
    const size_t axes = pads.size() / 2;
    SmallVector<int64_t> extents(spatial(input));
    for (size_t axis = 0; axis < axes; ++axis)
      extents[axis] += pads[axis] + pads[axes + axis];
    padded = makeTaps(extents, spatial(output), op.getKernel(), op.getStrides(),
                      SmallVector<int64_t>(pads.size(), 0), op.getDilations());
    taps = padded;
  }
  for (const Tap &tap : taps)
    forEachPosition(tap, 0, 0, [&](int64_t, int64_t o) { counts[o] += 1; });
  // A window without elements has the sum 0, and so the mean 0.
  for (double &count : counts)
    count = std::max(count, 1.0);
  return counts;
}

static void evaluateAvgPool(nn::AvgPoolOp op, Evaluation &e) {
  const Tensor &x = e.operand(0);
  Tensor &y = e.result();
  const SmallVector<Tap> taps = makePoolingTaps(op, x, y);
  const std::vector<double> counts = countElements(op, x, y, taps);
  forEachPlane(x, y, [&](int64_t inPlane, int64_t outPlane) {
    for (const Tap &tap : taps)
      forEachPosition(tap, inPlane, outPlane, [&](int64_t i, int64_t o) {
        y.floats[o] += x.floats[i];
      });
    for (size_t o = 0; o < counts.size(); ++o)
      y.floats[outPlane + o] /= counts[o];
  });
}

static void evaluateAvgPoolGrad(nn::AvgPoolGradOp op, Evaluation &e) {
  const Tensor &dy = e.operand(0);
  Tensor &dx = e.result();
  const SmallVector<Tap> taps = makePoolingTaps(op, dx, dy);
  const std::vector<double> counts = countElements(op, dx, dy, taps);
  forEachPlane(dx, dy, [&](int64_t inPlane, int64_t outPlane) {
    for (const Tap &tap : taps)
      forEachPosition(tap, inPlane, outPlane, [&](int64_t i, int64_t o) {
        dx.floats[i] += dy.floats[o] / counts[o - outPlane];
      });
  });
}

void addPoolingEvaluations(Registry &registry) {
  registry.add<nn::MaxPoolOp>(evaluateMaxPool);
  registry.add<nn::MaxPoolGradOp>(evaluateMaxPoolGrad);
  registry.add<nn::AvgPoolOp>(evaluateAvgPool);
  registry.add<nn::AvgPoolGradOp>(evaluateAvgPoolGrad);
}

} // namespace mpt::reference
