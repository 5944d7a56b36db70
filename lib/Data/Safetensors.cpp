//===- Safetensors.cpp - Tensors by name in one file ----------------------===//

#include "mpt/Data/Safetensors.h"

#include <algorithm>
#include <cstring>

// Without exceptions the library aborts where it would throw: input is parsed
// with allow_exceptions = false, and every access below is checked first.
#define JSON_NOEXCEPTION 1
#include <nlohmann/json.hpp>

namespace mpt::data {
namespace {

using Json = nlohmann::json;

/// The limit of the reference implementation.
constexpr uint64_t maxHeaderSize = 100'000'000;

constexpr struct {
  const char *name;
  DType dtype;
} dtypeTable[] = {{"F64", DType::F64}, {"F32", DType::F32},
                  {"F16", DType::F16}, {"BF16", DType::BF16},
                  {"I64", DType::I64}, {"I32", DType::I32},
                  {"I16", DType::I16}, {"I8", DType::I8},
                  {"U8", DType::U8},   {"BOOL", DType::Bool}};

const char *safetensorsName(DType dtype) {
  for (const auto &entry : dtypeTable)
    if (entry.dtype == dtype)
      return entry.name;
  return "F32";
}

/// Reads an array of non-negative integers below 2^63.
bool readIntegers(const Json &json, std::vector<int64_t> &values) {
  if (!json.is_array())
    return false;
  for (const Json &element : json) {
    if (!element.is_number_unsigned() ||
        element.get<uint64_t>() > uint64_t(INT64_MAX))
      return false;
    values.push_back(static_cast<int64_t>(element.get<uint64_t>()));
  }
  return true;
}

/// Fills a view from one entry of the header; returns what is wrong with it.
std::string readEntry(const Json &entry, const uint8_t *data, uint64_t dataSize,
                      TensorView &view) {
  if (!entry.is_object())
    return "is not an object";
  auto dtype = entry.find("dtype");
  auto shape = entry.find("shape");
  auto offsets = entry.find("data_offsets");
  if (dtype == entry.end() || shape == entry.end() || offsets == entry.end())
    return "lacks dtype, shape or data_offsets";
  if (!dtype->is_string())
    return "has no valid dtype";
  const auto &typeName = dtype->get_ref<const std::string &>();
  const auto *known =
      std::find_if(std::begin(dtypeTable), std::end(dtypeTable),
                   [&](const auto &row) { return typeName == row.name; });
  if (known == std::end(dtypeTable))
    return "has the dtype '" + typeName.substr(0, 20) +
           "', which is not supported (F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL"
           " are)";
  view.dtype = known->dtype;
  std::vector<int64_t> range;
  if (!readIntegers(*shape, view.shape))
    return "has no valid shape";
  if (!readIntegers(*offsets, range) || range.size() != 2)
    return "has no valid data_offsets";
  std::optional<uint64_t> byteSize = checkedByteSize(view.dtype, view.shape);
  if (!byteSize)
    return "has the shape " + shapeString(view.shape) + ", which is too large";
  const auto begin = static_cast<uint64_t>(range[0]);
  const auto end = static_cast<uint64_t>(range[1]);
  if (begin > end || end > dataSize)
    return "has data_offsets [" + std::to_string(begin) + ", " +
           std::to_string(end) + "] outside the " + std::to_string(dataSize) +
           " bytes of data";
  if (end - begin != *byteSize)
    return "has the shape " + shapeString(view.shape) + " (" +
           std::to_string(*byteSize) + " bytes) and " +
           std::to_string(end - begin) + " bytes of data";
  view.data = data + begin;
  view.size = *byteSize;
  return {};
}

} // namespace

uint64_t SafetensorsFile::offsetOf(const TensorView &view) const {
  return static_cast<const uint8_t *>(view.data) - file.data();
}

std::optional<SafetensorsFile> SafetensorsFile::open(const std::string &path,
                                                     std::string &error) {
  auto fail = [&](const std::string &what) {
    error = path + ": " + printable(what);
    return std::nullopt;
  };
  std::optional<MappedFile> mapped = MappedFile::open(path, error);
  if (!mapped)
    return std::nullopt;
  SafetensorsFile result(std::move(*mapped));
  const uint8_t *bytes = result.file.data();
  const uint64_t size = result.file.size();
  if (size < 8)
    return fail(
        "truncated: a safetensors file has at least 8 bytes, this one " +
        std::to_string(size));
  uint64_t headerSize = 0;
  for (int i = 0; i < 8; ++i)
    headerSize |= uint64_t(bytes[i]) << (8 * i);
  if (headerSize > maxHeaderSize)
    return fail("not a safetensors file (it would have a header of " +
                std::to_string(headerSize) + " bytes)");
  if (headerSize > size - 8)
    return fail("truncated: the header has " + std::to_string(headerSize) +
                " bytes, the file " + std::to_string(size - 8) +
                " after its size; copy the file again");
  if (headerSize == 0 || bytes[8] != '{')
    return fail("not a safetensors file (its header is not a JSON object)");
  // Nothing in a valid header is nested more than three deep.
  auto shallow = [](int depth, Json::parse_event_t, Json &) {
    return depth <= 3;
  };
  Json header = Json::parse(bytes + 8, bytes + 8 + headerSize, shallow,
                            /*allow_exceptions=*/false);
  if (!header.is_object())
    return fail("header is not valid JSON");

  const uint8_t *data = bytes + 8 + headerSize;
  const uint64_t dataSize = size - 8 - headerSize;
  for (const auto &item : header.items()) {
    if (item.key() == "__metadata__") {
      if (!item.value().is_object())
        return fail("__metadata__ is not a map of strings");
      for (const auto &pair : item.value().items()) {
        if (!pair.value().is_string())
          return fail("__metadata__ is not a map of strings");
        result.meta[pair.key()] = pair.value().get_ref<const std::string &>();
      }
      continue;
    }
    TensorView view;
    view.name = item.key();
    std::string problem = readEntry(item.value(), data, dataSize, view);
    if (!problem.empty())
      return fail("tensor '" + view.name + "' " + problem);
    result.views.push_back(std::move(view));
  }
  std::sort(result.views.begin(), result.views.end(),
            [](const TensorView &a, const TensorView &b) {
              return std::tie(a.data, a.size, a.name) <
                     std::tie(b.data, b.size, b.name);
            });
  const uint8_t *previousEnd = data;
  for (const TensorView &view : result.views) {
    const auto *begin = static_cast<const uint8_t *>(view.data);
    if (view.size != 0 && begin < previousEnd)
      return fail("tensor '" + view.name + "' overlaps another one");
    if (view.size != 0)
      previousEnd = begin + view.size;
  }
  for (size_t i = 0; i < result.views.size(); ++i)
    result.index[result.views[i].name] = i;
  return result;
}

const TensorView *SafetensorsFile::find(const std::string &name) const {
  auto found = index.find(name);
  return found == index.end() ? nullptr : &views[found->second];
}

bool writeSafetensors(const std::string &path,
                      const std::vector<TensorView> &tensors,
                      const std::map<std::string, std::string> &metadata,
                      std::string &error) {
  std::vector<const TensorView *> order;
  order.reserve(tensors.size());
  for (const TensorView &tensor : tensors)
    order.push_back(&tensor);
  std::sort(order.begin(), order.end(),
            [](const TensorView *a, const TensorView *b) {
              const size_t sizeA = elementSize(a->dtype);
              const size_t sizeB = elementSize(b->dtype);
              return sizeA != sizeB ? sizeA > sizeB : a->name < b->name;
            });
  auto fail = [&](const std::string &what) {
    error = path + ": " + printable(what);
    return false;
  };
  Json header = Json::object();
  if (!metadata.empty())
    header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const TensorView *tensor : order) {
    if (checkedByteSize(tensor->dtype, tensor->shape) != tensor->size)
      return fail("tensor '" + tensor->name + "' has " +
                  std::to_string(tensor->size) + " bytes, not the " +
                  shapeString(tensor->shape) + " of its shape");
    if (tensor->name == "__metadata__" || header.contains(tensor->name))
      return fail("two tensors are called '" + tensor->name + "'");
    header[tensor->name] = {
        {"dtype", safetensorsName(tensor->dtype)},
        {"shape", tensor->shape},
        {"data_offsets", {offset, offset + tensor->size}},
    };
    offset += tensor->size;
  }
  std::string text =
      header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  uint8_t length[8];
  for (int i = 0; i < 8; ++i)
    length[i] = static_cast<uint8_t>(uint64_t(text.size()) >> (8 * i));

  AtomicFileWriter writer;
  if (!writer.open(path, error) || !writer.write(length, 8, error) ||
      !writer.write(text.data(), text.size(), error))
    return false;
  for (const TensorView *tensor : order)
    if (!writer.write(tensor->data, tensor->size, error))
      return false;
  return writer.commit(error);
}

} // namespace mpt::data
