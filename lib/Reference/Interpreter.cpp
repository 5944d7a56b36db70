//===- Interpreter.cpp - Running operations, blocks and functions ---------===//

#include "mpt/Reference/Interpreter.h"
#include "Evaluation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Transforms/RegionUtils.h"
#include "mpt/Data/FileIO.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace mpt::reference {

/// Larger tensors are refused with a message rather than with the end of the
/// process: 2^33 doubles are 64 GiB.
static constexpr int64_t kMaxElements = int64_t(1) << 33;

static const Registry &getRegistry() {
  static const Registry registry = [] {
    Registry result;
    addUnaryEvaluations(result);
    addElementwiseEvaluations(result);
    addContractionEvaluations(result);
    addPoolingEvaluations(result);
    addNormalizationEvaluations(result);
    addSoftmaxEvaluations(result);
    addReductionEvaluations(result);
    addShapeEvaluations(result);
    addIndexingEvaluations(result);
    addTrainingEvaluations(result);
    addCTCEvaluations(result);
    addControlFlowEvaluations(result);
    addStructureEvaluations(result);
    addScalingEvaluations(result);
    return result;
  }();
  return registry;
}

bool hasEvaluation(StringRef operationName) {
  return getRegistry().find(operationName) != nullptr;
}

/// Allocates a result of `op`, or says why not.
static LogicalResult allocate(Operation *op, Type type, Tensor &result) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !isSupportedElementType(tensor.getElementType()))
    return op->emitOpError("has a result of type ")
           << type << ", which the reference interpreter cannot hold";
  if (!tensor.hasStaticShape())
    return op->emitOpError("has a result of the dynamic type ")
           << type << ": fix the symbolic dimensions when importing (--dim)";
  int64_t count = 1;
  for (int64_t extent : tensor.getShape())
    if (llvm::MulOverflow(count, extent, count) || count > kMaxElements)
      return op->emitOpError("has a result of type ")
             << type << ", which is too large for the reference interpreter";
  result = Tensor(tensor.getShape(), tensor.getElementType());
  return success();
}

static FailureOr<SmallVector<Tensor>>
evaluate(Operation *op, ArrayRef<const Tensor *> operands,
         const Options &options, const Captures *captures) {
  const Registry::Function *function =
      getRegistry().find(op->getName().getStringRef());
  if (!function) {
    if (auto node = dyn_cast<nn::OnnxNodeOp>(op))
      return op->emitOpError("holds the ONNX operator ")
             << (node.getDomain().empty() ? "" : node.getDomain() + ".")
             << node.getOpType()
             << ", which the reference interpreter cannot evaluate";
    return op->emitOpError("has no evaluation in the reference interpreter");
  }
  Evaluation evaluation{op, operands, options, {}, captures};
  evaluation.results.resize(op->getNumResults());
  for (auto [type, result] :
       llvm::zip_equal(op->getResultTypes(), evaluation.results))
    if (failed(allocate(op, type, result)))
      return failure();
  if (failed((*function)(evaluation)))
    return failure();
  for (Tensor &result : evaluation.results)
    if (!options.f64 || !result.isFloat())
      roundElements(result);
  if (options.observer && failed(options.observer(op, evaluation.results)))
    return failure();
  return std::move(evaluation.results);
}

FailureOr<SmallVector<Tensor>> evaluateOp(Operation *op,
                                          ArrayRef<const Tensor *> operands,
                                          const Options &options) {
  return evaluate(op, operands, options, nullptr);
}

namespace {
/// Where a value stands, and for how many more operands it is needed.
struct Slot {
  const Tensor *tensor = nullptr;
  std::unique_ptr<Tensor> owned;
  int64_t usesLeft = 0;
};
} // namespace

static int64_t countUses(Value value) {
  return std::distance(value.use_begin(), value.use_end());
}

