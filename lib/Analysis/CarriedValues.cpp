//===- CarriedValues.cpp - Values that flow through regions ---------------===//

#include "mpt/Analysis/CarriedValues.h"

#include "mpt/Analysis/PrecisionAssignment.h"
#include "mpt/Interfaces/SliceFlowOpInterface.h"

#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "llvm/ADT/IntEqClasses.h"

using namespace mlir;
using namespace mpt;

//===----------------------------------------------------------------------===//
// Chains
//===----------------------------------------------------------------------===//

namespace {
/// Joins what is handed over.
class ChainFinder {
public:
  explicit ChainFinder(RegionBranchOpInterface op) : op(op) {}

  SmallVector<CarriedChain> run() {
    addBranches();
    addLoop();
    addSlices();
    return collect();
  }

private:
  struct Member {
    OpOperand *operand; // or else
    Value input;
  };

  unsigned numberOf(OpOperand &operand) {
    auto [it, isNew] = numbers.insert({&operand, members.size()});
    if (isNew) {
      members.push_back({&operand, {}});
      classes.grow(members.size());
    }
    return it->second;
  }
  unsigned numberOf(Value input) {
    auto [it, isNew] =
        numbers.insert({input.getAsOpaquePointer(), members.size()});
    if (isNew) {
      members.push_back({nullptr, input});
      classes.grow(members.size());
    }
    return it->second;
  }

  void addBranches();
  void addLoop();
  void addSlices();
  SmallVector<CarriedChain> collect();

  RegionBranchOpInterface op;
  llvm::DenseMap<const void *, unsigned> numbers;
  SmallVector<Member> members;
  llvm::IntEqClasses classes;
};
} // namespace

void ChainFinder::addBranches() {
  SmallVector<RegionSuccessor> successors;
  for (RegionBranchPoint point : op.getAllRegionBranchPoints()) {
    Operation *owner =
        point.isParent() ? op : point.getTerminatorPredecessorOrNull();
    successors.clear();
    op.getSuccessorRegions(point, successors);
    for (const RegionSuccessor &successor : successors) {
      OperandRange operands = op.getSuccessorOperands(point, successor);
      ValueRange inputs = successor.getSuccessorInputs();
      if (operands.size() != inputs.size() || operands.empty())
        continue;
      unsigned first = operands.getBeginOperandIndex();
      for (auto [index, input] : llvm::enumerate(inputs)) {
        OpOperand &operand = owner->getOpOperand(first + index);
        if (isFloatTensor(operand.get().getType()) &&
            isFloatTensor(input.getType()))
          classes.join(numberOf(operand), numberOf(input));
      }
    }
  }
}

/// A loop whose number of trips is known may leave branches out that its
/// verifier still wants to agree (one trip: nothing goes around).
void ChainFinder::addLoop() {
  auto loop = dyn_cast<LoopLikeOpInterface>(op.getOperation());
  if (!loop)
    return;
  auto yields = loop.getYieldedValuesMutable();
  auto results = loop.getLoopResults();
  MutableArrayRef<OpOperand> inits = loop.getInitsMutable();
  Block::BlockArgListType arguments = loop.getRegionIterArgs();
  if (!yields || !results || yields->size() != inits.size() ||
      results->size() != inits.size() || arguments.size() != inits.size())
    return;
  for (auto [init, argument, yield, result] :
       llvm::zip(inits, arguments, *yields, *results)) {
    if (!isFloatTensor(result.getType()))
      continue;
    unsigned number = numberOf(init);
    classes.join(number, numberOf(Value(argument)));
    classes.join(number, numberOf(yield));
    classes.join(number, numberOf(Value(result)));
  }
}

void ChainFinder::addSlices() {
  auto slices = dyn_cast<SliceFlowOpInterface>(op.getOperation());
  if (!slices)
    return;
  SmallVector<std::pair<OpOperand *, Value>> flow;
  slices.getSliceFlow(flow);
  for (auto [operand, value] : flow)
    if (isFloatTensor(value.getType()))
      classes.join(numberOf(*operand), numberOf(value));
}

SmallVector<CarriedChain> ChainFinder::collect() {
  classes.compress();
  SmallVector<CarriedChain> chains(classes.getNumClasses());
  for (auto [number, member] : llvm::enumerate(members)) {
    CarriedChain &chain = chains[classes[number]];
    if (member.operand)
      chain.operands.push_back(member.operand);
    else
      chain.inputs.push_back(member.input);
  }
  return chains;
}

