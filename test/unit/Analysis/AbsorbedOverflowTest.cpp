//===- AbsorbedOverflowTest.cpp - What is called absorbed is absorbed -----===//
//
// Random functions f(b (x + a x^n)), evaluated for every finite number of FP16
// with all operations in FP16 and with all in FP32. Where the analysis says
// that the overflow of the power is absorbed, the two agree.
//
//===----------------------------------------------------------------------===//

#include "mpt/Analysis/PrecisionFacts.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Reference/Interpreter.h"
#include "mpt/Support/Half.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace mlir;
using namespace mpt;
using reference::Tensor;

namespace {

struct Form {
  int exponent;
  double inner, outer;
  bool subtracts;
  std::string function;

  std::string write(const std::string &element) const {
    const std::string type = "tensor<63488x" + element + ">";
    const std::string scalar = "tensor<" + element + ">";
    auto number = [](double value) {
      char text[32];
      std::snprintf(text, sizeof(text), "%.6e", value);
      return std::string(text);
    };
    auto constant = [&](const std::string &name, double value) {
      return "  %" + name + " = nn.constant dense<" + number(value) +
             "> : " + scalar + "\n";
    };
    const std::string both = " : " + type + ", " + scalar + "\n";
    return "func.func @f(%x: " + type + ") -> " + type + " {\n" +
           constant("n", exponent) + constant("a", inner) +
           constant("b", outer) + "  %p = nn.pow %x, %n" + both +
           "  %s = nn.mul %p, %a" + both + "  %t = nn." +
           (subtracts ? "sub" : "add") + " %x, %s : " + type + ", " + type +
           "\n  %u = nn.mul %t, %b" + both + "  %v = nn." + function +
           " %u : " + type + "\n  return %v : " + type + "\n}\n";
  }
};

class AbsorbedOverflow : public testing::Test {
protected:
  AbsorbedOverflow() {
    context.loadDialect<func::FuncDialect, nn::NNDialect>();
  }

  OwningOpRef<ModuleOp> parse(const Form &form, const std::string &element) {
    auto module = parseSourceString<ModuleOp>(form.write(element), &context);
    EXPECT_TRUE(module) << form.write(element);
    return module;
  }

  static func::FuncOp functionOf(ModuleOp module) {
    return *module.getOps<func::FuncOp>().begin();
  }

  /// The largest difference over all finite numbers of FP16.
  double compare(const Form &form) {
    SmallVector<std::vector<double>> results;
    for (const char *element : {"f16", "f32"}) {
      auto module = parse(form, element);
      func::FuncOp function = functionOf(*module);
      Type type = cast<RankedTensorType>(function.getArgumentTypes()[0])
                      .getElementType();
      Tensor numbers({63488}, type);
      size_t next = 0;
      for (uint32_t bits = 0; bits < 65536; ++bits)
        if ((bits & 0x7c00) != 0x7c00)
          numbers.floats[next++] =
              decodeSmallFloat<F16Format>(static_cast<uint16_t>(bits));
      EXPECT_EQ(next, numbers.floats.size());
      auto got =
          reference::Interpreter().run(function, ArrayRef<Tensor>(numbers));
      EXPECT_TRUE(succeeded(got));
      results.push_back((*got)[0].floats);
    }
    double most = 0;
    for (auto [low, high] : llvm::zip_equal(results[0], results[1]))
      most = std::fmax(most, std::isnan(low) ? 1 : std::fabs(low - high));
    return most;
  }

  bool isSafe(const Form &form) {
    auto module = parse(form, "f32");
    func::FuncOp function = functionOf(*module);
    PrecisionFacts facts(function, RangeSeeds());
    bool safe = false;
    function.walk([&](nn::PowOp op) {
      safe = facts.lookup(op, Float16Type::get(&context)).kind ==
             PrecisionFact::Safe;
    });
    return safe;
  }

  MLIRContext context;
};

TEST_F(AbsorbedOverflow, IsNoDifferenceForAnyNumber) {
  std::mt19937_64 random(20260101);
  const double inner[] = {0.044715, 1, 1e-3, 2e-5, -0.5, 30};
  const double outer[] = {0.797885, 1, 0.05, 1e-3, -1, 20};
  const char *functions[] = {"tanh", "sigmoid", "erf", "relu"};
  int absorbed = 0, broken = 0;
  for (int round = 0; round < 100; ++round) {
    Form form;
    form.exponent = 2 + static_cast<int>(random() % 4);
    form.inner = inner[random() % 6];
    form.outer = outer[random() % 6];
    form.subtracts = random() % 3 == 0;
    form.function = functions[random() % 4];
    const double difference = compare(form);
    if (isSafe(form)) {
      ++absorbed;
      // The operations in between round to 2^-11 each, where tanh and erf have
      // a slope of at most 1.13.
      EXPECT_LE(difference, 4 * 0x1p-11) << form.write("f16");
    } else {
      broken += difference > 0.1;
    }
  }
  // Both kinds are among them.
  EXPECT_GE(absorbed, 10);
  EXPECT_GE(broken, 10);
}

TEST_F(AbsorbedOverflow, IsFoundInTheTanhFormOfGelu) {
  EXPECT_TRUE(isSafe({3, 0.044715, 0.797884583, false, "tanh"}));
  // Nothing saturates.
  EXPECT_FALSE(isSafe({3, 0.044715, 0.797884583, false, "relu"}));
}

} // namespace
