//===- Branches.cpp - If nodes whose condition is known -------------------===//
//
// The TorchScript-based exporter writes an If wherever a shape decides (is the
// axis to be squeezed of extent 1?). Shapes are known, so only the nodes of one
// branch remain.
//
//===----------------------------------------------------------------------===//

#include "GraphImporter.h"

using namespace mlir;

namespace mpt::importer {

const onnx::GraphProto *
GraphImporter::chooseBranch(const onnx::NodeProto &proto) const {
  if (proto.op_type() != "If" || proto.input_size() != 1 ||
      (!proto.domain().empty() && proto.domain() != "ai.onnx"))
    return nullptr;
  const Binding *condition = lookup(proto.input(0));
  if (!condition || !condition->value)
    return nullptr;
  DenseElementsAttr known = getKnownValue(condition->value);
  if (!known || !known.getElementType().isInteger(1) ||
      known.getNumElements() != 1)
    return nullptr;
  StringRef name =
      *known.getValues<bool>().begin() ? "then_branch" : "else_branch";
  for (const auto &attribute : proto.attribute())
    if (attribute.name() == name && attribute.has_g())
      return &attribute.g();
  return nullptr;
}

GraphImporter::NameScope::NameScope(GraphImporter &importer,
                                    const onnx::GraphProto &graph)
    : importer(importer) {
  for (const auto &input : graph.input())
    define(input.name());
  for (const auto &tensor : graph.initializer())
    define(tensor.name());
  for (const auto &tensor : graph.sparse_initializer())
    define(tensor.values().name());
  for (const auto &node : graph.node())
    for (const std::string &output : node.output())
      define(output);
}

void GraphImporter::NameScope::define(const std::string &name) {
  const Binding *before = importer.lookup(name);
  outer.try_emplace(name,
                    before ? std::optional<Binding>(*before) : std::nullopt);
  importer.bindings.erase(name);
}

GraphImporter::NameScope::~NameScope() {
  for (auto &entry : outer) {
    if (entry.getValue())
      importer.bindings[entry.getKey()] = std::move(*entry.getValue());
    else
      importer.bindings.erase(entry.getKey());
  }
}

bool GraphImporter::inlineBranch(const onnx::NodeProto &proto,
                                 const onnx::GraphProto &branch,
                                 std::string &error) {
  scanUses(branch);
  SmallVector<Binding> results;
  {
    NameScope scope(*this, branch);
    if (!addInitializers(branch, error))
      return false;
    for (const auto &node : branch.node())
      if (!addNode(node, error))
        return false;
    for (int i = 0; i < proto.output_size(); ++i) {
      const Binding *result = lookup(branch.output(i).name());
      if (!result) {
        error = file.path + ": a branch of node '" +
                data::printable(proto.name()) + "' (If) has no output '" +
                data::printable(branch.output(i).name()) + "'";
        return false;
      }
      results.push_back(*result);
    }
  }
  for (auto [name, result] : llvm::zip(proto.output(), results))
    bind(name, std::move(result));
  return true;
}

} // namespace mpt::importer
