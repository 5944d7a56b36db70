//===- GraphImporter.cpp - An ONNX graph becomes a function ---------------===//

#include "GraphImporter.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace mpt::importer {

using data::printable;

//===----------------------------------------------------------------------===//
// Bindings
//===----------------------------------------------------------------------===//

const Binding *GraphImporter::lookup(StringRef name) const {
  auto it = bindings.find(name);
  return it == bindings.end() ? nullptr : &it->second;
}

void GraphImporter::bind(StringRef name, Binding binding) {
  if (!name.empty())
    bindings[name] = std::move(binding);
}

int64_t GraphImporter::getOpset(StringRef domain) const {
  auto it = opsets.find(domain == "ai.onnx" ? "" : domain);
  return it == opsets.end() ? 1 : it->second;
}

//===----------------------------------------------------------------------===//
// A first look at the whole graph
//===----------------------------------------------------------------------===//

static void collectCaptures(const onnx::GraphProto &graph,
                            llvm::StringSet<> &seen,
                            SmallVectorImpl<std::string> &names) {
  llvm::StringSet<> local;
  for (const auto &input : graph.input())
    local.insert(input.name());
  for (const auto &initializer : graph.initializer())
    local.insert(initializer.name());
  for (const auto &initializer : graph.sparse_initializer())
    local.insert(initializer.values().name());
  auto read = [&](const std::string &name) {
    if (!name.empty() && !local.contains(name) && seen.insert(name).second)
      names.push_back(name);
  };
  for (const auto &node : graph.node()) {
    for (const auto &input : node.input())
      read(input);
    SmallVector<std::string> inner;
    collectCaptures(node, inner);
    llvm::for_each(inner, read);
    for (const auto &output : node.output())
      local.insert(output);
  }
  for (const auto &output : graph.output())
    read(output.name());
}

void collectCaptures(const onnx::NodeProto &node,
                     SmallVectorImpl<std::string> &names) {
  llvm::StringSet<> seen;
  for (const auto &attribute : node.attribute()) {
    if (attribute.has_g())
      collectCaptures(attribute.g(), seen, names);
    for (const auto &graph : attribute.graphs())
      collectCaptures(graph, seen, names);
  }
}

/// Does input `index` of an operator hold a weight? Tensors of one element are
/// parameters only there; elsewhere they are numbers of a formula.
static bool isWeightInput(StringRef opType, int index) {
  if (opType == "Conv" || opType == "ConvTranspose" || opType == "Gemm" ||
      opType == "MatMul")
    return index >= 1;
  if (opType.ends_with("Normalization"))
    return index >= 1;
  return opType == "PRelu" && index == 1;
}

/// Is the input a number that is trained? No exporter leaves these functions
/// of a constant in a file; of a parameter they make a temperature or a gate.
static bool isGateInput(StringRef opType, int index) {
  return opType == "Exp" || opType == "Sigmoid" || opType == "Tanh" ||
         opType == "Softplus" || opType == "Reciprocal" ||
         (opType == "PRelu" && index == 1);
}

void GraphImporter::scanUses(const onnx::GraphProto &graph) {
  llvm::StringMap<StringRef> origins; // of what only changed its shape
  for (const auto &node : graph.node()) {
    StringRef opType = node.op_type();
    if ((opType == "Reshape" || opType == "Unsqueeze" || opType == "Squeeze" ||
         opType == "Expand" || opType == "Identity") &&
        node.input_size() > 0 && node.output_size() > 0) {
      StringRef source = node.input(0);
      auto it = origins.find(source);
      origins[node.output(0)] = it == origins.end() ? source : it->second;
    }
    for (const auto &[index, name] : llvm::enumerate(node.input())) {
      readNames.insert(name);
      if (isWeightInput(opType, index))
        weightNames.insert(name);
      auto it = origins.find(name);
      StringRef origin = it == origins.end() ? StringRef(name) : it->second;
      if (isGateInput(opType, index))
        gateNames.insert(origin);
      if (opType == "Mul")
        factorNames.insert(origin);
      bool isRecurrent = opType == "LSTM" || opType == "GRU" || opType == "RNN";
      if (isRecurrent && (index == 5 || index == 6))
        stateNames.insert(name);
      if (node.op_type() == "BatchNormalization" && index >= 3)
        statisticNames.insert(name);
      if (node.op_type() == "Resize" || node.op_type() == "Upsample")
        settingNames.insert(name);
    }
    SmallVector<std::string> captures;
    collectCaptures(node, captures);
    for (const std::string &name : captures)
      readNames.insert(name);
  }
  for (const auto &output : graph.output())
    readNames.insert(output.name());
}

