//===- KernelCode.cpp - Machine code of kernels ---------------------------===//

#include "KernelCode.h"

#include "mpt/Conversion/KernelLowering.h"

#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ThreadPool.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

#include <atomic>

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;
using namespace mpt::execution;

struct KernelCode::Implementation {
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

KernelCode::KernelCode(std::unique_ptr<Implementation> implementation)
    : implementation(std::move(implementation)) {}
KernelCode::~KernelCode() = default;

static std::unique_ptr<llvm::TargetMachine>
createMachine(const TargetDescription &target, std::string &error) {
  llvm::Triple triple(llvm::sys::getProcessTriple());
  const llvm::Target *machine =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!machine)
    return nullptr;
  return std::unique_ptr<llvm::TargetMachine>(machine->createTargetMachine(
      triple, target.cpu, target.features, llvm::TargetOptions(),
      llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Default,
      /*JIT=*/true));
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager lam;
  llvm::FunctionAnalysisManager fam;
  llvm::CGSCCAnalysisManager cgam;
  llvm::ModuleAnalysisManager mam;
  // Emitters unroll what should be; LLVM would unroll copies and fills too,
  // which costs more time to compile than it saves.
  llvm::PipelineTuningOptions tuning;
  tuning.LoopUnrolling = false;
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(mam);
  builder.registerCGSCCAnalyses(cgam);
  builder.registerFunctionAnalyses(fam);
  builder.registerLoopAnalyses(lam);
  builder.crossRegisterProxies(lam, fam, cgam, mam);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3)
      .run(module, mam);
}

/// One kernel from operations to an object file in memory.
static LogicalResult compileKernel(const KernelJob &job,
                                   const TargetDescription &target,
                                   llvm::SmallVectorImpl<char> &object) {
  nn::KernelOp kernel = job.kernel;
  FailureOr<OwningOpRef<ModuleOp>> module =
      buildKernelModule(kernel, *job.emitter, job.shape, target, job.symbol);
  if (failed(module))
    return failure();
  PassManager pm(kernel.getContext());
  pm.enableVerifier(false);
  buildKernelLoweringPipeline(pm, /*isGPU=*/false);
  if (failed(pm.run(**module)) ||
      failed(addEntryPoints(**module, kernel, job.shape, job.symbol)))
    return kernel.emitError("could not lower a kernel of kind '")
           << kernel.getKind() << "' to LLVM";
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code =
      translateModuleToLLVMIR(**module, context, job.symbol);
  if (!code)
    return kernel.emitError("could not translate a kernel to LLVM IR");
  module->release().erase();
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target, error);
  if (!machine)
    return kernel.emitError("no code generator for this processor: ") << error;
  code->setTargetTriple(machine->getTargetTriple());
  code->setDataLayout(machine->createDataLayout());
  optimize(*code, *machine);
  llvm::raw_svector_ostream os(object);
  llvm::legacy::PassManager codegen;
  if (machine->addPassesToEmitFile(codegen, os, nullptr,
                                   llvm::CodeGenFileType::ObjectFile))
    return kernel.emitError(
        "this processor's code generator writes no objects");
  codegen.run(*code);
  return success();
}

FailureOr<std::unique_ptr<KernelCode>>
KernelCode::compile(Operation *where, ArrayRef<KernelJob> jobs,
                    const TargetDescription &target, unsigned threads) {
  MLIRContext *context = where->getContext();
  auto fail = [&](llvm::Error error) {
    return where->emitError("could not link kernels: ")
           << llvm::toString(std::move(error));
  };
  // Everything a pass manager or a translation registers in the context is
  // registered before threads use it.
  DialectRegistry registry;
  registerLoweringDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  context->appendDialectRegistry(registry);
  context->loadAllAvailableDialects();
  {
    OwningOpRef<ModuleOp> empty = ModuleOp::create(UnknownLoc::get(context));
    PassManager pm(context);
    buildKernelLoweringPipeline(pm, /*isGPU=*/false);
    if (failed(pm.run(*empty)))
      return failure();
  }

  std::vector<llvm::SmallString<0>> objects(jobs.size());
  std::atomic<bool> failedAny = false;
  auto compileOne = [&](size_t i) {
    if (!failedAny && mlir::failed(compileKernel(jobs[i], target, objects[i])))
      failedAny = true;
  };
  if (threads > 1 && context->isMultithreadingEnabled() && jobs.size() > 1) {
    context->enterMultiThreadedExecution();
    {
      llvm::DefaultThreadPool pool(llvm::hardware_concurrency(threads));
      for (size_t i = 0; i < jobs.size(); ++i)
        pool.async([&compileOne, i] { compileOne(i); });
      pool.wait();
    }
    context->exitMultiThreadedExecution();
  } else {
    for (size_t i = 0; i < jobs.size(); ++i)
      compileOne(i);
  }
  if (failedAny)
    return failure();

  auto implementation = std::make_unique<Implementation>();
  llvm::Triple triple(llvm::sys::getProcessTriple());
  llvm::orc::JITTargetMachineBuilder builder(triple);
  auto jit = llvm::orc::LLJITBuilder()
                 .setJITTargetMachineBuilder(std::move(builder))
                 .create();
  if (!jit)
    return fail(jit.takeError());
  implementation->jit = std::move(*jit);
  // The C library's functions.
  auto process = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      implementation->jit->getDataLayout().getGlobalPrefix());
  if (!process)
    return fail(process.takeError());
  implementation->jit->getMainJITDylib().addGenerator(std::move(*process));
  for (auto [job, object] : llvm::zip_equal(jobs, objects)) {
    auto buffer =
        llvm::MemoryBuffer::getMemBufferCopy(object.str(), job.symbol);
    if (llvm::Error error =
            implementation->jit->addObjectFile(std::move(buffer)))
      return fail(std::move(error));
  }
  // Links everything now, so that a missing function is found here.
  for (const KernelJob &job : jobs)
    for (unsigned phase = 0; phase < job.shape.phases.size(); ++phase)
      if (auto address =
              implementation->jit->lookup(getPhaseSymbol(job.symbol, phase));
          !address)
        return fail(address.takeError());
  return std::unique_ptr<KernelCode>(new KernelCode(std::move(implementation)));
}

mpt_kernel_fn KernelCode::lookup(StringRef symbol, unsigned phase) const {
  auto address = implementation->jit->lookup(getPhaseSymbol(symbol, phase));
  if (!address) {
    llvm::consumeError(address.takeError());
    return nullptr;
  }
  return address->toPtr<mpt_kernel_fn>();
}
