//===- ValueRanges.cpp - What values of a function may hold ---------------===//

#include "mpt/Analysis/ValueRanges.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Interfaces/SliceFlowOpInterface.h"
#include "mpt/Interfaces/ValueRangeOpInterface.h"

#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"

using namespace mlir;
using namespace mpt;

//===----------------------------------------------------------------------===//
// What is known beforehand
//===----------------------------------------------------------------------===//

NumericRange mpt::rangeOfConstant(ElementsAttr value) {
  Type type = value.getElementType();
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    return blob ? rangeOfBytes(type, blob->getData())
                : NumericRange::unknown(type);
  }
  auto dense = dyn_cast<DenseElementsAttr>(value);
  // The elements of an i1 are packed; its type says as much as they do.
  if (!dense || type.isInteger(1) || !type.isIntOrFloat())
    return NumericRange::unknown(type);
  return rangeOfBytes(type, dense.getRawData());
}

/// What the step's contract says of an argument (docs/Architecture.md): the
/// loss scale stays between the bounds of its update, the step count is not
/// negative.
static std::optional<NumericRange> rangeByRole(FunctionOpInterface function,
                                               unsigned index) {
  std::optional<mp::Role> role = mp::getArgRole(function, index);
  if (role == mp::Role::Step)
    return NumericRange::between(0, 0x1p53);
  if (role != mp::Role::LossScale)
    return std::nullopt;
  auto initial = function.getArgAttrOfType<FloatAttr>(
      index, mp::MPDialect::kInitialAttrName);
  BlockArgument argument = function.getArgument(index);
  if (!initial || !isa<FloatType>(getElementTypeOrSelf(argument)))
    return std::nullopt;
  NumericRange range = NumericRange::point(initial.getValueAsDouble());
  for (Operation *user : argument.getUsers())
    if (auto update = dyn_cast<mp::UpdateScaleOp>(user);
        update && update.getScale() == argument)
      range.join(NumericRange::between(update.getMinimum().convertToDouble(),
                                       update.getMaximum().convertToDouble()));
  return range;
}

