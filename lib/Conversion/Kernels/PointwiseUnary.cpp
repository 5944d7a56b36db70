//===- PointwiseUnary.cpp - Functions of one value ------------------------===//

#include "PointwiseOps.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

using Pred = arith::CmpFPredicate;

static bool isFloat(Value x) {
  return isa<FloatType>(getElementTypeOrSelf(x.getType()));
}

namespace {

/// Formulas on values of one type.
struct Formulas {
  EmitContext &c;
  Type type;

  Value f(double value) { return c.constant(type, value); }
  Value scale(double factor, Value x) { return c.mulf(x, f(factor)); }
  /// max(x, 0) + log1p(e^-|x|); NaN stays.
  Value softplus(Value x) {
    Value tail = c.log1p(c.exp(c.negf(c.absf(x))));
    return c.addf(relu(x), tail);
  }
  Value relu(Value x) { return c.select(c.cmpf(Pred::UGT, x, f(0)), x, f(0)); }
  Value clamp(Value x, double low, double high) {
    Value y = c.select(c.cmpf(Pred::OLT, x, f(low)), f(low), x);
    return c.select(c.cmpf(Pred::OGT, y, f(high)), f(high), y);
  }
  /// The argument of tanh in gelu's approximation, and its derivative.
  Value geluInner(Value x) {
    Value cubic = c.mulf(c.mulf(x, x), x);
    return scale(kSqrt2OverPi, c.fma(f(kCubic), cubic, x));
  }
  /// Phi(x) = (1 + erf(x / sqrt 2)) / 2. Its absolute error is an ulp of 1; the
  /// digits lost for x << 0 are those of a result below 1e-7.
  Value normalCdf(Value x) {
    Value y = c.mulf(x, f(0.70710678118654752440));
    Value e = c.erf(y);
    return scale(0.5, c.addf(f(1.0), e));
  }
  Value normalPdf(Value x) {
    return scale(0.39894228040143267794, c.exp(scale(-0.5, c.mulf(x, x))));
  }

  static constexpr double kSqrt2OverPi = 0.79788456080286535588;
  static constexpr double kCubic = 0.044715;
};

double toDouble(const APFloat &value) { return value.convertToDouble(); }

Value emitIntegerUnary(EmitContext &c, Operation *op, Value x) {
  Type type = x.getType();
  Value zero = c.constant(type, 0);
  const bool isUnsigned =
      getElementTypeOrSelf(op->getOperand(0).getType()).isUnsignedInteger();
  auto compare = [&](arith::CmpIPredicate predicate, Value a, Value b) {
    return arith::CmpIOp::create(c.b, c.loc, predicate, a, b).getResult();
  };
  auto negate = [&] {
    return arith::SubIOp::create(c.b, c.loc, zero, x).getResult();
  };
  if (isa<nn::NegOp>(op))
    return negate();
  if (isa<nn::AbsOp>(op))
    return isUnsigned ? x
                      : c.select(compare(arith::CmpIPredicate::slt, x, zero),
                                 negate(), x);
  if (isa<nn::SignOp>(op)) {
    Value one = c.constant(type, 1), minusOne = c.constant(type, -1);
    Value sign =
        c.select(compare(arith::CmpIPredicate::eq, x, zero), zero, one);
    return isUnsigned ? sign
                      : c.select(compare(arith::CmpIPredicate::slt, x, zero),
                                 minusOne, sign);
  }
  if (isa<nn::ReluOp>(op))
    return isUnsigned
               ? x
               : c.select(compare(arith::CmpIPredicate::sgt, x, zero), x, zero);
  if (auto clip = dyn_cast<nn::ClipOp>(op)) {
    // Bounds round inwards and saturate to the type.
    const unsigned width = getElementTypeOrSelf(type).getIntOrFloatBitWidth();
    auto bound = [&](double value) -> Value {
      APSInt integer(width, isUnsigned);
      bool exact;
      APFloat(value).convertToInteger(integer, APFloat::rmTowardZero, &exact);
      TypedAttr attr = c.b.getIntegerAttr(getElementTypeOrSelf(type), integer);
      if (auto vector = dyn_cast<VectorType>(type))
        attr = DenseElementsAttr::get(vector, Attribute(attr));
      return arith::ConstantOp::create(c.b, c.loc, attr);
    };
    auto less =
        isUnsigned ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt;
    Value low = bound(std::ceil(toDouble(clip.getMin())));
    Value high = bound(std::floor(toDouble(clip.getMax())));
    Value y = c.select(compare(less, x, low), low, x);
    return c.select(compare(less, high, y), high, y);
  }
  if (isa<nn::NotOp>(op))
    return arith::XOrIOp::create(c.b, c.loc, x, c.constant(type, 1));
  return Value();
}

} // namespace

