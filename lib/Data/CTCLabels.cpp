//===- CTCLabels.cpp - What a CTC loss can learn from ---------------------===//

#include "mpt/Data/Dataset.h"

namespace mpt::data {

namespace {

/// The transcript of one sample.
struct Transcript {
  const int64_t *labels;
  int64_t length, frames;
};

/// What is wrong with it; empty if nothing.
std::string findFault(const Transcript &transcript, int64_t maxLabels,
                      const Dataset::Transcription &expected) {
  auto number = [](int64_t value) { return std::to_string(value); };
  if (transcript.length < 0 || transcript.length > maxLabels)
    return "has " + number(transcript.length) + " labels by '" +
           expected.labelLengths + "', outside 0 to " + number(maxLabels) +
           ", the length of its row; correct the lengths";
  if (transcript.frames < 0 || transcript.frames > expected.frames)
    return "has " + number(transcript.frames) + " frames by '" +
           expected.logitLengths + "', outside 0 to " +
           number(expected.frames) +
           ", those of the model's logits; correct the lengths";
  int64_t repeats = 0;
  for (int64_t i = 0; i < transcript.length; ++i) {
    const int64_t label = transcript.labels[i];
    if (label < 0 || label >= expected.classes)
      return "has the label " + number(label) + " at " + number(i) +
             ", outside 0 to " + number(expected.classes - 1) +
             "; correct the labels or the model's number of classes";
    if (label == expected.blank)
      return "has the blank " + number(label) + " as a label at " + number(i) +
             "; leave blanks out, or name another one with blank=";
    repeats += i > 0 && label == transcript.labels[i - 1];
  }
  if (!expected.zeroInfinity && transcript.frames < transcript.length + repeats)
    return "has " + number(transcript.frames) + " frames, too few for " +
           number(transcript.length) + " labels with " + number(repeats) +
           " equal neighbours, so that its loss is infinite; leave it out, or "
           "use zero_infinity=true";
  return "";
}

} // namespace

bool Dataset::checkTranscription(const Transcription &transcription,
                                 std::string &error) const {
  const Column *labels = find(transcription.labels);
  if (!labels) {
    error = missingColumn(transcription.labels);
    return false;
  }
  HostTensor lengths[2];
  const std::string names[] = {transcription.logitLengths,
                               transcription.labelLengths};
  for (int i = 0; i < 2; ++i) {
    if (names[i].empty())
      continue;
    const Column *column = find(names[i]);
    if (!column) {
      error = missingColumn(names[i]);
      return false;
    }
    lengths[i] = convert(column->tensor, DType::I64);
  }
  const HostTensor numbers = convert(labels->tensor, DType::I64);
  const int64_t maxLabels = samples ? numbers.numElements() / samples : 0;
  for (int64_t sample = 0; sample < samples; ++sample) {
    Transcript transcript{numbers.data<int64_t>() + sample * maxLabels,
                          maxLabels, transcription.frames};
    if (!names[0].empty())
      transcript.frames = lengths[0].data<int64_t>()[sample];
    if (!names[1].empty())
      transcript.length = lengths[1].data<int64_t>()[sample];
    std::string fault = findFault(transcript, maxLabels, transcription);
    if (fault.empty())
      continue;
    error = labels->file + ": sample " + std::to_string(sample) + " " + fault;
    return false;
  }
  return true;
}

} // namespace mpt::data
