//===- mpt-train.cpp - Trains a model from a file -------------------------===//
//
// The command line of mpt::training::train (docs/GettingStarted.md).
//
//===----------------------------------------------------------------------===//

#include "mpt/InitAllDialects.h"
#include "mpt/InitAllPasses.h"
#include "mpt/Support/CommandLine.h"
#include "mpt/Support/Diagnostics.h"
#include "mpt/Support/Version.h"
#include "mpt/Training/Trainer.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <csignal>

using namespace llvm;
using namespace mpt;
using namespace mpt::training;

namespace {

/// The options, as members so that they are made after main() began and none
/// of libLLVM's own options comes into the help text.
struct CommandLine {
  cl::OptionCategory model{"Model and data"};
  cl::OptionCategory recipe{"Recipe"};
  cl::OptionCategory precisions{"Precision and target"};
  cl::OptionCategory output{"Output and checkpoints"};

  cl::opt<std::string> input{cl::Positional, cl::desc("<model.onnx>"),
                             cl::cat(model)};
  cl::opt<std::string> data{
      "data", cl::value_desc("DATA"), cl::cat(model),
      cl::desc("An IDX pair 'images,labels', a Fashion-MNIST folder, an .npz, "
               "or a folder of .npy files named after inputs and labels")};
  cl::list<std::string> dims{
      "dim", cl::value_desc("name=N"), cl::cat(model),
      cl::desc("Extent of a symbolic dimension of the model (repeatable)")};
  cl::opt<int64_t> batchSize{
      "batch-size", cl::init(0), cl::cat(model), cl::value_desc("N"),
      cl::desc("Extent of the inputs' symbolic first dimension, in each "
               "micro-batch")};
  cl::list<std::string> columns{
      "column", cl::value_desc("name=COLUMN"), cl::cat(model),
      cl::desc("Column of the data for an input or label (repeatable)")};
  cl::opt<std::string> trainable{
      "trainable", cl::cat(model), cl::value_desc("LIST"),
      cl::desc("Initializers to train: names or regexes, comma-separated")};
  cl::opt<std::string> freeze{
      "freeze", cl::cat(model), cl::value_desc("LIST"),
      cl::desc("Initializers not to train: names or regexes")};
  cl::opt<std::string> batchNorm{
      "batch-norm", cl::cat(model), cl::init("keep"),
      cl::value_desc("keep|training"),
      cl::desc("What to do with batch norm that was exported for inference")};

  cl::opt<std::string> loss{
      "loss", cl::cat(recipe), cl::value_desc("EXPR"),
      cl::desc("e.g. 'cross_entropy(logits, labels)', 'mse(y, target)', or the "
               "name of an output that is the loss")};
  cl::opt<std::string> optimizer{
      "optimizer", cl::init("adamw(lr=1e-3)"), cl::cat(recipe),
      cl::value_desc("EXPR"),
      cl::desc("e.g. 'adamw(lr=1e-3, weight_decay=0.01)', 'sgd(lr=0.1, "
               "momentum=0.9)' (default: adamw(lr=1e-3))")};
  cl::list<std::string> paramGroups{
      "param-group", cl::cat(recipe), cl::value_desc("NAMES:SETTINGS"),
      cl::desc("Parameters with settings of their own (repeatable, the first "
               "that matches counts): names, regexes or @norm, @bias, "
               "@embedding, @weight, then e.g. weight_decay=0, lr_scale=0.1")};
  cl::opt<int64_t> accumulate{
      "accumulate", cl::init(1), cl::cat(recipe), cl::value_desc("N"),
      cl::desc("Micro-batches of --batch-size samples per step")};
  cl::opt<double> ema{
      "ema", cl::init(0), cl::cat(recipe), cl::value_desc("DECAY"),
      cl::desc("Keep a moving average of the parameters (saved as "
               "<name>.ema) and evaluate it (0: do not)")};
  cl::opt<double> clipNorm{
      "clip-norm", cl::init(0), cl::cat(recipe), cl::value_desc("X"),
      cl::desc("Clip the global norm of the unscaled gradients (0: do not)")};
  cl::opt<int64_t> steps{"steps", cl::init(0), cl::cat(recipe),
                         cl::value_desc("N"), cl::desc("Steps to train")};
  cl::opt<int64_t> epochs{"epochs", cl::init(0), cl::cat(recipe),
                          cl::value_desc("N"),
                          cl::desc("Epochs to train (default: 1)")};
  cl::opt<Schedule, false, ValueParser<Schedule>> schedule{
      "lr-schedule", cl::init(Schedule::Constant), cl::cat(recipe),
      cl::desc("The learning rate over the run:"),
      cl::values(clEnumValN(Schedule::Constant, "constant", "as given"),
                 clEnumValN(Schedule::Linear, "linear", "down to 0"),
                 clEnumValN(Schedule::Cosine, "cosine",
                            "down to 0 along half a cosine"))};
  cl::opt<int64_t> warmup{
      "warmup-steps", cl::init(0), cl::cat(recipe), cl::value_desc("N"),
      cl::desc("Steps over which the learning rate rises linearly")};
  cl::opt<uint64_t> seed{"seed", cl::init(0), cl::cat(recipe),
                         cl::value_desc("N"),
                         cl::desc("Seed of the sample order")};
  cl::opt<bool> noShuffle{"no-shuffle", cl::cat(recipe),
                          cl::desc("Take the samples in the data's order")};

