//===- Elementwise.cpp - Ranges of functions of one value -----------------===//
//
// The formulas are those of the operations' descriptions. Turning points and
// extreme slopes of activations were found numerically; an error
// of the point enters the value squared.
//
//===----------------------------------------------------------------------===//

#include "RangeRules.h"

#include <cmath>

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

static void inferNeg(NegOp, Operands x, Results y) { y[0] = -x[0]; }
static void inferAbs(AbsOp, Operands x, Results y) { y[0] = absOf(x[0]); }

static void inferSign(SignOp, Operands x, Results y) {
  y[0] = NumericRange::none();
  if (x[0].mayBeNegative())
    y[0].join(NumericRange::point(-1));
  if (x[0].mayBeZero())
    y[0].joinZero();
  if (x[0].mayBePositive())
    y[0].join(NumericRange::point(1));
  y[0].nan = x[0].nan;
}

static void inferRelu(ReluOp, Operands x, Results y) {
  y[0] = maxOf(x[0], NumericRange::point(0));
}

static void inferClip(ClipOp op, Operands x, Results y) {
  double lo = op.getMin().convertToDouble(), hi = op.getMax().convertToDouble();
  if (!isFloat(op.getInput())) {
    // The bounds round inwards, and saturate to the type.
    NumericRange type =
        NumericRange::unknown(getElementTypeOrSelf(op.getType()));
    lo = std::fmin(std::fmax(std::ceil(lo), type.lo), type.hi);
    hi = std::fmin(std::fmax(std::floor(hi), type.lo), type.hi);
  }
  y[0] = minOf(maxOf(x[0], NumericRange::point(lo)), NumericRange::point(hi));
  y[0].smallest = 0;
  if (!isFloat(op.getInput()))
    y[0] = integers(y[0]);
}

template <typename OpTy, double (*Function)(double)>
static void inferRounding(OpTy, Operands x, Results y) {
  y[0] = apply(x[0], Function);
  if (y[0].hasFinite()) {
    y[0].lo = std::nearbyint(y[0].lo);
    y[0].hi = std::nearbyint(y[0].hi);
    y[0].smallest = 1;
    y[0].tidy();
  }
}
static double roundToEven(double x) { return std::nearbyint(x); }

template <typename OpTy> static void inferFlag(OpTy, Operands, Results y) {
  y[0] = integers(NumericRange::between(0, 1));
}

