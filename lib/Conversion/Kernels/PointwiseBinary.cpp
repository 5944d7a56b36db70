//===- PointwiseBinary.cpp - Functions of several values ------------------===//

#include "PointwiseOps.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

using FPred = arith::CmpFPredicate;
using IPred = arith::CmpIPredicate;

static bool isFloat(Value x) {
  return isa<FloatType>(getElementTypeOrSelf(x.getType()));
}
static bool isUnsigned(Value tensor) {
  return getElementTypeOrSelf(tensor.getType()).isUnsignedInteger();
}

/// Quotient and remainder. A divisor of 0 gives some value instead of a trap;
/// -2^(n-1) / -1 wraps.
static std::pair<Value, Value> divideIntegers(EmitContext &c, Value x, Value y,
                                              bool isUnsigned) {
  OpBuilder &b = c.b;
  Location loc = c.loc;
  Value zero = c.constant(x.getType(), 0), one = c.constant(x.getType(), 1);
  Value unsafe = arith::CmpIOp::create(b, loc, IPred::eq, y, zero);
  Value negative;
  if (!isUnsigned) {
    negative = arith::CmpIOp::create(b, loc, IPred::eq, y,
                                     c.constant(x.getType(), -1));
    unsafe = arith::OrIOp::create(b, loc, unsafe, negative);
  }
  Value divisor = c.select(unsafe, one, y);
  if (isUnsigned)
    return {arith::DivUIOp::create(b, loc, x, divisor),
            arith::RemUIOp::create(b, loc, x, divisor)};
  Value quotient = arith::DivSIOp::create(b, loc, x, divisor);
  quotient = c.select(negative, arith::SubIOp::create(b, loc, zero, quotient),
                      quotient);
  return {quotient, arith::RemSIOp::create(b, loc, x, divisor)};
}

static Value emitMod(EmitContext &c, nn::ModOp op, Value x, Value y) {
  Type type = x.getType();
  Value zero = c.constant(type, 0);
  if (isFloat(x)) {
    Value r = arith::RemFOp::create(c.b, c.loc, x, y);
    if (op.getFmod())
      return r;
    Value nonZero = c.cmpf(FPred::UNE, r, zero);
    Value signs = arith::XOrIOp::create(c.b, c.loc, c.cmpf(FPred::OLT, r, zero),
                                        c.cmpf(FPred::OLT, y, zero));
    return c.select(c.logicalAnd(nonZero, signs), c.addf(r, y), r);
  }
  const bool noSign = isUnsigned(op.getLhs());
  Value r = divideIntegers(c, x, y, noSign).second;
  if (noSign || op.getFmod())
    return r;
  Value nonZero = c.cmp(IPred::ne, r, zero);
  Value signs = arith::XOrIOp::create(c.b, c.loc, c.cmp(IPred::slt, r, zero),
                                      c.cmp(IPred::slt, y, zero));
  return c.select(c.logicalAnd(nonZero, signs), c.addAny(r, y), r);
}

/// x^n for an integer n by squaring (n < 0: the reciprocal).
static Value powerByConstant(EmitContext &c, Value x, int64_t n) {
  Value result, square = x;
  for (uint64_t rest = uint64_t(std::abs(n)); rest; rest >>= 1) {
    if (rest & 1)
      result = result ? c.mulf(result, square) : square;
    if (rest > 1)
      square = c.mulf(square, square);
  }
  if (!result)
    return c.constant(x.getType(), 1.0);
  return n < 0 ? c.divf(c.constant(x.getType(), 1.0), result) : result;
}

static Value emitPow(EmitContext &c, nn::PowOp op, Value x, Value y) {
  DenseElementsAttr exponent;
  if (isFloat(x) && matchPattern(op.getRhs(), m_Constant(&exponent)) &&
      exponent.isSplat()) {
    Type element = exponent.getElementType();
    double value = isa<FloatType>(element)
                       ? exponent.getSplatValue<APFloat>().convertToDouble()
                       : double(exponent.getSplatValue<APInt>().getSExtValue());
    if (value == std::floor(value) && std::fabs(value) <= 4)
      return powerByConstant(c, x, int64_t(value));
    // pow(-0, 0.5) is +0 and pow(-inf, 0.5) inf, unlike the square root.
    if (value == 0.5) {
      const double inf = std::numeric_limits<double>::infinity();
      Value root = c.sqrt(c.addf(x, c.constant(x.getType(), 0.0)));
      Value isMinusInf = c.cmpf(FPred::OEQ, x, c.constant(x.getType(), -inf));
      return c.select(isMinusInf, c.constant(x.getType(), inf), root);
    }
  }
  if (!isFloat(x)) {
    // Integers: exact in double up to 2^53, truncated like a cast.
    Type element = getElementTypeOrSelf(x.getType());
    Value base = c.convert(x, c.b.getF64Type(), isUnsigned(op.getLhs()));
    Value power = c.convert(y, c.b.getF64Type(), isUnsigned(op.getRhs()));
    Value result = math::PowFOp::create(c.b, c.loc, base, power);
    return c.convert(result, element, isUnsigned(op.getLhs()));
  }
  Value power =
      c.convert(y, getElementTypeOrSelf(x.getType()), isUnsigned(op.getRhs()));
  if (!c.target.isGPU || !getElementTypeOrSelf(x.getType()).isF32())
    return math::PowFOp::create(c.b, c.loc, x, power);
  // |x|^y = e^(y log |x|), with the sign of x for odd y and NaN for x < 0 with
  // y not an integer.
  auto f = [&](double value) { return c.constant(x.getType(), value); };
  Value magnitude = c.exp(c.mulf(power, c.log(c.absf(x))));
  magnitude = c.select(c.cmpf(FPred::OEQ, power, f(0)), f(1), magnitude);
  auto floorOf = [&](Value v) {
    return math::FloorOp::create(c.b, c.loc, v).getResult();
  };
  Value half = c.mulf(power, f(0.5));
  Value isInteger = c.cmpf(FPred::OEQ, floorOf(power), power);
  Value isEven = c.cmpf(FPred::OEQ, floorOf(half), half);
  Value negative =
      c.select(isInteger, c.select(isEven, magnitude, c.negf(magnitude)),
               f(std::numeric_limits<double>::quiet_NaN()));
  return c.select(c.cmpf(FPred::OLT, x, f(0)), negative, magnitude);
}

