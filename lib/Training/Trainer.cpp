//===- Trainer.cpp - Trains a model from a file ---------------------------===//

#include "mpt/Training/Trainer.h"

#include "DataFeed.h"
#include "Evaluation.h"
#include "GradientWatch.h"
#include "StepBuilder.h"

#include "mpt/Data/FileIO.h"
#include "mpt/Data/Safetensors.h"
#include "mpt/Data/SampleOrder.h"
#include "mpt/Training/Checkpoint.h"
#include "mpt/Training/Progress.h"
#include "mpt/Training/Report.h"
#include "mpt/Training/TrainingLog.h"

#include "mpt/Dialect/MP/IR/StepAttributes.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

using namespace mlir;
using namespace mpt;
using namespace mpt::training;

static std::atomic<bool> stopRequested = false;
static_assert(std::atomic<bool>::is_always_lock_free,
              "requestStop() is called in a signal handler");

void training::requestStop() { stopRequested = true; }

namespace {

using Clock = std::chrono::steady_clock;
using NamedTensors = std::vector<std::pair<std::string, data::HostTensor>>;

std::vector<data::TensorView> viewAll(const NamedTensors &tensors) {
  std::vector<data::TensorView> views;
  for (const auto &[name, tensor] : tensors)
    views.push_back(data::view(name, tensor));
  return views;
}

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// One run: the pieces in the order they are made.
class Run {
public:
  Run(MLIRContext &context, const TrainOptions &options)
      : context(context), options(options) {}

  bool prepare(std::string &error);
  bool train(std::string &error);
  bool finish(std::string &error);

private:
  void printGroups() const;
  bool openData(std::string &error);
  bool checkTargets(const data::Dataset &dataset, std::string &error) const;
  bool makeExecutors(std::string &error);
  bool resume(std::string &error);
  bool dumpGradients(std::string &error);
  bool lookAtGradients(StepRecord &record, Clock::time_point &start,
                       std::string &error) const;
  bool oneStep(StepRecord &record, std::string &error);
  bool evaluateNow(std::string &error);
  bool writeCheckpoint(std::string &error);
  void rescue(std::string &error);
  NamedTensors copyState() const;
  std::map<std::string, std::string> settings() const;
  std::string checkpointPath() const;
  double scheduledRate(int64_t index) const;
  std::string statusLine(const StepRecord &record) const;
  Summary summarize() const;

  MLIRContext &context;
  const TrainOptions &options;
  LossScaling scaling;
  double learningRate = 0;
  std::optional<BuiltModel> model;
  std::unique_ptr<execution::StepExecutor> step, evaluation;
  std::optional<data::Dataset> trainData, testData;
  std::optional<DataFeed> trainFeed, testFeed;
  std::optional<data::SampleOrder> order;
  std::optional<GradientWatch> watch;
  TrainingLog log;
  History history;
  int64_t totalSteps = 0, doneSteps = 0, skips = 0;
  double compileSeconds = 0, smoothedLoss = 0;
  bool stopped = false;
};

} // namespace

//===----------------------------------------------------------------------===//
// Preparation
//===----------------------------------------------------------------------===//

/// Arguments say their value in the first step where it is not zero or that of
/// a parameter: the loss scale and its counters.
static bool setInitialValues(execution::StepExecutor &executor,
                             func::FuncOp function, std::string &error) {
  for (auto [index, info] : llvm::enumerate(executor.getArguments())) {
    auto value = function.getArgAttr(index, mp::MPDialect::kInitialAttrName);
    double number = 0;
    if (auto real = dyn_cast_or_null<FloatAttr>(value))
      number = real.getValueAsDouble();
    else if (auto integer = dyn_cast_or_null<IntegerAttr>(value))
      number = static_cast<double>(integer.getInt());
    else
      continue;
    if (!executor.setScalar(info.name, number, error))
      return false;
  }
  return true;
}

