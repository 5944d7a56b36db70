//===- PointwiseTraining.cpp - Scaling, optimizers, loss gradients --------===//

#include "PointwiseOps.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

using FPred = arith::CmpFPredicate;
using IPred = arith::CmpIPredicate;

static double toDouble(const APFloat &value) { return value.convertToDouble(); }

/// base^n in f64 for an i64 n >= 0, by squaring: no library call, so that CPU
/// and GPU agree.
static Value emitPower(EmitContext &c, double base, Value n) {
  Type f64 = c.b.getF64Type(), i64 = c.b.getI64Type();
  Value init[] = {c.constant(f64, 1.0), c.constant(f64, base), n};
  SmallVector<Value> result =
      c.loop(63, init, [&](Value, ValueRange carried) -> SmallVector<Value> {
        Value odd =
            arith::AndIOp::create(c.b, c.loc, carried[2], c.constant(i64, 1));
        Value isOdd = c.cmp(IPred::ne, odd, c.constant(i64, 0));
        Value product = c.mulf(carried[0], carried[1]);
        return {
            c.select(isOdd, product, carried[0]),
            c.mulf(carried[1], carried[1]),
            arith::ShRUIOp::create(c.b, c.loc, carried[2], c.constant(i64, 1))};
      });
  return result[0];
}

SmallVector<Value> conversion::emitUniforms(EmitContext &c, Operation *op,
                                            ValueRange operands) {
  Type f64 = c.b.getF64Type();
  if (auto adam = dyn_cast<nn::AdamOp>(op)) {
    // lr / (1 - beta1^t), 1 / (1 - beta2^t), 1 - lr * decay; rounded once.
    Type type =
        getComputeType(getElementTypeOrSelf(adam.getParameter().getType()));
    Value rate = c.convert(operands[4], f64), step = operands[5];
    Value one = c.constant(f64, 1.0);
    Value c1 = c.subf(one, emitPower(c, toDouble(adam.getBeta1()), step));
    Value c2 = c.subf(one, emitPower(c, toDouble(adam.getBeta2()), step));
    Value decay =
        c.mulf(rate, c.constant(f64, toDouble(adam.getWeightDecay())));
    return {c.convert(c.divf(rate, c1), type), c.convert(c.divf(one, c2), type),
            c.convert(c.subf(one, decay), type)};
  }
  if (auto sgd = dyn_cast<nn::SGDOp>(op)) {
    Type type =
        getComputeType(getElementTypeOrSelf(sgd.getParameter().getType()));
    Value isFirst =
        c.cmp(IPred::eq, operands[4], c.constant(operands[4].getType(), 1));
    Value share =
        c.select(isFirst, c.constant(type, 1.0),
                 c.constant(type, 1.0 - toDouble(sgd.getDampening())));
    return {c.convert(operands[3], type), share};
  }
  if (auto unscale = dyn_cast<mp::UnscaleOp>(op)) {
    // Rounded in the scale's type, as the operation says.
    Value scale = operands[1];
    Type type =
        getComputeType(getElementTypeOrSelf(unscale.getGradient().getType()));
    Value inverse = c.divf(c.constant(scale.getType(), 1.0), scale);
    return {c.convert(inverse, type)};
  }
  if (auto scale = dyn_cast<mp::ScaleByOp>(op))
    return {c.convert(operands[1], getComputeType(getElementTypeOrSelf(
                                       scale.getInput().getType())))};
  return {};
}

static PointwiseResults emitAdam(EmitContext &c, nn::AdamOp op,
                                 ArrayRef<Value> v, ArrayRef<Value> uniforms) {
  Value p = v[0], g = v[1], m = v[2], s = v[3];
  auto f = [&](double value) { return c.constant(p.getType(), value); };
  const double beta1 = toDouble(op.getBeta1()), beta2 = toDouble(op.getBeta2());
  const double decay = toDouble(op.getWeightDecay());
  if (!op.getDecoupled() && decay != 0)
    g = c.fma(p, f(decay), g);
  Value newM = c.fma(f(beta1), m, c.mulf(f(1 - beta1), g));
  Value newS = c.fma(f(beta2), s, c.mulf(c.mulf(f(1 - beta2), g), g));
  if (op.getDecoupled() && decay != 0)
    p = c.mulf(p, uniforms[2]);
  Value denominator =
      c.addf(c.sqrt(c.mulf(newS, uniforms[1])), f(toDouble(op.getEpsilon())));
  Value step = c.mulf(uniforms[0], c.divf(newM, denominator));
  return {c.subf(p, step), newM, newS};
}

static PointwiseResults emitSGD(EmitContext &c, nn::SGDOp op, ArrayRef<Value> v,
                                ArrayRef<Value> uniforms) {
  Value p = v[0], g = v[1], velocity = v[2];
  auto f = [&](double value) { return c.constant(p.getType(), value); };
  const double momentum = toDouble(op.getMomentum());
  if (double decay = toDouble(op.getWeightDecay()); decay != 0)
    g = c.fma(p, f(decay), g);
  Value update = g;
  if (momentum != 0) {
    velocity = c.fma(f(momentum), velocity, c.mulf(uniforms[1], g));
    update = op.getNesterov() ? c.fma(f(momentum), velocity, g) : velocity;
  }
  return {c.subf(p, c.mulf(uniforms[0], update)), velocity};
}

