//===- ArenaPlan.cpp - Offsets for buffers with lifetimes -----------------===//

#include "mpt/Conversion/ArenaPlan.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"

#include <map>
#include <numeric>
#include <set>
#include <vector>

using namespace llvm;
using namespace mpt::conversion;

static int64_t getAlignedSize(const Buffer &buffer) {
  return alignTo(buffer.size, kArenaAlignment);
}

/// Numbers of the buffers in order of their first step, and of their last.
static std::pair<std::vector<size_t>, std::vector<size_t>>
getTimeOrders(ArrayRef<Buffer> buffers) {
  std::vector<size_t> byBegin(buffers.size()), byEnd(buffers.size());
  std::iota(byBegin.begin(), byBegin.end(), 0);
  byEnd = byBegin;
  llvm::sort(byBegin, [&](size_t a, size_t b) {
    return std::pair(buffers[a].begin, a) < std::pair(buffers[b].begin, b);
  });
  llvm::sort(byEnd, [&](size_t a, size_t b) {
    return std::pair(buffers[a].end, a) < std::pair(buffers[b].end, b);
  });
  return {std::move(byBegin), std::move(byEnd)};
}

int64_t mpt::conversion::getLiveBytesBound(ArrayRef<Buffer> buffers) {
  auto [byBegin, byEnd] = getTimeOrders(buffers);
  int64_t live = 0, bound = 0;
  size_t ended = 0;
  for (size_t number : byBegin) {
    while (ended < byEnd.size() &&
           buffers[byEnd[ended]].end < buffers[number].begin)
      live -= getAlignedSize(buffers[byEnd[ended++]]);
    live += getAlignedSize(buffers[number]);
    bound = std::max(bound, live);
  }
  return bound;
}

namespace {

/// Free ranges of an arena that grows at its end.
class FreeList {
public:
  int64_t allocate(int64_t size) {
    if (auto fit = bySize.lower_bound({size, 0}); fit != bySize.end()) {
      auto [rangeSize, offset] = *fit;
      remove(offset, rangeSize);
      if (rangeSize > size)
        insert(offset + size, rangeSize - size);
      return offset;
    }
    int64_t offset = top;
    // A free range at the end grows.
    if (!byOffset.empty()) {
      auto last = std::prev(byOffset.end());
      if (last->first + last->second == top) {
        offset = last->first;
        remove(last->first, last->second);
      }
    }
    top = offset + size;
    return offset;
  }

  void release(int64_t offset, int64_t size) {
    auto next = byOffset.lower_bound(offset);
    if (next != byOffset.end() && next->first == offset + size) {
      const int64_t nextSize = next->second;
      remove(offset + size, nextSize);
      size += nextSize;
      next = byOffset.lower_bound(offset);
    }
    if (next != byOffset.begin()) {
      auto before = std::prev(next);
      if (before->first + before->second == offset) {
        const int64_t start = before->first, beforeSize = before->second;
        remove(start, beforeSize);
        offset = start;
        size += beforeSize;
      }
    }
    insert(offset, size);
  }

  int64_t getTop() const { return top; }

private:
  void insert(int64_t offset, int64_t size) {
    byOffset[offset] = size;
    bySize.insert({size, offset});
  }
  void remove(int64_t offset, int64_t size) {
    byOffset.erase(offset);
    bySize.erase({size, offset});
  }
  std::map<int64_t, int64_t> byOffset;
  std::set<std::pair<int64_t, int64_t>> bySize;
  int64_t top = 0;
};

} // namespace

static int64_t planInTime(ArrayRef<Buffer> buffers,
                          std::vector<int64_t> &offsets) {
  auto [byBegin, byEnd] = getTimeOrders(buffers);
  FreeList list;
  size_t ended = 0;
  for (size_t number : byBegin) {
    while (ended < byEnd.size() &&
           buffers[byEnd[ended]].end < buffers[number].begin) {
      const size_t dead = byEnd[ended++];
      if (int64_t size = getAlignedSize(buffers[dead]))
        list.release(offsets[dead], size);
    }
    const int64_t size = getAlignedSize(buffers[number]);
    offsets[number] = size ? list.allocate(size) : 0;
  }
  return list.getTop();
}

static int64_t planLargestFirst(ArrayRef<Buffer> buffers,
                                std::vector<int64_t> &offsets) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::sort(order, [&](size_t a, size_t b) {
    return std::pair(-buffers[a].size, a) < std::pair(-buffers[b].size, b);
  });
  std::vector<size_t> placed; // in order of their offsets
  int64_t total = 0;
  for (size_t number : order) {
    const Buffer &buffer = buffers[number];
    const int64_t size = getAlignedSize(buffer);
    int64_t offset = 0, best = -1, bestGap = INT64_MAX;
    for (size_t other : placed) {
      if (buffers[other].end < buffer.begin ||
          buffers[other].begin > buffer.end)
        continue;
      const int64_t gap = offsets[other] - offset;
      if (gap >= size && gap < bestGap) {
        best = offset;
        bestGap = gap;
      }
      offset =
          std::max(offset, offsets[other] + getAlignedSize(buffers[other]));
    }
    offsets[number] = best >= 0 ? best : offset;
    total = std::max(total, offsets[number] + size);
    auto position = llvm::upper_bound(placed, number, [&](size_t a, size_t b) {
      return offsets[a] < offsets[b];
    });
    placed.insert(position, number);
  }
  return total;
}

int64_t mpt::conversion::planArena(MutableArrayRef<Buffer> buffers) {
  std::vector<int64_t> offsets(buffers.size());
  int64_t size = planInTime(buffers, offsets);
  constexpr size_t kFewBuffers = 4096; // the second heuristic is quadratic
  if (buffers.size() <= kFewBuffers) {
    std::vector<int64_t> other(buffers.size());
    if (int64_t otherSize = planLargestFirst(buffers, other);
        otherSize < size) {
      size = otherSize;
      offsets = std::move(other);
    }
  }
  for (auto [buffer, offset] : llvm::zip_equal(buffers, offsets))
    buffer.offset = offset;
  return size;
}