/// "name=count" for every column of integer rows: how many labels a sample has
/// where the model does not say it.
static std::vector<std::string> getLabelLengths(const data::Dataset &dataset,
                                                const TrainOptions &options) {
  std::vector<std::string> lengths;
  for (const data::Dataset::Column &column : dataset.columns()) {
    if (data::isFloat(column.tensor.dtype) || column.tensor.shape.size() != 2)
      continue;
    std::string count = "=" + std::to_string(column.tensor.shape[1]);
    lengths.push_back(column.name + count);
    for (const auto &[name, given] : options.columns)
      if (given == column.name)
        lengths.push_back(name + count);
  }
  return lengths;
}

/// Whether every loss can read its labels.
bool Run::checkTargets(const data::Dataset &dataset, std::string &error) const {
  for (const Classification &head : model->heads)
    if (!dataset.checkLabels(trainFeed->getColumn(head.label), head.classes,
                             head.ignoreIndex, error))
      return false;
  for (data::Dataset::Transcription transcription : model->transcriptions) {
    for (std::string *name :
         {&transcription.labels, &transcription.logitLengths,
          &transcription.labelLengths})
      *name = trainFeed->getColumn(*name);
    if (!dataset.checkTranscription(transcription, error))
      return false;
  }
  return true;
}

bool Run::prepare(std::string &error) {
  auto loss = getLossScaling(options, error);
  auto rate = getLearningRate(options, error);
  if (!loss || !rate)
    return false;
  scaling = *loss;
  learningRate = *rate;
  stopRequested = false;
  for (const std::string &file : {options.save, options.report, options.summary,
                                  options.dumpGradients, options.checkpoint})
    if (!file.empty() && !data::checkWritable(file, error))
      return false;

  Clock::time_point start = Clock::now();
  if (!openData(error))
    return false;
  model =
      buildModel(context, options, getLabelLengths(*trainData, options), error);
  if (!model || !makeExecutors(error))
    return false;
  compileSeconds = secondsSince(start);
  if (!options.quiet)
    printGroups();

  if (!checkTargets(*trainData, error) ||
      (testData && !checkTargets(*testData, error)))
    return false;
  order.emplace(trainData->numSamples(), trainFeed->getBatchSize(),
                options.seed, options.shuffle);
  int64_t epochs = options.epochs ? options.epochs : options.steps ? 0 : 1;
  totalSteps =
      options.steps ? options.steps : epochs * order->batchesPerEpoch();
  if (!setInitialValues(*step, model->step.function, error) || !resume(error) ||
      !dumpGradients(error))
    return false;
  return options.log.empty() || log.open(options.log, doneSteps, error);
}

/// How many parameters each group got.
void Run::printGroups() const {
  func::FuncOp function = model->step.function;
  llvm::MapVector<llvm::StringRef, std::pair<int64_t, int64_t>> counts;
  for (BlockArgument argument : function.getArguments()) {
    auto group = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                       mp::kGroupAttrName);
    if (!group)
      continue;
    counts[group.getValue()].first += 1;
    counts[group.getValue()].second +=
        cast<RankedTensorType>(argument.getType()).getNumElements();
  }
  for (const auto &[group, count] : counts)
    llvm::errs() << "parameter group '" << group << "': " << count.first
                 << " parameters, " << count.second << " elements\n";
}

bool Run::openData(std::string &error) {
  using data::Dataset;
  trainData = Dataset::open(options.data, Dataset::Split::Train, error);
  if (!trainData)
    return false;
  if (!Dataset::hasTestSplit(options.data))
    return true;
  testData = Dataset::open(options.data, Dataset::Split::Test, error);
  return testData.has_value();
}

