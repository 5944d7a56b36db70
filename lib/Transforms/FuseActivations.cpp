//===- FuseActivations.cpp - Activations that are spelled out -------------===//
//
// An expression is read as a polynomial in two variables: x, and g, the
// transcendental function in it. gelu and silu are A(x) + B(x) g with g =
// f(P(x)) for certain A, B and P, so the order of products and sums does not
// matter.
//
//===----------------------------------------------------------------------===//

#include "mpt/Transforms/Passes.h"

#include "mpt/Dialect/NN/IR/NNDialect.h"

#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"

#include <array>
#include <cmath>

namespace mpt {
#define GEN_PASS_DEF_FUSEACTIVATIONSPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;

/// The nesting of products and sums that is looked into: the longest known
/// form has six.
static constexpr int kMaxDepth = 8;
/// What may be x: the known forms have it within the first six values.
static constexpr size_t kMaxCandidates = 16;

/// The value of a splat constant of floats.
static std::optional<double> getNumber(Value value) {
  DenseElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat() ||
      !isa<FloatType>(elements.getElementType()))
    return std::nullopt;
  return elements.getSplatValue<APFloat>().convertToDouble();
}

namespace {

/// sum of c[i][j] x^i g^j.
struct Polynomial {
  static constexpr int kMaxX = 3, kMaxG = 1;
  std::array<std::array<double, kMaxG + 1>, kMaxX + 1> c{};

  static Polynomial constant(double value) {
    Polynomial result;
    result.c[0][0] = value;
    return result;
  }
  static Polynomial monomial(int x, int g) {
    Polynomial result;
    result.c[x][g] = 1;
    return result;
  }

  Polynomial plus(const Polynomial &other, double factor) const {
    Polynomial result = *this;
    for (int i = 0; i <= kMaxX; ++i)
      for (int j = 0; j <= kMaxG; ++j)
        result.c[i][j] += factor * other.c[i][j];
    return result;
  }
  /// None if the degree grows beyond what activations have.
  std::optional<Polynomial> times(const Polynomial &other) const {
    Polynomial result;
    for (int i = 0; i <= kMaxX; ++i)
      for (int j = 0; j <= kMaxG; ++j)
        for (int k = 0; k <= kMaxX; ++k)
          for (int l = 0; l <= kMaxG; ++l) {
            double term = c[i][j] * other.c[k][l];
            if (term == 0)
              continue;
            if (i + k > kMaxX || j + l > kMaxG)
              return std::nullopt;
            result.c[i + k][j + l] += term;
          }
    return result;
  }
  /// Equal but for the rounding of constants to FP32.
  bool equals(const Polynomial &other) const {
    for (int i = 0; i <= kMaxX; ++i)
      for (int j = 0; j <= kMaxG; ++j)
        if (!(std::abs(c[i][j] - other.c[i][j]) <=
              1e-6 * std::abs(other.c[i][j])))
          return false;
    return true;
  }
};

/// Reads expressions in x and g.
class Reader {
public:
  Reader(Value x, Value g) : x(x), g(g) {}

  std::optional<Polynomial> read(Value value, int depth = 0) const;

private:
  Value x, g;
};

/// How an activation looks: A(x) + B(x) g with g = f(P(x)).
struct Form {
  Polynomial inside, whole;
};

} // namespace

std::optional<Polynomial> Reader::read(Value value, int depth) const {
  if (value == x)
    return Polynomial::monomial(1, 0);
  if (value == g)
    return Polynomial::monomial(0, 1);
  if (std::optional<double> number = getNumber(value))
    return Polynomial::constant(*number);
  Operation *op = value.getDefiningOp();
  if (!op || depth == kMaxDepth)
    return std::nullopt;
  auto operand = [&](unsigned i) { return read(op->getOperand(i), depth + 1); };
  if (isa<nn::AddOp, nn::SubOp>(op)) {
    auto left = operand(0), right = left ? operand(1) : std::nullopt;
    if (!left || !right)
      return std::nullopt;
    return left->plus(*right, isa<nn::AddOp>(op) ? 1 : -1);
  }
  if (isa<nn::MulOp>(op)) {
    auto left = operand(0), right = left ? operand(1) : std::nullopt;
    return left && right ? left->times(*right) : std::nullopt;
  }
  if (isa<nn::DivOp>(op)) {
    std::optional<double> divisor = getNumber(op->getOperand(1));
    auto left = divisor && *divisor != 0 ? operand(0) : std::nullopt;
    return left ? left->times(Polynomial::constant(1 / *divisor))
                : std::nullopt;
  }
  if (isa<nn::PowOp>(op)) {
    std::optional<double> exponent = getNumber(op->getOperand(1));
    if (exponent != 2.0 && exponent != 3.0)
      return std::nullopt;
    auto base = operand(0);
    auto power = base ? base->times(*base) : std::nullopt;
    if (power && exponent == 3.0)
      power = power->times(*base);
    return power;
  }
  return std::nullopt;
}

