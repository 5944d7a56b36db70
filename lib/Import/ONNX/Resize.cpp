//===- Resize.cpp - Resize and Upsample -----------------------------------===//
//
// Interpolation is separable: along every axis whose extent changes, an output
// is a weighted sum of one (nearest), two (linear) or four (cubic) inputs at
// positions that are known at compile time. Each is an nn.gather with constant
// indices, multiplied by constant weights.
//
//===----------------------------------------------------------------------===//

#include "Node.h"

#include <cmath>

using namespace mlir;

namespace mpt::importer {

namespace {

/// What the attributes say.
struct Sampling {
  std::string mode, coordinates, nearest;
  double cubic = -0.75;
  bool excludesOutside = false;
};

/// One term of an output: the input it takes and its factor.
struct Tap {
  Shape positions;
  SmallVector<double> weights;
};

} // namespace

/// Where output `i` of `out` lies among `in` inputs.
static double toInput(const Sampling &sampling, int64_t i, int64_t in,
                      int64_t out, double scale) {
  const double x = static_cast<double>(i);
  const double inner = static_cast<double>(in),
               outer = static_cast<double>(out);
  if (sampling.coordinates == "align_corners")
    return out == 1 ? 0 : x * (inner - 1) / (outer - 1);
  if (sampling.coordinates == "asymmetric")
    return x / scale;
  if (sampling.coordinates == "tf_half_pixel_for_nn")
    return (x + 0.5) / scale;
  if (sampling.coordinates == "pytorch_half_pixel" && out == 1)
    return 0;
  double offset = 0;
  if (sampling.coordinates == "half_pixel_symmetric")
    offset = inner / 2 * (1 - outer / (scale * inner));
  return offset + (x + 0.5) / scale - 0.5;
}

static int64_t roundToInput(const Sampling &sampling, double x) {
  if (sampling.nearest == "floor")
    x = std::floor(x);
  else if (sampling.nearest == "ceil")
    x = std::ceil(x);
  else if (sampling.nearest == "round_prefer_ceil")
    x = std::floor(x + 0.5);
  else
    x = std::ceil(x - 0.5);
  return static_cast<int64_t>(x);
}

/// The weights of the inputs around a point that is `ratio` behind the second
/// of four (cubic convolution, Keys 1981) or the first of two.
static SmallVector<double> getWeights(const Sampling &sampling, double ratio) {
  if (sampling.mode != "cubic")
    return {1 - ratio, ratio};
  const double a = sampling.cubic;
  auto far = [a](double d) {
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  };
  auto near = [a](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  return {far(1 + ratio), near(ratio), near(1 - ratio), far(2 - ratio)};
}

static SmallVector<Tap> getTaps(const Sampling &sampling, int64_t in,
                                int64_t out, double scale) {
  const bool isNearest = sampling.mode == "nearest";
  const size_t count = isNearest ? 1 : sampling.mode == "cubic" ? 4 : 2;
  SmallVector<Tap> taps(count);
  for (int64_t i = 0; i < out; ++i) {
    const double x = toInput(sampling, i, in, out, scale);
    int64_t first = static_cast<int64_t>(std::floor(x));
    SmallVector<double> weights = {1};
    if (isNearest) {
      first = roundToInput(sampling, x);
    } else {
      weights = getWeights(sampling, x - std::floor(x));
      first -= count == 4 ? 1 : 0;
    }
    double sum = 0;
    for (auto [k, weight] : llvm::enumerate(weights)) {
      const int64_t position = first + static_cast<int64_t>(k);
      if (sampling.excludesOutside && (position < 0 || position >= in))
        weight = 0;
      sum += weight;
      taps[k].positions.push_back(std::clamp<int64_t>(position, 0, in - 1));
    }
    for (auto [k, weight] : llvm::enumerate(weights))
      taps[k].weights.push_back(sampling.excludesOutside ? weight / sum
                                                         : weight);
  }
  return taps;
}

static Value resizeAxis(Node &node, Value value, int64_t axis,
                        ArrayRef<Tap> taps) {
  Value sum;
  Shape along(rankOf(value), 1);
  for (const Tap &tap : taps) {
    if (!value)
      return {};
    Value term = node.create<nn::GatherOp>({value, node.vector(tap.positions)},
                                           {node.i64("axis", axis)});
    if (llvm::any_of(tap.weights, [](double weight) { return weight != 1; })) {
      along[axis] = tap.weights.size();
      auto type = cast<FloatType>(elementOf(value));
      SmallVector<Attribute> weights;
      for (double weight : tap.weights)
        weights.push_back(FloatAttr::get(type, weight));
      Value factor = node.constant(
          DenseElementsAttr::get(RankedTensorType::get(along, type), weights));
      term = node.create<nn::MulOp>({term, factor});
    }
    sum = sum ? node.create<nn::AddOp>({sum, term}) : term;
  }
  return sum;
}

static std::optional<SmallVector<double>> knownFloats(Node &node, size_t i) {
  DenseElementsAttr elements = node.known(i);
  if (!elements || !isFloat(elements.getElementType()))
    return std::nullopt;
  SmallVector<double> values;
  for (APFloat value : elements.getValues<APFloat>()) {
    bool losesInfo;
    value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
    values.push_back(value.convertToDouble());
  }
  return values;
}

/// Positions and weights along an axis are written out.
static constexpr int64_t kMostPositions = 1 << 22;

/// The number as an extent; 0 where it is none.
static int64_t toExtent(double value) {
  return value >= 1 && value <= kMostPositions ? static_cast<int64_t>(value)
                                               : 0;
}

/// Extents and scales of all axes from `scales` or `sizes` of some.
static bool spread(Node &node, ArrayRef<double> scales, ArrayRef<int64_t> sizes,
                   Shape &extents, SmallVectorImpl<double> &factors) {
  const int64_t rank = node.rank(0);
  Shape axes = iota(rank);
  if (auto given = node.intsOf("axes"))
    axes = *given;
  for (int64_t &axis : axes) {
    axis += axis < 0 ? rank : 0;
    if (axis < 0 || axis >= rank)
      return false;
  }
  if (axes.size() != (scales.empty() ? sizes.size() : scales.size()))
    return false;
  extents.assign(node.shape(0).begin(), node.shape(0).end());
  factors.assign(rank, 1.0);
  std::string policy = node.stringOf("keep_aspect_ratio_policy", "stretch");
  std::optional<double> common;
  for (auto [k, axis] : llvm::enumerate(axes)) {
    const double in = static_cast<double>(node.shape(0)[axis]);
    if (in == 0)
      return false;
    if (!scales.empty()) {
      factors[axis] = scales[k];
      if (scales[k] != 1)
        extents[axis] = toExtent(std::floor(in * scales[k]));
      continue;
    }
    factors[axis] = static_cast<double>(sizes[k]) / in;
    extents[axis] =
        sizes[k] > kMostPositions && factors[axis] != 1 ? 0 : sizes[k];
    if (!common || (policy == "not_larger" ? factors[axis] < *common
                                           : factors[axis] > *common))
      common = factors[axis];
  }
  if (scales.empty() && common && policy != "stretch")
    for (int64_t axis : axes) {
      factors[axis] = *common;
      extents[axis] = toExtent(
          std::floor(*common * static_cast<double>(node.shape(0)[axis]) + 0.5));
    }
  return llvm::all_of(extents, [](int64_t extent) { return extent > 0; }) &&
         llvm::all_of(factors, [](double factor) { return factor > 0; });
}

static Outcome resize(Node &node, const Sampling &sampling,
                      ArrayRef<double> scales, ArrayRef<int64_t> sizes) {
  Shape extents;
  SmallVector<double> factors;
  if (!spread(node, scales, sizes, extents, factors))
    return node.fail("its scales or sizes do not fit its input");
  Value value = node.in(0);
  for (auto [axis, extent] : llvm::enumerate(extents)) {
    const int64_t in = node.shape(0)[axis];
    if (extent == in && factors[axis] == 1)
      continue;
    value = resizeAxis(node, value, axis,
                       getTaps(sampling, in, extent, factors[axis]));
  }
  return node.done(value);
}

static Outcome importResize(Node &node) {
  static const StringRef coordinates[] = {
      "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",
      "asymmetric", "align_corners",        "tf_half_pixel_for_nn"};
  Sampling sampling;
  sampling.mode = node.stringOf("mode", "nearest");
  sampling.coordinates =
      node.stringOf("coordinate_transformation_mode", "half_pixel");
  sampling.nearest = node.stringOf("nearest_mode", "round_prefer_floor");
  sampling.cubic = node.floatOf("cubic_coeff_a", -0.75);
  sampling.excludesOutside = node.intOf("exclude_outside", 0) != 0;
  // Opset 10 has one way only, and the scales where the region of interest is.
  const bool isOld = node.opset < 11;
  if (isOld) {
    sampling.coordinates = "asymmetric";
    sampling.nearest = "floor";
  }
  if (!isFloat(node.in(0)) || node.intOf("antialias", 0) ||
      !llvm::is_contained(coordinates, sampling.coordinates))
    return Outcome::Keep;
  const size_t scalesInput = isOld ? 1 : 2;
  if (!isOld && node.has(3)) {
    auto sizes = node.knownInts(3);
    return sizes ? resize(node, sampling, {}, *sizes) : Outcome::Keep;
  }
  auto scales =
      node.has(scalesInput) ? knownFloats(node, scalesInput) : std::nullopt;
  return scales ? resize(node, sampling, *scales, {}) : Outcome::Keep;
}

/// Deprecated since opset 10: asymmetric, nearest rounds down.
static Outcome importUpsample(Node &node) {
  Sampling sampling{node.stringOf("mode", "nearest"), "asymmetric", "floor"};
  if (sampling.mode == "bilinear")
    sampling.mode = "linear";
  if (!isFloat(node.in(0)))
    return Outcome::Keep;
  if (node.opset >= 9) {
    auto scales = knownFloats(node, 1);
    return scales ? resize(node, sampling, *scales, {}) : Outcome::Keep;
  }
  const auto *attribute = node.attribute("scales");
  if (!attribute)
    return Outcome::Keep;
  SmallVector<double> scales(attribute->floats().begin(),
                             attribute->floats().end());
  return resize(node, sampling, scales, {});
}

void registerResize(Registry &registry) {
  registry.add("Resize", 10, "nn.gather, nn.mul, nn.add along every axis",
               importResize);
  registry.add("Upsample", 7, "nn.gather, nn.mul, nn.add along every axis",
               importUpsample);
}

} // namespace mpt::importer