static PointwiseResults emitUpdateScale(EmitContext &c, mp::UpdateScaleOp op,
                                        ArrayRef<Value> v) {
  Value scale = v[0], counter = v[1], budget = v[2], finite = v[3];
  auto f = [&](const APFloat &value) {
    return c.constant(scale.getType(), toDouble(value));
  };
  auto n = [&](int64_t value) { return c.constant(counter.getType(), value); };
  auto add = [&](Value x, int64_t y) {
    return arith::AddIOp::create(c.b, c.loc, x, n(y)).getResult();
  };
  Value risen = add(counter, 1);
  Value grows = c.cmp(IPred::sge, risen, n(op.getGrowthInterval()));
  Value grown = c.minAny(c.mulf(scale, f(op.getGrowth())), f(op.getMaximum()));
  Value lowered = arith::MaxSIOp::create(c.b, c.loc, add(budget, -1), n(0));
  Value falls = c.cmp(IPred::eq, lowered, n(0));
  Value fallen =
      c.maxAny(c.mulf(scale, f(op.getBackoff())), f(op.getMinimum()));
  Value newScale = c.select(finite, c.select(grows, grown, scale),
                            c.select(falls, fallen, scale));
  Value newCounter = c.select(finite, c.select(grows, n(0), risen), n(0));
  Value newBudget =
      c.select(finite, c.select(grows, n(op.getHysteresis()), budget), lowered);
  return {newScale, newCounter, newBudget};
}

/// dloss times the slope at (prediction, target), divided by the number of
/// elements for a mean.
template <typename OpTy>
static Value scaleByLoss(EmitContext &c, OpTy op, Value dloss, Value slope) {
  if (op.getReduction() == nn::LossReduction::Mean) {
    const int64_t count =
        cast<RankedTensorType>(op.getPrediction().getType()).getNumElements();
    dloss = c.mulf(dloss, c.constant(dloss.getType(), 1.0 / double(count)));
  }
  return c.mulf(dloss, slope);
}

PointwiseResults conversion::emitTraining(EmitContext &c, Operation *op,
                                          const PointwiseOperands &operands) {
  ArrayRef<Value> v = operands.values;
  ArrayRef<Value> uniforms = operands.uniforms;
  // Scalars join vectors here.
  SmallVector<Value> splats;
  for (Value uniform : uniforms)
    splats.push_back(operands.element.lanes
                         ? c.splat(uniform, operands.element.lanes)
                         : uniform);
  return llvm::TypeSwitch<Operation *, PointwiseResults>(op)
      .Case<mp::CastOp>([&](auto cast) -> PointwiseResults {
        Type to = getElementTypeOrSelf(cast.getResult().getType());
        if (getElementTypeOrSelf(v[0].getType()).isF64() &&
            (to.isF16() || to.isBF16()))
          return {c.roundToNarrow(v[0], to)};
        return {c.convert(v[0], to)};
      })
      .Case<mp::GradientOp>([&](auto) { return PointwiseResults{v[0]}; })
      .Case<mp::UnscaleOp, mp::ScaleByOp>(
          [&](auto) { return PointwiseResults{c.mulf(v[0], splats[0])}; })
      .Case<mp::UpdateOp>([&](auto update) -> PointwiseResults {
        if (!update.getFinite())
          return {v[1]};
        return {c.select(v[2], v[1], v[0])};
      })
      .Case<mp::UpdateScaleOp>(
          [&](auto update) { return emitUpdateScale(c, update, v); })
      .Case<mp::LossSeedOp>([&](auto seed) -> PointwiseResults {
        Type type = getComputeType(getElementTypeOrSelf(seed.getType()));
        if (operands.element.lanes)
          type = VectorType::get({operands.element.lanes}, type);
        return {c.constant(type, 1.0)};
      })
      .Case<nn::AdamOp>([&](auto adam) { return emitAdam(c, adam, v, splats); })
      .Case<nn::SGDOp>([&](auto sgd) { return emitSGD(c, sgd, v, splats); })
      .Case<nn::MSELossGradOp>([&](auto loss) -> PointwiseResults {
        Value difference = c.subf(v[1], v[2]);
        return {scaleByLoss(c, loss, v[0], c.addf(difference, difference))};
      })
      .Case<nn::L1LossGradOp>([&](auto loss) -> PointwiseResults {
        Value d = c.subf(v[1], v[2]);
        auto f = [&](double value) { return c.constant(d.getType(), value); };
        Value sign = c.select(c.cmpf(FPred::OGT, v[1], v[2]), f(1), d);
        sign = c.select(c.cmpf(FPred::OLT, v[1], v[2]), f(-1), sign);
        return {scaleByLoss(c, loss, v[0], sign)};
      })
      .Case<nn::BCEWithLogitsLossGradOp>([&](auto loss) -> PointwiseResults {
        return {scaleByLoss(c, loss, v[0], c.subf(c.sigmoid(v[1]), v[2]))};
      })
      .Default([](Operation *) { return PointwiseResults(); });
}
