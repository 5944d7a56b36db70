//===- ControlFlowOps.cpp - Branches and loops ----------------------------===//

#include "mpt/Dialect/NN/IR/NNControlFlow.h"

#include "Common.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

/// The terminator of a region, if it is of the wanted kind. Verifiers run
/// before the regions are known to be sound.
template <typename OpTy> static OpTy getTerminator(Region &region) {
  Block &block = region.front();
  return block.empty() ? OpTy() : dyn_cast<OpTy>(block.back());
}

/// A scalar that is known when compiling.
static std::optional<int64_t> getKnownScalar(Attribute value) {
  auto elements = dyn_cast_or_null<DenseElementsAttr>(value);
  if (!elements || elements.getNumElements() != 1 ||
      !elements.getElementType().isInteger())
    return std::nullopt;
  APInt number = *elements.getValues<APInt>().begin();
  return number.getBitWidth() == 1 ? number.getZExtValue()
                                   : number.getSExtValue();
}

static RankedTensorType insertExtent(RankedTensorType type, int64_t axis,
                                     int64_t extent) {
  SmallVector<int64_t> shape(type.getShape());
  shape.insert(shape.begin() + axis, extent);
  return RankedTensorType::get(shape, type.getElementType());
}

static RankedTensorType dropAxis(RankedTensorType type, int64_t axis) {
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + axis);
  return RankedTensorType::get(shape, type.getElementType());
}

//===----------------------------------------------------------------------===//
// nn.if
//===----------------------------------------------------------------------===//

LogicalResult IfOp::verify() {
  for (Region &region : getOperation()->getRegions()) {
    if (region.front().getNumArguments() != 0)
      return emitOpError("(C1) a branch should have no arguments");
    auto yield = getTerminator<BranchYieldOp>(region);
    if (!yield || yield.getValues().getTypes() != getOutputs().getTypes())
      return emitOpError(
          "(C2) a branch should end in nn.branch_yield of the results' types");
  }
  return success();
}

void IfOp::getSuccessorRegions(RegionBranchPoint point,
                               SmallVectorImpl<RegionSuccessor> &successors) {
  if (!point.isParent()) {
    successors.emplace_back(getOperation(), getOperation()->getResults());
    return;
  }
  for (Region &region : getOperation()->getRegions())
    successors.emplace_back(&region);
}

void IfOp::getRegionInvocationBounds(
    ArrayRef<Attribute> operands, SmallVectorImpl<InvocationBounds> &bounds) {
  std::optional<int64_t> known = getKnownScalar(operands.front());
  for (bool branch : {true, false})
    bounds.emplace_back(known && (*known != 0) == branch,
                        known && (*known != 0) != branch ? 0 : 1);
}

//===----------------------------------------------------------------------===//
// nn.loop
//===----------------------------------------------------------------------===//

LogicalResult LoopOp::verify() {
  Builder builder(getContext());
  SmallVector<Type> arguments = {
      RankedTensorType::get({}, builder.getI64Type()),
      RankedTensorType::get({}, builder.getI1Type())};
  llvm::append_range(arguments, getCarried().getTypes());
  if (TypeRange(getBody().front().getArgumentTypes()) != TypeRange(arguments))
    return emitOpError("(C1) the region should take an i64 scalar, an i1 "
                       "scalar and the carried values' types");
  auto next = getTerminator<NextOp>(getBody());
  if (!next || !next.getCondition() ||
      next.getCarried().getTypes() != getCarried().getTypes())
    return emitOpError("(C2) the region should end in nn.next with a "
                       "condition and values of the carried types");
  SmallVector<Type> results(getCarried().getTypes());
  int64_t trips = ShapedType::kDynamic;
  if (getNumResults() > results.size())
    if (auto type =
            dyn_cast<RankedTensorType>(getResult(results.size()).getType());
        type && type.getRank() > 0)
      trips = type.getDimSize(0);
  for (Value value : next.getCollected())
    results.push_back(insertExtent(tensorOf(value), 0, trips));
  if (TypeRange(getOutputs().getTypes()) != TypeRange(results) ||
      (!next.getCollected().empty() && ShapedType::isDynamic(trips)))
    return emitOpError("(C3) the results should have the carried types, then "
                       "those of the collected values behind the number of "
                       "trips");
  return success();
}

OperandRange LoopOp::getEntrySuccessorOperands(RegionSuccessor) {
  return getCarried();
}

void LoopOp::getSuccessorRegions(RegionBranchPoint,
                                 SmallVectorImpl<RegionSuccessor> &successors) {
  successors.emplace_back(&getBody(),
                          getBody().front().getArguments().drop_front(2));
  successors.emplace_back(
      getOperation(),
      getOperation()->getResults().take_front(getCarried().size()));
}

