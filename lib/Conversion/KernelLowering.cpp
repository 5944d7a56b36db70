//===- KernelLowering.cpp - From an nn.kernel to LLVM dialect -------------===//

#include "mpt/Conversion/KernelLowering.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

/// Scratch parts start on cache lines.
static int64_t alignToLine(int64_t bytes) { return llvm::alignTo(bytes, 64); }

int64_t conversion::getScratchBytes(const KernelShape &shape,
                                    const TargetDescription &target) {
  return alignToLine(shape.sharedScratchBytes) +
         std::max<int64_t>(1, target.threads) *
             alignToLine(shape.chunkScratchBytes);
}

std::string conversion::getPhaseSymbol(StringRef symbol, unsigned phase) {
  return (symbol + "_" + Twine(phase)).str();
}

std::string conversion::getKernelKey(nn::KernelOp kernel) {
  std::string key = kernel.getKind().str();
  llvm::raw_string_ostream os(key);
  llvm::DenseMap<Value, unsigned> numbers;
  Block &body = kernel.getBody().front();
  auto define = [&](Value value) {
    unsigned number = numbers.size();
    numbers[value] = number;
    os << ':' << value.getType().getAsOpaquePointer();
  };
  for (Value argument : body.getArguments())
    define(argument);
  for (Operation &op : body) {
    os << ';' << op.getName().getStringRef();
    for (Value operand : op.getOperands())
      os << ',' << numbers.lookup(operand);
    os << '{';
    if (Attribute properties = op.getPropertiesAsAttribute())
      os << properties.getAsOpaquePointer();
    os << '}';
    for (Value result : op.getResults())
      define(result);
  }
  return key;
}

std::string conversion::describeKernel(nn::KernelOp kernel) {
  std::string text = kernel.getKind().str();
  // A few operations say enough.
  SmallVector<StringRef> names;
  int64_t more = 0;
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    if (isa<nn::ConstantOp>(op))
      continue;
    StringRef name = op.getName().stripDialect();
    if (llvm::is_contained(names, name))
      continue;
    if (names.size() < 4)
      names.push_back(name);
    else
      ++more;
  }
  for (auto [i, name] : llvm::enumerate(names))
    text += (i == 0 ? " " : "+") + name.str();
  if (more > 0)
    text += "+" + std::to_string(more);
  if (kernel.getNumResults() > 0) {
    llvm::raw_string_ostream os(text);
    os << ' ' << kernel.getResult(0).getType();
  }
  return text;
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

static std::string getBodySymbol(StringRef symbol, unsigned phase) {
  return getPhaseSymbol(symbol, phase) + "_body";
}

FailureOr<OwningOpRef<ModuleOp>> conversion::buildKernelModule(
    nn::KernelOp kernel, const KernelEmitter &emitter, const KernelShape &shape,
    const TargetDescription &target, StringRef symbol) {
  MLIRContext *context = kernel.getContext();
  Location loc = UnknownLoc::get(context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  OpBuilder b(context);

  auto getMemRefType = [&](Type type) {
    auto tensor = cast<RankedTensorType>(type);
    return MemRefType::get({tensor.getNumElements()},
                           getStorageType(tensor.getElementType()));
  };
  SmallVector<Type> types;
  for (Type type : kernel.getOperandTypes())
    types.push_back(getMemRefType(type));
  for (Type type : kernel.getResultTypes())
    types.push_back(getMemRefType(type));
  const unsigned numTensors = types.size();
  if (shape.sharedScratchBytes > 0)
    types.push_back(MemRefType::get({shape.sharedScratchBytes}, b.getI8Type()));
  if (!target.isGPU) {
    if (shape.chunkScratchBytes > 0)
      types.push_back(
          MemRefType::get({shape.chunkScratchBytes}, b.getI8Type()));
    types.push_back(b.getIndexType());
    types.push_back(b.getIndexType());
  }

  for (unsigned phase = 0; phase < shape.phases.size(); ++phase) {
    b.setInsertionPointToEnd(module->getBody());
    auto function = func::FuncOp::create(b, loc, getBodySymbol(symbol, phase),
                                         b.getFunctionType(types, TypeRange()));
    function.setPrivate();
    for (unsigned i = 0; i < types.size(); ++i) {
      if (!isa<MemRefType>(types[i]))
        continue;
      // Scratch never overlaps anything; tensors of an in-place kernel may.
      if (!shape.inPlace || i >= numTensors)
        function.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(),
                            b.getUnitAttr());
      function.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(),
                          b.getI64IntegerAttr(64));
    }
    Block *entry = function.addEntryBlock();
    EmitContext c(OpBuilder::atBlockEnd(entry), loc, target);
    c.phase = phase;
    unsigned next = 0;
    auto addTensors = [&](TypeRange tensorTypes,
                          SmallVector<KernelTensor> &tensors) {
      for (Type type : tensorTypes) {
        auto tensor = cast<RankedTensorType>(type);
        tensors.push_back({tensor, entry->getArgument(next++),
                           getRowMajorStrides(tensor.getShape())});
      }
    };
    addTensors(kernel.getOperandTypes(), c.inputs);
    addTensors(kernel.getResultTypes(), c.outputs);
    if (shape.sharedScratchBytes > 0)
      c.sharedScratch = entry->getArgument(next++);
    if (!target.isGPU) {
      if (shape.chunkScratchBytes > 0)
        c.chunkScratch = entry->getArgument(next++);
      c.chunk = entry->getArgument(next++);
      c.chunks = entry->getArgument(next++);
    }
    if (failed(emitter.emit(c, kernel)))
      return failure();
    c.b.setInsertionPointToEnd(entry);
    func::ReturnOp::create(c.b, loc);
  }
  return module;
}

