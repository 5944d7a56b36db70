//===- Backends.cpp - Ways to run a function ------------------------------===//

#include "Model.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"
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

FailureOr<std::vector<reference::Tensor>>
makeArguments(Model &model, const Inputs &inputs, bool f64) {
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
  return arguments;
}

void fillInitialState(Model &model, Inputs &inputs) {
  for (unsigned i = 0; i < inputs.size(); ++i) {
    if (inputs[i] || model.isParameter[i])
      continue;
    auto type =
        dyn_cast<RankedTensorType>(model.function.getArgumentTypes()[i]);
    std::optional<mp::Role> role = mp::getArgRole(model.function, i);
    Attribute initial =
        model.function.getArgAttr(i, mp::MPDialect::kInitialAttrName);
    if (!type || !type.hasStaticShape() ||
        (!initial && (!role || !mp::isStateRole(*role))))
      continue;
    double value = 0;
    if (auto number = dyn_cast_or_null<FloatAttr>(initial))
      value = number.getValueAsDouble();
    else if (auto number = dyn_cast_or_null<IntegerAttr>(initial))
      value = static_cast<double>(number.getInt());
    data::HostTensor tensor(isa<FloatType>(type.getElementType())
                                ? data::DType::F64
                                : data::DType::I64,
                            type.getShape().vec());
    for (int64_t element = 0; element < tensor.numElements(); ++element)
      if (tensor.dtype == data::DType::F64)
        tensor.data<double>()[element] = value;
      else
        tensor.data<int64_t>()[element] = static_cast<int64_t>(value);
    inputs[i] = std::move(tensor);
  }
}

FailureOr<std::vector<data::HostTensor>>
runReference(Model &model, const Inputs &inputs, bool f64) {
  FailureOr<std::vector<reference::Tensor>> arguments =
      makeArguments(model, inputs, f64);
  if (failed(arguments))
    return failure();
  reference::Options options;
  options.f64 = f64;
  return runReference(model, *arguments, options);
}

FailureOr<std::vector<data::HostTensor>>
runReference(Model &model, ArrayRef<reference::Tensor> arguments,
             const reference::Options &options) {
  auto results = reference::Interpreter(options).run(model.function, arguments);
  if (failed(results))
    return failure();
  std::vector<data::HostTensor> outputs;
  for (const reference::Tensor &result : *results)
    outputs.push_back(reference::toHost(result, options.f64));
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
