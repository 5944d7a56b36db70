//===- ExternalDataTest.cpp - Weights in files beside the model -----------===//

#include "mlir/IR/Diagnostics.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Import/ONNX/ImportONNX.h"
#include "onnx/onnx_pb.h"

#include "gtest/gtest.h"

#include <filesystem>
#include <fstream>

using namespace mlir;
namespace fs = std::filesystem;

namespace {

class ExternalDataTest : public testing::Test {
protected:
  void SetUp() override {
    folder = fs::temp_directory_path() /
             ("mpt-external-data-" + std::to_string(::getpid()));
    fs::create_directories(folder / "model");
    std::ofstream(folder / "model" / "weights.bin") << std::string(256, 0);
    std::ofstream(folder / "secret.bin") << std::string(256, 0);
  }
  void TearDown() override { fs::remove_all(folder); }

  /// A model that adds a weight of 16 floats, stored at `location`.
  std::string write(const std::string &location, const std::string &offset,
                    const std::string &length) {
    onnx::ModelProto model;
    model.set_ir_version(8);
    model.add_opset_import()->set_version(17);
    auto *graph = model.mutable_graph();
    graph->set_name("g");
    auto describe = [](onnx::ValueInfoProto *info, const char *name) {
      info->set_name(name);
      auto *type = info->mutable_type()->mutable_tensor_type();
      type->set_elem_type(onnx::TensorProto::FLOAT);
      type->mutable_shape()->add_dim()->set_dim_value(16);
    };
    describe(graph->add_input(), "x");
    describe(graph->add_output(), "y");
    auto *node = graph->add_node();
    node->set_op_type("Add");
    node->add_input("x");
    node->add_input("w");
    node->add_output("y");
    auto *tensor = graph->add_initializer();
    tensor->set_name("w");
    tensor->set_data_type(onnx::TensorProto::FLOAT);
    tensor->add_dims(16);
    tensor->set_data_location(onnx::TensorProto::EXTERNAL);
    auto add = [&](const char *key, const std::string &value) {
      auto *entry = tensor->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    };
    add("location", location);
    add("offset", offset);
    add("length", length);
    std::string path = (folder / "model" / "model.onnx").string();
    std::ofstream(path, std::ios::binary) << model.SerializeAsString();
    return path;
  }

  /// What the import reports; empty when it gives a module.
  std::string lineFor(const std::string &path) {
    std::string line;
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      line = diagnostic.str();
      return success();
    });
    module = mpt::importONNX(context, path);
    EXPECT_EQ(!module, !line.empty());
    return line;
  }

  fs::path folder;
  MLIRContext context{MLIRContext::Threading::DISABLED};
  OwningOpRef<ModuleOp> module;
};

TEST_F(ExternalDataTest, StaysInItsFile) {
  std::string path = write("weights.bin", "64", "64");
  ASSERT_EQ(lineFor(path), "");
  auto parameter = *module->getOps<mpt::nn::ParameterOp>().begin();
  auto value = dyn_cast<mpt::nn::ExternalAttr>(*parameter.getValue());
  ASSERT_TRUE(value);
  EXPECT_EQ(value.getFile(), (folder / "model" / "weights.bin").string());
  EXPECT_EQ(value.getOffset(), 64u);
  EXPECT_EQ(value.getLength(), 64u);
}

TEST_F(ExternalDataTest, MustBeThereAndLongEnough) {
  EXPECT_NE(lineFor(write("none.bin", "0", "64")).find("is missing"),
            std::string::npos);
  EXPECT_NE(lineFor(write("weights.bin", "224", "64")).find("has only 256"),
            std::string::npos);
  EXPECT_NE(lineFor(write("weights.bin", "0", "60")).find("do not fill"),
            std::string::npos);
  EXPECT_NE(lineFor(write("weights.bin", "18446744073709551600", "64")), "");
  EXPECT_NE(lineFor(write("weights.bin", "many", "64")).find("malformed"),
            std::string::npos);
}

TEST_F(ExternalDataTest, MustNotLeaveTheFolder) {
  EXPECT_NE(lineFor(write("../secret.bin", "0", "64")).find("outside"),
            std::string::npos);
  EXPECT_NE(lineFor(write((folder / "secret.bin").string(), "0", "64"))
                .find("relative"),
            std::string::npos);
  fs::create_symlink(folder / "secret.bin", folder / "model" / "link.bin");
  EXPECT_NE(lineFor(write("link.bin", "0", "64")).find("is a link"),
            std::string::npos);
}

} // namespace
