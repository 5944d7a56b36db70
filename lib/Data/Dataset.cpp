//===- Dataset.cpp - What mpt-train --data reads --------------------------===//

#include "mpt/Data/Dataset.h"
#include "mpt/Data/FileIO.h"
#include "mpt/Data/Idx.h"
#include "mpt/Data/Npy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace mpt::data {
namespace {

/// The file `stem` or `stem`.gz in a directory, or an empty string.
std::string findIdx(const std::string &directory, const std::string &stem) {
  for (const char *suffix : {"", ".gz"}) {
    std::string path = directory + "/" + stem + suffix;
    if (fileExists(path) && !isDirectory(path))
      return path;
  }
  return {};
}

struct IdxPair {
  std::string images, labels;
  bool complete() const { return !images.empty() && !labels.empty(); }
};

IdxPair findIdxPair(const std::string &directory, Dataset::Split split) {
  const std::string prefix = split == Dataset::Split::Train ? "train" : "t10k";
  return {findIdx(directory, prefix + "-images-idx3-ubyte"),
          findIdx(directory, prefix + "-labels-idx1-ubyte")};
}

int64_t elementsPerSample(const HostTensor &tensor) {
  return tensor.shape[0] == 0 ? 0 : tensor.numElements() / tensor.shape[0];
}

template <typename T> T load(const HostTensor &tensor, int64_t i) {
  T value;
  std::memcpy(&value, tensor.bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

/// The first element for which `isBad` holds, or -1. `isBad` gets an int64_t
/// for integers and a float or a double for floats.
template <typename Predicate>
int64_t findElement(const HostTensor &tensor, Predicate isBad) {
  return dispatch(tensor.dtype, [&](auto tag) -> int64_t {
    using T = decltype(tag);
    for (int64_t i = 0, e = tensor.numElements(); i < e; ++i) {
      if constexpr (std::is_same_v<T, bool>) {
        if (isBad(int64_t(tensor.bytes[i] != 0)))
          return i;
      } else if constexpr (std::is_integral_v<T>) {
        if (isBad(int64_t(load<T>(tensor, i))))
          return i;
      } else if constexpr (std::is_same_v<T, double>) {
        if (isBad(load<T>(tensor, i)))
          return i;
      } else {
        if (isBad(float(load<T>(tensor, i))))
          return i;
      }
    }
    return -1;
  });
}

/// "sample 17" or "sample 17, element 3".
std::string locate(const HostTensor &tensor, int64_t element) {
  const int64_t perSample = elementsPerSample(tensor);
  std::string text = "sample " + std::to_string(element / perSample);
  if (perSample > 1)
    text += ", element " + std::to_string(element % perSample);
  return text;
}

struct Range {
  int64_t min, max;
};
Range integerRange(DType dtype) {
  switch (dtype) {
  case DType::I32:
    return {INT32_MIN, INT32_MAX};
  case DType::I16:
    return {INT16_MIN, INT16_MAX};
  case DType::I8:
    return {INT8_MIN, INT8_MAX};
  case DType::U8:
    return {0, UINT8_MAX};
  case DType::Bool:
    return {0, 1};
  default:
    return {INT64_MIN, INT64_MAX};
  }
}

} // namespace

//===----------------------------------------------------------------------===//
// Opening
//===----------------------------------------------------------------------===//

bool Dataset::add(std::string name, std::string file,
                  std::optional<HostTensor> tensor, std::string &error) {
  if (!tensor)
    return false;
  if (tensor->shape.empty()) {
    error = file + ": is a scalar; the first axis of a data set is the sample";
    return false;
  }
  const int64_t count = tensor->shape[0];
  if (count == 0) {
    error = file + ": has no samples";
    return false;
  }
  if (cols.empty()) {
    samples = count;
  } else if (count != samples) {
    error = file + ": has " + std::to_string(count) + " samples, " +
            cols.front().file + " has " + std::to_string(samples) +
            "; both need the same number";
    return false;
  }
  cols.push_back({std::move(name), std::move(file), std::move(*tensor)});
  return true;
}

bool Dataset::hasTestSplit(const std::string &spec) {
  return isDirectory(spec) && findIdxPair(spec, Split::Test).complete();
}

std::optional<Dataset> Dataset::open(const std::string &spec, Split split,
                                     std::string &error) {
  Dataset dataset;
  dataset.spec = spec;
  auto openPair = [&](const IdxPair &pair) -> std::optional<Dataset> {
    if (!dataset.add("images", pair.images, readIdx(pair.images, error),
                     error) ||
        !dataset.add("labels", pair.labels, readIdx(pair.labels, error), error))
      return std::nullopt;
    return std::move(dataset);
  };

  if (isDirectory(spec)) {
    IdxPair pair = findIdxPair(spec, split);
    if (pair.complete())
      return openPair(pair);
  }
  if (split == Split::Test) {
    error = spec + ": has no test split (the files t10k-images-idx3-ubyte and "
                   "t10k-labels-idx1-ubyte)";
    return std::nullopt;
  }
  if (isDirectory(spec)) {
    std::optional<std::vector<std::string>> names = listDirectory(spec, error);
    if (!names)
      return std::nullopt;
    for (const std::string &name : *names) {
      if (!endsWith(name, ".npy"))
        continue;
      const std::string path = spec + "/" + name;
      if (!dataset.add(name.substr(0, name.size() - 4), path,
                       readNpy(path, error), error))
        return std::nullopt;
    }
    if (!dataset.cols.empty())
      return dataset;
    error = spec + ": the directory holds neither .npy files nor "
                   "train-images-idx3-ubyte and train-labels-idx1-ubyte";
    return std::nullopt;
  }
  if (endsWith(spec, ".npz")) {
    std::optional<NamedTensors> tensors = readNpz(spec, error);
    if (!tensors)
      return std::nullopt;
    for (auto &[name, tensor] : *tensors)
      if (!dataset.add(name, spec + "[" + printable(name) + "]",
                       std::move(tensor), error))
        return std::nullopt;
    if (!dataset.cols.empty())
      return dataset;
    error = spec + ": holds no arrays";
    return std::nullopt;
  }
  const size_t comma = spec.find(',');
  if (comma != std::string::npos)
    return openPair({spec.substr(0, comma), spec.substr(comma + 1)});
  error = spec + (fileExists(spec) ? ": is no data set" : ": does not exist") +
          "; give an IDX pair 'images,labels', an .npz file or a directory of "
          ".npy files";
  return std::nullopt;
}

const Dataset::Column *Dataset::find(const std::string &name) const {
  for (const Column &column : cols)
    if (column.name == name)
      return &column;
  std::string fileName = name;
  std::replace_if(
      fileName.begin(), fileName.end(),
      [](char c) { return c == '/' || c == ':'; }, '_');
  for (const Column &column : cols)
    if (column.name == fileName)
      return &column;
  return nullptr;
}

std::string Dataset::missingColumn(const std::string &name) const {
  std::string list;
  for (const Column &column : cols)
    list += (list.empty() ? "'" : ", '") + printable(column.name) + "'";
  return spec + ": has no array '" + name + "'; it has " + list;
}

//===----------------------------------------------------------------------===//
// Binding and gathering
//===----------------------------------------------------------------------===//

std::optional<Dataset::Binding>
Dataset::bind(const std::string &name, DType dtype,
              const std::vector<int64_t> &sampleShape,
              std::string &error) const {
  const Column *column = find(name);
  if (!column) {
    error = missingColumn(name);
    return std::nullopt;
  }
  auto fail = [&](const std::string &what) {
    error = column->file + ": " + what;
    return std::nullopt;
  };
  const HostTensor &tensor = column->tensor;
  const auto perSample = static_cast<uint64_t>(elementsPerSample(tensor));
  if (checkedNumElements(sampleShape) != perSample)
    return fail("a sample has the shape " +
                shapeString({tensor.shape.begin() + 1, tensor.shape.end()}) +
                ", the input '" + name + "' needs " + shapeString(sampleShape));
  if (isFloat(tensor.dtype)) {
    if (!isFloat(dtype))
      return fail("holds " + std::string(dtypeName(tensor.dtype)) +
                  ", the input '" + name + "' needs " +
                  std::string(dtypeName(dtype)) + "; convert it with astype");
    int64_t bad = findElement(tensor, [](auto v) { return v != v; });
    if (bad >= 0)
      return fail(locate(tensor, bad) +
                  " is NaN; remove the sample or repair the data");
  } else if (!isFloat(dtype) && dtype != tensor.dtype) {
    const Range range = integerRange(dtype);
    int64_t bad = findElement(tensor, [&](auto value) {
      return value < range.min || value > range.max;
    });
    if (bad >= 0)
      return fail(locate(tensor, bad) + " does not fit into the " +
                  std::string(dtypeName(dtype)) + " of the input '" + name +
                  "'");
  }
  Binding binding;
  binding.column = column;
  binding.dtype = dtype;
  binding.elementsPerSample = perSample;
  binding.bytesPerSample = perSample * elementSize(dtype);
  return binding;
}

namespace {

/// Gathers uint8 samples as floats in [0, 1]; the quotient has 256 values.
template <typename T>
void gatherScaled(const Dataset::Binding &binding, const int64_t *indices,
                  int64_t count, T *out) {
  std::array<T, 256> table;
  for (int i = 0; i < 256; ++i)
    table[static_cast<size_t>(i)] = static_cast<T>(i / 255.0);
  const size_t elements = binding.elementsPerSample;
  for (int64_t s = 0; s < count; ++s) {
    const uint8_t *in =
        binding.column->tensor.bytes.data() + indices[s] * elements;
    for (size_t i = 0; i < elements; ++i)
      *out++ = table[in[i]];
  }
}

} // namespace

void Dataset::gather(const Binding &binding, const int64_t *indices,
                     int64_t count, void *out) {
  const HostTensor &tensor = binding.column->tensor;
  if (tensor.dtype == DType::U8 && isFloat(binding.dtype)) {
    dispatch(binding.dtype, [&](auto tag) {
      using T = decltype(tag);
      if constexpr (!std::is_integral_v<T>)
        gatherScaled(binding, indices, count, static_cast<T *>(out));
    });
    return;
  }
  const size_t sourceSize =
      binding.elementsPerSample * elementSize(tensor.dtype);
  auto *target = static_cast<uint8_t *>(out);
  for (int64_t s = 0; s < count; ++s, target += binding.bytesPerSample)
    convertElements(tensor.dtype, tensor.bytes.data() + indices[s] * sourceSize,
                    binding.dtype, target, binding.elementsPerSample);
}

bool Dataset::checkLabels(const std::string &name, int64_t numClasses,
                          std::optional<int64_t> ignoreIndex,
                          std::string &error) const {
  const Column *column = find(name);
  if (!column) {
    error = missingColumn(name);
    return false;
  }
  const HostTensor &tensor = column->tensor;
  if (isFloat(tensor.dtype)) {
    error = column->file + ": holds " + std::string(dtypeName(tensor.dtype)) +
            ", class labels are integers; convert it with astype";
    return false;
  }
  int64_t label = 0;
  int64_t bad = findElement(tensor, [&](auto value) {
    label = static_cast<int64_t>(value);
    return (label < 0 || label >= numClasses) && label != ignoreIndex;
  });
  if (bad < 0)
    return true;
  error = column->file + ": " + locate(tensor, bad) + " has the label " +
          std::to_string(label) + ", outside 0 to " +
          std::to_string(numClasses - 1);
  if (ignoreIndex)
    error += " and not the ignored " + std::to_string(*ignoreIndex);
  error += "; correct the labels or the model's number of classes";
  return false;
}

} // namespace mpt::data
