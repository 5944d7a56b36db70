//===- Report.h - A training run as one HTML page ---------------*- C++ -*-===//

#ifndef MPT_TRAINING_REPORT_H
#define MPT_TRAINING_REPORT_H

#include "mpt/Training/TrainingLog.h"

namespace mpt::training {

/// The facts of a run that the table and the summary file give.
struct Summary {
  std::string model, precision, lossScaleMode, target;
  int64_t threads = 0;
  int64_t steps = 0, skippedSteps = 0;
  double trainLoss = 0; // mean over the last steps (at most 100)
  double testLoss = 0, testAccuracy = -1;
  double secondsPerStep = 0; // median
  double compileSeconds = 0;
  int64_t plannedPeakBytes = 0;       // all memory of the compiled step
  int64_t plannedActivationBytes = 0; // peak of the step's transient values
  int64_t activationBytes = 0;        // kept for the backward pass
  int64_t stateBytes = 0;
  int64_t kernels = 0, distinctKernels = 0;
  int64_t opsLow = 0, opsFP32 = 0, casts = 0, castBytes = 0;
  int64_t flops = 0; // of one step
  /// With rematerialization: operations repeated, and what the step would keep,
  /// its peak of live bytes and its flops without (peak estimated by
  /// operation).
  int64_t recomputedOps = 0, activationBytesBefore = 0, flopsBefore = 0;
  int64_t activationPeakBefore = 0, activationPeakAfter = 0;
  double finalLossScale = 1;
};

/// One self-contained file (inline SVG, no script, nothing fetched): the table
/// and the curves of loss, accuracy and loss scale. Written atomically.
bool writeReport(const std::string &path, const Summary &summary,
                 const History &history, std::string &error);

/// The same facts as one JSON object, with the loss scale's changes as [step,
/// scale] pairs.
bool writeSummary(const std::string &path, const Summary &summary,
                  const History &history, std::string &error);

/// A loss scale as people read it: without decimals where it has none.
std::string formatScale(double scale);

/// The points at which the loss scale changed, the first step included.
std::vector<std::pair<int64_t, double>>
lossScaleChanges(const History &history);

} // namespace mpt::training

#endif // MPT_TRAINING_REPORT_H
