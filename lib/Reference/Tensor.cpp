//===- Tensor.cpp - Tensors of the reference interpreter ------------------===//

#include "mpt/Reference/Tensor.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Location.h"
#include "mpt/Support/Half.h"

#include <cmath>
#include <cstring>

using namespace mlir;

namespace mpt::reference {

Tensor::Tensor(ArrayRef<int64_t> shape, Type elementType)
    : shape(shape), elementType(elementType) {
  size_t count = 1;
  for (int64_t extent : shape)
    count *= static_cast<size_t>(extent);
  if (isFloat())
    floats.resize(count);
  else
    ints.resize(count);
}

Tensor Tensor::scalar(double value, Type elementType) {
  Tensor result({}, elementType);
  if (result.isFloat())
    result.floats[0] = value;
  else
    result.ints[0] = static_cast<int64_t>(value);
  return result;
}

bool isSupportedElementType(Type type) {
  if (auto integer = dyn_cast<IntegerType>(type))
    return llvm::is_contained({1u, 8u, 16u, 32u, 64u}, integer.getWidth());
  return isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type);
}

double roundToType(double value, FloatType type) {
  if (type.isF32())
    return static_cast<float>(value);
  if (type.isF16())
    return roundToF16(value);
  if (type.isBF16())
    return roundToBF16(value);
  return value;
}

int64_t wrapToType(int64_t value, IntegerType type) {
  const unsigned width = type.getWidth();
  if (width == 1)
    return value & 1;
  if (width >= 64)
    return value;
  const unsigned unused = 64 - width;
  const uint64_t high = static_cast<uint64_t>(value) << unused;
  return type.isUnsigned() ? static_cast<int64_t>(high >> unused)
                           : static_cast<int64_t>(high) >> unused;
}

int64_t truncateToType(double value, IntegerType type) {
  if (type.getWidth() == 1)
    return value != 0;
  if (std::isnan(value))
    return 0;
  const double limit = std::ldexp(1.0, type.getWidth() - !type.isUnsigned());
  const double whole = std::trunc(value);
  if (type.isUnsigned()) {
    if (whole <= 0)
      return 0;
    const uint64_t largest = ~uint64_t(0) >> (64 - type.getWidth());
    return static_cast<int64_t>(whole >= limit ? largest
                                               : static_cast<uint64_t>(whole));
  }
  const int64_t largest =
      static_cast<int64_t>(~uint64_t(0) >> (65 - type.getWidth()));
  if (whole >= limit)
    return largest;
  return whole < -limit ? -largest - 1 : static_cast<int64_t>(whole);
}

double integerToDouble(int64_t value, IntegerType type) {
  return type.isUnsigned() ? static_cast<double>(static_cast<uint64_t>(value))
                           : static_cast<double>(value);
}

void roundElements(Tensor &tensor) {
  if (auto type = dyn_cast<IntegerType>(tensor.elementType)) {
    if (type.getWidth() < 64)
      for (int64_t &value : tensor.ints)
        value = wrapToType(value, type);
    return;
  }
  if (tensor.elementType.isF32()) {
    for (double &value : tensor.floats)
      value = static_cast<float>(value);
  } else if (tensor.elementType.isF16()) {
    for (double &value : tensor.floats)
      value = roundToF16(value);
  } else if (tensor.elementType.isBF16()) {
    for (double &value : tensor.floats)
      value = roundToBF16(value);
  }
}

//===----------------------------------------------------------------------===//
// Bytes and attributes
//===----------------------------------------------------------------------===//

namespace {
/// Calls fn(T()) with the type that stores elements of `type` in memory; an i1
/// is a byte.
template <typename Fn> void withStorageType(Type type, Fn fn) {
  if (type.isF64())
    return fn(double());
  if (type.isF32())
    return fn(float());
  if (type.isF16())
    return fn(Float16());
  if (type.isBF16())
    return fn(BFloat16());
  auto integer = cast<IntegerType>(type);
  switch (integer.getWidth()) {
  case 64:
    return fn(int64_t());
  case 32:
    return integer.isUnsigned() ? fn(uint32_t()) : fn(int32_t());
  case 16:
    return integer.isUnsigned() ? fn(uint16_t()) : fn(int16_t());
  case 8:
    return integer.isUnsigned() ? fn(uint8_t()) : fn(int8_t());
  default:
    return fn(uint8_t());
  }
}

size_t storageSize(Type type) {
  size_t size = 0;
  withStorageType(type, [&](auto element) { size = sizeof(element); });
  return size;
}
} // namespace

static FailureOr<Tensor> readBytes(RankedTensorType type, ArrayRef<char> bytes,
                                   bool splat, Location loc) {
  if (!isSupportedElementType(type.getElementType()) || !type.hasStaticShape())
    return emitError(loc) << "cannot hold elements of type " << type;
  const int64_t count = type.getNumElements();
  const size_t size = storageSize(type.getElementType());
  if (bytes.size() != size * static_cast<size_t>(splat ? 1 : count))
    return emitError(loc) << "has " << bytes.size() << " bytes, but " << type
                          << " takes " << size * static_cast<size_t>(count);
  Tensor result(type.getShape(), type.getElementType());
  withStorageType(type.getElementType(), [&](auto element) {
    using T = decltype(element);
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(&element, bytes.data() + (splat ? 0 : i * sizeof(T)),
                  sizeof(T));
      if constexpr (std::is_integral_v<T>)
        result.ints[i] = element;
      else
        result.floats[i] = element;
    }
  });
  if (type.getElementType().isInteger(1))
    for (int64_t &value : result.ints)
      value = value != 0;
  return result;
}

