//===- OnnxLibrary.h - The calls into libonnx that may throw ----*- C++ -*-===//
//
// Implemented in the one translation unit that is built with exceptions; none
// of these functions throws.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_LIB_IMPORT_ONNX_ONNXLIBRARY_H
#define MPT_LIB_IMPORT_ONNX_ONNXLIBRARY_H

#include "onnx/onnx_pb.h"

#include <string>
#include <unordered_map>
#include <vector>

namespace onnx {
class OpSchema;
} // namespace onnx

namespace mpt::importer {

/// Parses textual ONNX; false and one line in `error` when it is malformed.
bool parseModelText(const std::string &text, onnx::ModelProto &model,
                    std::string &error);

/// Replaces calls of the model's own functions by their bodies.
bool inlineFunctions(onnx::ModelProto &model, std::string &error);

/// Does a node have the inputs, outputs and attributes that its operator has?
class NodeChecker {
public:
  /// Operators that ONNX does not define always do. One domain has one opset.
  /// `error` is one line.
  bool check(const onnx::NodeProto &node, int64_t opset, std::string &error);

private:
  /// Looked up once: that takes three maps of strings. Null: not defined.
  std::unordered_map<std::string, const onnx::OpSchema *> schemas;
};

/// Types of the outputs of `node`. `model` holds the opset imports; its graph,
/// which is used up, the values the node can see: inputs with types, and
/// initializers. An output whose type cannot be inferred has no value set.
std::vector<onnx::TypeProto> inferOutputTypes(onnx::ModelProto &model,
                                              const onnx::NodeProto &node);

/// `tensor(string)`-like text of a type, as ONNX prints it.
std::string printType(const onnx::TypeProto &type);
/// The inverse; false when the text is not a type.
bool parseType(const std::string &text, onnx::TypeProto &type);

} // namespace mpt::importer

#endif // MPT_LIB_IMPORT_ONNX_ONNXLIBRARY_H
