//===- Unary.cpp - Functions of one value and their derivatives -----------===//
//
// The formulas are those of the operations' descriptions.
//
//===----------------------------------------------------------------------===//

#include "Evaluation.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

#include <cmath>

namespace mpt::reference {

/// y = f(x) for the float operation OpTy; `makeFunction(op)` gives f.
template <typename OpTy, typename Make>
static void addActivation(Registry &registry, Make makeFunction) {
  registry.add<OpTy>([makeFunction](OpTy op, Evaluation &e) {
    auto function = makeFunction(op);
    const std::vector<double> &x = e.operand(0).floats;
    std::vector<double> &y = e.result().floats;
    for (size_t i = 0; i < x.size(); ++i)
      y[i] = function(x[i]);
  });
}

template <typename OpTy>
static void add(Registry &registry, double (*f)(double)) {
  addActivation<OpTy>(registry, [f](OpTy) { return f; });
}

/// dx = dy * f'(v): `makeFunction(op)` gives a function of (dy, v).
template <typename OpTy, typename Make>
static void addDerivative(Registry &registry, Make makeFunction) {
  registry.add<OpTy>([makeFunction](OpTy op, Evaluation &e) {
    auto function = makeFunction(op);
    const std::vector<double> &dy = e.operand(0).floats;
    const std::vector<double> &value = e.operand(1).floats;
    std::vector<double> &dx = e.result().floats;
    for (size_t i = 0; i < dx.size(); ++i)
      dx[i] = function(dy[i], value[i]);
  });
}

template <typename OpTy>
static void addGrad(Registry &registry, double (*f)(double, double)) {
  addDerivative<OpTy>(registry, [f](OpTy) { return f; });
}

/// A function of floats and of integers.
template <typename OpTy>
static void addNumber(Registry &registry, double (*onFloat)(double),
                      int64_t (*onInteger)(int64_t)) {
  registry.add<OpTy>([=](OpTy, Evaluation &e) {
    const Tensor &x = e.operand(0);
    Tensor &y = e.result();
    for (size_t i = 0; i < x.floats.size(); ++i)
      y.floats[i] = onFloat(x.floats[i]);
    for (size_t i = 0; i < x.ints.size(); ++i)
      y.ints[i] = onInteger(x.ints[i]);
  });
}

static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
static double softplus(double x) {
  return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x)));
}
static double softplusKeepingNaN(double x) {
  return std::isnan(x) ? x : softplus(x);
}

static constexpr double kSqrtHalf = 0.70710678118654752440;    // 1 / sqrt(2)
static constexpr double kSqrt2OverPi = 0.79788456080286535588; // sqrt(2 / pi)
static constexpr double kInvSqrt2Pi = 0.39894228040143267794;  // 1 / sqrt(2 pi)
static constexpr double kGeluCubic = 0.044715;

static double gelu(double x) { return 0.5 * x * std::erfc(-x * kSqrtHalf); }
static double geluTanh(double x) {
  return 0.5 * x * (1 + std::tanh(kSqrt2OverPi * (x + kGeluCubic * x * x * x)));
}
static double geluGrad(double dy, double x) {
  const double cdf = 0.5 * std::erfc(-x * kSqrtHalf);
  return dy * (cdf + x * kInvSqrt2Pi * std::exp(-0.5 * x * x));
}
static double geluTanhGrad(double dy, double x) {
  const double t = std::tanh(kSqrt2OverPi * (x + kGeluCubic * x * x * x));
  const double inner = kSqrt2OverPi * (1 + 3 * kGeluCubic * x * x);
  return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner);
}

static double mishGrad(double dy, double x) {
  const double t = std::tanh(softplus(x));
  return dy * (t + x * (1 - t * t) * sigmoid(x));
}

static double hardSwishGrad(double dy, double x) {
  if (x <= -3)
    return 0;
  return x >= 3 ? dy : dy * (x / 3 + 0.5);
}

/// min(max(x, low), high), with NaN kept.
static double clamp(double x, double low, double high) {
  if (x < low)
    x = low;
  return x > high ? high : x;
}