/// Floats round when they are stored; integers truncate and saturate.
static void inferCast(CastOp op, Operands x, Results y) {
  Type from = getElementTypeOrSelf(op.getInput()),
       to = getElementTypeOrSelf(op.getType());
  if (!from.isIntOrFloat() || !to.isIntOrFloat())
    return;
  if (isa<FloatType>(to)) {
    y[0] = x[0];
    return;
  }
  if (isa<IntegerType>(from) || to.isInteger(1))
    return to.isInteger(1) ? inferFlag(op, x, y) : void(y[0] = x[0]);
  NumericRange type = y[0];
  NumericRange r = x[0];
  r.lo = std::fmin(std::fmax(r.negInf ? type.lo : std::trunc(r.lo), type.lo),
                   type.hi);
  r.hi = std::fmin(std::fmax(r.posInf ? type.hi : std::trunc(r.hi), type.lo),
                   type.hi);
  if (r.nan)
    r.joinZero();
  y[0] = integers(r);
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
static double softplus(double x) {
  return std::isnan(x) ? x
                       : std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x)));
}
static double silu(double x) { return x * sigmoid(x); }
static double mish(double x) { return x * std::tanh(softplus(x)); }
static double softsign(double x) { return x / (1 + std::fabs(x)); }
static double gelu(double x) {
  return 0.5 * x * std::erfc(-x * 0.70710678118654752440);
}
static double geluTanh(double x) {
  return 0.5 * x *
         (1 + std::tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}
static double clamp(double x, double low, double high) {
  if (x < low)
    x = low;
  return x > high ? high : x;
}

static void inferExp(ExpOp, Operands x, Results y) { y[0] = expOf(x[0]); }
static void inferLog(LogOp, Operands x, Results y) { y[0] = logOf(x[0]); }
static void inferSqrt(SqrtOp, Operands x, Results y) { y[0] = sqrtOf(x[0]); }
static void inferReciprocal(ReciprocalOp, Operands x, Results y) {
  y[0] = NumericRange::point(1) / x[0];
}

/// An odd increasing function.
template <typename OpTy, double (*Function)(double)>
static void inferOdd(OpTy, Operands x, Results y) {
  y[0] = applyOdd(x[0], Function);
}
/// The same with values in [-1, 1].
template <typename OpTy, double (*Function)(double)>
static void inferOddUnit(OpTy, Operands x, Results y) {
  y[0] = applyOdd(x[0], Function);
  y[0].lo = std::fmax(y[0].lo, -1);
  y[0].hi = std::fmin(y[0].hi, 1);
}
static double sinhOf(double x) { return std::sinh(x); }
static double asinhOf(double x) { return std::asinh(x); }
static double atanOf(double x) { return std::atan(x); }
static double tanhOf(double x) { return std::tanh(x); }
static double erfOf(double x) { return std::erf(x); }

/// sin and cos: a NaN for an infinity.
template <typename OpTy> static void inferWave(OpTy, Operands x, Results y) {
  y[0] = x[0].hasFinite() ? NumericRange::between(-1, 1) : NumericRange::none();
  y[0].nan = x[0].nan || x[0].hasInf();
}

static void inferTan(TanOp, Operands x, Results y) {
  // Inside the branch around zero it increases.
  if (x[0].lo > -1.57 && x[0].hi < 1.57)
    y[0] = applyOdd(x[0], [](double v) { return std::tan(v); });
}

static void inferCosh(CoshOp, Operands x, Results y) {
  y[0] = apply(x[0], [](double v) { return std::cosh(v); }, {0.0});
  y[0].lo = std::fmax(y[0].lo, 1);
  y[0].tidy();
}

/// Functions that are defined on a part of the line: a NaN elsewhere.
template <typename OpTy>
static void inferOnDomain(OpTy, Operands x, Results y, double lo, double hi,
                          double (*function)(double)) {
  NumericRange inside = x[0];
  const bool outside = x[0].hasInf() || x[0].lo < lo || x[0].hi > hi;
  inside.negInf = inside.posInf = false;
  inside.lo = std::fmax(inside.lo, lo);
  inside.hi = std::fmin(inside.hi, hi);
  y[0] = apply(inside, function);
  y[0].nan |= outside;
}
static void inferAsin(AsinOp op, Operands x, Results y) {
  inferOnDomain(op, x, y, -1, 1, [](double v) { return std::asin(v); });
}
static void inferAcos(AcosOp op, Operands x, Results y) {
  inferOnDomain(op, x, y, -1, 1, [](double v) { return std::acos(v); });
  y[0].lo = std::fmax(y[0].lo, 0);
}
static void inferAtanh(AtanhOp op, Operands x, Results y) {
  inferOnDomain(op, x, y, -1, 1, [](double v) { return std::atanh(v); });
}
static void inferAcosh(AcoshOp op, Operands x, Results y) {
  inferOnDomain(op, x, y, 1, NumericRange::kInfinity,
                [](double v) { return std::acosh(v); });
  y[0].posInf |= x[0].posInf;
  y[0].lo = std::fmax(y[0].lo, 0);
}

static void inferSigmoid(SigmoidOp, Operands x, Results y) {
  y[0] = apply(x[0], sigmoid);
  y[0].hi = std::fmin(y[0].hi, 1);
}
static void inferSoftplus(SoftplusOp, Operands x, Results y) {
  y[0] = apply(x[0], softplus);
}
static void inferSoftsign(SoftsignOp, Operands x, Results y) {
  y[0] = applyOdd(x[0], softsign);
}
static void inferSilu(SiluOp, Operands x, Results y) {
  y[0] = apply(x[0], silu, {-1.278464542761});
}
static void inferMish(MishOp, Operands x, Results y) {
  y[0] = apply(x[0], mish, {-1.192373182855});
}
static void inferHardSwish(HardSwishOp, Operands x, Results y) {
  y[0] = apply(x[0], [](double v) { return v * clamp(v / 6 + 0.5, 0, 1); },
               {-3.0, -1.5, 3.0});
}
static void inferGelu(GeluOp op, Operands x, Results y) {
  y[0] = op.getTanh() ? apply(x[0], geluTanh, {-0.752461416543})
                      : apply(x[0], gelu, {-0.751791524693});
}
static void inferLeakyRelu(LeakyReluOp op, Operands x, Results y) {
  const double alpha = op.getAlpha().convertToDouble();
  y[0] = apply(x[0], [=](double v) { return v >= 0 ? v : alpha * v; }, {0.0});
}
static void inferElu(EluOp op, Operands x, Results y) {
  const double alpha = op.getAlpha().convertToDouble();
  const double beta = op.getBeta().convertToDouble();
  const double gamma = op.getGamma().convertToDouble();
  y[0] = apply(x[0],
               [=](double v) {
                 return gamma * (v > 0 ? v : alpha * std::expm1(v / beta));
               },
               {0.0});
}
static void inferHardSigmoid(HardSigmoidOp op, Operands x, Results y) {
  const double alpha = op.getAlpha().convertToDouble();
  const double beta = op.getBeta().convertToDouble();
  y[0] = apply(x[0], [=](double v) { return clamp(alpha * v + beta, 0, 1); });
}

//===----------------------------------------------------------------------===//
// Derivatives: dy times the range of the slope
//===----------------------------------------------------------------------===//

/// dy or 0, whatever the value is.
template <typename OpTy> static void inferGate(OpTy, Operands x, Results y) {
  y[0] = x[0];
  y[0].joinZero();
}

/// Slopes between two numbers; NaN where the value is not finite, or so large
/// that a square of it overflows FP32.
static NumericRange slopes(double lo, double hi, const NumericRange &value) {
  NumericRange slope = NumericRange::between(lo, hi);
  slope.nan = !value.isFinite() || value.absMax() > 1e12;
  return slope;
}

static void inferSigmoidGrad(SigmoidGradOp, Operands x, Results y) {
  y[0] = x[0] * apply(x[1], [](double v) { return v * (1 - v); }, {0.5});
}
static void inferTanhGrad(TanhGradOp, Operands x, Results y) {
  y[0] = x[0] * apply(x[1], [](double v) { return 1 - v * v; }, {0.0});
}
static void inferGeluGrad(GeluGradOp, Operands x, Results y) {
  y[0] = x[0] * slopes(-0.1300, 1.1300, x[1]);
}
static void inferSiluGrad(SiluGradOp, Operands x, Results y) {
  y[0] = x[0] * slopes(-0.09985, 1.09985, x[1]);
}
static void inferMishGrad(MishGradOp, Operands x, Results y) {
  y[0] = x[0] * slopes(-0.1135, 1.0885, x[1]);
}
static void inferSoftplusGrad(SoftplusGradOp, Operands x, Results y) {
  y[0] = x[0] * apply(x[1], sigmoid);
}
static void inferHardSwishGrad(HardSwishGradOp, Operands x, Results y) {
  NumericRange slope = NumericRange::between(-0.5, 1.5);
  slope.nan = x[1].nan;
  y[0] = x[0] * slope;
  if (x[1].mayBeNegative())
    y[0].joinZero();
}
static void inferLeakyReluGrad(LeakyReluGradOp op, Operands x, Results y) {
  y[0] = scaled(x[0], op.getAlpha().convertToDouble());
  y[0].join(x[0]);
}
static void inferEluGrad(EluGradOp op, Operands x, Results y) {
  const double alpha = op.getAlpha().convertToDouble();
  const double beta = op.getBeta().convertToDouble();
  NumericRange negative = minOf(x[1], NumericRange::point(0));
  NumericRange slope = apply(
      negative, [=](double v) { return alpha / beta * std::exp(v / beta); });
  slope.join(NumericRange::point(1));
  y[0] = scaled(x[0], op.getGamma().convertToDouble()) * slope;
}
static void inferHardSigmoidGrad(HardSigmoidGradOp op, Operands x, Results y) {
  y[0] = scaled(x[0], op.getAlpha().convertToDouble());
  y[0].joinZero();
}

static void inferDropout(DropoutOp op, Operands x, Results y) {
  const double ratio = op.getRatio().convertToDouble();
  // Nothing is kept at ratio 1.
  y[0] = ratio < 1 ? scaled(x[0], 1 / (1 - ratio)) : NumericRange::point(0);
  y[0].joinZero();
  y[1] = integers(NumericRange::between(0, 1));
}

//===----------------------------------------------------------------------===//

void nn::attachElementwiseRanges(MLIRContext *context) {
  attachRange<NegOp, inferNeg>(context);
  attachRange<AbsOp, inferAbs>(context);
  attachRange<SignOp, inferSign>(context);
  attachRange<ReluOp, inferRelu>(context);
  attachRange<ClipOp, inferClip>(context);
  attachRange<FloorOp, inferRounding<FloorOp, std::floor>>(context);
  attachRange<CeilOp, inferRounding<CeilOp, std::ceil>>(context);
  attachRange<RoundOp, inferRounding<RoundOp, roundToEven>>(context);
  attachRange<NotOp, inferFlag<NotOp>>(context);
  attachRange<IsNaNOp, inferFlag<IsNaNOp>>(context);
  attachRange<IsInfOp, inferFlag<IsInfOp>>(context);
  attachRange<CastOp, inferCast>(context);

  attachRange<ExpOp, inferExp>(context);
  attachRange<LogOp, inferLog>(context);
  attachRange<SqrtOp, inferSqrt>(context);
  attachRange<ReciprocalOp, inferReciprocal>(context);
  attachRange<SinOp, inferWave<SinOp>>(context);
  attachRange<CosOp, inferWave<CosOp>>(context);
  attachRange<TanOp, inferTan>(context);
  attachRange<AsinOp, inferAsin>(context);
  attachRange<AcosOp, inferAcos>(context);
  attachRange<AtanOp, inferOdd<AtanOp, atanOf>>(context);
  attachRange<SinhOp, inferOdd<SinhOp, sinhOf>>(context);
  attachRange<CoshOp, inferCosh>(context);
  attachRange<AsinhOp, inferOdd<AsinhOp, asinhOf>>(context);
  attachRange<AcoshOp, inferAcosh>(context);
  attachRange<AtanhOp, inferAtanh>(context);
  attachRange<TanhOp, inferOddUnit<TanhOp, tanhOf>>(context);
  attachRange<ErfOp, inferOddUnit<ErfOp, erfOf>>(context);
  attachRange<SigmoidOp, inferSigmoid>(context);
  attachRange<SiluOp, inferSilu>(context);
  attachRange<SoftplusOp, inferSoftplus>(context);
  attachRange<SoftsignOp, inferSoftsign>(context);
  attachRange<MishOp, inferMish>(context);
  attachRange<HardSwishOp, inferHardSwish>(context);
  attachRange<GeluOp, inferGelu>(context);
  attachRange<LeakyReluOp, inferLeakyRelu>(context);
  attachRange<EluOp, inferElu>(context);
  attachRange<HardSigmoidOp, inferHardSigmoid>(context);

  attachRange<ReluGradOp, inferGate<ReluGradOp>>(context);
  attachRange<ClipGradOp, inferGate<ClipGradOp>>(context);
  attachRange<SigmoidGradOp, inferSigmoidGrad>(context);
  attachRange<TanhGradOp, inferTanhGrad>(context);
  attachRange<GeluGradOp, inferGeluGrad>(context);
  attachRange<SiluGradOp, inferSiluGrad>(context);
  attachRange<SoftplusGradOp, inferSoftplusGrad>(context);
  attachRange<MishGradOp, inferMishGrad>(context);
  attachRange<HardSwishGradOp, inferHardSwishGrad>(context);
  attachRange<LeakyReluGradOp, inferLeakyReluGrad>(context);
  attachRange<EluGradOp, inferEluGrad>(context);
  attachRange<HardSigmoidGradOp, inferHardSigmoidGrad>(context);
  attachRange<DropoutOp, inferDropout>(context);
}
