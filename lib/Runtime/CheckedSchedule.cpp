//===- CheckedSchedule.cpp - Finds kernels that break the memory plan -----===//
//
// A copy of the arena ("truth") holds what the schedule has computed so far.
// Before each run of a launch the arena keeps of it only what the launch says
// it reads; everything else is filled. After the run, every byte outside of the
// declared outputs must be as it was; two runs with different fillings must
// give the same outputs. Only then the outputs enter the truth. The second
// filling differs from byte to byte: with a uniform one, a kernel that copies
// one byte too many would copy the filling over itself.
//
//===----------------------------------------------------------------------===//

#include "RuntimeError.h"
#include "mpt/Runtime/mpt_runtime.h"

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

namespace {

/// NaN in every floating-point format, -1 as an integer.
constexpr uint8_t poison = 0xFF;

struct FreeDeleter {
  void operator()(uint8_t *memory) const { std::free(memory); }
};

struct Interval {
  int64_t begin, end;
};

/// Sorts and joins intervals that overlap or touch.
std::vector<Interval> normalized(std::vector<Interval> intervals) {
  std::sort(intervals.begin(), intervals.end(),
            [](Interval a, Interval b) { return a.begin < b.begin; });
  std::vector<Interval> result;
  for (Interval interval : intervals) {
    if (interval.begin == interval.end)
      continue;
    if (!result.empty() && interval.begin <= result.back().end)
      result.back().end = std::max(result.back().end, interval.end);
    else
      result.push_back(interval);
  }
  return result;
}

/// What [0, size) has besides normalized intervals.
std::vector<Interval> complement(const std::vector<Interval> &intervals,
                                 int64_t size) {
  std::vector<Interval> result;
  int64_t cursor = 0;
  for (Interval interval : intervals) {
    if (cursor < interval.begin)
      result.push_back({cursor, interval.begin});
    cursor = interval.end;
  }
  if (cursor < size)
    result.push_back({cursor, size});
  return result;
}

/// Who has written the bytes that are alive: disjoint ranges with the launch.
class Owners {
public:
  static constexpr int64_t initial = -1;

  void clear(Interval range) {
    if (range.begin >= range.end)
      return;
    auto it = map.lower_bound(range.begin);
    if (it != map.begin()) {
      auto before = std::prev(it);
      if (before->second.end > range.begin) {
        const Owned owned = before->second;
        before->second.end = range.begin;
        if (owned.end > range.end)
          map[range.end] = owned;
      }
    }
    while (it != map.end() && it->first < range.end) {
      const Owned owned = it->second;
      it = map.erase(it);
      if (owned.end > range.end) {
        map[range.end] = owned;
        break;
      }
    }
  }

  void set(Interval range, int64_t owner) {
    clear(range);
    if (range.begin < range.end)
      map[range.begin] = {range.end, owner};
  }

  /// The first byte of the range without an owner, or -1.
  int64_t firstDead(Interval range) const {
    int64_t cursor = range.begin;
    auto it = map.upper_bound(cursor);
    if (it != map.begin())
      --it;
    for (; it != map.end() && cursor < range.end; ++it) {
      if (it->first > cursor)
        return cursor;
      cursor = std::max(cursor, it->second.end);
    }
    return cursor < range.end ? cursor : -1;
  }

  /// The first byte of the range with an owner, and that owner; or -1.
  int64_t firstAlive(Interval range, int64_t &owner) const {
    auto it = map.upper_bound(range.begin);
    if (it != map.begin() && std::prev(it)->second.end > range.begin)
      --it;
    if (it == map.end() || it->first >= range.end || range.begin >= range.end)
      return -1;
    owner = it->second.owner;
    return std::max(it->first, range.begin);
  }

private:
  struct Owned {
    int64_t end;
    int64_t owner;
  };
  std::map<int64_t, Owned> map;
};

class Checker {
public:
  Checker(mpt_pool *pool, uint8_t *arena, int64_t size,
          const mpt_launch *launches, mpt_report_fn report, void *context)
      : pool(pool), arena(arena), size(size), launches(launches),
        reportFn(report), reportContext(context) {}

  bool allocate() {
    truth.reset(static_cast<uint8_t *>(std::malloc(size_t(size) + 1)));
    first.reset(static_cast<uint8_t *>(std::malloc(size_t(size) + 1)));
    fillings[0].reset(static_cast<uint8_t *>(std::malloc(size_t(size) + 1)));
    fillings[1].reset(static_cast<uint8_t *>(std::malloc(size_t(size) + 1)));
    if (!truth || !first || !fillings[0] || !fillings[1])
      return false;
    std::memset(fillings[0].get(), poison, size_t(size));
    uint32_t random = 1; // xorshift (Marsaglia 2003)
    for (int64_t i = 0; i < size; ++i) {
      random ^= random << 13;
      random ^= random >> 17;
      random ^= random << 5;
      const auto byte = static_cast<uint8_t>(random >> 24);
      fillings[1].get()[i] = byte == poison ? 0 : byte;
    }
    std::memcpy(truth.get(), arena, size_t(size));
    return true;
  }

