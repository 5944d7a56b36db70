//===- Trainer.h - Trains a model from a file -------------------*- C++ -*-===//
//
// What mpt-train does behind its command line: builds the step and the
// evaluation function of a model, feeds them batches of a data set, and keeps
// logs, checkpoints and reports. Everything that is decided per step (the loss
// scale, skipping, clipping) is in the step itself; the trainer only reads it.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_TRAINING_TRAINER_H
#define MPT_TRAINING_TRAINER_H

#include "mlir/IR/MLIRContext.h"
#include "mpt/Execution/StepExecutor.h"

#include <map>
#include <string>
#include <vector>

namespace mpt::training {

enum class Precision { FP32, FP16, BF16 };
enum class Schedule { Constant, Linear, Cosine };

/// The settings of a run; the defaults are those of the command line.
struct TrainOptions {
  std::string model;
  std::map<std::string, int64_t> dims; // symbolic dimension -> extent
  int64_t batchSize = 0;               // of a micro-batch; 0: as `dims` say
  std::string data;
  std::map<std::string, std::string> columns; // graph name -> data column
  std::string loss, optimizer;
  std::string paramGroups;       // names:settings, separated by semicolons
  std::string trainable, freeze; // names or regexes, comma-separated
  bool trainBatchNorm = false;   // inference-mode batch norm becomes training

  Precision precision = Precision::FP32;
  /// A policy file, or the name of a preset.
  std::string policy;
  /// "dynamic", "auto", "off" or a number; empty: by precision.
  std::string lossScale;
  /// "auto": the profile of the step that the first scale is chosen from.
  std::string scaleProfile;
  double clipNorm = 0;    // 0: no clipping
  double ema = 0;         // decay of the parameters' moving average; 0: none
  int64_t accumulate = 1; // micro-batches per step
  bool rematerialize = false;
  std::string memoryBudget; // bytes or a fraction; empty: cheap values only
  int64_t growthInterval = 2000;
  double initialScale = 65536;

  int64_t steps = 0, epochs = 0; // one of them, or 1 epoch
  Schedule schedule = Schedule::Constant;
  int64_t warmupSteps = 0;
  uint64_t seed = 0;
  bool shuffle = true;

  execution::ExecutorOptions executor;

  std::string log, report, summary, explain, save, dumpGradients;
  std::string checkpoint; // empty: <model>.checkpoint.safetensors, on Ctrl-C
  int64_t checkpointEvery = 0; // steps; 0: never
  std::string resume;
  bool quiet = false;
  bool profile = false; // print the slowest kernels at the end
  /// Look into the backward graph every so many steps (0: never) and name the
  /// tensors closest to overflow and to underflow.
  int64_t watchGradients = 0;
};

/// Trains. Progress goes to standard error, the result to standard output. On
/// failure there is one line in `error` ("file: what and what to do"), or it is
/// empty and diagnostics have said it.
bool train(mlir::MLIRContext &context, const TrainOptions &options,
           std::string &error);

/// Asks a running train() to stop after the step at hand, as Ctrl-C does: it
/// then writes a checkpoint and returns. Safe in a signal handler.
void requestStop();

} // namespace mpt::training

#endif // MPT_TRAINING_TRAINER_H
