//===- Exporter.cpp - A function becomes an ONNX graph --------------------===//

#include "Exporter.h"

#include "mpt/Support/Version.h"

using namespace mlir;

namespace mpt::exporter {

//===----------------------------------------------------------------------===//
// Attributes, types, opsets
//===----------------------------------------------------------------------===//

onnx::AttributeProto intAttr(StringRef name, int64_t value) {
  onnx::AttributeProto attribute;
  attribute.set_name(name.str());
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
  return attribute;
}
onnx::AttributeProto intsAttr(StringRef name, ArrayRef<int64_t> values) {
  onnx::AttributeProto attribute;
  attribute.set_name(name.str());
  attribute.set_type(onnx::AttributeProto::INTS);
  for (int64_t value : values)
    attribute.add_ints(value);
  return attribute;
}
onnx::AttributeProto floatAttr(StringRef name, double value) {
  onnx::AttributeProto attribute;
  attribute.set_name(name.str());
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_f(static_cast<float>(value));
  return attribute;
}
onnx::AttributeProto stringAttr(StringRef name, StringRef value) {
  onnx::AttributeProto attribute;
  attribute.set_name(name.str());
  attribute.set_type(onnx::AttributeProto::STRING);
  attribute.set_s(value.str());
  return attribute;
}

int32_t onnxElementType(Type type) {
  if (type.isF32())
    return onnx::TensorProto::FLOAT;
  if (type.isF64())
    return onnx::TensorProto::DOUBLE;
  if (type.isF16())
    return onnx::TensorProto::FLOAT16;
  if (type.isBF16())
    return onnx::TensorProto::BFLOAT16;
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer)
    return onnx::TensorProto::UNDEFINED;
  bool isUnsigned = integer.isUnsigned();
  switch (integer.getWidth()) {
  case 1:
    return onnx::TensorProto::BOOL;
  case 8:
    return isUnsigned ? onnx::TensorProto::UINT8 : onnx::TensorProto::INT8;
  case 16:
    return isUnsigned ? onnx::TensorProto::UINT16 : onnx::TensorProto::INT16;
  case 32:
    return isUnsigned ? onnx::TensorProto::UINT32 : onnx::TensorProto::INT32;
  case 64:
    return isUnsigned ? onnx::TensorProto::UINT64 : onnx::TensorProto::INT64;
  default:
    return onnx::TensorProto::UNDEFINED;
  }
}

int64_t neededOpset(Operation &op) {
  // From 13 on axes are inputs and softmax has one axis; what is written here
  // knows no older forms.
  int64_t needed = 13;
  for (Type type : op.getResultTypes())
    if (getElementTypeOrSelf(type).isBF16())
      needed = 22;
  for (Type type : op.getOperandTypes())
    if (getElementTypeOrSelf(type).isBF16())
      needed = 22;
  auto atLeast = [&](int64_t version) { needed = std::max(needed, version); };
  llvm::TypeSwitch<Operation *>(&op)
      .Case([&](nn::BatchNormTrainingOp) { atLeast(15); })
      .Case([&](nn::GatherNDGradOp) { atLeast(16); })
      .Case([&](nn::BatchNormInferenceOp norm) {
        if (elementOf(norm.getInput()) != elementOf(norm.getScale()))
          atLeast(15);
      })
      .Case([&](nn::HardSwishOp) { atLeast(14); })
      .Case([&](nn::LayerNormOp) { atLeast(17); })
      .Case([&](nn::MishOp) { atLeast(18); })
      .Case([&](nn::GeluOp) { atLeast(20); })
      .Case([&](nn::RMSNormOp) { atLeast(23); })
      .Case([&](nn::ReshapeOp reshape) {
        if (llvm::is_contained(shapeOf(reshape.getResult()), 0))
          atLeast(14);
      })
      .Case([&](nn::PadOp pad) {
        if (pad.getMode() == nn::PadMode::Wrap)
          atLeast(19);
      })
      .Case([&](nn::AvgPoolOp pool) {
        if (llvm::any_of(pool.getDilations(), [](int64_t d) { return d != 1; }))
          atLeast(19);
      })
      .Case([&](nn::GroupNormOp norm) {
        if (static_cast<int64_t>(norm.getNumGroups()) !=
            shapeOf(norm.getInput())[1])
          atLeast(21);
      });
  return needed;
}

