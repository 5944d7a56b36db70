/*===- mpt_runtime.h - The runtime of compiled steps ---------------*- C
 * -*-===//
 *
 * The C ABI that JIT-compiled and ahead-of-time compiled steps share: a thread
 * pool, an arena and an executor for schedules. Knows neither MLIR nor LLVM,
 * throws nothing, ends no process.
 *
 * A schedule is an array of launches. A launch calls one kernel with pointers
 * into the arena, split into chunks that run in parallel; the next launch
 * starts when all chunks have ended. The number of chunks depends on the pool's
 * number of threads alone, so a schedule gives the same bits every time for a
 * fixed number of threads, whatever thread runs which chunk.
 *
 * Functions that can fail return NULL or a negative number and leave one line
 * in mpt_last_error().
 *
 *===----------------------------------------------------------------------===*/

#ifndef MPT_RUNTIME_MPT_RUNTIME_H
#define MPT_RUNTIME_MPT_RUNTIME_H

#include <stdint.h>

#if defined(__GNUC__)
#define MPT_RUNTIME_API __attribute__((visibility("default")))
#else
#define MPT_RUNTIME_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Changes when a structure or the meaning of a function below changes. */
#define MPT_RUNTIME_ABI_VERSION 1
MPT_RUNTIME_API int32_t mpt_runtime_abi_version(void);

/* What went wrong last on this thread; an empty string if nothing did. Valid
 * until the next failure on this thread. */
MPT_RUNTIME_API const char *mpt_last_error(void);

/*===----------------------------------------------------------------------===//
 * Thread pool
 *===----------------------------------------------------------------------===*/

typedef struct mpt_pool mpt_pool;

/* A pool of `threads` threads, the caller of mpt_parallel included; 0 means one
 * per processor this process may use. Threads that the system refuses are left
 * out (see mpt_pool_threads). Idle threads spin for some microseconds and then
 * sleep. NULL when out of memory. */
MPT_RUNTIME_API mpt_pool *mpt_pool_create(int32_t threads);

/* Ends the threads. No mpt_parallel may be running. NULL is allowed. */
MPT_RUNTIME_API void mpt_pool_destroy(mpt_pool *pool);

MPT_RUNTIME_API int32_t mpt_pool_threads(const mpt_pool *pool);

/* Calls fn(ctx, chunk, numChunks) for chunk = 0 ... numChunks-1 on the threads
 * of the pool and returns when all have returned. Everything written before the
 * call is visible to `fn`, everything `fn` writes is visible after it. One
 * caller at a time gets the threads: a nested or concurrent call runs its
 * chunks itself. Subnormal numbers are kept (x86: FTZ and DAZ are off) while
 * `fn` runs. A NULL pool means the caller alone. */
typedef void (*mpt_parallel_fn)(void *ctx, int64_t chunk, int64_t numChunks);
MPT_RUNTIME_API void mpt_parallel(mpt_pool *pool, mpt_parallel_fn fn, void *ctx,
                                  int64_t numChunks);

/*===----------------------------------------------------------------------===//
 * Arena
 *===----------------------------------------------------------------------===*/

/* `size` bytes of zeros, aligned to 64 bytes (to 2 MiB, and in huge pages where
 * the system has them, from 2 MiB on) and touched by the threads of the pool,
 * so that no step pays for page faults. NULL if `size` is negative or the
 * memory cannot be had. */
MPT_RUNTIME_API void *mpt_arena_create(mpt_pool *pool, int64_t size);

/* Gives the memory back. NULL is allowed. */
MPT_RUNTIME_API void mpt_arena_destroy(void *arena);

/*===----------------------------------------------------------------------===//
 * Schedules
 *===----------------------------------------------------------------------===*/

/* A compiled kernel. `args` are pointers to its arguments, which it only reads.
 * It does the share `chunk` of `numChunks` of the work; the shares are
 * disjoint. */
typedef void (*mpt_kernel_fn)(void **args, int64_t chunk, int64_t numChunks);

typedef struct mpt_launch {
  mpt_kernel_fn fn;
  const int64_t *argOffsets; /* byte offsets into the arena */
  int32_t numArgs;
  int64_t maxChunks; /* into how many shares the work divides at most */
  const char *name;  /* for messages */
} mpt_launch;

/* Runs the launches in order, each in min(threads, maxChunks) chunks (at least
 * one). Allocates nothing, except when a launch has more arguments than any
 * that this pool has run before. 0, or -1 when out of memory. */
MPT_RUNTIME_API int32_t mpt_run_schedule(mpt_pool *pool, void *arena,
                                         const mpt_launch *launches,
                                         int64_t numLaunches);

typedef struct mpt_run_options {
  /* numLaunches counters, or NULL: the time of each launch is added to its. */
  int64_t *nanoseconds;
  /* Called after each launch (on the calling thread), or NULL. */
  void (*observer)(void *context, int64_t launch);
  void *observerContext;
} mpt_run_options;

MPT_RUNTIME_API int32_t mpt_run_schedule_with(mpt_pool *pool, void *arena,
                                              const mpt_launch *launches,
                                              int64_t numLaunches,
                                              const mpt_run_options *options);

/*===----------------------------------------------------------------------===//
 * Checked execution, for debugging a memory plan
 *===----------------------------------------------------------------------===*/

typedef struct mpt_range {
  int64_t offset; /* in bytes, into the arena */
  int64_t size;
} mpt_range;

enum {
  MPT_ACCESS_READ = 1,
  MPT_ACCESS_WRITE = 2,
  MPT_ACCESS_READ_WRITE = 3,
  /* Added to MPT_ACCESS_WRITE or MPT_ACCESS_READ_WRITE: temporary memory. Any
   * part of it may be written, with anything. */
  MPT_ACCESS_SCRATCH = 4
};

/* What a launch says it does to a range of the arena. */
typedef struct mpt_access {
  int64_t offset;
  int64_t size;
  int32_t mode; /* MPT_ACCESS_... */
} mpt_access;

typedef struct mpt_launch_check {
  const mpt_access *accesses; /* usually one per argument */
  int32_t numAccesses;
  const mpt_range *dead; /* ranges that nobody needs after this launch */
  int32_t numDead;
} mpt_launch_check;

/* Called for each violation with one line of text. */
typedef void (*mpt_report_fn)(void *context, int64_t launch,
                              const char *message);

/* Runs a schedule like mpt_run_schedule, with the same results, and reports
 * each launch that
 *   - declares a read of bytes that nobody has written or whose owner is dead;
 *   - declares a write over bytes of another owner that is still alive;
 *   - writes a byte outside of the ranges it declares as written;
 *   - leaves a byte of them unwritten (ranges of mode READ_WRITE excepted);
 *   - gives results that depend on a byte it does not declare as read.
 * For the last three each launch runs twice, with all bytes that it does not
 * declare as read filled with 0xFF (NaN in every floating-point format) and
 * then with pseudo-random bytes; a kernel must therefore be deterministic.
 * `live` lists the ranges that hold data before the schedule begins
 * (parameters, state, batch). Slow, and needs memory: four times the arena.
 * Returns the number of violations (at most one per kind and launch), or -1
 * when the tables are malformed or memory runs out. */
MPT_RUNTIME_API int64_t mpt_check_schedule(
    mpt_pool *pool, void *arena, int64_t arenaSize, const mpt_launch *launches,
    const mpt_launch_check *checks, int64_t numLaunches, const mpt_range *live,
    int64_t numLive, mpt_report_fn report, void *context);

#ifdef __cplusplus
}
#endif

#endif /* MPT_RUNTIME_MPT_RUNTIME_H */
