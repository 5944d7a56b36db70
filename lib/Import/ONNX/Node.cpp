//===- Node.cpp - What the handler of an ONNX operator sees ---------------===//

#include "Node.h"

#include "GraphImporter.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace mpt::importer {

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

Shape shapeOf(Value value) {
  auto type =
      value ? dyn_cast<RankedTensorType>(value.getType()) : RankedTensorType();
  return type ? Shape(type.getShape()) : Shape();
}
int64_t rankOf(Value value) { return shapeOf(value).size(); }
int64_t dimOf(Value value, int64_t axis) {
  Shape shape = shapeOf(value);
  return axis >= 0 && axis < static_cast<int64_t>(shape.size()) ? shape[axis]
                                                                : 1;
}
Type elementOf(Value value) {
  return value ? getElementTypeOrSelf(value) : Type();
}
bool isFloat(Type element) { return isa_and_nonnull<FloatType>(element); }
bool isFloat(Value value) { return isFloat(elementOf(value)); }

int64_t product(ArrayRef<int64_t> extents) {
  int64_t result = 1;
  for (int64_t extent : extents)
    if (llvm::MulOverflow(result, extent, result))
      return INT64_MAX; // of a file that is refused when its tensors are read
  return result;
}

bool isPossibleShape(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (ShapedType::isDynamic(extent))
      continue;
    if (extent < 0 || extent > kLargestTensor ||
        llvm::MulOverflow(count, extent, count) || count > kLargestTensor)
      return false;
  }
  return true;
}

Shape iota(int64_t count) {
  Shape result;
  for (int64_t i = 0; i < count; ++i)
    result.push_back(i);
  return result;
}

std::optional<Shape> normalizeAxes(ArrayRef<int64_t> axes, int64_t rank) {
  Shape result;
  for (int64_t axis : axes) {
    if (axis < -rank || axis >= rank)
      return std::nullopt;
    result.push_back(axis < 0 ? axis + rank : axis);
  }
  llvm::sort(result);
  result.erase(llvm::unique(result), result.end());
  return result;
}

//===----------------------------------------------------------------------===//
// Inputs and outputs
//===----------------------------------------------------------------------===//

bool Node::has(size_t i) const {
  return i < numInputs() && !proto.input(i).empty();
}
const Binding *Node::binding(size_t i) const {
  return has(i) ? importer.lookup(proto.input(i)) : nullptr;
}
Value Node::in(size_t i) const {
  const Binding *binding = this->binding(i);
  return binding ? binding->value : Value();
}
RankedTensorType Node::type(size_t i) const {
  return llvm::cast<RankedTensorType>(in(i).getType());
}

DenseElementsAttr Node::known(size_t i) const {
  Value value = in(i);
  return value ? importer.getKnownValue(value) : DenseElementsAttr();
}

std::optional<Shape> Node::knownInts(size_t i) const {
  DenseElementsAttr elements = known(i);
  if (!elements || !isa<IntegerType>(elements.getElementType()))
    return std::nullopt;
  Shape result;
  bool isUnsigned = elements.getElementType().isUnsignedInteger() ||
                    elements.getElementType().isInteger(1);
  for (const APInt &value : elements.getValues<APInt>())
    result.push_back(isUnsigned ? static_cast<int64_t>(value.getZExtValue())
                                : value.getSExtValue());
  return result;
}

std::optional<double> Node::knownScalar(size_t i) const {
  DenseElementsAttr elements = known(i);
  if (!elements || elements.getNumElements() != 1)
    return std::nullopt;
  if (!isFloat(elements.getElementType()))
    return static_cast<double>(knownInts(i)->front());
  APFloat value = *elements.getValues<APFloat>().begin();
  bool losesInfo;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                &losesInfo);
  return value.convertToDouble();
}

bool Node::isUsed(size_t i) const {
  return i < numOutputs() && !proto.output(i).empty() &&
         importer.isRead(proto.output(i));
}

void Node::set(size_t i, Value value) {
  if (i < numOutputs() && value)
    importer.bind(proto.output(i), {value, {}});
}
void Node::setSequence(size_t i, ArrayRef<Value> values) {
  if (i < numOutputs())
    importer.bind(proto.output(i), {{}, SmallVector<Value>(values)});
}

