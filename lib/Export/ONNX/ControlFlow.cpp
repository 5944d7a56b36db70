//===- ControlFlow.cpp - If, Loop and Scan --------------------------------===//

#include "Exporter.h"
#include "mpt/Dialect/NN/IR/NNControlFlow.h"

using namespace mlir;

namespace mpt::exporter {

static std::string nameOfArgument(BlockArgument argument) {
  if (auto name = argument.getLoc()->findInstanceOf<NameLoc>())
    return name.getName().str();
  return "argument_" + std::to_string(argument.getArgNumber());
}

/// Names are unique in the whole model, so a subgraph hides none. Constants are
/// initializers of the main graph, which subgraphs see.
LogicalResult Exporter::addSubgraph(Block &block, StringRef role,
                                    onnx::AttributeProto &attribute) {
  Operation *op = current;
  onnx::GraphProto *outer = graph;
  attribute.set_name(role.str());
  attribute.set_type(onnx::AttributeProto::GRAPH);
  graph = attribute.mutable_g();
  graph->set_name(nodeName(role));
  auto fill = [&] {
    for (BlockArgument argument : block.getArguments()) {
      auto *input = graph->add_input();
      input->set_name(uniqueName(nameOfArgument(argument)));
      names[argument] = input->name();
      if (failed(setType(*input, argument.getType(), op)))
        return failure();
    }
    for (Operation &inner : block.without_terminator())
      if (failed(addOperation(inner)))
        return failure();
    current = op;
    // An output is given by a node of the subgraph, and by no other output.
    llvm::StringSet<> given;
    for (const onnx::NodeProto &node : graph->node())
      for (const std::string &output : node.output())
        given.insert(output);
    for (Value value : block.getTerminator()->getOperands()) {
      std::string name = nameOf(value);
      if (!given.erase(name))
        name = emit("Identity", {name});
      auto *output = graph->add_output();
      output->set_name(name);
      if (failed(setType(*output, value.getType(), op)))
        return failure();
    }
    return success();
  };
  LogicalResult result = fill();
  graph = outer;
  current = op;
  return result;
}

static LogicalResult emitNode(Exporter &exporter, Operation *op,
                              StringRef opType, ArrayRef<std::string> inputs,
                              Attributes attributes,
                              ArrayRef<std::pair<Region *, StringRef>> bodies) {
  if (op->getNumResults() == 0)
    return success();
  for (auto [region, role] : bodies) {
    attributes.emplace_back();
    if (failed(exporter.addSubgraph(region->front(), role, attributes.back())))
      return failure();
  }
  SmallVector<Value> results(op->getResults());
  exporter.emitMany(results, opType, inputs, attributes);
  return success();
}

static LogicalResult emitIf(Exporter &exporter, nn::IfOp op) {
  return emitNode(exporter, op, "If", {exporter.nameOf(op.getCondition())}, {},
                  {{&op.getThenBranch(), "then_branch"},
                   {&op.getElseBranch(), "else_branch"}});
}

static LogicalResult emitLoop(Exporter &exporter, nn::LoopOp op) {
  Names inputs = {exporter.nameOf(op.getMaxTrips()),
                  exporter.nameOf(op.getCondition())};
  for (Value value : op.getCarried())
    inputs.push_back(exporter.nameOf(value));
  return emitNode(exporter, op, "Loop", inputs, {}, {{&op.getBody(), "body"}});
}

static LogicalResult emitScan(Exporter &exporter, nn::ScanOp op) {
  Names inputs;
  for (Value value : op.getOperands())
    inputs.push_back(exporter.nameOf(value));
  auto flags = [](ArrayRef<bool> reversed) {
    return SmallVector<int64_t>(reversed.begin(), reversed.end());
  };
  Attributes attributes = {
      intAttr("num_scan_inputs", op.getScanned().size()),
      intsAttr("scan_input_axes", op.getAxes()),
      intsAttr("scan_input_directions", flags(op.getReversed()))};
  if (!op.getCollectedAxes().empty()) {
    attributes.push_back(intsAttr("scan_output_axes", op.getCollectedAxes()));
    attributes.push_back(
        intsAttr("scan_output_directions", flags(op.getCollectedReversed())));
  }
  return emitNode(exporter, op, "Scan", inputs, attributes,
                  {{&op.getBody(), "body"}});
}

void registerControlFlow(Registry &registry) {
  registry.add<nn::IfOp>(emitIf);
  registry.add<nn::LoopOp>(emitLoop);
  registry.add<nn::ScanOp>(emitScan);
}

} // namespace mpt::exporter
