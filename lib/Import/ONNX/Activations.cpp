//===- Activations.cpp - Functions of one tensor --------------------------===//

#include "Node.h"

using namespace mlir;

namespace mpt::importer {

template <typename OpTy> static Outcome unary(Node &node) {
  return node.done(node.create<OpTy>(node.in(0)));
}

static Outcome importGelu(Node &node) {
  bool tanh = node.stringOf("approximate", "none") == "tanh";
  return node.done(
      node.create<nn::GeluOp>(node.in(0), {node.flag("tanh", tanh)}));
}

/// com.microsoft: gelu of the sum of the input and a bias.
template <bool tanh> static Outcome importBiasGelu(Node &node) {
  Value value = node.in(0);
  if (node.has(1))
    value = node.create<nn::AddOp>({value, node.in(1)});
  return node.done(node.create<nn::GeluOp>(value, {node.flag("tanh", tanh)}));
}

/// x * sigmoid(alpha x).
static Value swish(Node &node, Value x, double alpha) {
  if (alpha == 1)
    return node.create<nn::SiluOp>(x);
  Value scaled = node.create<nn::MulOp>({x, node.scalar(x, alpha)});
  return node.create<nn::MulOp>({x, node.create<nn::SigmoidOp>(scaled)});
}
static Outcome importSwish(Node &node) {
  return node.done(swish(node, node.in(0), node.floatOf("alpha", 1)));
}
static Outcome importQuickGelu(Node &node) {
  return node.done(swish(node, node.in(0), node.floatOf("alpha", 1.702f)));
}

static Outcome importLeakyRelu(Node &node) {
  return node.done(node.create<nn::LeakyReluOp>(
      node.in(0), {node.f64("alpha", node.floatOf("alpha", 0.01f))}));
}

static Value elu(Node &node, double alpha, double beta, double gamma) {
  return node.create<nn::EluOp>(node.in(0), {node.f64("alpha", alpha),
                                             node.f64("beta", beta),
                                             node.f64("gamma", gamma)});
}
static Outcome importElu(Node &node) {
  return node.done(elu(node, node.floatOf("alpha", 1), 1, 1));
}
static Outcome importSelu(Node &node) {
  bool old = node.opset < 6;
  return node.done(elu(
      node, node.floatOf("alpha", old ? 1.6732f : 1.67326319217681884765625), 1,
      node.floatOf("gamma", old ? 1.0507f : 1.05070102214813232421875)));
}
static Outcome importCelu(Node &node) {
  double alpha = node.floatOf("alpha", 1);
  return node.done(elu(node, alpha, alpha, 1));
}

static Outcome importHardSigmoid(Node &node) {
  return node.done(node.create<nn::HardSigmoidOp>(
      node.in(0), {node.f64("alpha", node.floatOf("alpha", 0.2f)),
                   node.f64("beta", node.floatOf("beta", 0.5))}));
}

static Outcome importPRelu(Node &node) {
  Value x = node.in(0), slope = node.in(1);
  if (node.opset < 7 && rankOf(slope) == 1 && rankOf(x) > 1 &&
      dimOf(slope, 0) > 1) { // one slope per channel
    Shape shape(rankOf(x), 1);
    shape[1] = dimOf(slope, 0);
    slope = node.reshape(slope, shape);
  }
  Value positive = node.compare(nn::ComparePredicate::GE, x, node.scalar(x, 0));
  return node.done(node.where(positive, x, node.create<nn::MulOp>({x, slope})));
}

static Outcome importThresholdedRelu(Node &node) {
  Value x = node.in(0);
  Value above = node.compare(nn::ComparePredicate::GT, x,
                             node.scalar(x, node.floatOf("alpha", 1)));
  return node.done(node.where(above, x, node.scalar(x, 0)));
}

static Outcome importShrink(Node &node) {
  Value x = node.in(0);
  double bias = node.floatOf("bias", 0), lambda = node.floatOf("lambd", 0.5);
  if (!isFloat(x))
    return Outcome::Keep;
  Value above =
      node.compare(nn::ComparePredicate::GT, x, node.scalar(x, lambda));
  Value below =
      node.compare(nn::ComparePredicate::LT, x, node.scalar(x, -lambda));
  Value shifted = node.scalar(x, bias);
  Value inner = node.where(above, node.create<nn::SubOp>({x, shifted}),
                           node.scalar(x, 0));
  return node.done(
      node.where(below, node.create<nn::AddOp>({x, shifted}), inner));
}

void registerActivations(Registry &registry) {
  registry.add("Neg", 1, "nn.neg", unary<nn::NegOp>);
  registry.add("Abs", 1, "nn.abs", unary<nn::AbsOp>);
  registry.add("Sign", 9, "nn.sign", unary<nn::SignOp>);
  registry.add("Floor", 1, "nn.floor", unary<nn::FloorOp>);
  registry.add("Ceil", 1, "nn.ceil", unary<nn::CeilOp>);
  registry.add("Round", 11, "nn.round", unary<nn::RoundOp>);
  registry.add("Exp", 1, "nn.exp", unary<nn::ExpOp>);
  registry.add("Log", 1, "nn.log", unary<nn::LogOp>);
  registry.add("Sqrt", 1, "nn.sqrt", unary<nn::SqrtOp>);
  registry.add("Reciprocal", 1, "nn.reciprocal", unary<nn::ReciprocalOp>);
  registry.add("Sin", 7, "nn.sin", unary<nn::SinOp>);
  registry.add("Cos", 7, "nn.cos", unary<nn::CosOp>);
  registry.add("Tan", 7, "nn.tan", unary<nn::TanOp>);
  registry.add("Asin", 7, "nn.asin", unary<nn::AsinOp>);
  registry.add("Acos", 7, "nn.acos", unary<nn::AcosOp>);
  registry.add("Atan", 7, "nn.atan", unary<nn::AtanOp>);
  registry.add("Sinh", 9, "nn.sinh", unary<nn::SinhOp>);
  registry.add("Cosh", 9, "nn.cosh", unary<nn::CoshOp>);
  registry.add("Asinh", 9, "nn.asinh", unary<nn::AsinhOp>);
  registry.add("Acosh", 9, "nn.acosh", unary<nn::AcoshOp>);
  registry.add("Atanh", 9, "nn.atanh", unary<nn::AtanhOp>);
  registry.add("Tanh", 1, "nn.tanh", unary<nn::TanhOp>);
  registry.add("Sigmoid", 1, "nn.sigmoid", unary<nn::SigmoidOp>);
  registry.add("Erf", 9, "nn.erf", unary<nn::ErfOp>);
  registry.add("Relu", 1, "nn.relu", unary<nn::ReluOp>);
  registry.add("Softplus", 1, "nn.softplus", unary<nn::SoftplusOp>);
  registry.add("Softsign", 1, "nn.softsign", unary<nn::SoftsignOp>);
  registry.add("Mish", 18, "nn.mish", unary<nn::MishOp>);
  registry.add("HardSwish", 14, "nn.hard_swish", unary<nn::HardSwishOp>);
  registry.add("Not", 1, "nn.not", unary<nn::NotOp>);
  registry.add("Gelu", 20, "nn.gelu", importGelu);
  registry.add("Swish", 24, "nn.silu; nn.sigmoid, nn.mul for alpha != 1",
               importSwish);
  registry.add("LeakyRelu", 1, "nn.leaky_relu", importLeakyRelu);
  registry.add("Elu", 1, "nn.elu", importElu);
  registry.add("Selu", 1, "nn.elu", importSelu);
  registry.add("Celu", 12, "nn.elu", importCelu);
  registry.add("HardSigmoid", 1, "nn.hard_sigmoid", importHardSigmoid);
  registry.add("PRelu", 1, "nn.compare, nn.mul, nn.where", importPRelu);
  registry.add("ThresholdedRelu", 10, "nn.compare, nn.where",
               importThresholdedRelu);
  registry.add("Shrink", 9, "nn.compare, nn.where", importShrink);
  StringRef microsoft = "com.microsoft";
  registry.add("Gelu", 1, "nn.gelu", importBiasGelu<false>,
               Needs::StaticTensors, microsoft);
  registry.add("BiasGelu", 1, "nn.add, nn.gelu", importBiasGelu<false>,
               Needs::StaticTensors, microsoft);
  registry.add("FastGelu", 1, "nn.add, nn.gelu", importBiasGelu<true>,
               Needs::StaticTensors, microsoft);
  registry.add("QuickGelu", 1, "nn.mul, nn.sigmoid", importQuickGelu,
               Needs::StaticTensors, microsoft);
}

} // namespace mpt::importer