  void begin(const mpt_range *live, int64_t numLive) {
    for (int64_t i = 0; i < numLive; ++i)
      owners.set({live[i].offset, live[i].offset + live[i].size},
                 Owners::initial);
  }

  bool runLaunch(int64_t index, const mpt_launch_check &check) {
    launch = index;
    std::vector<Interval> reads, writes, results;
    for (int32_t i = 0; i < check.numAccesses; ++i) {
      const mpt_access &access = check.accesses[i];
      const Interval range{access.offset, access.offset + access.size};
      if (access.mode & MPT_ACCESS_READ)
        reads.push_back(range);
      if (access.mode & MPT_ACCESS_WRITE)
        writes.push_back(range);
      if ((access.mode & MPT_ACCESS_WRITE) &&
          !(access.mode & MPT_ACCESS_SCRATCH))
        results.push_back(range);
    }
    checkDeclarations(reads, writes);
    reads = normalized(std::move(reads));
    writes = normalized(std::move(writes));
    results = normalized(std::move(results));

    bool writesReported = false;
    for (int run = 0; run < 2; ++run) {
      prepare(reads, fillings[run].get());
      if (mpt_run_schedule(pool, arena, &launches[index], 1) != 0)
        return false;
      if (!writesReported)
        writesReported = checkOutside(reads, writes, fillings[run].get());
      if (run == 0)
        for (Interval range : writes)
          copy(first.get(), arena, range);
    }
    compareRuns(results);

    for (Interval range : writes) {
      copy(truth.get(), arena, range);
      owners.set(range, index);
    }
    for (int32_t i = 0; i < check.numDead; ++i) {
      const Interval range{check.dead[i].offset,
                           check.dead[i].offset + check.dead[i].size};
      owners.clear(range);
      std::memset(truth.get() + range.begin, poison,
                  size_t(range.end - range.begin));
    }
    return true;
  }

  void finish() { std::memcpy(arena, truth.get(), size_t(size)); }

  int64_t violations = 0;

private:
  const char *nameOf(int64_t index) const {
    if (index == Owners::initial)
      return "the data before the schedule";
    return launches[index].name ? launches[index].name : "(no name)";
  }

  __attribute__((format(printf, 2, 3))) void report(const char *format, ...) {
    char text[384], line[512];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    std::snprintf(line, sizeof(line), "launch %lld '%.100s' %s",
                  static_cast<long long>(launch), nameOf(launch), text);
    ++violations;
    if (reportFn)
      reportFn(reportContext, launch, line);
  }

  /// The plan alone: reads of dead bytes, writes over others' live ones.
  void checkDeclarations(const std::vector<Interval> &reads,
                         const std::vector<Interval> &writes) {
    for (Interval range : reads) {
      int64_t dead = owners.firstDead(range);
      if (dead < 0)
        continue;
      report("reads bytes %lld to %lld, of which byte %lld has no live owner",
             (long long)range.begin, (long long)range.end, (long long)dead);
      break;
    }
    // An in-place update writes over what it reads itself.
    const std::vector<Interval> others = complement(normalized(reads), size);
    for (Interval range : writes) {
      auto it = std::lower_bound(
          others.begin(), others.end(), range.begin,
          [](Interval other, int64_t begin) { return other.end <= begin; });
      for (; it != others.end() && it->begin < range.end; ++it) {
        int64_t owner = 0;
        int64_t alive = owners.firstAlive(
            {std::max(it->begin, range.begin), std::min(it->end, range.end)},
            owner);
        if (alive < 0)
          continue;
        report("writes bytes %lld to %lld, but byte %lld is alive and belongs "
               "to '%.100s'",
               (long long)range.begin, (long long)range.end, (long long)alive,
               nameOf(owner));
        return;
      }
    }
  }

  /// The arena for one run: the declared inputs, the rest filled.
  void prepare(const std::vector<Interval> &reads, const uint8_t *filling) {
    for (Interval range : reads)
      copy(arena, truth.get(), range);
    for (Interval range : complement(reads, size))
      copy(arena, filling, range);
  }

  bool checkOutside(const std::vector<Interval> &reads,
                    const std::vector<Interval> &writes,
                    const uint8_t *filling) {
    for (Interval outside : complement(writes, size)) {
      // Parts of it were inputs, the others were filled.
      int64_t cursor = outside.begin;
      auto it = std::lower_bound(
          reads.begin(), reads.end(), cursor,
          [](Interval read, int64_t begin) { return read.end <= begin; });
      while (cursor < outside.end) {
        const bool inside = it != reads.end() && it->begin <= cursor;
        int64_t end = outside.end;
        if (it != reads.end())
          end = std::min(end, inside ? it->end : it->begin);
        const int64_t changed = firstDifference(
            arena, inside ? truth.get() : filling, {cursor, end});
        if (changed >= 0) {
          report("writes byte %lld, which is outside of its outputs%s",
                 (long long)changed,
                 inside ? " (it is one of its inputs)" : "");
          return true;
        }
        cursor = end;
        if (inside)
          ++it;
      }
    }
    return false;
  }