bool Run::makeExecutors(std::string &error) {
  using execution::StepExecutor;
  auto made = StepExecutor::create(*model->step.module, model->step.function,
                                   options.executor);
  if (failed(made))
    return false;
  step = std::move(*made);
  if (options.watchGradients > 0)
    watch.emplace(model->step.function);
  trainFeed = DataFeed::create(*trainData, *step, options.columns, error);
  if (!trainFeed)
    return false;
  if (!testData)
    return true;
  auto eval = StepExecutor::create(
      *model->evaluation.module, model->evaluation.function, options.executor);
  if (failed(eval))
    return false;
  evaluation = std::move(*eval);
  testFeed = DataFeed::create(*testData, *evaluation, options.columns, error);
  return testFeed.has_value();
}

bool Run::resume(std::string &error) {
  if (options.resume.empty())
    return true;
  std::optional<Checkpoint> checkpoint = loadCheckpoint(options.resume, error);
  if (!checkpoint)
    return false;
  for (const auto &[name, value] : settings()) {
    // Older checkpoints do not know every setting.
    auto it = checkpoint->settings.find(name);
    if (it == checkpoint->settings.end() || it->second == value)
      continue;
    error = options.resume + ": the checkpoint was made with " + name + " '" +
            it->second + "', this run has '" + value +
            "'; use the same settings to resume";
    return false;
  }
  std::map<std::string, const data::HostTensor *> saved;
  for (const auto &[name, tensor] : checkpoint->state)
    saved[name] = &tensor;
  for (const execution::ValueInfo &info : step->getArguments()) {
    if (!info.isState)
      continue;
    auto it = saved.find(info.name);
    if (it == saved.end()) {
      error = options.resume + ": has no '" + info.name +
              "'; the checkpoint belongs to another model or optimizer";
      return false;
    }
    if (!step->setState(info.name, *it->second, error)) {
      error = options.resume + ": " + error;
      return false;
    }
  }
  if (!order->restore(checkpoint->samples)) {
    error = options.resume + ": the checkpoint belongs to another data set";
    return false;
  }
  doneSteps = checkpoint->step;
  return true;
}

/// The gradients of the first batch at the initial parameters, unscaled.
bool Run::dumpGradients(std::string &error) {
  if (options.dumpGradients.empty())
    return true;
  auto made = execution::StepExecutor::create(
      *model->gradients.module, model->gradients.function, options.executor);
  if (failed(made))
    return false;
  execution::StepExecutor &executor = **made;
  auto feed = DataFeed::create(*trainData, executor, options.columns, error);
  if (!feed)
    return false;
  if (!setInitialValues(executor, model->gradients.function, error))
    return false;
  // A copy of the order, so that the run still starts with this batch.
  data::SampleOrder first(trainData->numSamples(), feed->getBatchSize(),
                          options.seed, options.shuffle);
  if (!feed->fill(executor, first.next(), error) || !executor.run(error))
    return false;
  NamedTensors gradients;
  for (auto [index, info] : llvm::enumerate(executor.getResults()))
    if (info.role == mp::Role::Gradient)
      gradients.emplace_back(info.name,
                             data::copy(executor.getResultView(index)));
  double loss = 0;
  if (!executor.getScalar("loss", loss, error))
    return false;
  return data::writeSafetensors(options.dumpGradients, viewAll(gradients),
                                {{"loss", llvm::formatv("{0:e17}", loss)}},
                                error);
}

//===----------------------------------------------------------------------===//
// Training
//===----------------------------------------------------------------------===//

/// The learning rate of step `index` (from 0): linear warm-up, then the
/// schedule down to zero at the end of the run.
double Run::scheduledRate(int64_t index) const {
  if (index < options.warmupSteps)
    return learningRate * (index + 1) / options.warmupSteps;
  double span = std::max<int64_t>(totalSteps - options.warmupSteps, 1);
  double progress = (index - options.warmupSteps) / span;
  switch (options.schedule) {
  case Schedule::Constant:
    return learningRate;
  case Schedule::Linear:
    return learningRate * (1 - progress);
  case Schedule::Cosine:
    return learningRate * 0.5 * (1 + std::cos(M_PI * progress));
  }
  return learningRate;
}