static void addParametricActivations(Registry &registry) {
  addActivation<nn::GeluOp>(
      registry, [](nn::GeluOp op) { return op.getTanh() ? geluTanh : gelu; });
  addActivation<nn::LeakyReluOp>(registry, [](nn::LeakyReluOp op) {
    const double alpha = op.getAlpha().convertToDouble();
    return [alpha](double x) { return x >= 0 ? x : alpha * x; };
  });
  addActivation<nn::EluOp>(registry, [](nn::EluOp op) {
    const double alpha = op.getAlpha().convertToDouble();
    const double beta = op.getBeta().convertToDouble();
    const double gamma = op.getGamma().convertToDouble();
    return [=](double x) {
      return gamma * (x > 0 ? x : alpha * std::expm1(x / beta));
    };
  });
  addActivation<nn::HardSigmoidOp>(registry, [](nn::HardSigmoidOp op) {
    const double alpha = op.getAlpha().convertToDouble();
    const double beta = op.getBeta().convertToDouble();
    return [=](double x) { return clamp(alpha * x + beta, 0, 1); };
  });

  addDerivative<nn::GeluGradOp>(registry, [](nn::GeluGradOp op) {
    return op.getTanh() ? geluTanhGrad : geluGrad;
  });
  addDerivative<nn::LeakyReluGradOp>(registry, [](nn::LeakyReluGradOp op) {
    const double alpha = op.getAlpha().convertToDouble();
    return [alpha](double dy, double x) { return x >= 0 ? dy : alpha * dy; };
  });
  addDerivative<nn::EluGradOp>(registry, [](nn::EluGradOp op) {
    const double alpha = op.getAlpha().convertToDouble();
    const double beta = op.getBeta().convertToDouble();
    const double gamma = op.getGamma().convertToDouble();
    return [=](double dy, double x) {
      return gamma * dy * (x > 0 ? 1 : alpha / beta * std::exp(x / beta));
    };
  });
  addDerivative<nn::HardSigmoidGradOp>(registry, [](nn::HardSigmoidGradOp op) {
    const double alpha = op.getAlpha().convertToDouble();
    const double beta = op.getBeta().convertToDouble();
    return [=](double dy, double x) {
      const double y = alpha * x + beta;
      return y > 0 && y < 1 ? alpha * dy : 0.0;
    };
  });
  addDerivative<nn::ClipGradOp>(registry, [](nn::ClipGradOp op) {
    const double low = op.getMin().convertToDouble();
    const double high = op.getMax().convertToDouble();
    return
        [=](double dy, double x) { return x >= low && x <= high ? dy : 0.0; };
  });
}

static void evaluateClip(nn::ClipOp op, Evaluation &e) {
  const double low = op.getMin().convertToDouble();
  const double high = op.getMax().convertToDouble();
  const Tensor &x = e.operand(0);
  Tensor &y = e.result();
  for (size_t i = 0; i < x.floats.size(); ++i)
    y.floats[i] = clamp(x.floats[i], low, high);
  if (x.isFloat())
    return;
  // The bounds round inwards; saturating them to the type loses nothing.
  auto type = mlir::cast<mlir::IntegerType>(x.elementType);
  const int64_t from = truncateToType(std::ceil(low), type);
  const int64_t to = truncateToType(std::floor(high), type);
  auto less = [unsignedType = type.isUnsigned()](int64_t a, int64_t b) {
    return unsignedType ? static_cast<uint64_t>(a) < static_cast<uint64_t>(b)
                        : a < b;
  };
  for (size_t i = 0; i < x.ints.size(); ++i) {
    int64_t value = less(x.ints[i], from) ? from : x.ints[i];
    y.ints[i] = less(to, value) ? to : value;
  }
}

