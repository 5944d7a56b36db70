//===- TrainingLog.h - One JSON object per step -----------------*- C++ -*-===//

#ifndef MPT_TRAINING_TRAININGLOG_H
#define MPT_TRAINING_TRAININGLOG_H

#include "llvm/ADT/StringRef.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace llvm {
class raw_fd_ostream;
}

namespace mpt::training {

/// What one training step leaves behind.
struct StepRecord {
  int64_t step = 0; // from 1
  int64_t epoch = 0;
  double loss = 0;
  double learningRate = 0;
  double lossScale = 1;     // the scale the step ran with
  bool skipped = false;     // a gradient was not finite
  std::string overflow;     // then: the first parameter whose gradient was not
  double gradientNorm = -1; // of the unscaled gradients; negative: not computed
  double seconds = 0;

  /// With --watch-gradients, in the steps that were looked into: the backward
  /// tensor with the fewest doublings left until it overflows (negative: it
  /// has), and the one with the largest share of elements that are subnormal.
  std::string watchOverflow, watchUnderflow;
  double watchHeadroom = 0, watchSubnormal = 0;
  /// Elements of all watched tensors by floor(log2 |x|).
  std::map<int, int64_t> watchExponents;
};

/// What an evaluation over the test data found.
struct EvaluationRecord {
  int64_t step = 0;
  int64_t epoch = 0;
  double loss = 0;
  double accuracy = -1; // negative: the loss has no classes
};

/// Everything a finished run reports.
struct History {
  std::vector<StepRecord> steps;
  std::vector<EvaluationRecord> evaluations;
};

/// Appends objects to a JSON-lines file; every line is flushed, so that a
/// killed run keeps its log. Resuming drops the lines behind the checkpoint's
/// step.
class TrainingLog {
public:
  TrainingLog();
  ~TrainingLog();
  /// Opens `path`. With `resumeStep` > 0 the file keeps its lines up to that
  /// step.
  bool open(llvm::StringRef path, int64_t resumeStep, std::string &error);
  bool write(const StepRecord &record, std::string &error);
  bool write(const EvaluationRecord &record, std::string &error);

private:
  bool flush(std::string &error);
  std::string path;
  std::unique_ptr<llvm::raw_fd_ostream> stream;
};

} // namespace mpt::training

#endif // MPT_TRAINING_TRAININGLOG_H
