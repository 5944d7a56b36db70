//===- BackendTest.cpp - The ONNX backend tests ---------------------------===//
//
// Every model of Debian's libonnx-testdata is imported in one process: it gives
// a module, or one line. Models that consist of nn operations only are run by
// the reference interpreter on the test's inputs and compared with its outputs.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/Verifier.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Import/ONNX/ImportONNX.h"
#include "mpt/Reference/Interpreter.h"

#include "gtest/gtest.h"

#include <cmath>
#include <filesystem>
#include <iostream>

using namespace mlir;
namespace fs = std::filesystem;

namespace {

/// Debian's package, or another folder of the same form.
std::string dataFolder() {
  const char *other = std::getenv("MPT_ONNX_TESTDATA");
  return other ? other : "/usr/share/libonnx-testdata/data";
}

// The ONNX backend test runner's own tolerances.
constexpr double kRelative = 1e-3, kAbsolute = 1e-7;

std::vector<fs::path> findModels() {
  std::vector<fs::path> models;
  std::error_code error;
  for (auto it = fs::recursive_directory_iterator(dataFolder(), error);
       it != fs::recursive_directory_iterator(); ++it)
    if (it->path().filename() == "model.onnx")
      models.push_back(it->path());
  std::sort(models.begin(), models.end());
  return models;
}

struct Imported {
  OwningOpRef<ModuleOp> module;
  std::vector<std::string> lines; // what was reported
};

Imported import(MLIRContext &context, const fs::path &path,
                const mpt::ImportOptions &options = {}) {
  Imported result;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    result.lines.push_back(diagnostic.str());
    return success();
  });
  result.module = mpt::importONNX(context, path.string(), options);
  return result;
}

/// The test's inputs or outputs; nothing when one is not a plain tensor.
std::optional<std::vector<mpt::NamedTensor>> readAll(const fs::path &folder,
                                                     const char *kind) {
  std::vector<mpt::NamedTensor> result;
  for (int i = 0;; ++i) {
    fs::path path =
        folder / (kind + std::string("_") + std::to_string(i) + ".pb");
    if (!fs::exists(path))
      return result;
    std::string error;
    auto tensor = mpt::readTensorProto(path.string(), error);
    if (!tensor)
      return std::nullopt;
    result.push_back(std::move(*tensor));
  }
}

/// Tests whose data do not fit their models, or ask for what no ONNX text
/// defines.
bool isExcluded(const fs::path &path) {
  static const char *const names[] = {
      // The bits of BF16 numbers were stored as numbers.
      "test_cast_BFLOAT16_to_FLOAT", "test_cast_FLOAT_to_BFLOAT16",
      // The second input has another shape than the model says.
      "test_castlike_BFLOAT16_to_FLOAT", "test_castlike_FLOAT_to_BFLOAT16",
      "test_castlike_BFLOAT16_to_FLOAT_expanded",
      "test_castlike_FLOAT_to_BFLOAT16_expanded",
      // The elements that NumPy's Mersenne Twister drops.
      "test_training_dropout", "test_training_dropout_default",
      "test_training_dropout_default_mask", "test_training_dropout_mask"};
  std::string name = path.parent_path().filename().string();
  return llvm::is_contained(names, name);
}

enum class Verdict { Passed, Failed, NotRun };

/// Why the two differ; empty when they agree.
std::string compare(const mpt::reference::Tensor &got,
                    const mpt::reference::Tensor &want) {
  if (got.shape != want.shape)
    return "shapes differ";
  for (int64_t i = 0; i < got.numElements(); ++i) {
    if (!got.isFloat()) {
      if (got.ints[i] != want.ints[i])
        return "element " + std::to_string(i) + ": got " +
               std::to_string(got.ints[i]) + ", want " +
               std::to_string(want.ints[i]);
      continue;
    }
    double a = got.floats[i], b = want.floats[i];
    bool same = a == b || (std::isnan(a) && std::isnan(b)) ||
                std::abs(a - b) <= kAbsolute + kRelative * std::abs(b);
    if (!same)
      return "element " + std::to_string(i) + ": got " + std::to_string(a) +
             ", want " + std::to_string(b);
  }
  return "";
}

class BackendTest : public testing::Test {
protected:
  void SetUp() override {
    if (!fs::exists(dataFolder()))
      GTEST_SKIP() << "libonnx-testdata is not installed";
  }

