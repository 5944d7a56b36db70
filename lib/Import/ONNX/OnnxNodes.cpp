//===- OnnxNodes.cpp - Nodes that are kept as they came -------------------===//

#include "GraphImporter.h"
#include "OnnxLibrary.h"

using namespace mlir;

namespace mpt::importer {

Type GraphImporter::convertType(const onnx::TypeProto &type) {
  auto onnxOnly = [&](StringRef name) -> Type {
    return nn::OnnxType::get(context, name);
  };
  if (!type.has_tensor_type())
    return onnxOnly(type.value_case() == onnx::TypeProto::VALUE_NOT_SET
                        ? "unknown"
                        : printType(type));
  const auto &tensor = type.tensor_type();
  Type element = convertElementType(context, tensor.elem_type());
  if (!element)
    return onnxOnly(tensor.elem_type() == onnx::TensorProto::STRING
                        ? printType(type)
                        : "unknown");
  if (!tensor.has_shape())
    return UnrankedTensorType::get(element);
  Shape shape;
  for (const auto &dim : tensor.shape().dim()) {
    bool known = dim.has_dim_value() && dim.dim_value() >= 0;
    shape.push_back(known ? dim.dim_value() : ShapedType::kDynamic);
  }
  if (!isPossibleShape(shape))
    return {};
  return RankedTensorType::get(shape, element);
}

onnx::TypeProto GraphImporter::convertType(Value value) const {
  onnx::TypeProto result;
  if (auto type = dyn_cast<nn::OnnxType>(value.getType())) {
    parseType(type.getName().str(), result);
    return result;
  }
  auto type = dyn_cast<TensorType>(value.getType());
  if (!type)
    return result;
  auto *tensor = result.mutable_tensor_type();
  tensor->set_elem_type(convertElementType(type.getElementType()));
  if (!type.hasRank())
    return result;
  auto *shape = tensor->mutable_shape();
  for (int64_t extent : type.getShape()) {
    auto *dim = shape->add_dim();
    if (!ShapedType::isDynamic(extent))
      dim->set_dim_value(extent);
  }
  return result;
}

/// A constant as initializer of the small model that shape inference sees.
static void addInitializer(onnx::GraphProto &graph, const std::string &name,
                           DenseElementsAttr elements) {
  auto type = elements.getType();
  auto *tensor = graph.add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(convertElementType(type.getElementType()));
  for (int64_t extent : type.getShape())
    tensor->add_dims(extent);
  if (type.getElementType().isInteger(64)) {
    for (const APInt &element : elements.getValues<APInt>())
      tensor->add_int64_data(element.getSExtValue());
    return;
  }
  if (type.getElementType().isInteger(32)) {
    for (const APInt &element : elements.getValues<APInt>())
      tensor->add_int32_data(element.getSExtValue());
    return;
  }
  if (type.getElementType().isInteger(1)) {
    for (bool element : elements.getValues<bool>())
      tensor->add_int32_data(element);
    return;
  }
  for (float element : elements.getValues<float>())
    tensor->add_float_data(element);
}

/// Values that a shape can depend on, of the types it is given in.
static bool feedsShapes(DenseElementsAttr elements) {
  Type element = elements.getElementType();
  return elements && elements.getNumElements() <= 1024 &&
         (element.isSignlessInteger(64) || element.isSignlessInteger(32) ||
          element.isInteger(1) || element.isF32());
}

const onnx::TypeProto *GraphImporter::getDeclaredType(StringRef name) {
  if (!declaredTypes) {
    declaredTypes.emplace();
    for (const auto &value : file.model.graph().value_info())
      (*declaredTypes)[value.name()] = &value.type();
    for (const auto &output : file.model.graph().output())
      (*declaredTypes)[output.name()] = &output.type();
  }
  return declaredTypes->lookup(name);
}

/// Is `declared` a tensor type with a shape where `inferred` has none?
static bool saysMore(const onnx::TypeProto &declared,
                     const onnx::TypeProto &inferred) {
  if (!declared.has_tensor_type() || !declared.tensor_type().has_shape())
    return false;
  if (!inferred.has_tensor_type())
    return inferred.value_case() == onnx::TypeProto::VALUE_NOT_SET;
  return !inferred.tensor_type().has_shape() &&
         (inferred.tensor_type().elem_type() == onnx::TensorProto::UNDEFINED ||
          inferred.tensor_type().elem_type() ==
              declared.tensor_type().elem_type());
}

Value GraphImporter::createOnnxNode(const onnx::NodeProto &node,
                                    ArrayRef<std::string> names,
                                    ValueRange operands, Location loc) {
  onnx::ModelProto model;
  model.set_ir_version(std::max<int64_t>(file.model.ir_version(), 4));
  *model.mutable_opset_import() = file.model.opset_import();
  model.mutable_graph()->set_name("node");
  llvm::StringSet<> added;
  for (auto [name, operand] : llvm::zip_equal(names, operands)) {
    if (!added.insert(name).second)
      continue;
    DenseElementsAttr known = getKnownValue(operand);
    if (known && feedsShapes(known)) {
      addInitializer(*model.mutable_graph(), name, known);
      continue;
    }
    auto *input = model.mutable_graph()->add_input();
    input->set_name(name);
    *input->mutable_type() = convertType(operand);
  }
  std::vector<onnx::TypeProto> types = inferOutputTypes(model, node);
  SmallVector<Type> results;
  for (auto [output, type] : llvm::zip_equal(node.output(), types)) {
    if (output.empty())
      continue;
    const onnx::TypeProto *declared = getDeclaredType(output);
    bool useDeclared = declared && saysMore(*declared, type);
    Type converted = convertType(useDeclared ? *declared : type);
    results.push_back(converted ? converted
                                : Type(nn::OnnxType::get(context, "unknown")));
  }
  SmallVector<StringRef> nameRefs(names.begin(), names.end());
  auto op = nn::OnnxNodeOp::create(
      builder, loc, results, operands, node.domain(), node.op_type(),
      getOpset(node.domain()), node.SerializeAsString(),
      builder.getStrArrayAttr(nameRefs));
  unsigned next = 0;
  for (const std::string &output : node.output())
    if (!output.empty())
      bind(output, {op.getResult(next++), {}});
  return op.getNumResults() ? Value(op.getResult(0)) : Value();
}

Value GraphImporter::materialize(const Binding &binding, StringRef name,
                                 Location loc) {
  if (!binding.sequence)
    return binding.value;
  onnx::NodeProto node;
  SmallVector<std::string> names;
  node.set_op_type(binding.sequence->empty() ? "SequenceEmpty"
                                             : "SequenceConstruct");
  for (size_t i = 0; i < binding.sequence->size(); ++i) {
    names.push_back((name + "." + Twine(i)).str());
    node.add_input(names.back());
  }
  node.add_output(name.str());
  // Creating the node binds the name to its result; it stays a sequence for
  // the handlers.
  Binding sequence = binding;
  SmallVector<Value> operands(*sequence.sequence);
  Value value = createOnnxNode(node, names, operands, loc);
  bind(name, std::move(sequence));
  return value;
}

bool GraphImporter::keep(const onnx::NodeProto &node, Location loc,
                         std::string &error) {
  SmallVector<std::string> names, captures;
  for (const std::string &input : node.input())
    if (!input.empty())
      names.push_back(input);
  collectCaptures(node, captures);
  llvm::append_range(names, captures);
  SmallVector<Value> operands;
  for (const std::string &name : names) {
    const Binding *binding = lookup(name);
    if (!binding) {
      error = "a subgraph reads '" + data::printable(name) +
              "', which no input, initializer or earlier node gives";
      return false;
    }
    operands.push_back(materialize(*binding, name, loc));
  }
  createOnnxNode(node, names, operands, loc);
  return true;
}

} // namespace mpt::importer
