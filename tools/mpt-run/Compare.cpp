//===- Compare.cpp - Got against expected ---------------------------------===//

#include "Compare.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <limits>

namespace mpt::run {

static std::vector<double> asDoubles(const data::HostTensor &tensor) {
  std::vector<double> values(tensor.numElements());
  data::convertElements(tensor.dtype, tensor.bytes.data(), data::DType::F64,
                        values.data(), values.size());
  return values;
}

/// "[1, 0, 2]" for element `index` of a tensor.
static std::string position(const std::vector<int64_t> &shape, int64_t index) {
  llvm::SmallVector<int64_t> coordinates(shape.size());
  for (size_t axis = shape.size(); axis-- > 0;) {
    coordinates[axis] = index % shape[axis];
    index /= shape[axis];
  }
  std::string text = "[";
  for (size_t axis = 0; axis < shape.size(); ++axis)
    text += (axis ? ", " : "") + std::to_string(coordinates[axis]);
  return text + "]";
}

bool compare(const data::HostTensor &got, const data::HostTensor &want,
             Tolerance tolerance, std::string &message) {
  llvm::raw_string_ostream os(message);
  if (got.shape != want.shape) {
    os << "is " << data::shapeString(got.shape) << ", should be "
       << data::shapeString(want.shape);
    return false;
  }
  const std::vector<double> a = asDoubles(got), b = asDoubles(want);
  int64_t wrong = 0, worst = 0;
  double worstExcess = -1;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])))
      continue;
    const double allowed =
        tolerance.absolute + tolerance.relative * std::fabs(b[i]);
    double excess = std::fabs(a[i] - b[i]) / allowed;
    if (!std::isfinite(b[i]) || std::isnan(excess))
      excess = std::numeric_limits<double>::infinity();
    if (excess <= 1)
      continue;
    ++wrong;
    if (excess > worstExcess) {
      worstExcess = excess;
      worst = static_cast<int64_t>(i);
    }
  }
  if (wrong == 0)
    return true;
  os << wrong << " of " << a.size() << " elements differ; the worst is "
     << position(want.shape, worst) << ": got "
     << llvm::format("%.9g", a[worst]) << ", should be "
     << llvm::format("%.9g", b[worst]) << " (tolerance "
     << llvm::format("%g", tolerance.absolute +
                               tolerance.relative * std::fabs(b[worst]))
     << ")";
  return false;
}

std::string summarize(const data::HostTensor &tensor) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << data::shapeString(tensor.shape) << ' '
     << llvm::StringRef(data::dtypeName(tensor.dtype));
  const std::vector<double> values = asDoubles(tensor);
  if (values.empty())
    return text;
  if (values.size() <= 8) {
    os << ':';
    for (double value : values)
      os << ' ' << llvm::format("%.7g", value);
    return text;
  }
  double low = values[0], high = values[0], sum = 0;
  for (double value : values) {
    low = std::fmin(low, value);
    high = std::fmax(high, value);
    sum += value;
  }
  os << ", from " << llvm::format("%.7g", low) << " to "
     << llvm::format("%.7g", high) << ", mean "
     << llvm::format("%.7g", sum / static_cast<double>(values.size()));
  return text;
}

} // namespace mpt::run
