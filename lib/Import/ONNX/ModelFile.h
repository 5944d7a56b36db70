//===- ModelFile.h - Reading ONNX files without their weights ---*- C++ -*-===//

#ifndef MPT_LIB_IMPORT_ONNX_MODELFILE_H
#define MPT_LIB_IMPORT_ONNX_MODELFILE_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mpt/Data/FileIO.h"
#include "onnx/onnx_pb.h"

#include <google/protobuf/arena.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace mpt::importer {

/// A range of bytes in a file.
struct FileRange {
  std::string file;
  uint64_t offset = 0, length = 0;
};

/// A model whose weights have stayed on disk: the raw data of float tensors of
/// 64 bytes and more is replaced by a reference in the form of external data
/// whose location is empty (the model file itself).
class ModelFile {
  /// Holds the messages of `model`: a large graph has a million.
  google::protobuf::Arena arena;

public:
  /// Reads the file; false and one line in `error` if that fails.
  bool read(const std::string &path, std::string &error);

  onnx::ModelProto &model =
      *google::protobuf::Arena::CreateMessage<onnx::ModelProto>(&arena);
  std::string path;

  /// Where the bytes of a tensor with external data lie. Checks that the file
  /// is inside the model's folder and long enough.
  std::optional<FileRange> locate(const onnx::TensorProto &tensor,
                                  std::string &error);
  /// The bytes of the range, mapped.
  const uint8_t *map(const FileRange &range, std::string &error);

private:
  std::map<std::string, data::MappedFile> files;
  const data::MappedFile *open(const std::string &file, std::string &error);
};

/// Copies a serialized ModelProto without its weights (see ModelFile).
/// False when the bytes are no protocol buffer.
bool stripWeights(const uint8_t *data, size_t size, std::string &stripped);

//===----------------------------------------------------------------------===//
// Types and tensors
//===----------------------------------------------------------------------===//

/// The MLIR type of an ONNX element type; null for strings and unknown numbers.
mlir::Type convertElementType(mlir::MLIRContext *context, int32_t onnxType);
/// The inverse; UNDEFINED (0) where there is none.
int32_t convertElementType(mlir::Type type);

/// Shape of a tensor; nothing when an extent is negative or the number of
/// elements overflows.
std::optional<llvm::SmallVector<int64_t>>
shapeOf(const onnx::TensorProto &tensor);

/// The elements of a tensor, external data included. Null and one line in
/// `error` when they do not fit the shape.
mlir::DenseElementsAttr readElements(mlir::MLIRContext *context,
                                     const onnx::TensorProto &tensor,
                                     ModelFile *file, std::string &error);

} // namespace mpt::importer

#endif // MPT_LIB_IMPORT_ONNX_MODELFILE_H
