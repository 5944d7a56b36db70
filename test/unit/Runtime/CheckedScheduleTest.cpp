//===- CheckedScheduleTest.cpp - Kernels that break the memory plan -------===//
//
// Each test runs hand-written kernels over an arena of 4096 bytes with tensors
// of 64 floats at A, B, C ... and looks at what the checker says.
//
//===----------------------------------------------------------------------===//

#include "mpt/Runtime/mpt_runtime.h"

#include "gtest/gtest.h"

#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr int64_t A = 0, B = 256, C = 512, D = 1024;
constexpr int64_t size = 256; // 64 floats
constexpr int64_t arenaSize = 4096;

void addKernel(void **args, int64_t chunk, int64_t numChunks) {
  const auto *x = static_cast<const float *>(args[0]);
  const auto *y = static_cast<const float *>(args[1]);
  auto *out = static_cast<float *>(args[2]);
  for (int64_t i = 64 * chunk / numChunks; i < 64 * (chunk + 1) / numChunks;
       ++i)
    out[i] = x[i] + y[i];
}
void copyKernel(void **args, int64_t chunk, int64_t) {
  if (chunk == 0)
    std::memcpy(args[1], args[0], size);
}
void incrementKernel(void **args, int64_t chunk, int64_t) {
  if (chunk == 0)
    for (int i = 0; i < 64; ++i)
      static_cast<float *>(args[0])[i] += 1;
}
void copyOneTooMany(void **args, int64_t chunk, int64_t) {
  if (chunk == 0)
    std::memcpy(args[1], args[0], size + 1);
}
void copyOneTooFew(void **args, int64_t chunk, int64_t) {
  if (chunk == 0)
    std::memcpy(args[1], args[0], size - 1);
}
void copyAndClearInput(void **args, int64_t chunk, int64_t) {
  copyKernel(args, chunk, 1);
  if (chunk == 0)
    static_cast<float *>(args[0])[63] = 0;
}
// Sees the neighbour in front of its input.
void copyWithHalo(void **args, int64_t chunk, int64_t) {
  copyKernel(args, chunk, 1);
  if (chunk == 0)
    static_cast<float *>(args[1])[0] += static_cast<float *>(args[0])[-1];
}
// Loads the neighbour, as a masked vector load does, but does not use it.
void copyWithUnusedHalo(void **args, int64_t chunk, int64_t) {
  if (chunk == 0) {
    volatile float unused = static_cast<float *>(args[0])[64];
    (void)unused;
  }
  copyKernel(args, chunk, 1);
}

class CheckedScheduleTest : public ::testing::Test {
protected:
  void SetUp() override {
    pool = mpt_pool_create(2);
    arena = mpt_arena_create(pool, arenaSize);
    for (int64_t i = 0; i < arenaSize / 4; ++i)
      floats()[i] = float(i);
  }
  void TearDown() override {
    mpt_arena_destroy(arena);
    mpt_pool_destroy(pool);
  }
  float *floats() { return static_cast<float *>(arena); }

  void add(const char *name, mpt_kernel_fn fn, std::vector<int64_t> offsets,
           std::vector<mpt_access> accesses, std::vector<mpt_range> dead = {}) {
    rows.push_back(
        {name, fn, std::move(offsets), std::move(accesses), std::move(dead)});
  }

  std::vector<std::string> check(std::vector<mpt_range> live) {
    std::vector<mpt_launch> launches;
    std::vector<mpt_launch_check> checks;
    for (const Row &row : rows) {
      launches.push_back({row.fn, row.offsets.data(),
                          int32_t(row.offsets.size()), 4, row.name});
      checks.push_back({row.accesses.data(), int32_t(row.accesses.size()),
                        row.dead.data(), int32_t(row.dead.size())});
    }
    std::vector<std::string> messages;
    result = mpt_check_schedule(
        pool, arena, arenaSize, launches.data(), checks.data(),
        int64_t(launches.size()), live.data(), int64_t(live.size()),
        [](void *ctx, int64_t, const char *message) {
          static_cast<std::vector<std::string> *>(ctx)->push_back(message);
        },
        &messages);
    EXPECT_EQ(result, result < 0 ? -1 : int64_t(messages.size()));
    return messages;
  }

  void expectOne(const std::vector<std::string> &messages,
                 const std::string &text) {
    ASSERT_EQ(messages.size(), 1u)
        << (messages.empty() ? "" : messages.front() + "\n" + messages.back());
    EXPECT_EQ(messages.front(), text);
  }

  struct Row {
    const char *name;
    mpt_kernel_fn fn;
    std::vector<int64_t> offsets;
    std::vector<mpt_access> accesses;
    std::vector<mpt_range> dead;
  };
  std::vector<Row> rows;
  mpt_pool *pool = nullptr;
  void *arena = nullptr;
  int64_t result = 0;
};

mpt_access read(int64_t offset) { return {offset, size, MPT_ACCESS_READ}; }
mpt_access write(int64_t offset) { return {offset, size, MPT_ACCESS_WRITE}; }

TEST_F(CheckedScheduleTest, AGoodScheduleGivesTheSameResults) {
  std::vector<float> before(floats(), floats() + arenaSize / 4);
  add("add", addKernel, {A, B, C}, {read(A), read(B), write(C)}, {{B, size}});
  add("copy", copyWithUnusedHalo, {C, B}, {read(C), write(B)}, {{C, size}});
  add("increment", incrementKernel, {A}, {{A, size, MPT_ACCESS_READ_WRITE}});
  add("add in place", addKernel, {A, B, A}, {read(A), read(B), write(A)});
  // Two launches fill one tensor (a concatenation).
  add("left", copyKernel, {A, D}, {read(A), write(D)});
  add("right", copyKernel, {B, D + size}, {read(B), write(D + size)});
  add("both", copyKernel, {D + size / 2, C},
      {{D, 2 * size, MPT_ACCESS_READ}, write(C)});
  EXPECT_EQ(check({{A, size}, {B, size}}), std::vector<std::string>{});
  EXPECT_EQ(result, 0);
  for (int i = 0; i < 64; ++i) {
    const float sum = before[i] + before[64 + i];
    EXPECT_EQ(floats()[i], before[i] + 1 + sum);
    EXPECT_EQ(floats()[64 + i], sum);
  }
}

