//===- Shape.cpp - Operators that rearrange elements ----------------------===//

#include "Node.h"

using namespace mlir;

namespace mpt::importer {

/// Integers that are an attribute in opsets before `asInput` and input `index`
/// from then on. `known` turns false where that input is not constant.
static std::optional<Shape> intsOrInput(Node &node, StringRef attribute,
                                        int64_t asInput, size_t index,
                                        bool &known) {
  if (node.opset < asInput)
    return node.intsOf(attribute);
  if (!node.has(index))
    return std::nullopt;
  auto values = node.knownInts(index);
  known &= values.has_value();
  return values;
}

//===----------------------------------------------------------------------===//
// The same elements under another shape
//===----------------------------------------------------------------------===//

static Outcome importReshape(Node &node) {
  bool known = true;
  auto wanted = intsOrInput(node, "shape", 5, 1, known);
  if (!known)
    return Outcome::Keep;
  if (!wanted)
    return node.fail("has no shape");
  bool allowZero = node.intOf("allowzero", 0) != 0;
  ArrayRef<int64_t> input = node.shape(0);
  int64_t total = product(input), rest = 1, open = -1;
  for (auto [i, extent] : llvm::enumerate(*wanted)) {
    if (extent == 0 && !allowZero) {
      if (i >= input.size())
        return node.fail("copies an extent that its input does not have");
      extent = input[i];
    }
    if (extent == -1 && open < 0)
      open = i;
    else if (extent < 0 || llvm::MulOverflow(rest, extent, rest))
      return node.fail("has an impossible shape");
  }
  if (open >= 0) {
    if (rest == 0 || total % rest != 0)
      return node.fail("cannot give " + Twine(total) +
                       " elements the shape it asks for");
    (*wanted)[open] = total / rest;
  }
  return node.done(node.reshape(node.in(0), *wanted));
}

static Outcome importFlatten(Node &node) {
  ArrayRef<int64_t> shape = node.shape(0);
  int64_t rank = shape.size(), axis = node.intOf("axis", 1);
  if (axis < -rank || axis > rank)
    return node.fail("its axis is out of range");
  if (axis < 0)
    axis += rank;
  return node.done(node.reshape(node.in(0), {product(shape.take_front(axis)),
                                             product(shape.drop_front(axis))}));
}

static Outcome importSqueeze(Node &node) {
  bool known = true;
  auto axes = intsOrInput(node, "axes", 13, 1, known);
  if (!known)
    return Outcome::Keep;
  ArrayRef<int64_t> shape = node.shape(0);
  if (!axes) {
    axes.emplace();
    for (auto [i, extent] : llvm::enumerate(shape))
      if (extent == 1)
        axes->push_back(i);
  }
  auto normalized = normalizeAxes(*axes, shape.size());
  if (!normalized)
    return node.fail("an axis is out of range");
  for (int64_t axis : *normalized)
    if (shape[axis] != 1)
      return node.fail("removes axis " + Twine(axis) + ", whose extent is " +
                       Twine(shape[axis]));
  return node.done(
      node.reshape(node.in(0), nn::getReducedShape(shape, *normalized, false)));
}

static Outcome importUnsqueeze(Node &node) {
  bool known = true;
  auto axes = intsOrInput(node, "axes", 13, 1, known);
  if (!known)
    return Outcome::Keep;
  if (!axes)
    return node.fail("has no axes");
  ArrayRef<int64_t> shape = node.shape(0);
  int64_t rank = shape.size() + axes->size();
  auto normalized = normalizeAxes(*axes, rank);
  if (!normalized || normalized->size() != axes->size())
    return node.fail("an axis is out of range or named twice");
  Shape result;
  for (int64_t i = 0, next = 0; i < rank; ++i)
    result.push_back(llvm::is_contained(*normalized, i) ? 1 : shape[next++]);
  return node.done(node.reshape(node.in(0), result));
}

//===----------------------------------------------------------------------===//
// Order and repetition
//===----------------------------------------------------------------------===//

static Outcome importTranspose(Node &node) {
  Shape permutation = iota(node.rank(0));
  std::reverse(permutation.begin(), permutation.end());
  return node.done(
      node.transpose(node.in(0), node.intsOf("perm").value_or(permutation)));
}

static Outcome importExpand(Node &node) {
  auto wanted = node.knownInts(1);
  if (!wanted)
    return Outcome::Keep;
  auto shape = nn::broadcastShapes({node.shape(0), *wanted});
  if (!shape)
    return node.fail("its input does not broadcast to the shape it asks for");
  return node.done(node.expand(node.in(0), *shape));
}

/// Every axis is split into (1, extent), broadcast to (repeats, extent) and
/// joined again.
static Outcome importTile(Node &node) {
  if (node.opset < 6)
    return Outcome::Keep;
  auto repeats = node.knownInts(1);
  if (!repeats)
    return Outcome::Keep;
  ArrayRef<int64_t> shape = node.shape(0);
  if (repeats->size() != shape.size())
    return node.fail("needs one number of repetitions per axis");
  Shape split, repeated, joined;
  for (auto [extent, count] : llvm::zip_equal(shape, *repeats)) {
    if (count < 0)
      return node.fail("has a negative number of repetitions");
    split.append({1, extent});
    repeated.append({count, extent});
    joined.push_back(product({count, extent}));
    if (joined.back() > kLargestTensor)
      return node.fail("its result would have more than 2^40 elements");
  }
  Value value = node.expand(node.reshape(node.in(0), split), repeated);
  return node.done(node.reshape(value, joined));
}

static Outcome importConcat(Node &node) {
  SmallVector<Value> inputs;
  for (size_t i = 0; i < node.numInputs(); ++i)
    if (node.has(i))
      inputs.push_back(node.in(i));
  if (inputs.empty())
    return node.fail("has no inputs");
  auto axis = node.axisOf("axis", 1, rankOf(inputs[0]));
  if (!axis)
    return node.fail("its axis is out of range");
  if (inputs.size() == 1)
    return node.done(inputs[0]);
  return node.done(
      node.create<nn::ConcatOp>(inputs, {node.i64("axis", *axis)}));
}

static Outcome importSplit(Node &node) {
  auto axis = node.axisOf("axis", 0, node.rank(0));
  if (!axis)
    return node.fail("its axis is out of range");
  bool known = true;
  auto sizes = intsOrInput(node, "split", 13, 1, known);
  if (!known)
    return Outcome::Keep;
  int64_t extent = node.shape(0)[*axis];
  int64_t parts = node.intOf("num_outputs", node.numOutputs());
  if (!sizes) {
    if (parts <= 0 || parts > (1 << 20))
      return node.fail("splits into no parts");
    int64_t size = (extent + parts - 1) / parts;
    sizes.emplace();
    for (int64_t i = 0; i < parts; ++i)
      sizes->push_back(std::clamp<int64_t>(extent - i * size, 0, size));
  }
  if (sizes->size() != node.numOutputs())
    return node.fail("has " + Twine(node.numOutputs()) + " outputs for " +
                     Twine(sizes->size()) + " parts");
  SmallVector<Type> types;
  for (int64_t size : *sizes) {
    if (size < 0)
      return node.fail("has a part of negative extent");
    Shape shape(node.shape(0));
    shape[*axis] = size;
    types.push_back(
        RankedTensorType::get(shape, node.type(0).getElementType()));
  }
  auto results = node.createMany<nn::SplitOp>(types.size(), node.in(0),
                                              {node.i64("axis", *axis)}, types);
  for (auto [i, result] : llvm::enumerate(results))
    node.set(i, result);
  return Outcome::Done;
}

//===----------------------------------------------------------------------===//
// Boxes and borders
//===----------------------------------------------------------------------===//

static Outcome importSlice(Node &node) {
  int64_t rank = node.rank(0);
  bool known = true;
  auto starts = intsOrInput(node, "starts", 10, 1, known);
  auto ends = intsOrInput(node, "ends", 10, 2, known);
  auto axes = intsOrInput(node, "axes", 10, 3, known);
  auto steps = intsOrInput(node, "steps", 10, 4, known);
  if (!known)
    return Outcome::Keep;
  if (!starts || !ends)
    return node.fail("has no starts or ends");
  if (!axes)
    axes = iota(starts->size());
  if (!steps || node.opset < 10)
    steps = Shape(starts->size(), 1);
  if (ends->size() != starts->size() || axes->size() != starts->size() ||
      steps->size() != starts->size())
    return node.fail("its starts, ends, axes and steps differ in number");
  Shape first(rank, 0), step(rank, 1), extents(node.shape(0));
  for (size_t i = 0; i < axes->size(); ++i) {
    auto axis = normalizeAxes({(*axes)[i]}, rank);
    if (!axis || (*steps)[i] == 0)
      return node.fail("has an axis out of range or a step of 0");
    int64_t a = axis->front(), by = (*steps)[i], extent = node.shape(0)[a];
    // NumPy's rules: count from the end, then clamp.
    auto clamp = [&](int64_t position) {
      if (position < 0)
        position += extent;
      return by > 0 ? std::clamp<int64_t>(position, 0, extent)
                    : std::clamp<int64_t>(position, -1, extent - 1);
    };
    int64_t begin = clamp((*starts)[i]), end = clamp((*ends)[i]);
    // Steps beyond the extent reach one element; they must not overflow.
    by = std::clamp<int64_t>(by, -extent - 1, extent + 1);
    int64_t room = by > 0 ? end - begin : begin - end;
    int64_t width = std::abs(by);
    extents[a] = room <= 0 ? 0 : (room + width - 1) / width;
    first[a] = extents[a] == 0 ? 0 : begin;
    step[a] = by;
  }
  return node.done(node.slice(node.in(0), first, extents, step));
}

static Outcome importPad(Node &node) {
  int64_t rank = node.rank(0);
  std::optional<Shape> pads;
  if (node.opset < 11) {
    pads = node.intsOf(node.opset < 2 ? "paddings" : "pads");
    if (!pads)
      return node.fail("has no pads");
  } else {
    pads = node.knownInts(1);
  }
  double value = node.opset < 11 ? node.floatOf("value", 0) : 0;
  if (node.has(2)) {
    auto constant = node.knownScalar(2);
    if (!constant)
      return Outcome::Keep;
    value = *constant;
  }
  std::optional<Shape> axes = iota(rank);
  if (node.has(3)) {
    axes = node.knownInts(3);
    if (!axes)
      return Outcome::Keep;
  }
  if (!pads)
    return Outcome::Keep;
  if (pads->size() != 2 * axes->size())
    return node.fail("needs two pads per axis");
  std::string mode = node.stringOf("mode", "constant");
  auto padMode = nn::symbolizePadMode(mode);
  if (!padMode)
    return node.fail("has the unknown mode '" + mode + "'");
  Shape low(rank, 0), high(rank, 0), extents(node.shape(0));
  for (size_t i = 0; i < axes->size(); ++i) {
    auto axis = normalizeAxes({(*axes)[i]}, rank);
    if (!axis)
      return node.fail("an axis is out of range");
    int64_t a = axis->front();
    low[a] = (*pads)[i];
    high[a] = (*pads)[i + axes->size()];
    if (low[a] < -kLargestTensor || low[a] > kLargestTensor ||
        high[a] < -kLargestTensor || high[a] > kLargestTensor)
      return node.fail("a pad is out of range");
    if (*padMode != nn::PadMode::Constant && extents[a] == 0 &&
        (low[a] > 0 || high[a] > 0))
      return Outcome::Keep;
    if (*padMode == nn::PadMode::Reflect &&
        (low[a] >= extents[a] || high[a] >= extents[a]))
      return Outcome::Keep;
    extents[a] += low[a] + high[a];
    if (extents[a] < 0)
      return node.fail("crops more than there is");
  }
  auto modeAttribute = nn::PadModeAttr::get(node.context(), *padMode);
  return node.done(node.create<nn::PadOp>(
      node.in(0),
      {node.i64s("low", low), node.i64s("high", high), node.f64("value", value),
       node.attr("mode", modeAttribute)},
      RankedTensorType::get(extents, node.type(0).getElementType())));
}

//===----------------------------------------------------------------------===//
// Depth and space
//===----------------------------------------------------------------------===//

static Outcome importDepthToSpace(Node &node) {
  ArrayRef<int64_t> shape = node.shape(0);
  int64_t block = node.intOf("blocksize", 0);
  if (shape.size() != 4 || block <= 0 || block > (1 << 20) ||
      shape[1] % (block * block) != 0)
    return node.fail("needs [N, C, H, W] with C divisible by blocksize^2");
  int64_t n = shape[0], c = shape[1] / (block * block), h = shape[2],
          w = shape[3];
  bool depthFirst = node.stringOf("mode", "DCR") == "DCR";
  Value value = node.in(0);
  if (depthFirst)
    value = node.transpose(node.reshape(value, {n, block, block, c, h, w}),
                           {0, 3, 4, 1, 5, 2});
  else
    value = node.transpose(node.reshape(value, {n, c, block, block, h, w}),
                           {0, 1, 4, 2, 5, 3});
  return node.done(node.reshape(value, {n, c, h * block, w * block}));
}

static Outcome importSpaceToDepth(Node &node) {
  ArrayRef<int64_t> shape = node.shape(0);
  int64_t block = node.intOf("blocksize", 0);
  if (shape.size() != 4 || block <= 0 || block > (1 << 20) ||
      shape[2] % block != 0 || shape[3] % block != 0)
    return node.fail("needs [N, C, H, W] with H and W divisible by blocksize");
  int64_t n = shape[0], c = shape[1], h = shape[2] / block,
          w = shape[3] / block;
  Value value = node.reshape(node.in(0), {n, c, h, block, w, block});
  value = node.transpose(value, {0, 3, 5, 1, 2, 4});
  return node.done(node.reshape(value, {n, c * block * block, h, w}));
}

void registerShapes(Registry &registry) {
  registry.add("Reshape", 1, "nn.reshape", importReshape);
  registry.add("Flatten", 1, "nn.reshape", importFlatten);
  registry.add("Squeeze", 1, "nn.reshape", importSqueeze);
  registry.add("Unsqueeze", 1, "nn.reshape", importUnsqueeze);
  registry.add("Transpose", 1, "nn.transpose", importTranspose);
  registry.add("Expand", 8, "nn.expand", importExpand);
  registry.add("Tile", 6, "nn.reshape, nn.expand", importTile);
  registry.add("Concat", 1, "nn.concat", importConcat);
  registry.add("Split", 1, "nn.split", importSplit);
  registry.add("Slice", 1, "nn.slice", importSlice);
  registry.add("Pad", 1, "nn.pad", importPad);
  registry.add("DepthToSpace", 1, "nn.reshape, nn.transpose",
               importDepthToSpace);
  registry.add("SpaceToDepth", 1, "nn.reshape, nn.transpose",
               importSpaceToDepth);
}

} // namespace mpt::importer
