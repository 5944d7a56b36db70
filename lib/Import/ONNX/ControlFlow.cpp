//===- ControlFlow.cpp - If, Loop and Scan --------------------------------===//
//
// Bodies become regions, which read values from outside directly. Where a body
// holds what the dialect has no words for (sequences, shapes that change from
// trip to trip), what was made of it is taken back and the node is kept.
//
//===----------------------------------------------------------------------===//

#include "GraphImporter.h"
#include "mpt/Dialect/NN/IR/NNControlFlow.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace mpt::importer {

/// More slices than this are no loop that anybody runs.
static constexpr int64_t kMostTrips = int64_t(1) << 40;

static const onnx::GraphProto *bodyOf(Node &node, StringRef name) {
  const auto *attribute = node.attribute(name);
  return attribute && attribute->has_g() ? &attribute->g() : nullptr;
}

/// Numbers or bools of static shape.
static bool isPlain(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() &&
         tensor.getElementType().isIntOrFloat();
}

/// One number of the given integer type, whatever its shape.
static bool isOne(Value value, unsigned width) {
  return value && isPlain(value.getType()) &&
         elementOf(value).isSignlessInteger(width) &&
         product(shapeOf(value)) == 1;
}

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

/// The state before an attempt.
struct GraphImporter::Attempt {
  explicit Attempt(GraphImporter &importer)
      : importer(importer), guard(importer.builder),
        outer(importer.builder.saveInsertionPoint()),
        numArguments(importer.arguments.size()), numNodes(importer.numNodes) {}

  Region &addRegion() {
    regions.push_back(std::make_unique<Region>());
    regions.back()->emplaceBlock();
    return *regions.back();
  }

  /// Takes everything back.
  Outcome giveUp() {
    for (auto &region : regions)
      region->walk([&](Operation *op) { importer.forget(op); });
    regions.clear();
    importer.dropArguments(numArguments);
    importer.numNodes = numNodes;
    return Outcome::Keep;
  }

  GraphImporter &importer;
  OpBuilder::InsertionGuard guard;
  OpBuilder::InsertPoint outer;
  SmallVector<std::unique_ptr<Region>, 2> regions;
  size_t numArguments;
  int64_t numNodes;
};

void GraphImporter::forget(Operation *op) {
  for (Value result : op->getResults())
    knownFloats.erase(result);
}

/// Parameters stand in front of the function in the order of their arguments.
void GraphImporter::dropArguments(size_t count) {
  while (arguments.size() > count) {
    if (auto parameter =
            dyn_cast_or_null<nn::ParameterOp>(function->getPrevNode())) {
      symbols.erase(parameter.getSymName());
      parameter.erase();
    }
    block->eraseArgument(block->getNumArguments() - 1);
    arguments.pop_back();
  }
}

/// The nodes of `graph` at the end of the region's block, its inputs bound to
/// `inputs`. False when they cannot be there.
bool GraphImporter::importBody(const onnx::GraphProto &graph, Region &region,
                               ArrayRef<Value> inputs,
                               SmallVectorImpl<Value> &outputs) {
  scanUses(graph);
  NameScope scope(*this, graph);
  for (auto [input, value] : llvm::zip(graph.input(), inputs))
    bind(input.name(), {value, {}});
  std::string error; // what is wrong in a body that is kept is not said
  if (!addInitializers(graph, error))
    return false;
  for (const auto &node : graph.node())
    if (!addNode(node, error))
      return false;
  for (const auto &output : graph.output()) {
    const Binding *binding = lookup(output.name());
    if (!binding || binding->sequence || !binding->value ||
        !isPlain(binding->value.getType()))
      return false;
    outputs.push_back(binding->value);
  }
  for (Operation &op : region.front())
    for (Type type : op.getResultTypes())
      if (!isPlain(type))
        return false;
  return true;
}

/// Constants of shapes, mostly.
void GraphImporter::eraseDeadIn(Block &body) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (isOpTriviallyDead(&op)) {
      forget(&op);
      op.erase();
    }
}

Outcome GraphImporter::finish(Node &node, Attempt &attempt, StringRef name,
                              ValueRange operands, TypeRange types,
                              ArrayRef<NamedAttribute> attributes) {
  OperationState state(node.loc, name);
  state.addOperands(operands);
  state.addTypes(types);
  state.addAttributes(attributes);
  for (auto &region : attempt.regions) {
    eraseDeadIn(region->front());
    state.addRegion(std::move(region));
  }
  attempt.regions.clear();
  Operation *op = builder.create(state);
  for (size_t i = 0; i < node.numOutputs(); ++i)
    node.set(i, op->getResult(i));
  return Outcome::Done;
}

//===----------------------------------------------------------------------===//
// The operators
//===----------------------------------------------------------------------===//

