//===- Idx.cpp - The IDX files of MNIST and its relatives -----------------===//

#include "mpt/Data/Idx.h"
#include "NpyFormat.h"
#include "mpt/Data/FileIO.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <zlib.h>

namespace mpt::data {
namespace {

struct CloseGz {
  void operator()(gzFile file) const { gzclose_r(file); }
};

std::optional<DType> idxType(uint8_t code) {
  switch (code) {
  case 0x08:
    return DType::U8;
  case 0x09:
    return DType::I8;
  case 0x0B:
    return DType::I16;
  case 0x0C:
    return DType::I32;
  case 0x0D:
    return DType::F32;
  case 0x0E:
    return DType::F64;
  default:
    return std::nullopt;
  }
}

} // namespace

std::optional<HostTensor> readIdx(const std::string &path, std::string &error) {
  auto fail = [&](const std::string &what) {
    error = path + ": " + what;
    return std::nullopt;
  };
  // For a plain message about a missing file or a directory.
  if (!MappedFile::open(path, error))
    return std::nullopt;
  // gzopen reads plain files as they are.
  std::unique_ptr<gzFile_s, CloseGz> file(gzopen(path.c_str(), "rbe"));
  if (!file)
    return fail(std::string("cannot open: ") + std::strerror(errno));
  gzbuffer(file.get(), 1 << 18);
  auto gzProblem = [&] {
    int code = Z_OK;
    const char *text = gzerror(file.get(), &code);
    return code == Z_OK ? std::string("truncated")
                        : "damaged gzip data: " + std::string(text);
  };

  uint8_t start[4];
  if (gzread(file.get(), start, 4) != 4)
    return fail(gzProblem() + "; an IDX file has at least 4 bytes");
  std::optional<DType> dtype = idxType(start[2]);
  if (start[0] != 0 || start[1] != 0 || !dtype)
    return fail("not an IDX file (wrong magic)");
  HostTensor tensor;
  tensor.dtype = *dtype;
  for (unsigned i = 0; i < start[3]; ++i) {
    uint8_t dim[4];
    if (gzread(file.get(), dim, 4) != 4)
      return fail(gzProblem() + " in the header; copy the file again");
    tensor.shape.push_back(int64_t(dim[0]) << 24 | int64_t(dim[1]) << 16 |
                           int64_t(dim[2]) << 8 | int64_t(dim[3]));
  }
  std::optional<uint64_t> byteSize = checkedByteSize(*dtype, tensor.shape);
  if (!byteSize)
    return fail("shape " + shapeString(tensor.shape) + " is too large");

  // In growing pieces: the header alone could claim any size.
  uint64_t filled = 0;
  while (filled < *byteSize) {
    uint64_t wanted =
        std::min(*byteSize, std::max(uint64_t(1) << 20, 2 * uint64_t(filled)));
    if (wanted > tensor.bytes.size() && !resizeBytes(tensor.bytes, wanted))
      return fail("not enough memory for " + std::to_string(*byteSize) +
                  " bytes");
    unsigned piece = static_cast<unsigned>(
        std::min<uint64_t>(tensor.bytes.size() - filled, 1u << 30));
    int got = gzread(file.get(), tensor.bytes.data() + filled, piece);
    if (got <= 0)
      return fail(gzProblem() + ": shape " + shapeString(tensor.shape) +
                  " needs " + std::to_string(*byteSize) +
                  " bytes of data, the file has " + std::to_string(filled) +
                  "; copy the file again");
    filled += static_cast<uint64_t>(got);
  }
  tensor.bytes.resize(*byteSize);
  // Reading past the end makes zlib compare the checksum.
  uint8_t extra;
  int atEnd = gzread(file.get(), &extra, 1);
  int code = Z_OK;
  gzerror(file.get(), &code);
  if (atEnd > 0)
    return fail("has more data than its shape " + shapeString(tensor.shape) +
                " needs; copy the file again");
  if (atEnd < 0 || code != Z_OK)
    return fail(gzProblem() + "; copy the file again");
  if (elementSize(*dtype) > 1)
    swapBytes(tensor.bytes, elementSize(*dtype));
  return tensor;
}

} // namespace mpt::data
