//===- InsertCasts.cpp - Carry the precision decisions out ----------------===//

#include "mpt/Transforms/Passes.h"

#include "RetypeOperation.h"
#include "mpt/Analysis/CarriedValues.h"
#include "mpt/Analysis/FloatConstants.h"
#include "mpt/Analysis/PrecisionAssignment.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"

namespace mpt {
#define GEN_PASS_DEF_INSERTCASTSPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;
using namespace mpt::mp;

namespace {
struct InsertCastsPass : mpt::impl::InsertCastsPassBase<InsertCastsPass> {
  using Base::Base;

  void runOnOperation() override;

private:
  FloatType wantedByUse(OpOperand &use);
  void retypeCarried(Value value);
  bool mayStayWide(OpResult result);
  void retypeResults(func::FuncOp function);
  void retypeSignature(func::FuncOp function);
  void serveUsers(Value value);
  Value materialize(Value value, FloatType type, bool saturate);

  /// The values that were f32 before this pass, in program order.
  std::vector<Value> values;
  std::optional<CarriedDecisions> carried;
  Operation *lastArgumentCast = nullptr;
};
} // namespace

static DecisionAttr getLowDecision(Operation *op) {
  auto decision = op->getAttrOfType<DecisionAttr>(MPDialect::kDecisionAttrName);
  return decision && decision.getLow() ? decision : DecisionAttr();
}

static Type withElement(Type type, Type element) {
  return cast<ShapedType>(type).clone(element);
}

/// The element type the user of an f32 value wants.
FloatType InsertCastsPass::wantedByUse(OpOperand &use) {
  Operation *user = use.getOwner();
  if (DecisionAttr decision = carried->lookup(use);
      decision && decision.getLow())
    return cast<FloatType>(decision.getType());
  if (DecisionAttr decision = getLowDecision(user);
      decision && isFlexibleOperand(use))
    return cast<FloatType>(decision.getType());
  if (user->hasTrait<OpTrait::ReturnLike>() &&
      user->getParentOp() == getOperation()) {
    auto decision = getOperation().getResultAttrOfType<DecisionAttr>(
        use.getOperandNumber(), MPDialect::kDecisionAttrName);
    if (decision && decision.getLow())
      return cast<FloatType>(decision.getType());
  }
  return Float32Type::get(&getContext());
}

/// The sum is FP32 anyway and nobody wants it narrower.
bool InsertCastsPass::mayStayWide(OpResult result) {
  auto interface = cast<PrecisionOpInterface>(result.getOwner());
  return widenResults &&
         interface.isResultWidenable(result.getResultNumber()) &&
         !result.use_empty() &&
         llvm::all_of(result.getUses(),
                      [&](OpOperand &use) { return wantedByUse(use).isF32(); });
}

void InsertCastsPass::retypeCarried(Value value) {
  if (DecisionAttr decision = carried->lookup(value);
      decision && decision.getLow())
    value.setType(withElement(value.getType(), decision.getType()));
}

void InsertCastsPass::retypeResults(func::FuncOp function) {
  walkControlFlow(
      function.getBody(),
      [&](Block &block) {
        for (BlockArgument argument : block.getArguments())
          if (isF32Tensor(argument.getType())) {
            values.push_back(argument);
            retypeCarried(argument);
          }
      },
      [&](Operation *op) {
        DecisionAttr decision = getLowDecision(op);
        for (OpResult result : op->getResults()) {
          if (!isF32Tensor(result.getType()))
            continue;
          values.push_back(result);
          retypeCarried(result);
          if (!decision || !isFlexibleResult(result))
            continue;
          if (!mayStayWide(result))
            result.setType(withElement(result.getType(), decision.getType()));
        }
      });
}

/// Types of inputs that mpt-assign-precision chose (keep-io=false).
void InsertCastsPass::retypeSignature(func::FuncOp function) {
  for (BlockArgument argument : function.getArguments()) {
    auto decision = function.getArgAttrOfType<DecisionAttr>(
        argument.getArgNumber(), MPDialect::kDecisionAttrName);
    if (decision && decision.getLow() && isF32Tensor(argument.getType()))
      argument.setType(withElement(argument.getType(), decision.getType()));
  }
}

/// The value in another element type: a constant anew, else a cast right behind
/// the producer.
Value InsertCastsPass::materialize(Value value, FloatType type, bool saturate) {
  Type newType = withElement(value.getType(), type);
  OpBuilder builder(&getContext());
  builder.setInsertionPointAfterValue(value);
  Operation *producer = value.getDefiningOp();
  if (ElementsAttr constant = getFloatConstant(producer))
    if (ElementsAttr converted = convertConstant(constant, type, saturate))
      if (Operation *op = producer->getDialect()->materializeConstant(
              builder, converted, newType, value.getLoc()))
        return op->getResult(0);
  if (isMadeAnew(producer)) {
    Operation *op = builder.clone(*producer);
    op->getResult(0).setType(newType);
    if (auto decision =
            op->getAttrOfType<DecisionAttr>(MPDialect::kDecisionAttrName))
      op->setAttr(MPDialect::kDecisionAttrName,
                  DecisionAttr::get(
                      &getContext(), type.isF32() ? decision.getType() : type,
                      !type.isF32(), "made anew in the type its readers want"));
    return op->getResult(0);
  }
  // A widening by the compiler is exact: go back behind it.
  if (auto widening = value.getDefiningOp<mp::CastOp>();
      widening && widening.getInput().getType() == newType)
    return widening.getInput();
  // The casts of arguments stand in the order of the arguments.
  if (isa<BlockArgument>(value) && lastArgumentCast &&
      lastArgumentCast->getBlock() == value.getParentBlock())
    builder.setInsertionPointAfter(lastArgumentCast);
  auto narrow = mp::CastOp::create(builder, value.getLoc(), newType, value);
  if (isa<BlockArgument>(value))
    lastArgumentCast = narrow;
  return narrow;
}

/// A cast that was there may stand behind a user that is to read it.
static Value moveToProducer(mp::CastOp cast) {
  if (Operation *producer = cast.getInput().getDefiningOp())
    cast->moveAfter(producer);
  else
    cast->moveBefore(&cast.getInput().getParentBlock()->front());
  return cast;
}

/// Is the value a masking constant that the type of its user cannot hold?
static bool isMask(Value value, OpOperand &use, FloatType type) {
  ElementsAttr constant = getFloatConstant(value.getDefiningOp());
  return constant && use.getOwner()->hasAttr(kMaskAttrName) &&
         classifyConstant(constant, type) == ConstantFit::Overflows;
}

/// Gives every user of a value that was f32 the type it wants.
void InsertCastsPass::serveUsers(Value value) {
  auto type = cast<FloatType>(getElementTypeOrSelf(value.getType()));
  llvm::SmallVector<std::pair<OpOperand *, FloatType>> wanting;
  llvm::SmallDenseMap<Type, Value, 2> made, masks;
  llvm::SmallDenseMap<Type, mp::CastOp, 2> existing;
  SmallVector<mp::CastOp> redundant;
  for (OpOperand &use : value.getUses()) {
    if (auto cast = dyn_cast<mp::CastOp>(use.getOwner())) {
      // A compiler's cast takes what it gets.
      if (cast.getType() == value.getType())
        redundant.push_back(cast);
      else
        existing.insert({getElementTypeOrSelf(cast.getType()), cast});
      continue;
    }
    FloatType wanted = wantedByUse(use);
    if (wanted != type)
      wanting.push_back({&use, wanted});
  }
  for (mp::CastOp cast : redundant) {
    cast.replaceAllUsesWith(value);
    cast.erase();
  }
  // The list of uses is newest first; casts are to be made in program order.
  for (auto [use, wanted] : llvm::reverse(wanting)) {
    const bool saturate = isMask(value, *use, wanted);
    Value &narrow = (saturate ? masks : made)[wanted];
    if (!narrow) {
      auto found = existing.find(wanted);
      narrow = found == existing.end() ? materialize(value, wanted, saturate)
                                       : moveToProducer(found->second);
    }
    use->set(narrow);
  }
}

void InsertCastsPass::runOnOperation() {
  func::FuncOp function = getOperation();
  if (function.isDeclaration())
    return markAllAnalysesPreserved();
  std::vector<Operation *> lowOps;
  bool decided = false;
  walkControlFlow(
      function.getBody(), [](Block &) {},
      [&](Operation *op) {
        decided |= op->hasAttr(MPDialect::kDecisionAttrName) ||
                   op->hasAttr(kCarriedAttrName);
        if (getLowDecision(op))
          lowOps.push_back(op);
      });
  if (!decided)
    return markAllAnalysesPreserved();

  values.clear();
  carried.emplace(function);
  lastArgumentCast = nullptr;
  retypeResults(function);
  retypeSignature(function);
  for (Value value : values)
    serveUsers(value);
  for (Value value : values)
    if (Operation *op = value.getDefiningOp();
        op && op->use_empty() && op->hasTrait<OpTrait::ConstantLike>())
      op->erase();
  for (Operation *op : lowOps)
    retypeBody(op);

  Operation *terminator = function.getBody().back().getTerminator();
  if (terminator->hasTrait<OpTrait::ReturnLike>())
    function.setType(FunctionType::get(
        &getContext(), function.getBody().front().getArgumentTypes(),
        terminator->getOperandTypes()));
  function->setAttr(MPDialect::kCastsInsertedAttrName,
                    UnitAttr::get(&getContext()));
}
