//===- Elementwise.cpp - Elementwise operations as ONNX nodes -------------===//

#include "Exporter.h"

using namespace mlir;

namespace mpt::exporter {

// The ONNX name of an operation whose attributes, if any, need no translation.
#define MPT_UNARY(X)                                                           \
  X(NegOp, "Neg")                                                              \
  X(AbsOp, "Abs")                                                              \
  X(SignOp, "Sign")                                                            \
  X(FloorOp, "Floor")                                                          \
  X(CeilOp, "Ceil")                                                            \
  X(RoundOp, "Round")                                                          \
  X(ExpOp, "Exp")                                                              \
  X(LogOp, "Log")                                                              \
  X(SqrtOp, "Sqrt")                                                            \
  X(ReciprocalOp, "Reciprocal")                                                \
  X(SinOp, "Sin")                                                              \
  X(CosOp, "Cos")                                                              \
  X(TanOp, "Tan")                                                              \
  X(AsinOp, "Asin")                                                            \
  X(AcosOp, "Acos")                                                            \
  X(AtanOp, "Atan")                                                            \
  X(SinhOp, "Sinh")                                                            \
  X(CoshOp, "Cosh")                                                            \
  X(AsinhOp, "Asinh")                                                          \
  X(AcoshOp, "Acosh")                                                          \
  X(AtanhOp, "Atanh")                                                          \
  X(TanhOp, "Tanh")                                                            \
  X(SigmoidOp, "Sigmoid")                                                      \
  X(ErfOp, "Erf")                                                              \
  X(ReluOp, "Relu")                                                            \
  X(SoftplusOp, "Softplus")                                                    \
  X(SoftsignOp, "Softsign")                                                    \
  X(MishOp, "Mish")                                                            \
  X(HardSwishOp, "HardSwish")                                                  \
  X(NotOp, "Not")                                                              \
  X(IsNaNOp, "IsNaN")                                                          \
  X(AddOp, "Add")                                                              \
  X(SubOp, "Sub")                                                              \
  X(MulOp, "Mul")                                                              \
  X(DivOp, "Div")                                                              \
  X(PowOp, "Pow")                                                              \
  X(MinOp, "Min")                                                              \
  X(MaxOp, "Max")                                                              \
  X(AndOp, "And")                                                              \
  X(OrOp, "Or")                                                                \
  X(XorOp, "Xor")                                                              \
  X(WhereOp, "Where")

static LogicalResult emitByName(Exporter &exporter, Operation *op,
                                StringRef opType) {
  Names inputs;
  for (Value operand : op->getOperands())
    inputs.push_back(exporter.nameOf(operand));
  exporter.emitAs(op->getResult(0), opType, inputs);
  return success();
}

static LogicalResult emitCompare(Exporter &exporter, nn::CompareOp op) {
  Names inputs = {exporter.nameOf(op.getLhs()), exporter.nameOf(op.getRhs())};
  StringRef opType;
  switch (op.getPredicate()) {
  case nn::ComparePredicate::EQ:
    opType = "Equal";
    break;
  case nn::ComparePredicate::NE:
    exporter.emitAs(op.getResult(), "Not", {exporter.emit("Equal", inputs)});
    return success();
  case nn::ComparePredicate::LT:
    opType = "Less";
    break;
  case nn::ComparePredicate::LE:
    opType = "LessOrEqual";
    break;
  case nn::ComparePredicate::GT:
    opType = "Greater";
    break;
  case nn::ComparePredicate::GE:
    opType = "GreaterOrEqual";
    break;
  }
  exporter.emitAs(op.getResult(), opType, inputs);
  return success();
}

static LogicalResult emitSilu(Exporter &exporter, nn::SiluOp op) {
  std::string x = exporter.nameOf(op.getInput());
  exporter.emitAs(op.getResult(), "Mul", {x, exporter.emit("Sigmoid", {x})});
  return success();
}

static LogicalResult emitGelu(Exporter &exporter, nn::GeluOp op) {
  exporter.emitAs(op.getResult(), "Gelu", {exporter.nameOf(op.getInput())},
                  {stringAttr("approximate", op.getTanh() ? "tanh" : "none")});
  return success();
}

static LogicalResult emitLeakyRelu(Exporter &exporter, nn::LeakyReluOp op) {
  exporter.emitAs(op.getResult(), "LeakyRelu", {exporter.nameOf(op.getInput())},
                  {floatAttr("alpha", op.getAlpha().convertToDouble())});
  return success();
}

static LogicalResult emitElu(Exporter &exporter, nn::EluOp op) {
  double alpha = op.getAlpha().convertToDouble(),
         beta = op.getBeta().convertToDouble(),
         gamma = op.getGamma().convertToDouble();
  Names input = {exporter.nameOf(op.getInput())};
  if (beta == 1 && gamma == 1)
    exporter.emitAs(op.getResult(), "Elu", input, {floatAttr("alpha", alpha)});
  else if (beta == 1)
    exporter.emitAs(op.getResult(), "Selu", input,
                    {floatAttr("alpha", alpha), floatAttr("gamma", gamma)});
  else if (beta == alpha && gamma == 1)
    exporter.emitAs(op.getResult(), "Celu", input, {floatAttr("alpha", alpha)});
  else
    return op.emitOpError("has a combination of alpha, beta and gamma that "
                          "ONNX has no operator for");
  return success();
}

static LogicalResult emitHardSigmoid(Exporter &exporter, nn::HardSigmoidOp op) {
  exporter.emitAs(op.getResult(), "HardSigmoid",
                  {exporter.nameOf(op.getInput())},
                  {floatAttr("alpha", op.getAlpha().convertToDouble()),
                   floatAttr("beta", op.getBeta().convertToDouble())});
  return success();
}

static LogicalResult emitClip(Exporter &exporter, nn::ClipOp op) {
  Type element = elementOf(op.getInput());
  auto bound = [&](const APFloat &value) {
    return value.isInfinity()
               ? std::string()
               : exporter.scalar(element, value.convertToDouble());
  };
  exporter.emitAs(
      op.getResult(), "Clip",
      {exporter.nameOf(op.getInput()), bound(op.getMin()), bound(op.getMax())});
  return success();
}

/// Before opset 20 only f32 and f64 can be tested.
static LogicalResult emitIsInf(Exporter &exporter, nn::IsInfOp op) {
  Type element = elementOf(op.getInput());
  bool widens =
      exporter.getOpset() < 20 && !element.isF32() && !element.isF64();
  std::string input =
      widens ? exporter.castTo(op.getInput(), Float32Type::get(op.getContext()))
             : exporter.nameOf(op.getInput());
  exporter.emitAs(op.getResult(), "IsInf", {input},
                  {intAttr("detect_negative", op.getNegative()),
                   intAttr("detect_positive", op.getPositive())});
  return success();
}

static LogicalResult emitMod(Exporter &exporter, nn::ModOp op) {
  exporter.emitAs(op.getResult(), "Mod",
                  {exporter.nameOf(op.getLhs()), exporter.nameOf(op.getRhs())},
                  {intAttr("fmod", op.getFmod())});
  return success();
}

template <typename OpTy>
static LogicalResult emitCast(Exporter &exporter, OpTy op) {
  Type to = elementOf(op.getResult());
  exporter.emitAs(op.getResult(), "Cast", {exporter.nameOf(op.getInput())},
                  {intAttr("to", onnxElementType(to))});
  return success();
}

static LogicalResult emitDropout(Exporter &exporter, nn::DropoutOp op) {
  exporter.emitMany({op.getResult(), op.getMask()}, "Dropout",
                    {exporter.nameOf(op.getInput()),
                     exporter.scalar(elementOf(op.getInput()),
                                     op.getRatio().convertToDouble()),
                     exporter.boolean(true)},
                    {intAttr("seed", op.getSeed())});
  return success();
}

void registerElementwise(Registry &registry) {
#define MPT_ADD(OpTy, opType)                                                  \
  registry.add<nn::OpTy>(+[](Exporter &exporter, nn::OpTy op) {                \
    return emitByName(exporter, op, opType);                                   \
  });
  MPT_UNARY(MPT_ADD)
#undef MPT_ADD
  registry.add<nn::CompareOp>(emitCompare);
  registry.add<nn::SiluOp>(emitSilu);
  registry.add<nn::GeluOp>(emitGelu);
  registry.add<nn::LeakyReluOp>(emitLeakyRelu);
  registry.add<nn::EluOp>(emitElu);
  registry.add<nn::HardSigmoidOp>(emitHardSigmoid);
  registry.add<nn::ClipOp>(emitClip);
  registry.add<nn::IsInfOp>(emitIsInf);
  registry.add<nn::ModOp>(emitMod);
  registry.add<nn::CastOp>(emitCast<nn::CastOp>);
  registry.add<mp::CastOp>(emitCast<mp::CastOp>);
  registry.add<nn::DropoutOp>(emitDropout);
}

} // namespace mpt::exporter
