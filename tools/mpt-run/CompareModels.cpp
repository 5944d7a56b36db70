//===- CompareModels.cpp - One model's tensors against another's ----------===//

#include "CompareModels.h"

#include "mlir/IR/Diagnostics.h"
#include "mpt/Analysis/LossScalePowers.h"
#include "mpt/Analysis/PrecisionAssignment.h"
#include "mpt/Analysis/TensorProfile.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace mlir;

namespace mpt::run {

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

std::string TensorError::describe() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "error " << llvm::format("%.3g", norm) << "; worst element [";
  SmallVector<int64_t> position(shape.size());
  int64_t rest = worst;
  for (size_t axis = shape.size(); axis-- > 0;) {
    position[axis] = rest % shape[axis];
    rest /= shape[axis];
  }
  llvm::interleaveComma(position, os);
  os << "]: got " << llvm::format("%.6g", got) << ", should be "
     << llvm::format("%.6g", want);
  return text;
}

/// A masking value, of which any other is as good: its weight is 0.
static bool isMasked(double value) { return value < -1e30; }

/// `floor` is added to the norm of what should be there.
template <typename Want>
static TensorError measure(std::string name, ArrayRef<int64_t> shape,
                           ArrayRef<double> got, ArrayRef<Want> want,
                           double floor = 0) {
  TensorError error;
  error.name = std::move(name);
  error.shape.assign(shape.begin(), shape.end());
  double difference = 0, norm = 0, largest = -1;
  for (size_t i = 0; i < got.size(); ++i) {
    const double w = want[i];
    if (isMasked(got[i]) && isMasked(w))
      continue;
    if (got[i] == w || (std::isnan(got[i]) && std::isnan(w))) {
      norm += std::isfinite(w) ? w * w : 0;
      continue;
    }
    double distance = std::fabs(got[i] - w);
    if (!std::isfinite(distance))
      distance = kInfinity;
    difference += distance * distance;
    norm += std::isfinite(w) ? w * w : 0;
    if (distance > largest) {
      largest = distance;
      error.worst = static_cast<int64_t>(i);
    }
  }
  if (!got.empty()) {
    error.got = got[error.worst];
    error.want = want[error.worst];
  }
  // A tensor of zeros has no scale of its own.
  const double scale = std::sqrt(norm) + floor;
  error.norm = difference == 0 ? 0
               : scale == 0    ? std::sqrt(difference)
                               : std::sqrt(difference) / scale;
  return error;
}

double ReferenceRun::Errors::worst() const {
  double result = 0;
  for (const std::vector<TensorError> *list : {&outputs, &gradients})
    for (const TensorError &error : *list)
      result = std::fmax(result, error.norm);
  return result;
}

