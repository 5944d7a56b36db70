//===- Profile.h - Statistics of a model's tensors over data ----*- C++ -*-===//

#ifndef MPT_TOOLS_MPTRUN_PROFILE_H
#define MPT_TOOLS_MPTRUN_PROFILE_H

#include "Model.h"

#include "mpt/Data/Dataset.h"

namespace mpt::run {

/// Batches of a data set for a model's inputs and labels.
class Batches {
public:
  /// Binds what `inputs` leaves open. Errors are one line.
  static std::optional<Batches> open(const std::string &data, Model &model,
                                     const Inputs &inputs, std::string &error);
  int64_t count() const { return dataset.numSamples() / batchSize; }
  /// Sets the inputs that come from the data to batch `number`.
  void fill(int64_t number, Inputs &inputs) const;

private:
  struct Slot {
    unsigned argument;
    std::string column;
    data::Dataset::Binding binding;
    std::vector<int64_t> shape;
  };
  data::Dataset dataset;
  std::vector<Slot> slots;
  int64_t batchSize = 1;
};

/// Lets a step's new state be the next run's: results of a state role become
/// the arguments of that role and name.
void carryState(Model &model, const std::vector<data::HostTensor> &results,
                Inputs &inputs);

struct ProfileOptions {
  std::string output;              // the profile to write
  std::vector<std::string> merged; // profiles to add
  int64_t batches = 0;             // 0: all the data has
};

/// Runs the model in the interpreter, once or over `batches`, and writes the
/// statistics of its tensors. Returns the exit code.
int writeProfile(Model &model, Inputs inputs, const Batches *batches,
                 const ProfileOptions &options);

/// Merges profiles into one file. Returns the exit code.
int mergeProfiles(const ProfileOptions &options);

} // namespace mpt::run

#endif // MPT_TOOLS_MPTRUN_PROFILE_H
