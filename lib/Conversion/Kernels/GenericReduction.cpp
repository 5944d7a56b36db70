//===- GenericReduction.cpp - Reductions and softmax, plain ---------------===//

#include "Generic.h"
#include "Kernels.h"

#include <limits>

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

using Values = SmallVector<Value>;
using IPred = arith::CmpIPredicate;

/// What a reduction starts from.
static Value getIdentity(EmitContext &c, Operation *op, Type type,
                         bool isUnsigned) {
  const double inf = std::numeric_limits<double>::infinity();
  const bool isMax = isa<nn::ReduceMaxOp>(op), isMin = isa<nn::ReduceMinOp>(op);
  if (!isMax && !isMin)
    return c.constant(type, isa<nn::ReduceProdOp>(op) ? 1 : 0);
  if (isa<FloatType>(type))
    return c.constant(type, isMax ? -inf : inf);
  const unsigned width = type.getIntOrFloatBitWidth();
  APInt value = isUnsigned ? (isMax ? APInt::getMinValue(width)
                                    : APInt::getMaxValue(width))
                           : (isMax ? APInt::getSignedMinValue(width)
                                    : APInt::getSignedMaxValue(width));
  return arith::ConstantOp::create(c.b, c.loc, c.b.getIntegerAttr(type, value));
}

template <typename OpTy> static void emitReduce(OpWriter &w) {
  auto op = cast<OpTy>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &x = w.in(0), &y = w.out();
  Type acc = getAccumulator(x);
  const bool isUnsigned = x.elementType().isUnsignedInteger();
  SmallVector<int64_t> kept, keptStrides, reduced, reducedStrides;
  for (int64_t axis = 0; axis < x.type.getRank(); ++axis) {
    const bool isReduced = llvm::is_contained(op.getAxes(), axis);
    (isReduced ? reduced : kept).push_back(x.type.getDimSize(axis));
    (isReduced ? reducedStrides : keptStrides).push_back(x.strides[axis]);
  }
  auto combine = [&](Value a, Value b) -> Value {
    if (isa<nn::ReduceMaxOp>(w.op))
      return isUnsigned ? arith::MaxUIOp::create(c.b, c.loc, a, b).getResult()
                        : c.maxAny(a, b);
    if (isa<nn::ReduceMinOp>(w.op))
      return isUnsigned ? arith::MinUIOp::create(c.b, c.loc, a, b).getResult()
                        : c.minAny(a, b);
    return isa<nn::ReduceProdOp>(w.op) ? c.mulAny(a, b) : c.addAny(a, b);
  };
  const int64_t count = product(reduced);
  c.parallel(y.numElements(), [&](Value item) {
    Value base = c.linearize(c.delinearize(item, kept), keptStrides);
    Value init = getIdentity(c, w.op, acc, isUnsigned);
    Value result =
        c.loopNest(reduced, init, [&](ValueRange at, ValueRange carried) {
          Value value = c.load(x, c.add(base, c.linearize(at, reducedStrides)));
          return Values{combine(carried[0], value)};
        })[0];
    if (isa<nn::ReduceMeanOp>(w.op)) {
      if (isa<FloatType>(acc))
        result = c.divf(result, c.constant(acc, double(count)));
      else
        result = arith::DivSIOp::create(
            c.b, c.loc, result, c.constant(acc, double(atLeastOne(count))));
    }
    c.store(y, item, c.convert(result, y.elementType()));
  });
}

namespace {
/// An axis between what lies before and behind it.
struct Axis {
  Axis(const KernelTensor &tensor, int64_t axis)
      : extent(tensor.type.getDimSize(axis)), stride(tensor.strides[axis]),
        count(extent ? tensor.numElements() / extent : 0) {}
  /// The first element of line `number`.
  Value getStart(EmitContext &c, Value number) const {
    return c.add(c.mul(c.div(number, stride), extent * stride),
                 c.rem(number, stride));
  }
  int64_t extent, stride, count;
};
} // namespace

template <typename OpTy> static void emitArg(OpWriter &w) {
  auto op = cast<OpTy>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &x = w.in(0), &y = w.out();
  const Axis axis(x, op.getAxis());
  const bool isMax = isa<nn::ArgMaxOp>(w.op);
  const bool isUnsigned = x.elementType().isUnsignedInteger();
  c.parallel(y.numElements(), [&](Value item) {
    Value start = axis.getStart(c, item);
    Values init{c.load(x, start), c.index(0)};
    Values best = c.loop(
        c.index(1), c.index(axis.extent), c.index(1), init,
        [&](Value i, ValueRange carried) -> Values {
          Value value = c.load(x, c.add(start, c.mul(i, axis.stride)));
          Value a = isMax ? value : carried[0], b = isMax ? carried[0] : value;
          Value takes;
          if (isa<FloatType>(value.getType())) {
            // The first NaN wins.
            takes = c.cmpf(op.getSelectLast() ? arith::CmpFPredicate::OGE
                                              : arith::CmpFPredicate::OGT,
                           a, b);
            Value isNaN = c.cmpf(arith::CmpFPredicate::UNO, value, value);
            Value isNumber =
                c.cmpf(arith::CmpFPredicate::ORD, carried[0], carried[0]);
            takes = arith::OrIOp::create(
                c.b, c.loc, takes,
                op.getSelectLast() ? isNaN : c.logicalAnd(isNaN, isNumber));
          } else {
            takes = c.cmp(op.getSelectLast()
                              ? (isUnsigned ? IPred::uge : IPred::sge)
                              : (isUnsigned ? IPred::ugt : IPred::sgt),
                          a, b);
          }
          return {c.select(takes, value, carried[0]),
                  c.select(takes, i, carried[1])};
        });
    c.store(y, item,
            arith::IndexCastOp::create(c.b, c.loc, c.b.getI64Type(), best[1]));
  });
}

