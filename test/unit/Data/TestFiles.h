//===- TestFiles.h - Files for the tests of the readers ---------*- C++ -*-===//

#ifndef MPT_TEST_UNIT_DATA_TESTFILES_H
#define MPT_TEST_UNIT_DATA_TESTFILES_H

#include "gtest/gtest.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace mpt::test {

/// A directory that disappears with the test.
class TemporaryDirectory {
public:
  TemporaryDirectory() {
    std::string pattern = ::testing::TempDir() + "mpt-XXXXXX";
    path = ::mkdtemp(pattern.data()) ? pattern : std::string(".");
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (path != ".")
      std::filesystem::remove_all(path, ignored);
  }
  std::string operator/(const std::string &name) const {
    return path + "/" + name;
  }
  std::string path;
};

inline void writeFile(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline size_t countFiles(const std::string &directory) {
  size_t count = 0;
  for (const auto &entry : std::filesystem::directory_iterator(directory)) {
    (void)entry;
    ++count;
  }
  return count;
}

/// A big-endian IDX file.
inline std::string idxFile(uint8_t type, const std::vector<uint32_t> &shape,
                           const std::string &data) {
  std::string bytes{'\0', '\0', static_cast<char>(type),
                    static_cast<char>(shape.size())};
  for (uint32_t dim : shape)
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes += static_cast<char>(dim >> shift);
  return bytes + data;
}

inline void expectOneLine(const std::string &error, const std::string &file,
                          const std::string &what) {
  EXPECT_EQ(error.rfind(file, 0), 0u) << error;
  EXPECT_NE(error.find(what), std::string::npos)
      << error << "\nlacks: " << what;
  EXPECT_EQ(error.find('\n'), std::string::npos) << error;
}

} // namespace mpt::test

#endif // MPT_TEST_UNIT_DATA_TESTFILES_H