/// The IR version of the ONNX release that brought an opset.
static int64_t irVersionOf(int64_t opset) {
  if (opset < 15)
    return 7;
  if (opset < 19)
    return 8;
  if (opset < 21)
    return 9;
  if (opset < 23)
    return 10;
  return opset < 25 ? opset - 12 : 13;
}

void Exporter::chooseVersions() {
  auto recorded = module->getAttrOfType<IntegerAttr>("nn.onnx_opset");
  opset = recorded ? recorded.getInt() : 18;
  function.front().walk(
      [&](Operation *op) { opset = std::max(opset, neededOpset(*op)); });
  for (Type type : function.getArgumentTypes())
    if (getElementTypeOrSelf(type).isBF16())
      opset = std::max<int64_t>(opset, 22);
  model.set_ir_version(irVersionOf(opset));
  model.set_producer_name("MPT");
  model.set_producer_version(MPT_VERSION_STRING);
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

std::string Exporter::uniqueName(StringRef wish) {
  std::string name = wish.str();
  while (name.empty() || !usedNames.insert(name).second)
    name = (wish + "_" + Twine(++nameCounts[wish])).str();
  return name;
}

/// The name in the operation's location, or its mnemonic.
static std::string locationName(Operation *op) {
  auto name = dyn_cast<NameLoc>(op->getLoc());
  if (!name) // a walk, which is slow
    name = op->getLoc()->findInstanceOf<NameLoc>();
  if (name)
    return name.getName().str();
  return op->getName().stripDialect().str();
}

std::string Exporter::nodeName(StringRef suffix) {
  std::string wish = current ? locationName(current) : "node";
  if (!suffix.empty())
    wish += "_" + suffix.str();
  std::string name = wish;
  while (!usedNodeNames.insert(name).second)
    name = wish + "_" + std::to_string(++nameCounts["node " + wish]);
  return name;
}

std::string Exporter::resultName(Value value) {
  auto it = outputNames.find(value);
  if (it != outputNames.end())
    return it->second;
  return uniqueName((current ? locationName(current) : "value") + "_out");
}

std::string Exporter::nameOf(Value value) {
  return value ? names.lookup(value) : std::string();
}
void Exporter::alias(Value value, const std::string &name) {
  names[value] = name;
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

static onnx::NodeProto *addNode(onnx::GraphProto *graph, StringRef opType,
                                ArrayRef<std::string> inputs,
                                ArrayRef<onnx::AttributeProto> attributes) {
  onnx::NodeProto *node = graph->add_node();
  node->set_op_type(opType.str());
  size_t count = inputs.size();
  while (count > 0 && inputs[count - 1].empty())
    --count;
  for (const std::string &input : inputs.take_front(count))
    node->add_input(input);
  for (const onnx::AttributeProto &attribute : attributes)
    *node->add_attribute() = attribute;
  return node;
}

std::string Exporter::emit(StringRef opType, ArrayRef<std::string> inputs,
                           ArrayRef<onnx::AttributeProto> attributes) {
  onnx::NodeProto *node = addNode(graph, opType, inputs, attributes);
  node->set_name(nodeName(opType));
  node->add_output(uniqueName(node->name() + "_out"));
  return node->output(0);
}

std::string Exporter::cast(const std::string &name, Type element) {
  return emit("Cast", {name}, {intAttr("to", onnxElementType(element))});
}

std::string Exporter::castTo(Value value, Type element) {
  auto it = storedTypes.find(value);
  Type present = it == storedTypes.end() ? elementOf(value) : it->second;
  if (present == element)
    return nameOf(value);
  auto constantOp = value.getDefiningOp<nn::ConstantOp>();
  auto elements = constantOp
                      ? dyn_cast<DenseFPElementsAttr>(constantOp.getValue())
                      : DenseFPElementsAttr();
  auto type = dyn_cast<FloatType>(element);
  if (!elements || !type)
    return cast(nameOf(value), element);
  return constant(elements.mapValues(type, [&](APFloat number) {
    bool losesInfo;
    number.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                   &losesInfo);
    return number.bitcastToAPInt();
  }));
}

void Exporter::emitMany(ArrayRef<Value> results, StringRef opType,
                        ArrayRef<std::string> inputs,
                        ArrayRef<onnx::AttributeProto> attributes,
                        Type computed) {
  Value first = results.front();
  bool casts = computed && elementOf(first) != computed;
  onnx::NodeProto *node = addNode(graph, opType, inputs, attributes);
  node->set_name(nodeName());
  size_t count = results.size();
  while (count > 0 && !results[count - 1])
    --count;
  std::string finalName = resultName(first);
  for (auto [i, result] : llvm::enumerate(results.take_front(count))) {
    std::string name;
    if (i == 0)
      name = casts ? uniqueName(finalName + "_" + opType.str()) : finalName;
    else if (result)
      name = resultName(result);
    node->add_output(name);
    if (result)
      names[result] = i == 0 ? finalName : name;
  }
  if (!casts)
    return;
  std::string from = node->output(0);
  onnx::NodeProto *cast =
      addNode(graph, "Cast", {from},
              {intAttr("to", onnxElementType(elementOf(first)))});
  cast->set_name(nodeName("Cast"));
  cast->add_output(finalName);
}

void Exporter::emitAs(Value result, StringRef opType,
                      ArrayRef<std::string> inputs,
                      ArrayRef<onnx::AttributeProto> attributes,
                      Type computed) {
  emitMany({result}, opType, inputs, attributes, computed);
}

/// Replaces names that subgraphs read from outside.
static void renameCaptures(onnx::GraphProto &graph,
                           const llvm::StringMap<std::string> &renamed) {
  llvm::StringSet<> local;
  auto rename = [&](std::string &name) {
    auto it = renamed.find(name);
    if (it != renamed.end() && !local.contains(name))
      name = it->second;
  };
  for (const auto &input : graph.input())
    local.insert(input.name());
  for (const auto &initializer : graph.initializer())
    local.insert(initializer.name());
  for (auto &node : *graph.mutable_node()) {
    for (std::string &input : *node.mutable_input())
      rename(input);
    for (auto &attribute : *node.mutable_attribute())
      if (attribute.has_g())
        renameCaptures(*attribute.mutable_g(), renamed);
    for (const std::string &output : node.output())
      local.insert(output);
  }
}

LogicalResult Exporter::addOnnxNode(nn::OnnxNodeOp op) {
  onnx::NodeProto node;
  if (!node.ParseFromString(op.getNode().str()))
    return op.emitOpError("does not hold a node");
  llvm::StringMap<std::string> renamed;
  for (auto [name, operand] : llvm::zip(
           op.getOperandNames().getAsValueRange<StringAttr>(), op.getInputs()))
    renamed[name] = nameOf(operand);
  for (std::string &input : *node.mutable_input()) {
    auto it = renamed.find(input);
    if (it != renamed.end())
      input = it->second;
  }
  for (auto &attribute : *node.mutable_attribute()) {
    if (attribute.has_g())
      renameCaptures(*attribute.mutable_g(), renamed);
    for (auto &inner : *attribute.mutable_graphs())
      renameCaptures(inner, renamed);
  }
  unsigned next = 0;
  for (std::string &output : *node.mutable_output()) {
    if (output.empty() || next >= op.getNumResults())
      continue;
    Value result = op.getResult(next++);
    auto it = outputNames.find(result);
    output = it != outputNames.end() ? it->second : uniqueName(output);
    names[result] = output;
  }
  node.set_name(nodeName());
  int64_t &version = domains[op.getDomain()];
  version = std::max<int64_t>(version, op.getOpset());
  *graph->add_node() = node;
  return success();
}

LogicalResult Exporter::addOperation(Operation &op) {
  current = &op;
  if (dead.contains(&op)) {
    if (auto cast = dyn_cast<mp::CastOp>(op))
      if (auto value = folded.lookup(cast.getResult()))
        alias(cast.getResult(), constant(value));
    return success();
  }
  if (auto node = dyn_cast<nn::OnnxNodeOp>(op))
    return addOnnxNode(node);
  if (auto value = dyn_cast<nn::ConstantOp>(op)) {
    auto elements = dyn_cast<DenseElementsAttr>(value.getValue());
    if (!elements || !onnxElementType(elements.getElementType()))
      return op.emitOpError("has elements that ONNX has no type for");
    alias(value.getResult(), constant(elements));
    return success();
  }
  if (op.getNumResults() > 0 && names.contains(op.getResult(0)))
    return success(); // a cast that became a property of its parameter
  const auto *emitter = Registry::get().find(op.getName().getStringRef());
  if (!emitter)
    return op.emitOpError("cannot be exported: ONNX models hold forward "
                          "functions only");
  for (Value operand : op.getOperands())
    if (!isa<RankedTensorType>(operand.getType()) ||
        !cast_or_null<RankedTensorType>(operand.getType()).hasStaticShape())
      return op.emitOpError("has an operand whose shape is not known");
  return (*emitter)(*this, &op);
}

//===----------------------------------------------------------------------===//
// The function's border
//===----------------------------------------------------------------------===//

LogicalResult Exporter::setType(onnx::ValueInfoProto &info, Type type,
                                Operation *where) {
  auto tensor = dyn_cast<TensorType>(type);
  int32_t element = tensor ? onnxElementType(tensor.getElementType()) : 0;
  if (!element)
    return where->emitOpError("has a value of type ")
           << type << ", which cannot be exported";
  auto *proto = info.mutable_type()->mutable_tensor_type();
  proto->set_elem_type(element);
  if (!tensor.hasRank())
    return success();
  auto *shape = proto->mutable_shape();
  for (int64_t extent : tensor.getShape()) {
    auto *dim = shape->add_dim();
    if (!ShapedType::isDynamic(extent))
      dim->set_dim_value(extent);
  }
  return success();
}

LogicalResult Exporter::addArguments() {
  SymbolTable symbols(module);
  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    auto name = function.getArgAttrOfType<StringAttr>(
        index, mp::MPDialect::kNameAttrName);
    std::string unique =
        uniqueName(name ? name.getValue() : "input_" + std::to_string(index));
    names[argument] = unique;
    auto symbol = function.getArgAttrOfType<FlatSymbolRefAttr>(
        index, nn::NNDialect::kParameterAttrName);
    auto parameter =
        symbol ? symbols.lookup<nn::ParameterOp>(symbol.getValue()) : nullptr;
    if (parameter && parameter.getValue()) {
      if (failed(addParameter(index, argument, parameter)))
        return failure();
      continue;
    }
    auto *input = graph->add_input();
    input->set_name(unique);
    if (failed(setType(*input, argument.getType(), function)))
      return failure();
  }
  return success();
}

