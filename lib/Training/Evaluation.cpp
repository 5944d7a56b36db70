//===- Evaluation.cpp - Loss and accuracy over a data set -----------------===//

#include "Evaluation.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::training;

/// The value behind casts.
static Value throughCasts(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<mp::CastOp, nn::CastOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

std::vector<Classification>
training::findClassifications(func::FuncOp function) {
  std::vector<Classification> found;
  Operation *end = function.front().getTerminator();
  function.walk([&](nn::SoftmaxCrossEntropyOp op) {
    auto label = dyn_cast<BlockArgument>(throughCasts(op.getLabels()));
    if (!label || label.getOwner() != &function.front())
      return;
    Classification head;
    head.label = mp::getArgName(function, label.getArgNumber()).str();
    head.axis = op.getAxis();
    head.classes = cast<RankedTensorType>(op.getLogits().getType())
                       .getDimSize(op.getAxis());
    if (auto ignored = op.getIgnoreIndex())
      head.ignoreIndex = *ignored;
    Value logits = throughCasts(op.getLogits());
    for (auto [index, value] : llvm::enumerate(end->getOperands()))
      if (throughCasts(value) == logits)
        head.result = index;
    found.push_back(head);
  });
  return found;
}

std::vector<data::Dataset::Transcription>
training::findTranscriptions(func::FuncOp function) {
  std::vector<data::Dataset::Transcription> found;
  function.walk([&](nn::CTCLossOp op) {
    // Lengths that the model computes are not known before it runs.
    std::string names[3];
    const Value values[] = {op.getLabels(), op.getLogitLengths(),
                            op.getLabelLengths()};
    for (auto [name, value] : llvm::zip_equal(names, values)) {
      auto argument = dyn_cast<BlockArgument>(throughCasts(value));
      if (!argument || argument.getOwner() != &function.front())
        return;
      name = mp::getArgName(function, argument.getArgNumber()).str();
    }
    auto logits = cast<RankedTensorType>(op.getLogits().getType());
    found.push_back({names[0], names[1], names[2], logits.getDimSize(1),
                     logits.getDimSize(2), static_cast<int64_t>(op.getBlank()),
                     op.getZeroInfinity()});
  });
  return found;
}

namespace {
/// Counts of one batch.
struct Hits {
  int64_t right = 0, counted = 0;
};
} // namespace

/// Compares the largest logit with the label, for the first `samples` samples.
static Hits countHits(const data::HostTensor &logits,
                      const data::HostTensor &labels,
                      const Classification &head, int64_t samples) {
  Hits hits;
  int64_t inner = 1, outer = 1;
  for (auto [i, extent] : llvm::enumerate(logits.shape)) {
    if (static_cast<int64_t>(i) < head.axis)
      outer *= i == 0 ? samples : extent;
    if (static_cast<int64_t>(i) > head.axis)
      inner *= extent;
  }
  const float *values = logits.data<float>();
  const int64_t *wanted = labels.data<int64_t>();
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i) {
      int64_t label = wanted[o * inner + i];
      if (head.ignoreIndex && label == *head.ignoreIndex)
        continue;
      const float *row = values + o * head.classes * inner + i;
      int64_t best = 0;
      for (int64_t c = 1; c < head.classes; ++c)
        if (row[c * inner] > row[best * inner])
          best = c;
      ++hits.counted;
      hits.right += best == label;
    }
  return hits;
}

bool training::evaluate(execution::StepExecutor &executor, const DataFeed &feed,
                        int64_t numSamples,
                        const std::vector<Classification> &heads,
                        EvaluationResult &result, std::string &error) {
  const Classification *head = nullptr;
  for (const Classification &candidate : heads)
    if (candidate.result && !head)
      head = &candidate;
  int64_t batch = feed.getBatchSize(), lossBatches = 0;
  double lossSum = 0;
  Hits total;
  std::vector<int64_t> samples(batch);
  for (int64_t begin = 0; begin < numSamples; begin += batch) {
    int64_t count = std::min(batch, numSamples - begin);
    for (int64_t i = 0; i < batch; ++i)
      samples[i] = i < count ? begin + i : begin;
    if (!feed.fill(executor, samples, error) || !executor.run(error))
      return false;
    double loss = 0;
    if (!executor.getScalar("loss", loss, error))
      return false;
    if (count == batch || lossBatches == 0) {
      lossSum += loss;
      ++lossBatches;
    }
    if (!head)
      continue;
    data::HostTensor logits = data::convert(
        data::copy(executor.getResultView(*head->result)), data::DType::F32);
    data::HostTensor labels;
    if (!executor.getState(head->label, labels, error))
      return false;
    Hits hits = countHits(logits, data::convert(labels, data::DType::I64),
                          *head, count);
    total.right += hits.right;
    total.counted += hits.counted;
  }
  result.loss = lossBatches ? lossSum / lossBatches : 0;
  result.accuracy =
      total.counted ? static_cast<double>(total.right) / total.counted : -1;
  return true;
}
