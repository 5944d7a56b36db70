//===- Sequences.cpp - Sequences that are known while importing -----------===//
//
// Exporters pass tensors through sequences; as long as positions and lengths
// are constants, a sequence is a list of values and leaves no trace.
//
//===----------------------------------------------------------------------===//

#include "Node.h"

using namespace mlir;

namespace mpt::importer {

using Values = SmallVector<Value>;

static std::optional<Values> sequenceOf(Node &node, size_t i) {
  const Binding *binding = node.binding(i);
  return binding ? binding->sequence : std::nullopt;
}

static bool isStatic(Value value) {
  auto type =
      value ? dyn_cast<RankedTensorType>(value.getType()) : RankedTensorType();
  return type && type.hasStaticShape();
}

/// The position input `i`, counted from the end when negative.
static std::optional<int64_t> positionOf(Node &node, size_t i, int64_t size) {
  auto position = node.knownInts(i);
  if (!position || position->size() != 1)
    return std::nullopt;
  int64_t at =
      position->front() < 0 ? position->front() + size : position->front();
  if (at < 0 || at > size)
    return std::nullopt;
  return at;
}

static Outcome importSplitToSequence(Node &node) {
  Value input = node.in(0);
  if (!isStatic(input))
    return Outcome::Keep;
  auto axis = node.axisOf("axis", 0, node.rank(0));
  if (!axis)
    return node.fail("its axis is out of range");
  int64_t extent = node.shape(0)[*axis];
  Shape sizes;
  bool drops = !node.has(1) && node.intOf("keepdims", 1) == 0;
  if (!node.has(1)) {
    sizes.assign(extent, 1);
  } else {
    auto split = node.knownInts(1);
    if (!split || split->empty())
      return Outcome::Keep;
    if (node.rank(1) == 1) {
      sizes = *split;
    } else {
      int64_t size = split->front();
      if (size <= 0)
        return node.fail("splits into parts of no extent");
      for (int64_t done = 0; done < extent; done += size)
        sizes.push_back(std::min(size, extent - done));
    }
  }
  SmallVector<Type> types;
  for (int64_t size : sizes) {
    Shape shape(node.shape(0));
    shape[*axis] = size;
    types.push_back(
        RankedTensorType::get(shape, node.type(0).getElementType()));
  }
  Values parts = node.createMany<nn::SplitOp>(types.size(), input,
                                              {node.i64("axis", *axis)}, types);
  if (drops)
    for (Value &part : parts)
      part = node.reshape(part,
                          nn::getReducedShape(shapeOf(part), {*axis}, false));
  node.setSequence(0, parts);
  return Outcome::Done;
}

static Outcome importSequenceConstruct(Node &node) {
  Values values;
  for (size_t i = 0; i < node.numInputs(); ++i) {
    if (!isStatic(node.in(i)))
      return Outcome::Keep;
    values.push_back(node.in(i));
  }
  node.setSequence(0, values);
  return Outcome::Done;
}

static Outcome importSequenceAt(Node &node) {
  auto values = sequenceOf(node, 0);
  auto at = values ? positionOf(node, 1, values->size()) : std::nullopt;
  if (!at)
    return Outcome::Keep;
  if (*at == static_cast<int64_t>(values->size()))
    return node.fail("its position is behind the end of the sequence");
  return node.done((*values)[*at]);
}

static Outcome importSequenceInsert(Node &node) {
  auto values = sequenceOf(node, 0);
  if (!values || !isStatic(node.in(1)))
    return Outcome::Keep;
  int64_t at = values->size();
  if (node.has(2)) {
    auto given = positionOf(node, 2, values->size());
    if (!given)
      return Outcome::Keep;
    at = *given;
  }
  values->insert(values->begin() + at, node.in(1));
  node.setSequence(0, *values);
  return Outcome::Done;
}

static Outcome importSequenceErase(Node &node) {
  auto values = sequenceOf(node, 0);
  if (!values || values->empty())
    return Outcome::Keep;
  int64_t at = values->size() - 1;
  if (node.has(1)) {
    auto given = positionOf(node, 1, values->size());
    if (!given || *given == static_cast<int64_t>(values->size()))
      return Outcome::Keep;
    at = *given;
  }
  values->erase(values->begin() + at);
  node.setSequence(0, *values);
  return Outcome::Done;
}

static Outcome importSequenceLength(Node &node) {
  auto values = sequenceOf(node, 0);
  if (!values)
    return Outcome::Keep;
  return node.done(node.scalar(IntegerType::get(node.context(), 64),
                               static_cast<double>(values->size())));
}

static Outcome importConcatFromSequence(Node &node) {
  auto values = sequenceOf(node, 0);
  if (!values || values->empty())
    return Outcome::Keep;
  bool adds = node.intOf("new_axis", 0) != 0;
  auto axis = node.axisOf("axis", 0, rankOf(values->front()) + adds);
  if (!axis)
    return node.fail("its axis is out of range");
  if (adds)
    for (Value &value : *values) {
      Shape shape = shapeOf(value);
      shape.insert(shape.begin() + *axis, 1);
      value = node.reshape(value, shape);
    }
  if (values->size() == 1)
    return node.done(values->front());
  return node.done(
      node.create<nn::ConcatOp>(*values, {node.i64("axis", *axis)}));
}

void registerSequences(Registry &registry) {
  auto add = [&](StringRef name, int64_t since, Handler handler) {
    registry.add(name, since, "values, where positions are constant", handler,
                 Needs::Nothing);
  };
  add("SplitToSequence", 11, importSplitToSequence);
  add("SequenceConstruct", 11, importSequenceConstruct);
  add("SequenceAt", 11, importSequenceAt);
  add("SequenceInsert", 11, importSequenceInsert);
  add("SequenceErase", 11, importSequenceErase);
  add("SequenceLength", 11, importSequenceLength);
  add("ConcatFromSequence", 11, importConcatFromSequence);
}

} // namespace mpt::importer
