//===- HostTensor.cpp - Tensors in host memory ----------------------------===//

#include "mpt/Data/HostTensor.h"

#include <cstring>
#include <limits>
#include <type_traits>

namespace mpt::data {

size_t elementSize(DType dtype) {
  switch (dtype) {
  case DType::F64:
  case DType::I64:
    return 8;
  case DType::F32:
  case DType::I32:
    return 4;
  case DType::F16:
  case DType::BF16:
  case DType::I16:
    return 2;
  case DType::I8:
  case DType::U8:
  case DType::Bool:
    return 1;
  }
  return 1;
}

std::string_view dtypeName(DType dtype) {
  switch (dtype) {
  case DType::F64:
    return "float64";
  case DType::F32:
    return "float32";
  case DType::F16:
    return "float16";
  case DType::BF16:
    return "bfloat16";
  case DType::I64:
    return "int64";
  case DType::I32:
    return "int32";
  case DType::I16:
    return "int16";
  case DType::I8:
    return "int8";
  case DType::U8:
    return "uint8";
  case DType::Bool:
    return "bool";
  }
  return "unknown";
}

std::optional<uint64_t> checkedNumElements(const std::vector<int64_t> &shape) {
  // A zero dimension makes the product zero, but must not hide an overflow of
  // the others: strides are computed from them.
  int64_t product = 1;
  bool empty = false;
  for (int64_t dim : shape) {
    if (dim < 0)
      return std::nullopt;
    empty |= dim == 0;
    if (dim != 0 && __builtin_mul_overflow(product, dim, &product))
      return std::nullopt;
  }
  return empty ? 0 : static_cast<uint64_t>(product);
}

std::optional<uint64_t> checkedByteSize(DType dtype,
                                        const std::vector<int64_t> &shape) {
  std::optional<uint64_t> elements = checkedNumElements(shape);
  if (!elements || *elements > INT64_MAX / elementSize(dtype))
    return std::nullopt;
  return *elements * elementSize(dtype);
}

std::string shapeString(const std::vector<int64_t> &shape) {
  if (shape.empty())
    return "scalar";
  std::string text;
  for (int64_t dim : shape)
    text += (text.empty() ? "" : "x") + std::to_string(dim);
  return text;
}

HostTensor::HostTensor(DType dtype, std::vector<int64_t> shape)
    : dtype(dtype), shape(std::move(shape)) {
  bytes.resize(checkedByteSize(dtype, this->shape).value_or(0));
}

TensorView view(std::string name, const HostTensor &tensor) {
  return {std::move(name), tensor.dtype, tensor.shape, tensor.bytes.data(),
          tensor.bytes.size()};
}

HostTensor copy(const TensorView &view) {
  HostTensor tensor;
  tensor.dtype = view.dtype;
  tensor.shape = view.shape;
  const auto *begin = static_cast<const uint8_t *>(view.data);
  tensor.bytes.assign(begin, begin + view.size);
  return tensor;
}

namespace {

/// The widest type of the same kind, through which two types convert exactly
/// except for the final rounding.
template <typename T>
using Wide = std::conditional_t<std::is_integral_v<T>, int64_t, double>;

template <typename T> Wide<T> widen(T value) { return Wide<T>(value); }
Wide<Float16> widen(Float16 value) { return decodeF16(value.bits); }
Wide<BFloat16> widen(BFloat16 value) { return decodeBF16(value.bits); }

/// Integers from floats: towards zero, saturated, NaN as zero (the plain cast
/// of a value out of range is undefined).
template <typename To> To narrow(double value) {
  if constexpr (std::is_integral_v<To>) {
    constexpr double upper =
        static_cast<double>(std::numeric_limits<To>::max() / 2 + 1) * 2;
    if (value != value)
      return 0;
    if (value >= upper)
      return std::numeric_limits<To>::max();
    if (value <= static_cast<double>(std::numeric_limits<To>::min()))
      return std::numeric_limits<To>::min();
  }
  return static_cast<To>(value);
}
template <typename To> To narrow(int64_t value) {
  return static_cast<To>(value);
}

template <typename From, typename To>
void convertTyped(const uint8_t *source, uint8_t *target, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    From from;
    if constexpr (std::is_same_v<From, bool>)
      from = source[i] != 0; // any other byte than 0 and 1 is no valid bool
    else
      std::memcpy(&from, source + i * sizeof(From), sizeof(From));
    To to;
    if constexpr (std::is_same_v<To, bool>)
      to = widen(from) != 0;
    else
      to = narrow<To>(widen(from));
    std::memcpy(target + i * sizeof(To), &to, sizeof(To));
  }
}

} // namespace

void convertElements(DType from, const void *source, DType to, void *target,
                     size_t count) {
  const auto *in = static_cast<const uint8_t *>(source);
  auto *out = static_cast<uint8_t *>(target);
  if (count == 0)
    return;
  if (from == to) {
    std::memcpy(out, in, count * elementSize(to));
    return;
  }
  dispatch(from, [&](auto fromTag) {
    dispatch(to, [&](auto toTag) {
      convertTyped<decltype(fromTag), decltype(toTag)>(in, out, count);
    });
  });
}

HostTensor convert(const HostTensor &tensor, DType to) {
  HostTensor result(to, tensor.shape);
  convertElements(tensor.dtype, tensor.bytes.data(), to, result.bytes.data(),
                  static_cast<size_t>(tensor.numElements()));
  return result;
}

} // namespace mpt::data
