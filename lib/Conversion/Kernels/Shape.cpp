//===- Shape.cpp - Transposes, slices, pads: copies -----------------------===//

#include "Generic.h"
#include "Kernels.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

void conversion::emitStridedCopy(EmitContext &c, const KernelTensor &src,
                                 int64_t srcOffset,
                                 ArrayRef<int64_t> srcStrides,
                                 const KernelTensor &dst, int64_t dstOffset,
                                 ArrayRef<int64_t> dstStrides,
                                 ArrayRef<int64_t> extents) {
  // Joins axes that both sides step through alike.
  SmallVector<int64_t> box, from, to;
  for (size_t i = 0; i < extents.size(); ++i) {
    if (extents[i] == 1)
      continue;
    if (extents[i] == 0)
      return;
    if (!box.empty() && from.back() == srcStrides[i] * extents[i] &&
        to.back() == dstStrides[i] * extents[i]) {
      box.back() *= extents[i];
      from.back() = srcStrides[i];
      to.back() = dstStrides[i];
      continue;
    }
    box.push_back(extents[i]);
    from.push_back(srcStrides[i]);
    to.push_back(dstStrides[i]);
  }
  if (box.empty()) {
    box.push_back(1);
    from.push_back(0);
    to.push_back(0);
  }
  auto copy = [&](Value source, Value target) {
    Value value = memref::LoadOp::create(c.b, c.loc, src.memref, source);
    memref::StoreOp::create(c.b, c.loc, value, dst.memref, target);
  };
  const int64_t row = box.pop_back_val();
  const int64_t fromStep = from.pop_back_val(), toStep = to.pop_back_val();
  const int64_t rows = product(box);
  auto locate = [&](Value number, ArrayRef<int64_t> strides, int64_t offset) {
    return c.add(c.linearize(c.delinearize(number, box), strides), offset);
  };
  // Few long rows are divided, many short ones handed out whole.
  if (c.target.isGPU || rows < 64) {
    c.parallel(rows * row, [&](Value item) {
      Value number = c.div(item, row), i = c.rem(item, row);
      copy(c.add(locate(number, from, srcOffset), c.mul(i, fromStep)),
           c.add(locate(number, to, dstOffset), c.mul(i, toStep)));
    });
    return;
  }
  c.parallel(rows, [&](Value number) {
    Value source = locate(number, from, srcOffset);
    Value target = locate(number, to, dstOffset);
    c.loop(row, [&](Value i) {
      copy(c.add(source, c.mul(i, fromStep)), c.add(target, c.mul(i, toStep)));
    });
  });
}

void conversion::emitFill(EmitContext &c, const KernelTensor &tensor,
                          double value) {
  Value constant =
      c.narrow(c.constant(getComputeType(tensor.elementType()), value),
               tensor.elementType());
  c.parallel(tensor.numElements(), [&](Value i) {
    memref::StoreOp::create(c.b, c.loc, constant, tensor.memref, i);
  });
}

static void emitTranspose(OpWriter &w) {
  auto op = cast<nn::TransposeOp>(w.op);
  const KernelTensor &x = w.in(0), &y = w.out();
  SmallVector<int64_t> strides;
  for (int64_t axis : op.getPermutation())
    strides.push_back(x.strides[axis]);
  emitStridedCopy(w.c, x, 0, strides, y, 0, y.strides, y.type.getShape());
}

static void emitConcat(OpWriter &w) {
  auto op = cast<nn::ConcatOp>(w.op);
  const KernelTensor &y = w.out();
  int64_t position = 0;
  for (Value operand : op.getInputs()) {
    const KernelTensor &x = w.in(operand);
    emitStridedCopy(w.c, x, 0, x.strides, y, position * y.strides[op.getAxis()],
                    y.strides, x.type.getShape());
    position += x.type.getDimSize(op.getAxis());
  }
}