void conversion::buildKernelLoweringPipeline(OpPassManager &pm, bool isGPU) {
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createLoopInvariantCodeMotionPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertMathToLLVMPass());
  // A GPU has no libm: what is left there is rejected when PTX is written.
  if (!isGPU)
    pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  ConvertFuncToLLVMPassOptions options;
  options.useBarePtrCallConv = true;
  pm.addPass(createConvertFuncToLLVMPass(options));
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
}

LogicalResult conversion::addEntryPoints(ModuleOp module, nn::KernelOp kernel,
                                         const KernelShape &shape,
                                         StringRef symbol) {
  MLIRContext *context = module.getContext();
  Location loc = module.getLoc();
  OpBuilder b(context);
  Type pointer = LLVM::LLVMPointerType::get(context);
  Type i64 = b.getI64Type();
  const int64_t numTensors = kernel.getNumOperands() + kernel.getNumResults();
  for (unsigned phase = 0; phase < shape.phases.size(); ++phase) {
    auto body =
        module.lookupSymbol<LLVM::LLVMFuncOp>(getBodySymbol(symbol, phase));
    if (!body)
      return kernel.emitError("lowering lost the function of phase ") << phase;
    body.setLinkage(LLVM::Linkage::Internal);
    body.setAlwaysInline(true);
    b.setInsertionPointToEnd(module.getBody());
    auto entry = LLVM::LLVMFuncOp::create(
        b, loc, getPhaseSymbol(symbol, phase),
        LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context),
                                    {pointer, i64, i64}));
    b.setInsertionPointToEnd(entry.addEntryBlock(b));
    Value args = entry.getArgument(0), chunk = entry.getArgument(1),
          chunks = entry.getArgument(2);
    auto loadPointer = [&](int64_t number) -> Value {
      Value address =
          LLVM::GEPOp::create(b, loc, pointer, pointer, args,
                              ArrayRef<LLVM::GEPArg>{int32_t(number)});
      return LLVM::LoadOp::create(b, loc, pointer, address);
    };
    SmallVector<Value> operands;
    for (int64_t i = 0; i < numTensors; ++i)
      operands.push_back(loadPointer(i));
    if (shape.sharedScratchBytes > 0 || shape.chunkScratchBytes > 0) {
      Value scratch = loadPointer(numTensors);
      if (shape.sharedScratchBytes > 0)
        operands.push_back(scratch);
      if (shape.chunkScratchBytes > 0) {
        Value size = LLVM::ConstantOp::create(
            b, loc, i64,
            b.getI64IntegerAttr(alignToLine(shape.chunkScratchBytes)));
        Value start = LLVM::ConstantOp::create(
            b, loc, i64,
            b.getI64IntegerAttr(alignToLine(shape.sharedScratchBytes)));
        Value offset = LLVM::AddOp::create(
            b, loc, start, LLVM::MulOp::create(b, loc, chunk, size));
        operands.push_back(LLVM::GEPOp::create(b, loc, pointer, b.getI8Type(),
                                               scratch,
                                               ArrayRef<LLVM::GEPArg>{offset}));
      }
    }
    operands.push_back(chunk);
    operands.push_back(chunks);
    LLVM::CallOp::create(b, loc, body, operands);
    LLVM::ReturnOp::create(b, loc, ValueRange());
  }
  return success();
}

void conversion::registerLoweringDialects(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, cf::ControlFlowDialect,
                  func::FuncDialect, gpu::GPUDialect, LLVM::LLVMDialect,
                  math::MathDialect, memref::MemRefDialect, NVVM::NVVMDialect,
                  scf::SCFDialect, ub::UBDialect, vector::VectorDialect>();
}
