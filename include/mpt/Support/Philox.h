//===- Philox.h - Counter-based random numbers ------------------*- C++ -*-===//
//
// Philox-4x32-10: four 32-bit words as a function of a 64-bit key and a
// 128-bit counter, without state, so that every element of a tensor has its
// random bits on any target and any number of threads.
//
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1,
// 2, 3", SC 2011, and the test vectors of the authors' Random123 library.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_SUPPORT_PHILOX_H
#define MPT_SUPPORT_PHILOX_H

#include <array>
#include <cstdint>

namespace mpt {

/// The words for a counter (words 0, 1 = `low`, words 2, 3 = `high`) and key.
constexpr std::array<uint32_t, 4> philox4x32(uint64_t key, uint64_t low,
                                             uint64_t high) {
  uint32_t c0 = static_cast<uint32_t>(low),
           c1 = static_cast<uint32_t>(low >> 32);
  uint32_t c2 = static_cast<uint32_t>(high),
           c3 = static_cast<uint32_t>(high >> 32);
  uint32_t k0 = static_cast<uint32_t>(key),
           k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t(0xD2511F53) * c0;
    const uint64_t p1 = uint64_t(0xCD9E8D57) * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return {c0, c1, c2, c3};
}

/// Does dropout keep element `index` in training step `step`? The element's
/// word w, as the number w * 2^-32, is at least `ratio`.
constexpr bool dropoutKeeps(uint64_t seed, uint64_t step, uint64_t index,
                            double ratio) {
  return philox4x32(seed, index / 4, step)[index % 4] * 0x1p-32 >= ratio;
}

} // namespace mpt

#endif // MPT_SUPPORT_PHILOX_H