Outcome Node::fail(const Twine &message) {
  if (!failed)
    error = message.str();
  failed = true;
  return Outcome::Failed;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

const onnx::AttributeProto *Node::attribute(StringRef name) const {
  for (const auto &attribute : proto.attribute())
    if (name == StringRef(attribute.name()))
      return &attribute;
  return nullptr;
}
int64_t Node::intOf(StringRef name, int64_t otherwise) const {
  const auto *found = attribute(name);
  return found ? found->i() : otherwise;
}
double Node::floatOf(StringRef name, double otherwise) const {
  const auto *found = attribute(name);
  return found ? found->f() : otherwise;
}
std::string Node::stringOf(StringRef name, StringRef otherwise) const {
  const auto *found = attribute(name);
  return found ? found->s() : otherwise.str();
}
std::optional<Shape> Node::intsOf(StringRef name) const {
  const auto *found = attribute(name);
  if (!found)
    return std::nullopt;
  return Shape(found->ints().begin(), found->ints().end());
}
std::optional<int64_t> Node::axisOf(StringRef name, int64_t otherwise,
                                    int64_t rank) const {
  int64_t axis = intOf(name, otherwise);
  if (axis < -rank || axis >= rank)
    return std::nullopt;
  return axis < 0 ? axis + rank : axis;
}

//===----------------------------------------------------------------------===//
// Emission
//===----------------------------------------------------------------------===//

/// Result types of an operation that was created without them.
static LogicalResult inferTypes(Operation *op, SmallVectorImpl<Type> &types) {
  auto infer = dyn_cast<InferTypeOpInterface>(op);
  if (!infer) {
    if (op->getNumOperands() == 0)
      return failure();
    types.push_back(op->getOperand(0).getType());
    return success();
  }
  return infer.inferReturnTypes(op->getContext(), op->getLoc(),
                                op->getOperands(), op->getRawDictionaryAttrs(),
                                op->getPropertiesStorage(), op->getRegions(),
                                types);
}

Operation *Node::emit(StringRef name, ValueRange operands,
                      ArrayRef<NamedAttribute> attributes, TypeRange types,
                      SmallVectorImpl<Value> &results) {
  if (failed || llvm::any_of(operands, [](Value value) { return !value; })) {
    if (!failed)
      fail("cannot be imported");
    return nullptr;
  }
  std::string message;
  ScopedDiagnosticHandler handler(context(), [&](Diagnostic &diagnostic) {
    if (message.empty())
      message = diagnostic.str();
    return success();
  });
  OperationState state(loc, name, operands, types, attributes);
  Operation *op = Operation::create(state);
  if (types.empty()) {
    SmallVector<Type> inferred;
    bool known = succeeded(inferTypes(op, inferred));
    op->destroy();
    if (!known) {
      fail(message);
      return nullptr;
    }
    state.addTypes(inferred);
    op = Operation::create(state);
  }
  if (failed = mlir::failed(mlir::verify(op, /*verifyRecursively=*/false));
      failed) {
    op->destroy();
    error = message;
    return nullptr;
  }
  for (Type type : op->getResultTypes()) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || isPossibleShape(tensor.getShape()))
      continue;
    op->destroy();
    fail("its result would have more than 2^40 elements");
    return nullptr;
  }
  importer.getBuilder().insert(op);
  results.assign(op->result_begin(), op->result_end());
  if (!importer.fold(op, results)) {
    fail(message);
    results.clear();
    return nullptr;
  }
  return op;
}

Value Node::createOne(StringRef name, ValueRange operands,
                      ArrayRef<NamedAttribute> attributes, Type type) {
  SmallVector<Value> results;
  emit(name, operands, attributes, type ? TypeRange(type) : TypeRange(),
       results);
  return results.empty() ? Value() : results.front();
}

Outcome Node::importTensor(const onnx::TensorProto &tensor, int64_t maxFloats) {
  int64_t count = product(Shape(tensor.dims().begin(), tensor.dims().end()));
  bool isWeight = tensor.data_location() == onnx::TensorProto::EXTERNAL ||
                  (isFloat(convertElementType(context(), tensor.data_type())) &&
                   count > maxFloats);
  std::string message;
  Value value = importer.importTensor(proto.output(0), tensor, !isWeight,
                                      mp::Role::Parameter, loc, message);
  return value ? done(value) : fail(message);
}

DenseElementsAttr Node::readAttribute(const onnx::TensorProto &tensor) {
  std::string message;
  return importer.readAttribute(tensor, message);
}

Value Node::constant(DenseElementsAttr elements) {
  return importer.createConstant(loc, elements);
}
Value Node::vector(ArrayRef<int64_t> values) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())},
                                    IntegerType::get(context(), 64));
  return constant(DenseElementsAttr::get(type, values));
}
Value Node::scalar(Type like, double value) {
  if (!like)
    return {};
  return nn::createScalar(importer.getBuilder(), loc, like, value);
}
Value Node::scalar(Value like, double value) {
  return like ? scalar(like.getType(), value) : Value();
}

