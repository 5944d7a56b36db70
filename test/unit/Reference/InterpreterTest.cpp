//===- InterpreterTest.cpp - Coverage, liveness, errors, parameters -------===//

#include "Evaluate.h"
#include "mlir/IR/Builders.h"

#include <cstdio>
#include <fstream>

using namespace mpt;
using namespace mpt::reference;

namespace {
using InterpreterTest = ReferenceTest;

TEST_F(InterpreterTest, EveryOperationHasAnEvaluation) {
  // No computation: a symbol, a foreign node, terminators.
  const std::set<std::string> none = {"nn.parameter", "nn.onnx_node",
                                      "nn.yield", "nn.branch_yield", "nn.next"};
  std::set<std::string> missing;
  int count = 0;
  for (mlir::RegisteredOperationName name : context.getRegisteredOperations()) {
    llvm::StringRef dialect = name.getDialectNamespace();
    if (dialect != "nn" && dialect != "mp")
      continue;
    ++count;
    if (!hasEvaluation(name.getStringRef()))
      missing.insert(name.getStringRef().str());
  }
  EXPECT_GT(count, 100);
  EXPECT_EQ(missing, none);
}

TEST_F(InterpreterTest, ReturnsArgumentsAndRepeatedValues) {
  auto results = values(R"(
    func.func @f(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) {
      %y = nn.neg %x : tensor<2xf32>
      return %x, %y, %y : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
    })",
                        {{1, 2}});
  EXPECT_EQ(results, (std::vector<Values>{{1, 2}, {-1, -2}, {-1, -2}}));
}

TEST_F(InterpreterTest, ConstantsKeepWhatIsStored) {
  const std::string text = R"(
    func.func @f() -> (tensor<2xf32>, tensor<f64>, tensor<3xi1>, tensor<ui8>) {
      %a = nn.constant dense<[0.1, 2.0]> : tensor<2xf32>
      %b = arith.constant dense<0.1> : tensor<f64>
      %c = nn.constant dense<[true, false, true]> : tensor<3xi1>
      %d = nn.constant dense<200> : tensor<ui8>
      return %a, %b, %c, %d : tensor<2xf32>, tensor<f64>, tensor<3xi1>, tensor<ui8>
    })";
  const std::vector<Values> want = {{0.1f, 2}, {0.1}, {1, 0, 1}, {200}};
  EXPECT_EQ(values(text, {}), want);
  EXPECT_EQ(values(text, {}, f64()), want);
}

TEST_F(InterpreterTest, F64ModeDoesNotRound) {
  const std::string text = R"(
    func.func @f(%x: tensor<f16>) -> tensor<f16> {
      %c = nn.constant dense<1024.0> : tensor<f16>
      %y = nn.add %x, %c : tensor<f16>, tensor<f16>
      %z = nn.sub %y, %c : tensor<f16>, tensor<f16>
      return %z : tensor<f16>
    })";
  EXPECT_EQ(values(text, {{0.25}})[0][0], 0); // one ulp is 1 at 1024
  EXPECT_EQ(values(text, {{0.25}}, f64())[0][0], 0.25);
}

TEST_F(InterpreterTest, EvaluatesKernels) {
  auto results = values(R"(
    func.func @f(%0: tensor<2xf16>, %1: tensor<2xf16>) -> tensor<2xf16> {
      %2 = nn.kernel "pointwise"(%0, %1) {
      ^bb0(%a: tensor<2xf16>, %b: tensor<2xf16>):
        %3 = nn.add %a, %b : tensor<2xf16>, tensor<2xf16>
        %4 = nn.relu %3 : tensor<2xf16>
        nn.yield %4 : tensor<2xf16>
      } : (tensor<2xf16>, tensor<2xf16>) -> tensor<2xf16>
      return %2 : tensor<2xf16>
    })",
                        {{1, -5}, {2, 3}});
  EXPECT_EQ(results, (std::vector<Values>{{3, 0}}));
}

TEST_F(InterpreterTest, ObserverSeesEveryResultAndCanStop) {
  const std::string text = R"(
    func.func @f(%x: tensor<1xf32>) -> tensor<1xf32> {
      %y = nn.neg %x : tensor<1xf32>
      %z = nn.exp %y : tensor<1xf32>
      return %z : tensor<1xf32>
    })";
  std::vector<std::string> names;
  Options options;
  options.observer = [&](mlir::Operation *op, llvm::ArrayRef<Tensor> results) {
    names.push_back(op->getName().getStringRef().str());
    EXPECT_EQ(results.size(), 1u);
    return mlir::success(names.size() < 2);
  };
  EXPECT_TRUE(run(text, {{1}}, options).empty());
  EXPECT_EQ(names, (std::vector<std::string>{"nn.neg", "nn.exp"}));
}

