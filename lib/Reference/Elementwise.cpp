//===- Elementwise.cpp - Functions of several values, with broadcasting ---===//

#include "Evaluation.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Support/Philox.h"

#include <cmath>

using namespace mlir;

namespace mpt::reference {

/// out[...] = fn(lhs[...], rhs[...]) with both operands broadcast to `shape`.
template <typename L, typename R, typename O, typename Fn>
static void broadcastBinary(const Tensor &lhs, const L &l, const Tensor &rhs,
                            const R &r, ArrayRef<int64_t> shape, O &out,
                            Fn fn) {
  forEachElement<3>(
      shape,
      {broadcast(lhs.shape, shape), broadcast(rhs.shape, shape),
       contiguous(shape)},
      [&](int64_t i, int64_t j, int64_t o) { out[o] = fn(l[i], r[j]); });
}

/// A binary operation on floats and on integers. `onInteger(lhs, rhs,
/// isUnsigned)` gives the result, which wraps.
template <typename OpTy, typename OnFloat, typename OnInteger>
static void addBinary(Registry &registry, OnFloat onFloat,
                      OnInteger onInteger) {
  registry.add<OpTy>([=](OpTy, Evaluation &e) {
    const Tensor &lhs = e.operand(0), &rhs = e.operand(1);
    Tensor &result = e.result();
    if (lhs.isFloat()) {
      broadcastBinary(lhs, lhs.floats, rhs, rhs.floats, result.shape,
                      result.floats, onFloat);
      return;
    }
    const bool isUnsigned = lhs.elementType.isUnsignedInteger();
    broadcastBinary(lhs, lhs.ints, rhs, rhs.ints, result.shape, result.ints,
                    [&](int64_t a, int64_t b) {
                      return static_cast<int64_t>(onInteger(a, b, isUnsigned));
                    });
  });
}

static bool lessThan(int64_t a, int64_t b, bool isUnsigned) {
  return isUnsigned ? static_cast<uint64_t>(a) < static_cast<uint64_t>(b)
                    : a < b;
}

/// Truncated division; the one overflow, -2^63 / -1, wraps.
static int64_t divide(int64_t a, int64_t b, bool isUnsigned) {
  if (isUnsigned)
    return static_cast<int64_t>(static_cast<uint64_t>(a) /
                                static_cast<uint64_t>(b));
  return b == -1 ? static_cast<int64_t>(-static_cast<uint64_t>(a)) : a / b;
}
static int64_t remainder(int64_t a, int64_t b, bool isUnsigned) {
  if (isUnsigned)
    return static_cast<int64_t>(static_cast<uint64_t>(a) %
                                static_cast<uint64_t>(b));
  return b == -1 ? 0 : a % b;
}

static LogicalResult checkDivisor(Evaluation &e) {
  if (!e.operand(1).isFloat() && e.result().numElements() > 0 &&
      llvm::is_contained(e.operand(1).ints, 0))
    return e.op->emitOpError("divides an integer by zero");
  return success();
}

static LogicalResult evaluateDiv(nn::DivOp op, Evaluation &e) {
  if (failed(checkDivisor(e)))
    return failure();
  const Tensor &lhs = e.operand(0), &rhs = e.operand(1);
  Tensor &result = e.result();
  const bool isUnsigned = lhs.elementType.isUnsignedInteger();
  if (lhs.isFloat())
    broadcastBinary(lhs, lhs.floats, rhs, rhs.floats, result.shape,
                    result.floats, [](double a, double b) { return a / b; });
  else
    broadcastBinary(
        lhs, lhs.ints, rhs, rhs.ints, result.shape, result.ints,
        [=](int64_t a, int64_t b) { return divide(a, b, isUnsigned); });
  return success();
}

static LogicalResult evaluateMod(nn::ModOp op, Evaluation &e) {
  if (failed(checkDivisor(e)))
    return failure();
  const Tensor &lhs = e.operand(0), &rhs = e.operand(1);
  Tensor &result = e.result();
  const bool isUnsigned = lhs.elementType.isUnsignedInteger();
  const bool signOfDividend = op.getFmod();
  if (lhs.isFloat())
    broadcastBinary(lhs, lhs.floats, rhs, rhs.floats, result.shape,
                    result.floats, [=](double a, double b) {
                      const double r = std::fmod(a, b);
                      return !signOfDividend && r != 0 && (r < 0) != (b < 0)
                                 ? r + b
                                 : r;
                    });
  else
    broadcastBinary(lhs, lhs.ints, rhs, rhs.ints, result.shape, result.ints,
                    [=](int64_t a, int64_t b) {
                      const int64_t r = remainder(a, b, isUnsigned);
                      return !isUnsigned && !signOfDividend && r != 0 &&
                                     (r < 0) != (b < 0)
                                 ? r + b
                                 : r;
                    });
  return success();
}

/// base^exponent modulo 2^64, by squaring; 1 / base^|exponent| truncated for a
/// negative exponent.
static int64_t integerPower(int64_t base, int64_t exponent) {
  if (exponent < 0)
    return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
  uint64_t result = 1, square = static_cast<uint64_t>(base);
  for (uint64_t n = static_cast<uint64_t>(exponent); n; n >>= 1) {
    if (n & 1)
      result *= square;
    square *= square;
  }
  return static_cast<int64_t>(result);
}

static void evaluatePow(nn::PowOp op, Evaluation &e) {
  const Tensor &base = e.operand(0), &exponent = e.operand(1);
  Tensor &result = e.result();
  auto asDouble = [](const Tensor &tensor) {
    if (tensor.isFloat())
      return tensor.floats;
    std::vector<double> values(tensor.ints.size());
    auto type = cast<IntegerType>(tensor.elementType);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = integerToDouble(tensor.ints[i], type);
    return values;
  };
  auto power = [](double a, double b) { return std::pow(a, b); };
  if (!base.isFloat() && !exponent.isFloat()) {
    broadcastBinary(base, base.ints, exponent, exponent.ints, result.shape,
                    result.ints, integerPower);
  } else if (base.isFloat()) {
    broadcastBinary(base, base.floats, exponent, asDouble(exponent),
                    result.shape, result.floats, power);
  } else {
    auto type = cast<IntegerType>(base.elementType);
    broadcastBinary(base, asDouble(base), exponent, exponent.floats,
                    result.shape, result.ints, [&](double a, double b) {
                      return truncateToType(std::pow(a, b), type);
                    });
  }
}

template <typename T>
static bool holds(nn::ComparePredicate predicate, T a, T b) {
  switch (predicate) {
  case nn::ComparePredicate::EQ:
    return a == b;
  case nn::ComparePredicate::NE:
    return a != b;
  case nn::ComparePredicate::LT:
    return a < b;
  case nn::ComparePredicate::LE:
    return a <= b;
  case nn::ComparePredicate::GT:
    return a > b;
  case nn::ComparePredicate::GE:
    return a >= b;
  }
  return false;
}

static void evaluateCompare(nn::CompareOp op, Evaluation &e) {
  const Tensor &lhs = e.operand(0), &rhs = e.operand(1);
  Tensor &result = e.result();
  const nn::ComparePredicate predicate = op.getPredicate();
  if (lhs.isFloat())
    broadcastBinary(lhs, lhs.floats, rhs, rhs.floats, result.shape, result.ints,
                    [=](double a, double b) { return holds(predicate, a, b); });
  else if (lhs.elementType.isUnsignedInteger())
    broadcastBinary(lhs, lhs.ints, rhs, rhs.ints, result.shape, result.ints,
                    [=](int64_t a, int64_t b) {
                      return holds(predicate, static_cast<uint64_t>(a),
                                   static_cast<uint64_t>(b));
                    });
  else
    broadcastBinary(
        lhs, lhs.ints, rhs, rhs.ints, result.shape, result.ints,
        [=](int64_t a, int64_t b) { return holds(predicate, a, b); });
}

static void evaluateWhere(nn::WhereOp op, Evaluation &e) {
  const Tensor &condition = e.operand(0), &x = e.operand(1), &y = e.operand(2);
  Tensor &result = e.result();
  const std::array<View, 4> views = {broadcast(condition.shape, result.shape),
                                     broadcast(x.shape, result.shape),
                                     broadcast(y.shape, result.shape),
                                     contiguous(result.shape)};
  auto select = [&](const auto &whenTrue, const auto &whenFalse, auto &out) {
    forEachElement<4>(result.shape, views,
                      [&](int64_t c, int64_t i, int64_t j, int64_t o) {
                        out[o] = condition.ints[c] ? whenTrue[i] : whenFalse[j];
                      });
  };
  if (result.isFloat())
    select(x.floats, y.floats, result.floats);
  else
    select(x.ints, y.ints, result.ints);
}

static void evaluateCast(nn::CastOp op, Evaluation &e) {
  const Tensor &x = e.operand(0);
  Tensor &y = e.result();
  auto from = dyn_cast<IntegerType>(x.elementType);
  auto to = dyn_cast<IntegerType>(y.elementType);
  if (!from && !to) {
    y.floats = x.floats;
  } else if (!from) {
    for (size_t i = 0; i < x.floats.size(); ++i)
      y.ints[i] = truncateToType(x.floats[i], to);
  } else if (!to) {
    // Straight to f32: by way of a double, a large i64 would be rounded twice.
    const bool single = y.elementType.isF32() && !e.options.f64;
    for (size_t i = 0; i < x.ints.size(); ++i)
      y.floats[i] = !single ? integerToDouble(x.ints[i], from)
                    : from.isUnsigned()
                        ? static_cast<float>(static_cast<uint64_t>(x.ints[i]))
                        : static_cast<float>(x.ints[i]);
  } else {
    for (size_t i = 0; i < x.ints.size(); ++i)
      y.ints[i] = to.getWidth() == 1 ? x.ints[i] != 0 : x.ints[i];
  }
}

static void evaluateDropout(nn::DropoutOp op, Evaluation &e) {
  const Tensor &x = e.operand(0);
  const Tensor *step = e.optionalOperand(1);
  const double ratio = op.getRatio().convertToDouble();
  const double scale = 1 / (1 - ratio);
  const auto seed = static_cast<uint64_t>(op.getSeed());
  const auto counter = static_cast<uint64_t>(step ? step->ints[0] : 0);
  for (size_t i = 0; i < x.floats.size(); ++i) {
    const bool kept = dropoutKeeps(seed, counter, i, ratio);
    e.result(0).floats[i] = kept ? x.floats[i] * scale : 0;
    e.result(1).ints[i] = kept;
  }
}

void addElementwiseEvaluations(Registry &registry) {
  // Unsigned arithmetic: the integers wrap.
  addBinary<nn::AddOp>(
      registry, [](double a, double b) { return a + b; },
      [](uint64_t a, uint64_t b, bool) { return a + b; });
  addBinary<nn::SubOp>(
      registry, [](double a, double b) { return a - b; },
      [](uint64_t a, uint64_t b, bool) { return a - b; });
  addBinary<nn::MulOp>(
      registry, [](double a, double b) { return a * b; },
      [](uint64_t a, uint64_t b, bool) { return a * b; });
  addBinary<nn::MinOp>(
      registry,
      [](double a, double b) { return std::isnan(a) || a < b ? a : b; },
      [](int64_t a, int64_t b, bool isUnsigned) {
        return lessThan(b, a, isUnsigned) ? b : a;
      });
  addBinary<nn::MaxOp>(
      registry,
      [](double a, double b) { return std::isnan(a) || a > b ? a : b; },
      [](int64_t a, int64_t b, bool isUnsigned) {
        return lessThan(a, b, isUnsigned) ? b : a;
      });
  auto noFloat = [](double, double) { return 0.0; };
  addBinary<nn::AndOp>(registry, noFloat,
                       [](int64_t a, int64_t b, bool) { return a & b; });
  addBinary<nn::OrOp>(registry, noFloat,
                      [](int64_t a, int64_t b, bool) { return a | b; });
  addBinary<nn::XorOp>(registry, noFloat,
                       [](int64_t a, int64_t b, bool) { return a ^ b; });
  registry.add<nn::DivOp>(evaluateDiv);
  registry.add<nn::ModOp>(evaluateMod);
  registry.add<nn::PowOp>(evaluatePow);
  registry.add<nn::CompareOp>(evaluateCompare);
  registry.add<nn::WhereOp>(evaluateWhere);
  registry.add<nn::CastOp>(evaluateCast);
  registry.add<nn::DropoutOp>(evaluateDropout);
}

} // namespace mpt::reference