/// Whether the step has a result of that name.
static bool hasResult(const execution::StepExecutor &executor,
                      llvm::StringRef name) {
  return llvm::any_of(
      executor.getResults(),
      [&](const execution::ValueInfo &info) { return info.name == name; });
}

/// What looking takes does not count as the step's time: it moves `start`.
bool Run::lookAtGradients(StepRecord &record, Clock::time_point &start,
                          std::string &error) const {
  if (!watch || doneSteps % options.watchGradients != 0)
    return true;
  Clock::time_point begin = Clock::now();
  if (!watch->look(*step, record, error))
    return false;
  start += Clock::now() - begin;
  return true;
}

bool Run::oneStep(StepRecord &record, std::string &error) {
  Clock::time_point start = Clock::now();
  record.step = doneSteps + 1;
  record.learningRate = scheduledRate(doneSteps);
  if (scaling.mode != "off") {
    data::HostTensor scale;
    if (!step->getState("loss_scale", scale, error))
      return false;
    record.lossScale = data::convert(scale, data::DType::F64).data<double>()[0];
  }
  if (!trainFeed->fill(*step, order->next(), error))
    return false;
  record.epoch = order->state().epoch + 1;
  if (!step->setScalar("learning_rate", record.learningRate, error) ||
      !lookAtGradients(record, start, error) || !step->run(error) ||
      !step->getScalar("loss", record.loss, error))
    return false;
  if (hasResult(*step, "grad_norm") &&
      !step->getScalar("grad_norm", record.gradientNorm, error))
    return false;
  if (hasResult(*step, "finite")) {
    double finite = 1, first = -1;
    if (!step->getScalar("finite", finite, error) ||
        !step->getScalar("first_nonfinite", first, error))
      return false;
    record.skipped = finite == 0;
    // -1 where all are finite
    if (record.skipped && first >= 0 &&
        first < static_cast<double>(model->gradientNames.size()))
      record.overflow = model->gradientNames[static_cast<size_t>(first)];
  }
  record.seconds = secondsSince(start);
  return true;
}

std::string Run::statusLine(const StepRecord &record) const {
  std::string line =
      llvm::formatv("epoch {0}  loss {1:f4}", record.epoch, smoothedLoss);
  if (scaling.mode != "off")
    line += "  scale " + formatScale(record.lossScale);
  line += llvm::formatv("  {0:f1} ms/step", 1000 * record.seconds).str();
  if (!record.watchOverflow.empty())
    line += llvm::formatv("  {0}: {1:f1} doublings left", record.watchOverflow,
                          record.watchHeadroom)
                .str();
  return line;
}

bool Run::train(std::string &error) {
  Progress progress(options.quiet, totalSteps, doneSteps);
  // A loss scale at its floor that still overflows will not recover.
  constexpr int64_t kPatience = 100;
  int64_t skipsInARow = 0;
  while (doneSteps < totalSteps) {
    StepRecord record;
    if (!oneStep(record, error)) {
      progress.finish();
      return false;
    }
    ++doneSteps;
    skips += record.skipped;
    skipsInARow = record.skipped ? skipsInARow + 1 : 0;
    if (std::isfinite(record.loss))
      smoothedLoss = history.steps.empty()
                         ? record.loss
                         : 0.95 * smoothedLoss + 0.05 * record.loss;
    history.steps.push_back(record);
    if (!log.write(record, error)) {
      progress.finish();
      rescue(error);
      return false;
    }
    progress.update(doneSteps, statusLine(record));
    if (skipsInARow >= kPatience && record.lossScale <= 1) {
      progress.finish();
      error = llvm::formatv(
          "{0}: step {1}: {2} steps in a row had gradients that are not finite "
          "at loss scale {3}; the first was that of '{4}'. Lower the learning "
          "rate or look for an operation that overflows",
          options.model, record.step, skipsInARow, record.lossScale,
          record.overflow);
      return false;
    }
    if (scaling.mode == "off" && !std::isfinite(record.loss)) {
      progress.finish();
      error = llvm::formatv("{0}: step {1}: the loss is not finite; lower the "
                            "learning rate or check the data",
                            options.model, record.step);
      return false;
    }
    bool lastOfEpoch = order->state().position + trainFeed->getBatchSize() >
                       trainData->numSamples();
    bool last = doneSteps == totalSteps;
    stopped = stopRequested;
    bool due =
        options.checkpointEvery > 0 && doneSteps % options.checkpointEvery == 0;
    if ((due || stopped || (last && !options.checkpoint.empty())) &&
        !writeCheckpoint(error)) {
      progress.finish();
      return false;
    }
    if (stopped)
      break;
    if ((lastOfEpoch || last) && evaluation) {
      progress.finish();
      if (!evaluateNow(error))
        return false;
    }
  }
  progress.finish();
  return true;
}

