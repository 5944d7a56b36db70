//===- PrecisionAssignmentTest.cpp - The model against what is carried out ===//
//
// Every assignment of small functions is carried out, and the bytes that the
// rewritten function moves are counted in the IR: the pass's modelled cost is
// what its own function moves, and no assignment moves less.
//
//===----------------------------------------------------------------------===//

#include "PrecisionTest.h"

#include <random>

using namespace mlir;
using namespace mpt;

namespace {

class PrecisionAssignmentTest : public PrecisionTest {};

void decide(Operation *op, bool low) {
  op->setAttr(mp::MPDialect::kDecisionAttrName,
              mp::DecisionAttr::get(op->getContext(),
                                    Float16Type::get(op->getContext()), low,
                                    "test"));
}

/// A random function over tensors of two shapes. Values are read several
/// times; matrix products, operations that follow and FP32 ones are mixed.
std::string makeFunction(std::mt19937 &random, int operations) {
  auto upTo = [&](int max) {
    return std::uniform_int_distribution<int>(0, max)(random);
  };
  std::string body;
  std::vector<std::string> values = {"%x", "%y"};
  const char *type = "tensor<8x8xf32>";
  auto pick = [&] {
    int last = values.size() - 1;
    return values[std::max(0, last - upTo(std::min(last, 4)))];
  };
  for (int i = 0; i < operations; ++i) {
    std::string name = "%v" + std::to_string(i), a = pick(), b = pick();
    switch (upTo(7)) {
    case 0:
    case 1:
      body += name + " = nn.matmul " + a + ", " + b + " : (" + type + ", " +
              type + ") -> " + type + "\n";
      break;
    case 2:
    case 3:
      body += name + " = nn.add " + a + ", " + b + " : " + type + ", " + type +
              "\n";
      break;
    case 4:
      body += name + " = nn.exp " + a + " : " + type + "\n";
      break;
    case 5:
      body += name + " = nn.mul " + a + ", %c : " + type + ", tensor<f32>\n";
      break;
    case 6:
      body += name + ", %m" + std::to_string(i) + ", %r" + std::to_string(i) +
              " = nn.layer_norm " + a + ", %g, %g {axis = 1} : (" + type +
              ", tensor<8xf32>, tensor<8xf32>) -> (" + type +
              ", tensor<8x1xf32>, tensor<8x1xf32>)\n";
      break;
    default:
      body += name + " = nn.relu " + a + " : " + type + "\n";
    }
    values.push_back(name);
  }
  return "func.func @f(%x: tensor<8x8xf32>, %y: tensor<8x8xf32>, %g: "
         "tensor<8xf32>) -> (tensor<8x8xf32>, tensor<8x8xf32>) {\n"
         "%c = nn.constant dense<0.5> : tensor<f32>\n" +
         body + "return " + values.back() + ", " + pick() +
         " : tensor<8x8xf32>, tensor<8x8xf32>\n}";
}

/// What the pass may decide: of class low, or following where a low operation
/// is near. Found from the outside: an operation is free if its decision
/// changes with the demands of the user... so all that are not FP32 by class.
std::vector<unsigned> getFreeOperations(PrecisionAssignment &assignment,
                                        func::FuncOp function) {
  std::vector<unsigned> free;
  std::vector<bool> fixed;
  assignment.forEachDecision([&](const PrecisionAssignment::Decision &d) {
    fixed.push_back(!d.low && !d.reason.starts_with("slow: in the low"));
  });
  for (unsigned i = 0; i < fixed.size(); ++i)
    if (!fixed[i])
      free.push_back(i);
  return free;
}

} // namespace

