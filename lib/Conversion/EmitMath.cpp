//===- EmitMath.cpp - EmitContext: elementary functions -------------------===//
//
// f32 polynomials on scalars and vectors, the same on CPU and GPU: no
// libdevice, no call per lane, and bounds that a test holds them to over all
// exponents (test/unit/Execution/PointwiseTest.cpp), subnormal results
// included.
//
//===----------------------------------------------------------------------===//

#include "mpt/Conversion/KernelEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

namespace {

/// Shorthands for one function on one type.
struct Math {
  Math(EmitContext &context, Value like)
      : c(context), b(context.b), loc(context.loc), type(like.getType()) {
    auto vector = dyn_cast<VectorType>(type);
    Type i32 = b.getI32Type();
    intType = vector ? Type(VectorType::get(vector.getShape(), i32)) : i32;
  }

  Value f(double value) { return c.constant(type, value); }
  Value i(int64_t value) { return c.constant(intType, double(value)); }
  Value toBits(Value x) { return arith::BitcastOp::create(b, loc, intType, x); }
  Value fromBits(Value x) { return arith::BitcastOp::create(b, loc, type, x); }
  Value addi(Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }
  Value subi(Value x, Value y) { return arith::SubIOp::create(b, loc, x, y); }
  Value andi(Value x, Value y) { return arith::AndIOp::create(b, loc, x, y); }
  Value shl(Value x, int64_t n) {
    return arith::ShLIOp::create(b, loc, x, i(n));
  }
  Value sar(Value x, int64_t n) {
    return arith::ShRSIOp::create(b, loc, x, i(n));
  }
  Value toFloat(Value x) { return arith::SIToFPOp::create(b, loc, type, x); }
  Value toInt(Value x) { return arith::FPToSIOp::create(b, loc, intType, x); }
  Value copySign(Value magnitude, Value sign) {
    return math::CopySignOp::create(b, loc, magnitude, sign);
  }
  Value cmp(arith::CmpFPredicate predicate, Value x, double y) {
    return c.cmpf(predicate, x, f(y));
  }
  /// coefficients[0] x^(n-1) + ... + coefficients[n-1].
  Value polynomial(Value x, ArrayRef<double> coefficients) {
    Value result = f(coefficients.front());
    for (double coefficient : coefficients.drop_front())
      result = c.fma(result, x, f(coefficient));
    return result;
  }

  EmitContext &c;
  OpBuilder &b;
  Location loc;
  Type type, intType;
};

bool isDouble(Value x) { return getElementTypeOrSelf(x.getType()).isF64(); }

} // namespace