bool GraphImporter::fixDimensions(std::string &error) {
  llvm::StringSet<> present, initialized;
  llvm::MapVector<StringRef, std::string> missing; // dimension -> first input
  for (const auto &initializer : file.model.graph().initializer())
    initialized.insert(initializer.name());
  for (auto &input : *file.model.mutable_graph()->mutable_input()) {
    if (initialized.contains(input.name()) || !input.type().has_tensor_type() ||
        !input.type().tensor_type().has_shape())
      continue;
    auto *shape = input.mutable_type()->mutable_tensor_type()->mutable_shape();
    for (auto [axis, dim] : llvm::enumerate(*shape->mutable_dim())) {
      if (dim.has_dim_value() && dim.dim_value() >= 0)
        continue;
      std::string name = dim.dim_param();
      if (name.empty())
        name = input.name() + ":" + std::to_string(axis);
      StringRef key = present.insert(name).first->getKey();
      auto it = options.dims.find(name);
      if (it != options.dims.end()) {
        dim.set_dim_value(it->second);
        continue;
      }
      if (axis == 0 && options.batchSize > 0) {
        dim.set_dim_value(options.batchSize);
        continue;
      }
      missing.insert({key, input.name()});
    }
  }
  for (const auto &dim : options.dims) {
    if (present.contains(dim.getKey()) || options.ignoreUnknownDims)
      continue;
    SmallVector<std::string> names;
    for (const auto &name : present)
      names.push_back(printable(name.getKey().str()));
    llvm::sort(names);
    error = file.path + ": has no symbolic dimension '" +
            printable(dim.getKey().str()) + "'" +
            (names.empty() ? "; all its dimensions are fixed"
                           : "; it has " + llvm::join(names, ", "));
    return false;
  }
  if (missing.empty())
    return true;
  // All of them at once: a user should not learn of each by another run.
  error = file.path + ":";
  std::string remedy;
  for (const auto &[name, input] : missing) {
    error += (remedy.empty() ? " input '" : ", input '") + printable(input) +
             "' has the symbolic dimension '" + printable(name.str()) + "'";
    remedy += " --dim " + printable(name.str()) + "=N";
  }
  error += (missing.size() > 1 ? ": fix them with" : ": fix it with") + remedy;
  return false;
}

bool GraphImporter::prepare(std::string &error) {
  if (!fixDimensions(error))
    return false;
  if (file.model.functions_size() > 0 && !inlineFunctions(file.model, error)) {
    error =
        file.path + ": its functions cannot be inlined: " + printable(error);
    return false;
  }
  for (const auto &import : file.model.opset_import())
    opsets[import.domain() == "ai.onnx" ? "" : import.domain()] =
        import.version();
  scanUses(file.model.graph());
  return true;
}

//===----------------------------------------------------------------------===//
// Inputs and initializers
//===----------------------------------------------------------------------===//

Value GraphImporter::addArgument(StringRef name, Type type, mp::Role role,
                                 FlatSymbolRefAttr parameter) {
  arguments.push_back({name.str(), role, parameter});
  return block->addArgument(type, NameLoc::get(StringAttr::get(context, name)));
}

bool GraphImporter::addInputs(std::string &error) {
  llvm::StringSet<> initialized;
  for (const auto &initializer : file.model.graph().initializer())
    initialized.insert(initializer.name());
  for (const auto &input : file.model.graph().input()) {
    if (initialized.contains(input.name()))
      continue;
    Type type = convertType(input.type());
    if (!type) {
      error = file.path + ": input '" + printable(input.name()) +
              "' has an impossible type";
      return false;
    }
    if (lookup(input.name())) {
      error = file.path + ": has two inputs '" + printable(input.name()) + "'";
      return false;
    }
    bind(input.name(), {addArgument(input.name(), type, mp::Role::Input), {}});
  }
  return true;
}

Value GraphImporter::createParameter(StringRef name,
                                     const onnx::TensorProto &tensor,
                                     RankedTensorType type, mp::Role role,
                                     std::string &error) {
  Attribute value;
  if (tensor.data_location() == onnx::TensorProto::EXTERNAL) {
    std::optional<FileRange> range = file.locate(tensor, error);
    if (!range)
      return {};
    value = nn::ExternalAttr::get(context, range->file, range->offset,
                                  range->length);
    uint64_t width = std::max(1u, type.getElementTypeBitWidth() / 8);
    if (range->length != static_cast<uint64_t>(type.getNumElements()) * width) {
      error = "tensor '" + printable(name.str()) + "' has " +
              std::to_string(range->length) +
              " bytes, which do not fill its shape";
      return {};
    }
  } else {
    value = readElements(context, tensor, &file, error);
    if (!value)
      return {};
  }
  std::string symbol = name.str();
  while (!symbols.insert(symbol).second)
    symbol += "_";
  OpBuilder::InsertionGuard guard(builder);
  // Bodies may use one name for different weights.
  bool isInBody = builder.getInsertionBlock() != block;
  builder.setInsertionPoint(function);
  nn::ParameterOp::create(builder, NameLoc::get(StringAttr::get(context, name)),
                          symbol, type, false, value);
  return addArgument(isInBody ? StringRef(symbol) : name, type, role,
                     FlatSymbolRefAttr::get(context, symbol));
}