TEST_F(PrecisionAssignmentTest, MovesTheFewestBytesOfAllAssignments) {
  std::mt19937 random(1);
  int decided = 0, split = 0;
  for (int i = 0; i < 300; ++i) {
    policy.widenResults = i % 2;
    std::string text = makeFunction(random, 3 + i % 8);
    SCOPED_TRACE(text);
    OwningOpRef<ModuleOp> module = parse(text);
    func::FuncOp function = functionOf(*module);
    PrecisionAssignment assignment(function, policy);
    assignment.run();
    std::vector<unsigned> free = getFreeOperations(assignment, function);
    if (free.size() > 8)
      continue;

    auto moveBytes = [&](auto isLow) {
      OwningOpRef<ModuleOp> copy = module->clone();
      unsigned number = 0;
      for (Operation &op : functionOf(*copy).getBody().front())
        if (takesPrecision(&op))
          decide(&op, isLow(number++));
      insertCasts(*copy);
      return countTraffic(functionOf(*copy));
    };
    std::vector<bool> chosen;
    assignment.forEachDecision([&](const PrecisionAssignment::Decision &d) {
      chosen.push_back(d.low);
    });
    expectFewestBytes(assignment, chosen, free, moveBytes);
    ++decided;
    split += llvm::count(chosen, true) != 0;
    if (HasFailure())
      return;
  }
  // The test is about something.
  EXPECT_GT(decided, 150);
  EXPECT_GT(split, 50);
}

TEST_F(PrecisionAssignmentTest, TinyModelsAndPlainCPUsStayInFP32) {
  // 2 x 8 x 8 x 8 operations do not pay for casts, 2 x 1024^3 do.
  auto isLow = [&](int extent, StringRef target) {
    std::string type = "tensor<" + std::to_string(extent) + "x" +
                       std::to_string(extent) + "xf32>";
    OwningOpRef<ModuleOp> module =
        parse("func.func @f(%x: " + type + ", %y: " + type + ") -> " + type +
              " {\n%0 = nn.matmul %x, %y : (" + type + ", " + type + ") -> " +
              type + "\nreturn %0 : " + type + "\n}");
    PrecisionPolicy policy;
    policy.low = Float16Type::get(&context);
    policy.target = *findPrecisionTarget(target);
    PrecisionAssignment assignment(functionOf(*module), policy);
    assignment.run();
    EXPECT_LE(assignment.getTotals().cost,
              target == "generic" ? INT64_MAX : assignment.getTotals().allFP32);
    bool low = false;
    assignment.forEachDecision(
        [&](const PrecisionAssignment::Decision &d) { low = d.low; });
    return low;
  };
  EXPECT_FALSE(isLow(8, "h100"));
  EXPECT_TRUE(isLow(4096, "h100"));
  EXPECT_FALSE(isLow(4096, "cpu-avx2"));
  EXPECT_TRUE(isLow(8, "generic"));
}

TEST_F(PrecisionAssignmentTest, FactsMoveOperationsBetweenClasses) {
  OwningOpRef<ModuleOp> module = parse(R"(
    func.func @f(%x: tensor<64x64xf32>) -> tensor<64x64xf32> {
      %0 = nn.matmul %x, %x : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
      %1 = nn.exp %0 : tensor<64x64xf32>
      %2 = nn.matmul %1, %x : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
      return %2 : tensor<64x64xf32>
    })");
  policy.target = PrecisionTarget();
  auto decisions = [&] {
    PrecisionAssignment assignment(functionOf(*module), policy);
    assignment.run();
    std::vector<std::string> result;
    assignment.forEachDecision([&](const PrecisionAssignment::Decision &d) {
      result.push_back((d.low ? "low: " : "fp32: ") + d.reason.str());
    });
    return result;
  };
  EXPECT_EQ(decisions()[1], "fp32: unsafe: exp overflows FP16 above 11.09");
  policy.fact = [](Operation *, FloatType) {
    return PrecisionFact{PrecisionFact::Safe, "its results lie in [0, 1]"};
  };
  EXPECT_EQ(decisions()[1], "low: proved safe in 16 bits: its results lie in "
                            "[0, 1] <- nn.matmul");
  policy.fact = [](Operation *op, FloatType) {
    return isa<nn::MatMulOp>(op)
               ? PrecisionFact{PrecisionFact::Overflows, "up to 1e6"}
               : PrecisionFact();
  };
  EXPECT_EQ(decisions()[0], "fp32: unsafe: a result overflows: up to 1e6");
  EXPECT_EQ(decisions()[1], "fp32: unsafe: exp overflows FP16 above 11.09");
}
