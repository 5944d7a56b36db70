//===- Indexing.cpp - Gathers and their gradients -------------------------===//

#include "Evaluation.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

#include <cmath>
#include <numeric>

using namespace mlir;

namespace mpt::reference {

/// `index` as a position in [0, extent); negative ones count from the end.
static FailureOr<int64_t> resolveIndex(Operation *op, int64_t index,
                                       int64_t extent) {
  if (index < -extent || index >= extent)
    return op->emitOpError("reads index ")
           << index << ", which is out of range for an axis of extent "
           << extent;
  return index < 0 ? index + extent : index;
}

static void copySlice(const Tensor &from, int64_t source, Tensor &to,
                      int64_t target, int64_t count) {
  if (from.isFloat())
    std::copy_n(from.floats.begin() + source, count,
                to.floats.begin() + target);
  else
    std::copy_n(from.ints.begin() + source, count, to.ints.begin() + target);
}

static void addSlice(const Tensor &from, int64_t source, Tensor &to,
                     int64_t target, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    to.floats[target + i] += from.floats[source + i];
}

/// Calls `visit(data offset, gathered offset, count)` for each slice that a
/// gather of a tensor of shape `data` takes.
template <typename Visit>
static LogicalResult forEachGathered(Operation *op, ArrayRef<int64_t> data,
                                     const Tensor &indices, int64_t axis,
                                     Visit visit) {
  const AxisSplit split = splitAtAxis(data, axis);
  const int64_t count = indices.numElements();
  SmallVector<int64_t> positions;
  for (int64_t index : indices.ints) {
    FailureOr<int64_t> position = resolveIndex(op, index, split.extent);
    if (failed(position))
      return failure();
    positions.push_back(*position);
  }
  for (int64_t outer = 0; outer < split.outer; ++outer)
    for (int64_t i = 0; i < count; ++i)
      visit((outer * split.extent + positions[i]) * split.inner,
            (outer * count + i) * split.inner, split.inner);
  return success();
}

static LogicalResult evaluateGather(nn::GatherOp op, Evaluation &e) {
  return forEachGathered(op, e.operand(0).shape, e.operand(1), op.getAxis(),
                         [&](int64_t data, int64_t gathered, int64_t count) {
                           copySlice(e.operand(0), data, e.result(), gathered,
                                     count);
                         });
}

static LogicalResult evaluateGatherGrad(nn::GatherGradOp op, Evaluation &e) {
  return forEachGathered(op, e.result().shape, e.operand(1), op.getAxis(),
                         [&](int64_t data, int64_t gathered, int64_t count) {
                           addSlice(e.operand(0), gathered, e.result(), data,
                                    count);
                         });
}

/// Calls `visit(data offset, element of the indices)`.
template <typename Visit>
static LogicalResult
forEachGatheredElement(Operation *op, ArrayRef<int64_t> data,
                       const Tensor &indices, int64_t axis, Visit visit) {
  View base = contiguous(data);
  const int64_t stride = base.strides[axis];
  base.strides[axis] = 0;
  LogicalResult status = success();
  forEachElement<2>(indices.shape, {base, contiguous(indices.shape)},
                    [&](int64_t offset, int64_t i) {
                      if (failed(status))
                        return;
                      FailureOr<int64_t> position =
                          resolveIndex(op, indices.ints[i], data[axis]);
                      if (failed(position))
                        status = failure();
                      else
                        visit(offset + *position * stride, i);
                    });
  return status;
}

static LogicalResult evaluateGatherElements(nn::GatherElementsOp op,
                                            Evaluation &e) {
  return forEachGatheredElement(op, e.operand(0).shape, e.operand(1),
                                op.getAxis(), [&](int64_t data, int64_t i) {
                                  copySlice(e.operand(0), data, e.result(), i,
                                            1);
                                });
}

static LogicalResult evaluateGatherElementsGrad(nn::GatherElementsGradOp op,
                                                Evaluation &e) {
  return forEachGatheredElement(op, e.result().shape, e.operand(1),
                                op.getAxis(), [&](int64_t data, int64_t i) {
                                  addSlice(e.operand(0), i, e.result(), data,
                                           1);
                                });
}

/// Calls `visit(data offset, gathered offset, count)` for each index tuple.
template <typename Visit>
static LogicalResult forEachGatheredTuple(Operation *op, ArrayRef<int64_t> data,
                                          const Tensor &indices,
                                          int64_t batchDims, Visit visit) {
  const int64_t depth = indices.shape.back();
  const int64_t batch = product(data.take_front(batchDims));
  const int64_t tuples = product(
      ArrayRef<int64_t>(indices.shape).drop_front(batchDims).drop_back());
  const int64_t count = product(data.drop_front(batchDims + depth));
  const int64_t batchStride = product(data.drop_front(batchDims));
  SmallVector<int64_t> strides = rowMajorStrides(data);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t t = 0; t < tuples; ++t) {
      const int64_t number = b * tuples + t;
      int64_t offset = b * batchStride;
      for (int64_t d = 0; d < depth; ++d) {
        FailureOr<int64_t> position = resolveIndex(
            op, indices.ints[number * depth + d], data[batchDims + d]);
        if (failed(position))
          return failure();
        offset += *position * strides[batchDims + d];
      }
      visit(offset, number * count, count);
    }
  }
  return success();
}