Value GraphImporter::importTensor(StringRef name,
                                  const onnx::TensorProto &tensor,
                                  bool isConstant, mp::Role role, Location loc,
                                  std::string &error) {
  auto shape = importer::shapeOf(tensor);
  if (!shape) {
    error = "tensor '" + printable(name.str()) + "' has an impossible shape";
    return {};
  }
  Type element = convertElementType(context, tensor.data_type());
  bool isPlain =
      element && (isa<FloatType>(element) || element.isIntOrFloat()) &&
      (element.isInteger(1) || element.getIntOrFloatBitWidth() % 8 == 0);
  if (!isPlain) { // strings and the like: as a node that gives the constant
    onnx::NodeProto node;
    node.set_op_type("Constant");
    node.add_output(name.str());
    auto *value = node.add_attribute();
    value->set_name("value");
    value->set_type(onnx::AttributeProto::TENSOR);
    *value->mutable_t() = tensor;
    return createOnnxNode(node, {}, {}, loc);
  }
  if (!isConstant)
    return createParameter(name, tensor, RankedTensorType::get(*shape, element),
                           role, error);
  DenseElementsAttr elements = readElements(context, tensor, &file, error);
  return elements ? createConstant(loc, elements) : Value();
}

bool GraphImporter::isZero(const onnx::TensorProto &tensor) {
  std::string error;
  DenseElementsAttr elements = readElements(context, tensor, &file, error);
  return elements && elements.isSplat() &&
         isa<FloatType>(elements.getElementType()) &&
         elements.getSplatValue<APFloat>().isZero();
}

