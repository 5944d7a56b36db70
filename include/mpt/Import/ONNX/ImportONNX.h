//===- ImportONNX.h - ONNX models as nn functions ---------------*- C++ -*-===//
//
// Reads ONNX models (binary, or textual `.onnxtxt`) into a module that holds
// one `nn.parameter` per weight and one pure function; docs/Architecture.md
// ("The functions") says what the function looks like. Opsets 6 to 27.
//
// Errors are diagnostics at an unknown location whose text is one line,
// `file: node 'name' (OpType): what is wrong and what to do`.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_IMPORT_ONNX_IMPORTONNX_H
#define MPT_IMPORT_ONNX_IMPORTONNX_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mpt/Data/HostTensor.h"
#include "llvm/ADT/StringMap.h"

#include <optional>
#include <string>

namespace mpt {

struct ImportOptions {
  /// Extents of symbolic dimensions by name ("batch"), or by input and axis
  /// ("image:0") where a dimension has no name. Naming one that the model does
  /// not have is an error.
  llvm::StringMap<int64_t> dims;
  /// Take a name in `dims` that the model does not have: of two models that are
  /// compared, one may have it.
  bool ignoreUnknownDims = false;
  /// Extent of the symbolic first dimension of every input that `dims` does not
  /// name; 0: they must be named.
  int64_t batchSize = 0;
  /// Inputs that are imported as constants of these values: a shape or an axis
  /// that the model takes at run time decides types here. Naming an input that
  /// the model does not have is an error.
  llvm::StringMap<data::HostTensor> constants;
  /// The name of the function.
  std::string entryName = "forward";
};

/// Does the name end in `.onnx` or `.onnxtxt`?
bool isONNXFile(llvm::StringRef path);

/// Reads a model. Weights of 64 bytes and more stay in their file
/// (`#nn.external`). Nodes without a counterpart in the nn dialect become
/// `nn.onnx_node`. The module carries `nn.onnx_opset` (the opset of the default
/// domain). Null after an error.
mlir::OwningOpRef<mlir::ModuleOp> importONNX(mlir::MLIRContext &context,
                                             llvm::StringRef path,
                                             const ImportOptions &options = {});

/// Adds `name=extent` to the options' dimensions; false (and one line in
/// `error`) when it does not have this form.
bool parseDim(llvm::StringRef text, ImportOptions &options, std::string &error);

/// One operator of the registration table.
struct SupportedONNXOp {
  std::string domain; // empty: ai.onnx
  std::string name;
  int64_t sinceVersion; // the oldest opset imported
  std::string note;     // how it is represented
};
/// Operators that are imported as nn operations, sorted; all others become
/// `nn.onnx_node`.
llvm::SmallVector<SupportedONNXOp> listSupportedONNXOps();

/// A tensor read from a serialized `TensorProto`.
struct NamedTensor {
  std::string name;
  data::HostTensor tensor;
};
/// Reads a `.pb` file of the ONNX backend tests. Unsigned integers wider than 8
/// bits become the next wider signed type. Nothing, and one line in `error`,
/// for a file that is not a tensor or holds strings.
std::optional<NamedTensor> readTensorProto(llvm::StringRef path,
                                           std::string &error);

} // namespace mpt

#endif // MPT_IMPORT_ONNX_IMPORTONNX_H
