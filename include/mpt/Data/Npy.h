//===- Npy.h - numpy's .npy and .npz files ----------------------*- C++ -*-===//
//
// Format: numpy.lib.format, versions 1.0 to 3.0. Read and written: bool, int8
// to int64, uint8, float16 to float64; either byte order is read, the native
// one written. Arrays in Fortran order, of objects and of records are refused.
// An .npz is a zip archive of .npy files, stored or deflated.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_DATA_NPY_H
#define MPT_DATA_NPY_H

#include "mpt/Data/HostTensor.h"

#include <utility>

namespace mpt::data {

std::optional<HostTensor> readNpy(const std::string &path, std::string &error);

/// Reads an array from memory; `name` is what messages call it.
std::optional<HostTensor> parseNpy(const uint8_t *data, size_t size,
                                   const std::string &name, std::string &error);

/// Writes atomically. BF16 is refused: numpy has no such type (convert first).
bool writeNpy(const std::string &path, const HostTensor &tensor,
              std::string &error);

using NamedTensors = std::vector<std::pair<std::string, HostTensor>>;

/// The arrays of an archive in its order, names without ".npy".
std::optional<NamedTensors> readNpz(const std::string &path,
                                    std::string &error);

/// Writes atomically, not compressed.
bool writeNpz(const std::string &path, const NamedTensors &tensors,
              std::string &error);

} // namespace mpt::data

#endif // MPT_DATA_NPY_H
