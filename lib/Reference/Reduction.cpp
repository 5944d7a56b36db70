//===- Reduction.cpp - Reductions and running sums ------------------------===//

#include "Evaluation.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace mpt::reference {

/// The result seen as a box of the operand's shape: stride 0 along the axes.
static View reducedView(ArrayRef<int64_t> shape, ArrayRef<int64_t> axes) {
  SmallVector<int64_t> kept(shape);
  for (int64_t axis : axes)
    kept[axis] = 1;
  View view = contiguous(kept);
  for (int64_t axis : axes)
    view.strides[axis] = 0;
  return view;
}

static int64_t reducedCount(ArrayRef<int64_t> shape, ArrayRef<int64_t> axes) {
  int64_t count = 1;
  for (int64_t axis : axes)
    count *= shape[axis];
  return count;
}

/// Folds the elements that share a result element, starting with `initial`.
template <typename T, typename Combine>
static void fold(const Tensor &x, const std::vector<T> &in, std::vector<T> &out,
                 ArrayRef<int64_t> axes, T initial, Combine combine) {
  std::fill(out.begin(), out.end(), initial);
  const T *from = in.data();
  T *to = out.data();
  forEachRow<2>(x.shape, {contiguous(x.shape), reducedView(x.shape, axes)},
                [&](int64_t count, const std::array<int64_t, 2> &offsets,
                    const std::array<int64_t, 2> &strides) {
                  const T *a = from + offsets[0];
                  T *r = to + offsets[1];
                  if (strides[1] != 0) {
                    for (int64_t i = 0; i < count; ++i)
                      r[i * strides[1]] =
                          combine(r[i * strides[1]], a[i * strides[0]]);
                    return;
                  }
                  T value = *r;
                  for (int64_t i = 0; i < count; ++i)
                    value = combine(value, a[i * strides[0]]);
                  *r = value;
                });
}

template <typename OpTy> static void evaluateSum(OpTy op, Evaluation &e) {
  const Tensor &x = e.operand(0);
  Tensor &y = e.result();
  constexpr bool mean = std::is_same_v<OpTy, nn::ReduceMeanOp>;
  const int64_t count = reducedCount(x.shape, op.getAxes());
  if (x.isFloat()) {
    fold(x, x.floats, y.floats, op.getAxes(), 0.0,
         [](double a, double b) { return a + b; });
    if (mean)
      for (double &value : y.floats)
        value /= static_cast<double>(count);
  } else {
    fold(x, x.ints, y.ints, op.getAxes(), int64_t(0),
         [](uint64_t a, uint64_t b) { return static_cast<int64_t>(a + b); });
    if (mean && count)
      for (int64_t &value : y.ints)
        value /= count;
  }
}

static void evaluateProd(nn::ReduceProdOp op, Evaluation &e) {
  const Tensor &x = e.operand(0);
  if (x.isFloat())
    fold(x, x.floats, e.result().floats, op.getAxes(), 1.0,
         [](double a, double b) { return a * b; });
  else
    fold(x, x.ints, e.result().ints, op.getAxes(), int64_t(1),
         [](uint64_t a, uint64_t b) { return static_cast<int64_t>(a * b); });
}

/// Is `a` to be taken before `b`? NaN before everything.
static bool isBetter(double a, double b, bool max) {
  if (std::isnan(a) || std::isnan(b))
    return std::isnan(a) && !std::isnan(b);
  return max ? a > b : a < b;
}
static bool isBetter(int64_t a, int64_t b, bool max, bool isUnsigned) {
  if (isUnsigned) {
    // Moves the unsigned order onto the signed one.
    a ^= std::numeric_limits<int64_t>::min();
    b ^= std::numeric_limits<int64_t>::min();
  }
  return max ? a > b : a < b;
}

/// The integer that loses against every other of its type.
static int64_t worstInteger(IntegerType type, bool max) {
  const double infinity = std::numeric_limits<double>::infinity();
  if (type.getWidth() == 1)
    return max ? 0 : 1;
  return truncateToType(max ? -infinity : infinity, type);
}

