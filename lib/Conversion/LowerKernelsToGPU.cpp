//===- LowerKernelsToGPU.cpp - mpt-lower-to-gpu ---------------------------===//

#include "mpt/Conversion/KernelLowering.h"
#include "mpt/Conversion/PTX.h"
#include "mpt/Conversion/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ToolOutputFile.h"

namespace mpt {
#define GEN_PASS_DEF_LOWERTOGPUPASS
#include "mpt/Conversion/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

namespace {

class LowerKernelsToGPU
    : public mpt::impl::LowerToGPUPassBase<LowerKernelsToGPU> {
public:
  using LowerToGPUPassBase::LowerToGPUPassBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    registerLoweringDialects(registry);
    registerPTXTranslations(registry);
  }

  void runOnOperation() override {
    if (failed(lowerModule(getOperation())))
      signalPassFailure();
  }

private:
  LogicalResult lowerModule(ModuleOp module) {
    PTXTarget gpu{chip, ptx};
    if (failed(verifyPTXTarget(gpu, [&] { return module.emitError(); })))
      return failure();
    if (stage != "loops" && stage != "llvm" && stage != "ptx")
      return module.emitError("stage should be 'loops', 'llvm' or 'ptx'");
    if (!dumpDirectory.empty())
      if (std::error_code error =
              llvm::sys::fs::create_directories(dumpDirectory))
        return module.emitError("cannot create the folder '")
               << dumpDirectory << "': " << error.message();
    const TargetDescription target = gpu.getDescription();
    OpPassManager pipeline(ModuleOp::getOperationName());
    buildKernelLoweringPipeline(pipeline, /*isGPU=*/true);
    PTXWriter writer(gpu);

    SmallVector<nn::KernelOp> kernels;
    module.walk([&](nn::KernelOp kernel) { kernels.push_back(kernel); });
    llvm::StringMap<FlatSymbolRefAttr> codes; // by key
    SymbolTable symbols(module);
    for (nn::KernelOp kernel : kernels) {
      FlatSymbolRefAttr &code = codes[getKernelKey(kernel)];
      if (!code) {
        FailureOr<FlatSymbolRefAttr> made = lowerKernel(
            kernel, codes.size() - 1, gpu, target, pipeline, writer, symbols);
        if (failed(made))
          return failure();
        code = *made;
      }
      kernel->setAttr(kCodeAttrName, code);
    }
    return success();
  }

  FailureOr<FlatSymbolRefAttr>
  lowerKernel(nn::KernelOp kernel, size_t number, const PTXTarget &gpu,
              const TargetDescription &target, OpPassManager &pipeline,
              PTXWriter &writer, SymbolTable &symbols) {
    const KernelEmitter *emitter = KernelRegistry::get().lookup(kernel, target);
    if (!emitter)
      return kernel.emitError("no template lowers this kernel of kind '")
             << kernel.getKind() << "' to a GPU (" << describeKernel(kernel)
             << ")";
    const KernelShape shape = emitter->getShape(kernel, target);
    if (shape.chunkScratchBytes > 0)
      return kernel.emitError("the template '")
             << emitter->getName()
             << "' wants memory per chunk, which a GPU does not have";
    // ptxas's limit on an entry point's parameters.
    const size_t parameters = kernel.getNumOperands() + kernel.getNumResults() +
                              (shape.sharedScratchBytes > 0);
    const size_t most = (gpu.version >= 81 ? 32764 : 4352) / 8;
    if (parameters > most)
      return kernel.emitError("has ")
             << parameters << " tensors, more than the " << most
             << " a kernel may have with ptx=" << gpu.version
             << (gpu.version < 81 ? "; ptx=81 and newer allow 4095" : "");
    const std::string symbol = "kernel_" + std::to_string(number);
    FailureOr<OwningOpRef<ModuleOp>> built =
        buildKernelModule(kernel, *emitter, shape, target, symbol);
    if (failed(built))
      return failure();
    // Passes run inside of the module they belong to.
    OpBuilder b = OpBuilder::atBlockEnd(getOperation().getBody());
    ModuleOp code = built->release();
    code.setSymName(symbol);
    symbols.insert(code);
    nameEntryPoints(code, shape, symbol);
    if (stage == "loops")
      return FlatSymbolRefAttr::get(code.getSymNameAttr());
    lowerThreadNumbers(code);
    approximateMath(code);
    if (failed(runPipeline(pipeline, code)))
      return kernel.emitError("cannot lower this kernel to a GPU: ")
             << describeKernel(kernel);
    for (auto function : code.getOps<LLVM::LLVMFuncOp>())
      if (!function.isExternal())
        markAsEntryPoint(function);
    if (stage == "llvm")
      return FlatSymbolRefAttr::get(code.getSymNameAttr());

    FailureOr<std::string> text =
        writer.write(code, [&] { return kernel.emitError(); });
    if (failed(text))
      return failure();
    std::string ptxText = "// " + describeKernel(kernel) + "\n" + *text;
    symbols.erase(code);
    auto binary = gpu::BinaryOp::create(
        b, kernel.getLoc(), symbol, Attribute(),
        ArrayRef<Attribute>{makeObject(kernel, gpu, shape, symbol, ptxText)});
    symbols.insert(binary);
    if (!dumpDirectory.empty() &&
        failed(dump(kernel, binary.getSymName(), ptxText)))
      return failure();
    return FlatSymbolRefAttr::get(binary.getSymNameAttr());
  }

