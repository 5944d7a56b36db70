//===- Gather.cpp - Indexing and its gradients ----------------------------===//
//
// Gradients add in a fixed order: a chunk owns columns of the result and visits
// all indices. Indices out of range are clamped, so that no memory is harmed;
// the Reference reports them.
//
//===----------------------------------------------------------------------===//

#include "Generic.h"
#include "Kernels.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

/// Index number `at` as a position in [0, extent).
static Value loadIndex(EmitContext &c, const KernelTensor &indices, Value at,
                       int64_t extent) {
  Value index = arith::IndexCastOp::create(c.b, c.loc, c.b.getIndexType(),
                                           c.load(indices, at));
  Value isNegative = c.cmp(arith::CmpIPredicate::slt, index, c.index(0));
  index = c.select(isNegative, c.add(index, extent), index);
  return c.min(c.max(index, c.index(0)), c.index(extent - 1));
}

namespace {
struct AxisSplit {
  AxisSplit(ArrayRef<int64_t> shape, int64_t axis)
      : outer(product(shape.take_front(axis))), extent(shape[axis]),
        inner(product(shape.drop_front(axis + 1))) {}
  int64_t outer, extent, inner;
};
} // namespace

static void emitGather(OpWriter &w) {
  auto op = cast<nn::GatherOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &data = w.in(0), &indices = w.in(1), &y = w.out();
  const AxisSplit split(data.type.getShape(), op.getAxis());
  const int64_t count = indices.numElements();
  if (data.numElements() == 0)
    return emitFill(c, y, 0);
  auto getRow = [&](Value number) {
    Value outer = c.div(number, count);
    Value position = loadIndex(c, indices, c.rem(number, count), split.extent);
    return c.mul(c.add(c.mul(outer, split.extent), position), split.inner);
  };
  if (c.target.isGPU) {
    c.parallel(y.numElements(), [&](Value item) {
      Value row = getRow(c.div(item, split.inner));
      c.store(y, item, c.load(data, c.add(row, c.rem(item, split.inner))));
    });
    return;
  }
  c.parallel(split.outer * count, [&](Value number) {
    Value row = getRow(number), target = c.mul(number, split.inner);
    c.loop(split.inner, [&](Value i) {
      c.store(y, c.add(target, i), c.load(data, c.add(row, i)));
    });
  });
}

/// Sums in the accumulator type: the result itself, or scratch that is rounded
/// in a last phase.
static bool needsScratch(Operation *op) {
  Type type = getElementTypeOrSelf(op->getResult(0).getType());
  return getComputeType(type) != type;
}
static KernelShape getScatterShape(Operation *op, int64_t columns) {
  KernelShape shape = perElement(op);
  shape.phases.push_back({atLeastOne(columns), std::nullopt});
  if (needsScratch(op)) {
    shape.phases[0].outputs = SmallVector<unsigned>();
    shape.phases[1].outputs = SmallVector<unsigned>();
    shape.phases.push_back(perElement(op).phases[0]);
    Type acc = getComputeType(getElementTypeOrSelf(op->getResult(0).getType()));
    shape.sharedScratchBytes =
        atLeastOne(getCount(op->getResult(0))) * getElementBytes(acc);
  }
  return shape;
}
static void emitScatter(OpWriter &w,
                        llvm::function_ref<void(const KernelTensor &)> add) {
  EmitContext &c = w.c;
  const KernelTensor &dx = w.out();
  KernelTensor sums = dx;
  if (needsScratch(w.op)) {
    Type acc = getComputeType(dx.elementType());
    sums.type = RankedTensorType::get(dx.type.getShape(), acc);
    sums.memref = c.scratchView(c.sharedScratch, 0, dx.numElements(), acc);
  }
  if (c.phase == 0)
    return emitFill(c, sums, 0);
  if (c.phase == 1)
    return add(sums);
  c.parallel(dx.numElements(),
             [&](Value i) { c.store(dx, i, c.load(sums, i)); });
}
/// sums[target] += dy[source].
static void emitAdd(EmitContext &c, const KernelTensor &sums, Value target,
                    const KernelTensor &dy, Value source) {
  Value term = c.convert(c.load(dy, source), sums.elementType());
  c.store(sums, target, c.addf(c.load(sums, target), term));
}

static KernelShape getGatherGradShape(Operation *op) {
  auto grad = cast<nn::GatherGradOp>(op);
  const AxisSplit split(getShapeOf(grad.getResult()), grad.getAxis());
  return getScatterShape(op, split.inner);
}
static void emitGatherGrad(OpWriter &w) {
  auto op = cast<nn::GatherGradOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &dy = w.in(0), &indices = w.in(1);
  const AxisSplit split(getShapeOf(op.getResult()), op.getAxis());
  const int64_t count = indices.numElements();
  emitScatter(w, [&](const KernelTensor &sums) {
    if (split.extent == 0)
      return;
    auto addColumns = [&](Value begin, Value end, Value step) {
      c.loop(split.outer, [&](Value outer) {
        c.loop(count, [&](Value number) {
          Value position = loadIndex(c, indices, number, split.extent);
          Value target =
              c.mul(c.add(c.mul(outer, split.extent), position), split.inner);
          Value source = c.mul(c.add(c.mul(outer, count), number), split.inner);
          c.loop(begin, end, step, [&](Value i) {
            emitAdd(c, sums, c.add(target, i), dy, c.add(source, i));
          });
        });
      });
    };
    EmitContext::Range range = c.share(split.inner);
    addColumns(range.begin, range.end, range.step);
  });
}