FailureOr<Tensor> fromBytes(RankedTensorType type, ArrayRef<char> bytes,
                            Location loc) {
  return readBytes(type, bytes, /*splat=*/false, loc);
}

FailureOr<Tensor> fromElements(ElementsAttr attr, Location loc) {
  auto type = dyn_cast<RankedTensorType>(attr.getType());
  if (!type || !isSupportedElementType(type.getElementType()))
    return emitError(loc) << "the reference interpreter cannot hold constants "
                             "of type "
                          << attr.getType();
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return emitError(loc)
             << "the data of resource '" << resource.getRawHandle().getKey()
             << "' is missing";
    return fromBytes(type, blob->getData(), loc);
  }
  auto dense = dyn_cast<DenseElementsAttr>(attr);
  if (!dense)
    return emitError(loc) << "the reference interpreter cannot read this kind "
                             "of constant";
  if (!type.getElementType().isInteger(1))
    return readBytes(type, dense.getRawData(), dense.isSplat(), loc);
  Tensor result(type.getShape(), type.getElementType());
  for (auto [index, value] : llvm::enumerate(dense.getValues<bool>()))
    result.ints[index] = value;
  return result;
}

DenseElementsAttr toElements(const Tensor &tensor) {
  RankedTensorType type = tensor.getType();
  if (tensor.elementType.isInteger(1)) {
    SmallVector<bool> values(tensor.ints.begin(), tensor.ints.end());
    return DenseElementsAttr::get(type, ArrayRef<bool>(values));
  }
  std::vector<char> bytes;
  withStorageType(tensor.elementType, [&](auto element) {
    using T = decltype(element);
    bytes.resize(sizeof(T) * tensor.numElements());
    for (int64_t i = 0, count = tensor.numElements(); i < count; ++i) {
      if constexpr (std::is_integral_v<T>)
        element = static_cast<T>(tensor.ints[i]);
      else
        element = T(tensor.floats[i]);
      std::memcpy(bytes.data() + i * sizeof(T), &element, sizeof(T));
    }
  });
  return DenseElementsAttr::getFromRawBuffer(type, bytes);
}

//===----------------------------------------------------------------------===//
// Host tensors
//===----------------------------------------------------------------------===//

FailureOr<Tensor> fromHost(const data::HostTensor &host, Type elementType,
                           bool exact, Location loc) {
  if (!isSupportedElementType(elementType))
    return emitError(loc) << "cannot hold elements of type " << elementType;
  Tensor result(host.shape, elementType);
  auto integer = dyn_cast<IntegerType>(elementType);
  if (integer && data::isFloat(host.dtype))
    return emitError(loc) << "holds " << data::dtypeName(host.dtype)
                          << ", but integers (" << elementType
                          << ") are wanted";
  std::optional<int64_t> misfit;
  data::dispatch(host.dtype, [&](auto element) {
    using T = decltype(element);
    const T *source = host.data<T>();
    for (int64_t i = 0, count = host.numElements(); i < count; ++i) {
      if constexpr (std::is_integral_v<T>) {
        const auto value = static_cast<int64_t>(source[i]);
        if (!integer) {
          result.floats[i] = static_cast<double>(value);
          continue;
        }
        result.ints[i] = wrapToType(value, integer);
        if (result.ints[i] != value && !misfit)
          misfit = value;
      } else if (!integer) {
        result.floats[i] = source[i];
      }
    }
  });
  if (misfit)
    return emitError(loc) << "holds " << *misfit
                          << ", which is not a number of " << elementType;
  if (!integer && !exact)
    roundElements(result);
  return result;
}

data::HostTensor toHost(const Tensor &tensor, bool exact) {
  using data::DType;
  DType dtype = DType::F64;
  if (auto integer = dyn_cast<IntegerType>(tensor.elementType)) {
    const bool isUnsigned = integer.isUnsigned();
    switch (integer.getWidth()) {
    case 1:
      dtype = DType::Bool;
      break;
    case 8:
      dtype = isUnsigned ? DType::U8 : DType::I8;
      break;
    case 16:
      dtype = isUnsigned ? DType::I32 : DType::I16;
      break;
    case 32:
      dtype = isUnsigned ? DType::I64 : DType::I32;
      break;
    default:
      dtype = DType::I64;
    }
  } else if (!exact) {
    dtype = tensor.elementType.isF32()    ? DType::F32
            : tensor.elementType.isF16()  ? DType::F16
            : tensor.elementType.isBF16() ? DType::BF16
                                          : DType::F64;
  }
  data::HostTensor host(dtype, {tensor.shape.begin(), tensor.shape.end()});
  data::dispatch(dtype, [&](auto element) {
    using T = decltype(element);
    T *target = host.data<T>();
    for (int64_t i = 0, count = tensor.numElements(); i < count; ++i) {
      if constexpr (std::is_integral_v<T>)
        target[i] = static_cast<T>(tensor.ints[i]);
      else
        target[i] = T(tensor.floats[i]);
    }
  });
  return host;
}

} // namespace mpt::reference
