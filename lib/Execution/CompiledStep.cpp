//===- CompiledStep.cpp - A step as kernels over one arena ----------------===//

#include "mpt/Execution/CompiledStep.h"

#include "KernelCode.h"
#include "mpt/Conversion/CPUNames.h"
#include "mpt/Conversion/KernelLowering.h"
#include "mpt/Conversion/Passes.h"

#include "llvm/Support/Format.h"

#include <chrono>
#include <cstring>

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;
using namespace mpt::execution;

CompiledStep::CompiledStep() = default;

CompiledStep::~CompiledStep() {
  mpt_arena_destroy(arena);
  mpt_pool_destroy(pool);
}

namespace mpt::execution {

/// Makes a CompiledStep of a function with a plan.
class StepBuilder {
public:
  StepBuilder(CompiledStep &step, func::FuncOp func,
              const TargetDescription &target)
      : step(step), func(func), target(target),
        terminator(func.getBody().front().getTerminator()) {}

  LogicalResult build(unsigned threads, bool profile);

private:
  using Range = CompiledStep::Range;

  static Value getRoot(Value value) {
    while (auto view = value.getDefiningOp<nn::ReshapeOp>())
      value = view.getInput();
    return value;
  }
  static int64_t getBytes(Value value) {
    return getTensorBytes(cast<RankedTensorType>(value.getType()));
  }
  Range getRange(Value value) const {
    return {offsetOf.lookup(getRoot(value)), getBytes(value)};
  }

  LogicalResult collectKernels();
  void collectOffsets();
  void addLaunches(size_t number);
  void addLifetimes();
  LogicalResult fillConstants();

  CompiledStep &step;
  func::FuncOp func;
  const TargetDescription &target;
  Operation *terminator;
  SmallVector<nn::KernelOp, 0> kernels;
  SmallVector<KernelJob, 0> jobs;
  SmallVector<size_t, 0> jobOf;      // per kernel
  SmallVector<size_t, 0> lastLaunch; // per kernel
  DenseMap<Value, int64_t> offsetOf; // of roots
};

} // namespace mpt::execution

LogicalResult StepBuilder::collectKernels() {
  llvm::StringMap<size_t> known;
  for (nn::KernelOp kernel : func.getOps<nn::KernelOp>()) {
    auto [it, isNew] = known.try_emplace(getKernelKey(kernel), jobs.size());
    if (isNew) {
      KernelJob job;
      job.kernel = kernel;
      job.emitter = KernelRegistry::get().lookup(kernel, target);
      if (!job.emitter)
        return kernel.emitError("no template lowers this kernel of kind '")
               << kernel.getKind() << "'";
      job.shape = job.emitter->getShape(kernel, target);
      job.symbol = "kernel_" + std::to_string(jobs.size());
      jobs.push_back(std::move(job));
    }
    kernels.push_back(kernel);
    jobOf.push_back(it->second);
  }
  return success();
}

void StepBuilder::collectOffsets() {
  for (unsigned i = 0; i < func.getNumArguments(); ++i) {
    auto offset = func.getArgAttrOfType<IntegerAttr>(i, kOffsetAttrName);
    offsetOf[func.getArgument(i)] = offset.getInt();
  }
  for (auto constant : func.getOps<nn::ConstantOp>())
    offsetOf[constant.getResult()] =
        constant->getAttrOfType<IntegerAttr>(kOffsetAttrName).getInt();
  for (nn::KernelOp kernel : kernels) {
    auto offsets = kernel->getAttrOfType<DenseI64ArrayAttr>(kOffsetsAttrName);
    for (auto [result, offset] :
         llvm::zip(kernel.getResults(), offsets.asArrayRef()))
      offsetOf[result] = offset;
  }
  for (Value argument : func.getArguments()) {
    Range range = getRange(argument);
    step.argumentRanges.push_back(range);
  }
  for (Value operand : terminator->getOperands())
    step.resultRanges.push_back(getRange(operand));
}