static KernelShape perLine(Operation *op) {
  ArrayRef<int64_t> shape = getShapeOf(op->getOperand(0));
  auto axis = op->getAttrOfType<IntegerAttr>("axis");
  const int64_t extent = shape.empty() ? 1 : shape[axis.getInt()];
  return KernelShape::parallel(
      atLeastOne(getCount(op->getOperand(0)) / atLeastOne(extent)));
}

static void emitCumSum(OpWriter &w) {
  auto op = cast<nn::CumSumOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &x = w.in(0), &y = w.out();
  const Axis axis(x, op.getAxis());
  c.parallel(axis.count, [&](Value line) {
    Value start = axis.getStart(c, line);
    Value zero = c.constant(getAccumulator(x), 0);
    c.loop(axis.extent, zero, [&](Value i, ValueRange carried) {
      Value position = op.getReverse() ? c.sub(c.index(axis.extent - 1), i) : i;
      Value at = c.add(start, c.mul(position, axis.stride));
      Value sum = c.addAny(carried[0], c.load(x, at));
      c.store(y, at, op.getExclusive() ? carried[0] : sum);
      return Values{sum};
    });
  });
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// max and log(sum(exp(x - max))) (or the sum) of a line.
static std::pair<Value, Value> emitLogSumExp(EmitContext &c,
                                             const KernelTensor &x, Value start,
                                             const Axis &axis) {
  Type acc = getAccumulator(x);
  auto at = [&](Value i) { return c.add(start, c.mul(i, axis.stride)); };
  Value low = c.constant(acc, -std::numeric_limits<double>::infinity());
  Value max = c.loop(axis.extent, low, [&](Value i, ValueRange carried) {
    return Values{c.maxAny(carried[0], c.load(x, at(i)))};
  })[0];
  Value zero = c.constant(acc, 0);
  Value sum = c.loop(axis.extent, zero, [&](Value i, ValueRange carried) {
    return Values{c.addf(carried[0], c.exp(c.subf(c.load(x, at(i)), max)))};
  })[0];
  return {max, sum};
}

static void emitSoftmax(OpWriter &w) {
  const bool isLog = isa<nn::LogSoftmaxOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &x = w.in(0), &y = w.out();
  const Axis axis(x, w.op->getAttrOfType<IntegerAttr>("axis").getInt());
  c.parallel(axis.count, [&](Value line) {
    Value start = axis.getStart(c, line);
    auto [max, sum] = emitLogSumExp(c, x, start, axis);
    Value shift = isLog ? c.log(sum) : sum, largest = max;
    c.loop(axis.extent, [&](Value i) {
      Value at = c.add(start, c.mul(i, axis.stride));
      Value difference = c.subf(c.load(x, at), largest);
      c.store(y, at,
              isLog ? c.subf(difference, shift)
                    : c.divf(c.exp(difference), shift));
    });
  });
}

static void emitSoftmaxGrad(OpWriter &w) {
  const bool isLog = isa<nn::LogSoftmaxGradOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &dy = w.in(0), &y = w.in(1), &dx = w.out();
  const Axis axis(y, w.op->getAttrOfType<IntegerAttr>("axis").getInt());
  c.parallel(axis.count, [&](Value line) {
    Value start = axis.getStart(c, line);
    Value zero = c.constant(getAccumulator(y), 0);
    Value sum = c.loop(axis.extent, zero, [&](Value i, ValueRange carried) {
      Value at = c.add(start, c.mul(i, axis.stride));
      Value term = c.load(dy, at);
      return Values{isLog ? c.addf(carried[0], term)
                          : c.fma(term, c.load(y, at), carried[0])};
    })[0];
    c.loop(axis.extent, [&](Value i) {
      Value at = c.add(start, c.mul(i, axis.stride));
      Value slope = c.load(dy, at), value = c.load(y, at);
      c.store(dx, at,
              isLog ? c.subf(slope, c.mulf(c.exp(value), sum))
                    : c.mulf(value, c.subf(slope, sum)));
    });
  });
}

void conversion::addGenericReductionKernels(KernelRegistry &registry) {
  addGeneric<nn::ReduceSumOp>(registry, perElement,
                              emitReduce<nn::ReduceSumOp>);
  addGeneric<nn::ReduceMeanOp>(registry, perElement,
                               emitReduce<nn::ReduceMeanOp>);
  addGeneric<nn::ReduceMaxOp>(registry, perElement,
                              emitReduce<nn::ReduceMaxOp>);
  addGeneric<nn::ReduceMinOp>(registry, perElement,
                              emitReduce<nn::ReduceMinOp>);
  addGeneric<nn::ReduceProdOp>(registry, perElement,
                               emitReduce<nn::ReduceProdOp>);
  addGeneric<nn::ArgMaxOp>(registry, perElement, emitArg<nn::ArgMaxOp>);
  addGeneric<nn::ArgMinOp>(registry, perElement, emitArg<nn::ArgMinOp>);
  addGeneric<nn::CumSumOp>(registry, perLine, emitCumSum);
  addGeneric<nn::SoftmaxOp, nn::LogSoftmaxOp>(registry, perLine, emitSoftmax);
  addGeneric<nn::SoftmaxGradOp, nn::LogSoftmaxGradOp>(registry, perLine,
                                                      emitSoftmaxGrad);
}
