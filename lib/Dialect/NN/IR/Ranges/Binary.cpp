//===- Binary.cpp - Ranges of functions of several values -----------------===//
//
// Besides the intervals of their operands, some operations know how their
// operands hang together: x - max(x) is at most 0, a / sum(a) at most 1, and
// d / sqrt(mean(d^2) + eps) at most the square root of the number of elements.
//
//===----------------------------------------------------------------------===//

#include "RangeRules.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

//===----------------------------------------------------------------------===//
// Operands that hang together
//===----------------------------------------------------------------------===//

/// The value of a constant with equal elements.
static std::optional<double> getSplat(Value value) {
  DenseElementsAttr elements;
  if (!matchPattern(skipCasts(value), m_Constant(&elements)) ||
      !elements.isSplat())
    return std::nullopt;
  if (isa<FloatType>(elements.getElementType()))
    return elements.getSplatValue<APFloat>().convertToDouble();
  if (elements.getElementType().isInteger(64))
    return static_cast<double>(elements.getSplatValue<int64_t>());
  return std::nullopt;
}

/// Is `value` the square of `of`?
static bool isSquareOf(Value value, Value of) {
  value = skipCasts(value);
  of = skipCasts(of);
  if (auto mul = value.getDefiningOp<MulOp>())
    return skipCasts(mul.getLhs()) == of && skipCasts(mul.getRhs()) == of;
  if (auto pow = value.getDefiningOp<PowOp>())
    return skipCasts(pow.getLhs()) == of && getSplat(pow.getRhs()) == 2.0;
  return false;
}

/// The number n of elements whose root mean square, plus an epsilon that is not
/// negative, `value` is: sqrt(mean(of^2) + eps). 0 where it is not.
static int64_t countOfRootMeanSquare(Value value, Value of) {
  ArrayRef<int64_t> shape;
  auto root = skipViews(value, shape).getDefiningOp<SqrtOp>();
  if (!root)
    return 0;
  Value inside = skipCasts(root.getInput());
  if (auto add = inside.getDefiningOp<AddOp>()) {
    std::optional<double> epsilon = getSplat(add.getRhs());
    inside = add.getLhs();
    if (!epsilon) {
      epsilon = getSplat(add.getLhs());
      inside = add.getRhs();
    }
    if (!epsilon || !(*epsilon >= 0))
      return 0;
  }
  ArrayRef<int64_t> meanShape;
  auto mean = skipViews(inside, meanShape).getDefiningOp<ReduceMeanOp>();
  ArrayRef<int64_t> from = shapeOf(of);
  if (!mean || !isSquareOf(mean.getInput(), of) ||
      !broadcastsBack(shape, from, mean.getAxes()) ||
      !broadcastsBack(meanShape, from, mean.getAxes()))
    return 0;
  return countElements(from, mean.getAxes());
}

