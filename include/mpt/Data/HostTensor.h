//===- HostTensor.h - Tensors in host memory --------------------*- C++ -*-===//
//
// The common currency of the file readers and writers, the data sets and the
// tools: an element type, a shape and the elements in row-major order and
// native byte order. Knows neither MLIR nor ONNX.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_DATA_HOSTTENSOR_H
#define MPT_DATA_HOSTTENSOR_H

#include "mpt/Support/Half.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mpt::data {

enum class DType : uint8_t { F64, F32, F16, BF16, I64, I32, I16, I8, U8, Bool };

/// Bytes per element.
size_t elementSize(DType dtype);
/// "float32", "bfloat16", "int64", "bool", ... (numpy's names).
std::string_view dtypeName(DType dtype);
inline bool isFloat(DType dtype) { return dtype <= DType::BF16; }

/// The number of elements, or of bytes, or nothing if a dimension is negative
/// or the product does not fit into an int64_t. A scalar has one element.
std::optional<uint64_t> checkedNumElements(const std::vector<int64_t> &shape);
std::optional<uint64_t> checkedByteSize(DType dtype,
                                        const std::vector<int64_t> &shape);

/// "2x3x4", or "scalar".
std::string shapeString(const std::vector<int64_t> &shape);

struct HostTensor {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;

  HostTensor() = default;
  /// All zero. `shape` must describe a size that fits into memory.
  HostTensor(DType dtype, std::vector<int64_t> shape);

  int64_t numElements() const {
    return static_cast<int64_t>(bytes.size() / elementSize(dtype));
  }
  template <typename T> T *data() {
    return reinterpret_cast<T *>(bytes.data());
  }
  template <typename T> const T *data() const {
    return reinterpret_cast<const T *>(bytes.data());
  }
};

/// A tensor that somebody else owns (a mapped file, the arena).
struct TensorView {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  const void *data = nullptr; // aligned only as far as the owner does so
  size_t size = 0;            // in bytes
};

/// A view of a tensor, which must outlive it.
TensorView view(std::string name, const HostTensor &tensor);
/// A copy of what the view shows.
HostTensor copy(const TensorView &view);

/// Calls `callback(T())` with the C++ type that stores `dtype`: double, float,
/// Float16, BFloat16, int64_t, int32_t, int16_t, int8_t, uint8_t, bool.
template <typename Callback>
decltype(auto) dispatch(DType dtype, Callback &&callback) {
  switch (dtype) {
  case DType::F64:
    return callback(double());
  case DType::F32:
    return callback(float());
  case DType::F16:
    return callback(Float16());
  case DType::BF16:
    return callback(BFloat16());
  case DType::I64:
    return callback(int64_t());
  case DType::I32:
    return callback(int32_t());
  case DType::I16:
    return callback(int16_t());
  case DType::I8:
    return callback(int8_t());
  case DType::U8:
    return callback(uint8_t());
  case DType::Bool:
    break;
  }
  return callback(bool());
}

/// Converts `count` elements. Floats round to nearest even; a float becomes an
/// integer towards zero, saturated, NaN as 0; an integer that does not fit
/// wraps around (Dataset::bind checks before); a bool is "not zero". The
/// pointers need no alignment and must not overlap.
void convertElements(DType from, const void *source, DType to, void *target,
                     size_t count);
/// The same for a whole tensor.
HostTensor convert(const HostTensor &tensor, DType to);

} // namespace mpt::data

#endif // MPT_DATA_HOSTTENSOR_H