Value Node::cast(Value value, Type element) {
  if (!value || elementOf(value) == element)
    return value;
  return create<nn::CastOp>(value, {},
                            RankedTensorType::get(shapeOf(value), element));
}
Value Node::reshape(Value value, ArrayRef<int64_t> shape) {
  if (!value || ArrayRef<int64_t>(shapeOf(value)) == shape)
    return value;
  return create<nn::ReshapeOp>(value, {},
                               RankedTensorType::get(shape, elementOf(value)));
}
Value Node::transpose(Value value, ArrayRef<int64_t> permutation) {
  if (permutation == ArrayRef<int64_t>(iota(permutation.size())))
    return value;
  return create<nn::TransposeOp>(value, {i64s("permutation", permutation)});
}
Value Node::expand(Value value, ArrayRef<int64_t> shape) {
  if (!value || ArrayRef<int64_t>(shapeOf(value)) == shape)
    return value;
  return create<nn::ExpandOp>(value, {},
                              RankedTensorType::get(shape, elementOf(value)));
}
Value Node::compare(nn::ComparePredicate predicate, Value lhs, Value rhs) {
  return create<nn::CompareOp>(
      {lhs, rhs},
      {attr("predicate", nn::ComparePredicateAttr::get(context(), predicate))});
}
Value Node::where(Value condition, Value x, Value y) {
  return create<nn::WhereOp>({condition, x, y});
}

Value Node::reduce(StringRef name, Value value, ArrayRef<int64_t> axes,
                   bool keepdims) {
  if (!value)
    return {};
  auto sorted = normalizeAxes(axes, rankOf(value));
  if (!sorted) {
    fail("an axis is out of range");
    return {};
  }
  auto type = RankedTensorType::get(
      nn::getReducedShape(shapeOf(value), *sorted, keepdims), elementOf(value));
  return createOne(name, value,
                   {i64s("axes", *sorted), flag("keepdims", keepdims)}, type);
}

/// The operand of a transposition of the last two axes; null for others.
static Value getTransposed(Value value) {
  auto transpose = value.getDefiningOp<nn::TransposeOp>();
  if (!transpose)
    return {};
  ArrayRef<int64_t> permutation = transpose.getPermutation();
  int64_t rank = permutation.size();
  Shape swapped = iota(rank);
  if (rank < 2)
    return {};
  std::swap(swapped[rank - 1], swapped[rank - 2]);
  return permutation == ArrayRef<int64_t>(swapped) ? transpose.getInput()
                                                   : Value();
}

Value Node::matmul(Value lhs, Value rhs, bool transposeLhs, bool transposeRhs) {
  if (!lhs || !rhs)
    return {};
  if (Value inner = getTransposed(lhs)) {
    lhs = inner;
    transposeLhs = !transposeLhs;
  }
  if (Value inner = getTransposed(rhs)) {
    rhs = inner;
    transposeRhs = !transposeRhs;
  }
  Shape a = shapeOf(lhs), b = shapeOf(rhs);
  if (a.size() < 2 || b.size() < 2) {
    fail("needs operands of at least two axes");
    return {};
  }
  auto leading = nn::broadcastShapes(
      {ArrayRef<int64_t>(a).drop_back(2), ArrayRef<int64_t>(b).drop_back(2)});
  if (!leading) {
    fail("the leading axes of its operands do not broadcast");
    return {};
  }
  leading->push_back(a[a.size() - (transposeLhs ? 1 : 2)]);
  leading->push_back(b[b.size() - (transposeRhs ? 2 : 1)]);
  return create<nn::MatMulOp>({lhs, rhs},
                              {flag("transpose_lhs", transposeLhs),
                               flag("transpose_rhs", transposeRhs)},
                              RankedTensorType::get(*leading, elementOf(lhs)));
}

Value Node::slice(Value value, ArrayRef<int64_t> starts,
                  ArrayRef<int64_t> extents, ArrayRef<int64_t> steps) {
  if (!value)
    return {};
  if (ArrayRef<int64_t>(shapeOf(value)) == extents &&
      llvm::all_of(steps, [](int64_t step) { return step == 1; }))
    return value;
  return create<nn::SliceOp>(value,
                             {i64s("starts", starts), i64s("steps", steps)},
                             RankedTensorType::get(extents, elementOf(value)));
}

NamedAttribute Node::attr(StringRef name, Attribute value) {
  return importer.getBuilder().getNamedAttr(name, value);
}
NamedAttribute Node::i64(StringRef name, int64_t value) {
  return attr(name, importer.getBuilder().getI64IntegerAttr(value));
}
NamedAttribute Node::i64s(StringRef name, ArrayRef<int64_t> values) {
  return attr(name, importer.getBuilder().getDenseI64ArrayAttr(values));
}
NamedAttribute Node::f64(StringRef name, double value) {
  return attr(name, importer.getBuilder().getF64FloatAttr(value));
}
NamedAttribute Node::flag(StringRef name, bool value) {
  return attr(name, importer.getBuilder().getBoolAttr(value));
}

} // namespace mpt::importer
