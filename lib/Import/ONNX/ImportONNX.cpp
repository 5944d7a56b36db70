//===- ImportONNX.cpp - ONNX models as nn functions -----------------------===//

#include "mpt/Import/ONNX/ImportONNX.h"

#include "GraphImporter.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace mpt {

bool isONNXFile(StringRef path) {
  return path.ends_with(".onnx") || path.ends_with(".onnxtxt");
}

bool parseDim(StringRef text, ImportOptions &options, std::string &error) {
  auto [name, value] = text.rsplit('=');
  int64_t extent;
  if (name.empty() || value.getAsInteger(10, extent) || extent < 0) {
    error = "--dim " + data::printable(text.str()) +
            ": should be name=extent, as in --dim batch=64";
    return false;
  }
  options.dims[name] = extent;
  return true;
}

/// The type of a tensor in memory, as far as ONNX has it under the same name.
static std::optional<data::DType> getDType(int32_t elementType) {
  switch (elementType) {
  case onnx::TensorProto::DOUBLE:
    return data::DType::F64;
  case onnx::TensorProto::FLOAT:
    return data::DType::F32;
  case onnx::TensorProto::FLOAT16:
    return data::DType::F16;
  case onnx::TensorProto::BFLOAT16:
    return data::DType::BF16;
  case onnx::TensorProto::INT64:
    return data::DType::I64;
  case onnx::TensorProto::INT32:
    return data::DType::I32;
  case onnx::TensorProto::INT16:
    return data::DType::I16;
  case onnx::TensorProto::INT8:
    return data::DType::I8;
  case onnx::TensorProto::UINT8:
    return data::DType::U8;
  case onnx::TensorProto::BOOL:
    return data::DType::Bool;
  default:
    return std::nullopt;
  }
}

/// Makes initializers of the inputs that have a value in the options.
static bool fixInputs(importer::ModelFile &file, const ImportOptions &options,
                      std::string &error) {
  onnx::GraphProto &graph = *file.model.mutable_graph();
  llvm::StringMap<int32_t> types;
  for (const auto &input : graph.input())
    types[input.name()] = input.type().tensor_type().elem_type();
  for (const auto &constant : options.constants) {
    const std::string name = constant.getKey().str();
    auto type = types.find(name);
    std::optional<data::DType> dtype;
    if (type != types.end())
      dtype = getDType(type->second);
    if (!dtype) {
      error = file.path + ": has no input '" + data::printable(name) +
              "' that can be a constant";
      return false;
    }
    data::HostTensor value = data::convert(constant.getValue(), *dtype);
    auto *initializers = graph.mutable_initializer();
    for (int i = initializers->size(); i-- > 0;)
      if (initializers->Get(i).name() == name)
        initializers->DeleteSubrange(i, 1);
    onnx::TensorProto &initializer = *graph.add_initializer();
    initializer.set_name(name);
    initializer.set_data_type(type->second);
    for (int64_t extent : value.shape)
      initializer.add_dims(extent);
    initializer.set_raw_data(value.bytes.data(), value.bytes.size());
  }
  return true;
}

OwningOpRef<ModuleOp> importONNX(MLIRContext &context, StringRef path,
                                 const ImportOptions &options) {
  context.loadDialect<func::FuncDialect, nn::NNDialect, mp::MPDialect>();
  std::string error;
  importer::ModelFile file;
  OwningOpRef<ModuleOp> module;
  if (file.read(path.str(), error) && fixInputs(file, options, error))
    module = importer::GraphImporter(&context, file, options).run(error);
  if (!module)
    emitError(UnknownLoc::get(&context), error);
  return module;
}

} // namespace mpt
