//===- VerifyLossScaling.cpp - Prove that the loss scale cancels out ------===//

#include "mpt/Transforms/Passes.h"

#include "mpt/Analysis/LossScalePowers.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"

namespace mpt {
#define GEN_PASS_DEF_VERIFYLOSSSCALINGPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;
using namespace mpt::mp;

/// The value before the casts that the compiler placed.
static Value lookThroughCasts(Value value) {
  while (auto cast = value.getDefiningOp<mp::CastOp>())
    value = cast.getInput();
  return value;
}

namespace {
/// Checks the state results of a scaled step: each is skipped as a whole when
/// any gradient is not finite.
class StateGuards {
public:
  explicit StateGuards(func::FuncOp function);
  LogicalResult verify();

private:
  LogicalResult verifyResult(unsigned index, Role role, Value value);
  LogicalResult verifyFlag(Operation *user, Value flag);
  InFlightDiagnostic errorAt(unsigned index, Role role, Value value);

  func::FuncOp function;
  /// The scaled gradients (before casts), each with its unscale.
  llvm::MapVector<Value, UnscaleOp> gradients;
  /// The state arguments by role and name.
  llvm::StringMap<BlockArgument> state;
  /// Flags found to cover every gradient, and those that do not.
  llvm::DenseMap<Value, bool> flags;
};
} // namespace

static std::string stateKey(Role role, StringRef name) {
  return (stringifyRole(role) + ":" + name).str();
}

StateGuards::StateGuards(func::FuncOp function) : function(function) {
  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    if (std::optional<Role> role = getArgRole(function, index))
      state.insert({stateKey(*role, getArgName(function, index)), argument});
  }
  function.walk([&](UnscaleOp unscale) {
    gradients.insert({lookThroughCasts(unscale.getGradient()), unscale});
  });
}

InFlightDiagnostic StateGuards::errorAt(unsigned index, Role role,
                                        Value value) {
  Operation *op = value.getDefiningOp();
  return emitError(op ? op->getLoc() : function.getLoc())
         << "the new value of '" << getResultName(function, index) << "' ("
         << stringifyRole(role) << ") ";
}

/// The flag is the conjunction of all_finite operations that together read
/// every gradient.
LogicalResult StateGuards::verifyFlag(Operation *user, Value flag) {
  auto known = flags.find(flag);
  if (known != flags.end())
    return known->second ? success()
                         : user->emitOpError(
                               "is guarded by a flag that does not cover every "
                               "gradient of the step");
  llvm::DenseSet<Value> checked;
  SmallVector<Value> pending{flag};
  llvm::DenseSet<Value> seen;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    if (auto both = value.getDefiningOp<arith::AndIOp>()) {
      pending.append({both.getLhs(), both.getRhs()});
      continue;
    }
    auto check = value.getDefiningOp<AllFiniteOp>();
    if (!check || value != check.getFinite()) {
      flags[flag] = false;
      InFlightDiagnostic diagnostic =
          user->emitOpError("is guarded by a flag that is not an "
                            "mp.all_finite of the step's gradients");
      diagnostic.attachNote(value.getLoc()) << "the flag comes from here";
      return diagnostic;
    }
    for (Value input : check.getInputs()) {
      checked.insert(lookThroughCasts(input));
      // Unscaling keeps infinities and NaNs.
      if (auto unscale = lookThroughCasts(input).getDefiningOp<UnscaleOp>())
        checked.insert(lookThroughCasts(unscale.getGradient()));
    }
  }
  for (auto [gradient, unscale] : gradients) {
    if (checked.contains(gradient))
      continue;
    flags[flag] = false;
    InFlightDiagnostic diagnostic =
        user->emitOpError("is guarded by a flag that does not check the "
                          "gradient of '")
        << unscale.getParameter() << "'";
    diagnostic.attachNote(flag.getLoc()) << "the flag comes from here";
    diagnostic.attachNote(unscale.getLoc()) << "the gradient it leaves out";
    return diagnostic;
  }
  flags[flag] = true;
  return success();
}

LogicalResult StateGuards::verifyResult(unsigned index, Role role,
                                        Value value) {
  StringRef name = getResultName(function, index);
  BlockArgument old = state.lookup(stateKey(role, name));
  if (value == old)
    return success();
  if (role == Role::LossScale) {
    auto update = value.getDefiningOp<UpdateScaleOp>();
    if (!update)
      return errorAt(index, role, value) << "is not defined by mp.update_scale";
    return verifyFlag(update, update.getFinite());
  }
  auto update = value.getDefiningOp<UpdateOp>();
  if (!update)
    return errorAt(index, role, value)
           << "is not defined by mp.update: a skipped step would change it";
  if (!update.getFinite())
    return update.emitOpError("of '")
           << name << "' (" << stringifyRole(role)
           << ") has no flag: a skipped step would change it";
  if (!old)
    return update.emitOpError("of '")
           << name << "': the step has no argument of that role and name";
  if (update.getOldValue() != old)
    return update.emitOpError("of '")
           << name << "' falls back to another value than its old one";
  return verifyFlag(update, update.getFinite());
}

LogicalResult StateGuards::verify() {
  Operation *terminator = function.getBody().front().getTerminator();
  LogicalResult result = success();
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    std::optional<Role> role = getResultRole(function, index);
    if (role && isStateRole(*role) && failed(verifyResult(index, *role, value)))
      result = failure();
  }
  return result;
}

/// Every result carries power 0, the scale itself power 1.
static LogicalResult verifyResultPowers(func::FuncOp function,
                                        const LossScalePowers &powers) {
  LogicalResult result = success();
  Operation *terminator = function.getBody().front().getTerminator();
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    if (!isa<FloatType>(getElementTypeOrSelf(value.getType())))
      continue;
    std::optional<Role> role = getResultRole(function, index);
    int64_t expected = role == Role::LossScale ? 1 : 0;
    ScalePower power = powers.lookup(value);
    if (power.fits(expected))
      continue;
    Operation *op = value.getDefiningOp();
    InFlightDiagnostic diagnostic =
        emitError(op ? op->getLoc() : terminator->getLoc())
        << "result '" << getResultName(function, index) << "'";
    if (role)
      diagnostic << " (" << stringifyRole(*role) << ")";
    diagnostic << " leaves the function with power " << power.get()
               << " of the loss scale, not " << expected;
    powers.explain(diagnostic, value);
    result = failure();
  }
  return result;
}

namespace {
struct VerifyLossScalingPass
    : mpt::impl::VerifyLossScalingPassBase<VerifyLossScalingPass> {
  void runOnOperation() override {
    markAllAnalysesPreserved();
    func::FuncOp function = getOperation();
    if (function.isDeclaration())
      return;
    LossScalePowers powers(function);
    if (failed(powers.run()))
      return signalPassFailure();
    if (!function.getBody().hasOneBlock())
      return;
    bool ok = succeeded(verifyResultPowers(function, powers));
    if (getLossScaleArgument(function))
      ok &= succeeded(StateGuards(function).verify());
    if (!ok)
      signalPassFailure();
  }
};
} // namespace
