//===- OpTest.h - A compiled operation against a plain formula --*- C++ -*-===//

#ifndef MPT_TEST_UNIT_CONVERSION_OPTEST_H
#define MPT_TEST_UNIT_CONVERSION_OPTEST_H

#include "CompiledOp.h"
#include "mpt/Reference/Interpreter.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>

namespace mpt::test {

using Values = std::vector<double>;
/// Operand values to result values, in double.
using Formula = std::function<std::vector<Values>(mlir::Operation *op,
                                                  const std::vector<Values> &)>;

/// "tensor<2x3xf32>".
inline std::string tensorText(llvm::ArrayRef<int64_t> shape,
                              llvm::StringRef element) {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text + element.str() + ">";
}

/// A function of one operation: `body` names the operands %0, %1, ... and comes
/// without types.
inline std::string functionText(llvm::StringRef body,
                                llvm::ArrayRef<std::string> operands,
                                llvm::ArrayRef<std::string> results) {
  auto list = [](llvm::ArrayRef<std::string> items) {
    return llvm::join(items, ", ");
  };
  std::string arguments, values;
  for (size_t i = 0; i < operands.size(); ++i)
    arguments += (i ? ", %" : "%") + std::to_string(i) + ": " + operands[i];
  for (size_t i = 0; i < results.size(); ++i)
    values += (i ? ", %r#" : "%r#") + std::to_string(i);
  return "func.func @f(" + arguments + ") -> (" + list(results) +
         ") {\n  %r:" + std::to_string(results.size()) + " = " + body.str() +
         " : (" + list(operands) + ") -> (" + list(results) + ")\n  return " +
         values + " : " + list(results) + "\n}";
}

/// How far a result may be from the formula: the larger of `absolute` (scaled
/// by `terms`, the length of the sums, by the caller) and half a unit in the
/// last place of 16-bit results.
struct Tolerance {
  double absolute = 1e-6;
  double relative = 1e-6;
};

inline double storageUlp(mlir::Type type) {
  if (type.isF16())
    return std::ldexp(1.0, -10);
  if (type.isBF16())
    return std::ldexp(1.0, -7);
  return 0;
}

class OpTest : public ::testing::Test {
protected:
  OpTest() : context(makeRegistry(), mlir::MLIRContext::Threading::DISABLED) {
    context.loadAllAvailableDialects();
  }

  static mlir::DialectRegistry makeRegistry() {
    mlir::DialectRegistry registry;
    registerTestDialects(registry);
    return registry;
  }

