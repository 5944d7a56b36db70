//===- ThreadPool.cpp - Fork-join over a few threads ----------------------===//

#include "ThreadPool.h"
#include "RuntimeError.h"

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <linux/futex.h>
#include <new>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace {

void futexWait(std::atomic<uint32_t> &word, uint32_t expected) {
  static_assert(sizeof(word) == 4, "a futex is 32 bits wide");
  // Interrupted, or the word has changed: the caller looks again anyway.
  (void)syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr,
                nullptr, 0);
}

void futexWake(std::atomic<uint32_t> &word, int count) {
  (void)syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr,
                0);
}

int64_t nowNanoseconds() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

void pauseProcessor() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Waits for `condition` without sleeping, up to `limit` nanoseconds.
template <typename Condition>
bool spinUntil(Condition condition, int64_t limit) {
  if (condition())
    return true;
  if (limit == 0)
    return false;
  const int64_t deadline = nowNanoseconds() + limit;
  do {
    for (int i = 0; i < 32; ++i) {
      pauseProcessor();
      if (condition())
        return true;
    }
  } while (nowNanoseconds() < deadline);
  return false;
}

/// The default floating-point environment while kernels run: a host that has
/// switched flush-to-zero on would lose FP32 subnormals.
class DefaultFloatEnvironment {
public:
#if defined(__x86_64__)
  DefaultFloatEnvironment() : saved(_mm_getcsr()) { _mm_setcsr(0x1F80); }
  ~DefaultFloatEnvironment() { _mm_setcsr(saved); }

private:
  unsigned saved;
#else
  DefaultFloatEnvironment() {}
  ~DefaultFloatEnvironment() {}
#endif
};

int availableProcessors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return std::max(1, CPU_COUNT(&set));
  return std::max(1L, sysconf(_SC_NPROCESSORS_ONLN));
}

} // namespace

//===----------------------------------------------------------------------===//
// Jobs
//===----------------------------------------------------------------------===//

bool mpt_pool::runOneChunk() {
  uint64_t current = ticket.load(std::memory_order_acquire);
  while (true) {
    const uint64_t index = current & closedIndex;
    const mpt_parallel_fn fn = function.load(std::memory_order_relaxed);
    void *const ctx = context.load(std::memory_order_relaxed);
    const int64_t count = numChunks.load(std::memory_order_relaxed);
    const int64_t first = firstChunk.load(std::memory_order_relaxed);
    const int64_t total = totalChunks.load(std::memory_order_relaxed);
    if (index == closedIndex || static_cast<int64_t>(index) >= count)
      return false;
    // Succeeds only if the ticket never left this generation, and then the
    // fields read above belong to it.
    if (!ticket.compare_exchange_weak(current, current + 1,
                                      std::memory_order_acq_rel,
                                      std::memory_order_acquire))
      continue;
    fn(ctx, first + static_cast<int64_t>(index), total);
    if (done.fetch_add(1) + 1 == static_cast<uint64_t>(count) &&
        callerSleeps.load() != 0)
      futexWake(done, 1);
    return true;
  }
}

void mpt_pool::runJob(mpt_parallel_fn fn, void *ctx, int64_t first,
                      int64_t count, int64_t total) {
  function.store(fn, std::memory_order_relaxed);
  context.store(ctx, std::memory_order_relaxed);
  numChunks.store(count, std::memory_order_relaxed);
  firstChunk.store(first, std::memory_order_relaxed);
  totalChunks.store(total, std::memory_order_relaxed);
  done.store(0, std::memory_order_relaxed);
  const uint64_t generation =
      (ticket.load(std::memory_order_relaxed) >> indexBits) + 1;
  ticket.store(generation << indexBits); // opens the job
  if (sleepers.load() != 0) {
    wakeCount.fetch_add(1);
    futexWake(wakeCount,
              static_cast<int>(std::min<int64_t>(count - 1, INT_MAX)));
  }
  while (runOneChunk()) {
  }
  const auto wanted = static_cast<uint32_t>(count);
  auto finished = [&] { return done.load() == wanted; };
  if (!spinUntil(finished, spinNanoseconds)) {
    callerSleeps.store(1);
    for (uint32_t seen = done.load(); seen != wanted; seen = done.load())
      futexWait(done, seen);
    callerSleeps.store(0);
  }
  ticket.store(generation << indexBits | closedIndex,
               std::memory_order_release);
}

