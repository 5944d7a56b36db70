//===- TargetDescription.cpp - What kernels are generated for -------------===//

#include "mpt/Conversion/TargetDescription.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/SubtargetFeature.h"

#include <unistd.h>

using namespace mpt::conversion;

static void readCaches(TargetDescription &target) {
  auto set = [](int64_t &bytes, int name) {
    if (long value = sysconf(name); value > 0)
      bytes = value;
  };
  set(target.l1Bytes, _SC_LEVEL1_DCACHE_SIZE);
  set(target.l2Bytes, _SC_LEVEL2_CACHE_SIZE);
  set(target.l3Bytes, _SC_LEVEL3_CACHE_SIZE);
}

TargetDescription TargetDescription::getHost(int64_t threads) {
  return getCPU("native", threads);
}

TargetDescription TargetDescription::getCPU(const std::string &cpu,
                                            int64_t threads) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  TargetDescription target;
  target.threads = threads;
  llvm::Triple triple(llvm::sys::getProcessTriple());
  if (cpu.empty() || cpu == "native") {
    target.cpu = llvm::sys::getHostCPUName().str();
    llvm::SubtargetFeatures features;
    for (const auto &feature : llvm::sys::getHostCPUFeatures())
      features.AddFeature(feature.first(), feature.second);
    target.features = features.getString();
    readCaches(target);
  } else {
    target.cpu = cpu;
  }
  std::string error;
  const llvm::Target *machine =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!machine)
    return target;
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      machine->createMCSubtargetInfo(triple, target.cpu, target.features));
  if (!info || !triple.isX86()) {
    // Other processors: 128-bit vectors with FMA, as AArch64 has.
    target.vectorBytes = 16;
    target.vectorRegisters = 32;
    return target;
  }
  auto has = [&](const char *feature) { return info->checkFeatures(feature); };
  target.vectorBytes = has("+avx512f,+avx512vl") ? 64 : has("+avx2") ? 32 : 16;
  target.vectorRegisters = target.vectorBytes == 64 ? 32 : 16;
  target.hasFMA = has("+fma");
  target.hasF16C = has("+f16c");
  target.hasBF16Dot = has("+avx512bf16");
  return target;
}

TargetDescription TargetDescription::getGPU(const std::string &chip,
                                            const std::string &features) {
  TargetDescription target;
  target.isGPU = true;
  target.vectorBytes = 16;
  target.vectorRegisters = 64;
  target.cpu = chip;
  target.features = features;
  return target;
}
