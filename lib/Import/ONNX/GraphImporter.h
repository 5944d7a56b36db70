//===- GraphImporter.h - An ONNX graph becomes a function -------*- C++ -*-===//

#ifndef MPT_LIB_IMPORT_ONNX_GRAPHIMPORTER_H
#define MPT_LIB_IMPORT_ONNX_GRAPHIMPORTER_H

#include "ModelFile.h"
#include "Node.h"
#include "OnnxLibrary.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Import/ONNX/ImportONNX.h"
#include "llvm/ADT/StringSet.h"

namespace mpt::importer {

class GraphImporter {
public:
  GraphImporter(mlir::MLIRContext *context, ModelFile &file,
                const ImportOptions &options)
      : context(context), file(file), options(options), builder(context) {}

  /// Null, and one line in `error`, when the model cannot be imported.
  mlir::OwningOpRef<mlir::ModuleOp> run(std::string &error);

  //===--------------------------------------------------------------------===//
  // For handlers, through Node
  //===--------------------------------------------------------------------===//

  const Binding *lookup(llvm::StringRef name) const;
  void bind(llvm::StringRef name, Binding binding);
  bool isRead(llvm::StringRef name) const { return readNames.contains(name); }
  mlir::OpBuilder &getBuilder() { return builder; }
  /// What a value is at compile time; null when it is not known.
  mlir::DenseElementsAttr getKnownValue(mlir::Value value) const;
  mlir::Value createConstant(mlir::Location loc,
                             mlir::DenseElementsAttr elements);
  /// Replaces an operation whose operands are known by its value, where that
  /// is exact; remembers the value otherwise. False after an evaluation error.
  bool fold(mlir::Operation *op, llvm::SmallVectorImpl<mlir::Value> &results);
  /// A parameter of the function, or a constant, for a tensor of the file.
  /// Null and one line in `error` when its data cannot be read.
  mlir::Value importTensor(llvm::StringRef name,
                           const onnx::TensorProto &tensor, bool isConstant,
                           mp::Role role, mlir::Location loc,
                           std::string &error);
  /// The value of a tensor attribute.
  mlir::DenseElementsAttr readAttribute(const onnx::TensorProto &tensor,
                                        std::string &error) {
    return readElements(context, tensor, &file, error);
  }
  Outcome importIf(Node &node);
  Outcome importLoop(Node &node);
  Outcome importScan(Node &node);
  /// The node as nn.onnx_node; false and a message in `error` after a failure.
  bool keep(const onnx::NodeProto &node, mlir::Location loc,
            std::string &error);

private:
  struct Argument {
    std::string name;
    mp::Role role;
    mlir::FlatSymbolRefAttr parameter;
  };

  /// While it lives, the names of a subgraph are its own; then what they meant
  /// before comes back.
  class NameScope {
  public:
    NameScope(GraphImporter &importer, const onnx::GraphProto &graph);
    ~NameScope();

  private:
    void define(const std::string &name);

    GraphImporter &importer;
    llvm::StringMap<std::optional<Binding>> outer;
  };
  struct Attempt;

  bool fixDimensions(std::string &error);
  bool prepare(std::string &error);
  bool addInputs(std::string &error);
  bool isZero(const onnx::TensorProto &tensor);
  bool addInitializers(const onnx::GraphProto &graph, std::string &error);
  bool addNode(const onnx::NodeProto &proto, std::string &error);
  bool addOutputs(std::string &error);
  void eraseDead();
  void finishFunction(llvm::ArrayRef<mlir::Value> results);

  bool hasStaticTensors(const Node &node) const;
  int64_t getOpset(llvm::StringRef domain) const;
  void scanUses(const onnx::GraphProto &graph);
  /// The branch that an If takes, where the condition is known; or null.
  const onnx::GraphProto *chooseBranch(const onnx::NodeProto &proto) const;
  bool inlineBranch(const onnx::NodeProto &proto,
                    const onnx::GraphProto &branch, std::string &error);
  bool importBody(const onnx::GraphProto &graph, mlir::Region &region,
                  llvm::ArrayRef<mlir::Value> inputs,
                  llvm::SmallVectorImpl<mlir::Value> &outputs);
  Outcome finish(Node &node, Attempt &attempt, llvm::StringRef name,
                 mlir::ValueRange operands, mlir::TypeRange types,
                 llvm::ArrayRef<mlir::NamedAttribute> attributes);
  void eraseDeadIn(mlir::Block &body);
  void forget(mlir::Operation *op);
  void dropArguments(size_t count);
  mlir::Value addArgument(llvm::StringRef name, mlir::Type type, mp::Role role,
                          mlir::FlatSymbolRefAttr parameter = {});
  mlir::Value createParameter(llvm::StringRef name,
                              const onnx::TensorProto &tensor,
                              mlir::RankedTensorType type, mp::Role role,
                              std::string &error);
  mlir::Value materialize(const Binding &binding, llvm::StringRef name,
                          mlir::Location loc);
  mlir::Value createOnnxNode(const onnx::NodeProto &node,
                             llvm::ArrayRef<std::string> names,
                             mlir::ValueRange operands, mlir::Location loc);
  const onnx::TypeProto *getDeclaredType(llvm::StringRef name);
  mlir::Type convertType(const onnx::TypeProto &type);
  onnx::TypeProto convertType(mlir::Value value) const;

  mlir::MLIRContext *context;
  ModelFile &file;
  const ImportOptions &options;
  mlir::OpBuilder builder;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp function;
  mlir::Block *block = nullptr;
  llvm::SmallVector<Argument> arguments;
  llvm::StringMap<Binding> bindings;
  llvm::StringMap<int64_t> opsets;
  NodeChecker checker;
  /// What the graph says about its values; filled when a node is kept.
  std::optional<llvm::StringMap<const onnx::TypeProto *>> declaredTypes;
  llvm::StringSet<> symbols;
  llvm::DenseMap<mlir::Value, mlir::DenseElementsAttr> knownFloats;
  int64_t numNodes = 0;

  // What scanUses finds out about names.
  llvm::StringSet<> readNames, weightNames, gateNames, factorNames, stateNames,
      statisticNames, settingNames;
};

/// Names that the subgraphs of a node read from outside, in order.
void collectCaptures(const onnx::NodeProto &node,
                     llvm::SmallVectorImpl<std::string> &names);

} // namespace mpt::importer

#endif // MPT_LIB_IMPORT_ONNX_GRAPHIMPORTER_H
