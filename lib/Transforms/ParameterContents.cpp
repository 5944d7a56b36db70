//===- ParameterContents.cpp - Tables that are no weights -----------------===//

#include "ParameterContents.h"

#include <cmath>

using namespace mlir;
using namespace mpt;

/// An added constant of this size is a mask, not a weight.
static constexpr double kMaskMagnitude = 1e4;
/// Entries of 16 bits are right to 2^-9, and a formula takes up to three.
static constexpr double kFormulaTolerance = 5e-3;
/// Equations that a table must satisfy before it counts as a formula: random
/// entries satisfy one with a probability of about the tolerance.
static constexpr int64_t kMinEquations = 4;

bool mpt::isMask(const ParameterData &data) {
  bool found = false;
  data.forEach([&](int64_t, double value) {
    found = !(std::abs(value) < kMaskMagnitude);
    return !found;
  });
  return found;
}

/// Rows of sines and cosines of the same angles: each has half its length as
/// sum of squares.
static bool isSinusoidal(const ParameterData &data) {
  auto shape = data.getType().getShape();
  int64_t columns = shape.empty() ? 0 : shape.back();
  if (columns < 4 || columns % 2 != 0)
    return false;
  bool matches = true;
  double sum = 0;
  bool isFloat = data.forEach([&](int64_t i, double value) {
    sum += value * value;
    matches &= std::abs(value) <= 1.001;
    if ((i + 1) % columns == 0) {
      // 16-bit entries are right to 2^-9.
      matches &= std::abs(sum - columns / 2.0) <= 0.004 * columns;
      sum = 0;
    }
    return matches;
  });
  return isFloat && matches;
}

namespace {

/// The lines of a tensor along one of its last two axes.
struct Lines {
  int64_t length, stride, count;

  Lines(ArrayRef<int64_t> shape, bool alongRows)
      : length(alongRows ? shape.back() : shape[shape.size() - 2]),
        stride(alongRows ? 1 : shape.back()),
        count(ShapedType::getNumElements(shape) / length) {}

  int64_t start(int64_t line) const {
    return line / stride * length * stride + line % stride;
  }
};

} // namespace

/// Is every line along the axis a sampled sine wave or a straight line? Both
/// satisfy v[i - 1] + v[i + 1] = c v[i], for some c, sine waves of any
/// frequency, phase and amplitude. Constant lines do, too, and are no evidence.
static bool followsRecurrence(const ParameterData &data, Lines lines) {
  if (lines.length < 4 || lines.count * (lines.length - 3) < kMinEquations)
    return false;
  bool varies = false;
  for (int64_t line = 0; line < lines.count; ++line) {
    auto at = [&](int64_t i) {
      return data.at(lines.start(line) + i * lines.stride);
    };
    double product = 0, square = 0, size = 0;
    for (int64_t i = 0; i < lines.length; ++i) {
      size += at(i) * at(i);
      varies |= at(i) != at(0);
      if (i == 0 || i + 1 == lines.length)
        continue;
      product += (at(i - 1) + at(i + 1)) * at(i);
      square += at(i) * at(i);
    }
    double factor = square > 0 ? product / square : 0, error = 0;
    if (std::abs(factor) > 2 + kFormulaTolerance)
      return false;
    for (int64_t i = 1; i + 1 < lines.length; ++i) {
      double residual = at(i - 1) + at(i + 1) - factor * at(i);
      error += residual * residual;
    }
    if (!(error <= kFormulaTolerance * kFormulaTolerance * size))
      return false;
  }
  return varies;
}

/// Coordinates of a grid: every entry of the last axis depends on one of the
/// leading axes, not all on the same.
static bool isGrid(const ParameterData &data) {
  SmallVector<int64_t> shape;
  for (auto [i, extent] : llvm::enumerate(data.getType().getShape()))
    if (extent != 1 || i + 1 == data.getType().getShape().size())
      shape.push_back(extent);
  if (shape.size() != 3 || shape[0] < 3 || shape[1] < 3)
    return false;
  int64_t rows = shape[0], columns = shape[1], depth = shape[2];
  bool usesRow = false, usesColumn = false;
  for (int64_t k = 0; k < depth; ++k) {
    bool ofRow = true, ofColumn = true;
    for (int64_t i = 0; i < rows && (ofRow || ofColumn); ++i)
      for (int64_t j = 0; j < columns; ++j) {
        double value = data.at((i * columns + j) * depth + k);
        ofRow &= value == data.at(i * columns * depth + k);
        ofColumn &= value == data.at(j * depth + k);
      }
    if (!ofRow && !ofColumn)
      return false;
    usesRow |= !ofColumn;
    usesColumn |= !ofRow;
  }
  return usesRow && usesColumn;
}

StringRef mpt::describeFixedTable(const ParameterData &data) {
  if (isSinusoidal(data))
    return "a fixed table of positions: its rows are sines and cosines";
  auto shape = data.getType().getShape();
  if (shape.size() < 2)
    return "";
  if (followsRecurrence(data, Lines(shape, /*alongRows=*/false)) ||
      followsRecurrence(data, Lines(shape, /*alongRows=*/true)))
    return "a fixed table: sine waves or straight lines along an axis";
  if (isGrid(data))
    return "a fixed table: the coordinates of a grid";
  return "";
}

/// Bounded by 1, and all 1 (cosines) or all 0 (sines) at the first position.
static bool isRotary(const ParameterData &data) {
  int64_t columns = data.getType().getShape().back();
  double first = data.at(0);
  bool matches = !data.isSplat() && (first == 0 || first == 1);
  if (matches)
    data.forEach([&](int64_t i, double value) {
      matches &= i < columns ? value == first : std::abs(value) <= 1.001;
      return matches;
    });
  return matches;
}

/// Zeros and ones, or zeros on one side of the diagonal of every matrix.
static bool isMultipliedMask(const ParameterData &data) {
  if (data.isSplat())
    return false;
  auto shape = data.getType().getShape().take_back(2);
  bool isBinary = true;
  bool isUpper = shape[0] == shape[1], isLower = isUpper;
  data.forEach([&](int64_t i, double value) {
    int64_t row = i / shape[1] % shape[0], column = i % shape[1];
    isBinary &= value == 0 || value == 1;
    isUpper &= value == 0 || row <= column;
    isLower &= value == 0 || row >= column;
    return isBinary || isUpper || isLower;
  });
  return isBinary || isUpper || isLower;
}

StringRef mpt::describeFixedFactor(const ParameterData &data) {
  if (data.getType().getRank() < 2)
    return "";
  if (isRotary(data))
    return "multiplied elementwise, like a rotary table";
  if (isMultipliedMask(data))
    return "multiplied elementwise, like a mask";
  return describeFixedTable(data);
}
