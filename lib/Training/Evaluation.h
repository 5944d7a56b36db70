//===- Evaluation.h - Loss and accuracy over a data set ---------*- C++ -*-===//

#ifndef MPT_LIB_TRAINING_EVALUATION_H
#define MPT_LIB_TRAINING_EVALUATION_H

#include "DataFeed.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mpt::training {

/// Where a function's first cross-entropy gets its logits and labels from:
/// what an accuracy is computed of, and what labels are checked against.
struct Classification {
  std::string label; // the label argument
  int64_t classes = 0;
  int64_t axis = 0; // of the classes in the logits
  std::optional<int64_t> ignoreIndex;
  std::optional<unsigned> result; // the function result that holds the logits
};

/// The classifications of a function with its loss attached, one per
/// cross-entropy whose labels are an argument.
std::vector<Classification> findClassifications(mlir::func::FuncOp function);

/// The CTC losses of a function, by names of its arguments.
std::vector<data::Dataset::Transcription>
findTranscriptions(mlir::func::FuncOp function);

struct EvaluationResult {
  double loss = 0;
  double accuracy = -1; // negative: nothing to count
};

/// Runs the evaluation step over all samples. The last, incomplete batch is
/// filled up with its first sample; those copies do not count for the accuracy,
/// and the loss is the mean over the complete batches (over the filled one if
/// there is no other).
bool evaluate(execution::StepExecutor &executor, const DataFeed &feed,
              int64_t numSamples, const std::vector<Classification> &heads,
              EvaluationResult &result, std::string &error);

} // namespace mpt::training

#endif // MPT_LIB_TRAINING_EVALUATION_H
