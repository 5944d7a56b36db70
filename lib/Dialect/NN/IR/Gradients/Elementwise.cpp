//===- Elementwise.cpp - Derivatives of elementwise operations ------------===//
//
// A rule may return a gradient in the broadcast shape of the result: the walker
// sums it down to the operand's shape.
//
//===----------------------------------------------------------------------===//

#include "GradientRules.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

namespace {

/// Writes the arithmetic of the rules: all values of one element type.
struct Arithmetic {
  OpBuilder &b;
  Location loc;

  Value add(Value x, Value y) const { return AddOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) const { return SubOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) const { return MulOp::create(b, loc, x, y); }
  Value div(Value x, Value y) const { return DivOp::create(b, loc, x, y); }
  Value neg(Value x) const { return NegOp::create(b, loc, x.getType(), x); }
  Value sqrt(Value x) const { return SqrtOp::create(b, loc, x.getType(), x); }
  Value compare(ComparePredicate predicate, Value x, Value y) const {
    return CompareOp::create(b, loc, x, y, predicate);
  }
  Value where(Value condition, Value x, Value y) const {
    return WhereOp::create(b, loc, condition, x, y);
  }
  Value constant(Value like, double value) const {
    return scalarLike(b, loc, like, value);
  }
  /// 1 - x^2 and 1 + x^2, which several inverse functions share.
  Value oneMinusSquare(Value x) const { return sub(constant(x, 1), mul(x, x)); }
  Value onePlusSquare(Value x) const { return add(constant(x, 1), mul(x, x)); }
};

} // namespace

/// A unary rule: `BODY` computes dx from dy, x and y, with `a` for arithmetic.
#define MPT_UNARY_RULE(OP, BODY)                                               \
  LogicalResult OP::buildGradient(OpBuilder &builder, ValueRange grads,        \
                                  ArrayRef<bool> wanted,                       \
                                  SmallVectorImpl<Value> &operandGrads) {      \
    [[maybe_unused]] Arithmetic a{builder, getLoc()};                          \
    [[maybe_unused]] Value x = getInput(), y = getResult(), dy = grads[0];     \
    operandGrads.assign(1, Value());                                           \
    if (wanted[0] && dy)                                                       \
      operandGrads[0] = BODY;                                                  \
    return success();                                                          \
  }

MPT_UNARY_RULE(NegOp, a.neg(dy))
MPT_UNARY_RULE(AbsOp,
               a.mul(dy, SignOp::create(builder, getLoc(), x.getType(), x)))
MPT_UNARY_RULE(ExpOp, a.mul(dy, y))
MPT_UNARY_RULE(LogOp, a.div(dy, x))
// The root of a sum is a norm: its derivative at zero is infinite, and 0 by
// convention. Times that of the squares, which is 0, infinity would be NaN (a
// token that starts at zero has queries of norm 0).
static Value sqrtGradient(const Arithmetic &a, Value dy, Value x, Value y) {
  Value dx = a.div(a.mul(dy, a.constant(y, 0.5)), y);
  if (!x.getDefiningOp<ReduceSumOp>())
    return dx;
  Value isZero = a.compare(ComparePredicate::EQ, y, a.constant(y, 0));
  return a.where(isZero, a.constant(dx, 0), dx);
}
MPT_UNARY_RULE(SqrtOp, sqrtGradient(a, dy, x, y))
MPT_UNARY_RULE(ReciprocalOp, a.neg(a.mul(dy, a.mul(y, y))))
MPT_UNARY_RULE(SinOp,
               a.mul(dy, CosOp::create(builder, getLoc(), x.getType(), x)))
MPT_UNARY_RULE(CosOp, a.neg(a.mul(dy, SinOp::create(builder, getLoc(),
                                                    x.getType(), x))))
MPT_UNARY_RULE(TanOp, a.mul(dy, a.onePlusSquare(y)))
MPT_UNARY_RULE(AsinOp, a.div(dy, a.sqrt(a.oneMinusSquare(x))))
MPT_UNARY_RULE(AcosOp, a.neg(a.div(dy, a.sqrt(a.oneMinusSquare(x)))))
MPT_UNARY_RULE(AtanOp, a.div(dy, a.onePlusSquare(x)))
MPT_UNARY_RULE(SinhOp,
               a.mul(dy, CoshOp::create(builder, getLoc(), x.getType(), x)))
MPT_UNARY_RULE(CoshOp,
               a.mul(dy, SinhOp::create(builder, getLoc(), x.getType(), x)))
