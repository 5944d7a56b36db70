//===- PlanMemory.cpp - mpt-plan-memory -----------------------------------===//

#include "mpt/Conversion/ArenaPlan.h"
#include "mpt/Conversion/CPUNames.h"
#include "mpt/Conversion/KernelLowering.h"
#include "mpt/Conversion/Passes.h"
#include "mpt/Conversion/Pointwise.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/MP/IR/StepAttributes.h"

#include "llvm/ADT/StringMap.h"

namespace mpt {
#define GEN_PASS_DEF_PLANMEMORYPASS
#include "mpt/Conversion/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

/// Role and name as one key; empty if there is none or it is no state.
static std::string getStateKey(DictionaryAttr attrs) {
  if (!attrs)
    return "";
  auto role = attrs.getAs<mp::RoleAttr>(mp::MPDialect::kRoleAttrName);
  auto name = attrs.getAs<StringAttr>(mp::MPDialect::kNameAttrName);
  if (!role || !name || !mp::isStateRole(role.getValue()))
    return "";
  return std::to_string(int(role.getValue())) + ":" + name.str();
}

SmallVector<int64_t> conversion::getReplacingResults(func::FuncOp func) {
  llvm::StringMap<int64_t> results;
  for (unsigned i = 0; i < func.getNumResults(); ++i)
    if (std::string key = getStateKey(func.getResultAttrDict(i)); !key.empty())
      results[key] = i;
  SmallVector<int64_t> replacing(func.getNumArguments(), -1);
  for (unsigned i = 0; i < func.getNumArguments(); ++i) {
    std::string key = getStateKey(func.getArgAttrDict(i));
    auto it = key.empty() ? results.end() : results.find(key);
    if (it != results.end() &&
        func.getArgumentTypes()[i] == func.getResultTypes()[it->second])
      replacing[i] = it->second;
  }
  return replacing;
}

namespace {

class Planner {
public:
  Planner(func::FuncOp func, const TargetDescription &target)
      : func(func), target(target), b(func.getContext()) {}

  LogicalResult run() {
    terminator = func.getBody().front().getTerminator();
    replacing = getReplacingResults(func);
    if (failed(copyForeignState()) || failed(numberKernels()))
      return failure();
    collectUses();
    donate();
    assignBuffers();
    layOut();
    return success();
  }

private:
  /// The value whose memory `value` shows.
  static Value getRoot(Value value) {
    while (auto view = value.getDefiningOp<nn::ReshapeOp>())
      value = view.getInput();
    return value;
  }

  nn::KernelOp makeCopy(Value value) {
    b.setInsertionPoint(terminator);
    auto kernel = nn::KernelOp::create(b, value.getLoc(), value.getType(),
                                       value, b.getStringAttr(kPointwiseKind));
    Block *body = &kernel.getBody().emplaceBlock();
    Value inner = body->addArgument(value.getType(), value.getLoc());
    b.setInsertionPointToStart(body);
    Value copy =
        nn::ReshapeOp::create(b, value.getLoc(), value.getType(), inner);
    nn::YieldOp::create(b, value.getLoc(), copy);
    return kernel;
  }

  /// New state that is another argument, a constant, or the new value of two
  /// arguments: a copy. Arguments go through a temporary first, since
  /// their own memory may be overwritten by another copy.
  LogicalResult copyForeignState() {
    llvm::DenseSet<Value> taken;
    SmallVector<OpOperand *> copies;
    for (unsigned i = 0; i < func.getNumArguments(); ++i) {
      if (replacing[i] < 0)
        continue;
      OpOperand &operand = terminator->getOpOperand(replacing[i]);
      Value root = getRoot(operand.get());
      if (root == func.getArgument(i) && operand.get() == root)
        continue;
      if (isa<BlockArgument>(root))
        operand.set(makeCopy(operand.get()).getResult(0));
      else if (root.getDefiningOp<nn::KernelOp>() && taken.insert(root).second)
        continue;
      copies.push_back(&operand);
    }
    for (OpOperand *operand : copies)
      operand->set(makeCopy(operand->get()).getResult(0));
    return success();
  }

  LogicalResult numberKernels() {
    for (Operation &op : func.getBody().front().without_terminator()) {
      if (isa<nn::ConstantOp, nn::ReshapeOp>(op))
        continue;
      auto kernel = dyn_cast<nn::KernelOp>(op);
      if (!kernel)
        return op.emitError("memory is planned for kernels; run "
                            "mpt-form-kernels first");
      const KernelEmitter *emitter =
          KernelRegistry::get().lookup(kernel, target);
      if (!emitter)
        return kernel.emitError("no template lowers this kernel of kind '")
               << kernel.getKind() << "'";
      numbers[kernel] = kernels.size();
      kernels.push_back(kernel);
      shapes.push_back(emitter->getShape(kernel, target));
    }
    return success();
  }

  void collectUses() {
    const int64_t end = kernels.size();
    for (auto [number, kernel] : llvm::enumerate(kernels))
      for (Value operand : kernel.getInputs())
        lastUse[getRoot(operand)] = number;
    for (Value operand : terminator->getOperands())
      returned.insert(getRoot(operand));
    // A new state value is not needed behind the argument it replaces, but its
    // memory is.
    for (Value value : returned)
      lastUse[value] = end;
  }