  cl::opt<Precision, false, ValueParser<Precision>> precision{
      "precision", cl::init(Precision::FP32), cl::cat(precisions),
      cl::desc("What the step computes and stores in:"),
      cl::values(clEnumValN(Precision::FP32, "fp32", "FP32 throughout"),
                 clEnumValN(Precision::FP16, "fp16", "FP16 where it is safe"),
                 clEnumValN(Precision::BF16, "bf16", "BF16 where it is safe"))};
  cl::opt<std::string> policy{
      "policy", cl::cat(precisions), cl::value_desc("F.yaml|NAME"),
      cl::desc("Which operations are 16 bits wide: a file (docs/Policy.md), "
               "or conservative, default, aggressive or bf16")};
  cl::opt<std::string> lossScale{
      "loss-scale", cl::cat(precisions), cl::value_desc("dynamic|auto|N|off"),
      cl::desc("Loss scaling (default: dynamic for fp16, else off)")};
  cl::opt<std::string> scaleProfile{
      "scale-profile", cl::cat(precisions), cl::value_desc("F.json"),
      cl::desc("With --loss-scale auto: a profile of the training step "
               "(mpt-run --profile), from which the first scale is chosen")};
  cl::opt<double> initialScale{
      "init-scale", cl::init(65536), cl::cat(precisions), cl::value_desc("S"),
      cl::desc("First scale of dynamic loss scaling (default: 65536)")};
  cl::opt<int64_t> growthInterval{
      "growth-interval", cl::init(2000), cl::cat(precisions),
      cl::value_desc("N"),
      cl::desc("Good steps before the scale is doubled (default: 2000)")};
  cl::opt<std::string> rematerialize{
      "rematerialize", cl::ValueOptional, cl::cat(precisions),
      cl::value_desc("BUDGET"),
      cl::desc("Compute cheap values again in the backward pass; with a budget "
               "(64MiB, or 0.5 of the peak without) more of them")};
  cl::opt<std::string> target{
      "target", cl::init("cpu"), cl::cat(precisions),
      cl::value_desc("cpu|reference|cuda"),
      cl::desc("Compiled code, or the interpreter (default: cpu)")};
  cl::opt<std::string> compute{
      "compute", cl::init("f32"), cl::cat(precisions),
      cl::value_desc("f32|f64"),
      cl::desc("With --target=reference: f64 evaluates in double throughout")};
  cl::opt<int32_t> threads{"threads", cl::init(0), cl::cat(precisions),
                           cl::value_desc("N"),
                           cl::desc("Threads (default: one per processor)")};
  cl::opt<std::string> cpu{
      "mcpu", cl::cat(precisions), cl::value_desc("CPU"),
      cl::desc("Processor to compile for (default: this one)")};
  cl::opt<bool> checkPlan{
      "check-plan", cl::cat(precisions),
      cl::desc("Check in every step that kernels stay inside their memory")};

