//===- Idx.h - The IDX files of MNIST and its relatives ---------*- C++ -*-===//

#ifndef MPT_DATA_IDX_H
#define MPT_DATA_IDX_H

#include "mpt/Data/HostTensor.h"

namespace mpt::data {

/// Reads an IDX file (two zero bytes, a type code, the number of dimensions,
/// the dimensions as big-endian 32-bit integers, the elements big-endian),
/// plain or compressed with gzip. Format: http://yann.lecun.com/exdb/mnist.
std::optional<HostTensor> readIdx(const std::string &path, std::string &error);

} // namespace mpt::data

#endif // MPT_DATA_IDX_H