/// The element of `data` an element of the indices refers to.
static Value getElement(EmitContext &c, ValueRange at, const KernelTensor &data,
                        const KernelTensor &indices, Value number,
                        int64_t axis) {
  Value linear = c.index(0);
  for (size_t i = 0; i < at.size(); ++i) {
    Value position = int64_t(i) == axis ? loadIndex(c, indices, number,
                                                    data.type.getDimSize(axis))
                                        : at[i];
    linear = c.add(linear, c.mul(position, data.strides[i]));
  }
  return linear;
}
static void emitGatherElements(OpWriter &w) {
  auto op = cast<nn::GatherElementsOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &data = w.in(0), &indices = w.in(1), &y = w.out();
  c.parallel(y.numElements(), [&](Value item) {
    SmallVector<Value> at = c.delinearize(item, y.type.getShape());
    c.store(y, item,
            c.load(data, getElement(c, at, data, indices, item, op.getAxis())));
  });
}
static KernelShape getGatherElementsGradShape(Operation *op) {
  auto grad = cast<nn::GatherElementsGradOp>(op);
  const AxisSplit split(getShapeOf(grad.getIndices()), grad.getAxis());
  return getScatterShape(op, split.outer * split.inner);
}
static void emitGatherElementsGrad(OpWriter &w) {
  auto op = cast<nn::GatherElementsGradOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &dy = w.in(0), &indices = w.in(1);
  const AxisSplit split(indices.type.getShape(), op.getAxis());
  emitScatter(w, [&](const KernelTensor &sums) {
    if (sums.numElements() == 0)
      return;
    c.parallel(split.outer * split.inner, [&](Value column) {
      Value outer = c.div(column, split.inner);
      Value inner = c.rem(column, split.inner);
      c.loop(split.extent, [&](Value i) {
        Value number = c.add(
            c.mul(c.add(c.mul(outer, split.extent), i), split.inner), inner);
        SmallVector<Value> at = c.delinearize(number, indices.type.getShape());
        emitAdd(c, sums, getElement(c, at, sums, indices, number, op.getAxis()),
                dy, number);
      });
    });
  });
}

/// Where the slice of index tuple `number` begins.
static Value getTupleOffset(EmitContext &c, const KernelTensor &data,
                            const KernelTensor &indices, int64_t batchDims,
                            Value number) {
  ArrayRef<int64_t> shape = indices.type.getShape();
  const int64_t depth = shape.back();
  const int64_t tuples = product(shape.drop_front(batchDims).drop_back());
  Value offset = c.mul(c.div(number, atLeastOne(tuples)),
                       product(data.type.getShape().drop_front(batchDims)));
  for (int64_t d = 0; d < depth; ++d) {
    Value position = loadIndex(c, indices, c.add(c.mul(number, depth), d),
                               data.type.getDimSize(batchDims + d));
    offset = c.add(offset, c.mul(position, data.strides[batchDims + d]));
  }
  return offset;
}
static int64_t getSliceSize(const KernelTensor &data,
                            const KernelTensor &indices, int64_t batchDims) {
  return product(data.type.getShape().drop_front(
      batchDims + indices.type.getShape().back()));
}
static void emitGatherND(OpWriter &w) {
  auto op = cast<nn::GatherNDOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &data = w.in(0), &indices = w.in(1), &y = w.out();
  const int64_t size = getSliceSize(data, indices, op.getBatchDims());
  c.parallel(y.numElements(), [&](Value item) {
    Value offset = getTupleOffset(c, data, indices, op.getBatchDims(),
                                  c.div(item, atLeastOne(size)));
    c.store(y, item,
            c.load(data, c.add(offset, c.rem(item, atLeastOne(size)))));
  });
}
static KernelShape getGatherNDGradShape(Operation *op) {
  auto grad = cast<nn::GatherNDGradOp>(op);
  ArrayRef<int64_t> shape = getShapeOf(grad.getResult());
  return getScatterShape(
      op, product(shape.drop_front(grad.getBatchDims() +
                                   getShapeOf(grad.getIndices()).back())));
}
static void emitGatherNDGrad(OpWriter &w) {
  auto op = cast<nn::GatherNDGradOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &dy = w.in(0), &indices = w.in(1);
  emitScatter(w, [&](const KernelTensor &sums) {
    const int64_t size = getSliceSize(sums, indices, op.getBatchDims());
    c.parallel(size, [&](Value column) {
      c.loop(dy.numElements() / atLeastOne(size), [&](Value number) {
        Value offset =
            getTupleOffset(c, sums, indices, op.getBatchDims(), number);
        emitAdd(c, sums, c.add(offset, column), dy,
                c.add(c.mul(number, size), column));
      });
    });
  });
}

void conversion::addGatherKernels(KernelRegistry &registry) {
  addGeneric<nn::GatherOp>(registry, perElement, emitGather, 1);
  addGeneric<nn::GatherGradOp>(registry, getGatherGradShape, emitGatherGrad, 1);
  addGeneric<nn::GatherElementsOp>(registry, perElement, emitGatherElements, 1);
  addGeneric<nn::GatherElementsGradOp>(registry, getGatherElementsGradShape,
                                       emitGatherElementsGrad, 1);
  addGeneric<nn::GatherNDOp>(registry, perElement, emitGatherND, 1);
  addGeneric<nn::GatherNDGradOp>(registry, getGatherNDGradShape,
                                 emitGatherNDGrad, 1);
}
