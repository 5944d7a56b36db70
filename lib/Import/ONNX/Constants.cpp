//===- Constants.cpp - Constants and what is known from shapes ------------===//

#include "GraphImporter.h"

using namespace mlir;

namespace mpt::importer {

/// Larger constants of exporters are weights.
static constexpr int64_t kMaxConstantFloats = 1023;
/// Larger results of shape operators are not materialized.
static constexpr int64_t kMaxElements = 1 << 24;

static Outcome importConstant(Node &node) {
  auto numbers = [&](auto values, Type element, bool isScalar) {
    Shape shape;
    if (!isScalar)
      shape.push_back(values.size());
    return node.done(node.constant(DenseElementsAttr::get(
        RankedTensorType::get(shape, element), ArrayRef(values))));
  };
  Type f32 = Float32Type::get(node.context()),
       i64 = IntegerType::get(node.context(), 64);
  if (const auto *value = node.attribute("value"))
    return node.importTensor(value->t(), kMaxConstantFloats);
  if (const auto *value = node.attribute("value_float"))
    return numbers(SmallVector<float>{value->f()}, f32, true);
  if (const auto *value = node.attribute("value_int"))
    return numbers(SmallVector<int64_t>{value->i()}, i64, true);
  if (const auto *value = node.attribute("value_floats"))
    return numbers(
        SmallVector<float>(value->floats().begin(), value->floats().end()), f32,
        false);
  if (const auto *value = node.attribute("value_ints"))
    return numbers(
        SmallVector<int64_t>(value->ints().begin(), value->ints().end()), i64,
        false);
  return Outcome::Keep; // strings, sparse tensors
}

/// Needs a static shape only, whatever the elements are.
static std::optional<Shape> staticShape(Node &node) {
  Value value = node.in(0);
  auto type =
      value ? dyn_cast<RankedTensorType>(value.getType()) : RankedTensorType();
  if (!type || !type.hasStaticShape())
    return std::nullopt;
  return Shape(type.getShape());
}

static Outcome importShape(Node &node) {
  auto shape = staticShape(node);
  if (!shape)
    return Outcome::Keep;
  int64_t rank = shape->size();
  auto clamp = [&](int64_t axis) {
    return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  int64_t start = clamp(node.intOf("start", 0)),
          end = clamp(node.intOf("end", rank));
  return node.done(node.vector(ArrayRef<int64_t>(*shape).slice(
      start, std::max<int64_t>(0, end - start))));
}

static Outcome importSize(Node &node) {
  auto shape = staticShape(node);
  if (!shape)
    return Outcome::Keep;
  return node.done(
      node.scalar(IntegerType::get(node.context(), 64), product(*shape)));
}

/// The first element of a constant, or f32 0.
static Outcome importConstantOfShape(Node &node) {
  auto shape = node.knownInts(0);
  if (!shape)
    return Outcome::Keep;
  for (int64_t extent : *shape)
    if (extent < 0)
      return node.fail("has a negative extent");
  Attribute element = FloatAttr::get(Float32Type::get(node.context()), 0);
  Type type = Float32Type::get(node.context());
  if (const auto *value = node.attribute("value")) {
    DenseElementsAttr elements = node.readAttribute(value->t());
    if (!elements || elements.getNumElements() != 1)
      return Outcome::Keep;
    element = *elements.getValues<Attribute>().begin();
    type = elements.getElementType();
  }
  return node.done(node.constant(
      DenseElementsAttr::get(RankedTensorType::get(*shape, type), element)));
}

/// start, start + delta, ... below limit.
static Outcome importRange(Node &node) {
  auto start = node.knownScalar(0), limit = node.knownScalar(1),
       delta = node.knownScalar(2);
  if (!start || !limit || !delta)
    return Outcome::Keep;
  if (*delta == 0 || !std::isfinite(*start) || !std::isfinite(*limit))
    return node.fail("has a step of 0 or an infinite bound");
  double count = std::max(0.0, std::ceil((*limit - *start) / *delta));
  if (count > kMaxElements)
    return Outcome::Keep;
  Type element = elementOf(node.in(0));
  auto size = static_cast<int64_t>(count);
  auto type = RankedTensorType::get({size}, element);
  if (isFloat(element)) {
    SmallVector<APFloat> values;
    for (int64_t i = 0; i < size; ++i) {
      APFloat value(*start + static_cast<double>(i) * *delta);
      bool losesInfo;
      value.convert(cast<FloatType>(element).getFloatSemantics(),
                    APFloat::rmNearestTiesToEven, &losesInfo);
      values.push_back(value);
    }
    return node.done(node.constant(DenseElementsAttr::get(type, values)));
  }
  SmallVector<APInt> values;
  auto first = static_cast<int64_t>(*start),
       step = static_cast<int64_t>(*delta);
  for (int64_t i = 0; i < size; ++i)
    values.push_back(APInt(element.getIntOrFloatBitWidth(), first + i * step,
                           /*isSigned=*/true, /*implicitTrunc=*/true));
  return node.done(node.constant(DenseElementsAttr::get(type, values)));
}

static Outcome importEyeLike(Node &node) {
  if (node.rank(0) != 2)
    return node.fail("needs a matrix");
  int64_t rows = node.shape(0)[0], columns = node.shape(0)[1],
          k = node.intOf("k", 0);
  Type element =
      node.hasAttribute("dtype")
          ? convertElementType(node.context(), node.intOf("dtype", 0))
          : node.type(0).getElementType();
  if (!element || !element.isIntOrFloat() || rows * columns > kMaxElements)
    return Outcome::Keep;
  SmallVector<bool> values(rows * columns, false);
  for (int64_t row = 0; row < rows; ++row)
    if (row + k >= 0 && row + k < columns)
      values[row * columns + row + k] = true;
  Value mask = node.constant(DenseElementsAttr::get(
      RankedTensorType::get({rows, columns},
                            IntegerType::get(node.context(), 1)),
      values));
  return node.done(node.cast(mask, element));
}

/// Positions of non-zero elements of a constant, one column each.
static Outcome importNonZero(Node &node) {
  auto values = node.knownInts(0);
  if (!values)
    return Outcome::Keep;
  ArrayRef<int64_t> shape = node.shape(0);
  int64_t rank = shape.size();
  SmallVector<int64_t> hits;
  for (auto [i, value] : llvm::enumerate(*values))
    if (value)
      hits.push_back(i);
  SmallVector<int64_t> positions(rank * hits.size());
  for (auto [column, hit] : llvm::enumerate(hits)) {
    int64_t rest = hit;
    for (int64_t axis = rank - 1; axis >= 0; --axis) {
      positions[axis * hits.size() + column] = rest % shape[axis];
      rest /= shape[axis];
    }
  }
  auto type = RankedTensorType::get({rank, static_cast<int64_t>(hits.size())},
                                    IntegerType::get(node.context(), 64));
  return node.done(node.constant(
      DenseElementsAttr::get(type, ArrayRef<int64_t>(positions))));
}

void registerConstants(Registry &registry) {
  registry.add("Constant", 1, "nn.constant; nn.parameter from 1024 floats on",
               importConstant, Needs::Nothing);
  registry.add("Shape", 1, "nn.constant", importShape, Needs::Nothing);
  registry.add("Size", 1, "nn.constant", importSize, Needs::Nothing);
  registry.add("ConstantOfShape", 9, "nn.constant, for a constant shape",
               importConstantOfShape);
  registry.add("Range", 11, "nn.constant, for constant bounds", importRange);
  registry.add("EyeLike", 9, "nn.constant", importEyeLike);
  registry.add("NonZero", 9, "nn.constant, for a constant input",
               importNonZero);
}

} // namespace mpt::importer
