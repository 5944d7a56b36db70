//===- TensorData.cpp - Element types and elements of TensorProtos --------===//

#include "ModelFile.h"
#include "Node.h"

#include "mpt/Import/ONNX/ImportONNX.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace mpt::importer {

Type convertElementType(MLIRContext *context, int32_t onnxType) {
  auto integer = [&](unsigned width, IntegerType::SignednessSemantics sign =
                                         IntegerType::Signless) -> Type {
    return IntegerType::get(context, width, sign);
  };
  switch (onnxType) {
  case onnx::TensorProto::FLOAT:
    return Float32Type::get(context);
  case onnx::TensorProto::DOUBLE:
    return Float64Type::get(context);
  case onnx::TensorProto::FLOAT16:
    return Float16Type::get(context);
  case onnx::TensorProto::BFLOAT16:
    return BFloat16Type::get(context);
  case onnx::TensorProto::INT8:
    return integer(8);
  case onnx::TensorProto::INT16:
    return integer(16);
  case onnx::TensorProto::INT32:
    return integer(32);
  case onnx::TensorProto::INT64:
    return integer(64);
  case onnx::TensorProto::UINT8:
    return integer(8, IntegerType::Unsigned);
  case onnx::TensorProto::UINT16:
    return integer(16, IntegerType::Unsigned);
  case onnx::TensorProto::UINT32:
    return integer(32, IntegerType::Unsigned);
  case onnx::TensorProto::UINT64:
    return integer(64, IntegerType::Unsigned);
  case onnx::TensorProto::BOOL:
    return integer(1);
  case onnx::TensorProto::INT4:
    return integer(4);
  case onnx::TensorProto::UINT4:
    return integer(4, IntegerType::Unsigned);
  case onnx::TensorProto::INT2:
    return integer(2);
  case onnx::TensorProto::UINT2:
    return integer(2, IntegerType::Unsigned);
  case onnx::TensorProto::COMPLEX64:
    return ComplexType::get(Float32Type::get(context));
  case onnx::TensorProto::COMPLEX128:
    return ComplexType::get(Float64Type::get(context));
  case onnx::TensorProto::FLOAT8E4M3FN:
    return Float8E4M3FNType::get(context);
  case onnx::TensorProto::FLOAT8E4M3FNUZ:
    return Float8E4M3FNUZType::get(context);
  case onnx::TensorProto::FLOAT8E5M2:
    return Float8E5M2Type::get(context);
  case onnx::TensorProto::FLOAT8E5M2FNUZ:
    return Float8E5M2FNUZType::get(context);
  case onnx::TensorProto::FLOAT4E2M1:
    return Float4E2M1FNType::get(context);
  case onnx::TensorProto::FLOAT8E8M0:
    return Float8E8M0FNUType::get(context);
  default:
    return {};
  }
}

int32_t convertElementType(Type type) {
  for (int32_t number = 1; onnx::TensorProto::DataType_IsValid(number);
       ++number)
    if (convertElementType(type.getContext(), number) == type)
      return number;
  return onnx::TensorProto::UNDEFINED;
}

std::optional<SmallVector<int64_t>> shapeOf(const onnx::TensorProto &tensor) {
  SmallVector<int64_t> shape(tensor.dims().begin(), tensor.dims().end());
  if (llvm::is_contained(shape, ShapedType::kDynamic) ||
      !isPossibleShape(shape))
    return std::nullopt;
  return shape;
}

