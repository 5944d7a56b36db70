//===- Schedule.cpp - Runs launches over an arena -------------------------===//

#include "RuntimeError.h"
#include "ThreadPool.h"

#include <algorithm>
#include <cstdlib>
#include <time.h>

namespace {

struct Call {
  mpt_kernel_fn fn;
  void **args;
};

void runChunk(void *context, int64_t chunk, int64_t numChunks) {
  const auto *call = static_cast<const Call *>(context);
  call->fn(call->args, chunk, numChunks);
}

int64_t nowNanoseconds() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

/// The most arguments a launch can have without a place in the pool.
constexpr int32_t inlineArguments = 64;

} // namespace

int32_t mpt_run_schedule_with(mpt_pool *pool, void *arena,
                              const mpt_launch *launches, int64_t numLaunches,
                              const mpt_run_options *options) {
  int32_t mostArguments = 0;
  for (int64_t i = 0; i < numLaunches; ++i)
    mostArguments = std::max(mostArguments, launches[i].numArgs);
  void *inlineStorage[inlineArguments];
  void **arguments = inlineStorage;
  void **temporary = nullptr; // without a pool there is no place to keep it
  if (mostArguments > inlineArguments) {
    void **&kept = pool ? pool->arguments : temporary;
    const int32_t capacity = pool ? pool->argumentCapacity : 0;
    if (mostArguments > capacity) {
      void *grown = std::realloc(kept, static_cast<size_t>(mostArguments) *
                                           sizeof(void *));
      if (!grown) {
        mpt::runtime::setLastError("out of memory for %d arguments",
                                   mostArguments);
        return -1;
      }
      kept = static_cast<void **>(grown);
      if (pool)
        pool->argumentCapacity = mostArguments;
    }
    arguments = kept;
  }

  const int64_t threads = mpt_pool_threads(pool);
  int64_t *nanoseconds = options ? options->nanoseconds : nullptr;
  int64_t start = nanoseconds ? nowNanoseconds() : 0;
  for (int64_t i = 0; i < numLaunches; ++i) {
    const mpt_launch &launch = launches[i];
    for (int32_t k = 0; k < launch.numArgs; ++k)
      arguments[k] = static_cast<char *>(arena) + launch.argOffsets[k];
    Call call{launch.fn, arguments};
    mpt_parallel(pool, runChunk, &call,
                 std::max<int64_t>(1, std::min(threads, launch.maxChunks)));
    if (nanoseconds) {
      const int64_t end = nowNanoseconds();
      nanoseconds[i] += end - start;
      start = end;
    }
    if (options && options->observer) {
      options->observer(options->observerContext, i);
      if (nanoseconds)
        start = nowNanoseconds();
    }
  }
  std::free(temporary);
  return 0;
}

int32_t mpt_run_schedule(mpt_pool *pool, void *arena,
                         const mpt_launch *launches, int64_t numLaunches) {
  return mpt_run_schedule_with(pool, arena, launches, numLaunches, nullptr);
}