static void emitSplit(OpWriter &w) {
  auto op = cast<nn::SplitOp>(w.op);
  const KernelTensor &x = w.in(0);
  int64_t position = 0;
  for (unsigned i = 0; i < op->getNumResults(); ++i) {
    const KernelTensor &y = w.out(i);
    emitStridedCopy(w.c, x, position * x.strides[op.getAxis()], x.strides, y, 0,
                    y.strides, y.type.getShape());
    position += y.type.getDimSize(op.getAxis());
  }
}

/// Offset and strides of a slice in the tensor it is taken from.
static std::pair<int64_t, SmallVector<int64_t>>
getSlice(const KernelTensor &tensor, ArrayRef<int64_t> starts,
         ArrayRef<int64_t> steps) {
  int64_t offset = 0;
  SmallVector<int64_t> strides;
  for (auto [start, step, stride] :
       llvm::zip_equal(starts, steps, tensor.strides)) {
    offset += start * stride;
    strides.push_back(step * stride);
  }
  return {offset, strides};
}

static void emitSlice(OpWriter &w) {
  auto op = cast<nn::SliceOp>(w.op);
  const KernelTensor &x = w.in(0), &y = w.out();
  auto [offset, strides] = getSlice(x, op.getStarts(), op.getSteps());
  emitStridedCopy(w.c, x, offset, strides, y, 0, y.strides, y.type.getShape());
}

/// Fill, then copy.
static KernelShape twoPhases(Operation *op) {
  KernelShape shape = perElement(op);
  shape.phases.push_back({atLeastOne(getCount(op->getOperand(0))), {}});
  return shape;
}

static void emitSliceGrad(OpWriter &w) {
  auto op = cast<nn::SliceGradOp>(w.op);
  const KernelTensor &dy = w.in(0), &dx = w.out();
  if (w.c.phase == 0)
    return emitFill(w.c, dx, 0);
  auto [offset, strides] = getSlice(dx, op.getStarts(), op.getSteps());
  emitStridedCopy(w.c, dy, 0, dy.strides, dx, offset, strides,
                  dy.type.getShape());
}

//===----------------------------------------------------------------------===//
// Pads
//===----------------------------------------------------------------------===//

/// The element of an axis of `extent` that padded position `position - low`
/// shows, and whether it shows one (null: always).
static std::pair<Value, Value> getPadSource(EmitContext &c, Value position,
                                            int64_t low, int64_t extent,
                                            nn::PadMode mode) {
  Value x = c.sub(position, c.index(low));
  switch (mode) {
  case nn::PadMode::Constant:
    return {x, c.isInside(x, extent)};
  case nn::PadMode::Edge:
    return {c.min(c.max(x, c.index(0)), c.index(extent - 1)), Value()};
  case nn::PadMode::Wrap: {
    // Borders may be longer than the axis.
    const int64_t turns = low / std::max<int64_t>(1, extent) + 1;
    return {c.rem(c.add(x, turns * extent), extent), Value()};
  }
  case nn::PadMode::Reflect: {
    // |x|, then reflected at the far end.
    Value negative = c.sub(c.index(0), x);
    Value y = c.max(x, negative);
    Value far = c.sub(c.index(2 * (extent - 1)), y);
    return {extent == 1 ? c.index(0) : c.min(y, far), Value()};
  }
  }
  return {x, Value()};
}

/// The linear index a padded position shows, and whether it shows one.
static std::pair<Value, Value>
getPadSource(EmitContext &c, ValueRange coordinates, const KernelTensor &tensor,
             ArrayRef<int64_t> low, nn::PadMode mode) {
  Value linear = c.index(0), inside;
  for (size_t i = 0; i < coordinates.size(); ++i) {
    auto [source, valid] = getPadSource(c, coordinates[i], low[i],
                                        tensor.type.getDimSize(i), mode);
    linear = c.add(linear, c.mul(source, tensor.strides[i]));
    if (valid)
      inside = inside ? c.logicalAnd(inside, valid) : valid;
  }
  return {linear, inside};
}

