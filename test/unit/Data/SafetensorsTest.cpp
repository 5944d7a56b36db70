//===- SafetensorsTest.cpp ------------------------------------------------===//

#include "mpt/Data/Safetensors.h"
#include "TestFiles.h"
#include "mpt/Data/Npy.h"

using namespace mpt;
using namespace mpt::data;
using namespace mpt::test;

namespace {

std::string withHeader(const std::string &header, const std::string &data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i)
    bytes += static_cast<char>(uint64_t(header.size()) >> (8 * i));
  return bytes + header + data;
}

TEST(Safetensors, EveryTypeRoundTrips) {
  TemporaryDirectory directory;
  const std::string path = directory / "t.safetensors";
  std::vector<HostTensor> tensors;
  std::vector<TensorView> views;
  const DType dtypes[] = {DType::Bool, DType::U8,  DType::I8,  DType::F16,
                          DType::BF16, DType::I16, DType::I32, DType::F32,
                          DType::I64,  DType::F64};
  for (DType dtype : dtypes) {
    HostTensor &tensor =
        tensors.emplace_back(dtype, std::vector<int64_t>{3, 5});
    for (size_t i = 0; i < tensor.bytes.size(); ++i)
      tensor.bytes[i] = dtype == DType::Bool ? i & 1 : uint8_t(i * 11 + 3);
  }
  tensors.emplace_back(DType::F32, std::vector<int64_t>{});
  tensors.emplace_back(DType::F32, std::vector<int64_t>{4, 0});
  for (size_t i = 0; i < tensors.size(); ++i)
    views.push_back(view("layer." + std::to_string(i) + "/w\"é", tensors[i]));
  std::string error;
  ASSERT_TRUE(
      writeSafetensors(path, views, {{"step", "7"}, {"a", "b\n"}}, error))
      << error;
  std::optional<SafetensorsFile> file = SafetensorsFile::open(path, error);
  ASSERT_TRUE(file) << error;
  EXPECT_EQ(file->metadata().at("step"), "7");
  EXPECT_EQ(file->metadata().at("a"), "b\n");
  ASSERT_EQ(file->tensors().size(), tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorView *found = file->find(views[i].name);
    ASSERT_TRUE(found) << i;
    HostTensor back = copy(*found);
    EXPECT_EQ(back.dtype, tensors[i].dtype);
    EXPECT_EQ(back.shape, tensors[i].shape);
    EXPECT_EQ(back.bytes, tensors[i].bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(found->data) %
                  elementSize(found->dtype),
              0u);
  }
  EXPECT_FALSE(file->find("absent"));

  // Equal contents give equal files, in whatever order they are given.
  const std::string first = readFile(path);
  std::reverse(views.begin(), views.end());
  ASSERT_TRUE(
      writeSafetensors(path, views, {{"step", "7"}, {"a", "b\n"}}, error));
  EXPECT_EQ(readFile(path), first);
}

TEST(Safetensors, MalformedFilesGiveOneLine) {
  TemporaryDirectory directory;
  const std::string path = directory / "m.safetensors";
  auto expectError = [&](const std::string &bytes, const std::string &what) {
    writeFile(path, bytes);
    std::string error;
    EXPECT_FALSE(SafetensorsFile::open(path, error)) << what;
    expectOneLine(error, path, what);
  };
  auto entry = [&](const std::string &body) {
    return withHeader("{\"w\":" + body + "}", "12345678");
  };
  const std::string good =
      entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})");
  writeFile(path, good);
  std::string error;
  ASSERT_TRUE(SafetensorsFile::open(path, error)) << error;
  for (size_t size = 0; size < good.size(); ++size) {
    writeFile(path, good.substr(0, size));
    ASSERT_FALSE(SafetensorsFile::open(path, error)) << size;
  }
  expectError("", "truncated");
  expectError(std::string(8, '\xff') + "{}", "not a safetensors file");
  expectError(withHeader("", ""), "not a JSON object");
  expectError(withHeader("[1]", ""), "not a JSON object");
  expectError(withHeader("{\"a\":", ""), "not valid JSON");
  expectError(withHeader("{} {}", ""), "not valid JSON");
  expectError(withHeader("{\"a\":\"\xff\"}", ""), "not valid JSON");
  std::string nested = "{\"a\":" + std::string(1000000, '[');
  expectError(withHeader(nested, ""), "not valid JSON");
  expectError(withHeader("{\"__metadata__\":{\"a\":1}}", ""), "map of strings");
  expectError(entry("3"), "is not an object");
  expectError(entry(R"({"dtype":"F32","shape":[2]})"), "lacks");
  expectError(entry(R"({"dtype":"F9","shape":[2],"data_offsets":[0,8]})"),
              "dtype 'F9'");
  expectError(entry(R"({"dtype":4,"shape":[2],"data_offsets":[0,8]})"),
              "no valid dtype");
  expectError(entry(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"),
              "no valid shape");
  expectError(entry(R"({"dtype":"F32","shape":[2.5],"data_offsets":[0,8]})"),
              "no valid shape");
  expectError(entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0]})"),
              "no valid data_offsets");
  expectError(entry(R"({"dtype":"F32","shape":[3],"data_offsets":[0,12]})"),
              "outside the 8 bytes");
  expectError(entry(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"),
              "outside");
  expectError(entry(R"({"dtype":"F32","shape":[2],"data_offsets":)"
                    R"([18446744073709551608,18446744073709551615]})"),
              "no valid data_offsets");
  expectError(entry(R"({"dtype":"F32","shape":[1],"data_offsets":[0,8]})"),
              "(4 bytes) and 8 bytes");
  expectError(entry(R"({"dtype":"F64","shape":[4294967296,4294967296],)"
                    R"("data_offsets":[0,8]})"),
              "too large");
  expectError(
      withHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                 R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                 "12345678"),
      "overlaps");
  // A name with a line break stays in one line.
  expectError(withHeader("{\"a\\nb\":3}", ""), "'a?b' is not an object");
}

