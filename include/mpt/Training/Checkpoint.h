//===- Checkpoint.h - Saving and resuming a training run --------*- C++ -*-===//

#ifndef MPT_TRAINING_CHECKPOINT_H
#define MPT_TRAINING_CHECKPOINT_H

#include "mpt/Data/HostTensor.h"
#include "mpt/Data/SampleOrder.h"

#include <map>
#include <string>
#include <vector>

namespace mpt::training {

/// A run between two steps: every piece of state by name (parameters, optimizer
/// state, statistics, loss scale, step count) as a safetensors file, and in its
/// metadata where the run stands in the data. A resumed run continues bit for
/// bit.
struct Checkpoint {
  std::vector<std::pair<std::string, data::HostTensor>> state;
  int64_t step = 0; // steps done, skipped ones included
  data::SampleOrder::State samples;
  /// What the run was started with (loss, optimizer, precision, ...); a resumed
  /// run with other settings is told so.
  std::map<std::string, std::string> settings;
};

/// Writes atomically: a full disk or a kill leaves the previous file as it was.
bool saveCheckpoint(const std::string &path,
                    const std::vector<data::TensorView> &state, int64_t step,
                    const data::SampleOrder::State &samples,
                    const std::map<std::string, std::string> &settings,
                    std::string &error);

std::optional<Checkpoint> loadCheckpoint(const std::string &path,
                                         std::string &error);

} // namespace mpt::training

#endif // MPT_TRAINING_CHECKPOINT_H