void mpt_pool::run(mpt_parallel_fn fn, void *ctx, int64_t chunks) {
  for (int64_t first = 0; first < chunks; first += maxChunksPerJob)
    runJob(fn, ctx, first, std::min(chunks - first, maxChunksPerJob), chunks);
}

void mpt_pool::workerMain() {
  DefaultFloatEnvironment environment;
  while (!stopping.load()) {
    if (runOneChunk())
      continue;
    auto hasWork = [&] {
      const uint64_t current = ticket.load(std::memory_order_acquire);
      const uint64_t index = current & closedIndex;
      return stopping.load(std::memory_order_relaxed) ||
             (index != closedIndex &&
              static_cast<int64_t>(index) <
                  numChunks.load(std::memory_order_relaxed));
    };
    if (spinUntil(hasWork, spinNanoseconds))
      continue;
    // Announced before the last look at the ticket: the caller opens the ticket
    // before it looks for sleepers, so one of the two sees the other.
    sleepers.fetch_add(1);
    const uint32_t seen = wakeCount.load();
    const uint64_t index = ticket.load() & closedIndex;
    if (!stopping.load() && (index == closedIndex ||
                             static_cast<int64_t>(index) >= numChunks.load()))
      futexWait(wakeCount, seen);
    sleepers.fetch_sub(1);
  }
}

//===----------------------------------------------------------------------===//
// C interface
//===----------------------------------------------------------------------===//

mpt_pool *mpt_pool_create(int32_t threads) {
  const int processors = availableProcessors();
  if (threads <= 0)
    threads = processors;
  auto *pool = new (std::nothrow) mpt_pool;
  auto *handles = static_cast<pthread_t *>(
      std::calloc(static_cast<size_t>(threads), sizeof(pthread_t)));
  if (!pool || !handles) {
    delete pool;
    std::free(handles);
    mpt::runtime::setLastError("out of memory for a pool of %d threads",
                               threads);
    return nullptr;
  }
  pool->threads = handles;
  // Spinning threads that outnumber the processors only take time from those
  // that work.
  pool->spinNanoseconds = threads <= processors ? 50'000 : 0;
  auto entry = [](void *argument) -> void * {
    static_cast<mpt_pool *>(argument)->workerMain();
    return nullptr;
  };
  while (pool->numThreads < threads &&
         pthread_create(&handles[pool->numThreads - 1], nullptr, entry, pool) ==
             0)
    ++pool->numThreads;
  return pool;
}

void mpt_pool_destroy(mpt_pool *pool) {
  if (!pool)
    return;
  pool->stopping.store(true);
  pool->wakeCount.fetch_add(1);
  futexWake(pool->wakeCount, INT_MAX);
  for (int32_t i = 0; i + 1 < pool->numThreads; ++i)
    pthread_join(pool->threads[i], nullptr);
  std::free(pool->threads);
  std::free(pool->arguments);
  delete pool;
}

int32_t mpt_pool_threads(const mpt_pool *pool) {
  return pool ? pool->numThreads : 1;
}

void mpt_parallel(mpt_pool *pool, mpt_parallel_fn fn, void *ctx,
                  int64_t numChunks) {
  DefaultFloatEnvironment environment;
  if (!pool || numChunks <= 1 || pool->numThreads == 1 ||
      pool->busy.exchange(true, std::memory_order_acquire)) {
    for (int64_t chunk = 0; chunk < numChunks; ++chunk)
      fn(ctx, chunk, numChunks);
    return;
  }
  pool->run(fn, ctx, numChunks);
  pool->busy.store(false, std::memory_order_release);
}
