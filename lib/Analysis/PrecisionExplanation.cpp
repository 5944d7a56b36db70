//===- PrecisionExplanation.cpp - Why what runs in which precision --------===//

#include "mpt/Analysis/PrecisionExplanation.h"

#include "mpt/Analysis/CarriedValues.h"
#include "mpt/Analysis/PrecisionAssignment.h"
#include "mpt/Analysis/RoundingErrors.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Interfaces/WorkOpInterface.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;
using namespace mpt;

using Precision = PrecisionExplanation::Precision;

StringRef mpt::stringifyPrecision(Precision precision) {
  switch (precision) {
  case Precision::FP32:
    return "f32";
  case Precision::F16:
    return "f16";
  case Precision::BF16:
    return "bf16";
  case Precision::Cast:
    return "cast";
  case Precision::Other:
    return "other";
  }
  return "other";
}

/// What a user can do about a decision, from what it says.
static StringRef describeChange(StringRef reason, bool low) {
  static constexpr std::pair<StringLiteral, StringLiteral> changes[] = {
      {"the user wants", "the policy, or fp32-ops and low-ops"},
      {"the user lets", "the policy"},
      {"pinned: ", "the attribute mp.pin on the operation"},
      {"no kernel: ", "a kernel and PrecisionOpInterface for this operation"},
      {"the model chose", "a float32 type in the model"},
      {"proved safe", "wider input ranges, or class fp32 in the policy"},
      {"unsafe: a constant operand",
       "a constant that 16 bits can hold, or low: "
       "bf16"},
      {"unsafe: reads a masking", "a mask of -inf instead of a huge number"},
      {"unsafe: around an epsilon", "a larger epsilon, low: bf16, or class low "
                                    "in the policy"},
      {"unsafe: powers that are summed",
       "input ranges that prove the powers small, low: bf16, or class low in "
       "the policy"},
      {"unsafe: reads a sum", "low: bf16, or class low in the policy"},
      {"masks for a softmax", "class fp32 in the policy"},
      {"unsafe: behind a finished", "nothing: the optimizer works in FP32"},
      {"unsafe: reads the loss scale", "nothing: a scale of 2^24 is no FP16 "
                                       "number"},
      {"unsafe: computes the loss", "class low in the policy"},
      {"unsafe: a result overflows", "narrower input ranges, or class low "
                                     "in the policy"},
      {"unsafe: ", "input ranges that prove its values safe, or class follow "
                   "in the policy"},
      {"slow: no low operation", "class low in the policy"},
      {"slow: in the low type", "fewer FP32 neighbours, a target with cheaper "
                                "traffic, or class low in the policy"},
      {"slow: not between", "strategy cut"},
  };
  for (auto [prefix, change] : changes)
    if (reason.starts_with(prefix))
      return change;
  return low ? "class fp32 in the policy" : "";
}

static int64_t countBytes(Type type, bool asF32) {
  Type element = getElementTypeOrSelf(type);
  if (!isa<FloatType>(element))
    return 0;
  unsigned bits = element.getIntOrFloatBitWidth();
  return countElements(type) * (asF32 && bits < 32 ? 4 : bits / 8);
}

namespace {
/// Builds the explanation of a function.
class Explainer {
public:
  explicit Explainer(FunctionOpInterface function)
      : function(function), errors(function) {}

  PrecisionExplanation run() {
    explanation.function = function.getName().str();
    explanation.expectedError = errors.getExpected();
    explanation.errorTolerance = errors.getTolerance();
    addRegion(function.getFunctionBody());
    for (uint32_t number = 0; number < operations.size(); ++number)
      resolveNeighbour(number);
    for (uint32_t number = 0; number < operations.size(); ++number)
      followChain(number);
    layOut();
    return std::move(explanation);
  }

private:
  void addRegion(Region &region);
  void add(Operation *op);
  mp::DecisionAttr summarizeCarried(Operation *op);
  void resolveNeighbour(uint32_t number);
  void followChain(uint32_t number);
  void layOut();

  FunctionOpInterface function;
  RoundingErrors errors;
  PrecisionExplanation explanation;
  std::vector<Operation *> operations;
  std::vector<StringRef> neighbours; // as reasons name them
  std::vector<uint32_t> because;
  llvm::DenseMap<Operation *, uint32_t> index;
};
} // namespace

/// An operation with regions comes behind what is in them: that is what it
/// reads.
void Explainer::addRegion(Region &region) {
  for (Block &block : region)
    for (Operation &op : block) {
      if (op.hasTrait<OpTrait::ConstantLike>() ||
          op.hasTrait<OpTrait::IsTerminator>())
        continue;
      if (op.getNumRegions() != 0 && isa<RegionBranchOpInterface>(op))
        for (Region &inner : op.getRegions())
          addRegion(inner);
      add(&op);
    }
}

/// One decision for all that an operation carries: low if anything is, with the
/// reason of the first value that is so.
mp::DecisionAttr Explainer::summarizeCarried(Operation *op) {
  SmallVector<mp::DecisionAttr> decisions = getCarriedDecisions(op);
  llvm::erase(decisions, mp::DecisionAttr());
  if (decisions.empty())
    return {};
  auto isLow = [](mp::DecisionAttr decision) { return decision.getLow(); };
  auto first = llvm::find_if(decisions, isLow);
  mp::DecisionAttr shown =
      first == decisions.end() ? decisions.front() : *first;
  size_t low = llvm::count_if(decisions, isLow);
  if (low == 0 || low == decisions.size())
    return shown;
  return mp::DecisionAttr::get(
      op->getContext(), shown.getType(), true,
      std::to_string(low) + " of " + std::to_string(decisions.size()) +
          " carried values: " + shown.getReason().str());
}

