//===- ControlFlow.cpp - Branches and loops -------------------------------===//

#include "Evaluation.h"
#include "mpt/Dialect/NN/IR/NNControlFlow.h"

using namespace mlir;

namespace mpt::reference {

static LogicalResult evaluateIf(nn::IfOp op, Evaluation &e) {
  Region &branch =
      e.operand(0).ints.front() ? op.getThenBranch() : op.getElseBranch();
  FailureOr<SmallVector<Tensor>> results =
      evaluateBlock(branch.front(), {}, e.options, e.captures);
  if (failed(results))
    return failure();
  e.results = std::move(*results);
  return success();
}

/// The elements of a tensor at one position of an axis.
static View sliceAt(ArrayRef<int64_t> shape, int64_t axis, int64_t position) {
  View view{0, rowMajorStrides(shape)};
  view.offset = position * view.strides[axis];
  view.strides.erase(view.strides.begin() + axis);
  return view;
}

static void putSlice(const Tensor &slice, Tensor &target, int64_t axis,
                     int64_t position) {
  copyBox(slice.shape, slice, contiguous(slice.shape), target,
          sliceAt(target.shape, axis, position));
}

/// Takes what nn.next gives: the carried values of the next trip. Returns the
/// first collected value.
static ArrayRef<Tensor> advance(MutableArrayRef<Tensor> given,
                                MutableArrayRef<Tensor> carried) {
  for (auto [next, value] : llvm::zip(given, carried))
    value = std::move(next);
  return given.drop_front(carried.size());
}

static SmallVector<Tensor> copyOperands(const Evaluation &e, unsigned first,
                                        size_t count) {
  SmallVector<Tensor> copies;
  for (size_t i = 0; i < count; ++i)
    copies.push_back(e.operand(first + i));
  return copies;
}

static LogicalResult evaluateLoop(nn::LoopOp op, Evaluation &e) {
  unsigned first = 0;
  std::optional<int64_t> most;
  bool hasCondition = op.getCondition() != nullptr, going = true;
  if (op.getMaxTrips())
    most = e.operand(first++).ints.front();
  if (hasCondition)
    going = e.operand(first++).ints.front() != 0;
  if (!most && !hasCondition)
    return op.emitOpError("has no number of trips and no condition: it would "
                          "run forever");
  SmallVector<Tensor> carried = copyOperands(e, first, op.getCarried().size());
  MutableArrayRef<Tensor> stacks =
      MutableArrayRef(e.results).drop_front(carried.size());
  Builder builder(op.getContext());
  int64_t trip = 0;
  for (; going && (!most || trip < *most); ++trip) {
    Tensor number =
        Tensor::scalar(static_cast<double>(trip), builder.getI64Type());
    Tensor condition = Tensor::scalar(1, builder.getI1Type());
    SmallVector<const Tensor *> arguments = {&number, &condition};
    for (const Tensor &value : carried)
      arguments.push_back(&value);
    FailureOr<SmallVector<Tensor>> given =
        evaluateBlock(op.getBody().front(), arguments, e.options, e.captures);
    if (failed(given))
      return failure();
    if (hasCondition)
      going = given->front().ints.front() != 0;
    ArrayRef<Tensor> collected =
        advance(MutableArrayRef(*given).drop_front(), carried);
    for (auto [slice, stack] : llvm::zip_equal(collected, stacks)) {
      if (trip >= stack.shape.front())
        return op.emitOpError("(C3) collects more values than its results "
                              "have room for");
      putSlice(slice, stack, 0, trip);
    }
  }
  for (const Tensor &stack : stacks)
    if (trip != stack.shape.front())
      return op.emitOpError("(C3) runs ")
             << trip << " trips, but its results hold " << stack.shape.front();
  for (auto [value, result] : llvm::zip(carried, e.results))
    result = std::move(value);
  return success();
}

static LogicalResult evaluateScan(nn::ScanOp op, Evaluation &e) {
  size_t count = op.getCarried().size();
  SmallVector<Tensor> carried = copyOperands(e, 0, count);
  MutableArrayRef<Tensor> stacks = MutableArrayRef(e.results).drop_front(count);
  Block &body = op.getBody().front();
  int64_t trips = op.getTrips();
  for (int64_t trip = 0; trip < trips; ++trip) {
    auto positionOf = [&](bool reversed) {
      return reversed ? trips - 1 - trip : trip;
    };
    SmallVector<Tensor> slices;
    for (auto [i, axis] : llvm::enumerate(op.getAxes())) {
      const Tensor &scanned = e.operand(count + i);
      auto type = cast<RankedTensorType>(body.getArgument(count + i).getType());
      slices.emplace_back(type.getShape(), type.getElementType());
      copyBox(type.getShape(), scanned,
              sliceAt(scanned.shape, axis, positionOf(op.getReversed()[i])),
              slices.back(), contiguous(type.getShape()));
    }
    SmallVector<const Tensor *> arguments;
    for (const Tensor &value : carried)
      arguments.push_back(&value);
    for (const Tensor &slice : slices)
      arguments.push_back(&slice);
    FailureOr<SmallVector<Tensor>> given =
        evaluateBlock(body, arguments, e.options, e.captures);
    if (failed(given))
      return failure();
    ArrayRef<Tensor> collected = advance(*given, carried);
    for (auto [i, slice] : llvm::enumerate(collected))
      putSlice(slice, stacks[i], op.getCollectedAxes()[i],
               positionOf(op.getCollectedReversed()[i]));
  }
  for (auto [value, result] : llvm::zip(carried, e.results))
    result = std::move(value);
  return success();
}

void addControlFlowEvaluations(Registry &registry) {
  registry.add<nn::IfOp>(evaluateIf);
  registry.add<nn::LoopOp>(evaluateLoop);
  registry.add<nn::ScanOp>(evaluateScan);
}

} // namespace mpt::reference
