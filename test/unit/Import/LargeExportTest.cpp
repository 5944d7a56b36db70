//===- LargeExportTest.cpp - Exported models with their weights outside ---===//

#include "mlir/Parser/Parser.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Export/ONNX/ExportONNX.h"
#include "mpt/Import/ONNX/ImportONNX.h"
#include "mpt/Reference/Interpreter.h"

#include "gtest/gtest.h"

#include <filesystem>

using namespace mlir;
namespace fs = std::filesystem;

namespace {

// Models beyond 2 GiB keep their weights in a second file; the limit is an
// option, so that a small model shows it.
TEST(LargeExportTest, WeightsGoToASecondFile) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context
      .loadDialect<func::FuncDialect, mpt::nn::NNDialect, mpt::mp::MPDialect>();
  auto module = parseSourceString<ModuleOp>(R"(
    nn.parameter @a : tensor<2x3xf32> = dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
    nn.parameter @b : tensor<3xf32> = dense<[7.0, 8.0, 9.0]> : tensor<3xf32>
    func.func @forward(%x: tensor<2x3xf32> {mp.role = #mp.role<input>, mp.name = "x"},
        %a: tensor<2x3xf32> {mp.role = #mp.role<parameter>, mp.name = "a", nn.parameter = @a},
        %b: tensor<3xf32> {mp.role = #mp.role<parameter>, mp.name = "b", nn.parameter = @b})
        -> (tensor<2x3xf32> {mp.role = #mp.role<output>, mp.name = "y"}) {
      %0 = nn.mul %x, %a : tensor<2x3xf32>, tensor<2x3xf32>
      %1 = nn.add %0, %b : tensor<2x3xf32>, tensor<3xf32>
      return %1 : tensor<2x3xf32>
    })",
                                            &context);
  ASSERT_TRUE(module);
  fs::path folder = fs::temp_directory_path() /
                    ("mpt-large-export-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  std::string path = (folder / "m.onnx").string();
  mpt::ExportOptions options;
  options.maxInlineBytes = 16;
  options.externalTensorBytes = 8;
  ASSERT_TRUE(succeeded(mpt::exportONNX(*module, "", path, options)));
  // Each tensor starts on a page of its own.
  EXPECT_EQ(fs::file_size(path + ".data"), 4096u + 12u);

  auto again = mpt::importONNX(context, path);
  ASSERT_TRUE(again);
  mpt::reference::ParameterLoader loader;
  std::vector<std::vector<double>> values;
  for (auto parameter : again->getOps<mpt::nn::ParameterOp>()) {
    auto tensor = loader.load(parameter);
    ASSERT_TRUE(succeeded(tensor));
    values.push_back(tensor->floats);
  }
  EXPECT_EQ(values,
            (std::vector<std::vector<double>>{{1, 2, 3, 4, 5, 6}, {7, 8, 9}}));
  fs::remove_all(folder);
}

} // namespace