  /// Compiles, runs on random operands (or those `prepare` makes) in one and in
  /// several chunks, compares with the formula; results must not depend on the
  /// number of chunks.
  void check(const std::string &text, const Formula &formula,
             Tolerance tolerance,
             std::function<void(std::vector<Buffer> &)> prepare = {},
             llvm::StringRef template_ = {}) {
    SCOPED_TRACE(text);
    std::string error;
    auto compiled = CompiledOp::compile(context, text, target, error);
    ASSERT_TRUE(compiled) << error;
    if (!template_.empty()) {
      ASSERT_EQ(compiled->getEmitter().getName(), template_);
    }
    std::mt19937 generator(7);
    std::vector<Buffer> inputs, outputs, again;
    for (auto type : compiled->getInputTypes()) {
      inputs.emplace_back(type);
      inputs.back().fillRandom(generator);
    }
    if (prepare)
      prepare(inputs);
    for (auto type : compiled->getOutputTypes()) {
      outputs.emplace_back(type);
      again.emplace_back(type);
    }
    std::vector<Values> operands;
    for (Buffer &input : inputs)
      operands.push_back(input.values());
    auto run = [&](std::vector<Buffer> &results, int64_t chunks) {
      llvm::SmallVector<void *> pointers;
      for (Buffer &input : inputs)
        pointers.push_back(input.data());
      for (Buffer &result : results) {
        result.fillBytes(0xFF);
        pointers.push_back(result.data());
      }
      compiled->run(pointers, chunks, /*poisonScratch=*/true);
    };
    run(outputs, 1);
    std::vector<Values> expected = formula(compiled->getOp(), operands);
    ASSERT_EQ(expected.size(), outputs.size());
    for (size_t r = 0; r < outputs.size(); ++r) {
      ASSERT_EQ(int64_t(expected[r].size()), outputs[r].size());
      double ulp = storageUlp(outputs[r].type.getElementType());
      double worst = 0;
      int64_t where = -1;
      for (int64_t i = 0; i < outputs[r].size(); ++i) {
        double want = expected[r][i], got = outputs[r].get(i);
        if (std::isnan(want) && std::isnan(got))
          continue;
        if (want == got)
          continue;
        double allowed =
            tolerance.absolute + (tolerance.relative + ulp) * std::fabs(want);
        double excess = std::fabs(got - want) / allowed;
        if (!(excess <= worst)) {
          worst = std::isnan(excess) ? 1e300 : excess;
          where = i;
        }
      }
      EXPECT_LE(worst, 1) << "result " << r << ", element " << where << ": "
                          << outputs[r].get(where) << ", expected "
                          << expected[r][where];
    }
    for (int64_t chunks : {2, 3, 5}) {
      run(again, chunks);
      for (size_t r = 0; r < outputs.size(); ++r)
        EXPECT_EQ(std::memcmp(outputs[r].data(), again[r].data(),
                              conversion::getTensorBytes(outputs[r].type)),
                  0)
            << "result " << r << " differs in " << chunks << " chunks";
    }
    // Operands are only read.
    for (size_t i = 0; i < inputs.size(); ++i)
      EXPECT_EQ(std::memcmp(operands[i].data(), inputs[i].values().data(),
                            operands[i].size() * sizeof(double)),
                0)
          << "operand " << i << " was overwritten";
  }

  /// The same against the reference interpreter.
  void checkReference(const std::string &text, Tolerance tolerance,
                      std::function<void(std::vector<Buffer> &)> prepare = {},
                      llvm::StringRef template_ = {}) {
    check(
        text,
        [](mlir::Operation *op, const std::vector<Values> &in) {
          std::vector<reference::Tensor> tensors;
          for (auto [i, type] : llvm::enumerate(op->getOperandTypes())) {
            auto tensorType = mlir::cast<mlir::RankedTensorType>(type);
            tensors.emplace_back(tensorType.getShape(),
                                 tensorType.getElementType());
            unsigned number = mlir::cast<mlir::BlockArgument>(op->getOperand(i))
                                  .getArgNumber();
            if (tensors.back().isFloat())
              tensors.back().floats = in[number];
            else
              for (size_t j = 0; j < in[number].size(); ++j)
                tensors.back().ints[j] = int64_t(in[number][j]);
          }
          std::vector<const reference::Tensor *> pointers;
          for (const reference::Tensor &tensor : tensors)
            pointers.push_back(&tensor);
          reference::Options exact;
          exact.f64 = true;
          auto results = reference::evaluateOp(op, pointers, exact);
          std::vector<Values> values;
          if (failed(results))
            return values;
          for (const reference::Tensor &result : *results)
            values.push_back(result.isFloat() ? result.floats
                                              : Values(result.ints.begin(),
                                                       result.ints.end()));
          return values;
        },
        tolerance, prepare, template_);
  }

  /// Code for other vector lengths: LLVM splits what this machine lacks.
  void setVectors(int64_t bytes, int64_t registers) {
    target.vectorBytes = bytes;
    target.vectorRegisters = registers;
  }

  mlir::MLIRContext context;
  conversion::TargetDescription target =
      conversion::TargetDescription::getHost(5);
};

} // namespace mpt::test

#endif // MPT_TEST_UNIT_CONVERSION_OPTEST_H