  cl::opt<std::string> log{"log", cl::cat(output), cl::value_desc("F.jsonl"),
                           cl::desc("Write an object per step")};
  cl::opt<std::string> report{
      "report", cl::cat(output), cl::value_desc("F.html"),
      cl::desc("Write a page with the curves of the run")};
  cl::opt<std::string> summary{"summary", cl::cat(output),
                               cl::value_desc("F.json"),
                               cl::desc("Write the figures of the run")};
  cl::opt<std::string> explain{
      "explain", cl::cat(output), cl::value_desc("F.html|json|txt"),
      cl::desc("With 16 bits: write why every operation of the step runs in "
               "its precision")};
  cl::opt<std::string> save{"save", cl::cat(output),
                            cl::value_desc("F.safetensors"),
                            cl::desc("Write parameters and state at the end")};
  cl::opt<std::string> dumpGradients{
      "dump-gradients", cl::cat(output), cl::value_desc("F.safetensors"),
      cl::desc("Write the first step's unscaled gradients")};
  cl::opt<std::string> checkpoint{
      "checkpoint", cl::cat(output), cl::value_desc("F.safetensors"),
      cl::desc("Where checkpoints go (default: <model>.checkpoint.safetensors, "
               "written on Ctrl-C)")};
  cl::opt<int64_t> checkpointEvery{"checkpoint-every", cl::init(0),
                                   cl::cat(output), cl::value_desc("N"),
                                   cl::desc("Steps between checkpoints")};
  cl::opt<std::string> resume{"resume", cl::cat(output),
                              cl::value_desc("F.safetensors"),
                              cl::desc("Continue from a checkpoint")};
  cl::opt<int64_t> watchGradients{
      "watch-gradients", cl::init(0), cl::cat(output), cl::value_desc("N"),
      cl::desc("Every N steps evaluate the step in the interpreter, too, and "
               "name the gradients closest to overflow and underflow")};
  cl::opt<bool> quiet{"quiet", cl::cat(output), cl::desc("No progress bar")};
  cl::opt<bool> profile{"profile", cl::cat(output),
                        cl::desc("Print the slowest kernels at the end")};
};

} // namespace

/// Splits "name=value"; false with a message otherwise.
static bool splitPair(StringRef text, StringRef option, std::string &name,
                      std::string &value, std::string &error) {
  auto [left, right] = text.split('=');
  name = left.str();
  value = right.str();
  if (!left.empty() && !right.empty())
    return true;
  error = ("--" + option + " takes name=value, not '" + text + "'").str();
  return false;
}

