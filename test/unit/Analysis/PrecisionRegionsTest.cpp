//===- PrecisionRegionsTest.cpp - One cut through control flow ------------===//
//
// As PrecisionAssignmentTest.cpp, for functions with branches and loops: every
// assignment of operations and carried values is carried out, and the bytes
// that the rewritten function moves are counted, each as often as its region
// runs.
//
//===----------------------------------------------------------------------===//

#include "PrecisionTest.h"

#include "mpt/Analysis/CarriedValues.h"

#include <random>

using namespace mlir;
using namespace mpt;

namespace {

constexpr char kType[] = "tensor<8x8xf32>";

class PrecisionRegionsTest : public PrecisionTest {
protected:
  /// Decides operations and chains in the order of the assignment.
  void decideAll(func::FuncOp function,
                 llvm::function_ref<bool(unsigned)> isLow) {
    unsigned number = 0;
    auto next = [&] {
      return mp::DecisionAttr::get(&context, policy.low, isLow(number++),
                                   "test");
    };
    walkControlFlow(
        function.getBody(), [](Block &) {},
        [&](Operation *op) {
          if (takesPrecision(op))
            op->setAttr(mp::MPDialect::kDecisionAttrName, next());
          SmallVector<Attribute> carried;
          for (size_t i = getCarriedChains(op).size(); i > 0; --i)
            carried.push_back(next());
          if (!carried.empty())
            op->setAttr(kCarriedAttrName, ArrayAttr::get(&context, carried));
        });
  }
};

/// Random functions with branches and loops.
class Generator {
public:
  explicit Generator(std::mt19937 &random) : random(random) {}

  std::string makeFunction(int operations) {
    std::vector<std::string> values = {"%x", "%y"};
    std::string body = makeBody(values, operations, 0);
    return "func.func @f(%x: tensor<8x8xf32>, %y: tensor<8x8xf32>, %n: index, "
           "%cond: i1) -> tensor<8x8xf32> {\n"
           "%c0 = arith.constant 0 : index\n%c1 = arith.constant 1 : index\n"
           "%c3 = arith.constant 3 : index\n" +
           body + "return " + values.back() + " : tensor<8x8xf32>\n}";
  }

private:
  int upTo(int max) {
    return std::uniform_int_distribution<int>(0, max)(random);
  }
  std::string pick(const std::vector<std::string> &values) {
    int last = values.size() - 1;
    return values[std::max(0, last - upTo(std::min(last, 3)))];
  }

  std::string makeBody(std::vector<std::string> &values, int operations,
                       int depth) {
    std::string body;
    const std::string type = kType;
    for (int i = 0; i < operations; ++i) {
      std::string name = "%v" + std::to_string(next++);
      std::string a = pick(values), b = pick(values);
      switch (upTo(depth < 2 ? 8 : 4)) {
      case 0:
      case 1:
        body += name + " = nn.matmul " + a + ", " + b + " : (" + type + ", " +
                type + ") -> " + type + "\n";
        break;
      case 2:
        body += name + " = nn.add " + a + ", " + b + " : " + type + ", " +
                type + "\n";
        break;
      case 3:
        body += name + " = nn.exp " + a + " : " + type + "\n";
        break;
      case 4:
        body += name + " = nn.relu " + a + " : " + type + "\n";
        break;
      case 5:
        body += makeIf(name, values, depth);
        break;
      case 6:
        body += makeWhile(name, a, values, depth);
        break;
      default:
        body += makeFor(name, a, b, values, depth);
      }
      values.push_back(name);
    }
    return body;
  }

  std::string makeIf(const std::string &name,
                     const std::vector<std::string> &outer, int depth) {
    std::string text = name + " = scf.if %cond -> (tensor<8x8xf32>) {\n";
    for (int branch = 0; branch < 2; ++branch) {
      std::vector<std::string> values = outer;
      text += makeBody(values, upTo(2), depth + 1) + "scf.yield " +
              pick(values) + " : tensor<8x8xf32>\n}" +
              (branch ? "" : " else {\n");
    }
    return text + " {trips = 0.5}\n";
  }

