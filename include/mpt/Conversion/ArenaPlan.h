//===- ArenaPlan.h - Offsets for buffers with lifetimes ---------*- C++ -*-===//

#ifndef MPT_CONVERSION_ARENAPLAN_H
#define MPT_CONVERSION_ARENAPLAN_H

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>

namespace mpt::conversion {

/// Bytes that are needed from step `begin` to step `end`, both included.
struct Buffer {
  int64_t size = 0;
  int64_t begin = 0, end = 0;
  int64_t offset = 0; // the plan
};

/// Every offset is a multiple of this.
inline constexpr int64_t kArenaAlignment = 64;

/// Gives every buffer an offset so that buffers alive at the same step do not
/// overlap, and returns the size of the whole. Two heuristics, the better
/// result of both: best fit in order of time (n log n), and, for up to 4096
/// buffers, largest first (Pisarchyk and Lee, "Efficient memory management for
/// deep neural net inference", 2020).
int64_t planArena(llvm::MutableArrayRef<Buffer> buffers);

/// The largest sum of sizes (aligned) alive at one step: no plan is smaller.
int64_t getLiveBytesBound(llvm::ArrayRef<Buffer> buffers);

} // namespace mpt::conversion

#endif // MPT_CONVERSION_ARENAPLAN_H
