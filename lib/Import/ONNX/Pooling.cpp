//===- Pooling.cpp - Pooling, and windows in general ----------------------===//

#include "Windows.h"

using namespace mlir;

namespace mpt::importer {

/// Total padding that gives ceil(input / stride) results, split in halves; the
/// odd element goes to the end for SAME_UPPER.
static void padSame(Window &window, ArrayRef<int64_t> spatial, bool upper) {
  size_t count = spatial.size();
  for (size_t i = 0; i < count; ++i) {
    int64_t stride = window.strides[i];
    int64_t extent = window.dilations[i] * (window.kernel[i] - 1) + 1;
    int64_t results = (spatial[i] + stride - 1) / stride;
    int64_t total =
        std::max<int64_t>(0, (results - 1) * stride + extent - spatial[i]);
    window.pads[i] = upper ? total / 2 : total - total / 2;
    window.pads[i + count] = total - window.pads[i];
  }
}

std::optional<Window> readWindow(Node &node, ArrayRef<int64_t> spatial,
                                 ArrayRef<int64_t> kernel) {
  size_t count = spatial.size();
  Window window;
  window.kernel = node.intsOf("kernel_shape").value_or(Shape(kernel));
  window.strides = node.intsOf("strides").value_or(Shape(count, 1));
  window.dilations = node.intsOf("dilations").value_or(Shape(count, 1));
  window.pads = node.intsOf("pads").value_or(Shape(2 * count, 0));
  // Products with extents fit 64 bits below these (kLargestTensor).
  auto isPositive = [](int64_t value) {
    return value > 0 && value < (int64_t(1) << 31);
  };
  auto isStep = [](int64_t value) {
    return value > 0 && value < (int64_t(1) << 22);
  };
  auto isPad = [](int64_t value) {
    return value > -(int64_t(1) << 31) && value < (int64_t(1) << 31);
  };
  if (window.kernel.size() != count || window.strides.size() != count ||
      window.dilations.size() != count || window.pads.size() != 2 * count ||
      !llvm::all_of(window.kernel, isPositive) ||
      !llvm::all_of(window.strides, isStep) ||
      !llvm::all_of(window.dilations, isStep) ||
      !llvm::all_of(window.pads, isPad) ||
      (!kernel.empty() && ArrayRef<int64_t>(window.kernel) != kernel)) {
    node.fail("its kernel_shape, strides, dilations or pads do not fit the "
              "input's " +
              Twine(count) + " spatial axes");
    return std::nullopt;
  }
  std::string automatic = node.stringOf("auto_pad", "NOTSET");
  if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER")
    padSame(window, spatial, automatic == "SAME_UPPER");
  else if (automatic == "VALID")
    window.pads.assign(2 * count, 0);
  bool ceil = node.intOf("ceil_mode", 0) != 0;
  for (size_t i = 0; i < count; ++i) {
    int64_t begin = window.pads[i], end = window.pads[i + count];
    int64_t extent =
        nn::getWindowedExtent(spatial[i], window.kernel[i], window.strides[i],
                              begin, end, window.dilations[i]);
    int64_t room = spatial[i] + begin + end -
                   window.dilations[i] * (window.kernel[i] - 1) - 1;
    // Rounding up adds a window, if it starts inside the input or its padding.
    if (ceil && room >= 0 && room % window.strides[i] != 0 &&
        extent * window.strides[i] < spatial[i] + begin)
      ++extent;
    window.pooled.push_back(extent);
  }
  return window;
}

static SmallVector<NamedAttribute> windowAttributes(Node &node,
                                                    const Window &window) {
  return {node.i64s("kernel", window.kernel),
          node.i64s("strides", window.strides), node.i64s("pads", window.pads),
          node.i64s("dilations", window.dilations)};
}

static bool hasNegative(ArrayRef<int64_t> values) {
  return llvm::any_of(values, [](int64_t value) { return value < 0; });
}

/// The pooled type, or nothing where the node is not imported.
static std::optional<Window> readPooling(Node &node, Shape &result) {
  if (node.rank(0) < 3)
    return std::nullopt;
  auto window = readWindow(node, node.shape(0).drop_front(2), {});
  if (!window || hasNegative(window->pads))
    return std::nullopt;
  result = Shape(node.shape(0).take_front(2));
  result.append(window->pooled);
  return window;
}

/// The second output (flat positions) has another meaning than nn's taps.
static Outcome importMaxPool(Node &node) {
  if (node.isUsed(1))
    return Outcome::Keep;
  Shape shape;
  auto window = readPooling(node, shape);
  if (!window)
    return Outcome::Keep;
  auto type = RankedTensorType::get(shape, node.type(0).getElementType());
  auto taps = RankedTensorType::get(
      shape, IntegerType::get(node.context(),
                              product(window->kernel) <= 127 ? 8 : 32));
  return node.done(node.createMany<nn::MaxPoolOp>(
      2, node.in(0), windowAttributes(node, *window), {type, taps})[0]);
}

static Outcome importAveragePool(Node &node) {
  Shape shape;
  auto window = readPooling(node, shape);
  if (!window)
    return Outcome::Keep;
  auto attributes = windowAttributes(node, *window);
  attributes.push_back(
      node.flag("count_include_pad", node.intOf("count_include_pad", 0) != 0));
  return node.done(node.create<nn::AvgPoolOp>(
      node.in(0), attributes,
      RankedTensorType::get(shape, node.type(0).getElementType())));
}

template <typename OpTy> static Outcome importGlobalPool(Node &node) {
  if (node.rank(0) < 2)
    return node.fail("needs an input of at least two axes");
  Shape axes;
  for (int64_t axis = 2; axis < node.rank(0); ++axis)
    axes.push_back(axis);
  return node.done(node.reduce<OpTy>(node.in(0), axes, /*keepdims=*/true));
}

void registerPooling(Registry &registry) {
  registry.add("MaxPool", 1, "nn.max_pool (without Indices)", importMaxPool);
  registry.add("AveragePool", 1, "nn.avg_pool", importAveragePool);
  registry.add("GlobalAveragePool", 1, "nn.reduce_mean",
               importGlobalPool<nn::ReduceMeanOp>);
  registry.add("GlobalMaxPool", 1, "nn.reduce_max",
               importGlobalPool<nn::ReduceMaxOp>);
}

} // namespace mpt::importer
