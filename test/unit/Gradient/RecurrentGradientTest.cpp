//===- RecurrentGradientTest.cpp - Derivatives of recurrent layers --------===//
//
// ONNX's RNN, GRU and LSTM as they are imported, unrolled: the gradient of a
// loss of all results by input, weights, biases, peepholes and initial states,
// against central differences in f64.
//
//===----------------------------------------------------------------------===//

#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Import/ONNX/ImportONNX.h"
#include "mpt/Reference/Interpreter.h"
#include "mpt/Transforms/Passes.h"

#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <random>
#include <unistd.h>

using namespace mlir;
using namespace mpt;
using reference::Tensor;

namespace {

// h^2 |f'''| / 6 and eps |f| / h with h = cbrt(eps) are near 4e-11 for values
// of order 1; a wrong or missing term makes 1e-2 and more.
constexpr double kTolerance = 1e-7;
constexpr double kFloor = 1e-2; // below, gradients are compared absolutely

/// What a layer is given besides x, w and r.
enum class Given { Nothing, Biases, Lengths, States };

struct Layer {
  const char *op;
  const char *direction;
  Given given;
  const char *attributes = ""; // ", name = value" ...
  int steps = 3, batch = 2;
  bool batchFirst = false;
};

constexpr int kInputSize = 2, kHiddenSize = 2;

std::string floats(std::initializer_list<int> shape) {
  std::string text = "float[";
  for (int extent : shape)
    text += (text.back() == '[' ? "" : ",") + std::to_string(extent);
  return text + "]";
}

/// The layer as a model of one node, in ONNX's textual form.
std::string textOf(const Layer &layer) {
  const StringRef op = layer.op;
  const int gates = op == "RNN" ? 1 : op == "GRU" ? 3 : 4;
  const int D = StringRef(layer.direction) == "bidirectional" ? 2 : 1;
  const int T = layer.steps, B = layer.batch, H = kHiddenSize;
  const bool first = layer.batchFirst;
  std::string inputs, names;
  auto add = [&](const std::string &type, const char *name) {
    inputs += (inputs.empty() ? "" : ", ") + type + " " + name;
    names += (names.empty() ? "" : ", ") + std::string(name);
  };
  add(first ? floats({B, T, kInputSize}) : floats({T, B, kInputSize}), "x");
  add(floats({D, gates * H, kInputSize}), "w");
  add(floats({D, gates * H, H}), "r");
  if (layer.given >= Given::Biases)
    add(floats({D, 2 * gates * H}), "b");
  if (layer.given >= Given::Lengths)
    add("int32[" + std::to_string(B) + "]", "lengths");
  std::string state = first ? floats({B, D, H}) : floats({D, B, H});
  if (layer.given >= Given::States) {
    add(state, "h0");
    if (op == "LSTM") {
      add(state, "c0");
      add(floats({D, 3 * H}), "p");
    }
  }
  std::string outputs = (first ? floats({B, T, D, H}) : floats({T, D, B, H})) +
                        " y, " + state + " yh";
  std::string results = "y, yh";
  if (op == "LSTM") {
    outputs += ", " + state + " yc";
    results += ", yc";
  }
  return "<ir_version: 9, opset_import: [\"\" : 18]>\nlayer (" + inputs +
         ") => (" + outputs + ")\n{\n  " + results + " = " + layer.op +
         " <hidden_size = " + std::to_string(H) + ", direction = \"" +
         layer.direction + "\", layout = " + (first ? "1" : "0") +
         layer.attributes + "> (" + names + ")\n}\n";
}

class RecurrentGradient : public testing::TestWithParam<Layer> {
protected:
  void import(const std::string &text) {
    context.loadDialect<func::FuncDialect, nn::NNDialect, mp::MPDialect>();
    // Shards of the suite run at once.
    std::string path = testing::TempDir() + "recurrent-" +
                       std::to_string(::getpid()) + ".onnxtxt";
    std::ofstream(path) << text;
    module = importONNX(context, path);
    std::remove(path.c_str());
  }
  static func::FuncOp functionOf(ModuleOp module) {
    return *module.getOps<func::FuncOp>().begin();
  }
  SmallVector<Tensor> evaluate(ModuleOp module, ArrayRef<Tensor> arguments) {
    reference::Options options;
    options.f64 = true;
    auto results =
        reference::Interpreter(options).run(functionOf(module), arguments);
    return succeeded(results) ? std::move(*results) : SmallVector<Tensor>();
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_P(RecurrentGradient, EqualsCentralDifferences) {
  const Layer &layer = GetParam();
  const std::string text = textOf(layer);
  import(text);
  ASSERT_TRUE(module) << text;
  AttachLossPassOptions loss;
  loss.loss = "mse(y, y_target) + 0.5*mse(yh, yh_target)";
  if (StringRef(layer.op) == "LSTM")
    loss.loss += " + 0.25*mse(yc, yc_target)";
  PassManager attach(&context);
  attach.addPass(createAttachLossPass(loss));
  ASSERT_TRUE(succeeded(attach.run(*module))) << text;

  func::FuncOp function = functionOf(*module);
  std::mt19937_64 random(20260102);
  SmallVector<Tensor> arguments;
  std::map<std::string, unsigned> selected;
  DifferentiatePassOptions by;
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    auto tensorType = cast<RankedTensorType>(type);
    Tensor tensor(tensorType.getShape(), tensorType.getElementType());
    for (double &value : tensor.floats)
      value = std::uniform_real_distribution<double>(-1, 1)(random);
    // The last sequence ends early.
    for (int64_t &value : tensor.ints)
      value = layer.steps;
    if (!tensor.ints.empty())
      tensor.ints.back() = 1;
    else if (mp::getArgRole(function, i) != mp::Role::Label) {
      std::string name = mp::getArgName(function, i).str();
      by.wrt += (by.wrt.empty() ? "" : ",") + name;
      selected[name] = i;
    }
    arguments.push_back(std::move(tensor));
  }

  OwningOpRef<ModuleOp> differentiated(module->clone());
  PassManager manager(&context);
  manager.addPass(createDifferentiatePass(by));
  ASSERT_TRUE(succeeded(manager.run(*differentiated))) << text;
  SmallVector<Tensor> results = evaluate(*differentiated, arguments);
  ASSERT_FALSE(results.empty()) << text;
  size_t compared = 0;
  for (unsigned k = 0; k < results.size(); ++k) {
    func::FuncOp step = functionOf(*differentiated);
    if (mp::getResultRole(step, k) != mp::Role::Gradient)
      continue;
    std::string name = mp::getResultName(step, k).str();
    std::vector<double> &values = arguments[selected.at(name)].floats;
    ASSERT_EQ(results[k].floats.size(), values.size());
    double difference = 0, norm = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const double kept = values[i];
      const double step = std::cbrt(2.2e-16);
      volatile double up = kept + step, down = kept - step;
      values[i] = up;
      double above = evaluate(*module, arguments)[0].floats[0];
      values[i] = down;
      double below = evaluate(*module, arguments)[0].floats[0];
      values[i] = kept;
      double numeric = (above - below) / (up - down);
      difference += std::pow(results[k].floats[i] - numeric, 2);
      norm += numeric * numeric;
    }
    EXPECT_LE(std::sqrt(difference) / (std::sqrt(norm) + kFloor), kTolerance)
        << "gradient of " << name << " in\n"
        << text;
    EXPECT_GT(norm, 0) << "gradient of " << name << " in\n" << text;
    ++compared;
  }
  EXPECT_EQ(compared, selected.size());
}

std::vector<Layer> listLayers() {
  std::vector<Layer> layers;
  for (const char *op : {"RNN", "GRU", "LSTM"})
    for (const char *direction : {"forward", "reverse", "bidirectional"})
      for (Given given :
           {Given::Nothing, Given::Biases, Given::Lengths, Given::States})
        layers.push_back({op, direction, given});
  layers.push_back({"RNN", "forward", Given::States, "", 1, 1});
  layers.push_back({"LSTM", "bidirectional", Given::States, "", 5, 3});
  layers.push_back({"GRU", "reverse", Given::States, "", 3, 2, true});
  layers.push_back(
      {"RNN", "forward", Given::Biases, ", activations = [\"Softsign\"]"});
  for (const char *direction : {"forward", "bidirectional"})
    layers.push_back(
        {"GRU", direction, Given::States, ", linear_before_reset = 1"});
  layers.push_back({"LSTM", "reverse", Given::States, ", input_forget = 1"});
  layers.push_back({"LSTM", "forward", Given::Biases, ", clip = 0.4"});
  return layers;
}

INSTANTIATE_TEST_SUITE_P(Layers, RecurrentGradient,
                         testing::ValuesIn(listLayers()),
                         [](const testing::TestParamInfo<Layer> &info) {
                           return std::string(info.param.op) + "_" +
                                  info.param.direction + "_" +
                                  std::to_string(info.index);
                         });

} // namespace