  /// buildKernelModule names the functions as bodies of the CPU's entry points.
  static void nameEntryPoints(ModuleOp code, const KernelShape &shape,
                              StringRef symbol) {
    for (auto [phase, function] :
         llvm::enumerate(code.getOps<func::FuncOp>())) {
      function.setSymName(getPhaseSymbol(symbol, phase));
      function.setPublic();
    }
  }

  static gpu::ObjectAttr makeObject(nn::KernelOp kernel, const PTXTarget &gpu,
                                    const KernelShape &shape, StringRef symbol,
                                    StringRef text) {
    Builder b(kernel.getContext());
    Type pointer = LLVM::LLVMPointerType::get(b.getContext());
    SmallVector<Type> arguments(kernel.getNumOperands() +
                                    kernel.getNumResults() +
                                    (shape.sharedScratchBytes > 0),
                                pointer);
    Type type = b.getFunctionType(arguments, TypeRange());
    SmallVector<gpu::KernelMetadataAttr> table;
    for (auto [number, phase] : llvm::enumerate(shape.phases))
      table.push_back(gpu::KernelMetadataAttr::get(
          b.getStringAttr(getPhaseSymbol(symbol, number)), type, nullptr,
          b.getDictionaryAttr(
              {b.getNamedAttr("block_size",
                              b.getI64IntegerAttr(kThreadsPerBlock)),
               b.getNamedAttr("work_items",
                              b.getI64IntegerAttr(phase.workItems))})));
    auto target = NVVM::NVVMTargetAttr::get(b.getContext(), /*optLevel=*/2,
                                            "nvptx64-nvidia-cuda", gpu.chip,
                                            gpu.getFeatures());
    return gpu::ObjectAttr::get(
        target, gpu::CompilationTarget::Assembly, b.getStringAttr(text),
        b.getDictionaryAttr(b.getNamedAttr(
            "scratch_bytes", b.getI64IntegerAttr(shape.sharedScratchBytes))),
        gpu::KernelTableAttr::get(b.getContext(), table));
  }

  LogicalResult dump(nn::KernelOp kernel, StringRef name, StringRef text) {
    llvm::SmallString<128> path(dumpDirectory);
    llvm::sys::path::append(path, name + ".ptx");
    std::string message;
    std::unique_ptr<llvm::ToolOutputFile> file = openOutputFile(path, &message);
    if (!file)
      return kernel.emitError() << message;
    file->os() << text;
    file->os().flush();
    if (file->os().has_error()) {
      file->os().clear_error();
      return kernel.emitError("cannot write '") << path << "'";
    }
    file->keep();
    return success();
  }
};

} // namespace
