//===- BadInputTest.cpp - Files that are no models ------------------------===//

#include "mlir/IR/Diagnostics.h"
#include "mpt/Import/ONNX/ImportONNX.h"

#include "gtest/gtest.h"

#include <filesystem>
#include <fstream>

using namespace mlir;
namespace fs = std::filesystem;

namespace {

class BadInputTest : public testing::Test {
protected:
  void SetUp() override {
    folder = fs::temp_directory_path() /
             ("mpt-bad-input-" + std::to_string(::getpid()));
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string write(const std::string &name, const std::string &bytes) {
    std::ofstream(folder / name, std::ios::binary) << bytes;
    return (folder / name).string();
  }

  /// The one line that the import of a file gives; fails for any other number.
  std::string lineFor(const std::string &path) {
    std::vector<std::string> lines;
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      lines.push_back(diagnostic.str());
      return success();
    });
    EXPECT_FALSE(mpt::importONNX(context, path));
    EXPECT_EQ(lines.size(), 1u);
    if (lines.empty())
      return "";
    EXPECT_EQ(lines[0].find('\n'), std::string::npos);
    EXPECT_EQ(lines[0].find(path), 0u) << lines[0];
    return lines[0];
  }

  fs::path folder;
  MLIRContext context{MLIRContext::Threading::DISABLED};
};

TEST_F(BadInputTest, NoModelAtAll) {
  EXPECT_NE(lineFor((folder / "none.onnx").string()), "");
  EXPECT_NE(lineFor(folder.string()).find("is a directory"), std::string::npos);
  EXPECT_NE(lineFor(write("empty.onnx", "")).find("is empty"),
            std::string::npos);
  EXPECT_NE(lineFor(write("png.onnx", "\x89PNG\r\n\x1a\n0000"))
                .find("is not an ONNX model"),
            std::string::npos);
  EXPECT_NE(lineFor(write("bad.onnxtxt", "agraph (float[N] x) => {"))
                .find("is not textual ONNX"),
            std::string::npos);
}

TEST_F(BadInputTest, EveryPrefixOfAModelIsOneLineOrAModel) {
  const char *path = "/usr/share/libonnx-testdata/data/node/"
                     "test_gemm_default_matrix_bias/model.onnx";
  if (!fs::exists(path))
    GTEST_SKIP() << "libonnx-testdata is not installed";
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  size_t refused = 0;
  for (size_t length = 1; length < bytes.size(); ++length) {
    std::string prefix = write("prefix.onnx", bytes.substr(0, length));
    std::vector<std::string> lines;
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      lines.push_back(diagnostic.str());
      return success();
    });
    auto module = mpt::importONNX(context, prefix);
    EXPECT_EQ(lines.size(), module ? 0u : 1u) << length;
    refused += !module;
  }
  // Cutting off the last fields (the opset imports) leaves a legal message.
  EXPECT_GE(refused, bytes.size() - 40);
}

TEST_F(BadInputTest, EveryFlippedByteIsOneLineOrAModel) {
  const char *path = "/usr/share/libonnx-testdata/data/node/"
                     "test_gemm_default_matrix_bias/model.onnx";
  if (!fs::exists(path))
    GTEST_SKIP() << "libonnx-testdata is not installed";
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  for (size_t i = 0; i < bytes.size(); ++i)
    for (char flip : {'\x01', '\x80', '\x7f'}) {
      std::string changed = bytes;
      changed[i] ^= flip;
      std::string name = write("flipped.onnx", changed);
      std::vector<std::string> lines;
      ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
        lines.push_back(diagnostic.str());
        return success();
      });
      auto module = mpt::importONNX(context, name);
      EXPECT_EQ(lines.size(), module ? 0u : 1u) << i;
      for (const std::string &line : lines)
        EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    }
}

TEST_F(BadInputTest, TestDataThatIsNoTensor) {
  std::string error;
  EXPECT_FALSE(mpt::readTensorProto(write("x.pb", "\xff\xff"), error));
  EXPECT_NE(error.find("holds no tensor"), std::string::npos);
}

} // namespace