  static bool haveSameElements(Value a, Value b) {
    auto x = cast<RankedTensorType>(a.getType()),
         y = cast<RankedTensorType>(b.getType());
    return x.getNumElements() == y.getNumElements() &&
           getElementBytes(x.getElementType()) ==
               getElementBytes(y.getElementType());
  }

  /// Chooses the arguments whose new value is written over the old one.
  void donate() {
    for (unsigned i = 0; i < func.getNumArguments(); ++i) {
      if (replacing[i] < 0)
        continue;
      OpOperand &operand = terminator->getOpOperand(replacing[i]);
      Value argument = func.getArgument(i);
      if (operand.get() == argument)
        continue;
      Value root = getRoot(operand.get());
      auto kernel = root.getDefiningOp<nn::KernelOp>();
      const int64_t number = numbers.lookup(kernel);
      auto last = lastUse.find(argument);
      const bool legal = last == lastUse.end() || last->second < number ||
                         (last->second == number && shapes[number].inPlace);
      if (!legal) {
        nn::KernelOp copy = makeCopy(operand.get());
        lastUse[root] = kernels.size();
        operand.set(copy.getResult(0));
        numbers[copy] = kernels.size();
        kernels.push_back(copy);
        shapes.push_back(
            KernelRegistry::get().lookup(copy, target)->getShape(copy, target));
        root = copy.getResult(0);
      }
      argumentOf[root] = i;
    }
  }

  void assignBuffers() {
    const int64_t end = kernels.size();
    for (Value operand : terminator->getOperands())
      lastUse[getRoot(operand)] = end;
    scratch.assign(kernels.size(), -1);
    for (auto [n, kernel] : llvm::enumerate(kernels)) {
      const int64_t number = n;
      llvm::SmallDenseSet<size_t> taken;
      for (Value result : kernel.getResults()) {
        if (argumentOf.contains(result))
          continue;
        auto last = lastUse.find(result);
        const int64_t until =
            last == lastUse.end() ? number : std::max(last->second, number);
        bufferOf[result] = findDyingOperand(number, result, taken);
        if (bufferOf[result] < buffers.size()) {
          buffers[bufferOf[result]].end = until;
          taken.insert(bufferOf[result]);
          continue;
        }
        Buffer buffer;
        buffer.size = getTensorBytes(cast<RankedTensorType>(result.getType()));
        buffer.begin = number;
        buffer.end = until;
        buffers.push_back(buffer);
      }
      if (int64_t bytes = getScratchBytes(shapes[number], target)) {
        scratch[number] = buffers.size();
        buffers.push_back({bytes, number, number, 0});
      }
    }
  }

  /// The buffer of an operand that dies in an in-place kernel and fits the
  /// result; buffers.size() if there is none.
  size_t findDyingOperand(int64_t number, Value result,
                          const llvm::SmallDenseSet<size_t> &taken) {
    if (!shapes[number].inPlace)
      return buffers.size();
    for (Value operand : kernels[number].getInputs()) {
      Value root = getRoot(operand);
      auto it = bufferOf.find(root);
      if (it == bufferOf.end() || lastUse.lookup(root) != number ||
          !haveSameElements(operand, result) || taken.contains(it->second) ||
          buffers[it->second].end != number)
        continue;
      return it->second;
    }
    return buffers.size();
  }

  void layOut() {
    int64_t next = 0;
    auto place = [&](int64_t bytes) {
      const int64_t offset = next;
      next += llvm::alignTo(bytes, kArenaAlignment);
      return offset;
    };
    auto bytesOf = [](Value value) {
      return getTensorBytes(cast<RankedTensorType>(value.getType()));
    };
    // State: what a result replaces, and parameters (frozen ones).
    SmallVector<int64_t> offsets(func.getNumArguments());
    auto isState = [&](unsigned i) {
      return replacing[i] >= 0 || !getStateKey(func.getArgAttrDict(i)).empty();
    };
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      if (isState(i))
        offsets[i] = place(bytesOf(func.getArgument(i)));
    const int64_t stateBytes = next;
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      if (!isState(i))
        offsets[i] = place(bytesOf(func.getArgument(i)));
    const int64_t inputBytes = next - stateBytes;
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      func.setArgAttr(i, kOffsetAttrName, b.getI64IntegerAttr(offsets[i]));
    for (auto constant : func.getOps<nn::ConstantOp>())
      constant->setAttr(kOffsetAttrName,
                        b.getI64IntegerAttr(place(bytesOf(constant))));
    const int64_t constantBytes = next - stateBytes - inputBytes;
    const int64_t start = next;
    const int64_t transientBytes = planArena(buffers);
    for (auto [number, kernel] : llvm::enumerate(kernels)) {
      SmallVector<int64_t> places;
      for (Value result : kernel.getResults()) {
        if (auto it = argumentOf.find(result); it != argumentOf.end())
          places.push_back(offsets[it->second]);
        else
          places.push_back(start + buffers[bufferOf[result]].offset);
      }
      if (scratch[number] >= 0)
        places.push_back(start + buffers[scratch[number]].offset);
      kernel->setAttr(kOffsetsAttrName, b.getDenseI64ArrayAttr(places));
    }
    auto number = [&](int64_t value) { return b.getI64IntegerAttr(value); };
    const Kept kept = getKeptBytes();
    NamedAttribute plan[] = {
        b.getNamedAttr("activations", number(kept.activations)),
        b.getNamedAttr("arena", number(start + transientBytes)),
        b.getNamedAttr("constants", number(constantBytes)),
        b.getNamedAttr("inputs", number(inputBytes)),
        b.getNamedAttr("lower_bound", number(getLiveBytesBound(buffers))),
        b.getNamedAttr("state", number(stateBytes)),
        b.getNamedAttr("transient", number(transientBytes)),
        b.getNamedAttr("weight_copies", number(kept.weightCopies))};
    func->setAttr(kPlanAttrName, b.getDictionaryAttr(plan));
  }