void StepBuilder::addLaunches(size_t number) {
  nn::KernelOp kernel = kernels[number];
  const KernelJob &job = jobs[jobOf[number]];
  auto places = kernel->getAttrOfType<DenseI64ArrayAttr>(kOffsetsAttrName);
  const int64_t scratchBytes = getScratchBytes(job.shape, target);
  step.names.push_back(describeKernel(kernel));
  const char *name = step.names.back().c_str();
  step.offsets.emplace_back();
  std::vector<int64_t> &offsets = step.offsets.back();
  for (Value operand : kernel.getInputs())
    offsets.push_back(getRange(operand).offset);
  for (Value result : kernel.getResults())
    offsets.push_back(getRange(result).offset);
  const int64_t scratchOffset = scratchBytes ? places.asArrayRef().back() : 0;
  if (scratchBytes)
    offsets.push_back(scratchOffset);

  SmallVector<bool> written(kernel.getNumResults(), false);
  for (unsigned phase = 0; phase < job.shape.phases.size(); ++phase) {
    const KernelPhase &shape = job.shape.phases[phase];
    step.launches.push_back({step.code->lookup(job.symbol, phase),
                             offsets.data(), int32_t(offsets.size()),
                             std::max<int64_t>(1, shape.workItems), name});
    step.accesses.emplace_back();
    std::vector<mpt_access> &accesses = step.accesses.back();
    auto declare = [&](Range range, int32_t mode) {
      accesses.push_back({range.offset, range.bytes, mode});
    };
    for (Value operand : kernel.getInputs())
      declare(getRange(operand), MPT_ACCESS_READ);
    for (unsigned i = 0; i < kernel.getNumResults(); ++i) {
      const Range range = getRange(kernel.getResult(i));
      const bool writes =
          !shape.outputs || llvm::is_contained(*shape.outputs, i);
      if (writes)
        declare(range, written[i] ? MPT_ACCESS_READ_WRITE : MPT_ACCESS_WRITE);
      else if (written[i])
        declare(range, MPT_ACCESS_READ);
      written[i] = written[i] || writes;
    }
    if (scratchBytes)
      declare({scratchOffset, scratchBytes},
              (phase == 0 ? MPT_ACCESS_WRITE : MPT_ACCESS_READ_WRITE) |
                  MPT_ACCESS_SCRATCH);
  }
  lastLaunch.push_back(step.launches.size() - 1);
}

/// What the checked execution needs: when each value is needed last.
void StepBuilder::addLifetimes() {
  step.deadRanges.resize(step.launches.size());
  DenseMap<Value, size_t> lastUse;
  for (auto [number, kernel] : llvm::enumerate(kernels))
    for (Value operand : kernel.getInputs())
      lastUse[getRoot(operand)] = number;
  llvm::DenseSet<Value> kept;
  for (Value operand : terminator->getOperands())
    kept.insert(getRoot(operand));
  SmallVector<int64_t> replacing = getReplacingResults(func);
  auto die = [&](Value value, size_t number) {
    // Overwritten in place: the range has a new owner.
    for (Value result : kernels[number].getResults())
      if (result != value && offsetOf.lookup(result) == offsetOf.lookup(value))
        return;
    Range range = getRange(value);
    if (range.bytes)
      step.deadRanges[lastLaunch[number]].push_back(
          {range.offset, range.bytes});
  };
  for (unsigned i = 0; i < func.getNumArguments(); ++i) {
    Value argument = func.getArgument(i);
    const bool isReplaced =
        replacing[i] >= 0 && terminator->getOperand(replacing[i]) != argument;
    auto last = lastUse.find(argument);
    Range range = getRange(argument);
    // An argument that nobody reads is only room for its new value.
    if (range.bytes && !(isReplaced && last == lastUse.end()))
      step.live.push_back({range.offset, range.bytes});
    if (isReplaced && last != lastUse.end() && !kept.contains(argument))
      die(argument, last->second);
  }
  for (auto constant : func.getOps<nn::ConstantOp>())
    if (Range range = getRange(constant); range.bytes)
      step.live.push_back({range.offset, range.bytes});
  for (auto [number, kernel] : llvm::enumerate(kernels)) {
    for (Value result : kernel.getResults()) {
      if (kept.contains(result))
        continue;
      auto last = lastUse.find(result);
      die(result, last == lastUse.end() ? number : last->second);
    }
    const KernelJob &job = jobs[jobOf[number]];
    if (int64_t bytes = getScratchBytes(job.shape, target)) {
      auto places = kernel->getAttrOfType<DenseI64ArrayAttr>(kOffsetsAttrName);
      step.deadRanges[lastLaunch[number]].push_back(
          {places.asArrayRef().back(), bytes});
    }
  }
  for (size_t i = 0; i < step.launches.size(); ++i)
    step.checks.push_back(
        {step.accesses[i].data(), int32_t(step.accesses[i].size()),
         step.deadRanges[i].data(), int32_t(step.deadRanges[i].size())});
}

