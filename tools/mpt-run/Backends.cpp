//===- Backends.cpp - Ways to run a function ------------------------------===//

#include "Model.h"

#include "mpt/Reference/Interpreter.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace mpt::run {

FailureOr<std::vector<data::HostTensor>>
runReference(Model &model, const Inputs &inputs, bool f64) {
  func::FuncOp function = model.function;
  Location loc = UnknownLoc::get(function.getContext());
  reference::ParameterLoader parameters(
      llvm::sys::path::parent_path(model.path).str());
  std::vector<reference::Tensor> arguments;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    if (!inputs[i]) {
      FailureOr<std::optional<reference::Tensor>> value =
          parameters.loadArgument(function, i);
      if (failed(value))
        return failure();
      arguments.push_back(std::move(**value));
      continue;
    }
    auto type = dyn_cast<RankedTensorType>(function.getArgumentTypes()[i]);
    if (!type)
      return emitError(loc)
             << model.path << ": input '" << model.arguments[i]
             << "' has the type " << function.getArgumentTypes()[i]
             << ", which only ONNX knows";
    if (type.getShape() != ArrayRef<int64_t>(inputs[i]->shape))
      return emitError(loc)
             << model.path << ": input '" << model.arguments[i] << "' takes "
             << data::shapeString(
                    {type.getShape().begin(), type.getShape().end()})
             << " elements, but its file holds "
             << data::shapeString(inputs[i]->shape);
    std::string message;
    FailureOr<reference::Tensor> value = [&] {
      ScopedDiagnosticHandler handler(function.getContext(),
                                      [&](Diagnostic &diag) {
                                        message = diag.str();
                                        return success();
                                      });
      return reference::fromHost(*inputs[i], type.getElementType(), f64, loc);
    }();
    if (failed(value))
      return emitError(loc) << model.path << ": input '" << model.arguments[i]
                            << "' " << message;
    arguments.push_back(std::move(*value));
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

} // namespace mpt::run
