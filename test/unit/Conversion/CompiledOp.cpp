//===- CompiledOp.cpp - One operation, compiled alone ---------------------===//

#include "CompiledOp.h"

#include "mpt/Conversion/Pointwise.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Support/Half.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"

#include <cstring>

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;
using namespace mpt::test;

//===----------------------------------------------------------------------===//
// Buffer
//===----------------------------------------------------------------------===//

Buffer::Buffer(RankedTensorType type)
    : type(type), storage(getTensorBytes(type) / 8 + 17) {}

void *Buffer::data() const {
  auto address = reinterpret_cast<uintptr_t>(storage.data());
  return reinterpret_cast<void *>((address + 63) / 64 * 64);
}

double Buffer::get(int64_t i) const {
  Type element = type.getElementType();
  auto read = [&](auto zero) {
    std::memcpy(&zero, static_cast<char *>(data()) + i * sizeof(zero),
                sizeof(zero));
    return zero;
  };
  if (element.isF32())
    return read(0.0f);
  if (element.isF64())
    return read(0.0);
  if (element.isF16())
    return decodeSmallFloat<F16Format>(read(uint16_t(0)));
  if (element.isBF16())
    return decodeSmallFloat<BF16Format>(read(uint16_t(0)));
  if (element.isInteger(64))
    return double(read(int64_t(0)));
  if (element.isInteger(32))
    return read(int32_t(0));
  return read(int8_t(0));
}

void Buffer::set(int64_t i, double value) {
  Type element = type.getElementType();
  auto write = [&](auto bits) {
    std::memcpy(static_cast<char *>(data()) + i * sizeof(bits), &bits,
                sizeof(bits));
  };
  if (element.isF32())
    write(float(value));
  else if (element.isF64())
    write(value);
  else if (element.isF16())
    write(encodeSmallFloat<F16Format>(value));
  else if (element.isBF16())
    write(encodeSmallFloat<BF16Format>(value));
  else if (element.isInteger(64))
    write(int64_t(value));
  else if (element.isInteger(32))
    write(int32_t(value));
  else
    write(int8_t(value));
}

void Buffer::fillRandom(std::mt19937 &generator, double low, double high) {
  bool isFloat = isa<FloatType>(type.getElementType());
  std::uniform_real_distribution<double> uniform(isFloat ? low : 0,
                                                 isFloat ? high : 10);
  for (int64_t i = 0; i < size(); ++i)
    set(i, uniform(generator));
}

void Buffer::fillBytes(uint8_t byte) {
  std::memset(data(), byte, getTensorBytes(type));
}

std::vector<double> Buffer::values() const {
  std::vector<double> result(size());
  for (int64_t i = 0; i < size(); ++i)
    result[i] = get(i);
  return result;
}

//===----------------------------------------------------------------------===//
// CompiledOp
//===----------------------------------------------------------------------===//

void test::registerTestDialects(DialectRegistry &registry) {
  registry.insert<func::FuncDialect, nn::NNDialect, mp::MPDialect>();
  registerLoweringDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

/// Compiles for the target and gives the JIT.
static llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>>
compileModule(ModuleOp module, const TargetDescription &target, bool dump) {
  static const bool initialized = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    return true;
  }();
  (void)initialized;
  auto context = std::make_unique<llvm::LLVMContext>();
  auto llvmModule = translateModuleToLLVMIR(module, *context);
  if (!llvmModule)
    return llvm::createStringError("translation to LLVM IR failed");
  auto builder = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return builder.takeError();
  builder->setCodeGenOptLevel(llvm::CodeGenOptLevel::Aggressive);
  auto machine = builder->createTargetMachine();
  if (!machine)
    return machine.takeError();
  llvmModule->setDataLayout((*machine)->createDataLayout());
  llvmModule->setTargetTriple((*machine)->getTargetTriple());
  for (llvm::Function &function : *llvmModule) {
    function.addFnAttr("target-cpu", (*machine)->getTargetCPU());
    function.addFnAttr("target-features", (*machine)->getTargetFeatureString());
  }
  llvm::LoopAnalysisManager lam;
  llvm::FunctionAnalysisManager fam;
  llvm::CGSCCAnalysisManager cgam;
  llvm::ModuleAnalysisManager mam;
  llvm::PassBuilder pb(machine->get());
  pb.registerModuleAnalyses(mam);
  pb.registerCGSCCAnalyses(cgam);
  pb.registerFunctionAnalyses(fam);
  pb.registerLoopAnalyses(lam);
  pb.crossRegisterProxies(lam, fam, cgam, mam);
  pb.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3)
      .run(*llvmModule, mam);
  if (dump)
    llvmModule->print(llvm::errs(), nullptr);
  auto jit = llvm::orc::LLJITBuilder()
                 .setJITTargetMachineBuilder(std::move(*builder))
                 .create();
  if (!jit)
    return jit.takeError();
  if (auto error = (*jit)->addIRModule(llvm::orc::ThreadSafeModule(
          std::move(llvmModule), std::move(context))))
    return std::move(error);
  return jit;
}

