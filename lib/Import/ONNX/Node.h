//===- Node.h - What the handler of an ONNX operator sees -------*- C++ -*-===//

#ifndef MPT_LIB_IMPORT_ONNX_NODE_H
#define MPT_LIB_IMPORT_ONNX_NODE_H

#include "mlir/IR/Builders.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "onnx/onnx_pb.h"

#include <optional>

namespace mpt::importer {

class GraphImporter;

/// What became of a node.
enum class Outcome {
  Done,   // its outputs are set
  Keep,   // it has no counterpart: it becomes an nn.onnx_node
  Failed, // Node::fail was called
};

using Shape = llvm::SmallVector<int64_t>;

/// What a name of the graph stands for: a value, or a sequence of tensors that
/// is known at compile time.
struct Binding {
  mlir::Value value;
  std::optional<llvm::SmallVector<mlir::Value>> sequence;
};

/// One node being imported. Emitted operations are verified at once; a failure
/// is remembered and makes every later emission give a null value, so that a
/// handler needs no checks in between.
class Node {
public:
  Node(GraphImporter &importer, const onnx::NodeProto &proto, int64_t opset,
       mlir::Location loc)
      : proto(proto), opset(opset), loc(loc), importer(importer) {}

  const onnx::NodeProto &proto;
  const int64_t opset; // of the node's domain
  const mlir::Location loc;

  //===--------------------------------------------------------------------===//
  // Inputs and outputs
  //===--------------------------------------------------------------------===//

  size_t numInputs() const { return proto.input_size(); }
  bool has(size_t i) const;
  /// The value of input i; null when it is absent or a sequence.
  mlir::Value in(size_t i) const;
  const Binding *binding(size_t i) const;
  mlir::RankedTensorType type(size_t i) const;
  llvm::ArrayRef<int64_t> shape(size_t i) const { return type(i).getShape(); }
  int64_t rank(size_t i) const { return type(i).getRank(); }
  /// The value of input i where it is known at compile time.
  mlir::DenseElementsAttr known(size_t i) const;
  std::optional<Shape> knownInts(size_t i) const;
  std::optional<double> knownScalar(size_t i) const;

  size_t numOutputs() const { return proto.output_size(); }
  /// Is output i there and read by a node or the graph's result?
  bool isUsed(size_t i) const;
  void set(size_t i, mlir::Value value);
  void setSequence(size_t i, llvm::ArrayRef<mlir::Value> values);
  Outcome done(mlir::Value value) {
    set(0, value);
    return Outcome::Done;
  }
  Outcome fail(const llvm::Twine &message);

  //===--------------------------------------------------------------------===//
  // Attributes of the node
  //===--------------------------------------------------------------------===//

  const onnx::AttributeProto *attribute(llvm::StringRef name) const;
  bool hasAttribute(llvm::StringRef name) const { return attribute(name); }
  int64_t intOf(llvm::StringRef name, int64_t otherwise) const;
  double floatOf(llvm::StringRef name, double otherwise) const;
  std::string stringOf(llvm::StringRef name, llvm::StringRef otherwise) const;
  std::optional<Shape> intsOf(llvm::StringRef name) const;
  /// The axis attribute made non-negative; nothing when out of range.
  std::optional<int64_t> axisOf(llvm::StringRef name, int64_t otherwise,
                                int64_t rank) const;

  //===--------------------------------------------------------------------===//
  // Emission
  //===--------------------------------------------------------------------===//

  mlir::Operation *emit(llvm::StringRef name, mlir::ValueRange operands,
                        llvm::ArrayRef<mlir::NamedAttribute> attributes,
                        mlir::TypeRange types,
                        llvm::SmallVectorImpl<mlir::Value> &results);

  /// An operation with one result, whose type is inferred unless given.
  template <typename OpTy>
  mlir::Value create(mlir::ValueRange operands,
                     llvm::ArrayRef<mlir::NamedAttribute> attributes = {},
                     mlir::Type type = {}) {
    return createOne(OpTy::getOperationName(), operands, attributes, type);
  }
  mlir::Value createOne(llvm::StringRef name, mlir::ValueRange operands,
                        llvm::ArrayRef<mlir::NamedAttribute> attributes,
                        mlir::Type type);
  /// An operation with several results; all null after a failure.
  template <typename OpTy>
  llvm::SmallVector<mlir::Value>
  createMany(unsigned count, mlir::ValueRange operands,
             llvm::ArrayRef<mlir::NamedAttribute> attributes = {},
             mlir::TypeRange types = {}) {
    llvm::SmallVector<mlir::Value> results;
    emit(OpTy::getOperationName(), operands, attributes, types, results);
    results.resize(count);
    return results;
  }

  /// The outcome for a node whose value is `tensor`: a parameter when it holds
  /// more than `maxFloats` floats, else a constant.
  Outcome importTensor(const onnx::TensorProto &tensor, int64_t maxFloats);
  /// If, Loop and Scan: their bodies become regions.
  Outcome importIf();
  Outcome importLoop();
  Outcome importScan();
  /// The elements of a tensor attribute; null for types that only ONNX knows.
  mlir::DenseElementsAttr readAttribute(const onnx::TensorProto &tensor);
  mlir::Value constant(mlir::DenseElementsAttr elements);
  mlir::Value vector(llvm::ArrayRef<int64_t> values);
  /// A scalar with the element type of `like` (a tensor or element type).
  mlir::Value scalar(mlir::Type like, double value);
  mlir::Value scalar(mlir::Value like, double value);