/// |d| / rms(d) <= sqrt(n). The factor covers FP32 sums (n 2^-24) and roots.
static void boundByRootMeanSquare(NumericRange &range, int64_t count) {
  if (count <= 0)
    return;
  const auto n = static_cast<double>(count);
  const double bound = std::sqrt(n) * (1 + n * 0x1p-24 + 0x1p-20);
  range.lo = std::fmax(range.lo, -bound);
  range.hi = std::fmin(range.hi, bound);
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

template <typename OpTy> static bool isFloatOp(OpTy op) {
  return isFloat(op->getResult(0));
}

static void inferAdd(AddOp op, Operands x, Results y) {
  NumericRange r = x[0] + x[1];
  y[0] = isFloatOp(op) ? r : integers(r);
}

static void inferSub(SubOp op, Operands x, Results y) {
  NumericRange r = x[0] - x[1];
  if (!isFloatOp(op)) {
    y[0] = integers(r);
    return;
  }
  if (r.hasFinite()) {
    if (findReductionOf<ReduceMaxOp>(op.getRhs(), op.getLhs()))
      r.hi = std::fmin(r.hi, 0);
    if (findReductionOf<ReduceMinOp>(op.getRhs(), op.getLhs()))
      r.lo = std::fmax(r.lo, 0);
    r.tidy();
  }
  y[0] = r;
}

static void inferMul(MulOp op, Operands x, Results y) {
  NumericRange r = op.getLhs() == op.getRhs() ? squareOf(x[0]) : x[0] * x[1];
  if (!isFloatOp(op)) {
    y[0] = integers(r);
    return;
  }
  for (auto [value, other] : {std::pair(op.getLhs(), op.getRhs()),
                              std::pair(op.getRhs(), op.getLhs())}) {
    ArrayRef<int64_t> shape;
    if (auto inverse = skipViews(value, shape).getDefiningOp<ReciprocalOp>();
        inverse && r.hasFinite() && shape == shapeOf(inverse.getInput()))
      boundByRootMeanSquare(r,
                            countOfRootMeanSquare(inverse.getInput(), other));
  }
  y[0] = r.tidy();
}

static void inferDiv(DivOp op, Operands x, Results y) {
  NumericRange r = x[0] / x[1];
  if (!isFloatOp(op)) {
    r.lo = std::trunc(r.lo);
    r.hi = std::trunc(r.hi);
    y[0] = integers(r);
    return;
  }
  if (r.hasFinite()) {
    // Terms of a sum of numbers that are not negative.
    if (!x[0].mayBeNegative() &&
        findReductionOf<ReduceSumOp>(op.getRhs(), op.getLhs())) {
      r.lo = 0;
      r.hi = std::fmin(r.hi, 1);
      r.smallest = 0;
      // A sum of zeros is divided by zero: 0 / 0. Nothing else gives infinity,
      // but for terms that are infinite.
      r.posInf = r.negInf = false;
      r.nan = x[0].nan || x[0].posInf || x[0].mayBeZero() || x[1].hasInf();
    }
    boundByRootMeanSquare(r, countOfRootMeanSquare(op.getRhs(), op.getLhs()));
  }
  y[0] = r.tidy();
}

static void inferMin(MinOp op, Operands x, Results y) {
  NumericRange r = minOf(x[0], x[1]);
  y[0] = isFloatOp(op) ? r : integers(r);
}
static void inferMax(MaxOp op, Operands x, Results y) {
  NumericRange r = maxOf(x[0], x[1]);
  y[0] = isFloatOp(op) ? r : integers(r);
}

static void inferMod(ModOp op, Operands x, Results y) {
  const bool isFloating = isFloatOp(op);
  NumericRange r;
  if (op.getFmod()) {
    // The sign of the dividend.
    const double bound =
        std::fmin(x[0].absMax(), x[1].hasInf() ? x[0].absMax() : x[1].absMax());
    r = NumericRange::between(x[0].mayBeNegative() ? -bound : 0,
                              x[0].mayBePositive() ? bound : 0);
  } else {
    r = NumericRange::between(std::fmin(x[1].lo, 0), std::fmax(x[1].hi, 0));
    if (x[1].hasInf()) {
      r.join(x[0]);
      r.posInf |= x[1].posInf;
      r.negInf |= x[1].negInf;
    }
  }
  r.nan = x[0].nan || x[1].nan || x[0].hasInf() || x[1].mayBeZero();
  y[0] = isFloating ? r : integers(r);
}

//===----------------------------------------------------------------------===//
// Powers
//===----------------------------------------------------------------------===//

/// x^y for x >= 0: monotone in x and in y, so that the corners are extreme.
static NumericRange powerOfMagnitude(const NumericRange &x,
                                     const NumericRange &y) {
  NumericRange r;
  for (double base : {x.lo, x.hi})
    for (double exponent : {y.lo, y.hi}) {
      const double value = std::pow(base, exponent);
      r.lo = std::fmin(r.lo, value);
      r.hi = std::fmax(r.hi, value);
    }
  r.lo -= std::fabs(r.lo) * kSlack;
  r.hi += std::fabs(r.hi) * kSlack;
  r.smallest = 0;
  // 0 to a negative power is infinite; the other powers are those of numbers
  // that are not zero.
  if (x.mayBeZero() && y.mayBeNegative())
    r.posInf = r.negInf = true; // a zero's sign is not known
  return r.tidy();
}

static void inferPow(PowOp op, Operands x, Results y) {
  const NumericRange &base = x[0], &exponent = x[1];
  if (!isFloatOp(op) || !base.isFinite() || !exponent.isFinite() ||
      !base.hasFinite() || !exponent.hasFinite())
    return;
  const bool whole =
      !isFloat(op.getRhs()) ||
      (exponent.lo == exponent.hi && exponent.lo == std::trunc(exponent.lo));
  NumericRange r = powerOfMagnitude(absOf(base), exponent);
  if (base.lo >= 0) {
    y[0] = r;
    return;
  }
  const bool even =
      whole && exponent.lo == exponent.hi && std::fmod(exponent.lo, 2) == 0;
  const bool odd = whole && exponent.lo == exponent.hi && !even;
  if (odd && base.hi <= 0) {
    y[0] = (-r).tidy();
    return;
  }
  if (!even) {
    r.lo = -r.hi;
    r.smallest = 0;
    r.negInf = r.posInf;
    r.nan = !whole;
  }
  y[0] = r.tidy();
}

//===----------------------------------------------------------------------===//
// Flags and choices
//===----------------------------------------------------------------------===//

template <typename OpTy> static void inferFlag(OpTy, Operands, Results y) {
  y[0] = integers(NumericRange::between(0, 1));
}

static void inferWhere(WhereOp, Operands x, Results y) {
  y[0] = x[1];
  y[0].join(x[2]);
}

void nn::attachBinaryRanges(MLIRContext *context) {
  attachRange<AddOp, inferAdd>(context);
  attachRange<SubOp, inferSub>(context);
  attachRange<MulOp, inferMul>(context);
  attachRange<DivOp, inferDiv>(context);
  attachRange<MinOp, inferMin>(context);
  attachRange<MaxOp, inferMax>(context);
  attachRange<ModOp, inferMod>(context);
  attachRange<PowOp, inferPow>(context);
  attachRange<AndOp, inferFlag<AndOp>>(context);
  attachRange<OrOp, inferFlag<OrOp>>(context);
  attachRange<XorOp, inferFlag<XorOp>>(context);
  attachRange<CompareOp, inferFlag<CompareOp>>(context);
  attachRange<WhereOp, inferWhere>(context);
}
