//===- Elementwise.cpp - Arithmetic, comparisons, casts -------------------===//

#include "ModelFile.h"
#include "Node.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;

namespace mpt::importer {

/// Before opset 7 broadcasting was asked for and could align the right operand
/// at any axis.
static Value alignLegacy(Node &node, Value lhs, Value rhs) {
  if (node.opset >= 7 || !node.hasAttribute("axis") || !lhs || !rhs)
    return rhs;
  auto axis = node.axisOf("axis", 0, rankOf(lhs));
  int64_t behind = axis ? rankOf(lhs) - *axis - rankOf(rhs) : -1;
  if (behind < 0) {
    node.fail("its axis does not align the operands");
    return {};
  }
  Shape shape = shapeOf(rhs);
  shape.append(behind, 1);
  return node.reshape(rhs, shape);
}

template <typename OpTy> static Outcome binary(Node &node) {
  Value lhs = node.in(0);
  return node.done(
      node.create<OpTy>({lhs, alignLegacy(node, lhs, node.in(1))}));
}

template <typename OpTy> static Outcome variadic(Node &node) {
  Value result = node.in(0);
  for (size_t i = 1; i < node.numInputs(); ++i)
    result = node.create<OpTy>({result, node.in(i)});
  return node.done(result);
}

static Outcome importMean(Node &node) {
  Value sum = node.in(0);
  for (size_t i = 1; i < node.numInputs(); ++i)
    sum = node.create<nn::AddOp>({sum, node.in(i)});
  if (node.numInputs() == 1)
    return node.done(sum);
  return node.done(node.create<nn::DivOp>(
      {sum, node.scalar(sum, static_cast<double>(node.numInputs()))}));
}

static Outcome importMod(Node &node) {
  return node.done(node.create<nn::ModOp>(
      {node.in(0), node.in(1)}, {node.flag("fmod", node.intOf("fmod", 0))}));
}

template <nn::ComparePredicate predicate> static Outcome compare(Node &node) {
  Value lhs = node.in(0);
  return node.done(
      node.compare(predicate, lhs, alignLegacy(node, lhs, node.in(1))));
}

static Outcome importWhere(Node &node) {
  return node.done(node.where(node.in(0), node.in(1), node.in(2)));
}

static bool isCastable(Type type) {
  return type &&
         (type.isF16() || type.isBF16() || type.isF32() || type.isF64() ||
          type.isInteger(1) ||
          (isa<IntegerType>(type) && type.getIntOrFloatBitWidth() >= 8));
}

/// ONNX element types of opset 1 are named by strings.
static Outcome importCast(Node &node) {
  const auto *to = node.attribute("to");
  if (!to)
    return node.fail("needs the attribute 'to'");
  int32_t number = to->i();
  if (to->type() == onnx::AttributeProto::STRING) {
    onnx::TensorProto::DataType parsed;
    if (!onnx::TensorProto::DataType_Parse(to->s(), &parsed))
      return Outcome::Keep;
    number = parsed;
  }
  Type type = convertElementType(node.context(), number);
  if (!isCastable(type))
    return Outcome::Keep;
  return node.done(node.cast(node.in(0), type));
}

static Outcome importCastLike(Node &node) {
  Type type = elementOf(node.in(1));
  return isCastable(type) ? node.done(node.cast(node.in(0), type))
                          : Outcome::Keep;
}

/// Uncertain bounds are minima and maxima with broadcasting.
static Outcome importClip(Node &node) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  double low = -infinity, high = infinity;
  bool known = true;
  if (node.opset < 11) {
    low = node.floatOf("min", -infinity);
    high = node.floatOf("max", infinity);
  } else {
    auto read = [&](size_t i, double &bound) {
      if (!node.has(i))
        return;
      auto value = node.knownScalar(i);
      known &= value.has_value();
      bound = value.value_or(bound);
    };
    read(1, low);
    read(2, high);
  }
  // With crossed bounds ONNX gives the upper one.
  if (known && low <= high)
    return node.done(node.create<nn::ClipOp>(
        node.in(0), {node.f64("min", low), node.f64("max", high)}));
  Value value = node.in(0);
  if (node.has(1))
    value = node.create<nn::MaxOp>({value, node.in(1)});
  if (node.has(2))
    value = node.create<nn::MinOp>({value, node.in(2)});
  return node.done(value);
}

static Outcome importIsInf(Node &node) {
  return node.done(node.create<nn::IsInfOp>(
      node.in(0), {node.flag("negative", node.intOf("detect_negative", 1)),
                   node.flag("positive", node.intOf("detect_positive", 1))}));
}
static Outcome importIsNaN(Node &node) {
  return node.done(node.create<nn::IsNaNOp>(node.in(0)));
}

