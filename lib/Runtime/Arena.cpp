//===- Arena.cpp - One allocation for all tensors of a step ---------------===//

#include "RuntimeError.h"
#include "mpt/Runtime/mpt_runtime.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

namespace {

constexpr int64_t cacheLine = 64;
constexpr int64_t hugePage = int64_t(2) << 20;

struct Clearing {
  char *data;
  int64_t size;
};

/// Clears a contiguous share, cut at huge pages so that no two threads fault on
/// the same one.
void clearShare(void *context, int64_t chunk, int64_t numChunks) {
  const auto *clearing = static_cast<const Clearing *>(context);
  const int64_t pages = (clearing->size + hugePage - 1) / hugePage;
  const int64_t begin = pages * chunk / numChunks * hugePage;
  const int64_t end =
      std::min(pages * (chunk + 1) / numChunks * hugePage, clearing->size);
  if (begin < end)
    std::memset(clearing->data + begin, 0, static_cast<size_t>(end - begin));
}

} // namespace

void *mpt_arena_create(mpt_pool *pool, int64_t size) {
  const int64_t alignment = size >= hugePage ? hugePage : cacheLine;
  if (size < 0 || size > INT64_MAX - alignment) {
    mpt::runtime::setLastError("an arena cannot have %lld bytes",
                               static_cast<long long>(size));
    return nullptr;
  }
  const int64_t rounded =
      std::max<int64_t>((size + alignment - 1) / alignment, 1) * alignment;
  void *data = std::aligned_alloc(static_cast<size_t>(alignment),
                                  static_cast<size_t>(rounded));
  if (!data) {
    mpt::runtime::setLastError("not enough memory for an arena of %lld bytes",
                               static_cast<long long>(size));
    return nullptr;
  }
#ifdef MADV_HUGEPAGE
  if (rounded >= hugePage)
    (void)madvise(data, static_cast<size_t>(rounded), MADV_HUGEPAGE);
#endif
  Clearing clearing{static_cast<char *>(data), rounded};
  mpt_parallel(pool, clearShare, &clearing, mpt_pool_threads(pool));
  return data;
}

void mpt_arena_destroy(void *arena) { std::free(arena); }