static LogicalResult evaluateGatherND(nn::GatherNDOp op, Evaluation &e) {
  return forEachGatheredTuple(
      op, e.operand(0).shape, e.operand(1), op.getBatchDims(),
      [&](int64_t data, int64_t gathered, int64_t count) {
        copySlice(e.operand(0), data, e.result(), gathered, count);
      });
}

static LogicalResult evaluateGatherNDGrad(nn::GatherNDGradOp op,
                                          Evaluation &e) {
  return forEachGatheredTuple(
      op, e.result().shape, e.operand(1), op.getBatchDims(),
      [&](int64_t data, int64_t gathered, int64_t count) {
        addSlice(e.operand(0), gathered, e.result(), data, count);
      });
}

/// Is `a` to come before `b`? NaN comes before everything.
static bool precedes(double a, double b, bool largest) {
  if (std::isnan(a) || std::isnan(b))
    return std::isnan(a) && !std::isnan(b);
  return largest ? a > b : a < b;
}

static void evaluateTopK(nn::TopKOp op, Evaluation &e) {
  const Tensor &x = e.operand(0);
  const AxisSplit split = splitAtAxis(x.shape, op.getAxis());
  const auto k = static_cast<int64_t>(op.getK());
  std::vector<int64_t> order(split.extent);
  for (int64_t outer = 0; outer < split.outer; ++outer) {
    for (int64_t inner = 0; inner < split.inner; ++inner) {
      const double *line =
          x.floats.data() + outer * split.extent * split.inner + inner;
      std::iota(order.begin(), order.end(), int64_t(0));
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        return precedes(line[a * split.inner], line[b * split.inner],
                        op.getLargest());
      });
      for (int64_t i = 0; i < k; ++i) {
        const int64_t to = (outer * k + i) * split.inner + inner;
        e.result(0).floats[to] = line[order[i] * split.inner];
        e.result(1).ints[to] = order[i];
      }
    }
  }
}

void addIndexingEvaluations(Registry &registry) {
  registry.add<nn::GatherOp>(evaluateGather);
  registry.add<nn::GatherGradOp>(evaluateGatherGrad);
  registry.add<nn::GatherElementsOp>(evaluateGatherElements);
  registry.add<nn::GatherElementsGradOp>(evaluateGatherElementsGrad);
  registry.add<nn::GatherNDOp>(evaluateGatherND);
  registry.add<nn::GatherNDGradOp>(evaluateGatherNDGrad);
  registry.add<nn::TopKOp>(evaluateTopK);
}

} // namespace mpt::reference
