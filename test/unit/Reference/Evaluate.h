//===- Evaluate.h - Running a piece of text in the interpreter --*- C++ -*-===//

#ifndef MPT_TEST_UNIT_REFERENCE_EVALUATE_H
#define MPT_TEST_UNIT_REFERENCE_EVALUATE_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Reference/Interpreter.h"

#include <gtest/gtest.h>

namespace mpt::reference {

using Values = std::vector<double>;

class ReferenceTest : public ::testing::Test {
protected:
  ReferenceTest() {
    context.loadDialect<nn::NNDialect, mp::MPDialect, mlir::func::FuncDialect,
                        mlir::arith::ArithDialect>();
    context.getDiagEngine().registerHandler([this](mlir::Diagnostic &diag) {
      messages += diag.str() + "\n";
      return mlir::success();
    });
  }

  /// Runs the function `text`; `inputs` are the elements of its arguments.
  /// Empty, with `messages` set, after an error.
  std::vector<Tensor> run(llvm::StringRef text, std::vector<Values> inputs,
                          Options options = {}) {
    messages.clear();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module)
      return {};
    auto function = *module->getOps<mlir::func::FuncOp>().begin();
    std::vector<Tensor> arguments;
    for (auto [type, values] :
         llvm::zip_equal(function.getArgumentTypes(), inputs)) {
      auto tensorType = mlir::cast<mlir::RankedTensorType>(type);
      Tensor tensor(tensorType.getShape(), tensorType.getElementType());
      EXPECT_EQ(tensor.numElements(), static_cast<int64_t>(values.size()));
      if (tensor.isFloat())
        tensor.floats = values;
      else
        tensor.ints.assign(values.begin(), values.end());
      arguments.push_back(std::move(tensor));
    }
    auto results =
        Interpreter(options).run(function, llvm::ArrayRef<Tensor>(arguments));
    if (failed(results))
      return {};
    return {std::make_move_iterator(results->begin()),
            std::make_move_iterator(results->end())};
  }

  /// The elements of the results of `text`.
  std::vector<Values> values(llvm::StringRef text, std::vector<Values> inputs,
                             Options options = {}) {
    std::vector<Values> all;
    for (const Tensor &result : run(text, std::move(inputs), options))
      all.push_back(result.isFloat()
                        ? result.floats
                        : Values(result.ints.begin(), result.ints.end()));
    EXPECT_FALSE(all.empty()) << messages;
    return all;
  }

  /// A function with the given arguments ("tensor<2xf32>, ...") and body, the
  /// value of which is %r of type `result`; arguments are %0, %1, ...
  static std::string function(llvm::ArrayRef<std::string> arguments,
                              const std::string &result,
                              const std::string &operation) {
    std::string text = "func.func @f(";
    for (size_t i = 0; i < arguments.size(); ++i)
      text += (i ? ", %" : "%") + std::to_string(i) + ": " + arguments[i];
    return text + ") -> " + result + " {\n  %r = " + operation +
           "\n  return %r : " + result + "\n}";
  }

  /// The elements of the only result of one operation.
  Values value(llvm::ArrayRef<std::string> arguments, const std::string &result,
               const std::string &operation, std::vector<Values> inputs,
               Options options = {}) {
    auto all = values(function(arguments, result, operation), std::move(inputs),
                      options);
    return all.empty() ? Values{} : all[0];
  }

  static Options f64() {
    Options options;
    options.f64 = true;
    return options;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string messages;
};

inline void expectNear(const Values &got, const Values &want,
                       double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], want[i], tolerance) << "element " << i;
}

/// Reproducible numbers in [-1, 1).
inline Values numbers(size_t count, uint32_t seed = 1) {
  Values result(count);
  for (double &value : result) {
    seed = seed * 1664525 + 1013904223;
    value = static_cast<double>(seed >> 8) / (1 << 23) - 1;
  }
  return result;
}

} // namespace mpt::reference

#endif // MPT_TEST_UNIT_REFERENCE_EVALUATE_H
