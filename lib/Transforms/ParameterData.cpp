//===- ParameterData.cpp - The bytes of a parameter -----------------------===//

#include "ParameterData.h"

#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <cstring>

using namespace mlir;
using namespace mpt;

static std::shared_ptr<llvm::MemoryBuffer>
mapSlice(nn::ExternalAttr external, StringRef directory, std::string &problem) {
  SmallString<256> path(external.getFile());
  if (llvm::sys::path::is_relative(path) && !llvm::sys::fs::exists(path) &&
      !directory.empty()) {
    path = directory;
    llvm::sys::path::append(path, external.getFile());
  }
  uint64_t size = 0;
  if (std::error_code error = llvm::sys::fs::file_size(path, size)) {
    problem = (path + ": " + error.message()).str();
    return {};
  }
  uint64_t offset = external.getOffset(), length = external.getLength();
  if (offset > size || length > size - offset) {
    problem = (path + ": ends before the parameter's bytes do").str();
    return {};
  }
  auto buffer = llvm::MemoryBuffer::getFileSlice(path, length, offset);
  if (!buffer) {
    problem = (path + ": " + buffer.getError().message()).str();
    return {};
  }
  return std::move(*buffer);
}

std::optional<ParameterData> ParameterData::load(nn::ParameterOp parameter,
                                                 StringRef directory,
                                                 std::string &problem) {
  ParameterData data;
  data.type = cast<RankedTensorType>(parameter.getType());
  Type element = data.type.getElementType();
  if (!element.isIntOrFloat() || !data.type.hasStaticShape()) {
    problem = "its type has no bytes";
    return std::nullopt;
  }
  data.elementBytes = (element.getIntOrFloatBitWidth() + 7) / 8;
  Attribute value = parameter.getValueAttr();
  if (auto external = dyn_cast_or_null<nn::ExternalAttr>(value)) {
    data.buffer = mapSlice(external, directory, problem);
    if (!data.buffer)
      return std::nullopt;
    data.bytes = {data.buffer->getBufferStart(), data.buffer->getBufferSize()};
  } else if (auto dense = dyn_cast_or_null<DenseElementsAttr>(value)) {
    data.isSplatAttr = dense.isSplat();
    data.bytes = dense.getRawData();
  } else if (auto resource =
                 dyn_cast_or_null<DenseResourceElementsAttr>(value)) {
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      data.bytes = blob->getData();
  }
  int64_t elements = data.isSplatAttr ? 1 : data.type.getNumElements();
  if (data.bytes.empty() ||
      static_cast<int64_t>(data.bytes.size()) != elements * data.elementBytes) {
    problem = value ? "its value has another size" : "it has no value";
    return std::nullopt;
  }
  return data;
}

bool ParameterData::isSplat() const {
  size_t size = bytes.size(), element = elementBytes;
  return size <= element ||
         std::memcmp(bytes.data(), bytes.data() + element, size - element) == 0;
}

bool ParameterData::hasReadableType() const {
  auto floatType = dyn_cast<FloatType>(type.getElementType());
  return floatType && llvm::is_contained({16u, 32u, 64u}, floatType.getWidth());
}

double ParameterData::at(int64_t i) const {
  if (!hasReadableType())
    return 0;
  auto floatType = cast<FloatType>(type.getElementType());
  const char *at = bytes.data() + (isSplatAttr ? 0 : i * elementBytes);
  if (floatType.getWidth() == 32) {
    float value;
    std::memcpy(&value, at, sizeof(value));
    return value;
  }
  if (floatType.getWidth() == 64) {
    double value;
    std::memcpy(&value, at, sizeof(value));
    return value;
  }
  APFloat number(floatType.getFloatSemantics(),
                 APInt(16, llvm::support::endian::read16le(at)));
  bool lossy = false;
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
  return number.convertToDouble();
}

bool ParameterData::forEach(
    llvm::function_ref<bool(int64_t, double)> visit) const {
  if (!hasReadableType())
    return false;
  for (int64_t i = 0, e = type.getNumElements(); i < e; ++i)
    if (!visit(i, at(i)))
      break;
  return true;
}

bool ParameterData::isTransposeOf(const ParameterData &other) const {
  if (type.getRank() != 2 || isSplatAttr || other.isSplatAttr)
    return false;
  int64_t rows = type.getDimSize(0), columns = type.getDimSize(1);
  if (other.type !=
      RankedTensorType::get({columns, rows}, type.getElementType()))
    return false;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      if (std::memcmp(bytes.data() + (i * columns + j) * elementBytes,
                      other.bytes.data() + (j * rows + i) * elementBytes,
                      elementBytes) != 0)
        return false;
  return true;
}