/// Writes the elements of an attribute as they lie in memory.
static LogicalResult writeElements(nn::ConstantOp op, uint8_t *memory) {
  auto type = cast<RankedTensorType>(op.getType());
  Type element = type.getElementType();
  const int64_t bytes = getElementBytes(element);
  const int64_t count = type.getNumElements();
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(op.getValue())) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || int64_t(blob->getData().size()) < bytes * count)
      return op.emitError("the data of this constant is missing");
    std::memcpy(memory, blob->getData().data(), size_t(bytes * count));
    return success();
  }
  auto dense = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!dense)
    return op.emitError("constants are dense");
  auto write = [&](const APInt &value, int64_t i) {
    const uint64_t bits = value.getZExtValue();
    std::memcpy(memory + i * bytes, &bits, size_t(bytes));
  };
  int64_t i = 0;
  if (isa<FloatType>(element)) {
    for (const APFloat &value : dense.getValues<APFloat>())
      write(value.bitcastToAPInt(), i++);
  } else {
    for (const APInt &value : dense.getValues<APInt>())
      write(value, i++);
  }
  return success();
}

LogicalResult StepBuilder::fillConstants() {
  for (auto constant : func.getOps<nn::ConstantOp>())
    if (failed(writeElements(constant, step.arena + offsetOf.lookup(constant))))
      return failure();
  return success();
}

LogicalResult StepBuilder::build(unsigned threads, bool profile) {
  if (failed(collectKernels()))
    return failure();
  auto code = KernelCode::compile(func, jobs, target, threads);
  if (failed(code))
    return failure();
  step.code = std::move(*code);
  collectOffsets();
  for (size_t number = 0; number < kernels.size(); ++number)
    addLaunches(number);
  addLifetimes();
  if (profile)
    step.nanoseconds.assign(step.launches.size(), 0);

  auto plan = func->getAttrOfType<DictionaryAttr>(kPlanAttrName);
  auto number = [&](StringRef name) {
    return plan.getAs<IntegerAttr>(name).getInt();
  };
  ExecutionStatistics &statistics = step.statistics;
  statistics.numKernels = step.launches.size();
  statistics.numDistinctKernels = jobs.size();
  statistics.arenaBytes = number("arena");
  statistics.stateBytes = number("state");
  statistics.inputBytes = number("inputs");
  statistics.constantBytes = number("constants");
  statistics.transientBytes = number("transient");
  statistics.transientLowerBound = number("lower_bound");
  statistics.activationBytes = number("activations");
  step.arena = static_cast<uint8_t *>(
      mpt_arena_create(step.pool, statistics.arenaBytes));
  if (!step.arena)
    return func.emitError() << "this step needs " << statistics.arenaBytes
                            << " bytes of memory: " << mpt_last_error();
  return fillConstants();
}