bool Run::evaluateNow(std::string &error) {
  for (const execution::ValueInfo &info : evaluation->getArguments()) {
    if (!info.isState)
      continue;
    data::HostTensor value;
    // The average of a parameter stands in for it.
    std::string name = info.name;
    if (options.ema > 0 && step->hasArgument(name + ".ema"))
      name += ".ema";
    if (!step->getState(name, value, error) ||
        !evaluation->setState(info.name, value, error))
      return false;
  }
  EvaluationResult result;
  if (!evaluate(*evaluation, *testFeed, testData->numSamples(), model->heads,
                result, error))
    return false;
  const StepRecord &last = history.steps.back();
  EvaluationRecord record = {last.step, last.epoch, result.loss,
                             result.accuracy};
  history.evaluations.push_back(record);
  if (!options.quiet) {
    llvm::errs() << llvm::formatv("epoch {0}: test loss {1:f4}", record.epoch,
                                  record.loss);
    if (record.accuracy >= 0)
      llvm::errs() << llvm::formatv(", test accuracy {0:f2} %",
                                    100 * record.accuracy);
    llvm::errs() << '\n';
  }
  return log.write(record, error);
}

//===----------------------------------------------------------------------===//
// State
//===----------------------------------------------------------------------===//

NamedTensors Run::copyState() const {
  NamedTensors state;
  for (auto [index, info] : llvm::enumerate(step->getArguments()))
    if (info.isState)
      state.emplace_back(info.name, data::copy(step->getArgumentView(index)));
  return state;
}

std::map<std::string, std::string> Run::settings() const {
  static constexpr const char *names[] = {"fp32", "fp16", "bf16"};
  return {{"loss", options.loss},
          {"optimizer", options.optimizer},
          {"precision", names[static_cast<int>(options.precision)]},
          {"loss scale", scaling.mode},
          {"batch size", std::to_string(trainFeed->getBatchSize())},
          {"shuffle", options.shuffle ? "yes" : "no"},
          {"parameter groups", options.paramGroups},
          {"accumulate", std::to_string(options.accumulate)},
          {"ema", llvm::formatv("{0}", options.ema)}};
}

std::string Run::checkpointPath() const {
  if (!options.checkpoint.empty())
    return options.checkpoint;
  return (llvm::sys::path::stem(options.model) + ".checkpoint.safetensors")
      .str();
}

bool Run::writeCheckpoint(std::string &error) {
  NamedTensors state = copyState();
  return saveCheckpoint(checkpointPath(), viewAll(state), doneSteps,
                        order->state(), settings(), error);
}

/// What was trained must not be lost because a file could not be written.
void Run::rescue(std::string &error) {
  std::string problem;
  if (writeCheckpoint(problem))
    error += "; what was trained is in " + checkpointPath() + ": go on with " +
             "--resume";
}

//===----------------------------------------------------------------------===//
// The end
//===----------------------------------------------------------------------===//

