//===- AssignPrecision.cpp - Decide which operations run in 16 bits
//--------===//

#include "mpt/Transforms/Passes.h"

#include "mpt/Analysis/PrecisionAssignment.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Regex.h"

namespace mpt {
#define GEN_PASS_DEF_ASSIGNPRECISIONPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;
using namespace mpt::mp;

namespace {

/// Names of operations and regular expressions over node names.
class OpMatcher {
public:
  /// False, and a text in `error`, for a bad regular expression.
  bool add(StringRef text, std::string &error) {
    names.insert(text);
    auto regex = std::make_unique<llvm::Regex>(("^(" + text + ")$").str());
    if (!regex->isValid(error))
      return false;
    expressions.push_back({text.str(), std::move(regex)});
    return true;
  }

  /// The text that matches the operation, or "".
  std::string match(Operation *op) const {
    StringRef name = op->getName().getStringRef();
    if (names.contains(name))
      return name.str();
    if (names.contains(op->getName().stripDialect()))
      return op->getName().stripDialect().str();
    StringRef node = getNodeName(op->getLoc());
    if (!node.empty())
      for (auto &[text, regex] : expressions)
        if (regex->match(node))
          return text;
    return "";
  }

private:
  llvm::StringSet<> names;
  std::vector<std::pair<std::string, std::unique_ptr<llvm::Regex>>> expressions;
};

struct AssignPrecisionPass
    : mpt::impl::AssignPrecisionPassBase<AssignPrecisionPass> {
  using Base::Base;

  LogicalResult initialize(MLIRContext *context) override;
  void runOnOperation() override;

private:
  void decideSignature(func::FuncOp function);

  FloatType lowType;
  // Shared by the copies of the pass that run on several threads.
  std::shared_ptr<OpMatcher> inFP32, inLow;
};

} // namespace

LogicalResult AssignPrecisionPass::initialize(MLIRContext *context) {
  Location unknown = UnknownLoc::get(context);
  if (low == "f16")
    lowType = Float16Type::get(context);
  else if (low == "bf16")
    lowType = BFloat16Type::get(context);
  else
    return emitError(unknown) << "mpt-assign-precision: unknown low type '"
                              << low << "', use f16 or bf16";
  auto fill = [&](std::shared_ptr<OpMatcher> &matcher,
                  ArrayRef<std::string> texts,
                  StringRef option) -> LogicalResult {
    matcher = std::make_shared<OpMatcher>();
    std::string error;
    for (const std::string &text : texts)
      if (!matcher->add(text, error))
        return emitError(unknown)
               << "mpt-assign-precision: " << option << ": '" << text
               << "' is no regular expression: " << error;
    return success();
  };
  return success(succeeded(fill(inFP32, fp32Ops, "fp32-ops")) &&
                 succeeded(fill(inLow, lowOps, "low-ops")));
}

/// Inputs that only low operations read, and outputs that low operations write,
/// become low themselves.
void AssignPrecisionPass::decideSignature(func::FuncOp function) {
  auto isLow = [](Operation *op) {
    auto decision =
        op->getAttrOfType<DecisionAttr>(MPDialect::kDecisionAttrName);
    return decision && decision.getLow();
  };
  auto decision =
      DecisionAttr::get(&getContext(), lowType, true,
                        "keep-io=false: a low operation is behind it");
  for (BlockArgument argument : function.getArguments()) {
    unsigned number = argument.getArgNumber();
    std::optional<Role> role = getArgRole(function, number);
    if (!isF32Tensor(argument.getType()) || (role && *role != Role::Input))
      continue;
    bool low = !argument.use_empty() &&
               llvm::all_of(argument.getUses(), [&](OpOperand &use) {
                 return isLow(use.getOwner()) && isFlexibleOperand(use);
               });
    if (low)
      function.setArgAttr(number, MPDialect::kDecisionAttrName, decision);
  }
  if (!function.getBody().hasOneBlock())
    return;
  Operation *terminator = function.getBody().front().getTerminator();
  for (auto [number, value] : llvm::enumerate(terminator->getOperands())) {
    std::optional<Role> role = getResultRole(function, number);
    auto result = dyn_cast<OpResult>(value);
    if (!result || !isF32Tensor(value.getType()) ||
        (role && *role != Role::Output))
      continue;
    if (isLow(result.getOwner()) && isFlexibleResult(result))
      function.setResultAttr(number, MPDialect::kDecisionAttrName, decision);
  }
}

void AssignPrecisionPass::runOnOperation() {
  func::FuncOp function = getOperation();
  markAllAnalysesPreserved();
  if (function.isDeclaration())
    return;
  PrecisionPolicy policy;
  policy.low = lowType;
  policy.wantsFP32 = [this](Operation *op) { return inFP32->match(op); };
  policy.wantsLow = [this](Operation *op) { return inLow->match(op); };
  for (const auto &decision : PrecisionAssignment(function, policy).run()) {
    ++(decision.low ? numLow : numFP32);
    // The low type of an earlier run stands with its decision.
    auto attr = DecisionAttr::get(&getContext(), lowType, decision.low,
                                  decision.reason);
    auto earlier =
        decision.op->getAttrOfType<DecisionAttr>(MPDialect::kDecisionAttrName);
    if (earlier && function->hasAttr(MPDialect::kCastsInsertedAttrName))
      continue;
    decision.op->setAttr(MPDialect::kDecisionAttrName, attr);
  }
  if (!keepIO && !function->hasAttr(MPDialect::kCastsInsertedAttrName))
    decideSignature(function);
}
