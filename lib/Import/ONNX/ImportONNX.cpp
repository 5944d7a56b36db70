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

OwningOpRef<ModuleOp> importONNX(MLIRContext &context, StringRef path,
                                 const ImportOptions &options) {
  context.loadDialect<func::FuncDialect, nn::NNDialect, mp::MPDialect>();
  std::string error;
  importer::ModelFile file;
  OwningOpRef<ModuleOp> module;
  if (file.read(path.str(), error))
    module = importer::GraphImporter(&context, file, options).run(error);
  if (!module)
    emitError(UnknownLoc::get(&context), error);
  return module;
}

} // namespace mpt
