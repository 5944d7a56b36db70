//===- GenericPooling.cpp - Pooling, plain --------------------------------===//

#include "Generic.h"
#include "Kernels.h"

#include <limits>

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

using Values = SmallVector<Value>;
using IPred = arith::CmpIPredicate;

namespace {
/// A window's geometry; axes are those behind N and C.
template <typename OpTy> struct Window {
  Window(OpTy op, ArrayRef<int64_t> input, ArrayRef<int64_t> output)
      : kernel(op.getKernel()), strides(op.getStrides()), pads(op.getPads()),
        dilations(op.getDilations()), input(input.drop_front(2)),
        output(output.drop_front(2)) {}

  /// Input position of a tap; `inside` tells whether it is in the input.
  Value toInput(EmitContext &c, ValueRange y, ValueRange tap, Value plane,
                Value &inside) const {
    Value linear = c.index(0);
    inside = Value();
    for (size_t i = 0; i < kernel.size(); ++i) {
      Value x =
          c.sub(c.add(c.mul(y[i], strides[i]), c.mul(tap[i], dilations[i])),
                c.index(pads[i]));
      Value valid = c.isInside(x, input[i]);
      inside = inside ? c.logicalAnd(inside, valid) : valid;
      linear = c.add(c.mul(linear, input[i]), x);
    }
    return c.add(c.mul(plane, product(input)), linear);
  }
  /// Output position whose tap reads input position x.
  Value toOutput(EmitContext &c, ValueRange x, ValueRange tap, Value plane,
                 Value &inside, Values &y) const {
    Value linear = c.index(0);
    inside = Value();
    y.clear();
    for (size_t i = 0; i < kernel.size(); ++i) {
      Value t = c.sub(c.add(x[i], pads[i]), c.mul(tap[i], dilations[i]));
      Value position = c.div(t, strides[i]);
      Value valid = c.isInside(position, output[i]);
      if (strides[i] != 1)
        valid = c.logicalAnd(
            valid, c.cmp(IPred::eq, c.rem(t, strides[i]), c.index(0)));
      inside = inside ? c.logicalAnd(inside, valid) : valid;
      linear = c.add(c.mul(linear, output[i]), position);
      y.push_back(position);
    }
    return c.add(c.mul(plane, product(output)), linear);
  }
  /// What the mean at output position y divides by, at least 1.
  Value count(EmitContext &c, ValueRange y, bool includePad, Type type) const {
    const size_t axes = kernel.size();
    Value result = c.index(1);
    for (size_t i = 0; i < axes; ++i) {
      // The padding counts as input; what rounding up adds behind it does not.
      const int64_t low = includePad ? pads[i] : 0;
      const int64_t extent = input[i] + low + (includePad ? pads[axes + i] : 0);
      Value start = c.add(c.mul(y[i], strides[i]), low - pads[i]);
      Value zero = c.index(0);
      Value taps = c.loop(kernel[i], zero, [&](Value k, ValueRange carried) {
        Value inside = c.isInside(c.add(start, c.mul(k, dilations[i])), extent);
        return Values{c.select(inside, c.add(carried[0], 1), carried[0])};
      })[0];
      result = c.mul(result, taps);
    }
    Value integer = arith::IndexCastOp::create(c.b, c.loc, c.b.getI64Type(),
                                               c.max(result, c.index(1)));
    return c.convert(integer, type);
  }

  ArrayRef<int64_t> kernel, strides, pads, dilations, input, output;
};
} // namespace

/// The number of a tensor's plane [N, C], and the coordinates inside.
static std::pair<Value, Values> splitPlane(EmitContext &c, Value item,
                                           ArrayRef<int64_t> shape) {
  ArrayRef<int64_t> spatial = shape.drop_front(2);
  const int64_t size = atLeastOne(product(spatial));
  return {c.div(item, size), c.delinearize(c.rem(item, size), spatial)};
}

static void emitMaxPool(OpWriter &w) {
  auto op = cast<nn::MaxPoolOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &x = w.in(0), &y = w.out(0), &taps = w.out(1);
  const Window<decltype(op)> window(op, x.type.getShape(), y.type.getShape());
  Type type = getComputeType(x.elementType());
  const bool isFloat = isa<FloatType>(type);
  const bool isUnsigned = x.elementType().isUnsignedInteger();
  auto isBetter = [&](Value value, Value best) {
    if (!isFloat)
      return c.cmp(isUnsigned ? IPred::ugt : IPred::sgt, value, best);
    Value greater = c.cmpf(arith::CmpFPredicate::OGT, value, best);
    Value isNaN = c.cmpf(arith::CmpFPredicate::UNO, value, value);
    Value bestIsNumber = c.cmpf(arith::CmpFPredicate::ORD, best, best);
    return arith::OrIOp::create(c.b, c.loc, greater,
                                c.logicalAnd(isNaN, bestIsNumber))
        .getResult();
  };
  Value lowest;
  if (isFloat) {
    lowest = c.constant(type, -std::numeric_limits<double>::infinity());
  } else {
    const unsigned width = type.getIntOrFloatBitWidth();
    APInt least =
        isUnsigned ? APInt::getZero(width) : APInt::getSignedMinValue(width);
    lowest =
        arith::ConstantOp::create(c.b, c.loc, c.b.getIntegerAttr(type, least));
  }
  c.parallel(y.numElements(), [&](Value item) {
    auto [plane, at] = splitPlane(c, item, y.type.getShape());
    Values init{lowest, c.index(-1)};
    Value base = plane;
    Values position = at;
    Values best = c.loopNest(
        window.kernel, init, [&](ValueRange tap, ValueRange carried) {
          Value inside;
          Value source = window.toInput(c, position, tap, base, inside);
          return c.ifElse(
              inside, carried.getTypes(),
              [&]() -> Values {
                Value value = c.load(x, source);
                Value unset = c.cmp(IPred::slt, carried[1], c.index(0));
                Value takes = arith::OrIOp::create(c.b, c.loc, unset,
                                                   isBetter(value, carried[0]));
                Value number =
                    c.linearize(tap, getRowMajorStrides(window.kernel));
                return {c.select(takes, value, carried[0]),
                        c.select(takes, number, carried[1])};
              },
              [&]() -> Values { return {carried[0], carried[1]}; });
        });
    c.store(y, item, best[0]);
    Value number = arith::IndexCastOp::create(
        c.b, c.loc, getComputeType(taps.elementType()),
        c.max(best[1], c.index(0)));
    c.store(taps, item, number);
  });
}