  /// Imports with the inputs that shapes may depend on as constants, and runs.
  Verdict run(const fs::path &path, std::string &why) {
    fs::path folder = path.parent_path() / "test_data_set_0";
    auto inputs = readAll(folder, "input"), outputs = readAll(folder, "output");
    if (!inputs || !outputs || outputs->empty())
      return Verdict::NotRun;
    mpt::ImportOptions options;
    Imported plain = import(context, path);
    if (!plain.module)
      return Verdict::NotRun;
    if (hasOnnxNodes(*plain.module)) {
      for (const auto &input : *inputs)
        if (!mpt::data::isFloat(input.tensor.dtype) ||
            input.tensor.numElements() <= 1)
          options.constants[input.name] = input.tensor;
      plain = import(context, path, options);
      if (!plain.module || hasOnnxNodes(*plain.module))
        return Verdict::NotRun;
    }
    return evaluate(*plain.module, *inputs, *outputs, options, why);
  }

  static bool hasOnnxNodes(ModuleOp module) {
    return module
        .walk([](mpt::nn::OnnxNodeOp) { return WalkResult::interrupt(); })
        .wasInterrupted();
  }

  Verdict evaluate(ModuleOp module, std::vector<mpt::NamedTensor> &inputs,
                   std::vector<mpt::NamedTensor> &outputs,
                   const mpt::ImportOptions &options, std::string &why) {
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      why = diagnostic.str();
      return success();
    });
    auto function = *module.getOps<func::FuncOp>().begin();
    mpt::reference::ParameterLoader loader;
    std::vector<mpt::reference::Tensor> arguments;
    size_t next = 0;
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      auto parameter = loader.loadArgument(function, i);
      if (failed(parameter))
        return Verdict::Failed;
      if (*parameter) {
        arguments.push_back(std::move(**parameter));
        continue;
      }
      while (next < inputs.size() && options.constants.count(inputs[next].name))
        ++next;
      if (next == inputs.size())
        return Verdict::NotRun;
      auto tensor = mpt::reference::fromHost(
          inputs[next++].tensor,
          getElementTypeOrSelf(function.getArgumentTypes()[i]), false,
          module.getLoc());
      if (failed(tensor))
        return Verdict::Failed;
      arguments.push_back(std::move(*tensor));
    }
    mpt::reference::Interpreter interpreter;
    auto results = interpreter.run(function, arguments);
    if (failed(results))
      return Verdict::Failed;
    if (results->size() != outputs.size())
      return Verdict::NotRun;
    for (auto [got, output] : llvm::zip(*results, outputs)) {
      auto want = mpt::reference::fromHost(output.tensor, got.elementType,
                                           false, module.getLoc());
      if (failed(want))
        return Verdict::Failed;
      why = compare(got, *want);
      if (!why.empty())
        return Verdict::Failed;
    }
    return Verdict::Passed;
  }

  MLIRContext context{MLIRContext::Threading::DISABLED};
};

TEST_F(BackendTest, EveryModelImportsOrSaysWhyNot) {
  auto models = findModels();
  bool isDebian = models.size() == 1072;
  size_t imported = 0;
  for (const fs::path &path : models) {
    Imported result = import(context, path);
    if (result.module) {
      ++imported;
      EXPECT_TRUE(succeeded(verify(*result.module))) << path;
      EXPECT_TRUE(result.lines.empty()) << path;
      continue;
    }
    ASSERT_EQ(result.lines.size(), 1u) << path;
    EXPECT_TRUE(StringRef(result.lines[0]).starts_with(path.string() + ": "))
        << result.lines[0];
    EXPECT_EQ(result.lines[0].find('\n'), std::string::npos);
    // The only reason that Debian's models give: symbolic dimensions.
    EXPECT_TRUE(!isDebian || result.lines[0].find("--dim") != std::string::npos)
        << result.lines[0];
  }
  std::cout << imported << " of " << models.size() << " imported\n";
  EXPECT_GE(imported, models.size() * 99 / 100);
  if (isDebian)
    EXPECT_EQ(imported, 1067u);
}

TEST_F(BackendTest, ImportedModelsGiveTheExpectedOutputs) {
  size_t passed = 0, notRun = 0;
  for (const fs::path &path : findModels()) {
    if (isExcluded(path))
      continue;
    std::string why;
    switch (run(path, why)) {
    case Verdict::Passed:
      ++passed;
      break;
    case Verdict::NotRun:
      ++notRun;
      break;
    case Verdict::Failed:
      ADD_FAILURE() << path << ": " << why;
    }
  }
  // Raise this with every operator that is added.
  std::cout << passed << " passed, " << notRun << " not run\n";
  EXPECT_GE(passed, 860u);
}

} // namespace