  /// The kernel that makes the loss, the last of the forward pass, or -1. With
  /// micro-batches it is that of the first, the earliest summand.
  int64_t findLossKernel() {
    int64_t loss = -1;
    for (unsigned i = 0; i < func.getNumResults(); ++i) {
      auto role = func.getResultAttrOfType<mp::RoleAttr>(
          i, mp::MPDialect::kRoleAttrName);
      if (!role || role.getValue() != mp::Role::Loss)
        continue;
      Value root = getRoot(terminator->getOperand(i));
      if (auto kernel = root.getDefiningOp<nn::KernelOp>())
        loss = std::max(loss, numbers.lookup(kernel));
    }
    if (loss >= 0 && func->hasAttr(mp::kMicroBatchesAttrName)) {
      nn::KernelOp mean = kernels[loss];
      for (Value operand : mean.getInputs())
        if (auto kernel = getRoot(operand).getDefiningOp<nn::KernelOp>())
          loss = std::min(loss, numbers.lookup(kernel));
    }
    return loss;
  }

  /// Bytes that are made up to the loss and read after it, of values that
  /// depend on the batch and of values made of parameters alone (their 16-bit
  /// copies). Values count, not buffers: an activation overwritten in place
  /// later is still one.
  struct Kept {
    int64_t activations = 0, weightCopies = 0;
  };
  Kept getKeptBytes() {
    Kept kept;
    const int64_t loss = findLossKernel();
    llvm::DenseSet<Value> ofWeights;
    for (unsigned i = 0; i < func.getNumArguments(); ++i) {
      auto role =
          func.getArgAttrOfType<mp::RoleAttr>(i, mp::MPDialect::kRoleAttrName);
      if (role && role.getValue() == mp::Role::Parameter)
        ofWeights.insert(func.getArgument(i));
    }
    for (auto [number, kernel] : llvm::enumerate(kernels)) {
      if (int64_t(number) > loss)
        break;
      const bool isOfWeights =
          !kernel.getInputs().empty() &&
          llvm::all_of(kernel.getInputs(), [&](Value input) {
            Value root = getRoot(input);
            return ofWeights.contains(root) ||
                   root.getDefiningOp<nn::ConstantOp>();
          });
      for (Value result : kernel.getResults()) {
        if (isOfWeights)
          ofWeights.insert(result);
        auto last = lastUse.find(result);
        if (last == lastUse.end() || last->second <= loss ||
            argumentOf.contains(result))
          continue;
        (isOfWeights ? kept.weightCopies : kept.activations) += llvm::alignTo(
            getTensorBytes(cast<RankedTensorType>(result.getType())),
            kArenaAlignment);
      }
    }
    return kept;
  }

  func::FuncOp func;
  const TargetDescription &target;
  OpBuilder b;
  Operation *terminator = nullptr;
  SmallVector<int64_t> replacing;
  SmallVector<nn::KernelOp> kernels;
  SmallVector<KernelShape> shapes;
  DenseMap<Operation *, int64_t> numbers;
  DenseMap<Value, int64_t> lastUse; // by root
  llvm::SetVector<Value> returned;
  DenseMap<Value, unsigned> argumentOf; // results written to an argument
  DenseMap<Value, size_t> bufferOf;
  SmallVector<Buffer, 0> buffers;
  SmallVector<int64_t, 0> scratch; // buffer of a kernel's scratch, or -1
};

class PlanMemory : public mpt::impl::PlanMemoryPassBase<PlanMemory> {
public:
  using PlanMemoryPassBase::PlanMemoryPassBase;

  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    if (std::string error; !checkCPUName(cpu, error)) {
      emitError(UnknownLoc::get(&getContext())) << error;
      return signalPassFailure();
    }
    TargetDescription target = TargetDescription::getCPU(cpu, threads);
    if (failed(planMemory(getOperation(), target)))
      signalPassFailure();
  }
};

} // namespace

LogicalResult conversion::planMemory(func::FuncOp func,
                                     const TargetDescription &target) {
  if (!func.getBody().hasOneBlock())
    return func.emitError("memory is planned for functions of one block");
  return Planner(func, target).run();
}
