//===- PTX.cpp - From LLVM dialect to PTX ---------------------------------===//

#include "mpt/Conversion/PTX.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <mutex>

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

//===----------------------------------------------------------------------===//
// Targets
//===----------------------------------------------------------------------===//

static constexpr StringLiteral kTriple = "nvptx64-nvidia-cuda";

static void initializeTarget() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
}

/// PTX versions LLVM 22 writes, from the first that sm_70 can use.
static constexpr int64_t kVersions[] = {60, 61, 62, 63, 64, 65, 70, 71, 72,
                                        73, 74, 75, 76, 77, 78, 80, 81, 82,
                                        83, 84, 85, 86, 87, 88, 90};

/// Chips and the first version that has them (LLVM 22, NVPTX).
static const std::pair<StringLiteral, int64_t> kChips[] = {
    {"sm_70", 60},   {"sm_72", 61},   {"sm_75", 63},   {"sm_80", 70},
    {"sm_86", 71},   {"sm_87", 74},   {"sm_88", 90},   {"sm_89", 78},
    {"sm_90", 78},   {"sm_90a", 80},  {"sm_100", 86},  {"sm_100a", 86},
    {"sm_100f", 88}, {"sm_101", 86},  {"sm_101a", 86}, {"sm_101f", 88},
    {"sm_103", 88},  {"sm_103a", 88}, {"sm_103f", 88}, {"sm_110", 90},
    {"sm_110a", 90}, {"sm_110f", 90}, {"sm_120", 87},  {"sm_120a", 87},
    {"sm_120f", 88}, {"sm_121", 88},  {"sm_121a", 88}, {"sm_121f", 88}};

LogicalResult conversion::verifyPTXTarget(
    const PTXTarget &target,
    llvm::function_ref<InFlightDiagnostic()> emitError) {
  const auto *chip = llvm::find_if(
      kChips, [&](const auto &entry) { return entry.first == target.chip; });
  if (chip == std::end(kChips)) {
    std::string known;
    for (const auto &entry : kChips)
      known += (known.empty() ? "" : ", ") + entry.first.str();
    return emitError() << "chip '" << target.chip << "' is not one of "
                       << known;
  }
  if (!llvm::is_contained(kVersions, target.version))
    return emitError() << "there is no PTX version " << target.version
                       << " (80 is PTX 8.0); the newest is "
                       << kVersions[std::size(kVersions) - 1];
  if (target.version < chip->second)
    return emitError() << "PTX version " << target.version << " has no "
                       << target.chip << "; it needs ptx=" << chip->second
                       << " or newer";
  return success();
}

//===----------------------------------------------------------------------===//
// Lowering
//===----------------------------------------------------------------------===//

void conversion::lowerThreadNumbers(ModuleOp module) {
  module.walk([](Operation *op) {
    auto replace = [&](auto makeRegister) {
      OpBuilder b(op);
      Location loc = op->getLoc();
      Value number = makeRegister(b, loc, b.getI32Type());
      Value index =
          arith::IndexCastUIOp::create(b, loc, b.getIndexType(), number);
      op->getResult(0).replaceAllUsesWith(index);
      op->erase();
    };
    // A grid has at most 2^31 - 1 blocks.
    auto range = [&](int64_t begin, int64_t end) {
      return LLVM::ConstantRangeAttr::get(op->getContext(), 32, begin, end);
    };
    const int64_t maxBlocks = (int64_t(1) << 31) - 1;
    if (isa<gpu::ThreadIdOp>(op))
      replace([&](OpBuilder &b, Location loc, Type type) {
        return NVVM::ThreadIdXOp::create(b, loc, type,
                                         range(0, kThreadsPerBlock));
      });
    else if (isa<gpu::BlockDimOp>(op))
      replace([&](OpBuilder &b, Location loc, Type type) {
        return arith::ConstantIntOp::create(b, loc, type, kThreadsPerBlock);
      });
    else if (isa<gpu::BlockIdOp>(op))
      replace([&](OpBuilder &b, Location loc, Type type) {
        return NVVM::BlockIdXOp::create(b, loc, type, range(0, maxBlocks));
      });
    else if (isa<gpu::GridDimOp>(op))
      replace([&](OpBuilder &b, Location loc, Type type) {
        return NVVM::GridDimXOp::create(b, loc, type, range(1, maxBlocks + 1));
      });
  });
}

void conversion::approximateMath(ModuleOp module) {
  RewritePatternSet patterns(module.getContext());
  math::populateExpansionPatterns(
      patterns, {"sinh", "cosh", "tan", "asinh", "acosh", "atanh"});
  // f32 alone; what emitters have polynomials of their own for never gets here,
  // but as part of an expansion.
  populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
    return llvm::is_contained({"math.sin", "math.cos", "math.asin", "math.acos",
                               "math.atan", "math.atan2", "math.exp",
                               "math.log", "math.log1p", "math.tanh"},
                              name);
  });
  // Where it does not converge, checkOperations reports what is left.
  (void)applyPatternsGreedily(module, std::move(patterns));
}