Value EmitContext::exp(Value x) {
  if (isDouble(x))
    return math::ExpOp::create(b, loc, x);
  // e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2 (Cody and Waite
  // 1980; coefficients of Cephes' expf). Outside of the clamp the result is 0
  // or inf.
  Math m(*this, x);
  Value low = m.cmp(arith::CmpFPredicate::OLT, x, -105.0);
  Value high = m.cmp(arith::CmpFPredicate::OGT, x, 90.0);
  Value isNaN = cmpf(arith::CmpFPredicate::UNO, x, x);
  Value y = select(low, m.f(-105.0), select(high, m.f(90.0), x));
  y = select(isNaN, m.f(0.0), y);
  // Adding 1.5 * 2^23 rounds to an integer.
  Value magic = m.f(12582912.0);
  Value n = arith::SubFOp::create(
      b, loc,
      arith::AddFOp::create(
          b, loc, arith::MulFOp::create(b, loc, y, m.f(1.44269504088896341)),
          magic),
      magic);
  Value r = fma(n, m.f(-0.693359375), y);
  r = fma(n, m.f(2.12194440e-4), r);
  Value p =
      m.polynomial(r, {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3,
                       4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
  p = addf(fma(p, mulf(r, r), r), m.f(1.0));
  // 2^n in two factors: n reaches below the normal exponents and to 129.
  Value k = m.toInt(n);
  Value half = m.sar(k, 1);
  Value rest = m.subi(k, half);
  auto power = [&](Value e) {
    return m.fromBits(m.shl(m.addi(e, m.i(127)), 23));
  };
  Value result = mulf(mulf(p, power(half)), power(rest));
  return select(isNaN, x, result);
}

Value EmitContext::log(Value x) {
  if (isDouble(x))
    return math::LogOp::create(b, loc, x);
  // log x = k ln 2 + log m with m in [sqrt(1/2), sqrt 2) and a polynomial in
  // s = f / (2 + f), f = m - 1 (FreeBSD's e_logf.c).
  Math m(*this, x);
  Value tiny = m.cmp(arith::CmpFPredicate::OLT, x, 1.17549435e-38);
  Value scaled = select(tiny, mulf(x, m.f(8388608.0)), x);
  Value bits = m.addi(m.toBits(scaled), m.i(0x3f800000 - 0x3f3504f3));
  Value k = m.subi(m.sar(bits, 23), select(tiny, m.i(127 + 23), m.i(127)));
  Value mantissa =
      m.fromBits(m.addi(m.andi(bits, m.i(0x007fffff)), m.i(0x3f3504f3)));
  Value f = subf(mantissa, m.f(1.0));
  Value s = divf(f, addf(m.f(2.0), f));
  Value z = mulf(s, s), w = mulf(z, z);
  Value t1 = mulf(w, m.polynomial(w, {0.24279078841, 0.40000972152}));
  Value t2 = mulf(z, m.polynomial(w, {0.28498786688, 0.66666662693}));
  Value half = mulf(m.f(0.5), mulf(f, f));
  Value kf = m.toFloat(k);
  Value result =
      fma(s, addf(half, addf(t2, t1)), mulf(kf, m.f(9.0580006145e-06)));
  result = addf(subf(result, half), f);
  result = fma(kf, m.f(6.9313812256e-01), result);
  const double inf = std::numeric_limits<double>::infinity();
  Value isZero = m.cmp(arith::CmpFPredicate::OEQ, x, 0.0);
  Value isInf = m.cmp(arith::CmpFPredicate::OEQ, x, inf);
  // Negative or NaN.
  Value bad = m.cmp(arith::CmpFPredicate::ULT, x, 0.0);
  result = select(isInf, x, select(isZero, m.f(-inf), result));
  return select(bad, m.f(std::numeric_limits<double>::quiet_NaN()), result);
}

Value EmitContext::log1p(Value x) {
  if (isDouble(x))
    return math::Log1pOp::create(b, loc, x);
  // log(1 + x) = log(u) x / (u - 1), u = fl(1 + x) (Kahan): the rounding error
  // of u cancels. Not contracted: u must be rounded.
  Math m(*this, x);
  Value one = m.f(1.0);
  Value u = arith::AddFOp::create(b, loc, x, one);
  Value d = arith::SubFOp::create(b, loc, u, one);
  Value isOne = cmpf(arith::CmpFPredicate::OEQ, d, m.f(0.0));
  Value isInf = cmpf(arith::CmpFPredicate::OEQ, u,
                     m.f(std::numeric_limits<double>::infinity()));
  Value l = log(u);
  Value result = mulf(l, divf(x, select(isOne, one, d)));
  Value isMinusOne = m.cmp(arith::CmpFPredicate::OEQ, u, 0.0);
  result = select(isMinusOne, l, result);
  return select(isOne, x, select(isInf, u, result));
}

Value EmitContext::expm1(Value x) {
  if (isDouble(x))
    return math::ExpM1Op::create(b, loc, x);
  // Near 0: Taylor to x^8 (the next term is below 2^-26 of x for |x| < 0.5);
  // elsewhere e^x - 1 loses at most one bit.
  Math m(*this, x);
  Value p = m.polynomial(x, {1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120,
                             1.0 / 24, 1.0 / 6, 0.5});
  Value small = fma(mulf(x, x), p, x);
  Value large = subf(exp(x), m.f(1.0));
  Value isSmall = m.cmp(arith::CmpFPredicate::OLT, absf(x), 0.5);
  return select(isSmall, small, large);
}

Value EmitContext::tanh(Value x) {
  if (isDouble(x))
    return math::TanhOp::create(b, loc, x);
  // Cephes' tanhf: an odd polynomial below 0.625, else 1 - 2 / (e^2x + 1).
  Math m(*this, x);
  Value a = absf(x);
  Value z = mulf(x, x);
  Value p =
      m.polynomial(z, {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2,
                       1.33314422036e-1, -3.33332819422e-1});
  Value small = fma(mulf(p, z), x, x);
  Value e = exp(addf(a, a));
  Value large = subf(m.f(1.0), divf(m.f(2.0), addf(e, m.f(1.0))));
  Value isSmall = m.cmp(arith::CmpFPredicate::OLT, a, 0.625);
  return select(isSmall, small, m.copySign(large, x));
}

Value EmitContext::erf(Value x) {
  if (isDouble(x))
    return math::ErfOp::create(b, loc, x);
  // Two minimax polynomials (N. Juffa): erf(x) = x + x P(x^2) near 0, elsewhere
  // 1 - e^(-Q(|x|)).
  Math m(*this, x);
  Value t = absf(x), s = mulf(x, x);
  Value r = fma(m.f(-0x1.220000p-16), t, m.f(0x1.91cfb2p-12));
  Value u = fma(m.f(-0x1.fd1438p-9), t, m.f(0x1.8d6342p-6));
  r = fma(r, s, u);
  r = fma(r, t, m.f(-0x1.b55cb8p-4));
  r = fma(r, t, m.f(-0x1.450aa0p-1));
  r = fma(r, t, m.f(-0x1.079d0cp-3));
  r = fma(r, t, mulf(t, m.f(-1.0)));
  // Q grows without bound; where t is infinite it would be inf - inf.
  Value saturated = m.cmp(arith::CmpFPredicate::OGT, t, 4.0);
  Value large = subf(m.f(1.0), exp(select(saturated, m.f(-100.0), r)));
  large = m.copySign(large, x);
  Value p = m.polynomial(s, {-0x1.38e000p-11, 0x1.471a58p-8, -0x1.b691b2p-6,
                             0x1.ce1c44p-4, -0x1.812700p-2, 0x1.06eba8p-3});
  Value small = fma(p, x, x);
  Value isLarge = m.cmp(arith::CmpFPredicate::OGT, t, 0.927734375);
  return select(isLarge, large, small);
}

Value EmitContext::sigmoid(Value x) {
  Value one = constant(x.getType(), 1.0);
  // e^-x overflows to inf for x < -88, and 1 / inf is 0, off by less than the
  // smallest normal number.
  return divf(one, addf(one, exp(negf(x))));
}
