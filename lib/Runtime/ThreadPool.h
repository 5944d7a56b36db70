//===- ThreadPool.h - Fork-join over a few threads --------------*- C++ -*-===//

#ifndef MPT_LIB_RUNTIME_THREADPOOL_H
#define MPT_LIB_RUNTIME_THREADPOOL_H

#include "mpt/Runtime/mpt_runtime.h"

#include <atomic>
#include <cstdint>
#include <pthread.h>

/// Chunks are claimed from one ticket, (generation << 24 | next chunk): whoever
/// is awake takes the next one, so a thread that the system has put aside
/// delays nobody. A late thread cannot take a chunk of the wrong job, because
/// the ticket it compares with contains the generation.
struct mpt_pool {
  static constexpr int indexBits = 24;
  static constexpr uint64_t closedIndex = (uint64_t(1) << indexBits) - 1;
  static constexpr int64_t maxChunksPerJob = closedIndex - 1;

  // The job. Written only while the ticket is closed; atomic because a late
  // thread may read them then (and fails to claim afterwards).
  std::atomic<mpt_parallel_fn> function{nullptr};
  std::atomic<void *> context{nullptr};
  std::atomic<int64_t> numChunks{0};
  std::atomic<int64_t> firstChunk{0};
  std::atomic<int64_t> totalChunks{0};

  alignas(64) std::atomic<uint64_t> ticket{closedIndex};
  alignas(64) std::atomic<uint32_t> done{0};
  std::atomic<uint32_t> callerSleeps{0};
  alignas(64) std::atomic<uint32_t> wakeCount{0}; // futex of the idle threads
  std::atomic<uint32_t> sleepers{0};
  std::atomic<bool> stopping{false};
  std::atomic<bool> busy{false};

  int32_t numThreads = 1;
  int64_t spinNanoseconds = 0;
  pthread_t *threads = nullptr; // numThreads - 1

  // Scratch of the schedule executor: the pointers of one launch.
  void **arguments = nullptr;
  int32_t argumentCapacity = 0;

  void run(mpt_parallel_fn fn, void *ctx, int64_t chunks);
  void workerMain();

private:
  bool runOneChunk();
  void runJob(mpt_parallel_fn fn, void *ctx, int64_t first, int64_t count,
              int64_t total);
};

#endif // MPT_LIB_RUNTIME_THREADPOOL_H
