//===- ExportONNX.h - nn functions as ONNX models ---------------*- C++ -*-===//
//
// Writes a forward function of nn operations, mixed precision included, as an
// ONNX model: inputs, outputs and parameters keep their names (mp.name), nodes
// those of their locations. What was kept as nn.onnx_node is written back as it
// came. The opset is the module's `nn.onnx_opset`, or what the operations need.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_EXPORT_ONNX_EXPORTONNX_H
#define MPT_EXPORT_ONNX_EXPORTONNX_H

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace mpt {

struct ExportOptions {
  /// Initializers of at least `externalElementBytes` bytes go to a file
  /// `<model>.data` beside the model once all of them together exceed this
  /// size: protocol buffers end at 2 GiB.
  uint64_t maxInlineBytes = uint64_t(3) << 29;
  uint64_t externalTensorBytes = 1024;
};

/// Writes the function to `path`; a file that is there is replaced only when
/// everything has been written. An empty name takes `forward`, or the module's
/// only function. Errors are diagnostics at the operation concerned.
llvm::LogicalResult exportONNX(mlir::ModuleOp module,
                               llvm::StringRef functionName,
                               llvm::StringRef path,
                               const ExportOptions &options = {});

} // namespace mpt

#endif // MPT_EXPORT_ONNX_EXPORTONNX_H