/// Elements of a tensor as little-endian bytes of `bytesPerElement` each (bools
/// one byte), from whichever field holds them.
static std::optional<std::vector<char>>
readBytes(const onnx::TensorProto &tensor, uint64_t count,
          size_t bytesPerElement, ModelFile *file, std::string &error) {
  auto fail = [&](uint64_t found) {
    error = "tensor '" + data::printable(tensor.name()) + "' has " +
            std::to_string(found) + " values where its shape has " +
            std::to_string(count);
    return std::nullopt;
  };
  std::vector<char> bytes;
  if (tensor.data_location() == onnx::TensorProto::EXTERNAL) {
    if (!file) {
      error = "tensor '" + data::printable(tensor.name()) +
              "' has external data, which cannot be read here";
      return std::nullopt;
    }
    std::optional<FileRange> range = file->locate(tensor, error);
    if (!range)
      return std::nullopt;
    if (range->length != count * bytesPerElement)
      return fail(range->length / bytesPerElement);
    const uint8_t *data = file->map(*range, error);
    return std::vector<char>(data, data + range->length);
  }
  if (tensor.has_raw_data()) {
    if (tensor.raw_data().size() != count * bytesPerElement)
      return fail(tensor.raw_data().size() / bytesPerElement);
    return std::vector<char>(tensor.raw_data().begin(),
                             tensor.raw_data().end());
  }
  auto collect = [&](const auto &values, auto convert) {
    if (static_cast<uint64_t>(values.size()) != count)
      return false;
    for (auto value : values) {
      auto converted = convert(value);
      const char *begin = reinterpret_cast<const char *>(&converted);
      bytes.insert(bytes.end(), begin, begin + bytesPerElement);
    }
    return true;
  };
  bool fits;
  uint64_t found;
  switch (tensor.data_type()) {
  case onnx::TensorProto::FLOAT:
    found = tensor.float_data_size();
    fits = collect(tensor.float_data(), [](float v) { return v; });
    break;
  case onnx::TensorProto::DOUBLE:
    found = tensor.double_data_size();
    fits = collect(tensor.double_data(), [](double v) { return v; });
    break;
  case onnx::TensorProto::INT64:
    found = tensor.int64_data_size();
    fits = collect(tensor.int64_data(), [](int64_t v) { return v; });
    break;
  case onnx::TensorProto::UINT32:
  case onnx::TensorProto::UINT64:
    found = tensor.uint64_data_size();
    fits = collect(tensor.uint64_data(), [](uint64_t v) { return v; });
    break;
  default: // narrow integers and the bits of narrow floats
    found = tensor.int32_data_size();
    fits = collect(tensor.int32_data(), [](int32_t v) { return v; });
    break;
  }
  if (!fits)
    return fail(found);
  return bytes;
}

/// Types below a byte, and complex numbers, are left to ONNX.
static size_t getBytesPerElement(int32_t onnxType) {
  switch (onnxType) {
  case onnx::TensorProto::DOUBLE:
  case onnx::TensorProto::INT64:
  case onnx::TensorProto::UINT64:
    return 8;
  case onnx::TensorProto::FLOAT:
  case onnx::TensorProto::INT32:
  case onnx::TensorProto::UINT32:
    return 4;
  case onnx::TensorProto::FLOAT16:
  case onnx::TensorProto::BFLOAT16:
  case onnx::TensorProto::INT16:
  case onnx::TensorProto::UINT16:
    return 2;
  case onnx::TensorProto::INT8:
  case onnx::TensorProto::UINT8:
  case onnx::TensorProto::BOOL:
  case onnx::TensorProto::FLOAT8E4M3FN:
  case onnx::TensorProto::FLOAT8E4M3FNUZ:
  case onnx::TensorProto::FLOAT8E5M2:
  case onnx::TensorProto::FLOAT8E5M2FNUZ:
  case onnx::TensorProto::FLOAT8E8M0:
    return 1;
  default:
    return 0;
  }
}