FailureOr<std::unique_ptr<StepExecutor>>
CompiledStep::create(ModuleOp module, func::FuncOp func,
                     const ExecutorOptions &options) {
  const auto start = std::chrono::steady_clock::now();
  std::unique_ptr<CompiledStep> step(new CompiledStep());
  step->checkPlan = options.checkPlan;
  if (failed(step->describe(func)))
    return failure();
  if (std::string error; !checkCPUName(options.cpu, error))
    return func.emitError() << error;
  step->pool = mpt_pool_create(options.threads);
  if (!step->pool)
    return func.emitError() << mpt_last_error();
  const int32_t threads = mpt_pool_threads(step->pool);
  const TargetDescription target =
      TargetDescription::getCPU(options.cpu, threads);

  // The passes work on a copy.
  OwningOpRef<ModuleOp> copy = ModuleOp::create(module.getLoc());
  auto planned = cast<func::FuncOp>(func->clone());
  copy->push_back(planned);
  if (!planned->hasAttr(kPlanAttrName)) {
    PassManager pm(module.getContext());
    pm.enableVerifier(false);
    pm.addNestedPass<func::FuncOp>(createFormKernelsPass());
    if (failed(pm.run(*copy)) || failed(planMemory(planned, target)))
      return failure();
  }
  StepBuilder builder(*step, planned, target);
  if (failed(builder.build(unsigned(threads), options.profile)) ||
      failed(step->loadParameters(module, func, options)))
    return failure();
  step->statistics.compileSeconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  return std::unique_ptr<StepExecutor>(std::move(step));
}

bool CompiledStep::run(std::string &error) {
  if (checkPlan) {
    auto report = [](void *context, int64_t, const char *message) {
      auto *text = static_cast<std::string *>(context);
      if (text->empty())
        *text = message;
    };
    const int64_t violations =
        mpt_check_schedule(pool, arena, statistics.arenaBytes, launches.data(),
                           checks.data(), int64_t(launches.size()), live.data(),
                           int64_t(live.size()), report, &error);
    if (violations == 0)
      return true;
    if (violations < 0)
      error = mpt_last_error();
    else
      error = std::to_string(violations) +
              " violations of the memory plan, the first: " + error;
    return false;
  }
  mpt_run_options options{nanoseconds.empty() ? nullptr : nanoseconds.data(),
                          nullptr, nullptr};
  if (mpt_run_schedule_with(pool, arena, launches.data(),
                            int64_t(launches.size()), &options) != 0) {
    error = mpt_last_error();
    return false;
  }
  ++numRuns;
  return true;
}

data::TensorView CompiledStep::getArgumentView(unsigned index) const {
  const ValueInfo &info = arguments[index];
  return {info.name, info.dtype, info.shape,
          arena + argumentRanges[index].offset,
          size_t(argumentRanges[index].bytes)};
}

data::TensorView CompiledStep::getResultView(unsigned index) const {
  const ValueInfo &info = results[index];
  return {info.name, info.dtype, info.shape, arena + resultRanges[index].offset,
          size_t(resultRanges[index].bytes)};
}

void *CompiledStep::getMutableArgument(unsigned index) {
  return arena + argumentRanges[index].offset;
}

bool CompiledStep::setArgument(unsigned index, const data::HostTensor &value,
                               std::string &error) {
  const ValueInfo &info = arguments[index];
  if (value.shape != info.shape) {
    error = "'" + info.name + "' has shape " + data::shapeString(value.shape) +
            ", but the model takes " + data::shapeString(info.shape);
    return false;
  }
  data::convertElements(value.dtype, value.bytes.data(), info.dtype,
                        getMutableArgument(index), size_t(value.numElements()));
  return true;
}

std::string CompiledStep::getProfile() const {
  // Launches of one name together.
  llvm::StringMap<std::pair<int64_t, int64_t>> byName;
  int64_t total = 0;
  for (size_t i = 0; i < nanoseconds.size(); ++i) {
    auto &entry = byName[launches[i].name];
    entry.first += 1;
    entry.second += nanoseconds[i];
    total += nanoseconds[i];
  }
  SmallVector<std::pair<int64_t, StringRef>> order;
  for (const auto &entry : byName)
    order.push_back({entry.second.second, entry.first()});
  llvm::sort(order, [](const auto &a, const auto &b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  std::string text;
  llvm::raw_string_ostream os(text);
  const double runs = double(std::max<int64_t>(1, numRuns));
  for (auto [time, name] : order)
    os << llvm::format("%9.3f ms %5.1f%% x%-4lld ", double(time) / 1e6 / runs,
                       100.0 * double(time) /
                           double(std::max<int64_t>(1, total)),
                       (long long)byName[name].first)
       << name << '\n';
  return text;
}
