//===- DataFeed.cpp - Batches from a data set into a step -----------------===//

#include "DataFeed.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mpt;
using namespace mpt::training;

/// The column for each argument name, or an error that lists what there is.
static bool matchColumns(const data::Dataset &dataset,
                         const std::vector<std::string> &names,
                         const std::map<std::string, std::string> &given,
                         std::map<std::string, std::string> &matched,
                         std::string &error) {
  llvm::StringSet<> taken;
  std::vector<std::string> open;
  for (const std::string &name : names) {
    auto it = given.find(name);
    const std::string &wanted = it == given.end() ? name : it->second;
    if (const data::Dataset::Column *column = dataset.find(wanted)) {
      matched[name] = column->name;
      taken.insert(column->name);
    } else {
      open.push_back(name);
    }
  }
  std::vector<std::string> left;
  for (const data::Dataset::Column &column : dataset.columns())
    if (!taken.contains(column.name))
      left.push_back(column.name);
  if (open.size() == 1 && left.size() == 1 && !given.count(open.front())) {
    matched[open.front()] = left.front();
    return true;
  }
  if (open.empty())
    return true;
  std::string columns;
  for (const data::Dataset::Column &column : dataset.columns())
    columns += (columns.empty() ? "" : ", ") + column.name;
  error = "no column for '" + open.front() + "' in the data (it has " +
          columns + "); name one with --column " + open.front() + "=COLUMN";
  return false;
}

std::optional<DataFeed> DataFeed::create(
    const data::Dataset &dataset, const execution::StepExecutor &executor,
    const std::map<std::string, std::string> &columns, std::string &error) {
  DataFeed feed;
  std::vector<std::string> names;
  for (auto [index, info] : llvm::enumerate(executor.getArguments())) {
    if (info.role != mp::Role::Input && info.role != mp::Role::Label)
      continue;
    if (info.shape.empty()) {
      error = "input '" + info.name + "' is a scalar: it has no batch axis";
      return std::nullopt;
    }
    if (feed.batchSize == 0)
      feed.batchSize = info.shape.front();
    if (feed.batchSize != info.shape.front()) {
      error = "the inputs have different batch sizes: '" + info.name +
              "' has " + std::to_string(info.shape.front()) + " instead of " +
              std::to_string(feed.batchSize);
      return std::nullopt;
    }
    feed.slots.push_back({static_cast<unsigned>(index), info.name, {}});
    names.push_back(info.name);
  }
  std::map<std::string, std::string> matched;
  if (!matchColumns(dataset, names, columns, matched, error))
    return std::nullopt;
  for (Slot &slot : feed.slots) {
    const execution::ValueInfo &info = executor.getArguments()[slot.argument];
    std::vector<int64_t> sampleShape(info.shape.begin() + 1, info.shape.end());
    auto binding =
        dataset.bind(matched[slot.name], info.dtype, sampleShape, error);
    if (!binding)
      return std::nullopt;
    slot.binding = *binding;
  }
  if (feed.batchSize > dataset.numSamples()) {
    error = "the batch size " + std::to_string(feed.batchSize) +
            " exceeds the " + std::to_string(dataset.numSamples()) +
            " samples of the data; use a smaller --batch-size";
    return std::nullopt;
  }
  return feed;
}

bool DataFeed::fill(execution::StepExecutor &executor,
                    const std::vector<int64_t> &samples,
                    std::string &error) const {
  auto count = static_cast<int64_t>(samples.size());
  for (const Slot &slot : slots) {
    if (void *memory = executor.getMutableArgument(slot.argument)) {
      data::Dataset::gather(slot.binding, samples.data(), count, memory);
      continue;
    }
    const execution::ValueInfo &info = executor.getArguments()[slot.argument];
    data::HostTensor value(slot.binding.dtype, info.shape);
    data::Dataset::gather(slot.binding, samples.data(), count,
                          value.bytes.data());
    if (!executor.setArgument(slot.argument, value, error))
      return false;
  }
  return true;
}

std::string DataFeed::getColumn(llvm::StringRef argument) const {
  for (const Slot &slot : slots)
    if (slot.name == argument)
      return slot.binding.column->name;
  return "";
}