/// Where a tap of the window of result position `at` lies in the operand:
/// the linear position, and through `inside` whether there is one.
using Locate = function_ref<Value(ValueRange at, ValueRange tap, Value plane,
                                  Value &inside)>;

/// For every element of `out`, the sum of `term(source, tap)` over the taps
/// that `locate` finds; `finish` makes the element of it.
static void
emitWindowSum(EmitContext &c, const KernelTensor &out, ArrayRef<int64_t> kernel,
              Type acc, Locate locate,
              function_ref<Value(Value source, ValueRange tap)> term,
              function_ref<Value(Value sum, ValueRange at)> finish) {
  c.parallel(out.numElements(), [&](Value item) {
    const auto split = splitPlane(c, item, out.type.getShape());
    Value sum = c.loopNest(
        kernel, c.constant(acc, 0), [&](ValueRange tap, ValueRange carried) {
          Value inside;
          Value source = locate(split.second, tap, split.first, inside);
          return c.ifElse(
              inside, acc,
              [&]() -> Values {
                return {c.addf(carried[0], term(source, tap))};
              },
              [&]() -> Values { return {carried[0]}; });
        })[0];
    c.store(out, item, finish(sum, split.second));
  });
}

static void emitMaxPoolGrad(OpWriter &w) {
  auto op = cast<nn::MaxPoolGradOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &dy = w.in(0), &taps = w.in(1), &dx = w.out();
  const Window<decltype(op)> window(op, dx.type.getShape(), dy.type.getShape());
  Type acc = getAccumulator(dy);
  Values y;
  emitWindowSum(
      c, dx, window.kernel, acc,
      [&](ValueRange at, ValueRange tap, Value plane, Value &inside) {
        return window.toOutput(c, at, tap, plane, inside, y);
      },
      [&](Value source, ValueRange tap) {
        Value number = c.linearize(tap, getRowMajorStrides(window.kernel));
        Value taken = arith::IndexCastOp::create(c.b, c.loc, c.b.getIndexType(),
                                                 c.load(taps, source));
        return c.select(c.cmp(IPred::eq, taken, number), c.load(dy, source),
                        c.constant(acc, 0));
      },
      [](Value sum, ValueRange) { return sum; });
}

static void emitAvgPool(OpWriter &w) {
  auto op = cast<nn::AvgPoolOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &x = w.in(0), &y = w.out();
  const Window<decltype(op)> window(op, x.type.getShape(), y.type.getShape());
  Type acc = getAccumulator(x);
  emitWindowSum(
      c, y, window.kernel, acc,
      [&](ValueRange at, ValueRange tap, Value plane, Value &inside) {
        return window.toInput(c, at, tap, plane, inside);
      },
      [&](Value source, ValueRange) { return c.load(x, source); },
      [&](Value sum, ValueRange at) {
        return c.divf(sum, window.count(c, at, op.getCountIncludePad(), acc));
      });
}

static void emitAvgPoolGrad(OpWriter &w) {
  auto op = cast<nn::AvgPoolGradOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &dy = w.in(0), &dx = w.out();
  const Window<decltype(op)> window(op, dx.type.getShape(), dy.type.getShape());
  Type acc = getAccumulator(dy);
  Values y;
  emitWindowSum(
      c, dx, window.kernel, acc,
      [&](ValueRange at, ValueRange tap, Value plane, Value &inside) {
        return window.toOutput(c, at, tap, plane, inside, y);
      },
      [&](Value source, ValueRange) {
        return c.divf(c.load(dy, source),
                      window.count(c, y, op.getCountIncludePad(), acc));
      },
      [](Value sum, ValueRange) { return sum; });
}

void conversion::addGenericPoolingKernels(KernelRegistry &registry) {
  addGeneric<nn::MaxPoolOp>(registry, perElement, emitMaxPool);
  addGeneric<nn::MaxPoolGradOp>(registry, perElement, emitMaxPoolGrad);
  addGeneric<nn::AvgPoolOp>(registry, perElement, emitAvgPool);
  addGeneric<nn::AvgPoolGradOp>(registry, perElement, emitAvgPoolGrad);
}