void Explainer::add(Operation *op) {
  uint32_t number = operations.size();
  index[op] = number;
  operations.push_back(op);
  PrecisionExplanation::Op entry;
  entry.type = op->getName().getStringRef().str();
  entry.name = getNodeName(op->getLoc()).str();
  for (Type type : op->getResultTypes()) {
    entry.fp32Bytes += countBytes(type, /*asF32=*/true);
    entry.bytes += countBytes(type, /*asF32=*/false);
  }
  for (Value result : op->getResults())
    entry.error = std::max(entry.error, errors.lookup(result));
  StringRef neighbour;
  auto decision =
      op->getAttrOfType<mp::DecisionAttr>(mp::MPDialect::kDecisionAttrName);
  if (mp::DecisionAttr carried = summarizeCarried(op))
    decision = carried;
  if (decision) {
    StringRef own;
    std::tie(own, neighbour) = decision.getReason().split(" <- ");
    entry.reason = own.str();
    entry.change = describeChange(own, decision.getLow()).str();
    entry.precision = !decision.getLow()            ? Precision::FP32
                      : decision.getType().isBF16() ? Precision::BF16
                                                    : Precision::F16;
    ++(decision.getLow() ? explanation.lowOps : explanation.fp32Ops);
  } else if (auto cast = dyn_cast<mp::CastOp>(op)) {
    entry.precision = Precision::Cast;
    entry.reason = "carries decisions out: its operand and its users differ";
    ++explanation.casts;
    explanation.castBytes +=
        countBytes(cast.getInput().getType(), false) + entry.bytes;
    entry.fp32Bytes = 0;
  }
  explanation.fp32Bytes += entry.fp32Bytes;
  explanation.bytes += entry.bytes;

  llvm::SmallDenseSet<uint32_t, 8> seen;
  auto addInput = [&](Value value) {
    // What a region is given comes from in front of its operation, so that
    // nothing is drawn in a circle.
    auto it = index.find(value.getDefiningOp());
    if (it == index.end() || !seen.insert(it->second).second)
      return;
    entry.inputs.push_back(it->second);
    entry.layer = std::max(entry.layer, explanation.ops[it->second].layer + 1);
  };
  for (Value operand : op->getOperands())
    addInput(operand);
  if (op->getNumRegions() != 0 && isa<RegionBranchOpInterface>(op))
    for (Region &region : op->getRegions())
      for (Block &block : region)
        if (!block.empty() && block.back().hasTrait<OpTrait::IsTerminator>())
          for (Value operand : block.back().getOperands())
            addInput(operand);
  explanation.ops.push_back(std::move(entry));
  neighbours.push_back(neighbour);
}

/// The operation beside this one, or on the other side of a cast, that its
/// reason names.
void Explainer::resolveNeighbour(uint32_t number) {
  because.push_back(~0u);
  StringRef wanted = neighbours[number];
  if (wanted.empty())
    return;
  auto matches = [&](Operation *op) {
    auto it = index.find(op);
    if (it == index.end() || describeOperation(op) != wanted)
      return false;
    because[number] = it->second;
    return true;
  };
  auto behindCast = [](Value value) {
    while (auto cast = value.getDefiningOp<mp::CastOp>())
      value = cast.getInput();
    return getSourceOperation(value);
  };
  Operation *op = operations[number];
  bool hasBranches =
      op->getNumRegions() != 0 && isa<RegionBranchOpInterface>(op);
  for (Value operand : op->getOperands())
    if (Operation *producer = behindCast(operand);
        producer && matches(producer))
      return;
  SmallVector<Value> given(op->getResults());
  if (hasBranches)
    for (Region &region : op->getRegions())
      for (Block &block : region) {
        llvm::append_range(given, block.getArguments());
        if (!block.empty())
          for (Value operand : block.back().getOperands())
            if (Operation *producer = behindCast(operand);
                producer && matches(producer))
              return;
      }
  // Values with very many users are not searched through.
  constexpr int kMostUsers = 64;
  int users = 0;
  for (Value result : given)
    for (Operation *user : result.getUsers()) {
      if (++users > kMostUsers)
        return;
      if (matches(user) || (user->hasTrait<OpTrait::IsTerminator>() &&
                            matches(user->getParentOp())))
        return;
      if (isa<mp::CastOp>(user))
        for (Operation *further : user->getUsers())
          if (++users > kMostUsers || matches(further))
            return;
    }
}

void Explainer::followChain(uint32_t number) {
  constexpr size_t kLongest = 32;
  std::vector<uint32_t> &chain = explanation.ops[number].chain;
  for (uint32_t next = because[number];
       next != ~0u && next != number && chain.size() < kLongest;
       next = because[next])
    chain.push_back(next);
}

/// Rows are the longest ways from what reads nothing. What reads nothing itself
/// (the cast of a parameter) stands right above its first reader.
void Explainer::layOut() {
  std::vector<PrecisionExplanation::Op> &ops = explanation.ops;
  std::vector<uint32_t> firstReader(ops.size(), ~0u);
  for (const PrecisionExplanation::Op &op : ops)
    for (uint32_t input : op.inputs)
      firstReader[input] = std::min(firstReader[input], op.layer);
  std::vector<uint32_t> sizes;
  for (uint32_t number = 0; number < ops.size(); ++number) {
    PrecisionExplanation::Op &op = ops[number];
    if (op.inputs.empty() && firstReader[number] != ~0u)
      op.layer = firstReader[number] - 1;
    if (sizes.size() <= op.layer)
      sizes.resize(op.layer + 1, 0);
    op.place = sizes[op.layer]++;
  }
}

PrecisionExplanation mpt::explainPrecision(FunctionOpInterface function) {
  return Explainer(function).run();
}