TEST(Safetensors, AFailedWriteKeepsThePreviousFile) {
  TemporaryDirectory directory;
  const std::string path = directory / "c.safetensors";
  HostTensor tensor(DType::F32, {2});
  std::string error;
  ASSERT_TRUE(writeSafetensors(path, {view("w", tensor)}, {}, error)) << error;
  const std::string before = readFile(path);
  EXPECT_FALSE(writeSafetensors(path, {view("w", tensor), view("w", tensor)},
                                {}, error));
  expectOneLine(error, path, "two tensors");
  TensorView wrong = view("w", tensor);
  wrong.shape = {3};
  EXPECT_FALSE(writeSafetensors(path, {wrong}, {}, error));
  expectOneLine(error, path, "8 bytes");
  {
    AtomicFileWriter writer; // given up half way
    ASSERT_TRUE(writer.open(path, error)) << error;
    ASSERT_TRUE(writer.write("half", 4, error)) << error;
  }
  EXPECT_EQ(readFile(path), before);
  EXPECT_EQ(countFiles(directory.path), 1u);
}

TEST(Safetensors, FollowsSymbolicLinksAndReportsAFullDisk) {
  TemporaryDirectory directory;
  HostTensor tensor(DType::F32, {2});
  std::string error;
  writeFile(directory / "real", "old");
  std::filesystem::create_symlink("real", directory / "link");
  ASSERT_TRUE(
      writeSafetensors(directory / "link", {view("w", tensor)}, {}, error))
      << error;
  EXPECT_TRUE(std::filesystem::is_symlink(directory / "link"));
  EXPECT_TRUE(SafetensorsFile::open(directory / "real", error)) << error;
  if (!std::filesystem::exists("/dev/full"))
    GTEST_SKIP() << "no /dev/full";
  EXPECT_FALSE(writeSafetensors("/dev/full", {view("w", tensor)}, {}, error));
  expectOneLine(error, "/dev/full: ", "No space left on device");
}

// Files that numpy and the safetensors package wrote, beside the checkout.
TEST(SharedModels, EveryFileIsReadable) {
  const std::filesystem::path folder =
      std::filesystem::path(MPT_SOURCE_DIR) / ".." / "shared" / "models";
  if (!std::filesystem::is_directory(folder))
    GTEST_SKIP() << "no shared/models beside the checkout";
  int arrays = 0, archives = 0;
  for (const auto &entry :
       std::filesystem::recursive_directory_iterator(folder)) {
    const std::string path = entry.path().string();
    std::string error;
    if (entry.path().extension() == ".npy") {
      std::optional<HostTensor> tensor = readNpy(path, error);
      ASSERT_TRUE(tensor) << error;
      EXPECT_FALSE(tensor->shape.empty()) << path;
      ++arrays;
    } else if (entry.path().extension() == ".safetensors") {
      std::optional<SafetensorsFile> file = SafetensorsFile::open(path, error);
      ASSERT_TRUE(file) << error;
      EXPECT_FALSE(file->tensors().empty()) << path;
      ++archives;
    }
  }
  EXPECT_GT(arrays, 10);
  EXPECT_GT(archives, 10);
}

} // namespace