void addUnaryEvaluations(Registry &registry) {
  addNumber<nn::NegOp>(
      registry, [](double x) { return -x; },
      [](int64_t x) {
        return static_cast<int64_t>(-static_cast<uint64_t>(x));
      });
  registry.add<nn::AbsOp>([](nn::AbsOp, Evaluation &e) {
    const Tensor &x = e.operand(0);
    Tensor &y = e.result();
    for (size_t i = 0; i < x.floats.size(); ++i)
      y.floats[i] = std::fabs(x.floats[i]);
    const bool isUnsigned = x.elementType.isUnsignedInteger();
    for (size_t i = 0; i < x.ints.size(); ++i)
      y.ints[i] = x.ints[i] < 0 && !isUnsigned
                      ? static_cast<int64_t>(-static_cast<uint64_t>(x.ints[i]))
                      : x.ints[i];
  });
  registry.add<nn::SignOp>([](nn::SignOp, Evaluation &e) {
    const Tensor &x = e.operand(0);
    Tensor &y = e.result();
    for (size_t i = 0; i < x.floats.size(); ++i)
      y.floats[i] = x.floats[i] > 0 ? 1 : x.floats[i] < 0 ? -1 : x.floats[i];
    const bool isUnsigned = x.elementType.isUnsignedInteger();
    for (size_t i = 0; i < x.ints.size(); ++i)
      y.ints[i] = x.ints[i] == 0 ? 0 : x.ints[i] > 0 || isUnsigned ? 1 : -1;
  });
  addNumber<nn::ReluOp>(
      registry, [](double x) { return x > 0 || std::isnan(x) ? x : 0; },
      [](int64_t x) { return x > 0 ? x : int64_t(0); });
  registry.add<nn::ClipOp>(evaluateClip);
  registry.add<nn::NotOp>([](nn::NotOp, Evaluation &e) {
    for (auto [x, y] : llvm::zip_equal(e.operand(0).ints, e.result().ints))
      y = x == 0;
  });
  registry.add<nn::IsNaNOp>([](nn::IsNaNOp, Evaluation &e) {
    for (auto [x, y] : llvm::zip_equal(e.operand(0).floats, e.result().ints))
      y = std::isnan(x);
  });
  registry.add<nn::IsInfOp>([](nn::IsInfOp op, Evaluation &e) {
    for (auto [x, y] : llvm::zip_equal(e.operand(0).floats, e.result().ints))
      y = std::isinf(x) && (x < 0 ? op.getNegative() : op.getPositive());
  });

  add<nn::FloorOp>(registry, std::floor);
  add<nn::CeilOp>(registry, std::ceil);
  add<nn::RoundOp>(registry, std::nearbyint); // default mode: ties to even
  add<nn::ExpOp>(registry, std::exp);
  add<nn::LogOp>(registry, std::log);
  add<nn::SqrtOp>(registry, std::sqrt);
  add<nn::ReciprocalOp>(registry, [](double x) { return 1 / x; });
  add<nn::SinOp>(registry, std::sin);
  add<nn::CosOp>(registry, std::cos);
  add<nn::TanOp>(registry, std::tan);
  add<nn::AsinOp>(registry, std::asin);
  add<nn::AcosOp>(registry, std::acos);
  add<nn::AtanOp>(registry, std::atan);
  add<nn::SinhOp>(registry, std::sinh);
  add<nn::CoshOp>(registry, std::cosh);
  add<nn::AsinhOp>(registry, std::asinh);
  add<nn::AcoshOp>(registry, std::acosh);
  add<nn::AtanhOp>(registry, std::atanh);
  add<nn::TanhOp>(registry, std::tanh);
  add<nn::ErfOp>(registry, std::erf);
  add<nn::SigmoidOp>(registry, sigmoid);
  add<nn::SiluOp>(registry, [](double x) { return x * sigmoid(x); });
  add<nn::SoftplusOp>(registry, softplusKeepingNaN);
  add<nn::SoftsignOp>(registry,
                      [](double x) { return x / (1 + std::fabs(x)); });
  add<nn::MishOp>(
      registry, [](double x) { return x * std::tanh(softplusKeepingNaN(x)); });
  add<nn::HardSwishOp>(registry,
                       [](double x) { return x * clamp(x / 6 + 0.5, 0, 1); });

  addGrad<nn::ReluGradOp>(registry,
                          [](double dy, double y) { return y > 0 ? dy : 0; });
  addGrad<nn::SigmoidGradOp>(
      registry, [](double dy, double y) { return dy * y * (1 - y); });
  addGrad<nn::TanhGradOp>(registry,
                          [](double dy, double y) { return dy * (1 - y * y); });
  addGrad<nn::SiluGradOp>(registry, [](double dy, double x) {
    const double s = sigmoid(x);
    return dy * s * (1 + x * (1 - s));
  });
  addGrad<nn::SoftplusGradOp>(
      registry, [](double dy, double x) { return dy * sigmoid(x); });
  addGrad<nn::MishGradOp>(registry, mishGrad);
  addGrad<nn::HardSwishGradOp>(registry, hardSwishGrad);
  addParametricActivations(registry);
}

} // namespace mpt::reference