Outcome GraphImporter::importIf(Node &node) {
  const onnx::GraphProto *graphs[] = {bodyOf(node, "then_branch"),
                                      bodyOf(node, "else_branch")};
  Value condition = node.in(0);
  if (!graphs[0] || !graphs[1] || !isOne(condition, 1))
    return Outcome::Keep;
  condition = node.reshape(condition, {});
  SmallVector<Value> outputs[2];
  {
    Attempt attempt(*this);
    for (int branch = 0; branch < 2; ++branch) {
      Region &region = attempt.addRegion();
      builder.setInsertionPointToEnd(&region.front());
      if (graphs[branch]->input_size() != 0 ||
          !importBody(*graphs[branch], region, {}, outputs[branch]) ||
          outputs[branch].size() < node.numOutputs())
        return attempt.giveUp();
      nn::BranchYieldOp::create(builder, node.loc, outputs[branch]);
    }
    if (ValueRange(outputs[0]).getTypes() != ValueRange(outputs[1]).getTypes())
      return attempt.giveUp();
    builder.restoreInsertionPoint(attempt.outer);
    return finish(node, attempt, nn::IfOp::getOperationName(), condition,
                  ValueRange(outputs[0]).getTypes(), {});
  }
}

/// Is it known that the condition of a loop stays true?
static bool staysTrue(GraphImporter &importer, Value given, Value argument,
                      Value next) {
  auto isTrue = [&](Value value) {
    DenseElementsAttr known = importer.getKnownValue(value);
    return known && known.getNumElements() == 1 &&
           *known.getValues<bool>().begin();
  };
  return !given || (isTrue(given) && (next == argument || isTrue(next)));
}

Outcome GraphImporter::importLoop(Node &node) {
  const onnx::GraphProto *graph = bodyOf(node, "body");
  Value trips = node.has(0) ? node.in(0) : Value();
  Value condition = node.has(1) ? node.in(1) : Value();
  int64_t count = static_cast<int64_t>(node.numInputs()) - 2;
  if (!graph || count < 0 || graph->input_size() != count + 2 ||
      graph->output_size() < count + 1 || (!trips && !condition) ||
      (node.has(0) && !isOne(trips, 64)) ||
      (node.has(1) && !isOne(condition, 1)))
    return Outcome::Keep;
  int64_t numCollected = graph->output_size() - 1 - count;
  SmallVector<Value> operands;
  SmallVector<Type> types;
  SmallVector<int32_t> segments = {trips != nullptr, condition != nullptr,
                                   static_cast<int32_t>(count)};
  if (trips)
    operands.push_back(node.reshape(trips, {}));
  if (condition)
    operands.push_back(node.reshape(condition, {}));
  for (int64_t i = 0; i < count; ++i) {
    Value value = node.in(i + 2);
    if (!value || !isPlain(value.getType()))
      return Outcome::Keep;
    operands.push_back(value);
    types.push_back(value.getType());
  }
  auto known = trips ? node.knownInts(0) : std::nullopt;
  if (numCollected > 0 && !known)
    return Outcome::Keep;

  Attempt attempt(*this);
  Region &region = attempt.addRegion();
  Block &body = region.front();
  builder.setInsertionPointToEnd(&body);
  SmallVector<Type> argumentTypes = {
      RankedTensorType::get({}, builder.getI64Type()),
      RankedTensorType::get({}, builder.getI1Type())};
  llvm::append_range(argumentTypes, types);
  SmallVector<Value> inputs;
  for (auto [input, type] : llvm::zip_equal(graph->input(), argumentTypes)) {
    Value argument = body.addArgument(
        type, NameLoc::get(StringAttr::get(context, input.name())));
    // Some exporters give the number and the condition one axis.
    if (inputs.size() < 2 && input.type().tensor_type().shape().dim_size() == 1)
      argument = node.reshape(argument, {1});
    inputs.push_back(argument);
  }
  SmallVector<Value> outputs;
  if (!importBody(*graph, region, inputs, outputs) || !isOne(outputs[0], 1))
    return attempt.giveUp();
  bool counts = staysTrue(*this, condition, inputs[1], outputs[0]);
  ArrayRef<Value> carried = ArrayRef(outputs).slice(1, count);
  ArrayRef<Value> collected = ArrayRef(outputs).drop_front(1 + count);
  if (ValueRange(carried).getTypes() != TypeRange(types) ||
      (numCollected > 0 && !counts))
    return attempt.giveUp();
  for (Value value : collected) {
    int64_t extent = std::max<int64_t>(known->front(), 0), elements;
    Shape shape = shapeOf(value);
    shape.insert(shape.begin(), extent);
    if (extent > kMostTrips ||
        llvm::MulOverflow(extent, product(shapeOf(value)), elements))
      return attempt.giveUp();
    types.push_back(RankedTensorType::get(shape, elementOf(value)));
  }
  Value next = outputs[0] == inputs[1] ? Value(body.getArgument(1))
                                       : node.reshape(outputs[0], {});
  nn::NextOp::create(builder, node.loc, next, carried, collected);
  builder.restoreInsertionPoint(attempt.outer);
  return finish(node, attempt, nn::LoopOp::getOperationName(), operands, types,
                builder.getNamedAttr("operandSegmentSizes",
                                     builder.getDenseI32ArrayAttr(segments)));
}

