//===- NpyFormat.h - What .npy and .npz share -------------------*- C++ -*-===//

#ifndef MPT_LIB_DATA_NPYFORMAT_H
#define MPT_LIB_DATA_NPYFORMAT_H

#include "mpt/Data/Npy.h"

namespace mpt::data {

/// Everything in front of the data of a .npy file.
std::optional<std::string> npyHeader(const HostTensor &tensor,
                                     const std::string &name,
                                     std::string &error);

/// Reverses the bytes of every element.
void swapBytes(std::vector<uint8_t> &bytes, size_t elementSize);

} // namespace mpt::data

#endif // MPT_LIB_DATA_NPYFORMAT_H