Summary Run::summarize() const {
  Summary summary;
  static constexpr const char *names[] = {"FP32", "FP16 mixed", "BF16 mixed"};
  summary.model = llvm::sys::path::filename(options.model).str();
  summary.precision = names[static_cast<int>(options.precision)];
  summary.lossScaleMode = scaling.mode;
  summary.target =
      options.executor.target == execution::Target::CPU ? "cpu" : "reference";
  summary.threads = options.executor.threads
                        ? options.executor.threads
                        : std::thread::hardware_concurrency();
  summary.steps = history.steps.size();
  summary.skippedSteps = skips;
  summary.compileSeconds = compileSeconds;
  size_t tail = std::min<size_t>(100, history.steps.size());
  std::vector<double> times;
  for (const StepRecord &record : history.steps)
    times.push_back(record.seconds);
  for (size_t i = history.steps.size() - tail; i < history.steps.size(); ++i)
    summary.trainLoss += history.steps[i].loss / tail;
  if (!times.empty()) {
    auto middle = times.begin() + times.size() / 2;
    std::nth_element(times.begin(), middle, times.end());
    summary.secondsPerStep = *middle;
    summary.finalLossScale = history.steps.back().lossScale;
  }
  if (!history.evaluations.empty()) {
    summary.testLoss = history.evaluations.back().loss;
    summary.testAccuracy = history.evaluations.back().accuracy;
  }
  execution::ExecutionStatistics statistics = step->getStatistics();
  summary.plannedPeakBytes = statistics.arenaBytes;
  summary.plannedActivationBytes = statistics.transientBytes;
  summary.activationBytes = statistics.activationBytes;
  summary.kernels = statistics.numKernels;
  summary.distinctKernels = statistics.numDistinctKernels;
  summary.stateBytes = statistics.stateBytes;
  summary.opsLow = model->opsLow;
  summary.opsFP32 = model->opsFP32;
  summary.casts = model->casts;
  summary.castBytes = model->castBytes;
  summary.flops = model->flops;
  if (auto done = model->step.function->getAttrOfType<DictionaryAttr>(
          mp::kRematerializedAttrName)) {
    auto number = [&](llvm::StringRef name) {
      return done.getAs<IntegerAttr>(name).getInt();
    };
    summary.recomputedOps = number("copies");
    summary.activationBytesBefore = number("kept_before");
    summary.activationPeakBefore = number("peak_before");
    summary.activationPeakAfter = number("peak_after");
    summary.flopsBefore = number("flops_before");
  }
  return summary;
}

bool Run::finish(std::string &error) {
  NamedTensors state = copyState();
  if (!options.save.empty() &&
      !data::writeSafetensors(options.save, viewAll(state), {}, error)) {
    rescue(error);
    return false;
  }
  Summary summary = summarize();
  if (!options.report.empty() &&
      !writeReport(options.report, summary, history, error))
    return false;
  if (!options.summary.empty() &&
      !writeSummary(options.summary, summary, history, error))
    return false;
  if (history.steps.empty()) {
    llvm::outs() << llvm::formatv(
        "{0}: nothing left to train: {1} stands at step {2}, and {3} steps "
        "are asked for, those included\n",
        summary.model, options.resume, doneSteps, totalSteps);
    return true;
  }
  llvm::outs() << llvm::formatv("{0}: {1} steps in {2}, loss {3:f4}",
                                summary.model, summary.steps, summary.precision,
                                summary.trainLoss);
  if (summary.testAccuracy >= 0)
    llvm::outs() << llvm::formatv(", test accuracy {0:f2} %",
                                  100 * summary.testAccuracy);
  llvm::outs() << llvm::formatv(", {0:f2} ms per step, {1} skipped\n",
                                1000 * summary.secondsPerStep,
                                summary.skippedSteps);
  if (stopped)
    llvm::outs() << "stopped after step " << doneSteps
                 << "; resume with --resume " << checkpointPath() << '\n';
  if (options.profile)
    llvm::outs() << step->getProfile();
  return true;
}

bool training::train(MLIRContext &context, const TrainOptions &options,
                     std::string &error) {
  Run run(context, options);
  return run.prepare(error) && run.train(error) && run.finish(error);
}