Outcome GraphImporter::importScan(Node &node) {
  const onnx::GraphProto *graph = bodyOf(node, "body");
  int64_t numScanned = node.intOf("num_scan_inputs", 0);
  int64_t count = static_cast<int64_t>(node.numInputs()) - numScanned;
  if (!graph || numScanned <= 0 || count < 0 ||
      graph->input_size() != static_cast<int>(node.numInputs()) ||
      graph->output_size() < count)
    return Outcome::Keep;
  size_t numCollected = graph->output_size() - count;
  SmallVector<Value> operands;
  for (size_t i = 0; i < node.numInputs(); ++i) {
    Value value = node.in(i);
    if (!value || !isPlain(value.getType()))
      return Outcome::Keep;
    operands.push_back(value);
  }
  /// An attribute with one number per scanned or collected tensor.
  auto numbers = [&](StringRef name, size_t size) {
    Shape values = node.intsOf(name).value_or(Shape());
    if (values.empty())
      values.assign(size, 0);
    return values;
  };
  Shape axes = numbers("scan_input_axes", numScanned),
        directions = numbers("scan_input_directions", numScanned),
        collectedAxes = numbers("scan_output_axes", numCollected),
        collectedDirections = numbers("scan_output_directions", numCollected);
  if (static_cast<int64_t>(axes.size()) != numScanned ||
      axes.size() != directions.size() ||
      collectedAxes.size() != numCollected ||
      collectedDirections.size() != numCollected)
    return node.fail("needs an axis and a direction for each scanned tensor "
                     "and each result");
  SmallVector<Type> types =
      llvm::to_vector(ValueRange(operands).take_front(count).getTypes());
  SmallVector<Type> argumentTypes = types;
  int64_t trips = -1;
  for (auto [value, axis] :
       llvm::zip_equal(ArrayRef(operands).drop_front(count), axes)) {
    Shape shape = shapeOf(value);
    auto rank = static_cast<int64_t>(shape.size());
    axis += axis < 0 ? rank : 0;
    if (axis < 0 || axis >= rank)
      return node.fail("an axis is out of range");
    if (trips >= 0 && trips != shape[axis])
      return node.fail("its scanned tensors have different numbers of slices");
    trips = shape[axis];
    shape.erase(shape.begin() + axis);
    argumentTypes.push_back(RankedTensorType::get(shape, elementOf(value)));
  }

  Attempt attempt(*this);
  Region &region = attempt.addRegion();
  Block &body = region.front();
  builder.setInsertionPointToEnd(&body);
  SmallVector<Value> inputs, outputs;
  for (auto [input, type] : llvm::zip_equal(graph->input(), argumentTypes))
    inputs.push_back(body.addArgument(
        type, NameLoc::get(StringAttr::get(context, input.name()))));
  if (!importBody(*graph, region, inputs, outputs))
    return attempt.giveUp();
  ArrayRef<Value> carried = ArrayRef(outputs).take_front(count);
  ArrayRef<Value> collected = ArrayRef(outputs).drop_front(count);
  if (ValueRange(carried).getTypes() != TypeRange(types))
    return attempt.giveUp();
  for (auto [value, axis] : llvm::zip_equal(collected, collectedAxes)) {
    Shape shape = shapeOf(value);
    auto rank = static_cast<int64_t>(shape.size()) + 1;
    axis += axis < 0 ? rank : 0;
    if (axis < 0 || axis >= rank)
      return attempt.giveUp();
    shape.insert(shape.begin() + axis, trips);
    types.push_back(RankedTensorType::get(shape, elementOf(value)));
  }
  nn::NextOp::create(builder, node.loc, Value(), carried, collected);
  builder.restoreInsertionPoint(attempt.outer);
  auto flags = [&](ArrayRef<int64_t> values) {
    return builder.getDenseBoolArrayAttr(
        llvm::map_to_vector(values, [](int64_t value) { return value != 0; }));
  };
  return finish(
      node, attempt, nn::ScanOp::getOperationName(), operands, types,
      {builder.getNamedAttr("axes", builder.getDenseI64ArrayAttr(axes)),
       builder.getNamedAttr("reversed", flags(directions)),
       builder.getNamedAttr("collected_axes",
                            builder.getDenseI64ArrayAttr(collectedAxes)),
       builder.getNamedAttr("collected_reversed", flags(collectedDirections)),
       builder.getNamedAttr(
           "operandSegmentSizes",
           builder.getDenseI32ArrayAttr({static_cast<int32_t>(count),
                                         static_cast<int32_t>(numScanned)}))});
}

Outcome Node::importIf() { return importer.importIf(*this); }
Outcome Node::importLoop() { return importer.importLoop(*this); }
Outcome Node::importScan() { return importer.importScan(*this); }

void registerControlFlow(Registry &registry) {
  registry.add(
      "If", 1, "one branch where the condition is constant, else nn.if",
      [](Node &node) { return node.importIf(); }, Needs::Nothing);
  registry.add(
      "Loop", 1, "nn.loop, where the shapes of carried values stay",
      [](Node &node) { return node.importLoop(); }, Needs::Nothing);
  registry.add(
      "Scan", 9, "nn.scan", [](Node &node) { return node.importScan(); },
      Needs::Nothing);
}

} // namespace mpt::importer