SmallVector<CarriedChain> mpt::getCarriedChains(Operation *op) {
  if (op->getNumRegions() == 0)
    return {};
  auto branches = dyn_cast<RegionBranchOpInterface>(op);
  return branches ? ChainFinder(branches).run() : SmallVector<CarriedChain>();
}

bool mpt::onlyCarriesFloats(Operation *op) {
  if (op->getNumRegions() == 0 || !isa<RegionBranchOpInterface>(op))
    return false;
  size_t carried = 0;
  for (const CarriedChain &chain : getCarriedChains(op)) {
    carried += llvm::count_if(chain.operands, [&](OpOperand *operand) {
      return operand->getOwner() == op;
    });
    carried += chain.inputs.size();
  }
  size_t all = llvm::count_if(op->getOperandTypes(), isFloatTensor) +
               llvm::count_if(op->getResultTypes(), isFloatTensor);
  // Not so scf.forall, whose regions are given more than the interface says.
  for (Region &region : op->getRegions())
    if (!region.empty())
      all += llvm::count_if(region.front().getArgumentTypes(), isFloatTensor);
  return carried == all;
}

//===----------------------------------------------------------------------===//
// Walks
//===----------------------------------------------------------------------===//

void mpt::walkControlFlow(Region &region,
                          llvm::function_ref<void(Block &)> enter,
                          llvm::function_ref<void(Operation *)> visit) {
  for (Block &block : region) {
    enter(block);
    for (Operation &op : block) {
      visit(&op);
      if (op.getNumRegions() != 0 && isa<RegionBranchOpInterface>(op))
        for (Region &inner : op.getRegions())
          walkControlFlow(inner, enter, visit);
    }
  }
}

Operation *mpt::getSourceOperation(Value value) {
  if (Operation *op = value.getDefiningOp())
    return op;
  Operation *parent = cast<BlockArgument>(value).getOwner()->getParentOp();
  return isa_and_nonnull<FunctionOpInterface>(parent) ? nullptr : parent;
}

double mpt::estimateTrips(RegionBranchOpInterface op, Region &region) {
  if (auto loop = dyn_cast<LoopLikeOpInterface>(op.getOperation()))
    if (std::optional<APInt> trips = loop.getStaticTripCount())
      return trips->roundToDouble();
  SmallVector<Attribute> constants;
  for (Value operand : op->getOperands()) {
    Attribute constant;
    matchPattern(operand, m_Constant(&constant));
    constants.push_back(constant);
  }
  SmallVector<InvocationBounds> bounds;
  op.getRegionInvocationBounds(constants, bounds);
  unsigned number = region.getRegionNumber();
  if (number < bounds.size())
    if (std::optional<unsigned> most = bounds[number].getUpperBound())
      return (bounds[number].getLowerBound() + static_cast<double>(*most)) / 2;
  return op.isRepetitiveRegion(number) ? kUnknownTrips : 1;
}

//===----------------------------------------------------------------------===//
// Decisions
//===----------------------------------------------------------------------===//

SmallVector<mp::DecisionAttr> mpt::getCarriedDecisions(Operation *op) {
  SmallVector<mp::DecisionAttr> decisions;
  if (auto array = op->getAttrOfType<ArrayAttr>(kCarriedAttrName))
    for (Attribute entry : array)
      decisions.push_back(dyn_cast<mp::DecisionAttr>(entry));
  return decisions;
}

CarriedDecisions::CarriedDecisions(FunctionOpInterface function) {
  walkControlFlow(
      function.getFunctionBody(), [](Block &) {},
      [&](Operation *op) {
        if (op->getNumRegions() == 0 || !op->hasAttr(kCarriedAttrName))
          return;
        SmallVector<mp::DecisionAttr> decisions = getCarriedDecisions(op);
        SmallVector<CarriedChain> chains = getCarriedChains(op);
        if (decisions.size() != chains.size())
          return;
        for (auto [chain, decision] : llvm::zip(chains, decisions)) {
          for (OpOperand *operand : chain.operands)
            byUse[operand] = decision;
          for (Value input : chain.inputs)
            byValue[input] = decision;
        }
      });
}