static Outcome importIdentity(Node &node) {
  const Binding *binding = node.binding(0);
  if (binding && binding->sequence)
    node.setSequence(0, SmallVector<Value>(*binding->sequence));
  else
    node.set(0, node.in(0));
  return Outcome::Done;
}

//===----------------------------------------------------------------------===//
// Dropout
//===----------------------------------------------------------------------===//

static void setAllKept(Node &node, Value input) {
  if (node.isUsed(1)) {
    Type element = node.opset < 10 ? elementOf(input)
                                   : IntegerType::get(node.context(), 1);
    node.set(1, node.expand(node.scalar(element, 1), shapeOf(input)));
  }
}

/// Without a seed every node gets one of its own from its name, so that two
/// imports of a file drop the same elements.
static Outcome importDropout(Node &node) {
  Value input = node.in(0);
  double ratio = node.floatOf("ratio", 0.5);
  bool training = false;
  if (node.opset < 7) {
    training = node.intOf("is_test", 0) == 0;
    if (training)
      return Outcome::Keep; // its mask is a float tensor
  } else if (node.opset >= 12) {
    if (node.has(1)) {
      auto value = node.knownScalar(1);
      if (!value)
        return Outcome::Keep;
      ratio = *value;
    }
    if (node.has(2)) {
      auto value = node.knownScalar(2);
      if (!value)
        return Outcome::Keep;
      training = *value != 0;
    }
  }
  if (!training || ratio == 0) {
    setAllKept(node, input);
    return node.done(input);
  }
  if (!isFloat(input) || ratio < 0 || ratio >= 1)
    return node.fail("needs a ratio in [0, 1)");
  int64_t seed = node.intOf(
      "seed", static_cast<int64_t>(llvm::xxh3_64bits(node.proto.name() + "/" +
                                                     node.proto.output(0)) &
                                   0x7FFFFFFF));
  auto results = node.createMany<nn::DropoutOp>(
      2, input, {node.f64("ratio", ratio), node.i64("seed", seed)});
  node.set(0, results[0]);
  node.set(1, results[1]);
  return Outcome::Done;
}

void registerElementwise(Registry &registry) {
  registry.add("Add", 1, "nn.add", binary<nn::AddOp>);
  registry.add("Sub", 1, "nn.sub", binary<nn::SubOp>);
  registry.add("Mul", 1, "nn.mul", binary<nn::MulOp>);
  registry.add("Div", 1, "nn.div", binary<nn::DivOp>);
  registry.add("Pow", 1, "nn.pow", binary<nn::PowOp>);
  registry.add("Mod", 10, "nn.mod", importMod);
  registry.add("And", 1, "nn.and", binary<nn::AndOp>);
  registry.add("Or", 1, "nn.or", binary<nn::OrOp>);
  registry.add("Xor", 1, "nn.xor", binary<nn::XorOp>);
  registry.add("Min", 1, "nn.min", variadic<nn::MinOp>);
  registry.add("Max", 1, "nn.max", variadic<nn::MaxOp>);
  registry.add("Sum", 1, "nn.add", variadic<nn::AddOp>);
  registry.add("Mean", 1, "nn.add, nn.div", importMean);
  registry.add("Equal", 1, "nn.compare eq", compare<nn::ComparePredicate::EQ>);
  registry.add("Less", 1, "nn.compare lt", compare<nn::ComparePredicate::LT>);
  registry.add("LessOrEqual", 12, "nn.compare le",
               compare<nn::ComparePredicate::LE>);
  registry.add("Greater", 1, "nn.compare gt",
               compare<nn::ComparePredicate::GT>);
  registry.add("GreaterOrEqual", 12, "nn.compare ge",
               compare<nn::ComparePredicate::GE>);
  registry.add("Where", 9, "nn.where", importWhere);
  registry.add("Cast", 1, "nn.cast", importCast);
  registry.add("CastLike", 15, "nn.cast", importCastLike);
  registry.add("Clip", 1, "nn.clip; nn.max and nn.min for bounds not constant",
               importClip);
  registry.add("IsInf", 10, "nn.is_inf", importIsInf);
  registry.add("IsNaN", 9, "nn.is_nan", importIsNaN);
  registry.add("Identity", 1, "the value itself", importIdentity,
               Needs::Nothing);
  registry.add("Dropout", 1,
               "nn.dropout in training mode, else the value itself",
               importDropout);
}

} // namespace mpt::importer
