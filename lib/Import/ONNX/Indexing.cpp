//===- Indexing.cpp - Gathers, one-hot, triangles -------------------------===//

#include "Node.h"

using namespace mlir;

namespace mpt::importer {

static bool isIndex(Value value) {
  Type element = elementOf(value);
  return element &&
         (element.isSignlessInteger(32) || element.isSignlessInteger(64));
}

static Outcome importGather(Node &node) {
  auto axis = node.axisOf("axis", 0, node.rank(0));
  if (!axis)
    return node.fail("its axis is out of range");
  if (!isIndex(node.in(1)))
    return node.fail("needs indices of 32 or 64 bits");
  return node.done(node.create<nn::GatherOp>({node.in(0), node.in(1)},
                                             {node.i64("axis", *axis)}));
}

static Outcome importGatherElements(Node &node) {
  auto axis = node.axisOf("axis", 0, node.rank(0));
  if (!axis)
    return node.fail("its axis is out of range");
  return node.done(node.create<nn::GatherElementsOp>(
      {node.in(0), node.in(1)}, {node.i64("axis", *axis)},
      RankedTensorType::get(node.shape(1), node.type(0).getElementType())));
}

static Outcome importGatherND(Node &node) {
  ArrayRef<int64_t> data = node.shape(0), indices = node.shape(1);
  int64_t batch = node.intOf("batch_dims", 0);
  int64_t rank = data.size();
  if (indices.empty() || batch < 0 || batch >= rank ||
      batch >= static_cast<int64_t>(indices.size()) ||
      indices.back() > rank - batch)
    return node.fail("its indices have more entries than the data has axes");
  Shape shape(indices.drop_back());
  shape.append(data.begin() + batch + indices.back(), data.end());
  return node.done(node.create<nn::GatherNDOp>(
      {node.in(0), node.in(1)}, {node.i64("batch_dims", batch)},
      RankedTensorType::get(shape, node.type(0).getElementType())));
}

/// The k largest or smallest; `sorted = 0` allows any order. Integers (the
/// order of an order, as a random masking is undone) are compared in f64, exact
/// up to 2^53.
static Outcome importTopK(Node &node) {
  auto axis = node.axisOf("axis", -1, node.rank(0));
  if (!axis)
    return node.fail("its axis is out of range");
  auto k = node.opset >= 10 ? node.knownScalar(1)
                            : std::optional<double>(node.intOf("k", -1));
  Value x = node.in(0);
  if (!k || !(isFloat(x) || elementOf(x).isInteger()))
    return Outcome::Keep;
  if (*k < 0 || *k > static_cast<double>(node.shape(0)[*axis]))
    return node.fail("takes more elements than its axis has");
  auto results = node.createMany<nn::TopKOp>(
      2, isFloat(x) ? x : node.cast(x, Float64Type::get(node.context())),
      {node.i64("axis", *axis), node.i64("k", static_cast<int64_t>(*k)),
       node.flag("largest", node.intOf("largest", 1) != 0)});
  if (node.hasFailed())
    return Outcome::Failed;
  node.set(0, node.cast(results[0], elementOf(x)));
  node.set(1, results[1]);
  return node.hasFailed() ? Outcome::Failed : Outcome::Done;
}

/// `GradOp` adds its operand's elements to zeros at the places the indices say:
/// with reduction `add` that is what is added to the data, with `none` it
/// replaces the data where there is an update. (ONNX leaves open what equal
/// indices mean then.) Integers and bools go through f64, exact up to 2^53.
template <typename GradOp>
static Outcome importScatter(Node &node, ArrayRef<NamedAttribute> attributes) {
  std::string reduction = node.stringOf("reduction", "none");
  if (reduction != "none" && reduction != "add")
    return Outcome::Keep;
  Value data = node.in(0), indices = node.in(1), updates = node.in(2);
  Type element = elementOf(data);
  Type computed = isFloat(element) ? element : Float64Type::get(node.context());
  data = node.cast(data, computed);
  updates = node.cast(updates, computed);
  if (!data || !updates || !isIndex(indices))
    return Outcome::Failed;
  auto scatter = [&](Value values) {
    return node.create<GradOp>({values, indices}, attributes, data.getType());
  };
  Value result = scatter(updates);
  if (reduction == "add") {
    result = node.create<nn::AddOp>({data, result});
  } else {
    Value count = scatter(node.constant(DenseElementsAttr::get(
        RankedTensorType::get(shapeOf(updates), computed),
        FloatAttr::get(computed, 1))));
    Value isReplaced =
        node.compare(nn::ComparePredicate::GT, count, node.scalar(computed, 0));
    result = node.where(isReplaced, result, data);
  }
  return node.done(node.cast(result, element));
}

static Outcome importScatterElements(Node &node) {
  auto axis = node.axisOf("axis", 0, node.rank(0));
  if (!axis)
    return node.fail("its axis is out of range");
  if (!isIndex(node.in(1)))
    return node.fail("needs indices of 32 or 64 bits");
  return importScatter<nn::GatherElementsGradOp>(node,
                                                 {node.i64("axis", *axis)});
}

static Outcome importScatterND(Node &node) {
  if (!isIndex(node.in(1)) || node.rank(0) == 0 || node.rank(1) == 0)
    return node.fail("needs indices of 64 bits and data with an axis");
  return importScatter<nn::GatherNDGradOp>(node, {node.i64("batch_dims", 0)});
}

/// Where a known condition holds, by a gather.
static Outcome importCompress(Node &node) {
  auto condition = node.knownInts(1);
  if (!condition)
    return Outcome::Keep;
  Value data = node.in(0);
  int64_t axis = 0;
  if (node.hasAttribute("axis")) {
    auto given = node.axisOf("axis", 0, node.rank(0));
    if (!given)
      return node.fail("its axis is out of range");
    axis = *given;
  } else {
    data = node.reshape(data, {product(node.shape(0))});
  }
  Shape taken;
  for (auto [i, holds] : llvm::enumerate(*condition))
    if (holds)
      taken.push_back(i);
  return node.done(node.create<nn::GatherOp>({data, node.vector(taken)},
                                             {node.i64("axis", axis)}));
}

/// values[1] where the class on the new axis equals the index, else values[0].
static Outcome importOneHot(Node &node) {
  auto depth = node.knownScalar(1);
  constexpr double kMostClasses = 1 << 24; // they are written out
  if (!depth || !(*depth >= 1 && *depth <= kMostClasses))
    return Outcome::Keep;
  int64_t rank = node.rank(0) + 1, classes = static_cast<int64_t>(*depth);
  auto axis = node.axisOf("axis", -1, rank);
  if (!axis || node.shape(2) != ArrayRef<int64_t>{2})
    return node.fail("its axis is out of range, or it has not two values");
  Type i64 = IntegerType::get(node.context(), 64);
  Shape unsqueezed(node.shape(0)), along(rank, 1);
  unsqueezed.insert(unsqueezed.begin() + *axis, 1);
  along[*axis] = classes;
  Value indices = node.reshape(node.cast(node.in(0), i64), unsqueezed);
  Value isNegative =
      node.compare(nn::ComparePredicate::LT, indices, node.scalar(i64, 0));
  indices = node.where(
      isNegative, node.create<nn::AddOp>({indices, node.scalar(i64, classes)}),
      indices);
  Value classNumbers = node.reshape(node.vector(iota(classes)), along);
  Value isHot = node.compare(nn::ComparePredicate::EQ, indices, classNumbers);
  Value off = node.reshape(node.slice(node.in(2), {0}, {1}, {1}), {});
  Value on = node.reshape(node.slice(node.in(2), {1}, {1}, {1}), {});
  return node.done(node.where(isHot, on, off));
}

/// A mask of the kept triangle: row >= column - k (lower), <= (upper).
static Outcome importTrilu(Node &node) {
  Value x = node.in(0);
  int64_t rank = node.rank(0), k = 0;
  if (node.has(1)) {
    auto given = node.knownInts(1);
    if (!given || given->size() != 1)
      return Outcome::Keep;
    k = given->front();
  }
  if (rank < 2)
    return node.fail("needs a matrix");
  int64_t rows = dimOf(x, rank - 2), columns = dimOf(x, rank - 1);
  bool upper = node.intOf("upper", 1) != 0;
  Value row = node.reshape(node.vector(iota(rows)), {rows, 1});
  Shape shifted = iota(columns);
  for (int64_t &column : shifted)
    column -= std::clamp<int64_t>(k, -rows - columns, rows + columns);
  Value column = node.vector(shifted);
  Value kept = node.compare(
      upper ? nn::ComparePredicate::LE : nn::ComparePredicate::GE, row, column);
  return node.done(node.where(kept, x, node.scalar(x, 0)));
}

/// 1 at the first maximum along the axis, else 0.
static Outcome importHardmax(Node &node) {
  bool coerces = node.opset < 13;
  Value x = node.in(0);
  Shape original = shapeOf(x);
  auto axis = node.axisOf("axis", coerces ? 1 : -1, original.size());
  if (!axis)
    return node.fail("its axis is out of range");
  if (coerces) { // the axes from there on count together
    ArrayRef<int64_t> shape = original;
    x = node.reshape(x, {product(shape.take_front(*axis)),
                         product(shape.drop_front(*axis))});
    axis = 1;
  }
  Shape reduced = shapeOf(x), along(rankOf(x), 1);
  if (static_cast<int64_t>(reduced.size()) <= *axis)
    return Outcome::Failed;
  reduced[*axis] = 1;
  along[*axis] = dimOf(x, *axis);
  Value position = node.create<nn::ArgMaxOp>(
      x, {node.i64("axis", *axis), node.flag("keepdims", true)},
      RankedTensorType::get(reduced, IntegerType::get(node.context(), 64)));
  Value numbers = node.reshape(node.vector(iota(along[*axis])), along);
  Value isHit = node.compare(nn::ComparePredicate::EQ, position, numbers);
  return node.done(node.reshape(node.cast(isHit, elementOf(x)), original));
}

void registerIndexing(Registry &registry) {
  registry.add("Gather", 1, "nn.gather", importGather);
  registry.add("GatherElements", 11, "nn.gather_elements",
               importGatherElements);
  registry.add("GatherND", 11, "nn.gather_nd", importGatherND);
  registry.add("ScatterElements", 11,
               "nn.gather_elements_grad with nn.add or nn.where",
               importScatterElements);
  registry.add("Scatter", 9, "nn.gather_elements_grad, nn.where",
               importScatterElements);
  registry.add("ScatterND", 11, "nn.gather_nd_grad with nn.add or nn.where",
               importScatterND);
  registry.add("TopK", 1, "nn.top_k", importTopK);
  registry.add("Compress", 9, "nn.gather, for a constant condition",
               importCompress);
  registry.add("OneHot", 9, "nn.compare, nn.where", importOneHot);
  registry.add("Hardmax", 1, "nn.arg_max, nn.compare, nn.cast", importHardmax);
  registry.add("Trilu", 14, "nn.compare, nn.where", importTrilu);
}

} // namespace mpt::importer