static Value emitCompare(EmitContext &c, nn::CompareOp op, Value x, Value y) {
  using P = nn::ComparePredicate;
  if (isFloat(x)) {
    FPred predicate = FPred::OEQ;
    switch (op.getPredicate()) {
    case P::EQ:
      predicate = FPred::OEQ;
      break;
    case P::NE:
      predicate = FPred::UNE;
      break;
    case P::LT:
      predicate = FPred::OLT;
      break;
    case P::LE:
      predicate = FPred::OLE;
      break;
    case P::GT:
      predicate = FPred::OGT;
      break;
    case P::GE:
      predicate = FPred::OGE;
      break;
    }
    return c.cmpf(predicate, x, y);
  }
  const bool u = isUnsigned(op.getLhs());
  IPred predicate = IPred::eq;
  switch (op.getPredicate()) {
  case P::EQ:
    predicate = IPred::eq;
    break;
  case P::NE:
    predicate = IPred::ne;
    break;
  case P::LT:
    predicate = u ? IPred::ult : IPred::slt;
    break;
  case P::LE:
    predicate = u ? IPred::ule : IPred::sle;
    break;
  case P::GT:
    predicate = u ? IPred::ugt : IPred::sgt;
    break;
  case P::GE:
    predicate = u ? IPred::uge : IPred::sge;
    break;
  }
  return c.cmp(predicate, x, y);
}

/// A cast the user wrote rounds, also where no memory lies between.
static Value emitCast(EmitContext &c, nn::CastOp op, Value x) {
  Type from = getElementTypeOrSelf(op.getInput().getType());
  Type to = getElementTypeOrSelf(op.getResult().getType());
  if (from.isF64() && (to.isF16() || to.isBF16()))
    return c.roundToNarrow(x, to);
  Value y = c.convert(
      x, to, isUnsigned(isa<FloatType>(from) ? op.getResult() : op.getInput()));
  if (to.isF16() || to.isBF16())
    return c.widen(c.narrow(y, to), to);
  return y;
}

//===----------------------------------------------------------------------===//
// Dropout
//===----------------------------------------------------------------------===//

