//===- CPUNames.cpp - The processors LLVM knows ---------------------------===//

#include "mpt/Conversion/CPUNames.h"

#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"

bool mpt::conversion::checkCPUName(const std::string &cpu, std::string &error) {
  if (cpu.empty() || cpu == "native")
    return true;
  llvm::InitializeNativeTarget();
  llvm::Triple triple(llvm::sys::getProcessTriple());
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return false;
  // Asked of a processor without a name: the constructor warns of wrong ones.
  auto create = [&](llvm::StringRef name) {
    return std::unique_ptr<llvm::MCSubtargetInfo>(
        target->createMCSubtargetInfo(triple, name, ""));
  };
  std::unique_ptr<llvm::MCSubtargetInfo> any = create("");
  if (!any || !any->isCPUStringValid(cpu)) {
    error = "mcpu: LLVM knows no processor '" + cpu + "' for " + triple.str() +
            "; 'native' is this one, 'x86-64-v3' any with AVX2";
    return false;
  }
  if (triple.isX86() && triple.isArch64Bit() &&
      !create(cpu)->checkFeatures("+64bit")) {
    error = "mcpu: the processor '" + cpu + "' has no 64-bit mode";
    return false;
  }
  return true;
}