MPT_UNARY_RULE(AsinhOp, a.div(dy, a.sqrt(a.onePlusSquare(x))))
// Two roots instead of one of x^2 - 1, which cancels near 1.
MPT_UNARY_RULE(AcoshOp, a.div(dy, a.mul(a.sqrt(a.sub(x, a.constant(x, 1))),
                                        a.sqrt(a.add(x, a.constant(x, 1))))))
MPT_UNARY_RULE(AtanhOp, a.div(dy, a.oneMinusSquare(x)))
MPT_UNARY_RULE(TanhOp,
               TanhGradOp::create(builder, getLoc(), x.getType(), dy, y))
MPT_UNARY_RULE(SigmoidOp,
               SigmoidGradOp::create(builder, getLoc(), x.getType(), dy, y))
MPT_UNARY_RULE(ReluOp,
               ReluGradOp::create(builder, getLoc(), x.getType(), dy, y))
MPT_UNARY_RULE(SiluOp,
               SiluGradOp::create(builder, getLoc(), x.getType(), dy, x))
MPT_UNARY_RULE(SoftplusOp,
               SoftplusGradOp::create(builder, getLoc(), x.getType(), dy, x))
MPT_UNARY_RULE(MishOp,
               MishGradOp::create(builder, getLoc(), x.getType(), dy, x))
MPT_UNARY_RULE(HardSwishOp,
               HardSwishGradOp::create(builder, getLoc(), x.getType(), dy, x))
MPT_UNARY_RULE(GeluOp, GeluGradOp::create(builder, getLoc(), x.getType(), dy, x,
                                          getTanhAttr()))
MPT_UNARY_RULE(LeakyReluOp,
               LeakyReluGradOp::create(builder, getLoc(), x.getType(), dy, x,
                                       getAlphaAttr()))
MPT_UNARY_RULE(EluOp,
               EluGradOp::create(builder, getLoc(), x.getType(), dy, x,
                                 getAlphaAttr(), getBetaAttr(), getGammaAttr()))
MPT_UNARY_RULE(HardSigmoidOp,
               HardSigmoidGradOp::create(builder, getLoc(), x.getType(), dy, x,
                                         getAlphaAttr(), getBetaAttr()))
MPT_UNARY_RULE(ClipOp, ClipGradOp::create(builder, getLoc(), x.getType(), dy, x,
                                          getMinAttr(), getMaxAttr()))

/// d/dx erf(x) = 2/sqrt(pi) e^(-x^2).
MPT_UNARY_RULE(ErfOp,
               a.mul(dy, a.mul(a.constant(x, 1.1283791670955125739),
                               ExpOp::create(builder, getLoc(), x.getType(),
                                             a.neg(a.mul(x, x))))))
/// d/dx x / (1 + |x|) = 1 / (1 + |x|)^2.
static Value softsignGradient(const Arithmetic &a, Value dy, Value x) {
  Value denominator =
      a.add(AbsOp::create(a.b, a.loc, x.getType(), x), a.constant(x, 1));
  return a.div(dy, a.mul(denominator, denominator));
}
MPT_UNARY_RULE(SoftsignOp, softsignGradient(a, dy, x))
#undef MPT_UNARY_RULE

LogicalResult CastOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                    ArrayRef<bool> wanted,
                                    SmallVectorImpl<Value> &operandGrads) {
  // Between floats the gradient is cast back; integers have none.
  operandGrads.assign(1, Value());
  bool differentiable = isa<FloatType>(getElementTypeOrSelf(getInput())) &&
                        isa<FloatType>(getElementTypeOrSelf(getType()));
  if (wanted[0] && grads[0] && differentiable)
    operandGrads[0] = castLike(builder, getLoc(), grads[0], getInput());
  return success();
}

//===----------------------------------------------------------------------===//
// Binary and ternary
//===----------------------------------------------------------------------===//

/// A binary rule from dy, l, r and the result y.
#define MPT_BINARY_RULE(OP, DL, DR)                                            \
  LogicalResult OP::buildGradient(OpBuilder &builder, ValueRange grads,        \
                                  ArrayRef<bool> wanted,                       \
                                  SmallVectorImpl<Value> &operandGrads) {      \
    [[maybe_unused]] Arithmetic a{builder, getLoc()};                          \
    [[maybe_unused]] Value l = getLhs(), r = getRhs(), y = getResult();        \
    Value dy = grads[0];                                                       \
    operandGrads.assign(2, Value());                                           \
    if (wanted[0] && dy)                                                       \
      operandGrads[0] = DL;                                                    \
    if (wanted[1] && dy)                                                       \
      operandGrads[1] = DR;                                                    \
    return success();                                                          \
  }

