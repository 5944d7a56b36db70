//===- Checkpoint.cpp - Saving and resuming a training run ----------------===//

#include "mpt/Training/Checkpoint.h"

#include "mpt/Data/Safetensors.h"

#include "llvm/ADT/StringRef.h"

using namespace mpt;
using namespace mpt::training;

// Metadata keys; settings are stored under "mpt.setting.<name>".
static constexpr llvm::StringLiteral kFormat = "mpt.checkpoint";
static constexpr llvm::StringLiteral kStep = "mpt.step";
static constexpr llvm::StringLiteral kSeed = "mpt.seed";
static constexpr llvm::StringLiteral kEpoch = "mpt.epoch";
static constexpr llvm::StringLiteral kPosition = "mpt.position";
static constexpr llvm::StringLiteral kSetting = "mpt.setting.";

bool training::saveCheckpoint(
    const std::string &path, const std::vector<data::TensorView> &state,
    int64_t step, const data::SampleOrder::State &samples,
    const std::map<std::string, std::string> &settings, std::string &error) {
  std::map<std::string, std::string> metadata = {
      {kFormat.str(), "1"},
      {kStep.str(), std::to_string(step)},
      {kSeed.str(), std::to_string(samples.seed)},
      {kEpoch.str(), std::to_string(samples.epoch)},
      {kPosition.str(), std::to_string(samples.position)}};
  for (const auto &[name, value] : settings)
    metadata[kSetting.str() + name] = value;
  return data::writeSafetensors(path, state, metadata, error);
}

std::optional<Checkpoint> training::loadCheckpoint(const std::string &path,
                                                   std::string &error) {
  std::optional<data::SafetensorsFile> file =
      data::SafetensorsFile::open(path, error);
  if (!file)
    return std::nullopt;
  const auto &metadata = file->metadata();
  auto text = [&](llvm::StringRef key) {
    auto it = metadata.find(key.str());
    return it == metadata.end() ? llvm::StringRef()
                                : llvm::StringRef(it->second);
  };
  Checkpoint checkpoint;
  if (text(kFormat) != "1" || text(kStep).getAsInteger(10, checkpoint.step) ||
      text(kSeed).getAsInteger(10, checkpoint.samples.seed) ||
      text(kEpoch).getAsInteger(10, checkpoint.samples.epoch) ||
      text(kPosition).getAsInteger(10, checkpoint.samples.position)) {
    error =
        path +
        ": not a checkpoint of mpt-train; use a file written by --checkpoint";
    return std::nullopt;
  }
  for (const auto &[key, value] : metadata)
    if (llvm::StringRef name = key; name.consume_front(kSetting))
      checkpoint.settings[name.str()] = value;
  for (const data::TensorView &tensor : file->tensors())
    checkpoint.state.emplace_back(tensor.name, data::copy(tensor));
  return checkpoint;
}