/// Code for a GPU as code for a CPU: a chunk is a thread of a grid of `chunks`.
static void emulateThreads(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>()) {
    Type index = IndexType::get(module.getContext());
    Location loc = function.getLoc();
    unsigned count = function.getNumArguments();
    (void)function.insertArguments({count, count}, {index, index}, {{}, {}},
                                   {loc, loc});
    Value thread = function.getArgument(count),
          threads = function.getArgument(count + 1);
    function.walk([&](Operation *op) {
      if (!isa<gpu::ThreadIdOp, gpu::BlockDimOp, gpu::BlockIdOp,
               gpu::GridDimOp>(op))
        return;
      OpBuilder b(op);
      Value value =
          isa<gpu::ThreadIdOp>(op) ? thread
          : isa<gpu::BlockDimOp>(op)
              ? threads
              : arith::ConstantIndexOp::create(b, loc, isa<gpu::GridDimOp>(op))
                    .getResult();
      op->getResult(0).replaceAllUsesWith(value);
      op->erase();
    });
  }
}

std::unique_ptr<CompiledOp> CompiledOp::compile(MLIRContext &context,
                                                const std::string &text,
                                                const TargetDescription &target,
                                                std::string &error, bool dump) {
  auto result = std::make_unique<CompiledOp>();
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    error += diagnostic.str() + "\n";
    return success();
  });
  result->target = target;
  result->module = parseSourceString<ModuleOp>(text, &context);
  if (!result->module) {
    error = "does not parse: " + error;
    return nullptr;
  }
  auto function = *result->module->getOps<func::FuncOp>().begin();
  Block &body = function.getBody().front();
  Operation &op = body.front();
  OpBuilder b(&op);
  auto kernel = nn::KernelOp::create(
      b, op.getLoc(), op.getResultTypes(), body.getArguments(),
      isPointwiseOp(&op) ? StringRef(kPointwiseKind)
                         : op.getName().getStringRef());
  Block *inside = b.createBlock(&kernel.getBody());
  for (BlockArgument argument : body.getArguments()) {
    result->inputTypes.push_back(cast<RankedTensorType>(argument.getType()));
    argument.replaceUsesWithIf(
        inside->addArgument(argument.getType(), argument.getLoc()),
        [&](OpOperand &use) { return use.getOwner() == &op; });
  }
  for (auto [from, to] :
       llvm::zip_equal(op.getResults(), kernel.getResults())) {
    result->outputTypes.push_back(cast<RankedTensorType>(from.getType()));
    from.replaceAllUsesWith(to);
  }
  op.moveBefore(inside, inside->end());
  b.setInsertionPointToEnd(inside);
  nn::YieldOp::create(b, op.getLoc(), op.getResults());
  result->op = &op;

  result->emitter = KernelRegistry::get().lookup(kernel, target);
  if (!result->emitter) {
    error = "no template takes it";
    return nullptr;
  }
  result->shape = result->emitter->getShape(kernel, target);
  auto lowered =
      buildKernelModule(kernel, *result->emitter, result->shape, target, "k");
  if (failed(lowered))
    return nullptr;
  if (target.isGPU)
    emulateThreads(**lowered);
  PassManager pm(&context);
  buildKernelLoweringPipeline(pm, /*isGPU=*/false);
  if (failed(pm.run(**lowered)) ||
      failed(addEntryPoints(**lowered, kernel, result->shape, "k")))
    return nullptr;
  auto jit = compileModule(**lowered, target, dump);
  if (!jit) {
    error += llvm::toString(jit.takeError());
    return nullptr;
  }
  result->jit = std::move(*jit);
  for (unsigned phase = 0; phase < result->shape.phases.size(); ++phase) {
    auto symbol = result->jit->lookup(getPhaseSymbol("k", phase));
    if (!symbol) {
      error += llvm::toString(symbol.takeError());
      return nullptr;
    }
    result->phases.push_back(
        symbol->toPtr<void (*)(void **, int64_t, int64_t)>());
  }
  result->scratch.resize(getScratchBytes(result->shape, target) / 8 + 16);
  return result;
}

void CompiledOp::run(ArrayRef<void *> tensors, int64_t chunks,
                     bool poisonScratch) {
  if (poisonScratch)
    std::memset(scratch.data(), 0xFF, scratch.size() * 8);
  SmallVector<void *> args(tensors.begin(), tensors.end());
  auto address = reinterpret_cast<uintptr_t>(scratch.data());
  args.push_back(reinterpret_cast<void *>((address + 63) / 64 * 64));
  chunks = std::min(chunks, std::max<int64_t>(1, target.threads));
  for (auto [phase, function] : llvm::enumerate(phases)) {
    int64_t count =
        std::clamp<int64_t>(shape.phases[phase].workItems, 1, chunks);
    for (int64_t chunk = 0; chunk < count; ++chunk)
      function(args.data(), chunk, count);
  }
}