NumericRange ValueRanges::seedOf(FunctionOpInterface function, unsigned index) {
  NumericRange range =
      NumericRange::unknown(getElementTypeOrSelf(function.getArgument(index)));
  if (auto declared =
          function.getArgAttrOfType<DenseF64ArrayAttr>(index, kRangeAttrName);
      declared && declared.size() == 2)
    range.meet(NumericRange::between(declared[0], declared[1]));
  if (std::optional<NumericRange> known = rangeByRole(function, index))
    range.meet(*known);
  if (seeds.argument)
    if (std::optional<NumericRange> known = seeds.argument(function, index))
      range.meet(*known);
  return range;
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

/// Loops nested deeper than this are not iterated: each level multiplies the
/// visits.
static constexpr unsigned kMaxDepth = 3;
/// Rounds over a loop before a range that still grows becomes everything.
static constexpr unsigned kRoundsBeforeWidening = 3;

ValueRanges::ValueRanges(FunctionOpInterface function, const RangeSeeds &seeds)
    : seeds(seeds) {
  if (function.isExternal())
    return;
  // The table grows once: rehashing costs more than counting.
  size_t count = function.getNumArguments();
  for (Block &block : function.getFunctionBody())
    for (Operation &op : block)
      count += op.getNumResults();
  ranges.reserve(count);
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    set(function.getArgument(i), seedOf(function, i));
  // Arguments of other blocks than the first stay unknown.
  for (Block &block : function.getFunctionBody())
    visitBlock(block);
}

void ValueRanges::visitBlock(Block &block) {
  for (Operation &op : block)
    visit(&op);
}

void ValueRanges::set(Value value, const NumericRange &range) {
  Type type = getElementTypeOrSelf(value);
  if (!type.isIntOrFloat())
    return;
  NumericRange &stored = ranges[value];
  stored = range;
  if (seeds.measured)
    if (std::optional<NumericRange> measured = seeds.measured(value))
      stored.meet(*measured);
}

void ValueRanges::visit(Operation *op) {
  auto interface = dyn_cast<ValueRangeOpInterface>(op);
  if (op->getNumRegions() != 0 && !interface)
    return visitRegions(op);
  if (op->getNumResults() == 0)
    return;
  Attribute constant;
  if (op->hasTrait<OpTrait::ConstantLike>()) {
    if (matchPattern(op, m_Constant(&constant))) {
      if (auto elements = dyn_cast<ElementsAttr>(constant))
        set(op->getResult(0), rangeOfConstant(elements));
      else if (auto scalar = dyn_cast<FloatAttr>(constant))
        set(op->getResult(0), NumericRange::point(scalar.getValueAsDouble()));
    }
    return;
  }
  if (!interface) {
    if (seeds.measured)
      for (Value result : op->getResults())
        set(result, NumericRange::unknown(getElementTypeOrSelf(result)));
    return;
  }
  SmallVector<NumericRange, 4> operands, results;
  for (Value operand : op->getOperands())
    operands.push_back(lookup(operand));
  for (Value result : op->getResults())
    results.push_back(NumericRange::unknown(getElementTypeOrSelf(result)));
  interface.inferRanges(operands, results);
  for (auto [value, range] : llvm::zip_equal(op->getResults(), results))
    set(value, roundToType(range, getElementTypeOrSelf(value)));
}

void ValueRanges::visitRegions(Operation *op) {
  auto branches = dyn_cast<RegionBranchOpInterface>(op);
  if (branches && depth < kMaxDepth)
    return visitBranches(branches);
  // Nothing is known of what such regions are given; what their operations
  // compute from constants is.
  op->walk<WalkOrder::PreOrder>([&](Operation *nested) {
    if (nested != op && nested->getNumRegions() == 0)
      visit(nested);
  });
}

/// Ends that still move go to the type's limit, so that they move no more.
static NumericRange widen(const NumericRange &known, NumericRange joined,
                          Type type) {
  const NumericRange all = NumericRange::unknown(type);
  if (joined.lo < known.lo) {
    joined.lo = all.lo;
    joined.negInf = all.negInf;
  }
  if (joined.hi > known.hi) {
    joined.hi = all.hi;
    joined.posInf = all.posInf;
  }
  if (joined.smallest < known.smallest)
    joined.smallest = all.smallest;
  return joined;
}

void ValueRanges::visitBranches(RegionBranchOpInterface op) {
  ++depth;
  unsigned round = 0;
  bool changed = true;
  auto flow = [&](ValueRange values, ValueRange inputs) {
    if (values.size() != inputs.size())
      return; // the inputs stay unknown
    for (auto [value, input] : llvm::zip(values, inputs)) {
      NumericRange incoming = lookup(value);
      auto known = ranges.find(input);
      if (known != ranges.end()) {
        NumericRange joined = known->second;
        joined.join(incoming);
        if (joined == known->second)
          continue;
        incoming =
            round < kRoundsBeforeWidening
                ? joined
                : widen(known->second, joined, getElementTypeOrSelf(input));
      }
      set(input, incoming);
      changed = true;
    }
  };
  // Slices: before the regions what they are given, then what they give.
  SmallVector<std::pair<OpOperand *, Value>> slices;
  if (auto interface = dyn_cast<SliceFlowOpInterface>(op.getOperation()))
    interface.getSliceFlow(slices);
  auto flowSlices = [&](bool given) {
    for (auto [operand, value] : slices)
      if ((operand->getOwner() == op) == given)
        flow(operand->get(), value);
  };
  llvm::SmallPtrSet<Region *, 4> reached;
  SmallVector<RegionSuccessor> successors;
  for (; changed; ++round) {
    changed = false;
    flowSlices(/*given=*/true);
    successors.clear();
    op.getSuccessorRegions(RegionBranchPoint::parent(), successors);
    for (RegionSuccessor &successor : successors) {
      flow(op.getEntrySuccessorOperands(successor),
           successor.getSuccessorInputs());
      if (Region *region = successor.getSuccessor())
        reached.insert(region);
    }
    for (Region &region : op->getRegions()) {
      if (!reached.contains(&region))
        continue;
      for (Block &block : region) {
        visitBlock(block);
        auto terminator = dyn_cast_or_null<RegionBranchTerminatorOpInterface>(
            block.empty() ? nullptr : &block.back());
        if (!terminator)
          continue;
        successors.clear();
        op.getSuccessorRegions(RegionBranchPoint(terminator), successors);
        for (RegionSuccessor &successor : successors) {
          flow(terminator.getSuccessorOperands(successor),
               successor.getSuccessorInputs());
          if (Region *next = successor.getSuccessor())
            changed |= reached.insert(next).second;
        }
      }
    }
    flowSlices(/*given=*/false);
  }
  --depth;
}

//===----------------------------------------------------------------------===//
// Queries
//===----------------------------------------------------------------------===//

NumericRange ValueRanges::lookup(Value value) const {
  auto it = ranges.find(value);
  return it != ranges.end()
             ? it->second
             : NumericRange::unknown(getElementTypeOrSelf(value));
}

bool ValueRanges::fits(Value value, FloatType type) const {
  const NumericRange range = lookup(value);
  return !range.hasFinite() ||
         nearestIn(type, range.absMax()) <= largestOf(type);
}

bool ValueRanges::mayVanish(Value value, FloatType type) const {
  return nearestIn(type, lookup(value).smallest) == 0;
}

bool ValueRanges::mayBeSubnormal(Value value, FloatType type) const {
  return lookup(value).smallest < smallestNormalOf(type);
}

bool ValueRanges::isBounded(Value value) const {
  Type type = getElementTypeOrSelf(value);
  const NumericRange range = lookup(value), all = NumericRange::unknown(type);
  return range.absMax() < all.absMax();
}