template <typename OpTy> static void evaluateExtremum(OpTy op, Evaluation &e) {
  constexpr bool max = std::is_same_v<OpTy, nn::ReduceMaxOp>;
  const Tensor &x = e.operand(0);
  if (x.isFloat()) {
    const double infinity = std::numeric_limits<double>::infinity();
    fold(x, x.floats, e.result().floats, op.getAxes(),
         max ? -infinity : infinity,
         [](double a, double b) { return isBetter(b, a, max) ? b : a; });
    return;
  }
  auto type = cast<IntegerType>(x.elementType);
  const bool isUnsigned = type.isUnsigned();
  fold(x, x.ints, e.result().ints, op.getAxes(), worstInteger(type, max),
       [=](int64_t a, int64_t b) {
         return isBetter(b, a, max, isUnsigned) ? b : a;
       });
}

template <typename OpTy> static void evaluateArg(OpTy op, Evaluation &e) {
  constexpr bool max = std::is_same_v<OpTy, nn::ArgMaxOp>;
  const Tensor &x = e.operand(0);
  const bool isUnsigned = x.elementType.isUnsignedInteger();
  const bool last = op.getSelectLast();
  const AxisSplit split = splitAtAxis(x.shape, op.getAxis());
  for (int64_t outer = 0; outer < split.outer; ++outer) {
    for (int64_t inner = 0; inner < split.inner; ++inner) {
      const int64_t base = outer * split.extent * split.inner + inner;
      auto better = [&](int64_t a, int64_t b) {
        const int64_t i = base + a * split.inner, j = base + b * split.inner;
        return x.isFloat() ? isBetter(x.floats[i], x.floats[j], max)
                           : isBetter(x.ints[i], x.ints[j], max, isUnsigned);
      };
      int64_t best = 0;
      for (int64_t i = 1; i < split.extent; ++i)
        if (last ? !better(best, i) : better(i, best))
          best = i;
      e.result().ints[outer * split.inner + inner] = best;
    }
  }
}

static void evaluateCumSum(nn::CumSumOp op, Evaluation &e) {
  const Tensor &x = e.operand(0);
  Tensor &y = e.result();
  const AxisSplit split = splitAtAxis(x.shape, op.getAxis());
  auto run = [&](const auto &in, auto &out) {
    for (int64_t outer = 0; outer < split.outer; ++outer) {
      for (int64_t inner = 0; inner < split.inner; ++inner) {
        std::decay_t<decltype(in[0])> sum = 0;
        for (int64_t n = 0; n < split.extent; ++n) {
          const int64_t i = op.getReverse() ? split.extent - 1 - n : n;
          const int64_t at = (outer * split.extent + i) * split.inner + inner;
          if (op.getExclusive())
            out[at] = sum;
          if constexpr (std::is_integral_v<decltype(sum)>)
            sum = static_cast<int64_t>(static_cast<uint64_t>(sum) +
                                       static_cast<uint64_t>(in[at]));
          else
            sum += in[at];
          if (!op.getExclusive())
            out[at] = sum;
        }
      }
    }
  };
  if (x.isFloat())
    run(x.floats, y.floats);
  else
    run(x.ints, y.ints);
}

void addReductionEvaluations(Registry &registry) {
  registry.add<nn::ReduceSumOp>(evaluateSum<nn::ReduceSumOp>);
  registry.add<nn::ReduceMeanOp>(evaluateSum<nn::ReduceMeanOp>);
  registry.add<nn::ReduceMaxOp>(evaluateExtremum<nn::ReduceMaxOp>);
  registry.add<nn::ReduceMinOp>(evaluateExtremum<nn::ReduceMinOp>);
  registry.add<nn::ReduceProdOp>(evaluateProd);
  registry.add<nn::ArgMaxOp>(evaluateArg<nn::ArgMaxOp>);
  registry.add<nn::ArgMinOp>(evaluateArg<nn::ArgMinOp>);
  registry.add<nn::CumSumOp>(evaluateCumSum);
}

} // namespace mpt::reference
