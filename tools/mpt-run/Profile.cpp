//===- Profile.cpp - Statistics of a model's tensors over data ------------===//

#include "Profile.h"

#include "mpt/Analysis/LossScalePowers.h"
#include "mpt/Analysis/TensorProfile.h"
#include "mpt/Data/FileIO.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Execution/StepExecutor.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <numeric>

using namespace mlir;

namespace mpt::run {

//===----------------------------------------------------------------------===//
// Data
//===----------------------------------------------------------------------===//

std::optional<Batches> Batches::open(const std::string &data, Model &model,
                                     const Inputs &inputs, std::string &error) {
  std::optional<data::Dataset> dataset =
      data::Dataset::open(data, data::Dataset::Split::Train, error);
  if (!dataset)
    return std::nullopt;
  Batches batches;
  batches.dataset = std::move(*dataset);
  std::optional<int64_t> size;
  for (unsigned i = 0; i < inputs.size(); ++i) {
    auto type =
        dyn_cast<RankedTensorType>(model.function.getArgumentTypes()[i]);
    if (inputs[i] || model.isParameter[i] || !type || !type.hasStaticShape() ||
        type.getRank() == 0)
      continue;
    std::optional<data::DType> dtype =
        execution::getDType(type.getElementType());
    if (!dtype || !batches.dataset.find(model.arguments[i]))
      continue; // reported as missing
    if (size.value_or(type.getDimSize(0)) != type.getDimSize(0)) {
      error = model.path + ": the inputs that come from " + data +
              " differ in their first extent";
      return std::nullopt;
    }
    size = type.getDimSize(0);
    auto binding = batches.dataset.bind(
        model.arguments[i], *dtype, type.getShape().drop_front().vec(), error);
    if (!binding)
      return std::nullopt;
    batches.slots.push_back(
        {i, model.arguments[i], *binding, type.getShape().vec()});
  }
  batches.batchSize = std::max<int64_t>(size.value_or(1), 1);
  // The data set has moved since.
  for (Slot &slot : batches.slots)
    slot.binding.column = batches.dataset.find(slot.column);
  if (batches.count() == 0) {
    error = data + ": has " + std::to_string(batches.dataset.numSamples()) +
            " samples, fewer than the batch of " +
            std::to_string(batches.batchSize);
    return std::nullopt;
  }
  return batches;
}

void Batches::fill(int64_t number, Inputs &inputs) const {
  std::vector<int64_t> samples(batchSize);
  std::iota(samples.begin(), samples.end(), number * batchSize);
  for (const Slot &slot : slots) {
    data::Dataset::Binding binding = slot.binding;
    binding.column = dataset.find(slot.column);
    data::HostTensor tensor(binding.dtype, slot.shape);
    data::Dataset::gather(binding, samples.data(), batchSize,
                          tensor.bytes.data());
    inputs[slot.argument] = std::move(tensor);
  }
}

void carryState(Model &model, const std::vector<data::HostTensor> &results,
                Inputs &inputs) {
  for (unsigned r = 0; r < results.size(); ++r) {
    std::optional<mp::Role> role = mp::getResultRole(model.function, r);
    if (!role || !mp::isStateRole(*role))
      continue;
    for (unsigned i = 0; i < inputs.size(); ++i)
      if (mp::getArgRole(model.function, i) == role &&
          model.arguments[i] == model.results[r])
        inputs[i] = results[r];
  }
}

//===----------------------------------------------------------------------===//
// Profiles
//===----------------------------------------------------------------------===//

static int fail(const llvm::Twine &message) {
  llvm::errs() << message << '\n';
  return 1;
}

static int write(TensorProfile profile, const ProfileOptions &options) {
  std::string error;
  for (const std::string &path : options.merged) {
    std::optional<TensorProfile> other = TensorProfile::read(path, error);
    if (!other)
      return fail(error);
    profile.merge(*other);
  }
  const std::string text = profile.toJSON();
  data::AtomicFileWriter writer;
  if (!writer.open(options.output, error) ||
      !writer.write(text.data(), text.size(), error) || !writer.commit(error))
    return fail(error);
  int64_t overflowing = 0, vanishing = 0;
  for (const auto &[name, statistics] : profile.tensors) {
    overflowing += statistics.overflowing != 0;
    vanishing += statistics.vanishing != 0;
  }
  llvm::outs() << options.output << ": " << profile.tensors.size()
               << " tensors over " << profile.runs << " runs; " << overflowing
               << " overflow FP16, " << vanishing
               << " have elements that vanish in it\n";
  return 0;
}

int mergeProfiles(const ProfileOptions &options) { return write({}, options); }

int writeProfile(Model &model, Inputs inputs, const Batches *batches,
                 const ProfileOptions &options) {
  const llvm::DenseMap<Value, std::string> names = nameTensors(model.function);
  const llvm::DenseSet<Value> backward = findBackward(model.function);
  TensorProfile profile;
  auto add = [&](Value value, const reference::Tensor &tensor) {
    auto name = names.find(value);
    if (!tensor.isFloat() || name == names.end())
      return;
    TensorStatistics &statistics = profile.tensors[name->second];
    statistics.add(tensor.floats);
    // A scalar is the scale itself, or what is between it and the loss.
    statistics.backward |= !tensor.shape.empty() && backward.contains(value);
    statistics.narrow |=
        tensor.elementType.isF16() || tensor.elementType.isBF16();
  };
  reference::Options interpret;
  interpret.observer = [&](Operation *op, ArrayRef<reference::Tensor> results) {
    for (auto [value, tensor] : llvm::zip_equal(op->getResults(), results))
      add(value, tensor);
    return success();
  };
  const Value scale = getLossScaleArgument(model.function);
  int64_t runs = batches ? batches->count() : 1;
  if (options.batches > 0)
    runs = std::min(runs, options.batches);
  for (int64_t run = 0; run < runs; ++run) {
    if (batches)
      batches->fill(run, inputs);
    FailureOr<std::vector<reference::Tensor>> arguments =
        makeArguments(model, inputs, /*f64=*/false);
    if (failed(arguments))
      return 1;
    for (auto [value, tensor] :
         llvm::zip_equal(model.function.getArguments(), *arguments)) {
      add(value, tensor);
      // The scale is state: the smallest errs towards larger gradients.
      if (value == scale)
        profile.lossScale = run == 0
                                ? tensor.floats[0]
                                : std::min(profile.lossScale, tensor.floats[0]);
    }
    FailureOr<std::vector<data::HostTensor>> results =
        runReference(model, *arguments, interpret);
    if (failed(results))
      return 1;
    carryState(model, *results, inputs);
    ++profile.runs;
  }
  return write(std::move(profile), options);
}

} // namespace mpt::run
