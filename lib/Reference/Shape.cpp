//===- Shape.cpp - Moving elements ----------------------------------------===//

#include "Evaluation.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

using namespace mlir;

namespace mpt::reference {

static void evaluateReshape(nn::ReshapeOp, Evaluation &e) {
  e.result().floats = e.operand(0).floats;
  e.result().ints = e.operand(0).ints;
}

static void evaluateTranspose(nn::TransposeOp op, Evaluation &e) {
  const Tensor &x = e.operand(0);
  Tensor &y = e.result();
  SmallVector<int64_t> strides = rowMajorStrides(x.shape);
  View source;
  for (int64_t axis : op.getPermutation())
    source.strides.push_back(strides[axis]);
  copyBox(y.shape, x, source, y, contiguous(y.shape));
}

static void evaluateExpand(nn::ExpandOp, Evaluation &e) {
  const Tensor &x = e.operand(0);
  Tensor &y = e.result();
  copyBox(y.shape, x, broadcast(x.shape, y.shape), y, contiguous(y.shape));
}

static void evaluateConcat(nn::ConcatOp op, Evaluation &e) {
  Tensor &y = e.result();
  View target = contiguous(y.shape);
  const int64_t axis = op.getAxis();
  for (const Tensor *x : e.operands) {
    copyBox(x->shape, *x, contiguous(x->shape), y, target);
    target.offset += x->shape[axis] * target.strides[axis];
  }
}

static void evaluateSplit(nn::SplitOp op, Evaluation &e) {
  const Tensor &x = e.operand(0);
  View source = contiguous(x.shape);
  const int64_t axis = op.getAxis();
  for (Tensor &part : e.results) {
    copyBox(part.shape, x, source, part, contiguous(part.shape));
    source.offset += part.shape[axis] * source.strides[axis];
  }
}

/// The box of a tensor of `shape` that a slice takes.
static View sliceView(ArrayRef<int64_t> shape, ArrayRef<int64_t> starts,
                      ArrayRef<int64_t> steps) {
  View view = contiguous(shape);
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    view.offset += starts[axis] * view.strides[axis];
    view.strides[axis] *= steps[axis];
  }
  return view;
}

static void evaluateSlice(nn::SliceOp op, Evaluation &e) {
  const Tensor &x = e.operand(0);
  Tensor &y = e.result();
  copyBox(y.shape, x, sliceView(x.shape, op.getStarts(), op.getSteps()), y,
          contiguous(y.shape));
}

static void evaluateSliceGrad(nn::SliceGradOp op, Evaluation &e) {
  const Tensor &dy = e.operand(0);
  Tensor &dx = e.result();
  copyBox(dy.shape, dy, contiguous(dy.shape), dx,
          sliceView(dx.shape, op.getStarts(), op.getSteps()));
}

/// For every padded position along an axis the position it copies, or -1 where
/// it holds the constant.
static SmallVector<int64_t> padSources(int64_t extent, int64_t low,
                                       int64_t padded, nn::PadMode mode) {
  SmallVector<int64_t> sources(padded, -1);
  for (int64_t i = 0; i < padded; ++i) {
    int64_t position = i - low;
    if (position >= 0 && position < extent) {
      sources[i] = position;
      continue;
    }
    if (extent == 0)
      continue;
    switch (mode) {
    case nn::PadMode::Constant:
      break;
    case nn::PadMode::Edge:
      sources[i] = position < 0 ? 0 : extent - 1;
      break;
    case nn::PadMode::Wrap:
      sources[i] = (position % extent + extent) % extent;
      break;
    case nn::PadMode::Reflect: {
      // A zigzag of period 2 (extent - 1) that does not repeat the border.
      const int64_t period = extent > 1 ? 2 * (extent - 1) : 1;
      position = (position % period + period) % period;
      sources[i] = position < extent ? position : period - position;
    }
    }
  }
  return sources;
}

/// Calls `visit(source, padded)` for the elements of a padded tensor in order;
/// `source` is the offset of the element copied, or -1.
template <typename Visit>
static void forEachPadded(ArrayRef<int64_t> shape, ArrayRef<int64_t> padded,
                          ArrayRef<int64_t> low, nn::PadMode mode,
                          Visit visit) {
  const int64_t count = product(padded);
  if (shape.empty()) {
    visit(0, 0);
    return;
  }
  SmallVector<int64_t> strides = rowMajorStrides(shape);
  SmallVector<SmallVector<int64_t>> sources;
  for (size_t axis = 0; axis < shape.size(); ++axis)
    sources.push_back(padSources(shape[axis], low[axis], padded[axis], mode));
  SmallVector<int64_t> index(shape.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    int64_t source = 0;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      const int64_t position = sources[axis][index[axis]];
      if (position < 0) {
        source = -1;
        break;
      }
      source += position * strides[axis];
    }
    visit(source, i);
    for (size_t axis = shape.size(); axis-- > 0;) {
      if (++index[axis] < padded[axis])
        break;
      index[axis] = 0;
    }
  }
}

static void evaluatePad(nn::PadOp op, Evaluation &e) {
  const Tensor &x = e.operand(0);
  Tensor &y = e.result();
  const double value = op.getValue().convertToDouble();
  forEachPadded(x.shape, y.shape, op.getLow(), op.getMode(),
                [&](int64_t source, int64_t i) {
                  if (y.isFloat())
                    y.floats[i] = source < 0 ? value : x.floats[source];
                  else
                    y.ints[i] = source < 0 ? static_cast<int64_t>(value)
                                           : x.ints[source];
                });
}

static void evaluatePadGrad(nn::PadGradOp op, Evaluation &e) {
  const Tensor &dy = e.operand(0);
  Tensor &dx = e.result();
  forEachPadded(dx.shape, dy.shape, op.getLow(), op.getMode(),
                [&](int64_t source, int64_t i) {
                  if (source >= 0)
                    dx.floats[source] += dy.floats[i];
                });
}

void addShapeEvaluations(Registry &registry) {
  registry.add<nn::ReshapeOp>(evaluateReshape);
  registry.add<nn::TransposeOp>(evaluateTranspose);
  registry.add<nn::ExpandOp>(evaluateExpand);
  registry.add<nn::ConcatOp>(evaluateConcat);
  registry.add<nn::SplitOp>(evaluateSplit);
  registry.add<nn::SliceOp>(evaluateSlice);
  registry.add<nn::SliceGradOp>(evaluateSliceGrad);
  registry.add<nn::PadOp>(evaluatePad);
  registry.add<nn::PadGradOp>(evaluatePadGrad);
}

} // namespace mpt::reference
