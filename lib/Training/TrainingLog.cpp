//===- TrainingLog.cpp - One JSON object per step -------------------------===//

#include "mpt/Training/TrainingLog.h"

#include "mpt/Data/FileIO.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace llvm;
using namespace mpt;
using namespace mpt::training;

TrainingLog::TrainingLog() = default;
TrainingLog::~TrainingLog() {
  if (stream && stream->has_error())
    stream->clear_error(); // Reported when it happened.
}

/// The lines of a log up to and including `step`; a torn last line is dropped.
static std::string linesUpTo(StringRef text, int64_t step) {
  std::string kept;
  while (!text.empty()) {
    auto [line, rest] = text.split('\n');
    text = rest;
    Expected<json::Value> value = json::parse(line);
    if (!value) {
      consumeError(value.takeError());
      continue;
    }
    const json::Object *object = value->getAsObject();
    std::optional<int64_t> number =
        object ? object->getInteger("step") : std::nullopt;
    if (number && *number <= step)
      (kept += line) += '\n';
  }
  return kept;
}

bool TrainingLog::open(StringRef file, int64_t resumeStep, std::string &error) {
  path = file.str();
  std::string kept;
  if (resumeStep > 0)
    if (auto old = MemoryBuffer::getFile(file))
      kept = linesUpTo((*old)->getBuffer(), resumeStep);
  std::error_code code;
  stream = std::make_unique<raw_fd_ostream>(file, code);
  if (code) {
    error = path + ": cannot write the log: " + code.message();
    return false;
  }
  *stream << kept;
  return flush(error);
}

bool TrainingLog::flush(std::string &error) {
  stream->flush();
  if (!stream->has_error())
    return true;
  error = path + ": cannot write the log: " + stream->error().message();
  stream->clear_error();
  return false;
}

/// JSON has no infinities or NaNs: they become strings.
static json::Value number(double value) {
  if (std::isnan(value))
    return "nan";
  if (std::isinf(value))
    return value > 0 ? "inf" : "-inf";
  return value;
}

bool TrainingLog::write(const StepRecord &record, std::string &error) {
  if (!stream)
    return true;
  json::OStream out(*stream);
  out.object([&] {
    out.attribute("step", record.step);
    out.attribute("epoch", record.epoch);
    out.attribute("loss", number(record.loss));
    out.attribute("lr", number(record.learningRate));
    out.attribute("loss_scale", number(record.lossScale));
    out.attribute("skipped", record.skipped);
    if (record.skipped)
      out.attribute("overflow", record.overflow);
    if (record.gradientNorm >= 0 || std::isnan(record.gradientNorm))
      out.attribute("grad_norm", number(record.gradientNorm));
    out.attribute("seconds", record.seconds);
    if (!record.watchOverflow.empty())
      out.attributeObject("closest_to_overflow", [&] {
        out.attribute("tensor", record.watchOverflow);
        out.attribute("doublings_left", number(record.watchHeadroom));
      });
    if (!record.watchExponents.empty())
      out.attributeObject("gradient_exponents", [&] {
        for (auto [exponent, count] : record.watchExponents)
          out.attribute(std::to_string(exponent), count);
      });
    if (!record.watchUnderflow.empty())
      out.attributeObject("closest_to_underflow", [&] {
        out.attribute("tensor", record.watchUnderflow);
        out.attribute("subnormal_share", number(record.watchSubnormal));
      });
  });
  *stream << '\n';
  return flush(error);
}

bool TrainingLog::write(const EvaluationRecord &record, std::string &error) {
  if (!stream)
    return true;
  json::OStream out(*stream);
  out.object([&] {
    out.attribute("step", record.step);
    out.attribute("epoch", record.epoch);
    out.attribute("test_loss", number(record.loss));
    if (record.accuracy >= 0)
      out.attribute("test_accuracy", record.accuracy);
  });
  *stream << '\n';
  return flush(error);
}