/// Reserves the names of the results, so that the nodes that give them take
/// them.
LogicalResult Exporter::addOutputs() {
  auto results = function.front().getTerminator()->getOperands();
  for (auto [index, value] : llvm::enumerate(results)) {
    auto *output = graph->add_output();
    auto name = function.getResultAttrOfType<StringAttr>(
        index, mp::MPDialect::kNameAttrName);
    output->set_name(
        uniqueName(name ? name.getValue() : "output_" + std::to_string(index)));
    if (failed(setType(*output, value.getType(), function)))
      return failure();
    bool isComputed =
        value.getDefiningOp() && !value.getDefiningOp<nn::ConstantOp>();
    if (isComputed)
      outputNames.try_emplace(value, output->name());
  }
  return success();
}

LogicalResult Exporter::run() {
  if (!function.getBody().hasOneBlock())
    return function.emitOpError("cannot be exported: it must have one block");
  graph = model.mutable_graph();
  graph->set_name(function.getName().str());
  chooseVersions();
  domains[""] = opset;
  if (failed(foldParameterCasts()) || failed(addArguments()) ||
      failed(addOutputs()))
    return failure();
  for (Operation &op : function.front().without_terminator())
    if (failed(addOperation(op)))
      return failure();
  // Results that are arguments or constants, or returned twice.
  current = nullptr;
  for (auto [index, value] :
       llvm::enumerate(function.front().getTerminator()->getOperands())) {
    std::string output = graph->output(index).name();
    if (nameOf(value) == output)
      continue;
    onnx::NodeProto *node = addNode(graph, "Identity", {nameOf(value)}, {});
    node->set_name(nodeName());
    node->add_output(output);
  }
  for (const auto &domain : domains) {
    auto *import = model.add_opset_import();
    import->set_domain(domain.getKey().str());
    import->set_version(domain.getValue());
  }
  return success();
}

const Registry &Registry::get() {
  static const Registry registry = [] {
    Registry result;
    registerElementwise(result);
    registerContractions(result);
    registerNormalizations(result);
    registerShapes(result);
    registerReductions(result);
    registerLosses(result);
    registerControlFlow(result);
    return result;
  }();
  return registry;
}

} // namespace mpt::exporter
