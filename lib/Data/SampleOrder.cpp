//===- SampleOrder.cpp - The order of samples in training -----------------===//

#include "mpt/Data/SampleOrder.h"

#include <cstddef>
#include <numeric>
#include <utility>

namespace mpt::data {
namespace {

uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

} // namespace

uint64_t counterRandom(uint64_t key, uint64_t counter0, uint64_t counter1) {
  return mix(mix(mix(key) ^ counter0) ^ counter1);
}

std::vector<int64_t> epochPermutation(uint64_t seed, int64_t epoch,
                                      int64_t numSamples) {
  std::vector<int64_t> order(static_cast<std::size_t>(numSamples));
  std::iota(order.begin(), order.end(), int64_t(0));
  for (int64_t i = numSamples - 1; i > 0; --i) {
    const uint64_t random = counterRandom(seed, static_cast<uint64_t>(epoch),
                                          static_cast<uint64_t>(i));
    // Multiply-high maps 64 bits to 0 ... i; its bias is below i / 2^64.
    const auto j =
        static_cast<int64_t>((static_cast<unsigned __int128>(random) *
                              static_cast<uint64_t>(i + 1)) >>
                             64);
    std::swap(order[static_cast<std::size_t>(i)],
              order[static_cast<std::size_t>(j)]);
  }
  return order;
}

SampleOrder::SampleOrder(int64_t numSamples, int64_t batchSize, uint64_t seed,
                         bool shuffle)
    : numSamples(numSamples), batchSize(batchSize), shuffle(shuffle) {
  current.seed = seed;
  startEpoch();
}

void SampleOrder::startEpoch() {
  if (shuffle)
    permutation = epochPermutation(current.seed, current.epoch, numSamples);
}

const std::vector<int64_t> &SampleOrder::next() {
  if (current.position + batchSize > numSamples) {
    ++current.epoch;
    current.position = 0;
    startEpoch();
  }
  batch.resize(static_cast<std::size_t>(batchSize));
  for (int64_t i = 0; i < batchSize; ++i) {
    const int64_t sample = current.position + i;
    batch[static_cast<std::size_t>(i)] =
        shuffle ? permutation[static_cast<std::size_t>(sample)] : sample;
  }
  current.position += batchSize;
  return batch;
}

bool SampleOrder::restore(const State &state) {
  if (state.epoch < 0 || state.position < 0 || state.position > numSamples)
    return false;
  current = state;
  startEpoch();
  return true;
}

} // namespace mpt::data