PointwiseResults conversion::emitUnary(EmitContext &c, Operation *op,
                                       const PointwiseOperands &operands) {
  if (operands.values.size() != 1)
    return {};
  Value x = operands.values[0];
  OpBuilder &b = c.b;
  Location loc = c.loc;
  if (!isFloat(x)) {
    Value y = emitIntegerUnary(c, op, x);
    return y ? PointwiseResults{y} : PointwiseResults();
  }
  Formulas m{c, x.getType()};
  Value y =
      llvm::TypeSwitch<Operation *, Value>(op)
          .Case<nn::NegOp>([&](auto) {
            return arith::NegFOp::create(b, loc, x).getResult();
          })
          .Case<nn::AbsOp>([&](auto) { return c.absf(x); })
          .Case<nn::SignOp>([&](auto) {
            Value y = c.select(c.cmpf(Pred::OGT, x, m.f(0)), m.f(1), x);
            return c.select(c.cmpf(Pred::OLT, x, m.f(0)), m.f(-1), y);
          })
          .Case<nn::FloorOp>([&](auto) {
            return math::FloorOp::create(b, loc, x).getResult();
          })
          .Case<nn::CeilOp>(
              [&](auto) { return math::CeilOp::create(b, loc, x).getResult(); })
          .Case<nn::RoundOp>([&](auto) {
            return math::RoundEvenOp::create(b, loc, x).getResult();
          })
          .Case<nn::ExpOp>([&](auto) { return c.exp(x); })
          .Case<nn::LogOp>([&](auto) { return c.log(x); })
          .Case<nn::SqrtOp>([&](auto) { return c.sqrt(x); })
          .Case<nn::ReciprocalOp>([&](auto) { return c.divf(m.f(1), x); })
          .Case<nn::SinOp>(
              [&](auto) { return math::SinOp::create(b, loc, x).getResult(); })
          .Case<nn::CosOp>(
              [&](auto) { return math::CosOp::create(b, loc, x).getResult(); })
          .Case<nn::TanOp>(
              [&](auto) { return math::TanOp::create(b, loc, x).getResult(); })
          .Case<nn::AsinOp>(
              [&](auto) { return math::AsinOp::create(b, loc, x).getResult(); })
          .Case<nn::AcosOp>(
              [&](auto) { return math::AcosOp::create(b, loc, x).getResult(); })
          .Case<nn::AtanOp>(
              [&](auto) { return math::AtanOp::create(b, loc, x).getResult(); })
          .Case<nn::SinhOp>(
              [&](auto) { return math::SinhOp::create(b, loc, x).getResult(); })
          .Case<nn::CoshOp>(
              [&](auto) { return math::CoshOp::create(b, loc, x).getResult(); })
          .Case<nn::AsinhOp>([&](auto) {
            return math::AsinhOp::create(b, loc, x).getResult();
          })
          .Case<nn::AcoshOp>([&](auto) {
            return math::AcoshOp::create(b, loc, x).getResult();
          })
          .Case<nn::AtanhOp>([&](auto) {
            return math::AtanhOp::create(b, loc, x).getResult();
          })
          .Case<nn::TanhOp>([&](auto) { return c.tanh(x); })
          .Case<nn::SigmoidOp>([&](auto) { return c.sigmoid(x); })
          .Case<nn::ErfOp>([&](auto) { return c.erf(x); })
          .Case<nn::ReluOp>([&](auto) { return m.relu(x); })
          .Case<nn::SiluOp>([&](auto) { return c.mulf(x, c.sigmoid(x)); })
          .Case<nn::SoftplusOp>([&](auto) { return m.softplus(x); })
          .Case<nn::SoftsignOp>(
              [&](auto) { return c.divf(x, c.addf(m.f(1), c.absf(x))); })
          .Case<nn::MishOp>(
              [&](auto) { return c.mulf(x, c.tanh(m.softplus(x))); })
          .Case<nn::HardSwishOp>([&](auto) {
            return c.mulf(x,
                          m.clamp(c.fma(x, m.f(1.0 / 6), m.f(0.5)), 0.0, 1.0));
          })
          .Case<nn::GeluOp>([&](auto gelu) {
            if (!gelu.getTanh())
              return c.mulf(x, m.normalCdf(x));
            Value t = c.tanh(m.geluInner(x));
            return c.mulf(m.scale(0.5, x), c.addf(m.f(1), t));
          })
          .Case<nn::LeakyReluOp>([&](auto leaky) {
            return c.select(c.cmpf(Pred::OGE, x, m.f(0)), x,
                            m.scale(toDouble(leaky.getAlpha()), x));
          })
          .Case<nn::EluOp>([&](auto elu) {
            Value negative =
                m.scale(toDouble(elu.getAlpha()),
                        c.expm1(m.scale(1 / toDouble(elu.getBeta()), x)));
            Value y = c.select(c.cmpf(Pred::OGT, x, m.f(0)), x, negative);
            return m.scale(toDouble(elu.getGamma()), y);
          })
          .Case<nn::HardSigmoidOp>([&](auto hard) {
            return m.clamp(c.fma(x, m.f(toDouble(hard.getAlpha())),
                                 m.f(toDouble(hard.getBeta()))),
                           0.0, 1.0);
          })
          .Case<nn::ClipOp>([&](auto clip) {
            return m.clamp(x, toDouble(clip.getMin()), toDouble(clip.getMax()));
          })
          .Case<nn::IsNaNOp>([&](auto) { return c.cmpf(Pred::UNO, x, x); })
          .Case<nn::IsInfOp>([&](auto test) {
            const double inf = std::numeric_limits<double>::infinity();
            Value positive = c.cmpf(Pred::OEQ, x, m.f(inf));
            Value negative = c.cmpf(Pred::OEQ, x, m.f(-inf));
            Value never = c.constant(positive.getType(), 0);
            return arith::OrIOp::create(b, loc,
                                        test.getPositive() ? positive : never,
                                        test.getNegative() ? negative : never)
                .getResult();
          })
          .Default([](Operation *) { return Value(); });
  return y ? PointwiseResults{y} : PointwiseResults();
}

