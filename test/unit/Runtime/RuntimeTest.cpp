//===- RuntimeTest.cpp - Thread pool, arena and schedules -----------------===//

#include "mpt/Runtime/mpt_runtime.h"

#include "gtest/gtest.h"

#include <atomic>
#include <cstring>
#include <limits>
#include <memory>
#include <thread>
#include <vector>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

extern "C" int32_t mptRuntimeAbiVersionSeenFromC(void);

namespace {

struct PoolDeleter {
  void operator()(mpt_pool *pool) const { mpt_pool_destroy(pool); }
};
using Pool = std::unique_ptr<mpt_pool, PoolDeleter>;
Pool makePool(int32_t threads) { return Pool(mpt_pool_create(threads)); }

struct ArenaDeleter {
  void operator()(void *arena) const { mpt_arena_destroy(arena); }
};
using Arena = std::unique_ptr<void, ArenaDeleter>;

TEST(Runtime, HeaderAndLibraryAgree) {
  EXPECT_EQ(mptRuntimeAbiVersionSeenFromC(), MPT_RUNTIME_ABI_VERSION);
}

//===----------------------------------------------------------------------===//
// Thread pool
//===----------------------------------------------------------------------===//

class ThreadPoolTest : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest,
                         ::testing::Values(1, 2, 3, 8));

TEST_P(ThreadPoolTest, EveryChunkRunsOnce) {
  Pool pool = makePool(GetParam());
  ASSERT_TRUE(pool);
  EXPECT_EQ(mpt_pool_threads(pool.get()), GetParam());
  for (int64_t chunks : {0, 1, 2, 3, 7, 1000}) {
    std::vector<std::atomic<int>> count(static_cast<size_t>(chunks));
    mpt_parallel(
        pool.get(),
        [](void *ctx, int64_t chunk, int64_t numChunks) {
          auto &count = *static_cast<std::vector<std::atomic<int>> *>(ctx);
          EXPECT_EQ(static_cast<size_t>(numChunks), count.size());
          ++count[static_cast<size_t>(chunk)];
        },
        &count, chunks);
    for (auto &c : count)
      EXPECT_EQ(c, 1);
  }
}

// Plain memory, no atomics: what one job writes, the next one sees, also when
// it runs on other threads. Pauses between jobs let the threads fall asleep.
TEST_P(ThreadPoolTest, ManyJobsInARowSeeEachOthersWrites) {
  Pool pool = makePool(GetParam());
  struct State {
    int64_t values[16];
  } state = {};
  for (int job = 0; job < 20000; ++job) {
    mpt_parallel(
        pool.get(),
        [](void *ctx, int64_t chunk, int64_t numChunks) {
          auto *values = static_cast<State *>(ctx)->values;
          for (int64_t i = chunk; i < 16; i += numChunks)
            ++values[i];
        },
        &state, 1 + job % 5);
    if (job % 4000 == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  for (int64_t value : state.values)
    EXPECT_EQ(value, 20000);
}

TEST(ThreadPool, NestedAndConcurrentCallsRunTheirChunksThemselves) {
  Pool pool = makePool(2);
  struct State {
    mpt_pool *pool;
    std::atomic<int> count{0};
  } state{pool.get()};
  auto outer = [](void *ctx, int64_t, int64_t) {
    mpt_parallel(
        static_cast<State *>(ctx)->pool,
        [](void *ctx, int64_t, int64_t) { ++static_cast<State *>(ctx)->count; },
        ctx, 5);
  };
  mpt_parallel(pool.get(), outer, &state, 4);
  EXPECT_EQ(state.count, 20);
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i)
      mpt_parallel(pool.get(), outer, &state, 2);
  });
  for (int i = 0; i < 1000; ++i)
    mpt_parallel(pool.get(), outer, &state, 2);
  other.join();
  EXPECT_EQ(state.count, 20 + 2 * 1000 * 10);
}

TEST(ThreadPool, MoreChunksThanOneTicketHolds) {
  Pool pool = makePool(2);
  std::atomic<int64_t> sum{0};
  const int64_t chunks = (int64_t(1) << 24) + 3;
  mpt_parallel(
      pool.get(),
      [](void *ctx, int64_t chunk, int64_t) {
        if (chunk % 1000003 == 0 || chunk > (int64_t(1) << 24))
          static_cast<std::atomic<int64_t> *>(ctx)->fetch_add(chunk);
      },
      &sum, chunks);
  int64_t want = (chunks - 1) + (chunks - 2);
  for (int64_t i = 0; i < chunks - 2; i += 1000003)
    want += i;
  EXPECT_EQ(sum, want);
}

TEST(ThreadPool, WithoutAPoolTheCallerWorks) {
  int64_t count = 0;
  mpt_parallel(
      nullptr,
      [](void *ctx, int64_t, int64_t) { ++*static_cast<int64_t *>(ctx); },
      &count, 3);
  EXPECT_EQ(count, 3);
  mpt_pool_destroy(nullptr);
}

#if defined(__x86_64__)
TEST(ThreadPool, SubnormalsAreKeptWhateverTheHostSet) {
  const unsigned saved = _mm_getcsr();
  _mm_setcsr(saved | 0x8040); // flush to zero, denormals are zero
  Pool pool = makePool(2);    // the threads inherit the host's setting
  std::atomic<int> flushed{0};
  for (int i = 0; i < 100; ++i)
    mpt_parallel(
        pool.get(),
        [](void *ctx, int64_t, int64_t) {
          volatile float tiny = std::numeric_limits<float>::min();
          volatile float half = tiny * 0.5f;
          if (half == 0.0f)
            ++*static_cast<std::atomic<int> *>(ctx);
        },
        &flushed, 4);
  EXPECT_EQ(_mm_getcsr() & 0x8040, 0x8040u); // the host's own is restored
  _mm_setcsr(saved);
  EXPECT_EQ(flushed, 0);
}
#endif