  mlir::Value cast(mlir::Value value, mlir::Type element);
  mlir::Value reshape(mlir::Value value, llvm::ArrayRef<int64_t> shape);
  mlir::Value transpose(mlir::Value value, llvm::ArrayRef<int64_t> permutation);
  mlir::Value expand(mlir::Value value, llvm::ArrayRef<int64_t> shape);
  mlir::Value compare(nn::ComparePredicate predicate, mlir::Value lhs,
                      mlir::Value rhs);
  mlir::Value where(mlir::Value condition, mlir::Value x, mlir::Value y);
  /// A reduction over `axes` (any order).
  template <typename OpTy>
  mlir::Value reduce(mlir::Value value, llvm::ArrayRef<int64_t> axes,
                     bool keepdims) {
    return reduce(OpTy::getOperationName(), value, axes, keepdims);
  }
  mlir::Value reduce(llvm::StringRef name, mlir::Value value,
                     llvm::ArrayRef<int64_t> axes, bool keepdims);
  /// A matrix product of ranks >= 2; absorbs transpositions of its operands.
  mlir::Value matmul(mlir::Value lhs, mlir::Value rhs,
                     bool transposeLhs = false, bool transposeRhs = false);
  mlir::Value slice(mlir::Value value, llvm::ArrayRef<int64_t> starts,
                    llvm::ArrayRef<int64_t> extents,
                    llvm::ArrayRef<int64_t> steps);

  mlir::NamedAttribute attr(llvm::StringRef name, mlir::Attribute value);
  mlir::NamedAttribute i64(llvm::StringRef name, int64_t value);
  mlir::NamedAttribute i64s(llvm::StringRef name,
                            llvm::ArrayRef<int64_t> values);
  mlir::NamedAttribute f64(llvm::StringRef name, double value);
  mlir::NamedAttribute flag(llvm::StringRef name, bool value);

  mlir::MLIRContext *context() const { return loc.getContext(); }
  bool hasFailed() const { return failed; }
  const std::string &getError() const { return error; }

private:
  GraphImporter &importer;
  bool failed = false;
  std::string error;
};

/// Shape and element type of a value; empty and null for the null value.
Shape shapeOf(mlir::Value value);
int64_t rankOf(mlir::Value value);
int64_t dimOf(mlir::Value value, int64_t axis);
mlir::Type elementOf(mlir::Value value);
bool isFloat(mlir::Value value);
bool isFloat(mlir::Type element);
int64_t product(llvm::ArrayRef<int64_t> extents);
/// No machine holds more, and what is computed from extents and strides fits
/// 64 bits below it.
constexpr int64_t kLargestTensor = int64_t(1) << 40;
/// Are the extents (dynamic ones apart) those of a tensor that can exist?
bool isPossibleShape(llvm::ArrayRef<int64_t> shape);
/// 0, 1, ..., count - 1.
Shape iota(int64_t count);
/// Non-negative, sorted and distinct axes; nothing when one is out of range.
std::optional<Shape> normalizeAxes(llvm::ArrayRef<int64_t> axes, int64_t rank);

//===----------------------------------------------------------------------===//
// Registration
//===----------------------------------------------------------------------===//

using Handler = Outcome (*)(Node &);

/// How far a handler's inputs are checked before it is called.
enum class Needs {
  StaticTensors, // numbers or bools of static shape
  Nothing,
};

class Registry {
public:
  struct Entry {
    std::string domain, name;
    int64_t since;
    Needs needs;
    Handler handler;
    std::string note;
  };
  /// `note` says how the operator is represented.
  void add(llvm::StringRef name, int64_t since, llvm::StringRef note,
           Handler handler, Needs needs = Needs::StaticTensors,
           llvm::StringRef domain = "");
  /// The entry with the largest `since` that is not above `opset`.
  const Entry *find(llvm::StringRef domain, llvm::StringRef name,
                    int64_t opset) const;
  const std::vector<Entry> &getEntries() const { return entries; }

  static const Registry &get();

private:
  std::vector<Entry> entries;
  llvm::StringMap<llvm::SmallVector<size_t>> byName;
};

void registerActivations(Registry &registry);
void registerElementwise(Registry &registry);
void registerContractions(Registry &registry);
void registerEinsum(Registry &registry);
void registerPooling(Registry &registry);
void registerNormalizations(Registry &registry);
void registerReductions(Registry &registry);
void registerShapes(Registry &registry);
void registerIndexing(Registry &registry);
void registerConstants(Registry &registry);
void registerSequences(Registry &registry);
void registerAttention(Registry &registry);
void registerLosses(Registry &registry);
void registerRecurrent(Registry &registry);
void registerResize(Registry &registry);
void registerControlFlow(Registry &registry);

} // namespace mpt::importer

#endif // MPT_LIB_IMPORT_ONNX_NODE_H
