//===- Rematerialize.cpp - Compute again instead of keeping ---------------===//
//
// The network. For every operation o of the forward pass a node "o runs again
// in the backward pass", for every result v a node "the backward pass needs v":
//
//   source -> v           (infinite)  the backward pass reads v
//   v -> o                (bytes)     v is needed: keep it, or run o again
//   o -> v'               (infinite)  running o again needs its operands v'
//   o -> sink             (price)     what running o again costs
//
// Arguments and constants are always there and have no node. A minimum cut
// separates what runs again (source side) from what does not; the arcs v -> o
// in it are the values kept. The formulation is that of PyTorch's
// min_cut_rematerialization_partition (torch/_functorch/partitioners.py) with
// a price for repeating instead of bans.
//
//===----------------------------------------------------------------------===//

#include "mpt/Transforms/Passes.h"

#include "RecomputePlan.h"
#include "mpt/Analysis/FlopCount.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/MP/IR/StepAttributes.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "llvm/Support/Format.h"

#include <cmath>

namespace mpt {
#define GEN_PASS_DEF_REMATERIALIZEPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;

/// The largest peak of live bytes: bytes, or a fraction of today's.
static std::optional<int64_t> parseBudget(StringRef text, int64_t today) {
  StringRef digits = text.trim();
  double unit = 1;
  bool isFraction = false;
  if (digits.consume_back("GiB"))
    unit = 1 << 30;
  else if (digits.consume_back("MiB"))
    unit = 1 << 20;
  else if (digits.consume_back("KiB"))
    unit = 1 << 10;
  else if (digits.consume_back("%"))
    unit = 0.01, isFraction = true;
  else if (!digits.consume_back("B"))
    isFraction = digits.contains('.');
  double value = 0;
  if (digits.trim().getAsDouble(value) || !(value > 0) || std::isinf(value) ||
      (isFraction && value * unit > 1))
    return std::nullopt;
  return static_cast<int64_t>(value * unit * (isFraction ? today : 1));
}

namespace {

struct RematerializePass : mpt::impl::RematerializePassBase<RematerializePass> {
  using Base::Base;

  void runOnOperation() override;

private:
  std::optional<RecomputePlan> choose(const RecomputeProblem &problem,
                                      const RecomputePlan &today);
};

} // namespace

/// The cheapest plan within the budget; without a budget, or where none is
/// within, the one with the smallest peak.
std::optional<RecomputePlan>
RematerializePass::choose(const RecomputeProblem &problem,
                          const RecomputePlan &today) {
  std::optional<int64_t> limit;
  if (!budget.empty()) {
    limit = parseBudget(budget, today.peak);
    if (!limit) {
      emitError(getOperation().getLoc())
          << "budget should be bytes like 64MiB or a fraction like 0.35, is '"
          << budget.getValue() << "'";
      return std::nullopt;
    }
  }
  const double mostFlops = maxFlops * static_cast<double>(today.flops);
  RecomputePlan best = today;
  auto meets = [&](const RecomputePlan &plan) {
    return limit && plan.peak <= *limit;
  };
  // False if the plan repeats too much.
  auto consider = [&](RecomputePlan plan) {
    if (static_cast<double>(plan.flops) > mostFlops)
      return false;
    // Within the budget the flops count, before that the memory.
    bool better = meets(plan) != meets(best) ? meets(plan)
                  : meets(plan) ? std::pair(plan.flops, plan.peak) <
                                      std::pair(best.flops, best.peak)
                                : std::pair(plan.peak, plan.kept) <
                                      std::pair(best.peak, best.kept);
    if (better)
      best = std::move(plan);
    return true;
  };
  // What moving a byte again costs, against keeping one. Low prices keep less,
  // but may repeat long chains that all live at the same time; so the cuts for
  // several prices compete by their peaks.
  static constexpr double kTrafficPrices[] = {0.45, 0.3, 0.2, 0.1, 0.05, 0.02};
  for (double traffic : kTrafficPrices)
    consider(problem.solve({traffic, std::nullopt}));
  if (!limit || meets(best))
    return best;
  // Bytes that a flop must save: from no contraction worth it to all of them,
  // or to more flops than are allowed: lower prices only add to them.
  for (double flop = 1; flop > 1e-5; flop /= 1.7) {
    bool any = false;
    for (double traffic : {0.3, 0.1, 0.02})
      any |= consider(problem.solve({traffic, flop}));
    if (meets(best) || !any)
      break;
  }
  return best;
}

void RematerializePass::runOnOperation() {
  func::FuncOp function = getOperation();
  if (function.isDeclaration() || !function.getBody().hasOneBlock() ||
      function->hasAttr(mp::kRematerializedAttrName))
    return markAllAnalysesPreserved();
  if (!(maxFlops >= 1) || std::isinf(maxFlops)) {
    emitError(function.getLoc()) << "max-flops should be at least 1";
    return signalPassFailure();
  }
  if (scope != "all" && scope != "inputs") {
    emitError(function.getLoc())
        << "scope should be all or inputs, is '" << scope.getValue() << "'";
    return signalPassFailure();
  }
  RecomputeProblem problem(function);
  if (!problem.hasBackwardPass())
    return markAllAnalysesPreserved();
  if (scope == "inputs") {
    problem.repeatInputCasts();
    return;
  }
  RecomputePlan today = problem.evaluateToday();
  std::optional<RecomputePlan> plan = choose(problem, today);
  if (!plan)
    return signalPassFailure();
  const int64_t copies = problem.apply(*plan);
  auto mebibytes = [](int64_t bytes) {
    std::string text;
    llvm::raw_string_ostream(text)
        << llvm::format("%.2f MiB", static_cast<double>(bytes) / (1 << 20));
    return text;
  };
  std::string flops;
  llvm::raw_string_ostream(flops) << llvm::format(
      "%.3f", static_cast<double>(plan->flops) /
                  static_cast<double>(std::max<int64_t>(today.flops, 1)));
  InFlightDiagnostic remark = emitRemark(function.getLoc());
  remark << "keeps " << mebibytes(plan->kept)
         << " for the backward pass instead of " << mebibytes(today.kept)
         << ", at its peak " << mebibytes(plan->peak) << " instead of "
         << mebibytes(today.peak) << "; " << copies
         << " operations are repeated, " << flops << " times the flops";
  if (!budget.empty() && plan->peak > *parseBudget(budget, today.peak))
    remark << "; the budget of '" << budget.getValue()
           << "' cannot be met within max-flops";
  OpBuilder b(&getContext());
  auto number = [&](StringRef name, int64_t value) {
    return b.getNamedAttr(name, b.getI64IntegerAttr(value));
  };
  function->setAttr(mp::kRematerializedAttrName,
                    b.getDictionaryAttr({number("copies", copies),
                                         number("flops_after", plan->flops),
                                         number("flops_before", today.flops),
                                         number("kept_after", plan->kept),
                                         number("kept_before", today.kept),
                                         number("peak_after", plan->peak),
                                         number("peak_before", today.peak)}));
}
