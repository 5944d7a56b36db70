//===- TopK.cpp - The largest elements of an axis -------------------------===//

#include "Generic.h"
#include "Kernels.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

using Values = SmallVector<Value>;
using FPred = arith::CmpFPredicate;
using IPred = arith::CmpIPredicate;

/// Does `a` come before `b`? NaN comes before everything.
static Value emitPrecedes(EmitContext &c, Value a, Value b, bool largest) {
  Value before = c.cmpf(largest ? FPred::OGT : FPred::OLT, a, b);
  Value isNaN = c.cmpf(FPred::UNO, a, a), isNumber = c.cmpf(FPred::ORD, b, b);
  return arith::OrIOp::create(c.b, c.loc, before,
                              c.logicalAnd(isNaN, isNumber));
}

static KernelShape getTopKShape(Operation *op) {
  auto top = cast<nn::TopKOp>(op);
  const auto k = static_cast<int64_t>(top.getK());
  return KernelShape::parallel(
      atLeastOne(getCount(top.getValues()) / atLeastOne(k)));
}

/// k passes over a line: each takes the first of the elements that come behind
/// the one the last pass took. No memory of its own, and k is small where it is
/// used (experts of a mixture, beams).
static void emitTopK(OpWriter &w) {
  auto op = cast<nn::TopKOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &x = w.in(0), &values = w.out(0), &indices = w.out(1);
  const auto k = static_cast<int64_t>(op.getK());
  const int64_t extent = x.type.getDimSize(op.getAxis());
  const int64_t stride = x.strides[op.getAxis()];
  if (values.numElements() == 0)
    return;
  Type type = getComputeType(x.elementType());
  c.parallel(values.numElements() / k, [&](Value line) {
    Value outer = c.div(line, stride), inner = c.rem(line, stride);
    Value start = c.add(c.mul(outer, extent * stride), inner);
    Value target = c.add(c.mul(outer, k * stride), inner);
    Values init{c.constant(type, 0), c.index(-1)};
    c.loop(k, init, [&](Value pass, ValueRange last) -> Values {
      Value isFirst = c.cmp(IPred::eq, pass, c.index(0));
      Values none{c.constant(type, 0), c.index(-1)};
      Values best =
          c.loop(extent, none, [&](Value i, ValueRange carried) -> Values {
            Value value = c.load(x, c.add(start, c.mul(i, stride)));
            // Behind the last one taken: it precedes i, or equals it and has
            // the lower index.
            Value behind = emitPrecedes(c, last[0], value, op.getLargest());
            Value ahead = emitPrecedes(c, value, last[0], op.getLargest());
            Value later = c.cmp(IPred::sgt, i, last[1]);
            Value open = arith::OrIOp::create(c.b, c.loc, behind, later);
            open = c.select(ahead, isFirst, open);
            open = arith::OrIOp::create(c.b, c.loc, isFirst, open);
            Value better = arith::OrIOp::create(
                c.b, c.loc, c.cmp(IPred::slt, carried[1], c.index(0)),
                emitPrecedes(c, value, carried[0], op.getLargest()));
            Value takes = c.logicalAnd(open, better);
            return {c.select(takes, value, carried[0]),
                    c.select(takes, i, carried[1])};
          });
      Value to = c.add(target, c.mul(pass, stride));
      c.store(values, to, best[0]);
      c.store(
          indices, to,
          arith::IndexCastOp::create(c.b, c.loc, c.b.getI64Type(), best[1]));
      return best;
    });
  });
}

void conversion::addTopKKernels(KernelRegistry &registry) {
  addGeneric<nn::TopKOp>(registry, getTopKShape, emitTopK, 1);
}
