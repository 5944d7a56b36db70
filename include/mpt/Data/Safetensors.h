//===- Safetensors.h - Tensors by name in one file --------------*- C++ -*-===//
//
// The exchange format for checkpoints, gradients and dumps: eight bytes with
// the size of a JSON header (little endian), the header, the data.
// Format: https://github.com/huggingface/safetensors#format.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_DATA_SAFETENSORS_H
#define MPT_DATA_SAFETENSORS_H

#include "mpt/Data/FileIO.h"
#include "mpt/Data/HostTensor.h"

#include <map>
#include <unordered_map>

namespace mpt::data {

/// A mapped file. The views point into it and live as long as it does.
class SafetensorsFile {
public:
  /// Opens and checks everything: types, shapes against offsets, offsets
  /// against each other and the file.
  static std::optional<SafetensorsFile> open(const std::string &path,
                                             std::string &error);

  /// In the order of the data in the file.
  const std::vector<TensorView> &tensors() const { return views; }
  const TensorView *find(const std::string &name) const;
  const std::map<std::string, std::string> &metadata() const { return meta; }
  /// Where in the file a tensor's bytes begin.
  uint64_t offsetOf(const TensorView &view) const;

private:
  explicit SafetensorsFile(MappedFile file) : file(std::move(file)) {}

  MappedFile file;
  std::vector<TensorView> views;
  std::unordered_map<std::string, size_t> index;
  std::map<std::string, std::string> meta;
};

/// Writes atomically (see AtomicFileWriter). The tensors are ordered by falling
/// element size and then by name, so that each is aligned and equal contents
/// give equal files. Names must be distinct UTF-8.
bool writeSafetensors(const std::string &path,
                      const std::vector<TensorView> &tensors,
                      const std::map<std::string, std::string> &metadata,
                      std::string &error);

} // namespace mpt::data

#endif // MPT_DATA_SAFETENSORS_H