FailureOr<SmallVector<Tensor>> evaluateBlock(Block &block,
                                             ArrayRef<const Tensor *> arguments,
                                             const Options &options,
                                             const Captures *captures) {
  llvm::DenseMap<Value, Slot> slots;
  auto find = [&](Value value) -> const Tensor * {
    if (auto it = slots.find(value); it != slots.end())
      return it->second.tensor;
    return captures ? captures->lookup(value) : nullptr;
  };
  auto release = [&](Value value) {
    auto it = slots.find(value);
    if (it != slots.end() && --it->second.usesLeft == 0)
      slots.erase(it);
  };
  for (auto [argument, tensor] :
       llvm::zip_equal(block.getArguments(), arguments)) {
    Slot &slot = slots[argument];
    slot.tensor = tensor;
    slot.usesLeft = countUses(argument);
  }
  for (Operation &op : block) {
    SmallVector<const Tensor *> operands;
    for (Value operand : op.getOperands()) {
      operands.push_back(find(operand));
      if (!operands.back())
        return op.emitOpError("uses a value from outside of its block");
    }
    if (op.hasTrait<OpTrait::IsTerminator>()) {
      SmallVector<Tensor> results;
      for (auto [operand, tensor] :
           llvm::zip_equal(op.getOperands(), operands)) {
        auto it = slots.find(operand);
        if (it != slots.end() && it->second.owned && --it->second.usesLeft == 0)
          results.push_back(std::move(*it->second.owned));
        else
          results.push_back(*tensor);
      }
      return results;
    }
    // What regions read from outside counts as operands.
    Captures inner;
    SmallVector<Value> captured;
    if (op.getNumRegions() != 0)
      visitUsedValuesDefinedAbove(op.getRegions(), [&](OpOperand *use) {
        captured.push_back(use->get());
        if (const Tensor *tensor = find(use->get()))
          inner[use->get()] = tensor;
      });
    FailureOr<SmallVector<Tensor>> results =
        evaluate(&op, operands, options, &inner);
    if (failed(results))
      return failure();
    llvm::for_each(op.getOperands(), release);
    llvm::for_each(captured, release);
    for (auto [value, tensor] : llvm::zip_equal(op.getResults(), *results)) {
      if (value.use_empty())
        continue;
      Slot &slot = slots[value];
      slot.owned = std::make_unique<Tensor>(std::move(tensor));
      slot.tensor = slot.owned.get();
      slot.usesLeft = countUses(value);
    }
  }
  return block.getParentOp()->emitOpError("has a body without a terminator");
}

FailureOr<SmallVector<Tensor>>
Interpreter::run(func::FuncOp function, ArrayRef<const Tensor *> arguments) {
  if (!function.getBody().hasOneBlock())
    return function.emitOpError("cannot be run: it must have one block");
  Block &block = function.getBody().front();
  if (arguments.size() != block.getNumArguments())
    return function.emitOpError("takes ")
           << block.getNumArguments() << " arguments, but got "
           << arguments.size();
  for (auto [index, argument] : llvm::enumerate(arguments)) {
    Type type = block.getArgument(index).getType();
    if (type != argument->getType())
      return function.emitOpError("takes ")
             << type << " as argument " << index << ", but got "
             << argument->getType();
  }
  return evaluateBlock(block, arguments, options);
}

FailureOr<SmallVector<Tensor>> Interpreter::run(func::FuncOp function,
                                                ArrayRef<Tensor> arguments) {
  SmallVector<const Tensor *> pointers;
  for (const Tensor &argument : arguments)
    pointers.push_back(&argument);
  return run(function, pointers);
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

ParameterLoader::ParameterLoader(std::string directory)
    : directory(std::move(directory)) {}
ParameterLoader::~ParameterLoader() = default;

FailureOr<Tensor> ParameterLoader::load(nn::ParameterOp parameter) {
  std::optional<Attribute> value = parameter.getValue();
  if (!value)
    return parameter.emitOpError(
        "has no initial value: give it one as an input");
  if (auto elements = dyn_cast<ElementsAttr>(*value))
    return fromElements(elements, parameter.getLoc());
  auto external = dyn_cast<nn::ExternalAttr>(*value);
  auto type = dyn_cast<RankedTensorType>(parameter.getType());
  if (!external || !type)
    return parameter.emitOpError("has an initial value of an unknown kind");
  std::string path = external.getFile().str();
  if (!data::fileExists(path) && llvm::sys::path::is_relative(path)) {
    SmallString<128> beside(directory);
    llvm::sys::path::append(beside, path);
    path = std::string(beside);
  }
  std::unique_ptr<data::MappedFile> &file = files[path];
  if (!file) {
    std::string error;
    std::optional<data::MappedFile> mapped =
        data::MappedFile::open(path, error);
    if (!mapped)
      return parameter.emitOpError("has its initial value in a file: ")
             << error;
    file = std::make_unique<data::MappedFile>(std::move(*mapped));
  }
  if (external.getOffset() > file->size() ||
      external.getLength() > file->size() - external.getOffset())
    return parameter.emitOpError("has its initial value in bytes ")
           << external.getOffset() << " to "
           << external.getOffset() + external.getLength() << " of '" << path
           << "', which has only " << file->size();
  return fromBytes(
      type,
      {reinterpret_cast<const char *>(file->data()) + external.getOffset(),
       static_cast<size_t>(external.getLength())},
      parameter.getLoc());
}

FailureOr<std::optional<Tensor>>
ParameterLoader::loadArgument(func::FuncOp function, unsigned index) {
  auto symbol = function.getArgAttrOfType<FlatSymbolRefAttr>(
      index, nn::NNDialect::kParameterAttrName);
  if (!symbol)
    return std::optional<Tensor>();
  auto parameter =
      symbols.lookupNearestSymbolFrom<nn::ParameterOp>(function, symbol);
  if (!parameter)
    return function.emitOpError("refers to the parameter ")
           << symbol << ", which does not exist";
  FailureOr<Tensor> tensor = load(parameter);
  if (failed(tensor))
    return failure();
  return std::optional<Tensor>(std::move(*tensor));
}

} // namespace mpt::reference