/// Every trip's condition can end the loop, unless it is the one the loop came
/// with and that is true.
void LoopOp::getRegionInvocationBounds(
    ArrayRef<Attribute> operands, SmallVectorImpl<InvocationBounds> &bounds) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  std::optional<int64_t> trips, going;
  if (getMaxTrips())
    trips = getKnownScalar(operands.front());
  if (getCondition())
    going = getKnownScalar(operands[getMaxTrips() ? 1 : 0]);
  if (going && *going == 0) {
    bounds.emplace_back(0, 0);
    return;
  }
  if (!trips) {
    bounds.push_back(InvocationBounds::getUnknown());
    return;
  }
  auto next = getTerminator<NextOp>(getBody());
  bool onlyCounts =
      !getCondition() ||
      (going && next && next.getCondition() == getBody().getArgument(1));
  int64_t most = std::clamp<int64_t>(*trips, 0, kMost);
  bounds.emplace_back(onlyCounts ? most : 0, most);
}

void LoopOp::getSliceFlow(
    SmallVectorImpl<std::pair<OpOperand *, Value>> &flow) {
  auto next = getTerminator<NextOp>(getBody());
  if (!next)
    return;
  for (auto [number, value] : llvm::enumerate(next.getCollectedMutable()))
    flow.push_back({&value, getResult(getCarried().size() + number)});
}

//===----------------------------------------------------------------------===//
// nn.scan
//===----------------------------------------------------------------------===//

int64_t ScanOp::getTrips() {
  return tensorOf(getScanned().front()).getDimSize(getAxes().front());
}

LogicalResult ScanOp::verify() {
  ValueRange scanned = getScanned();
  auto inRange = [](int64_t axis, int64_t rank) {
    return axis >= 0 && axis < rank;
  };
  if (scanned.empty() || getAxes().size() != scanned.size() ||
      getReversed().size() != scanned.size())
    return emitOpError("(C1) needs scanned tensors, an axis and a direction "
                       "for each");
  for (auto [value, axis] : llvm::zip_equal(scanned, getAxes()))
    if (!inRange(axis, tensorOf(value).getRank()))
      return emitOpError() << "(C1) axis " << axis << " is not in [0, "
                           << tensorOf(value).getRank() << ")";
  int64_t trips = getTrips();
  for (auto [value, axis] : llvm::zip_equal(scanned, getAxes()))
    if (tensorOf(value).getDimSize(axis) != trips)
      return emitOpError() << "(C2) the scanned tensors have "
                           << tensorOf(value).getDimSize(axis) << " and "
                           << trips << " slices";
  SmallVector<Type> arguments(getCarried().getTypes());
  for (auto [value, axis] : llvm::zip_equal(scanned, getAxes()))
    arguments.push_back(dropAxis(tensorOf(value), axis));
  if (TypeRange(getBody().front().getArgumentTypes()) != TypeRange(arguments))
    return emitOpError("(C3) the region should take the carried values' types "
                       "and those of the slices");
  auto next = getTerminator<NextOp>(getBody());
  if (!next || next.getCondition() ||
      next.getCarried().getTypes() != getCarried().getTypes())
    return emitOpError("(C4) the region should end in nn.next without a "
                       "condition, with values of the carried types");
  OperandRange collected = next.getCollected();
  SmallVector<Type> results(getCarried().getTypes());
  if (getCollectedAxes().size() != collected.size() ||
      getCollectedReversed().size() != collected.size())
    return emitOpError(
        "(C5) each collected value needs an axis and a direction");
  for (auto [value, axis] : llvm::zip_equal(collected, getCollectedAxes())) {
    if (!inRange(axis, tensorOf(value).getRank() + 1))
      return emitOpError() << "(C5) axis " << axis << " is not in [0, "
                           << tensorOf(value).getRank() + 1 << ")";
    results.push_back(insertExtent(tensorOf(value), axis, trips));
  }
  if (TypeRange(getOutputs().getTypes()) != TypeRange(results))
    return emitOpError("(C5) the results should have the carried types, then "
                       "those of the collected values with the number of "
                       "trips inserted");
  return success();
}

OperandRange ScanOp::getEntrySuccessorOperands(RegionSuccessor) {
  return getCarried();
}

void ScanOp::getSuccessorRegions(RegionBranchPoint,
                                 SmallVectorImpl<RegionSuccessor> &successors) {
  size_t count = getCarried().size();
  successors.emplace_back(&getBody(),
                          getBody().front().getArguments().take_front(count));
  successors.emplace_back(getOperation(),
                          getOperation()->getResults().take_front(count));
}

void ScanOp::getRegionInvocationBounds(
    ArrayRef<Attribute>, SmallVectorImpl<InvocationBounds> &bounds) {
  int64_t trips = getTrips();
  if (ShapedType::isDynamic(trips) ||
      trips > std::numeric_limits<int32_t>::max())
    bounds.push_back(InvocationBounds::getUnknown());
  else
    bounds.emplace_back(trips, trips);
}

void ScanOp::getSliceFlow(
    SmallVectorImpl<std::pair<OpOperand *, Value>> &flow) {
  size_t count = getCarried().size();
  for (auto [number, operand] : llvm::enumerate(getScannedMutable()))
    flow.push_back({&operand, getBody().getArgument(count + number)});
  if (auto next = getTerminator<NextOp>(getBody()))
    for (auto [number, value] : llvm::enumerate(next.getCollectedMutable()))
      flow.push_back({&value, getResult(count + number)});
}

MutableOperandRange NextOp::getMutableSuccessorOperands(RegionSuccessor) {
  return getCarriedMutable();
}

#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNControlFlowOps.cpp.inc"
