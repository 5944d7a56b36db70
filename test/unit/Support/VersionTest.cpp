#include "mpt/Support/Version.h"

#include "gtest/gtest.h"

#include <string>

TEST(Version, StringIsMajorMinorPatch) {
  EXPECT_EQ(std::string(MPT_VERSION_STRING),
            std::to_string(MPT_VERSION_MAJOR) + "." +
                std::to_string(MPT_VERSION_MINOR) + "." +
                std::to_string(MPT_VERSION_PATCH));
  EXPECT_EQ(std::string(MPT_LLVM_VERSION_STRING).substr(0, 3), "22.");
}