/// One word of Philox-4x32-10 per element (see mpt/Support/Philox.h).
static Value emitPhilox(EmitContext &c, uint64_t key, Value index, Value step) {
  OpBuilder &b = c.b;
  Location loc = c.loc;
  auto vector = dyn_cast<VectorType>(index.getType());
  auto typeOf = [&](Type element) -> Type {
    return vector ? Type(VectorType::get(vector.getShape(), element)) : element;
  };
  Type i32 = typeOf(b.getI32Type()), i64 = typeOf(b.getI64Type());
  auto c32 = [&](uint32_t value) {
    return c.constant(i32, double(int32_t(value)));
  };
  auto low32 = [&](Value x) {
    return arith::TruncIOp::create(b, loc, i32, x).getResult();
  };
  auto high32 = [&](Value x) {
    return low32(arith::ShRUIOp::create(b, loc, x, c.constant(i64, 32)));
  };
  auto exclusiveOr = [&](Value x, Value y) {
    return arith::XOrIOp::create(b, loc, x, y).getResult();
  };
  Value counter = arith::ShRUIOp::create(b, loc, index, c.constant(i64, 2));
  Value w0 = low32(counter), w1 = high32(counter);
  Value w2 = low32(step), w3 = high32(step);
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  for (int round = 0; round < 10; ++round) {
    auto p0 = arith::MulUIExtendedOp::create(b, loc, w0, c32(0xD2511F53));
    auto p1 = arith::MulUIExtendedOp::create(b, loc, w2, c32(0xCD9E8D57));
    Value n0 = exclusiveOr(exclusiveOr(p1.getHigh(), w1), c32(k0));
    Value n2 = exclusiveOr(exclusiveOr(p0.getHigh(), w3), c32(k1));
    w0 = n0;
    w1 = p1.getLow();
    w2 = n2;
    w3 = p0.getLow();
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  Value word = arith::AndIOp::create(b, loc, low32(index), c32(3));
  auto is = [&](uint32_t n) { return c.cmp(IPred::eq, word, c32(n)); };
  return c.select(is(0), w0, c.select(is(1), w1, c.select(is(2), w2, w3)));
}

static PointwiseResults emitDropout(EmitContext &c, nn::DropoutOp op,
                                    const PointwiseOperands &operands) {
  OpBuilder &b = c.b;
  Location loc = c.loc;
  Value x = operands.values[0];
  auto vector = dyn_cast<VectorType>(x.getType());
  Value index = arith::IndexCastOp::create(b, loc, b.getI64Type(),
                                           operands.element.linear);
  Type i64 = b.getI64Type();
  if (vector) {
    i64 = VectorType::get(vector.getShape(), b.getI64Type());
    SmallVector<int64_t> lanes;
    for (int64_t i = 0; i < operands.element.lanes; ++i)
      lanes.push_back(i);
    Value offsets = arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(cast<VectorType>(i64), ArrayRef(lanes)));
    index = arith::AddIOp::create(
        b, loc, c.splat(index, operands.element.lanes), offsets);
  }
  Value step = op.getStep() ? operands.values[1] : c.constant(i64, 0);
  Value word = emitPhilox(c, uint64_t(op.getSeed()), index, step);
  // word * 2^-32 >= ratio.
  const double ratio = op.getRatio().convertToDouble();
  const double threshold = std::ceil(std::ldexp(ratio, 32));
  Type i32 = word.getType();
  Value kept;
  if (threshold >= std::ldexp(1.0, 32))
    kept = c.constant(
        vector ? Type(VectorType::get(vector.getShape(), b.getI1Type()))
               : Type(b.getI1Type()),
        0);
  else
    kept = c.cmp(IPred::uge, word,
                 c.constant(i32, double(int32_t(uint32_t(threshold)))));
  Value scaled = c.mulf(x, c.constant(x.getType(), 1 / (1 - ratio)));
  return {c.select(kept, scaled, c.constant(x.getType(), 0)), kept};
}

PointwiseResults conversion::emitBinary(EmitContext &c, Operation *op,
                                        const PointwiseOperands &operands) {
  ArrayRef<Value> v = operands.values;
  OpBuilder &b = c.b;
  Location loc = c.loc;
  auto noSign = [&] { return isUnsigned(op->getOperand(0)); };
  Value y =
      llvm::TypeSwitch<Operation *, Value>(op)
          .Case<nn::AddOp>([&](auto) { return c.addAny(v[0], v[1]); })
          .Case<nn::SubOp>([&](auto) -> Value {
            if (isFloat(v[0]))
              return c.subf(v[0], v[1]);
            return arith::SubIOp::create(b, loc, v[0], v[1]);
          })
          .Case<nn::MulOp>([&](auto) { return c.mulAny(v[0], v[1]); })
          .Case<nn::DivOp>([&](auto) {
            if (isFloat(v[0]))
              return c.divf(v[0], v[1]);
            return divideIntegers(c, v[0], v[1], noSign()).first;
          })
          .Case<nn::PowOp>(
              [&](auto pow) { return emitPow(c, pow, v[0], v[1]); })
          .Case<nn::MinOp>([&](auto) -> Value {
            if (noSign())
              return arith::MinUIOp::create(b, loc, v[0], v[1]);
            return c.minAny(v[0], v[1]);
          })
          .Case<nn::MaxOp>([&](auto) -> Value {
            if (noSign())
              return arith::MaxUIOp::create(b, loc, v[0], v[1]);
            return c.maxAny(v[0], v[1]);
          })
          .Case<nn::ModOp>(
              [&](auto mod) { return emitMod(c, mod, v[0], v[1]); })
          .Case<nn::AndOp>([&](auto) {
            return arith::AndIOp::create(b, loc, v[0], v[1]).getResult();
          })
          .Case<nn::OrOp>([&](auto) {
            return arith::OrIOp::create(b, loc, v[0], v[1]).getResult();
          })
          .Case<nn::XorOp>([&](auto) {
            return arith::XOrIOp::create(b, loc, v[0], v[1]).getResult();
          })
          .Case<nn::CompareOp>(
              [&](auto compare) { return emitCompare(c, compare, v[0], v[1]); })
          .Case<nn::WhereOp>([&](auto) { return c.select(v[0], v[1], v[2]); })
          .Case<nn::CastOp>([&](auto cast) { return emitCast(c, cast, v[0]); })
          // Same elements: the index map of the operand does the rest.
          .Case<nn::ReshapeOp, nn::ExpandOp>([&](auto) { return v[0]; })
          .Default([](Operation *) { return Value(); });
  if (y)
    return {y};
  if (auto dropout = dyn_cast<nn::DropoutOp>(op))
    return emitDropout(c, dropout, operands);
  return {};
}
