//===- Backends.cpp - Ways to run a function ------------------------------===//

#include "Model.h"

#include "mpt/Execution/StepExecutor.h"
#include "mpt/Reference/Interpreter.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace mpt::run {

/// The value of argument `i` from a file, checked against its type.
static FailureOr<reference::Tensor>
convertInput(Model &model, unsigned i, const data::HostTensor &host, bool f64) {
  MLIRContext *context = model.function.getContext();
  Location loc = UnknownLoc::get(context);
  Type argumentType = model.function.getArgumentTypes()[i];
  auto type = dyn_cast<RankedTensorType>(argumentType);
  if (!type)
    return emitError(loc) << model.path << ": input '" << model.arguments[i]
                          << "' has the type " << argumentType
                          << ", which only ONNX knows";
  if (type.getShape() != ArrayRef<int64_t>(host.shape))
    return emitError(loc) << model.path << ": input '" << model.arguments[i]
                          << "' takes "
                          << data::shapeString(type.getShape().vec())
                          << " elements, but its file holds "
                          << data::shapeString(host.shape);
  std::string message;
  FailureOr<reference::Tensor> value = [&] {
    ScopedDiagnosticHandler handler(context, [&](Diagnostic &diag) {
      message = diag.str();
      return success();
    });
    return reference::fromHost(host, type.getElementType(), f64, loc);
  }();
  if (failed(value))
    return emitError(loc) << model.path << ": input '" << model.arguments[i]
                          << "' " << message;
  return value;
}

FailureOr<std::vector<data::HostTensor>>
runReference(Model &model, const Inputs &inputs, bool f64) {
  func::FuncOp function = model.function;
  reference::ParameterLoader parameters(
      llvm::sys::path::parent_path(model.path).str());
  std::vector<reference::Tensor> arguments;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    if (inputs[i]) {
      FailureOr<reference::Tensor> value =
          convertInput(model, i, *inputs[i], f64);
      if (failed(value))
        return failure();
      arguments.push_back(std::move(*value));
      continue;
    }
    FailureOr<std::optional<reference::Tensor>> value =
        parameters.loadArgument(function, i);
    if (failed(value))
      return failure();
    arguments.push_back(std::move(**value));
  }
  reference::Options options;
  options.f64 = f64;
  auto results = reference::Interpreter(options).run(
      function, ArrayRef<reference::Tensor>(arguments));
  if (failed(results))
    return failure();
  std::vector<data::HostTensor> outputs;
  for (const reference::Tensor &result : *results)
    outputs.push_back(reference::toHost(result, f64));
  return outputs;
}

FailureOr<std::vector<data::HostTensor>>
runCompiled(Model &model, const Inputs &inputs, int32_t threads) {
  Location loc = UnknownLoc::get(model.function.getContext());
  execution::ExecutorOptions options;
  options.threads = threads;
  FailureOr<std::unique_ptr<execution::StepExecutor>> executor =
      execution::StepExecutor::create(*model.module, model.function, options);
  if (failed(executor))
    return failure();
  std::string error;
  for (unsigned i = 0; i < inputs.size(); ++i) {
    if (!inputs[i])
      continue;
    FailureOr<reference::Tensor> value =
        convertInput(model, i, *inputs[i], /*f64=*/false);
    if (failed(value))
      return failure();
    if (!(*executor)->setInput((*executor)->getArguments()[i].name,
                               reference::toHost(*value), error))
      return emitError(loc) << model.path << ": " << error;
  }
  if (!(*executor)->run(error))
    return emitError(loc) << model.path << ": " << error;
  std::vector<data::HostTensor> outputs;
  for (unsigned i = 0; i < model.results.size(); ++i)
    outputs.push_back(data::copy((*executor)->getResultView(i)));
  return outputs;
}

} // namespace mpt::run
