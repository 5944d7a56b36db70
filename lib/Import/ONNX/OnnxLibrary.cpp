//===- OnnxLibrary.cpp - The calls into libonnx that may throw ------------===//

#include "OnnxLibrary.h"

#include "onnx/defs/parser.h"
#include "onnx/defs/printer.h"
#include "onnx/inliner/inliner.h"
#include "onnx/shape_inference/implementation.h"

#include <algorithm>
#include <exception>

namespace mpt::importer {

/// Runs `body`; what it throws becomes a line in `error`.
template <typename Body>
static bool guarded(const Body &body, std::string &error) {
  try {
    body();
    return true;
  } catch (const std::exception &exception) {
    error = exception.what();
  } catch (...) {
    error = "unknown failure";
  }
  std::replace(error.begin(), error.end(), '\n', ' ');
  return false;
}

bool parseModelText(const std::string &text, onnx::ModelProto &model,
                    std::string &error) {
  bool parsed = false;
  bool finished = guarded(
      [&] {
        onnx::OnnxParser parser(text.c_str());
        auto status = parser.Parse(model);
        parsed = status.IsOK() && parser.EndOfInput();
        if (!status.IsOK())
          error = status.ErrorMessage();
        else if (!parsed)
          error = "there is text behind the model";
      },
      error);
  std::replace(error.begin(), error.end(), '\n', ' ');
  return finished && parsed;
}

bool inlineFunctions(onnx::ModelProto &model, std::string &error) {
  return guarded([&] { onnx::inliner::InlineLocalFunctions(model, false); },
                 error);
}

static const onnx::OpSchema *findSchema(const onnx::NodeProto &node,
                                        int64_t opset) {
  const std::string domain = node.domain() == "ai.onnx" ? "" : node.domain();
  const onnx::OpSchema *schema = nullptr;
  if (opset > 0 && opset <= INT32_MAX)
    schema = onnx::OpSchemaRegistry::Schema(node.op_type(),
                                            static_cast<int>(opset), domain);
  if (!schema) // an operator ahead of its opset, which runtimes accept
    schema = onnx::OpSchemaRegistry::Schema(node.op_type(), domain);
  return schema && !schema->deprecated() ? schema : nullptr;
}

bool NodeChecker::check(const onnx::NodeProto &node, int64_t opset,
                        std::string &error) {
  return guarded(
      [&] {
        auto [it, isNew] =
            schemas.try_emplace(node.domain() + '\0' + node.op_type());
        if (isNew)
          it->second = findSchema(node, opset);
        if (it->second)
          it->second->Verify(node);
      },
      error);
}

std::vector<onnx::TypeProto> inferOutputTypes(onnx::ModelProto &model,
                                              const onnx::NodeProto &node) {
  onnx::GraphProto &graph = *model.mutable_graph();
  *graph.add_node() = node;
  for (const std::string &output : node.output())
    if (!output.empty())
      graph.add_output()->set_name(output);
  std::string error;
  // A failure in the middle leaves what was inferred before it.
  guarded(
      [&] {
        onnx::ShapeInferenceOptions options(/*check_type=*/false,
                                            /*strict_mode=*/0,
                                            /*data_prop=*/true);
        onnx::shape_inference::InferShapes(
            model, onnx::OpSchemaRegistry::Instance(), options);
      },
      error);
  std::vector<onnx::TypeProto> types(node.output_size());
  for (int i = 0, known = 0; i < node.output_size(); ++i)
    if (!node.output(i).empty())
      types[i] = graph.output(known++).type();
  return types;
}

std::string printType(const onnx::TypeProto &type) {
  std::string text, error;
  guarded([&] { text = onnx::ProtoToString(type); }, error);
  return text;
}

bool parseType(const std::string &text, onnx::TypeProto &type) {
  bool parsed = false;
  std::string error;
  guarded(
      [&] {
        onnx::OnnxParser parser(text.c_str());
        parsed = parser.Parse(type).IsOK();
      },
      error);
  return parsed;
}

} // namespace mpt::importer