/// The form of the activation whose transcendental function is `op`.
static std::optional<Form> getForm(Operation *op) {
  const Polynomial x = Polynomial::monomial(1, 0);
  auto scaled = [](const Polynomial &p, double factor) {
    return Polynomial().plus(p, factor);
  };
  const Polynomial xg = Polynomial::monomial(1, 1);
  const Polynomial half = scaled(x, 0.5).plus(xg, 0.5); // x/2 (1 + g)
  if (isa<nn::ErfOp>(op))
    return Form{scaled(x, std::sqrt(0.5)), half};
  if (isa<nn::TanhOp>(op)) {
    const double root = std::sqrt(2 / M_PI);
    return Form{
        scaled(x, root).plus(Polynomial::monomial(3, 0), root * 0.044715),
        half};
  }
  if (isa<nn::SigmoidOp>(op))
    return Form{x, xg};
  return std::nullopt;
}

/// What x may be: the values that the function's argument is made of.
static void collectCandidates(Value value, int depth,
                              llvm::SmallSetVector<Value, 8> &candidates) {
  if (candidates.size() == kMaxCandidates || getNumber(value) ||
      !candidates.insert(value))
    return;
  Operation *op = value.getDefiningOp();
  if (depth < kMaxDepth &&
      isa_and_nonnull<nn::AddOp, nn::SubOp, nn::MulOp, nn::DivOp, nn::PowOp>(
          op))
    for (Value operand : op->getOperands())
      collectCandidates(operand, depth + 1, candidates);
}

/// The activation that `function`, its erf, tanh or sigmoid, is part of, and
/// its x. The expression is followed upwards as long as nothing else reads it.
static std::pair<Value, Value> findActivation(Operation *function) {
  std::optional<Form> form = getForm(function);
  if (!form)
    return {};
  Value g = function->getResult(0);
  llvm::SmallSetVector<Value, 8> candidates;
  collectCandidates(function->getOperand(0), 0, candidates);
  Value whole = g;
  for (int steps = 0; steps < kMaxDepth && whole.hasOneUse(); ++steps) {
    Operation *user = *whole.getUsers().begin();
    if (!isa<nn::AddOp, nn::SubOp, nn::MulOp, nn::DivOp>(user))
      break;
    whole = user->getResult(0);
    for (Value x : candidates) {
      if (x.getType() != whole.getType())
        continue;
      Reader reader(x, g);
      auto read = reader.read(whole);
      if (!read || !read->equals(form->whole))
        continue;
      auto inside = reader.read(function->getOperand(0));
      if (inside && inside->equals(form->inside))
        return {whole, x};
    }
  }
  return {};
}

namespace {

struct FuseActivationsPass
    : mpt::impl::FuseActivationsPassBase<FuseActivationsPass> {
  void runOnOperation() override {
    SmallVector<Operation *> functions;
    getOperation().walk([&](Operation *op) {
      if (isa<nn::ErfOp, nn::TanhOp, nn::SigmoidOp>(op))
        functions.push_back(op);
    });
    for (Operation *function : functions) {
      auto [whole, x] = findActivation(function);
      if (!whole)
        continue;
      Operation *last = whole.getDefiningOp();
      OpBuilder b(last);
      Value fused;
      if (isa<nn::SigmoidOp>(function))
        fused = nn::SiluOp::create(b, last->getLoc(), x.getType(), x);
      else
        fused = nn::GeluOp::create(b, last->getLoc(), x.getType(), x,
                                   isa<nn::TanhOp>(function));
      whole.replaceAllUsesWith(fused);
      eraseDead(last);
    }
  }

private:
  /// The expression, as far as nothing else reads it.
  static void eraseDead(Operation *last) {
    llvm::SmallSetVector<Operation *, 8> pending;
    pending.insert(last);
    while (!pending.empty()) {
      Operation *op = pending.pop_back_val();
      if (!isOpTriviallyDead(op))
        continue;
      SmallVector<Value, 2> operands(op->getOperands());
      op->erase();
      for (Value operand : operands)
        if (Operation *producer = operand.getDefiningOp())
          pending.insert(producer);
    }
  }
};

} // namespace
