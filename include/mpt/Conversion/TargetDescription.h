//===- TargetDescription.h - What kernels are generated for -----*- C++ -*-===//

#ifndef MPT_CONVERSION_TARGETDESCRIPTION_H
#define MPT_CONVERSION_TARGETDESCRIPTION_H

#include <cstdint>
#include <string>

namespace mpt::conversion {

/// The properties of a machine that emitters look at. The same description
/// gives the same code.
struct TargetDescription {
  bool isGPU = false;
  /// Bytes of a vector register: 64 (AVX-512), 32 (AVX2), 16; on a GPU the
  /// widest access of a thread, 16.
  int64_t vectorBytes = 32;
  /// Vector registers, for register tiles.
  int64_t vectorRegisters = 16;
  bool hasFMA = true;
  /// Hardware conversion between f16 and f32 vectors.
  bool hasF16C = true;
  /// vdpbf16ps.
  bool hasBF16Dot = false;
  /// Bytes of the caches of one core, and of the last level.
  int64_t l1Bytes = 32 << 10;
  int64_t l2Bytes = 512 << 10;
  int64_t l3Bytes = 32 << 20;
  /// Chunks a launch is divided into at most (CPU).
  int64_t threads = 1;
  /// CPU: LLVM's names of processor and features ("znver3", "+avx2,+fma").
  /// GPU: "sm_90a" and "+ptx80".
  std::string cpu, features;

  /// f32 lanes of a vector.
  int64_t lanes() const { return vectorBytes / 4; }

  /// The machine this runs on.
  static TargetDescription getHost(int64_t threads = 1);
  /// A processor by LLVM's name ("x86-64-v3", "znver3"; "native" and "" are the
  /// host).
  static TargetDescription getCPU(const std::string &cpu, int64_t threads = 1);
  static TargetDescription getGPU(const std::string &chip,
                                  const std::string &features);
};

} // namespace mpt::conversion

#endif // MPT_CONVERSION_TARGETDESCRIPTION_H
