//===- ReferenceStep.cpp - A step in the interpreter ----------------------===//

#include "ReferenceStep.h"

#include "mpt/Conversion/Passes.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::execution;

ReferenceStep::ReferenceStep(func::FuncOp func, const ExecutorOptions &options)
    : func(func), replacing(conversion::getReplacingResults(func)) {
  this->options.f64 = options.float64;
}

FailureOr<std::unique_ptr<StepExecutor>>
ReferenceStep::create(ModuleOp module, func::FuncOp func,
                      const ExecutorOptions &options) {
  std::unique_ptr<ReferenceStep> step(new ReferenceStep(func, options));
  if (failed(step->describe(func)))
    return failure();
  for (Type type : func.getArgumentTypes()) {
    auto tensor = cast<RankedTensorType>(type);
    step->argumentValues.emplace_back(tensor.getShape(),
                                      tensor.getElementType());
  }
  if (failed(step->loadParameters(module, func, options)))
    return failure();
  return std::unique_ptr<StepExecutor>(std::move(step));
}

bool ReferenceStep::run(std::string &error) {
  // The interpreter's diagnostics become the caller's message.
  ScopedDiagnosticHandler handler(
      func.getContext(), [&](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
          return failure();
        if (error.empty()) {
          llvm::raw_string_ostream os(error);
          if (!isa<UnknownLoc>(diagnostic.getLocation()))
            os << diagnostic.getLocation() << ": ";
          os << diagnostic;
        }
        return success();
      });
  reference::Interpreter interpreter(options);
  auto values =
      interpreter.run(func, ArrayRef<reference::Tensor>(argumentValues));
  if (failed(values)) {
    if (error.empty())
      error = "the interpreter failed";
    return false;
  }
  resultValues.assign(std::make_move_iterator(values->begin()),
                      std::make_move_iterator(values->end()));
  for (auto [argument, result] : llvm::zip_equal(argumentValues, replacing))
    if (result >= 0)
      argument = resultValues[result];
  return true;
}

static data::TensorView show(const reference::Tensor &tensor, bool exact,
                             const std::string &name, data::HostTensor &shown) {
  shown = reference::toHost(tensor, exact);
  return data::view(name, shown);
}

data::TensorView ReferenceStep::getArgumentView(unsigned index) const {
  return show(argumentValues[index], options.f64, arguments[index].name, shown);
}

data::TensorView ReferenceStep::getResultView(unsigned index) const {
  // Before the first run there are no results.
  if (resultValues.empty()) {
    shown = data::HostTensor(results[index].dtype, results[index].shape);
    return data::view(results[index].name, shown);
  }
  return show(resultValues[index], options.f64, results[index].name, shown);
}

bool ReferenceStep::setArgument(unsigned index, const data::HostTensor &value,
                                std::string &error) {
  reference::Tensor &argument = argumentValues[index];
  ScopedDiagnosticHandler handler(func.getContext(),
                                  [&](Diagnostic &diagnostic) {
                                    error = diagnostic.str();
                                    return success();
                                  });
  // The same conversion as for compiled steps, unless everything is f64.
  const bool exact =
      options.f64 && data::isFloat(value.dtype) && argument.isFloat();
  auto tensor = reference::fromHost(
      exact ? value : data::convert(value, arguments[index].dtype),
      argument.elementType, options.f64, func.getLoc());
  if (failed(tensor)) {
    if (error.empty())
      error = "'" + arguments[index].name + "' cannot be converted";
    return false;
  }
  argument = std::move(*tensor);
  return true;
}