static bool fillOptions(const CommandLine &line, TrainOptions &options,
                        std::string &error) {
  const std::pair<StringRef, StringRef> needed[] = {
      {line.input, "a model: mpt-train model.onnx"},
      {line.data, "the samples: --data DATA"},
      {line.loss, "the loss: --loss 'cross_entropy(logits, labels)'"}};
  for (const auto &[value, what] : needed)
    if (value.empty()) {
      error = ("give " + what + " (see mpt-train --help)").str();
      return false;
    }
  options.model = line.input;
  options.data = line.data;
  for (const std::string &text : line.dims) {
    std::string name, value;
    if (!splitPair(text, "dim", name, value, error))
      return false;
    int64_t extent = 0;
    if (StringRef(value).getAsInteger(10, extent) || extent < 1) {
      error = "--dim " + text + ": the extent must be a positive number";
      return false;
    }
    options.dims[name] = extent;
  }
  for (const std::string &text : line.columns) {
    std::string name, value;
    if (!splitPair(text, "column", name, value, error))
      return false;
    options.columns[name] = value;
  }
  if (line.batchNorm != "keep" && line.batchNorm != "training") {
    error = "--batch-norm takes keep or training";
    return false;
  }
  if (line.target == "cuda") {
    error = "--target=cuda: running on a card is not part of this version; "
            "mpt-opt --mpt-lower-to-gpu writes the PTX, --target=cpu trains";
    return false;
  }
  if (line.target != "cpu" && line.target != "reference") {
    error = "--target takes cpu, reference or cuda";
    return false;
  }
  if (line.compute != "f32" && line.compute != "f64") {
    error = "--compute takes f32 or f64";
    return false;
  }
  if (line.compute == "f64" && line.target != "reference") {
    error = "--compute=f64 needs --target=reference";
    return false;
  }
  if (line.steps < 0 || line.epochs < 0 || (line.steps && line.epochs)) {
    error = "give one of --steps and --epochs, a positive number";
    return false;
  }
  if (line.batchSize < 0 || line.checkpointEvery < 0 || line.threads < 0 ||
      line.warmup < 0 || line.growthInterval < 1 || line.clipNorm < 0 ||
      line.watchGradients < 0 || !(line.initialScale > 0)) {
    error =
        "--batch-size, --checkpoint-every, --threads, --warmup-steps, "
        "--growth-interval, --clip-norm, --watch-gradients and --init-scale "
        "must not be negative";
    return false;
  }
  if (!line.explain.empty() && line.precision == Precision::FP32) {
    error = "--explain goes with --precision fp16 or bf16: FP32 needs no "
            "reasons";
    return false;
  }
  if (line.accumulate < 1) {
    error = "--accumulate takes a positive number";
    return false;
  }
  if (!(line.ema >= 0 && line.ema < 1)) {
    error = "--ema takes a number from 0 to below 1";
    return false;
  }
  options.batchSize = line.batchSize;
  options.paramGroups = join(line.paramGroups, "; ");
  options.accumulate = line.accumulate;
  options.ema = line.ema;
  options.rematerialize = line.rematerialize.getNumOccurrences() > 0;
  options.memoryBudget = line.rematerialize;
  options.loss = line.loss;
  options.optimizer = line.optimizer;
  options.trainable = line.trainable;
  options.freeze = line.freeze;
  options.trainBatchNorm = line.batchNorm == "training";
  options.precision = line.precision;
  options.policy = line.policy;
  options.lossScale = line.lossScale;
  options.scaleProfile = line.scaleProfile;
  options.watchGradients = line.watchGradients;
  options.initialScale = line.initialScale;
  options.growthInterval = line.growthInterval;
  options.clipNorm = line.clipNorm;
  options.steps = line.steps;
  options.epochs = line.epochs;
  options.schedule = line.schedule;
  options.warmupSteps = line.warmup;
  options.seed = line.seed;
  options.shuffle = !line.noShuffle;
  options.executor.target = line.target == "cpu" ? execution::Target::CPU
                                                 : execution::Target::Reference;
  options.executor.threads = line.threads;
  options.executor.cpu = line.cpu;
  options.executor.checkPlan = line.checkPlan;
  options.executor.float64 = line.compute == "f64";
  options.executor.profile = line.profile;
  options.log = line.log;
  options.report = line.report;
  options.summary = line.summary;
  options.explain = line.explain;
  options.save = line.save;
  options.dumpGradients = line.dumpGradients;
  options.checkpoint = line.checkpoint;
  options.checkpointEvery = line.checkpointEvery;
  options.resume = line.resume;
  options.quiet = line.quiet;
  options.profile = line.profile;
  return true;
}

/// Takes libLLVM's own options away: they are not this tool's, and some have
/// the names of ours.
static void removeLibraryOptions() {
  std::vector<cl::Option *> options;
  for (auto &entry : cl::getRegisteredOptions())
    if (!entry.first.starts_with("help") && entry.first != "version")
      options.push_back(entry.second);
  for (cl::Option *option : options)
    option->removeArgument();
}

/// The first Ctrl-C ends the run after the step at hand, the second at once.
static void stopOnSignal(int signal) {
  requestStop();
  std::signal(signal, SIG_DFL);
}

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  removeLibraryOptions();
  CommandLine line;
  cl::HideUnrelatedOptions(
      {&line.model, &line.recipe, &line.precisions, &line.output});
  cl::SetVersionPrinter([](raw_ostream &os) {
    os << "mpt-train " MPT_VERSION_STRING " (LLVM " MPT_LLVM_VERSION_STRING
          ")\n";
  });
  if (!parseCommandLine(
          argc, argv,
          "Trains an ONNX model in FP32 or mixed precision.\n\n"
          "  mpt-train model.onnx --data DATA --loss 'cross_entropy(logits, "
          "labels)' --precision fp16\n"))
    return 1;

  TrainOptions options;
  std::string error;
  bool done = fillOptions(line, options, error);
  if (done) {
    std::signal(SIGINT, stopOnSignal);
    std::signal(SIGTERM, stopOnSignal);
    mlir::DialectRegistry registry;
    mpt::registerAllDialects(registry);
    mpt::registerAllPasses();
    mlir::MLIRContext context(registry);
    OneLineDiagnostics diagnostics(context, /*printRemarks=*/false,
                                   options.model);
    done = train(context, options, error);
  }
  if (!done && !error.empty())
    errs() << "mpt-train: error: " << error << '\n';
  return done ? 0 : 1;
}