  void compareRuns(const std::vector<Interval> &writes) {
    bool unwritten = false, different = false;
    for (Interval range : writes) {
      for (int64_t i = range.begin; i < range.end; ++i) {
        i = firstDifference(arena, first.get(), {i, range.end});
        if (i < 0)
          break;
        // Both fillings are still there: nobody wrote this byte.
        if (first.get()[i] == poison && arena[i] == fillings[1].get()[i]) {
          if (!unwritten)
            report("leaves byte %lld of its outputs unwritten", (long long)i);
          unwritten = true;
        } else {
          if (!different)
            report("writes byte %lld depending on bytes that it does not "
                   "declare as read (a dead or foreign range, or none)",
                   (long long)i);
          different = true;
        }
        if (unwritten && different)
          return;
      }
    }
  }

  static void copy(uint8_t *target, const uint8_t *source, Interval range) {
    std::memcpy(target + range.begin, source + range.begin,
                size_t(range.end - range.begin));
  }

  /// The first byte of the range in which the two differ, or -1.
  static int64_t firstDifference(const uint8_t *a, const uint8_t *b,
                                 Interval range) {
    // memcmp finds the block quickly, the loop the byte in it.
    for (int64_t i = range.begin; i < range.end; i += 4096) {
      const int64_t end = std::min(range.end, i + 4096);
      if (std::memcmp(a + i, b + i, size_t(end - i)) == 0)
        continue;
      for (int64_t k = i; k < end; ++k)
        if (a[k] != b[k])
          return k;
    }
    return -1;
  }

  mpt_pool *pool;
  uint8_t *arena;
  int64_t size;
  const mpt_launch *launches;
  mpt_report_fn reportFn;
  void *reportContext;
  int64_t launch = 0;
  std::unique_ptr<uint8_t, FreeDeleter> truth;
  std::unique_ptr<uint8_t, FreeDeleter> first; // outputs of the first run
  std::unique_ptr<uint8_t, FreeDeleter> fillings[2];
  Owners owners;
};

bool isInside(int64_t offset, int64_t size, int64_t arenaSize) {
  return offset >= 0 && size >= 0 && offset <= arenaSize &&
         size <= arenaSize - offset;
}

/// Checks the tables themselves; false with mpt_last_error set.
bool checkTables(int64_t arenaSize, const mpt_launch *launches,
                 const mpt_launch_check *checks, int64_t numLaunches,
                 const mpt_range *live, int64_t numLive) {
  using mpt::runtime::setLastError;
  for (int64_t i = 0; i < numLive; ++i)
    if (!isInside(live[i].offset, live[i].size, arenaSize)) {
      setLastError("live range %lld lies outside of the arena", (long long)i);
      return false;
    }
  for (int64_t i = 0; i < numLaunches; ++i) {
    const char *name = launches[i].name ? launches[i].name : "(no name)";
    for (int32_t k = 0; k < launches[i].numArgs; ++k)
      if (!isInside(launches[i].argOffsets[k], 0, arenaSize)) {
        setLastError("launch %lld '%.100s': argument %d lies outside of the "
                     "arena",
                     (long long)i, name, k);
        return false;
      }
    for (int32_t k = 0; k < checks[i].numAccesses; ++k) {
      const mpt_access &access = checks[i].accesses[k];
      if (!isInside(access.offset, access.size, arenaSize) ||
          access.mode < MPT_ACCESS_READ ||
          access.mode > (MPT_ACCESS_READ_WRITE | MPT_ACCESS_SCRATCH) ||
          access.mode == MPT_ACCESS_SCRATCH) {
        setLastError("launch %lld '%.100s': access %d is malformed",
                     (long long)i, name, k);
        return false;
      }
    }
    for (int32_t k = 0; k < checks[i].numDead; ++k)
      if (!isInside(checks[i].dead[k].offset, checks[i].dead[k].size,
                    arenaSize)) {
        setLastError("launch %lld '%.100s': dead range %d is malformed",
                     (long long)i, name, k);
        return false;
      }
  }
  return true;
}

} // namespace

int64_t mpt_check_schedule(mpt_pool *pool, void *arena, int64_t arenaSize,
                           const mpt_launch *launches,
                           const mpt_launch_check *checks, int64_t numLaunches,
                           const mpt_range *live, int64_t numLive,
                           mpt_report_fn report, void *context) {
  if (!checkTables(arenaSize, launches, checks, numLaunches, live, numLive))
    return -1;
  Checker checker(pool, static_cast<uint8_t *>(arena), arenaSize, launches,
                  report, context);
  if (!checker.allocate()) {
    mpt::runtime::setLastError("not enough memory to check an arena of %lld "
                               "bytes",
                               (long long)arenaSize);
    return -1;
  }
  checker.begin(live, numLive);
  for (int64_t i = 0; i < numLaunches; ++i)
    if (!checker.runLaunch(i, checks[i])) {
      checker.finish();
      return -1;
    }
  checker.finish();
  return checker.violations;
}