MPT_BINARY_RULE(AddOp, dy, dy)
MPT_BINARY_RULE(SubOp, dy, a.neg(dy))
MPT_BINARY_RULE(MulOp, a.mul(dy, r), a.mul(dy, l))
MPT_BINARY_RULE(DivOp, a.div(dy, r), a.neg(a.div(a.mul(dy, y), r)))

/// The share of dy that goes to `mine`: all of it where it won, half where both
/// are equal (PyTorch's maximum and minimum), none elsewhere.
static Value winnersShare(const Arithmetic &a, Value dy, Value mine,
                          Value other, ComparePredicate wins) {
  Value zero = a.constant(dy, 0);
  Value half = a.mul(dy, a.constant(dy, 0.5));
  Value tie = a.where(a.compare(ComparePredicate::EQ, mine, other), half, zero);
  return a.where(a.compare(wins, mine, other), dy, tie);
}
MPT_BINARY_RULE(MinOp, winnersShare(a, dy, l, r, ComparePredicate::LT),
                winnersShare(a, dy, r, l, ComparePredicate::LT))
MPT_BINARY_RULE(MaxOp, winnersShare(a, dy, l, r, ComparePredicate::GT),
                winnersShare(a, dy, r, l, ComparePredicate::GT))
#undef MPT_BINARY_RULE

/// The value of a splat constant.
static std::optional<double> getSplat(Value value) {
  DenseElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat())
    return std::nullopt;
  if (isa<FloatType>(elements.getElementType()))
    return elements.getSplatValue<APFloat>().convertToDouble();
  if (elements.getElementType().isSignlessInteger())
    return elements.getSplatValue<APInt>().signedRoundToDouble();
  return std::nullopt;
}

/// dy times the slope y x^(y-1) of a power in its base.
static Value powBaseGradient(const Arithmetic &a, Value dy, Value base,
                             Value exponent, std::optional<double> constant) {
  auto power = [&](Value e) -> Value {
    return PowOp::create(a.b, a.loc, base, e);
  };
  if (constant == 0.0)
    return {};
  if (constant == 1.0)
    return dy;
  if (constant == 2.0)
    return a.mul(a.mul(dy, a.constant(base, 2)), base);
  if (constant)
    return a.mul(dy, a.mul(a.constant(base, *constant),
                           power(a.constant(base, *constant - 1))));
  // 0 where the exponent is 0: 0 * inf is not meant at x = 0.
  Value zero = a.constant(base, 0);
  Value slope = a.mul(exponent, power(a.sub(exponent, a.constant(base, 1))));
  slope = a.where(a.compare(ComparePredicate::EQ, exponent, zero), zero, slope);
  return a.mul(dy, slope);
}

LogicalResult PowOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                   ArrayRef<bool> wanted,
                                   SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(2, Value());
  Value dy = grads[0];
  if (!dy)
    return success();
  Arithmetic a{builder, getLoc()};
  Value base = getLhs(), exponent = castLike(builder, getLoc(), getRhs(), base);
  if (wanted[0])
    operandGrads[0] =
        powBaseGradient(a, dy, base, exponent, getSplat(getRhs()));
  if (wanted[1] && isa<FloatType>(getElementTypeOrSelf(getRhs()))) {
    // x^y log x, and 0 where x <= 0: there the power has no derivative in y.
    Value zero = a.constant(base, 0);
    Value positive = a.compare(ComparePredicate::GT, base, zero);
    Value safe = a.where(positive, base, a.constant(base, 1));
    Value slope = a.mul(getResult(),
                        LogOp::create(builder, getLoc(), safe.getType(), safe));
    operandGrads[1] = castLike(
        builder, getLoc(), a.mul(dy, a.where(positive, slope, zero)), getRhs());
  }
  return success();
}

LogicalResult WhereOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                     ArrayRef<bool> wanted,
                                     SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(3, Value());
  Value dy = grads[0];
  if (!dy)
    return success();
  Arithmetic a{builder, getLoc()};
  Value zero = a.constant(dy, 0);
  if (wanted[1])
    operandGrads[1] = a.where(getCondition(), dy, zero);
  if (wanted[2])
    operandGrads[2] = a.where(getCondition(), zero, dy);
  return success();
}

LogicalResult DropoutOp::buildGradient(OpBuilder &builder, ValueRange grads,
                                       ArrayRef<bool> wanted,
                                       SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getNumOperands(), Value());
  Value dy = grads[0];
  if (!wanted[0] || !dy)
    return success();
  Arithmetic a{builder, getLoc()};
  double scale = 1.0 / (1.0 - getRatio().convertToDouble());
  operandGrads[0] =
      a.where(getMask(), a.mul(dy, a.constant(dy, scale)), a.constant(dy, 0));
  return success();
}
