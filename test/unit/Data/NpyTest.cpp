//===- NpyTest.cpp - .npy, .npz and IDX -----------------------------------===//

#include "mpt/Data/Npy.h"
#include "TestFiles.h"
#include "mpt/Data/Idx.h"

#include <zlib.h>

using namespace mpt;
using namespace mpt::data;
using namespace mpt::test;

namespace {

// numpy.savez_compressed(x=arange(6, dtype=float32).reshape(2, 3),
//                        y=array([3, -1])), numpy 2.4.
const unsigned char deflatedNpz[] = {
    0x50, 0x4b, 0x03, 0x04, 0x2d, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00,
    0x21, 0x00, 0x4f, 0xe9, 0x00, 0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0x05, 0x00, 0x14, 0x00, 0x78, 0x2e, 0x6e, 0x70, 0x79, 0x01,
    0x00, 0x10, 0x00, 0x98, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x55,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9b, 0xec, 0x17, 0xea, 0x1b,
    0x10, 0xc9, 0xc8, 0x50, 0xc6, 0x50, 0xad, 0x9e, 0x92, 0x5a, 0x9c, 0x5c,
    0xa4, 0x6e, 0xa5, 0xa0, 0x6e, 0x93, 0x66, 0xa2, 0xae, 0xa3, 0xa0, 0x9e,
    0x96, 0x5f, 0x54, 0x52, 0x94, 0x98, 0x17, 0x9f, 0x5f, 0x94, 0x92, 0x0a,
    0x12, 0x77, 0x4b, 0xcc, 0x29, 0x4e, 0x05, 0x8a, 0x17, 0x67, 0x24, 0x16,
    0xa4, 0x02, 0xf9, 0x1a, 0x46, 0x3a, 0x0a, 0xc6, 0x9a, 0x3a, 0x0a, 0xb5,
    0x0a, 0x64, 0x03, 0x2e, 0x06, 0x30, 0x68, 0xb0, 0x07, 0x12, 0x0e, 0x40,
    0x04, 0xc4, 0x0d, 0x40, 0xbc, 0xc0, 0x01, 0x00, 0x50, 0x4b, 0x03, 0x04,
    0x2d, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x00, 0x67, 0xde,
    0xff, 0x68, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x05, 0x00,
    0x14, 0x00, 0x79, 0x2e, 0x6e, 0x70, 0x79, 0x01, 0x00, 0x10, 0x00, 0x90,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x4a, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x9b, 0xec, 0x17, 0xea, 0x1b, 0x10, 0xc9, 0xc8, 0x50,
    0xc6, 0x50, 0xad, 0x9e, 0x92, 0x5a, 0x9c, 0x5c, 0xa4, 0x6e, 0xa5, 0xa0,
    0x6e, 0x93, 0x69, 0xa1, 0xae, 0xa3, 0xa0, 0x9e, 0x96, 0x5f, 0x54, 0x52,
    0x94, 0x98, 0x17, 0x9f, 0x5f, 0x94, 0x92, 0x0a, 0x12, 0x77, 0x4b, 0xcc,
    0x29, 0x4e, 0x05, 0x8a, 0x17, 0x67, 0x24, 0x16, 0xa4, 0x02, 0xf9, 0x1a,
    0x46, 0x3a, 0x9a, 0x3a, 0x0a, 0xb5, 0x0a, 0x14, 0x00, 0x2e, 0x66, 0x06,
    0x08, 0xf8, 0x0f, 0x05, 0x00, 0x50, 0x4b, 0x01, 0x02, 0x2d, 0x03, 0x2d,
    0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x00, 0x4f, 0xe9, 0x00,
    0x2a, 0x55, 0x00, 0x00, 0x00, 0x98, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x01, 0x00,
    0x00, 0x00, 0x00, 0x78, 0x2e, 0x6e, 0x70, 0x79, 0x50, 0x4b, 0x01, 0x02,
    0x2d, 0x03, 0x2d, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x00,
    0x67, 0xde, 0xff, 0x68, 0x4a, 0x00, 0x00, 0x00, 0x90, 0x00, 0x00, 0x00,
    0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x80, 0x01, 0x8c, 0x00, 0x00, 0x00, 0x79, 0x2e, 0x6e, 0x70, 0x79, 0x50,
    0x4b, 0x05, 0x06, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x02, 0x00, 0x66,
    0x00, 0x00, 0x00, 0x0d, 0x01, 0x00, 0x00, 0x00, 0x00,
};

std::string npyBytes(const std::string &dictionary, const std::string &data) {
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(dictionary.size() & 0xFF);
  bytes += static_cast<char>(dictionary.size() >> 8);
  return bytes + dictionary + data;
}

std::optional<HostTensor> parse(const std::string &bytes, std::string &error) {
  return parseNpy(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size(),
                  "a.npy", error);
}

void expectNpyError(const std::string &bytes, const std::string &what) {
  std::string error;
  EXPECT_FALSE(parse(bytes, error)) << what;
  expectOneLine(error, "a.npy: ", what);
}

TEST(Npy, EveryTypeRoundTrips) {
  TemporaryDirectory directory;
  for (DType dtype :
       {DType::F64, DType::F32, DType::F16, DType::I64, DType::I32, DType::I16,
        DType::I8, DType::U8, DType::Bool}) {
    for (std::vector<int64_t> shape :
         {std::vector<int64_t>{}, {5}, {0}, {2, 3}, {2, 0, 3}, {1, 2, 3, 4}}) {
      HostTensor tensor(dtype, shape);
      for (size_t i = 0; i < tensor.bytes.size(); ++i)
        tensor.bytes[i] = dtype == DType::Bool ? i & 1 : uint8_t(i * 37 + 1);
      std::string error;
      ASSERT_TRUE(writeNpy(directory / "t.npy", tensor, error)) << error;
      std::optional<HostTensor> back = readNpy(directory / "t.npy", error);
      ASSERT_TRUE(back) << error;
      EXPECT_EQ(back->dtype, dtype);
      EXPECT_EQ(back->shape, shape);
      EXPECT_EQ(back->bytes, tensor.bytes);
    }
  }
  EXPECT_EQ(countFiles(directory.path), 1u); // no temporary file is left
}

TEST(Npy, HeaderIsWhatNumpyReads) {
  TemporaryDirectory directory;
  std::string error;
  ASSERT_TRUE(
      writeNpy(directory / "t.npy", HostTensor(DType::F32, {3}), error));
  std::string bytes = readFile(directory / "t.npy");
  ASSERT_EQ(bytes.size(), 128u + 12u);
  EXPECT_EQ(bytes.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_EQ(bytes.substr(10, 59),
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }  ");
  EXPECT_EQ(bytes[127], '\n');
}

TEST(Npy, BigEndianAndVersions) {
  std::string dictionary =
      "{'shape': (2, 1L), 'fortran_order': False, 'descr': '>i2'}\n";
  std::string error;
  std::optional<HostTensor> tensor =
      parse(npyBytes(dictionary, std::string("\x01\x02\xff\xfe", 4)), error);
  ASSERT_TRUE(tensor) << error;
  EXPECT_EQ(tensor->shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(tensor->data<int16_t>()[0], 0x0102);
  EXPECT_EQ(tensor->data<int16_t>()[1], -2);

  std::string version2("\x93NUMPY\x02\x00", 8);
  version2 += static_cast<char>(dictionary.size());
  version2 += std::string("\0\0\0", 3) + dictionary + "abcd";
  EXPECT_TRUE(parse(version2, error)) << error;
}

TEST(Npy, MalformedFilesGiveOneLine) {
  const std::string good =
      npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n",
               "12345678");
  std::string error;
  ASSERT_TRUE(parse(good, error)) << error;
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(parse(good.substr(0, size), error)) << size;
  expectNpyError("", "truncated");
  expectNpyError("PK\x03\x04 something else", "wrong magic");
  expectNpyError(good.substr(0, 40), "truncated: the header");
  expectNpyError(good.substr(0, good.size() - 1),
                 "needs 8 bytes of data, the file has 7");
  expectNpyError(good + "x", "the file has 9");
  auto dictionary = [](const std::string &descr, const std::string &order,
                       const std::string &shape) {
    return npyBytes("{'descr': " + descr + ", 'fortran_order': " + order +
                        ", 'shape': " + shape + "}",
                    "");
  };
  expectNpyError(dictionary("'<f4'", "True", "(2, 3)"), "ascontiguousarray");
  expectNpyError(dictionary("'|O'", "False", "(2,)"), "'|O' is not supported");
  expectNpyError(dictionary("'<c8'", "False", "(2,)"), "astype");
  expectNpyError(dictionary("[('a', '<f4')]", "False", "(2,)"), "structured");
  expectNpyError(dictionary("'<f4'", "False", "(-2,)"), "'shape'");
  expectNpyError(dictionary("'<f4'", "False", "(99999999999999999999,)"),
                 "'shape'");
  expectNpyError(dictionary("'<f8'", "False", "(4294967296, 4294967296)"),
                 "too large");
  expectNpyError(dictionary("'<f8'", "False", "(4611686018427387904,)"),
                 "too large");
  expectNpyError(dictionary("'<f4'", "False", "(4611686018427387904, 4, 0)"),
                 "too large");
  expectNpyError(dictionary("'<f4'", "Maybe", "(2,)"), "fortran_order");
  expectNpyError(npyBytes("{'descr': '<f4'}", ""), "lacks");
  expectNpyError(npyBytes("{'descr' '<f4'}", ""), "malformed");
  expectNpyError(npyBytes("{'a\nb': 1}", ""), "unknown key 'a?b'");
  expectNpyError(npyBytes("[]", ""), "not a dictionary");
  expectNpyError(npyBytes("{'descr': '<f4", ""), "'descr'");
}

TEST(Npy, FilesThatCannotBeOpened) {
  TemporaryDirectory directory;
  std::string error;
  EXPECT_FALSE(readNpy(directory / "absent.npy", error));
  expectOneLine(error, directory / "absent.npy: ", "No such file");
  EXPECT_FALSE(readNpy(directory.path, error));
  expectOneLine(error, directory.path, "not a regular file");
  HostTensor tensor(DType::BF16, {2});
  EXPECT_FALSE(writeNpy(directory / "b.npy", tensor, error));
  expectOneLine(error, directory / "b.npy: ", "numpy has no bfloat16");
  EXPECT_FALSE(writeNpy(directory / "no/b.npy", HostTensor(), error));
  expectOneLine(error, directory / "no/b.npy: ", "cannot create");
}

TEST(Npy, FullDisk) {
  if (!std::filesystem::exists("/dev/full"))
    GTEST_SKIP() << "no /dev/full";
  std::string error;
  EXPECT_FALSE(writeNpy("/dev/full", HostTensor(DType::F32, {4}), error));
  expectOneLine(error, "/dev/full: ", "No space left on device");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

TEST(Npz, ReadsWhatNumpyDeflates) {
  TemporaryDirectory directory;
  writeFile(directory / "z.npz",
            std::string(reinterpret_cast<const char *>(deflatedNpz),
                        sizeof(deflatedNpz)));
  std::string error;
  std::optional<NamedTensors> tensors = readNpz(directory / "z.npz", error);
  ASSERT_TRUE(tensors) << error;
  ASSERT_EQ(tensors->size(), 2u);
  EXPECT_EQ((*tensors)[0].first, "x");
  EXPECT_EQ((*tensors)[0].second.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ((*tensors)[0].second.data<float>()[5], 5.0f);
  EXPECT_EQ((*tensors)[1].first, "y");
  EXPECT_EQ((*tensors)[1].second.data<int64_t>()[1], -1);
}

TEST(Npz, RoundTrip) {
  TemporaryDirectory directory;
  NamedTensors tensors;
  tensors.emplace_back("images", HostTensor(DType::U8, {3, 1000, 1000}));
  tensors.emplace_back("a/b", HostTensor(DType::I64, {}));
  for (size_t i = 0; i < tensors[0].second.bytes.size(); ++i)
    tensors[0].second.bytes[i] = uint8_t(i % 251);
  std::string error;
  ASSERT_TRUE(writeNpz(directory / "r.npz", tensors, error)) << error;
  std::optional<NamedTensors> back = readNpz(directory / "r.npz", error);
  ASSERT_TRUE(back) << error;
  ASSERT_EQ(back->size(), 2u);
  EXPECT_EQ((*back)[0].second.bytes, tensors[0].second.bytes);
  EXPECT_EQ((*back)[1].first, "a/b");
  EXPECT_TRUE((*back)[1].second.shape.empty());
  EXPECT_EQ(countFiles(directory.path), 1u);

  tensors.emplace_back("w", HostTensor(DType::BF16, {1}));
  EXPECT_FALSE(writeNpz(directory / "w.npz", tensors, error));
  expectOneLine(error, directory / "w.npz", "numpy has no bfloat16");
  tensors.back() = {"images", HostTensor()};
  EXPECT_FALSE(writeNpz(directory / "w.npz", tensors, error));
  expectOneLine(error, directory / "w.npz", "'images'");
  EXPECT_EQ(countFiles(directory.path), 1u);
}

TEST(Npz, DamagedArchives) {
  TemporaryDirectory directory;
  std::string good(reinterpret_cast<const char *>(deflatedNpz),
                   sizeof(deflatedNpz));
  const std::string path = directory / "d.npz";
  std::string error;
  writeFile(path, good.substr(0, 200));
  EXPECT_FALSE(readNpz(path, error));
  expectOneLine(error, path, "not a readable .npz archive");
  writeFile(path, "no zip at all");
  EXPECT_FALSE(readNpz(path, error));
  expectOneLine(error, path, "numpy.savez");
  std::string flipped = good;
  flipped[good.find("x.npy") + 40] ^= 0x55; // in the deflated data
  writeFile(path, flipped);
  EXPECT_FALSE(readNpz(path, error));
  expectOneLine(error, path, "entry 'x.npy'");
  EXPECT_FALSE(readNpz(directory / "absent.npz", error));
  expectOneLine(error, directory / "absent.npz", "No such file");
}

TEST(Idx, PlainAndGzip) {
  TemporaryDirectory directory;
  std::string bytes = idxFile(0x08, {2, 2, 3}, "abcdefghijkl");
  writeFile(directory / "i", bytes);
  gzFile gz = gzopen((directory / "i.gz").c_str(), "wb");
  gzwrite(gz, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(gz);
  for (const char *name : {"i", "i.gz"}) {
    std::string error;
    std::optional<HostTensor> tensor = readIdx(directory / name, error);
    ASSERT_TRUE(tensor) << error;
    EXPECT_EQ(tensor->dtype, DType::U8);
    EXPECT_EQ(tensor->shape, (std::vector<int64_t>{2, 2, 3}));
    EXPECT_EQ(tensor->bytes[11], 'l');
  }
  writeFile(directory / "s",
            idxFile(0x0B, {2}, std::string("\x01\x02\0\0", 4)));
  std::string error;
  EXPECT_EQ(readIdx(directory / "s", error)->data<int16_t>()[0], 0x0102);
}

TEST(Idx, MalformedFilesGiveOneLine) {
  TemporaryDirectory directory;
  const std::string path = directory / "i";
  auto expectError = [&](const std::string &bytes, const std::string &what) {
    writeFile(path, bytes);
    std::string error;
    EXPECT_FALSE(readIdx(path, error)) << what;
    expectOneLine(error, path, what);
  };
  expectError("", "truncated");
  expectError(idxFile(0x08, {2, 2}, "").substr(0, 9),
              "truncated in the header");
  expectError(idxFile(0x07, {2}, "ab"), "wrong magic");
  expectError("\x93NUMPY", "wrong magic");
  expectError(idxFile(0x08, {2, 2}, "abc"), "needs 4 bytes");
  expectError(idxFile(0x08, {2, 2}, "abcde"), "more data");
  // A few bytes that claim 16 EiB, and 1 TiB.
  expectError(idxFile(0x08, {0xFFFFFFFF, 0xFFFFFFFF, 2}, "abc"), "too large");
  expectError(idxFile(0x08, {0x10000, 0x10000, 0x100}, "abc"),
              "the file has 3");

  gzFile gz = gzopen(path.c_str(), "wb");
  std::string bytes = idxFile(0x08, {100000}, std::string(100000, 'x'));
  gzwrite(gz, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(gz);
  std::string packed = readFile(path);
  expectError(packed.substr(0, packed.size() - 20), "100000 bytes of data");
  packed[packed.size() - 6] ^= 1; // the checksum
  expectError(packed, "gzip");
}

} // namespace