bool GraphImporter::addInitializers(const onnx::GraphProto &graph,
                                    std::string &error) {
  for (const auto &tensor : graph.initializer()) {
    const std::string &name = tensor.name();
    if (!isRead(name))
      continue;
    Location loc = NameLoc::get(StringAttr::get(context, name));
    Type element = convertElementType(context, tensor.data_type());
    int64_t count = product(Shape(tensor.dims().begin(), tensor.dims().end()));
    // A product with zero is in no model: what starts so is trained.
    bool isGate =
        count == 1 && (gateNames.contains(name) ||
                       (factorNames.contains(name) && isZero(tensor)));
    bool isNumber =
        tensor.dims_size() == 0 || (count == 1 && !weightNames.contains(name));
    bool isConstant =
        isa_and_nonnull<FloatType>(element)
            ? (isNumber && !isGate) || settingNames.contains(name) ||
                  // What ONNX assumes where no initial state is given.
                  (stateNames.contains(name) && isZero(tensor))
            : tensor.data_location() != onnx::TensorProto::EXTERNAL;
    mp::Role role = statisticNames.contains(name) ? mp::Role::Statistic
                                                  : mp::Role::Parameter;
    if (lookup(name))
      error = "two tensors have its name";
    else if (Value value =
                 importTensor(name, tensor, isConstant, role, loc, error)) {
      bind(name, {value, {}});
      continue;
    }
    error = file.path + ": initializer '" + printable(name) + "': " + error;
    return false;
  }
  for (const auto &sparse : graph.sparse_initializer()) {
    onnx::NodeProto node;
    node.set_op_type("Constant");
    node.add_output(sparse.values().name());
    auto *value = node.add_attribute();
    value->set_name("sparse_value");
    value->set_type(onnx::AttributeProto::SPARSE_TENSOR);
    *value->mutable_sparse_tensor() = sparse;
    if (!keep(node, builder.getUnknownLoc(), error))
      return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Nodes and outputs
//===----------------------------------------------------------------------===//

bool GraphImporter::hasStaticTensors(const Node &node) const {
  for (size_t i = 0; i < node.numInputs(); ++i) {
    if (!node.has(i))
      continue;
    Value value = node.in(i);
    auto type = value ? dyn_cast<RankedTensorType>(value.getType())
                      : RankedTensorType();
    if (!type || !type.hasStaticShape())
      return false;
    Type element = type.getElementType();
    if (!element.isF16() && !element.isBF16() && !element.isF32() &&
        !element.isF64() &&
        !(isa<IntegerType>(element) &&
          (element.isInteger(1) || element.getIntOrFloatBitWidth() >= 8)))
      return false;
  }
  return true;
}

bool GraphImporter::addNode(const onnx::NodeProto &proto, std::string &error) {
  std::string name = proto.name();
  if (name.empty())
    name = proto.op_type() + "_" + std::to_string(numNodes);
  ++numNodes;
  Location loc = NameLoc::get(StringAttr::get(context, name));
  Node node(*this, proto, getOpset(proto.domain()), loc);
  auto report = [&](const std::string &message) {
    error = file.path + ": node '" + printable(name) + "' (" +
            printable(proto.op_type()) + "): " + message;
    return false;
  };
  for (const std::string &input : proto.input())
    if (!input.empty() && !lookup(input))
      return report("reads '" + printable(input) +
                    "', which no input, initializer or earlier node gives");
  std::string invalid;
  if (!checker.check(proto, node.opset, invalid))
    return report("is not valid ONNX: " + printable(invalid));
  if (const onnx::GraphProto *branch = chooseBranch(proto)) {
    if (branch->output_size() < proto.output_size())
      return report("its branch has too few outputs");
    return inlineBranch(proto, *branch, error);
  }
  const Registry::Entry *entry =
      Registry::get().find(proto.domain(), proto.op_type(), node.opset);
  Outcome outcome = Outcome::Keep;
  if (entry && (entry->needs == Needs::Nothing || hasStaticTensors(node)))
    outcome = entry->handler(node);
  if (node.hasFailed())
    return report(printable(node.getError()));
  std::string reason;
  if (outcome == Outcome::Keep && !keep(proto, loc, reason))
    return report(reason);
  return true;
}

bool GraphImporter::addOutputs(std::string &error) {
  SmallVector<Value> results;
  for (const auto &output : file.model.graph().output()) {
    const Binding *binding = lookup(output.name());
    if (!binding) {
      error = file.path + ": output '" + printable(output.name()) +
              "' is given by no node";
      return false;
    }
    results.push_back(
        materialize(*binding, output.name(), builder.getUnknownLoc()));
  }
  finishFunction(results);
  return true;
}

void GraphImporter::finishFunction(ArrayRef<Value> results) {
  func::ReturnOp::create(builder, builder.getUnknownLoc(), results);
  eraseDead();
  function.setFunctionType(builder.getFunctionType(
      block->getArgumentTypes(), ValueRange(results).getTypes()));
  auto describe = [&](StringRef name, mp::Role role) {
    SmallVector<NamedAttribute> attributes;
    attributes.push_back(builder.getNamedAttr(
        mp::MPDialect::kRoleAttrName, mp::RoleAttr::get(context, role)));
    attributes.push_back(builder.getNamedAttr(mp::MPDialect::kNameAttrName,
                                              builder.getStringAttr(name)));
    return attributes;
  };
  SmallVector<Attribute> argumentAttributes, resultAttributes;
  for (const Argument &argument : arguments) {
    auto attributes = describe(argument.name, argument.role);
    if (argument.parameter)
      attributes.push_back(builder.getNamedAttr(
          nn::NNDialect::kParameterAttrName, argument.parameter));
    argumentAttributes.push_back(builder.getDictionaryAttr(attributes));
  }
  for (const auto &output : file.model.graph().output())
    resultAttributes.push_back(
        builder.getDictionaryAttr(describe(output.name(), mp::Role::Output)));
  function.setArgAttrsAttr(builder.getArrayAttr(argumentAttributes));
  function.setResAttrsAttr(builder.getArrayAttr(resultAttributes));
}

/// Constants of shapes that were computed while importing, mostly.
void GraphImporter::eraseDead() {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(*block)))
    if (isOpTriviallyDead(&op))
      op.erase();
}

OwningOpRef<ModuleOp> GraphImporter::run(std::string &error) {
  if (!prepare(error))
    return {};
  module = ModuleOp::create(builder.getUnknownLoc());
  (*module)->setAttr("nn.onnx_opset", builder.getI64IntegerAttr(getOpset("")));
  builder.setInsertionPointToEnd(module->getBody());
  function =
      func::FuncOp::create(builder, builder.getUnknownLoc(), options.entryName,
                           builder.getFunctionType({}, {}));
  symbols.insert(options.entryName);
  block = function.addEntryBlock();
  builder.setInsertionPointToEnd(block);
  if (!addInputs(error) || !addInitializers(file.model.graph(), error))
    return {};
  for (const auto &proto : file.model.graph().node())
    if (!addNode(proto, error))
      return {};
  if (!addOutputs(error))
    return {};
  return std::move(module);
}

} // namespace mpt::importer