  std::string makeFor(const std::string &name, const std::string &a,
                      const std::string &b,
                      const std::vector<std::string> &outer, int depth) {
    bool known = upTo(1), two = upTo(2) == 0;
    std::string p = name + "p", q = name + "q";
    std::vector<std::string> values = outer;
    values.push_back(p);
    if (two)
      values.push_back(q);
    std::string body = makeBody(values, upTo(2), depth + 1);
    std::string types = two ? "tensor<8x8xf32>, tensor<8x8xf32>" : kType;
    return name + (two ? ":2" : "") + " = scf.for %i" + name.substr(1) +
           " = %c0 to " + (known ? "%c3" : "%n") + " step %c1 iter_args(" + p +
           " = " + a + (two ? ", " + q + " = " + b : "") + ") -> (" + types +
           ") {\n" + body + "scf.yield " + pick(values) +
           (two ? ", " + pick(values) : "") + " : " + types +
           "\n} {trips = " + (known ? "3.0" : "8.0") + "}\n";
  }

  std::string makeWhile(const std::string &name, const std::string &a,
                        const std::vector<std::string> &outer, int depth) {
    std::string p = name + "p", q = name + "q";
    std::vector<std::string> before = outer, after = outer;
    before.push_back(p);
    after.push_back(q);
    std::string first = makeBody(before, upTo(1), depth + 1);
    std::string second = makeBody(after, upTo(2), depth + 1);
    return name + " = scf.while (" + p + " = " + a +
           ") : (tensor<8x8xf32>) -> tensor<8x8xf32> {\n" + first +
           "scf.condition(%cond) " + pick(before) +
           " : tensor<8x8xf32>\n} do {\n^bb0(" + q + ": tensor<8x8xf32>):\n" +
           second + "scf.yield " + pick(after) +
           " : tensor<8x8xf32>\n} attributes {trips = 8.0}\n";
  }

  std::mt19937 &random;
  int next = 0;
};

} // namespace

TEST_F(PrecisionRegionsTest, MovesTheFewestBytesOfAllAssignments) {
  std::mt19937 random(7);
  int decided = 0, carriedLow = 0;
  for (int i = 0; i < 600; ++i) {
    policy.widenResults = i % 2;
    std::string text = Generator(random).makeFunction(2 + i % 4);
    SCOPED_TRACE(text);
    OwningOpRef<ModuleOp> module = parse(text);
    ASSERT_TRUE(module);
    PrecisionAssignment assignment(functionOf(*module), policy);
    assignment.run();
    std::vector<bool> chosen;
    std::vector<unsigned> free;
    bool anyCarriedLow = false;
    assignment.forEachDecision([&](const PrecisionAssignment::Decision &d) {
      if (d.low || d.reason.starts_with("slow: in the low"))
        free.push_back(chosen.size());
      chosen.push_back(d.low);
      anyCarriedLow |= d.low && d.chain != PrecisionProblem::kNone;
    });
    if (free.empty() || free.size() > 9)
      continue;

    auto moveBytes = [&](auto isLow) {
      OwningOpRef<ModuleOp> copy = module->clone();
      decideAll(functionOf(*copy), isLow);
      insertCasts(*copy);
      return countTraffic(functionOf(*copy));
    };
    expectFewestBytes(assignment, chosen, free, moveBytes);
    ++decided;
    carriedLow += anyCarriedLow;
    if (HasFailure())
      return;
  }
  // The test is about something.
  EXPECT_GT(decided, 150);
  EXPECT_GT(carriedLow, 50);
}

TEST_F(PrecisionRegionsTest, ChainsOfALoopThatRunsOnceAgree) {
  // With one trip nothing goes around and with none nothing goes in, but the
  // operation's types must agree all the same.
  for (StringRef bound : {"0", "1", "5"}) {
    OwningOpRef<ModuleOp> module =
        parse("func.func @f(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {\n"
              "%c0 = arith.constant 0 : index\n%c1 = arith.constant 1 : index\n"
              "%n = arith.constant " +
              bound.str() +
              " : index\n"
              "%0 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> "
              "(tensor<8x8xf32>) {\n"
              "%1 = nn.relu %a : tensor<8x8xf32>\n"
              "scf.yield %1 : tensor<8x8xf32>\n}\n"
              "return %0 : tensor<8x8xf32>\n}");
    Operation *loop = nullptr;
    module->walk([&](scf::ForOp op) { loop = op; });
    SmallVector<CarriedChain> chains = getCarriedChains(loop);
    ASSERT_EQ(chains.size(), 1u);
    EXPECT_EQ(chains[0].operands.size(), 2u); // initial and yielded value
    EXPECT_EQ(chains[0].inputs.size(), 2u);   // argument and result
    EXPECT_TRUE(onlyCarriesFloats(loop));
    EXPECT_EQ(
        estimateTrips(cast<RegionBranchOpInterface>(loop), loop->getRegion(0)),
        std::stod(bound.str()));
  }
}
