//===- StepExecutor.cpp - Runs a step, compiled or interpreted ------------===//

#include "mpt/Execution/StepExecutor.h"

#include "ReferenceStep.h"
#include "mpt/Execution/CompiledStep.h"
#include "mpt/Reference/Interpreter.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::execution;

StepExecutor::~StepExecutor() = default;

std::optional<data::DType> execution::getDType(Type type) {
  if (type.isF64())
    return data::DType::F64;
  if (type.isF32())
    return data::DType::F32;
  if (type.isF16())
    return data::DType::F16;
  if (type.isBF16())
    return data::DType::BF16;
  if (type.isInteger(64))
    return data::DType::I64;
  if (type.isInteger(32))
    return data::DType::I32;
  if (type.isInteger(16))
    return data::DType::I16;
  if (type.isInteger(8))
    return type.isUnsignedInteger() ? data::DType::U8 : data::DType::I8;
  if (type.isInteger(1))
    return data::DType::Bool;
  return std::nullopt;
}

FailureOr<std::unique_ptr<StepExecutor>>
StepExecutor::create(ModuleOp module, func::FuncOp func,
                     const ExecutorOptions &options) {
  if (options.target == Target::Reference)
    return ReferenceStep::create(module, func, options);
  return CompiledStep::create(module, func, options);
}

LogicalResult StepExecutor::describe(func::FuncOp func) {
  auto add = [&](Type type, DictionaryAttr attrs, StringRef what, unsigned i,
                 mp::Role defaultRole, std::vector<ValueInfo> &infos,
                 llvm::StringMap<unsigned> &numbers) -> LogicalResult {
    auto tensor = dyn_cast<RankedTensorType>(type);
    std::optional<data::DType> dtype = tensor && tensor.hasStaticShape()
                                           ? getDType(tensor.getElementType())
                                           : std::nullopt;
    if (!dtype)
      return func.emitError()
             << what << " " << i << " of type " << type
             << " cannot be fed or read; fix dynamic dimensions with --dim";
    ValueInfo info;
    auto name = attrs ? attrs.getAs<StringAttr>(mp::MPDialect::kNameAttrName)
                      : StringAttr();
    auto role = attrs ? attrs.getAs<mp::RoleAttr>(mp::MPDialect::kRoleAttrName)
                      : mp::RoleAttr();
    info.name = name ? name.str() : (what + Twine(i)).str();
    info.role = role ? role.getValue() : defaultRole;
    info.dtype = *dtype;
    info.shape = tensor.getShape().vec();
    info.isState = mp::isStateRole(info.role);
    numbers.try_emplace(info.name, i);
    infos.push_back(std::move(info));
    return success();
  };
  for (unsigned i = 0; i < func.getNumArguments(); ++i)
    if (failed(add(func.getArgumentTypes()[i], func.getArgAttrDict(i), "arg", i,
                   mp::Role::Input, arguments, argumentNumbers)))
      return failure();
  for (unsigned i = 0; i < func.getNumResults(); ++i)
    if (failed(add(func.getResultTypes()[i], func.getResultAttrDict(i),
                   "result", i, mp::Role::Output, results, resultNumbers)))
      return failure();
  return success();
}

LogicalResult StepExecutor::loadParameters(ModuleOp module, func::FuncOp func,
                                           const ExecutorOptions &options) {
  reference::ParameterLoader loader(options.directory);
  SymbolTable symbols(module);
  for (unsigned i = 0; i < func.getNumArguments(); ++i) {
    auto symbol = func.getArgAttrOfType<FlatSymbolRefAttr>(
        i, nn::NNDialect::kParameterAttrName);
    if (!symbol)
      continue;
    auto parameter = symbols.lookup<nn::ParameterOp>(symbol.getValue());
    if (!parameter)
      return func.emitError() << "argument " << i << " names the parameter "
                              << symbol << ", which the module lacks";
    FailureOr<reference::Tensor> value = loader.load(parameter);
    if (failed(value))
      return failure();
    std::string error;
    if (!setArgument(i, reference::toHost(*value), error))
      return parameter.emitError() << error;
  }
  return success();
}

bool StepExecutor::setInput(StringRef name, const data::HostTensor &value,
                            std::string &error) {
  auto it = argumentNumbers.find(name);
  if (it == argumentNumbers.end()) {
    error = ("there is no input or state named '" + name + "'").str();
    return false;
  }
  const ValueInfo &info = arguments[it->second];
  if (value.shape != info.shape) {
    error = ("'" + name + "' has shape " + data::shapeString(value.shape) +
             ", but the model takes " + data::shapeString(info.shape))
                .str();
    return false;
  }
  return setArgument(it->second, value, error);
}

bool StepExecutor::setScalar(StringRef name, double value, std::string &error) {
  data::HostTensor tensor(data::DType::F64, {});
  *tensor.data<double>() = value;
  return setInput(name, tensor, error);
}

bool StepExecutor::getResult(StringRef name, data::HostTensor &value,
                             std::string &error) const {
  auto it = resultNumbers.find(name);
  if (it == resultNumbers.end()) {
    error = ("there is no result named '" + name + "'").str();
    return false;
  }
  value = data::copy(getResultView(it->second));
  return true;
}

bool StepExecutor::getScalar(StringRef name, double &value,
                             std::string &error) const {
  data::HostTensor tensor;
  if (!getResult(name, tensor, error))
    return false;
  if (tensor.numElements() != 1) {
    error = ("'" + name + "' is a tensor of shape " +
             data::shapeString(tensor.shape) + ", not one number")
                .str();
    return false;
  }
  value = *data::convert(tensor, data::DType::F64).data<double>();
  return true;
}

bool StepExecutor::getState(StringRef name, data::HostTensor &value,
                            std::string &error) const {
  auto it = argumentNumbers.find(name);
  if (it == argumentNumbers.end()) {
    error = ("there is no input or state named '" + name + "'").str();
    return false;
  }
  value = data::copy(getArgumentView(it->second));
  return true;
}
