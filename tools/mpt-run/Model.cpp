//===- Model.cpp - A function to run --------------------------------------===//

#include "Model.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Parser/Parser.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;

namespace mpt::run {

void loadDialects(MLIRContext &context) {
  context.loadDialect<nn::NNDialect, mp::MPDialect, func::FuncDialect,
                      arith::ArithDialect>();
}

static std::string describeType(Type type) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (auto tensor = dyn_cast<RankedTensorType>(type)) {
    os << data::shapeString(
              {tensor.getShape().begin(), tensor.getShape().end()})
       << ' ' << tensor.getElementType();
  } else {
    os << type;
  }
  return text;
}

std::string Model::describeInputs() const {
  std::vector<std::string> parts;
  for (size_t i = 0; i < arguments.size(); ++i)
    if (!isParameter[i])
      parts.push_back(
          arguments[i] + ": " +
          describeType(func::FuncOp(function).getArgumentTypes()[i]));
  return parts.empty() ? "none" : llvm::join(parts, ", ");
}

std::optional<unsigned> Model::findArgument(StringRef name) const {
  auto it = llvm::find(arguments, name);
  if (it == arguments.end())
    return std::nullopt;
  return static_cast<unsigned>(it - arguments.begin());
}

std::optional<std::string> Model::findForeignOperator() const {
  std::optional<std::string> found;
  func::FuncOp(function).walk([&](nn::OnnxNodeOp op) {
    found = op.getOpType().str();
    return WalkResult::interrupt();
  });
  return found;
}

/// The function to run, or null after an error.
static func::FuncOp selectFunction(ModuleOp module, const std::string &path,
                                   const std::string &name) {
  SmallVector<func::FuncOp> candidates;
  std::string names;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal())
      continue;
    names += (names.empty() ? "@" : ", @") + function.getSymName().str();
    if (name.empty() ? function.isPublic() : function.getSymName() == name)
      candidates.push_back(function);
  }
  if (candidates.size() > 1)
    llvm::erase_if(candidates, [](func::FuncOp function) {
      return function.getSymName() != "forward";
    });
  if (candidates.size() == 1)
    return candidates.front();
  auto diag = emitError(UnknownLoc::get(module.getContext())) << path << ": ";
  if (names.empty())
    diag << "has no function to run";
  else if (name.empty())
    diag << "has several functions: choose one of " << names
         << " with --function";
  else
    diag << "has no function @" << name << "; it has " << names;
  return nullptr;
}

std::optional<Model> loadModel(MLIRContext &context, const std::string &path,
                               const std::string &functionName,
                               const ImportOptions &options) {
  Model model;
  model.path = path;
  if (isONNXFile(path)) {
    model.module = importONNX(context, path, options);
  } else if (!options.dims.empty() && !options.ignoreUnknownDims) {
    emitError(UnknownLoc::get(&context))
        << path
        << ": --dim is for ONNX models; the shapes of this file are fixed";
    return std::nullopt;
  } else {
    auto buffer = llvm::MemoryBuffer::getFile(path);
    if (!buffer) {
      emitError(UnknownLoc::get(&context))
          << path << ": " << buffer.getError().message();
      return std::nullopt;
    }
    llvm::SourceMgr source;
    source.AddNewSourceBuffer(std::move(*buffer), llvm::SMLoc());
    model.module = parseSourceFile<ModuleOp>(source, &context);
  }
  if (!model.module)
    return std::nullopt;
  model.function = selectFunction(*model.module, path, functionName);
  if (!model.function)
    return std::nullopt;
  for (unsigned i = 0; i < model.function.getNumArguments(); ++i) {
    StringRef name = mp::getArgName(model.function, i);
    model.arguments.push_back(name.empty() ? "arg" + std::to_string(i)
                                           : name.str());
    model.isParameter.push_back(
        model.function.getArgAttr(i, nn::NNDialect::kParameterAttrName) !=
        nullptr);
  }
  for (unsigned i = 0; i < model.function.getNumResults(); ++i) {
    StringRef name = mp::getResultName(model.function, i);
    model.results.push_back(name.empty() ? "result" + std::to_string(i)
                                         : name.str());
  }
  return model;
}

} // namespace mpt::run
