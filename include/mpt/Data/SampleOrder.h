//===- SampleOrder.h - The order of samples in training ---------*- C++ -*-===//
//
// A deterministic shuffle whose whole state is (seed, epoch, position): the
// permutation of an epoch is computed from seed and epoch alone, so training
// resumes exactly where it stopped, on any machine.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_DATA_SAMPLEORDER_H
#define MPT_DATA_SAMPLEORDER_H

#include <cstdint>
#include <vector>

namespace mpt::data {

/// A counter-based generator: 64 random bits that depend on the key and the
/// counters only (the finalizer of SplitMix64, Steele et al., OOPSLA 2014,
/// chained over the words).
uint64_t counterRandom(uint64_t key, uint64_t counter0, uint64_t counter1);

/// The Fisher-Yates permutation of 0 ... numSamples-1 for one epoch.
std::vector<int64_t> epochPermutation(uint64_t seed, int64_t epoch,
                                      int64_t numSamples);

class SampleOrder {
public:
  struct State {
    uint64_t seed = 0;
    int64_t epoch = 0;
    int64_t position = 0; // samples of this epoch already used
  };

  /// Requires 1 <= batchSize <= numSamples.
  SampleOrder(int64_t numSamples, int64_t batchSize, uint64_t seed,
              bool shuffle);

  /// The samples of the next batch; valid until the next call. An incomplete
  /// batch at the end of an epoch is left out.
  const std::vector<int64_t> &next();

  int64_t batchesPerEpoch() const { return numSamples / batchSize; }

  const State &state() const { return current; }
  /// Continues from a saved state; false if it does not belong to a data set
  /// of this size.
  bool restore(const State &state);

private:
  void startEpoch();

  int64_t numSamples;
  int64_t batchSize;
  bool shuffle;
  State current;
  std::vector<int64_t> permutation;
  std::vector<int64_t> batch;
};

} // namespace mpt::data

#endif // MPT_DATA_SAMPLEORDER_H
