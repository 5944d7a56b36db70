//===- AssignPrecision.cpp - Decide which operations run in 16 bits -------===//

#include "mpt/Transforms/Passes.h"

#include "PrecisionDemands.h"
#include "mpt/Analysis/PolicyFile.h"
#include "mpt/Analysis/PrecisionAssignment.h"
#include "mpt/Analysis/PrecisionFacts.h"
#include "mpt/Analysis/TensorProfile.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"

#include "llvm/ADT/MapVector.h"

namespace mpt {
#define GEN_PASS_DEF_ASSIGNPRECISIONPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;
using namespace mpt::mp;

/// By how much values may leave what was measured, as in mpt-infer-ranges.
static constexpr double kProfileMargin = 4;

namespace {

struct AssignPrecisionPass
    : mpt::impl::AssignPrecisionPassBase<AssignPrecisionPass> {
  using Base::Base;

  LogicalResult initialize(MLIRContext *context) override;
  void runOnOperation() override;

private:
  using Error = llvm::function_ref<InFlightDiagnostic()>;
  LogicalResult setTypes(StringRef low, MLIRContext *context, Error error);
  LogicalResult setTarget(StringRef name, Error error);
  LogicalResult setDemands(const PolicyFile &file, Error error);
  void decideSignature(func::FuncOp function);

  PrecisionPolicy policy;
  // Shared by the copies of the pass that run on several threads.
  std::shared_ptr<PrecisionDemands> demands;
  std::shared_ptr<TensorProfile> measured;
};

} // namespace

/// "f16", "bf16" or null.
static FloatType parseLowType(MLIRContext *context, StringRef name) {
  if (name == "f16")
    return Float16Type::get(context);
  if (name == "bf16")
    return BFloat16Type::get(context);
  return {};
}

LogicalResult AssignPrecisionPass::setTypes(StringRef low, MLIRContext *context,
                                            Error error) {
  auto [forward, backward] = low.split('/');
  policy.low = parseLowType(context, forward);
  policy.lowBackward =
      backward.empty() ? policy.low : parseLowType(context, backward);
  if (!policy.low || !policy.lowBackward)
    return error() << "unknown low type '" << low
                   << "', use f16 or bf16, or f16/bf16 for forward/backward";
  return success();
}

LogicalResult AssignPrecisionPass::setTarget(StringRef name, Error error) {
  std::optional<PrecisionTarget> machine = findPrecisionTarget(name);
  if (!machine)
    return error() << "unknown target '" << name << "', use one of "
                   << listPrecisionTargets();
  policy.target = *machine;
  return success();
}

static PrecisionDemand toDemand(PolicyFile::Class wanted) {
  switch (wanted) {
  case PolicyFile::Class::Default:
    return PrecisionDemand::None;
  case PolicyFile::Class::FP32:
    return PrecisionDemand::FP32;
  case PolicyFile::Class::Low:
    return PrecisionDemand::Low;
  case PolicyFile::Class::Follow:
    return PrecisionDemand::Follow;
  }
  return PrecisionDemand::None;
}

/// The file's rules, then the options of the pass, which win.
LogicalResult AssignPrecisionPass::setDemands(const PolicyFile &file,
                                              Error error) {
  demands = std::make_shared<PrecisionDemands>();
  std::string problem;
  auto inFile = [&](const PolicyFile::Rule &rule) {
    return error() << file.path << ":" << rule.line << ": '" << rule.text
                   << "' is no regular expression: " << problem;
  };
  // A rule of a preset has no line.
  auto where = [&](const PolicyFile::Rule &rule) {
    return file.path.empty() || rule.line == 0
               ? std::string()
               : file.path + ":" + std::to_string(rule.line);
  };
  for (const auto &[type, rule] : file.ops)
    demands->addType(type, toDemand(rule.wanted), rule.fp32Operands,
                     where(rule));
  for (const PolicyFile::Rule &rule : file.nodes)
    if (!demands->addNode(rule.text, rule.regex, toDemand(rule.wanted),
                          rule.fp32Operands, problem, where(rule)))
      return inFile(rule);
  for (const PolicyFile::Rule &rule : file.fp32Tensors)
    if (!demands->addTensor(rule.text, rule.regex, problem, where(rule)))
      return inFile(rule);
  auto add = [&](ArrayRef<std::string> texts, PrecisionDemand demand,
                 StringRef option) -> LogicalResult {
    for (StringRef text : texts) {
      demands->addType(text, demand, {}, option);
      if (!demands->addNode(text, text, demand, {}, problem, option))
        return error() << option << ": '" << text
                       << "' is no regular expression: " << problem;
    }
    return success();
  };
  return success(succeeded(add(lowOps, PrecisionDemand::Low, "low-ops")) &&
                 succeeded(add(fp32Ops, PrecisionDemand::FP32, "fp32-ops")));
}

LogicalResult AssignPrecisionPass::initialize(MLIRContext *context) {
  auto error = [&] {
    return emitError(UnknownLoc::get(context)) << "mpt-assign-precision: ";
  };
  PolicyFile file;
  if (!policyName.empty()) {
    std::string problem;
    std::optional<PolicyFile> read = readPolicy(policyName, problem);
    if (!read)
      return error() << problem;
    file = std::move(*read);
  }
  if (failed(setTypes(low.empty() ? file.low.value_or("f16") : low.getValue(),
                      context, error)))
    return failure();
  std::string wanted =
      strategy.empty() ? file.strategy.value_or("cut") : strategy.getValue();
  if (wanted != "cut" && wanted != "paint")
    return error() << "unknown strategy '" << wanted << "', use cut or paint";
  policy.strategy =
      wanted == "cut" ? PrecisionStrategy::Cut : PrecisionStrategy::Paint;
  if (!target.empty()) {
    if (failed(setTarget(target, error)))
      return failure();
  } else if (file.target) {
    auto inFile = [&] {
      return error() << file.path << ":" << file.target->line << ": ";
    };
    if (failed(setTarget(
            file.target->name.empty() ? "generic" : file.target->name, inFile)))
      return failure();
    PrecisionTarget &machine = policy.target;
    const PolicyFile::Target &given = *file.target;
    machine.bandwidth = given.bandwidth.value_or(machine.bandwidth);
    machine.flopsF32 = given.flopsF32.value_or(machine.flopsF32);
    machine.flopsF16 = given.flopsF16.value_or(machine.flopsF16);
    machine.flopsBF16 = given.flopsBF16.value_or(machine.flopsBF16);
    machine.castOverhead = given.castOverhead.value_or(machine.castOverhead);
    machine.alwaysLow = given.alwaysLow.value_or(machine.alwaysLow);
  }
  policy.keepIO = keepIO && file.keepIO.value_or(true);
  policy.widenResults = widenResults;
  policy.constantsMayVanish = file.constantsMayVanish.value_or(false);
  policy.maxAbs = file.maxAbs;
  if (!profile.empty()) {
    std::string problem;
    std::optional<TensorProfile> read = TensorProfile::read(profile, problem);
    if (!read)
      return error() << problem;
    measured = std::make_shared<TensorProfile>(std::move(*read));
  }
  return setDemands(file, error);
}

/// Inputs that only low operations read, and outputs that low operations write,
/// become low themselves.
void AssignPrecisionPass::decideSignature(func::FuncOp function) {
  CarriedDecisions carried(function);
  auto isLow = [&](DecisionAttr decision) {
    return decision && decision.getLow() && decision.getType() == policy.low;
  };
  auto decisionOf = [](Operation *op) {
    return op->getAttrOfType<DecisionAttr>(MPDialect::kDecisionAttrName);
  };
  auto decision =
      DecisionAttr::get(&getContext(), policy.low, true,
                        "keep-io=false: a low operation is behind it");
  for (BlockArgument argument : function.getArguments()) {
    unsigned number = argument.getArgNumber();
    std::optional<Role> role = getArgRole(function, number);
    if (!isF32Tensor(argument.getType()) || (role && *role != Role::Input))
      continue;
    bool low =
        !argument.use_empty() &&
        llvm::all_of(argument.getUses(), [&](OpOperand &use) {
          return isLow(carried.lookup(use)) ||
                 (isLow(decisionOf(use.getOwner())) && isFlexibleOperand(use));
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
    if (isLow(carried.lookup(value)) ||
        (isLow(decisionOf(result.getOwner())) && isFlexibleResult(result)))
      function.setResultAttr(number, MPDialect::kDecisionAttrName, decision);
  }
}

void AssignPrecisionPass::runOnOperation() {
  func::FuncOp function = getOperation();
  markAllAnalysesPreserved();
  if (function.isDeclaration())
    return;
  demands->warnOfIdleRules(function);
  if (!demands->empty())
    policy.demand = [this](Operation *op, std::string &text) {
      return demands->find(op, text);
    };
  if (demands->hasTensors())
    policy.pinned = [this, function](Value value) {
      return demands->findTensor(value, function);
    };
  std::optional<PrecisionFacts> facts;
  if (useRanges || measured) {
    RangeSeeds seeds;
    if (measured)
      seeds.measured = seedFromProfile(function, *measured, kProfileMargin);
    facts.emplace(function, std::move(seeds));
    policy.fact = [&](Operation *op, FloatType type) {
      return facts->lookup(op, type);
    };
    policy.prove = [&](Operation *op, FloatType type) {
      return facts->prove(op, type);
    };
  }
  PrecisionAssignment assignment(function, policy);
  assignment.run();
  bool inserted = function->hasAttr(MPDialect::kCastsInsertedAttrName);
  llvm::MapVector<Operation *, SmallVector<Attribute>> carried;
  assignment.forEachDecision(
      [&](const PrecisionAssignment::Decision &decision) {
        bool isChain = decision.chain != PrecisionProblem::kNone;
        // The low type of an earlier run stands with its decision.
        if (inserted &&
            decision.op->hasAttr(isChain ? kCarriedAttrName
                                         : MPDialect::kDecisionAttrName))
          return;
        auto attribute = DecisionAttr::get(&getContext(), decision.type,
                                           decision.low, decision.reason);
        if (isChain)
          carried[decision.op].push_back(attribute);
        else
          decision.op->setAttr(MPDialect::kDecisionAttrName, attribute);
      });
  for (auto &[op, decisions] : carried)
    op->setAttr(kCarriedAttrName, ArrayAttr::get(&getContext(), decisions));
  if (!policy.keepIO && !inserted)
    decideSignature(function);
}