const TensorError *ReferenceRun::Errors::findDeparture(double tolerance) const {
  auto it = llvm::find_if(tensors, [&](const TensorError &error) {
    return error.norm > tolerance;
  });
  return it == tensors.end() ? nullptr : &*it;
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

/// The parameter whose gradient the operation finishes, or "".
static StringRef getGradientOf(Operation *op) {
  if (auto gradient = dyn_cast<mp::GradientOp>(op))
    return gradient.getParameter();
  if (auto unscale = dyn_cast<mp::UnscaleOp>(op))
    return unscale.getParameter();
  return {};
}

/// What is compared of the tensors between: the operations of the network.
static bool isCompared(Operation *op) {
  return !isa<mp::MPDialect>(op->getDialect()) &&
         !op->hasTrait<OpTrait::ConstantLike>();
}

namespace {
/// The tensors of a model by name, and what loss scaling multiplied them by: a
/// backward graph is compared with that of a step with another scale.
class NamedTensors {
public:
  NamedTensors(Model &model, ArrayRef<reference::Tensor> arguments)
      : names(nameTensors(model.function)),
        backward(findBackward(model.function)), powers(model.function) {
    Value argument = getLossScaleArgument(model.function);
    if (argument)
      scale = arguments[cast<BlockArgument>(argument).getArgNumber()].floats[0];
    // mpt-verify-loss-scaling is who reports the mistakes of a step.
    ScopedDiagnosticHandler silence(model.function.getContext(),
                                    [](Diagnostic &) { return success(); });
    arePowersKnown = succeeded(powers.run());
  }

  /// Empty: the tensor cannot be compared with another's.
  StringRef getName(Value value) const {
    auto name = names.find(value);
    if (name == names.end() || (isBackward(value) && !arePowersKnown))
      return {};
    return name->second;
  }
  bool isBackward(Value value) const { return backward.contains(value); }

  /// The elements as they would be without loss scaling.
  std::vector<double> unscale(Value value,
                              const reference::Tensor &tensor) const {
    std::vector<double> elements(tensor.floats.begin(), tensor.floats.end());
    const ScalePower power = powers.lookup(value);
    if (!power.fits(0)) {
      const double factor = std::pow(scale, -static_cast<double>(power.get()));
      for (double &element : elements)
        element *= factor;
    }
    return elements;
  }

private:
  llvm::DenseMap<Value, std::string> names;
  llvm::DenseSet<Value> backward;
  LossScalePowers powers;
  double scale = 1;
  bool arePowersKnown = false;
};

/// The root mean square of the norms of some tensors.
class MeanNorm {
public:
  void add(ArrayRef<double> elements) {
    ++tensors;
    for (double element : elements)
      squares += std::isfinite(element) ? element * element : 0;
  }
  double get() const {
    return tensors == 0 ? 0 : std::sqrt(squares / static_cast<double>(tensors));
  }

private:
  double squares = 0;
  int64_t tensors = 0;
};
} // namespace

std::optional<ReferenceRun> ReferenceRun::make(Model &model,
                                               const Inputs &inputs, bool f64) {
  FailureOr<std::vector<reference::Tensor>> arguments =
      makeArguments(model, inputs, f64);
  if (failed(arguments))
    return std::nullopt;
  ReferenceRun run;
  const NamedTensors named(model, *arguments);
  MeanNorm gradientNorm, backwardNorm;
  reference::Options options;
  options.f64 = f64;
  options.observer = [&](Operation *op, ArrayRef<reference::Tensor> results) {
    StringRef gradient = getGradientOf(op);
    if (gradient.empty() && !isCompared(op))
      return success();
    for (auto [value, tensor] : llvm::zip_equal(op->getResults(), results)) {
      StringRef name = named.getName(value);
      if (!tensor.isFloat() || name.empty())
        continue;
      const std::vector<double> elements = named.unscale(value, tensor);
      Entry entry{0,
                  {tensor.shape.begin(), tensor.shape.end()},
                  {elements.begin(), elements.end()}};
      if (!gradient.empty()) {
        gradientNorm.add(elements);
        run.gradients[gradient] = std::move(entry);
        continue;
      }
      if (named.isBackward(value))
        backwardNorm.add(elements);
      entry.order = run.names.size();
      run.names.push_back(name.str());
      run.tensors[name] = std::move(entry);
    }
    return success();
  };
  FailureOr<std::vector<data::HostTensor>> results =
      runReference(model, *arguments, options);
  if (failed(results))
    return std::nullopt;
  run.gradientNorm = gradientNorm.get();
  run.backwardNorm = backwardNorm.get();
  for (unsigned i = 0; i < results->size(); ++i) {
    std::optional<mp::Role> role = mp::getResultRole(model.function, i);
    // State behind a step follows from the gradients.
    if (data::isFloat((*results)[i].dtype) &&
        (!role || *role == mp::Role::Output || *role == mp::Role::Loss ||
         *role == mp::Role::Gradient))
      run.outputs.emplace_back(model.results[i], std::move((*results)[i]));
  }
  return run;
}

std::optional<ReferenceRun::Errors>
ReferenceRun::compare(Model &model, const Inputs &inputs) const {
  FailureOr<std::vector<reference::Tensor>> arguments =
      makeArguments(model, inputs, /*f64=*/false);
  if (failed(arguments))
    return std::nullopt;
  Errors errors;
  const NamedTensors named(model, *arguments);
  std::vector<std::optional<TensorError>> byOrder(names.size());
  // The yardstick for gradients and what leads to them: one that is zero in
  // exact arithmetic must not count.
  constexpr double kFloor = 1e-3;
  reference::Options options;
  options.observer = [&](Operation *op, ArrayRef<reference::Tensor> results) {
    if (StringRef name = getGradientOf(op); !name.empty()) {
      auto entry = gradients.find(name);
      if (entry != gradients.end() &&
          entry->second.values.size() == results[0].floats.size())
        errors.gradients.push_back(measure<float>(
            ("gradient of '" + name + "'").str(), results[0].shape,
            results[0].floats, entry->second.values, kFloor * gradientNorm));
      return success();
    }
    if (!isCompared(op))
      return success();
    for (auto [value, tensor] : llvm::zip_equal(op->getResults(), results)) {
      StringRef name = named.getName(value);
      if (!tensor.isFloat() || name.empty())
        continue;
      auto entry = tensors.find(name);
      if (entry == tensors.end() || ArrayRef<int64_t>(entry->second.shape) !=
                                        ArrayRef<int64_t>(tensor.shape))
        continue;
      byOrder[entry->second.order] =
          measure<float>(name.str(), tensor.shape, named.unscale(value, tensor),
                         entry->second.values,
                         named.isBackward(value) ? kFloor * backwardNorm : 0);
    }
    return success();
  };
  FailureOr<std::vector<data::HostTensor>> results =
      runReference(model, *arguments, options);
  if (failed(results))
    return std::nullopt;
  for (std::optional<TensorError> &error : byOrder)
    if (error)
      errors.tensors.push_back(std::move(*error));
  for (const auto &[name, want] : outputs) {
    auto it = llvm::find(model.results, name);
    if (it == model.results.end())
      continue;
    const data::HostTensor got =
        data::convert((*results)[it - model.results.begin()], data::DType::F64);
    const data::HostTensor wanted = data::convert(want, data::DType::F64);
    if (got.shape == wanted.shape)
      errors.outputs.push_back(measure<double>(
          "output '" + name + "'", got.shape,
          {got.data<double>(), static_cast<size_t>(got.numElements())},
          ArrayRef<double>(wanted.data<double>(), wanted.numElements())));
  }
  return errors;
}

//===----------------------------------------------------------------------===//
// The command
//===----------------------------------------------------------------------===//

bool transferInputs(const Model &from, const Inputs &inputs, Model &to,
                    Inputs &result, std::string &error) {
  result.assign(to.arguments.size(), std::nullopt);
  for (size_t i = 0; i < result.size(); ++i) {
    std::optional<unsigned> number = from.findArgument(to.arguments[i]);
    // The loss scale is each step's own.
    if (number && mp::getArgRole(to.function, i) != mp::Role::LossScale)
      result[i] = inputs[*number];
  }
  fillInitialState(to, result);
  for (size_t i = 0; i < result.size(); ++i)
    if (!result[i] && !to.isParameter[i]) {
      error = to.path + ": has an input '" + to.arguments[i] +
              "' that the model compared with has not";
      return false;
    }
  return true;
}

/// The 16-bit type of the model: bf16 if it has a tensor of it, else f16.
static std::string findLowType(Model &model) {
  return model.function
                 .walk([](Operation *op) {
                   for (Type type : op->getResultTypes())
                     if (getElementTypeOrSelf(type).isBF16())
                       return WalkResult::interrupt();
                   return WalkResult::advance();
                 })
                 .wasInterrupted()
             ? "bf16"
             : "f16";
}

int compareModels(Model &reference, Model &model, const Inputs &inputs,
                  const CompareOptions &options) {
  std::string error;
  Inputs others;
  if (!transferInputs(reference, inputs, model, others, error)) {
    llvm::errs() << error << '\n';
    return 1;
  }
  std::optional<ReferenceRun> run =
      ReferenceRun::make(reference, inputs, options.f64);
  if (!run)
    return 1;
  std::optional<ReferenceRun::Errors> errors = run->compare(model, others);
  if (!errors)
    return 1;
  if (errors->outputs.empty() && errors->gradients.empty()) {
    llvm::errs() << model.path << ": has no output that " << reference.path
                 << " has, too\n";
    return 1;
  }
  if (options.verbose)
    for (const TensorError &tensor : errors->tensors)
      llvm::outs() << tensor.name << ": " << tensor.describe() << '\n';
  for (const std::vector<TensorError> *list :
       {&errors->outputs, &errors->gradients})
    for (const TensorError &tensor : *list)
      llvm::outs() << tensor.name << ": " << tensor.describe() << '\n';
  if (const TensorError *first = errors->findDeparture(options.tolerance))
    llvm::outs() << "departs first: " << first->name << ": "
                 << first->describe() << '\n';
  const double worst = errors->worst();
  const bool within = worst <= options.tolerance;
  llvm::outs() << (within ? "within" : "beyond") << " the tolerance of "
               << llvm::format("%g", options.tolerance) << ": largest error "
               << llvm::format("%.3g", worst) << ", " << errors->tensors.size()
               << " tensors compared\n";
  if (options.repair.empty())
    return within ? 0 : 1;
  return repair(reference, *run, inputs, findLowType(model), options);
}

} // namespace mpt::run
