//===- LowerKernelsToCPU.cpp - mpt-lower-kernels-to-cpu -------------------===//

#include "mpt/Conversion/CPUNames.h"
#include "mpt/Conversion/KernelLowering.h"
#include "mpt/Conversion/Passes.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/StringSet.h"

namespace mpt {
#define GEN_PASS_DEF_LOWERKERNELSTOCPUPASS
#include "mpt/Conversion/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

namespace {

class LowerKernelsToCPU
    : public mpt::impl::LowerKernelsToCPUPassBase<LowerKernelsToCPU> {
public:
  using LowerKernelsToCPUPassBase::LowerKernelsToCPUPassBase;

  void runOnOperation() override {
    if (stage != "loops" && stage != "llvm") {
      getOperation().emitError("stage should be 'loops' or 'llvm'");
      return signalPassFailure();
    }
    if (std::string error; !checkCPUName(cpu, error)) {
      emitError(UnknownLoc::get(&getContext())) << error;
      return signalPassFailure();
    }
    TargetDescription target = TargetDescription::getCPU(cpu);
    OpPassManager pipeline(ModuleOp::getOperationName());
    buildKernelLoweringPipeline(pipeline, /*isGPU=*/false);
    ModuleOp module = getOperation();
    SmallVector<nn::KernelOp> kernels;
    module.walk([&](nn::KernelOp kernel) { kernels.push_back(kernel); });
    llvm::StringSet<> seen;
    int64_t number = 0;
    for (nn::KernelOp kernel : kernels) {
      if (!seen.insert(getKernelKey(kernel)).second)
        continue;
      const KernelEmitter *emitter =
          KernelRegistry::get().lookup(kernel, target);
      if (!emitter) {
        kernel.emitError("no template lowers this kernel of kind '")
            << kernel.getKind() << "'";
        return signalPassFailure();
      }
      const KernelShape shape = emitter->getShape(kernel, target);
      const std::string symbol = "kernel_" + std::to_string(number++);
      FailureOr<OwningOpRef<ModuleOp>> code =
          buildKernelModule(kernel, *emitter, shape, target, symbol);
      if (failed(code))
        return signalPassFailure();
      ModuleOp nested = code->release();
      nested.setSymName(symbol);
      module.push_back(nested);
      if (stage == "llvm" &&
          (failed(runPipeline(pipeline, nested)) ||
           failed(addEntryPoints(nested, kernel, shape, symbol))))
        return signalPassFailure();
    }
    for (auto func : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
      if (!func.isExternal() && !func.getOps<nn::KernelOp>().empty())
        func.erase();
  }
};

} // namespace
