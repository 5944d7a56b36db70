//===- Exporter.h - A function becomes an ONNX graph ------------*- C++ -*-===//

#ifndef MPT_LIB_EXPORT_ONNX_EXPORTER_H
#define MPT_LIB_EXPORT_ONNX_EXPORTER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mpt/Data/FileIO.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Export/ONNX/ExportONNX.h"
#include "onnx/onnx_pb.h"
#include "llvm/ADT/StringSet.h"

#include <google/protobuf/arena.h>

#include <map>

namespace mpt::exporter {

using Names = llvm::SmallVector<std::string>;
using Attributes = llvm::SmallVector<onnx::AttributeProto>;

onnx::AttributeProto intAttr(llvm::StringRef name, int64_t value);
onnx::AttributeProto intsAttr(llvm::StringRef name,
                              llvm::ArrayRef<int64_t> values);
onnx::AttributeProto floatAttr(llvm::StringRef name, double value);
onnx::AttributeProto stringAttr(llvm::StringRef name, llvm::StringRef value);

/// The ONNX number of an element type; 0 where there is none.
int32_t onnxElementType(mlir::Type type);

class Exporter {
public:
  Exporter(mlir::ModuleOp module, mlir::func::FuncOp function)
      : module(module), function(function) {}

  llvm::LogicalResult run();
  /// Writes what run() made.
  llvm::LogicalResult write(llvm::StringRef path, const ExportOptions &options);

  //===--------------------------------------------------------------------===//
  // For the emitters of operations
  //===--------------------------------------------------------------------===//

  int64_t getOpset() const { return opset; }
  /// The name that stands for a value; empty for the null value.
  std::string nameOf(mlir::Value value);
  /// The value in another element type (a Cast, unless it has it).
  std::string castTo(mlir::Value value, mlir::Type element);
  std::string cast(const std::string &name, mlir::Type element);
  /// A node with one output, whose name is new.
  std::string emit(llvm::StringRef opType, llvm::ArrayRef<std::string> inputs,
                   llvm::ArrayRef<onnx::AttributeProto> attributes = {});
  /// A node whose output stands for `result`. The node computes in `computed`;
  /// a Cast follows where the result has another element type.
  void emitAs(mlir::Value result, llvm::StringRef opType,
              llvm::ArrayRef<std::string> inputs,
              llvm::ArrayRef<onnx::AttributeProto> attributes = {},
              mlir::Type computed = {});
  /// A node with several outputs; null values are outputs left out. The first
  /// is computed as in emitAs.
  void emitMany(llvm::ArrayRef<mlir::Value> results, llvm::StringRef opType,
                llvm::ArrayRef<std::string> inputs,
                llvm::ArrayRef<onnx::AttributeProto> attributes = {},
                mlir::Type computed = {});
  /// Initializers.
  std::string ints(llvm::ArrayRef<int64_t> values);
  std::string scalar(mlir::Type element, double value);
  std::string boolean(bool value);
  std::string constant(mlir::DenseElementsAttr elements);
  /// A block as a graph attribute: its operations, its arguments as inputs, the
  /// operands of its terminator as outputs.
  llvm::LogicalResult addSubgraph(mlir::Block &block, llvm::StringRef role,
                                  onnx::AttributeProto &attribute);
  /// Two values that are one.
  void alias(mlir::Value value, const std::string &name);

private:
  /// The bytes of an initializer: in memory, or in a file.
  struct Bytes {
    std::string owned;
    std::string file;
    uint64_t offset = 0, length = 0;
  };

  void chooseVersions();
  /// Finds `folded` and `dead`.
  llvm::LogicalResult foldParameterCasts();
  mlir::Type storedType(mlir::BlockArgument argument) const;
  llvm::LogicalResult addArguments();
  llvm::LogicalResult addParameter(unsigned index, mlir::BlockArgument argument,
                                   nn::ParameterOp parameter);
  llvm::LogicalResult readParameter(nn::ParameterOp parameter, Bytes &bytes);
  std::string splat(mlir::DenseElementsAttr elements);
  void addInitializer(const std::string &name, mlir::RankedTensorType type,
                      Bytes bytes);
  llvm::LogicalResult addOperation(mlir::Operation &op);
  llvm::LogicalResult addOutputs();
  llvm::LogicalResult addOnnxNode(nn::OnnxNodeOp op);
  llvm::LogicalResult setType(onnx::ValueInfoProto &info, mlir::Type type,
                              mlir::Operation *where);
  llvm::LogicalResult map(const std::string &file, mlir::Operation *where,
                          const data::MappedFile *&mapped);
  llvm::LogicalResult moveToFile(const std::string &path,
                                 const ExportOptions &options,
                                 data::AtomicFileWriter &writer);
  llvm::LogicalResult inlineBytes();

  std::string uniqueName(llvm::StringRef wish);
  /// The current operation's name, with a suffix for the nodes around its own.
  std::string nodeName(llvm::StringRef suffix = "");
  std::string resultName(mlir::Value value);

  mlir::ModuleOp module;
  mlir::func::FuncOp function;
  /// Holds the messages of `model`: a large graph has a million.
  google::protobuf::Arena arena;
  onnx::ModelProto &model =
      *google::protobuf::Arena::CreateMessage<onnx::ModelProto>(&arena);
  onnx::GraphProto *graph = nullptr; // the one being filled
  int64_t opset = 0;
  mlir::Operation *current = nullptr;
  llvm::DenseMap<mlir::Value, std::string> names;
  llvm::DenseMap<mlir::Value, std::string> outputNames;
  /// Parameters that the file holds in another type than the function has.
  llvm::DenseMap<mlir::Value, mlir::Type> storedTypes;
  /// Casts whose value the file holds, and operations that it does not need.
  llvm::DenseMap<mlir::Value, mlir::DenseElementsAttr> folded;
  llvm::DenseSet<mlir::Operation *> dead;
  llvm::StringSet<> usedNames, usedNodeNames;
  llvm::StringMap<int64_t> nameCounts;
  std::map<std::string, std::string> constants; // serialized tensor: its name
  std::vector<Bytes> weights;                   // of graph.initializer
  std::map<std::string, data::MappedFile> files;
  llvm::StringMap<int64_t> domains;
};

/// Emitters by operation name.
class Registry {
public:
  template <typename OpTy>
  void add(llvm::LogicalResult (*emitter)(Exporter &, OpTy)) {
    emitters[OpTy::getOperationName()] = [emitter](Exporter &exporter,
                                                   mlir::Operation *op) {
      return emitter(exporter, llvm::cast<OpTy>(op));
    };
  }
  const std::function<llvm::LogicalResult(Exporter &, mlir::Operation *)> *
  find(llvm::StringRef name) const {
    auto it = emitters.find(name);
    return it == emitters.end() ? nullptr : &it->second;
  }
  static const Registry &get();

private:
  llvm::StringMap<
      std::function<llvm::LogicalResult(Exporter &, mlir::Operation *)>>
      emitters;
};

void registerElementwise(Registry &registry);
void registerContractions(Registry &registry);
void registerNormalizations(Registry &registry);
void registerShapes(Registry &registry);
void registerReductions(Registry &registry);
void registerLosses(Registry &registry);
void registerControlFlow(Registry &registry);

/// The oldest opset that can express an operation in its types.
int64_t neededOpset(mlir::Operation &op);

inline mlir::Type elementOf(mlir::Value value) {
  return mlir::getElementTypeOrSelf(value);
}
inline llvm::ArrayRef<int64_t> shapeOf(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType()).getShape();
}

} // namespace mpt::exporter

#endif // MPT_LIB_EXPORT_ONNX_EXPORTER_H