//===----------------------------------------------------------------------===//
// Arena
//===----------------------------------------------------------------------===//

TEST(Arena, AlignedAndZero) {
  Pool pool = makePool(2);
  for (int64_t size : {0, 1, 64, 1000, 2 << 20, (5 << 20) + 1}) {
    Arena arena(mpt_arena_create(pool.get(), size));
    ASSERT_TRUE(arena) << size;
    const auto address = reinterpret_cast<uintptr_t>(arena.get());
    EXPECT_EQ(address % (size >= 2 << 20 ? 2 << 20 : 64), 0u) << size;
    const auto *bytes = static_cast<const char *>(arena.get());
    for (int64_t i = 0; i < size; ++i)
      ASSERT_EQ(bytes[i], 0) << i;
  }
}

TEST(Arena, ImpossibleSizesAreErrors) {
  EXPECT_FALSE(mpt_arena_create(nullptr, -1));
  EXPECT_STREQ(mpt_last_error(), "an arena cannot have -1 bytes");
  EXPECT_FALSE(mpt_arena_create(nullptr, INT64_MAX));
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer) &&     \
    !__has_feature(thread_sanitizer)
  // The sanitizers' allocator ends the process here.
  EXPECT_FALSE(mpt_arena_create(nullptr, int64_t(1) << 55));
  EXPECT_NE(std::string(mpt_last_error()).find("not enough memory"),
            std::string::npos);
#endif
}

//===----------------------------------------------------------------------===//
// Schedules
//===----------------------------------------------------------------------===//

// args: input, output; 1000 floats each.
constexpr int64_t elements = 1000;
void addOne(void **args, int64_t chunk, int64_t numChunks) {
  const auto *in = static_cast<const float *>(args[0]);
  auto *out = static_cast<float *>(args[1]);
  for (int64_t i = elements * chunk / numChunks;
       i < elements * (chunk + 1) / numChunks; ++i)
    out[i] = in[i] + 1;
}
void countChunks(void **args, int64_t chunk, int64_t numChunks) {
  static_cast<int64_t *>(args[0])[chunk] = numChunks;
}
void firstOfMany(void **args, int64_t, int64_t) {
  *static_cast<float *>(args[99]) = *static_cast<float *>(args[0]) + 5;
}

TEST(Schedule, RunsInOrderOverTheArena) {
  for (int threads : {1, 2, 4}) {
    Pool pool = makePool(threads);
    Arena arena(mpt_arena_create(pool.get(), 1 << 16));
    const int64_t forward[] = {0, 4096}, back[] = {4096, 0};
    std::vector<mpt_launch> launches;
    for (int i = 0; i < 100; ++i)
      launches.push_back(
          {addOne, i % 2 ? back : forward, 2, i % 3 ? 64 : 1, "add"});
    std::vector<int64_t> times(launches.size(), 0);
    int64_t observed = 0;
    mpt_run_options options = {times.data(),
                               [](void *ctx, int64_t launch) {
                                 EXPECT_EQ((*static_cast<int64_t *>(ctx))++,
                                           launch);
                               },
                               &observed};
    ASSERT_EQ(mpt_run_schedule_with(pool.get(), arena.get(), launches.data(),
                                    100, &options),
              0);
    EXPECT_EQ(observed, 100);
    for (int64_t time : times)
      EXPECT_GT(time, 0);
    for (int64_t i = 0; i < elements; ++i)
      ASSERT_EQ(static_cast<float *>(arena.get())[i], 100.0f);
  }
}

TEST(Schedule, ChunksDependOnThreadsAndLaunchOnly) {
  Pool pool = makePool(3);
  Arena arena(mpt_arena_create(pool.get(), 4096));
  auto *counts = static_cast<int64_t *>(arena.get());
  const int64_t offset[] = {0};
  for (auto [maxChunks, want] :
       {std::pair<int64_t, int64_t>(2, 2), {100, 3}, {1, 1}, {0, 1}, {-5, 1}}) {
    std::memset(arena.get(), 0, 4096);
    mpt_launch launch{countChunks, offset, 1, maxChunks, "count"};
    ASSERT_EQ(mpt_run_schedule(pool.get(), arena.get(), &launch, 1), 0);
    for (int64_t i = 0; i < 8; ++i)
      EXPECT_EQ(counts[i], i < want ? want : 0) << maxChunks;
  }
}

TEST(Schedule, ManyArguments) {
  Pool pool = makePool(2);
  Arena arena(mpt_arena_create(pool.get(), 4096));
  std::vector<int64_t> offsets(100, 0);
  offsets[99] = 1024;
  mpt_launch launch{firstOfMany, offsets.data(), 100, 1, "many"};
  ASSERT_EQ(mpt_run_schedule(pool.get(), arena.get(), &launch, 1), 0);
  ASSERT_EQ(mpt_run_schedule(nullptr, arena.get(), &launch, 1), 0);
  EXPECT_EQ(static_cast<float *>(arena.get())[256], 5.0f);
  EXPECT_EQ(mpt_run_schedule(pool.get(), arena.get(), nullptr, 0), 0);
}

} // namespace