static void emitPad(OpWriter &w) {
  auto op = cast<nn::PadOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &x = w.in(0), &y = w.out();
  Type type = getComputeType(y.elementType());
  c.parallel(y.numElements(), [&](Value item) {
    SmallVector<Value> at = c.delinearize(item, y.type.getShape());
    auto [source, inside] = getPadSource(c, at, x, op.getLow(), op.getMode());
    auto load = [&, source = source] {
      return SmallVector<Value>{c.load(x, source)};
    };
    Value value = inside
                      ? c.ifElse(inside, type, load,
                                 [&] {
                                   return SmallVector<Value>{c.constant(
                                       type, op.getValue().convertToDouble())};
                                 })[0]
                      : load()[0];
    c.store(y, item, value);
  });
}

/// Border elements add to what they copied: zero, scatter, round. Only a
/// constant border needs no sums.
static KernelShape getPadGradShape(Operation *op) {
  auto grad = cast<nn::PadGradOp>(op);
  if (grad.getMode() == nn::PadMode::Constant)
    return perElement(op);
  KernelShape shape = perElement(op);
  shape.phases.push_back({1, SmallVector<unsigned>()});
  shape.phases[0].outputs = SmallVector<unsigned>();
  shape.phases.push_back(perElement(op).phases[0]);
  Type acc = getComputeType(getElementTypeOrSelf(op->getResult(0).getType()));
  shape.sharedScratchBytes = getCount(op->getResult(0)) * getElementBytes(acc);
  return shape;
}

static void emitPadGrad(OpWriter &w) {
  auto op = cast<nn::PadGradOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &dy = w.in(0), &dx = w.out();
  if (op.getMode() == nn::PadMode::Constant) {
    c.parallel(dx.numElements(), [&](Value item) {
      SmallVector<Value> at = c.delinearize(item, dx.type.getShape());
      Value linear = c.index(0), inside;
      for (size_t i = 0; i < at.size(); ++i) {
        Value position = c.add(at[i], op.getLow()[i]);
        Value valid = c.isInside(position, dy.type.getDimSize(i));
        inside = inside ? c.logicalAnd(inside, valid) : valid;
        linear = c.add(linear, c.mul(position, dy.strides[i]));
      }
      auto load = [&] { return SmallVector<Value>{c.load(dy, linear)}; };
      Type type = getComputeType(dy.elementType());
      Value value =
          inside ? c.ifElse(inside, type, load,
                            [&] {
                              return SmallVector<Value>{c.constant(type, 0)};
                            })[0]
                 : load()[0];
      c.store(dx, item, c.convert(value, dx.elementType()));
    });
    return;
  }
  Type acc = getComputeType(dx.elementType());
  KernelTensor sums = dx;
  sums.type = RankedTensorType::get(dx.type.getShape(), acc);
  sums.memref = c.scratchView(c.sharedScratch, 0, dx.numElements(), acc);
  if (c.phase == 0)
    return emitFill(c, sums, 0);
  if (c.phase == 2) {
    c.parallel(dx.numElements(),
               [&](Value i) { c.store(dx, i, c.load(sums, i)); });
    return;
  }
  c.parallel(1, [&](Value) {
    c.loop(dy.numElements(), [&](Value item) {
      SmallVector<Value> at = c.delinearize(item, dy.type.getShape());
      Value target = getPadSource(c, at, dx, op.getLow(), op.getMode()).first;
      Value term = c.convert(c.load(dy, item), acc);
      c.store(sums, target, c.addf(c.load(sums, target), term));
    });
  });
}

void conversion::addShapeKernels(KernelRegistry &registry) {
  addGeneric<nn::TransposeOp>(registry, perElement, emitTranspose, 1);
  addGeneric<nn::ConcatOp>(registry, perElement, emitConcat, 1);
  addGeneric<nn::SplitOp>(
      registry,
      [](Operation *op) {
        return KernelShape::parallel(atLeastOne(getCount(op->getOperand(0))));
      },
      emitSplit, 1);
  addGeneric<nn::SliceOp>(registry, perElement, emitSlice, 1);
  addGeneric<nn::SliceGradOp>(registry, twoPhases, emitSliceGrad, 1);
  addGeneric<nn::PadOp>(registry, perElement, emitPad, 1);
  addGeneric<nn::PadGradOp>(registry, getPadGradShape, emitPadGrad, 1);
}