void conversion::markAsEntryPoint(Operation *function) {
  auto func = cast<LLVM::LLVMFuncOp>(function);
  Builder b(func.getContext());
  func.setLinkage(LLVM::Linkage::External);
  func.setVisibility(SymbolTable::Visibility::Public);
  func->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), b.getUnitAttr());
  func->setAttr(NVVM::NVVMDialect::getReqntidAttrName(),
                b.getDenseI32ArrayAttr({int32_t(kThreadsPerBlock)}));
}

/// Operations for which NVPTX has no instruction and would call a library, or
/// end the process.
static LogicalResult
checkOperations(ModuleOp module,
                llvm::function_ref<InFlightDiagnostic()> emitError) {
  WalkResult result = module.walk([&](Operation *op) {
    if (isa<LLVM::ExpOp, LLVM::Exp2Op, LLVM::Exp10Op, LLVM::LogOp, LLVM::Log2Op,
            LLVM::Log10Op, LLVM::PowOp, LLVM::PowIOp, LLVM::SinOp, LLVM::CosOp,
            LLVM::SincosOp, LLVM::TanOp, LLVM::ASinOp, LLVM::ACosOp,
            LLVM::ATanOp, LLVM::ATan2Op, LLVM::SinhOp, LLVM::CoshOp,
            LLVM::TanhOp>(op) ||
        !isa<LLVM::LLVMDialect, NVVM::NVVMDialect, BuiltinDialect>(
            op->getDialect())) {
      emitError() << "'" << op->getName() << "'"
                  << (op->getNumResults() > 0 ? " on " : "")
                  << op->getResultTypes()
                  << " has no GPU code without a library";
      return WalkResult::interrupt();
    }
    auto call = dyn_cast<LLVM::CallOp>(op);
    if (call && (!call.getCallee() ||
                 !module.lookupSymbol<LLVM::LLVMFuncOp>(*call.getCallee()) ||
                 module.lookupSymbol<LLVM::LLVMFuncOp>(*call.getCallee())
                     .isExternal())) {
      emitError() << "calls '" << call.getCallee().value_or("?")
                  << "', which a GPU does not have";
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

//===----------------------------------------------------------------------===//
// Code generation
//===----------------------------------------------------------------------===//

struct PTXWriter::State {
  std::unique_ptr<llvm::TargetMachine> machine;
};

PTXWriter::PTXWriter(const PTXTarget &target)
    : state(std::make_unique<State>()) {
  initializeTarget();
  std::string error;
  llvm::Triple triple(kTriple);
  const llvm::Target *backend =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (backend)
    state->machine.reset(backend->createTargetMachine(
        triple, target.chip, target.getFeatures(), llvm::TargetOptions(),
        std::nullopt, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

PTXWriter::~PTXWriter() = default;

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2)
      .run(module, modules);
}

FailureOr<std::string>
PTXWriter::write(ModuleOp module,
                 llvm::function_ref<InFlightDiagnostic()> emitError) {
  if (!state->machine)
    return emitError() << "this LLVM has no NVPTX target";
  if (failed(checkOperations(module, emitError)))
    return failure();
  llvm::LLVMContext context;
  // LLVM's own handler would end the process.
  std::string message;
  context.setDiagnosticHandlerCallBack(
      [](const llvm::DiagnosticInfo *info, void *text) {
        if (info->getSeverity() != llvm::DS_Error)
          return;
        llvm::raw_string_ostream os(*static_cast<std::string *>(text));
        llvm::DiagnosticPrinterRawOStream printer(os);
        info->print(printer);
      },
      &message);
  std::unique_ptr<llvm::Module> code =
      translateModuleToLLVMIR(module, context, "kernel");
  if (!code)
    return emitError() << "cannot be translated to LLVM IR";
  llvm::TargetMachine &machine = *state->machine;
  code->setTargetTriple(machine.getTargetTriple());
  code->setDataLayout(machine.createDataLayout());
  optimize(*code, machine);

  llvm::SmallString<0> text;
  llvm::raw_svector_ostream os(text);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, os, nullptr,
                                  llvm::CodeGenFileType::AssemblyFile))
    return emitError() << "this LLVM cannot write PTX";
  passes.run(*code);
  if (!message.empty())
    return emitError() << "LLVM: " << message;
  std::string ptx = text.str().str();
  // A loader would fail on these, long after compilation.
  if (size_t at = ptx.find(".extern .func"); at != std::string::npos) {
    StringRef line = StringRef(ptx).substr(at);
    return emitError() << "the PTX needs a function nobody defines: "
                       << line.take_until([](char c) { return c == '\n'; });
  }
  return ptx;
}

void conversion::registerPTXTranslations(DialectRegistry &registry) {
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
}
