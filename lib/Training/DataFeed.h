//===- DataFeed.h - Batches from a data set into a step ---------*- C++ -*-===//

#ifndef MPT_LIB_TRAINING_DATAFEED_H
#define MPT_LIB_TRAINING_DATAFEED_H

#include "mpt/Data/Dataset.h"
#include "mpt/Execution/StepExecutor.h"

#include <map>
#include <string>
#include <vector>

namespace mpt::training {

/// The inputs and labels of an executor, each bound to a column of a data set.
class DataFeed {
public:
  /// Binds every argument of role input or label. A name finds the column of
  /// the same name, or the one `columns` maps it to; a single input or label
  /// left over takes the single column left over. The batch size is the first
  /// extent of the arguments, which must agree.
  static std::optional<DataFeed>
  create(const data::Dataset &dataset, const execution::StepExecutor &executor,
         const std::map<std::string, std::string> &columns, std::string &error);

  int64_t getBatchSize() const { return batchSize; }

  /// Writes the samples into the executor's arguments.
  bool fill(execution::StepExecutor &executor,
            const std::vector<int64_t> &samples, std::string &error) const;

  /// The column an argument is bound to; empty when it is not.
  std::string getColumn(llvm::StringRef argument) const;

private:
  struct Slot {
    unsigned argument;
    std::string name;
    data::Dataset::Binding binding;
  };
  std::vector<Slot> slots;
  int64_t batchSize = 0;
};

} // namespace mpt::training

#endif // MPT_LIB_TRAINING_DATAFEED_H