TEST_F(CheckedScheduleTest, AByteBehindTheOutput) {
  add("greedy", copyOneTooMany, {A, C}, {read(A), write(C)});
  add("good", copyKernel, {A, B}, {read(A), write(B)});
  expectOne(check({{A, size}}), "launch 0 'greedy' writes byte 768, which is "
                                "outside of its outputs");
}

TEST_F(CheckedScheduleTest, AByteOfALiveNeighbour) {
  add("greedy", copyOneTooMany, {C, A}, {read(C), write(A)});
  expectOne(check({{B, size}, {C, size}}),
            "launch 0 'greedy' writes byte 256, which is outside of its "
            "outputs");
  EXPECT_EQ(floats()[64], 64.0f); // the neighbour is kept
}

TEST_F(CheckedScheduleTest, AnInputIsModified) {
  add("destructive", copyAndClearInput, {A, C}, {read(A), write(C)});
  // The two low bytes of 63.0f are zero already.
  expectOne(check({{A, size}}),
            "launch 0 'destructive' writes byte 254, which is "
            "outside of its outputs (it is one of its inputs)");
}

TEST_F(CheckedScheduleTest, AnOutputIsNotFinished) {
  add("lazy", copyOneTooFew, {A, C}, {read(A), write(C)});
  expectOne(check({{A, size}}),
            "launch 0 'lazy' leaves byte 767 of its outputs unwritten");
}

TEST_F(CheckedScheduleTest, AnUndeclaredReadOfALiveNeighbour) {
  add("curious", copyWithHalo, {B, C}, {read(B), write(C)});
  expectOne(check({{A, size}, {B, size}}),
            "launch 0 'curious' writes byte 512 depending on bytes that it "
            "does not declare as read (a dead or foreign range, or none)");
}

TEST_F(CheckedScheduleTest, AReadOfADeadRange) {
  add("last reader", copyKernel, {A, B}, {read(A), write(B)}, {{A, size}});
  add("too late", copyKernel, {A, C}, {read(A), write(C)});
  expectOne(check({{A, size}}),
            "launch 1 'too late' reads bytes 0 to 256, of which byte 0 has no "
            "live owner");
  // What it read was NaN.
  EXPECT_NE(floats()[C / 4], floats()[C / 4]);
}

TEST_F(CheckedScheduleTest, AReadOfARangeThatIsPartlyDead) {
  add("tail", copyKernel, {A, B}, {read(A), write(B)}, {{A + 128, 8}});
  add("reader", copyKernel, {A, C}, {read(A), write(C)});
  expectOne(check({{A, size}}),
            "launch 1 'reader' reads bytes 0 to 256, of which byte 128 has no "
            "live owner");
}

TEST_F(CheckedScheduleTest, AnUndeclaredReadOfADeadRange) {
  add("last reader", copyKernel, {A, C}, {read(A), write(C)}, {{A, size}});
  add("curious", copyWithHalo, {B, D}, {read(B), write(D)});
  std::vector<std::string> messages = check({{A, size}, {B, size}});
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(
      messages[0].rfind("launch 1 'curious' writes byte 1024 depending", 0), 0u)
      << messages[0];
}

TEST_F(CheckedScheduleTest, TwoTensorsInOnePlace) {
  add("first", copyKernel, {A, C}, {read(A), write(C)});
  add("second", copyKernel, {A, C + 128}, {read(A), write(C + 128)});
  expectOne(check({{A, size}}),
            "launch 1 'second' writes bytes 640 to 896, but byte 640 is alive "
            "and belongs to 'first'");
}

TEST_F(CheckedScheduleTest, AParameterIsOverwritten) {
  add("copy", copyKernel, {B, A}, {read(B), write(A)});
  expectOne(check({{A, size}, {B, size}}),
            "launch 0 'copy' writes bytes 0 to 256, but byte 0 is alive and "
            "belongs to 'the data before the schedule'");
}

TEST_F(CheckedScheduleTest, MalformedTablesAreErrors) {
  auto expectError = [&](const std::string &text) {
    check({});
    EXPECT_EQ(result, -1);
    EXPECT_EQ(mpt_last_error(), text);
    rows.clear();
  };
  add("k", copyKernel, {A, B}, {{A, size, 0}});
  expectError("launch 0 'k': access 0 is malformed");
  add("k", copyKernel, {A, B}, {{arenaSize, 1, MPT_ACCESS_READ}});
  expectError("launch 0 'k': access 0 is malformed");
  add("k", copyKernel, {A, B}, {{8, INT64_MAX, MPT_ACCESS_READ}});
  expectError("launch 0 'k': access 0 is malformed");
  add("k", copyKernel, {A, -1}, {});
  expectError("launch 0 'k': argument 1 lies outside of the arena");
  add("k", copyKernel, {A, B}, {}, {{-1, 4}});
  expectError("launch 0 'k': dead range 0 is malformed");
  EXPECT_EQ(check({{0, arenaSize + 1}}), std::vector<std::string>{});
  EXPECT_EQ(result, -1);
}

} // namespace