PointwiseResults
conversion::emitActivationGrad(EmitContext &c, Operation *op,
                               const PointwiseOperands &operands) {
  if (operands.values.size() != 2)
    return {};
  Value dy = operands.values[0], v = operands.values[1];
  Formulas m{c, v.getType()};
  if (!isFloat(v))
    return {};
  Value dx =
      llvm::TypeSwitch<Operation *, Value>(op)
          .Case<nn::ReluGradOp>([&](auto) {
            return c.select(c.cmpf(Pred::OGT, v, m.f(0)), dy, m.f(0));
          })
          .Case<nn::SigmoidGradOp>(
              [&](auto) { return c.mulf(c.mulf(dy, v), c.subf(m.f(1), v)); })
          .Case<nn::TanhGradOp>(
              [&](auto) { return c.mulf(dy, c.subf(m.f(1), c.mulf(v, v))); })
          .Case<nn::GeluGradOp>([&](auto gelu) {
            if (!gelu.getTanh())
              return c.mulf(dy, c.fma(v, m.normalPdf(v), m.normalCdf(v)));
            Value t = c.tanh(m.geluInner(v));
            Value inner =
                m.scale(Formulas::kSqrt2OverPi,
                        c.fma(c.mulf(v, v), m.f(3 * Formulas::kCubic), m.f(1)));
            Value slope = c.mulf(m.scale(0.5, v),
                                 c.mulf(c.subf(m.f(1), c.mulf(t, t)), inner));
            return c.mulf(dy, c.addf(m.scale(0.5, c.addf(m.f(1), t)), slope));
          })
          .Case<nn::SiluGradOp>([&](auto) {
            Value s = c.sigmoid(v);
            Value factor = c.fma(v, c.subf(m.f(1), s), m.f(1));
            return c.mulf(c.mulf(dy, s), factor);
          })
          .Case<nn::SoftplusGradOp>(
              [&](auto) { return c.mulf(dy, c.sigmoid(v)); })
          .Case<nn::MishGradOp>([&](auto) {
            Value t = c.tanh(m.softplus(v));
            Value slope =
                c.mulf(c.mulf(v, c.subf(m.f(1), c.mulf(t, t))), c.sigmoid(v));
            return c.mulf(dy, c.addf(t, slope));
          })
          .Case<nn::HardSwishGradOp>([&](auto) {
            Value middle = c.mulf(dy, c.fma(v, m.f(1.0 / 3), m.f(0.5)));
            Value y = c.select(c.cmpf(Pred::OGE, v, m.f(3)), dy, middle);
            return c.select(c.cmpf(Pred::OLE, v, m.f(-3)), m.f(0), y);
          })
          .Case<nn::LeakyReluGradOp>([&](auto leaky) {
            return c.select(c.cmpf(Pred::OGE, v, m.f(0)), dy,
                            m.scale(toDouble(leaky.getAlpha()), dy));
          })
          .Case<nn::EluGradOp>([&](auto elu) {
            const double beta = toDouble(elu.getBeta());
            Value slope = m.scale(toDouble(elu.getAlpha()) / beta,
                                  c.exp(m.scale(1 / beta, v)));
            slope = c.select(c.cmpf(Pred::OGT, v, m.f(0)), m.f(1), slope);
            return c.mulf(m.scale(toDouble(elu.getGamma()), dy), slope);
          })
          .Case<nn::HardSigmoidGradOp>([&](auto hard) {
            const double alpha = toDouble(hard.getAlpha());
            Value y = c.fma(v, m.f(alpha), m.f(toDouble(hard.getBeta())));
            Value inside = c.logicalAnd(c.cmpf(Pred::OGT, y, m.f(0)),
                                        c.cmpf(Pred::OLT, y, m.f(1)));
            return c.select(inside, m.scale(alpha, dy), m.f(0));
          })
          .Case<nn::ClipGradOp>([&](auto clip) {
            Value inside = c.logicalAnd(
                c.cmpf(Pred::OGE, v, m.f(toDouble(clip.getMin()))),
                c.cmpf(Pred::OLE, v, m.f(toDouble(clip.getMax()))));
            return c.select(inside, dy, m.f(0));
          })
          .Default([](Operation *) { return Value(); });
  return dx ? PointwiseResults{dx} : PointwiseResults();
}