TEST_F(InterpreterTest, ErrorsNameTheOperation) {
  EXPECT_TRUE(run(R"(
    func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
      %0 = nn.onnx_node "com.example" : "Fancy"(%x) {opset = 1 : i64, node = "", operand_names = ["x"]} : (tensor<2xf32>) -> tensor<2xf32>
      return %0 : tensor<2xf32>
    })",
                  {{1, 2}})
                  .empty());
  EXPECT_NE(messages.find("com.example.Fancy"), std::string::npos) << messages;

  EXPECT_TRUE(run(function({"tensor<2xi32>", "tensor<2xi32>"}, "tensor<2xi32>",
                           "nn.div %0, %1 : tensor<2xi32>, tensor<2xi32>"),
                  {{1, 2}, {1, 0}})
                  .empty());
  EXPECT_NE(messages.find("'nn.div' op divides an integer by zero"),
            std::string::npos)
      << messages;
}

TEST_F(InterpreterTest, ArgumentsAreChecked) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(
      "func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> { return %x : "
      "tensor<2xf32> }",
      &context);
  auto function = *module->getOps<mlir::func::FuncOp>().begin();
  Tensor wrong({3}, mlir::Float32Type::get(&context));
  EXPECT_TRUE(
      failed(Interpreter().run(function, llvm::ArrayRef<Tensor>({wrong}))));
  EXPECT_NE(messages.find("tensor<2xf32>"), std::string::npos) << messages;
  EXPECT_TRUE(failed(Interpreter().run(function, llvm::ArrayRef<Tensor>())));
}

TEST_F(InterpreterTest, TooLargeAndDynamicResultsAreErrors) {
  EXPECT_TRUE(
      run(function(
              {"tensor<1xf32>"}, "tensor<4000000x4000000xf32>",
              "nn.expand %0 : tensor<1xf32> to tensor<4000000x4000000xf32>"),
          {{1}})
          .empty());
  EXPECT_NE(messages.find("too large"), std::string::npos) << messages;
}

TEST_F(InterpreterTest, LoadsParameters) {
  const std::string path = ::testing::TempDir() + "mpt-parameters.bin";
  {
    std::ofstream file(path, std::ios::binary);
    const float values[] = {0, 1.5f, -2};
    file.write(reinterpret_cast<const char *>(values), sizeof(values));
  }
  const std::string text = R"(
    nn.parameter @a : tensor<2xf32> = #nn.external<")" +
                           path + R"(", 4, 8>
    nn.parameter @b : tensor<2xf32> = dense<7.0> : tensor<2xf32>
    nn.parameter @c : tensor<2xf32>
    nn.parameter @d : tensor<2xf32> = #nn.external<")" +
                           path + R"(", 8, 8>
    nn.parameter @e : tensor<2xf32> = #nn.external<"no-such-file.bin", 8, 8>
    func.func @f(%x: tensor<2xf32>, %a: tensor<2xf32> {nn.parameter = @a}) -> tensor<2xf32> {
      return %a : tensor<2xf32>
    })";
  module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  ASSERT_TRUE(module) << messages;
  ParameterLoader loader;
  auto function = *module->getOps<mlir::func::FuncOp>().begin();
  auto none = loader.loadArgument(function, 0);
  ASSERT_TRUE(succeeded(none));
  EXPECT_FALSE(none->has_value());
  auto a = loader.loadArgument(function, 1);
  ASSERT_TRUE(succeeded(a) && a->has_value());
  EXPECT_EQ((*a)->floats, Values({1.5, -2}));

  std::map<std::string, std::string> failures = {{"c", "no initial value"},
                                                 {"d", "has only 12"},
                                                 {"e", "no-such-file.bin"}};
  for (nn::ParameterOp op : module->getOps<nn::ParameterOp>()) {
    messages.clear();
    auto tensor = loader.load(op);
    auto it = failures.find(op.getSymName().str());
    EXPECT_EQ(failed(tensor), it != failures.end()) << op.getSymName().str();
    if (it != failures.end())
      EXPECT_NE(messages.find(it->second), std::string::npos) << messages;
  }
  // A relative path is looked for beside the module's file.
  module = mlir::parseSourceString<mlir::ModuleOp>(
      "nn.parameter @a : tensor<2xf32> = "
      "#nn.external<\"mpt-parameters.bin\", 4, 8>",
      &context);
  ParameterLoader beside(::testing::TempDir());
  EXPECT_TRUE(
      succeeded(beside.load(*module->getOps<nn::ParameterOp>().begin())))
      << messages;
  std::remove(path.c_str());
}
} // namespace