static uint64_t countElements(ArrayRef<int64_t> shape) {
  uint64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

DenseElementsAttr readElements(MLIRContext *context,
                               const onnx::TensorProto &tensor, ModelFile *file,
                               std::string &error) {
  auto shape = shapeOf(tensor);
  if (!shape) {
    error = "tensor '" + data::printable(tensor.name()) +
            "' has an impossible shape";
    return {};
  }
  Type element = convertElementType(context, tensor.data_type());
  size_t size = getBytesPerElement(tensor.data_type());
  if (!element || size == 0) {
    error = "tensor '" + data::printable(tensor.name()) +
            "' has an element type that only ONNX knows";
    return {};
  }
  uint64_t count = countElements(*shape);
  auto bytes = readBytes(tensor, count, size, file, error);
  if (!bytes)
    return {};
  auto type = RankedTensorType::get(*shape, element);
  if (!element.isInteger(1))
    return DenseElementsAttr::getFromRawBuffer(type, *bytes);
  SmallVector<bool> bools;
  for (char byte : *bytes)
    bools.push_back(byte != 0);
  return DenseElementsAttr::get(type, bools);
}

} // namespace mpt::importer

//===----------------------------------------------------------------------===//
// Test data
//===----------------------------------------------------------------------===//

template <typename From> static void widen(std::vector<char> &bytes) {
  std::vector<char> wide(bytes.size() / sizeof(From) * sizeof(int64_t));
  for (size_t i = 0; i < bytes.size() / sizeof(From); ++i) {
    From value;
    std::memcpy(&value, bytes.data() + i * sizeof(From), sizeof(From));
    int64_t widened = static_cast<int64_t>(value);
    std::memcpy(wide.data() + i * sizeof(int64_t), &widened, sizeof(int64_t));
  }
  bytes = std::move(wide);
}

static std::optional<mpt::data::DType> getHostType(int32_t onnxType) {
  using mpt::data::DType;
  switch (onnxType) {
  case onnx::TensorProto::DOUBLE:
    return DType::F64;
  case onnx::TensorProto::FLOAT:
    return DType::F32;
  case onnx::TensorProto::FLOAT16:
    return DType::F16;
  case onnx::TensorProto::BFLOAT16:
    return DType::BF16;
  case onnx::TensorProto::INT64:
  case onnx::TensorProto::UINT64:
  case onnx::TensorProto::UINT32:
  case onnx::TensorProto::UINT16:
    return DType::I64;
  case onnx::TensorProto::INT32:
    return DType::I32;
  case onnx::TensorProto::INT16:
    return DType::I16;
  case onnx::TensorProto::INT8:
    return DType::I8;
  case onnx::TensorProto::UINT8:
    return DType::U8;
  case onnx::TensorProto::BOOL:
    return DType::Bool;
  default:
    return std::nullopt;
  }
}

std::optional<mpt::NamedTensor> mpt::readTensorProto(llvm::StringRef path,
                                                     std::string &error) {
  using namespace mpt::importer;
  auto file = data::MappedFile::open(path.str(), error);
  if (!file)
    return std::nullopt;
  onnx::TensorProto tensor;
  bool parsed = file->size() <= INT32_MAX &&
                tensor.ParseFromArray(file->data(), file->size());
  auto type = parsed ? getHostType(tensor.data_type()) : std::nullopt;
  auto shape = parsed ? shapeOf(tensor) : std::nullopt;
  if (!type || !shape) {
    error = path.str() + ": holds no tensor of numbers";
    return std::nullopt;
  }
  size_t size = getBytesPerElement(tensor.data_type());
  auto bytes = readBytes(tensor, countElements(*shape), size, nullptr, error);
  if (!bytes) {
    error = path.str() + ": " + error;
    return std::nullopt;
  }
  if (tensor.data_type() == onnx::TensorProto::UINT32)
    widen<uint32_t>(*bytes);
  else if (tensor.data_type() == onnx::TensorProto::UINT16)
    widen<uint16_t>(*bytes);
  NamedTensor result;
  result.name = tensor.name();
  result.tensor.dtype = *type;
  result.tensor.shape.assign(shape->begin(), shape->end());
  result.tensor.bytes.assign(bytes->begin(), bytes->end());
  return result;
}
