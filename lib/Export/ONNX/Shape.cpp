//===- Shape.cpp - Operations that move elements as ONNX nodes ------------===//

#include "Exporter.h"

using namespace mlir;

namespace mpt::exporter {

static LogicalResult emitReshape(Exporter &exporter, nn::ReshapeOp op) {
  Attributes attributes;
  if (llvm::is_contained(shapeOf(op.getResult()), 0))
    attributes.push_back(intAttr("allowzero", 1));
  exporter.emitAs(
      op.getResult(), "Reshape",
      {exporter.nameOf(op.getInput()), exporter.ints(shapeOf(op.getResult()))},
      attributes);
  return success();
}

static LogicalResult emitTranspose(Exporter &exporter, nn::TransposeOp op) {
  exporter.emitAs(op.getResult(), "Transpose", {exporter.nameOf(op.getInput())},
                  {intsAttr("perm", op.getPermutation())});
  return success();
}

static LogicalResult emitExpand(Exporter &exporter, nn::ExpandOp op) {
  exporter.emitAs(
      op.getResult(), "Expand",
      {exporter.nameOf(op.getInput()), exporter.ints(shapeOf(op.getResult()))});
  return success();
}

static LogicalResult emitConcat(Exporter &exporter, nn::ConcatOp op) {
  Names inputs;
  for (Value input : op.getInputs())
    inputs.push_back(exporter.nameOf(input));
  exporter.emitAs(op.getResult(), "Concat", inputs,
                  {intAttr("axis", op.getAxis())});
  return success();
}

static LogicalResult emitSplit(Exporter &exporter, nn::SplitOp op) {
  SmallVector<int64_t> extents;
  SmallVector<Value> parts(op.getParts());
  for (Value part : parts)
    extents.push_back(shapeOf(part)[op.getAxis()]);
  exporter.emitMany(parts, "Split",
                    {exporter.nameOf(op.getInput()), exporter.ints(extents)},
                    {intAttr("axis", op.getAxis())});
  return success();
}

static LogicalResult emitSlice(Exporter &exporter, nn::SliceOp op) {
  SmallVector<int64_t> starts, ends, axes, steps;
  auto input = shapeOf(op.getInput()), result = shapeOf(op.getResult());
  for (size_t i = 0; i < input.size(); ++i) {
    int64_t step = op.getSteps()[i], start = op.getStarts()[i];
    if (input[i] == result[i] && step == 1)
      continue;
    int64_t end = start + result[i] * step;
    starts.push_back(start);
    // A negative end would count from the end; before the first element is
    // as far from it as one likes.
    ends.push_back(end < 0 ? std::numeric_limits<int64_t>::min() / 2 : end);
    axes.push_back(i);
    steps.push_back(step);
  }
  exporter.emitAs(op.getResult(), "Slice",
                  {exporter.nameOf(op.getInput()), exporter.ints(starts),
                   exporter.ints(ends), exporter.ints(axes),
                   exporter.ints(steps)});
  return success();
}

static LogicalResult emitPad(Exporter &exporter, nn::PadOp op) {
  SmallVector<int64_t> pads(op.getLow());
  pads.append(op.getHigh().begin(), op.getHigh().end());
  Names inputs = {exporter.nameOf(op.getInput()), exporter.ints(pads)};
  if (op.getMode() == nn::PadMode::Constant)
    inputs.push_back(exporter.scalar(elementOf(op.getInput()),
                                     op.getValue().convertToDouble()));
  exporter.emitAs(op.getResult(), "Pad", inputs,
                  {stringAttr("mode", nn::stringifyPadMode(op.getMode()))});
  return success();
}

template <typename OpTy>
static LogicalResult emitGatherAlong(Exporter &exporter, OpTy op,
                                     StringRef opType) {
  exporter.emitAs(
      op.getResult(), opType,
      {exporter.nameOf(op.getData()), exporter.nameOf(op.getIndices())},
      {intAttr("axis", op.getAxis())});
  return success();
}
static LogicalResult emitGather(Exporter &exporter, nn::GatherOp op) {
  return emitGatherAlong(exporter, op, "Gather");
}
static LogicalResult emitGatherElements(Exporter &exporter,
                                        nn::GatherElementsOp op) {
  return emitGatherAlong(exporter, op, "GatherElements");
}
/// ONNX wants 64-bit indices here.
static LogicalResult emitGatherND(Exporter &exporter, nn::GatherNDOp op) {
  exporter.emitAs(
      op.getResult(), "GatherND",
      {exporter.nameOf(op.getData()),
       exporter.castTo(op.getIndices(), IntegerType::get(op.getContext(), 64))},
      {intAttr("batch_dims", op.getBatchDims())});
  return success();
}

/// What a ScatterND adds to zeros (opset 16): the derivative of a gather stands
/// for one in forward functions, too.
static LogicalResult emitScatterND(Exporter &exporter, nn::GatherNDGradOp op) {
  if (op.getBatchDims() != 0)
    return op.emitError("cannot be exported: ScatterND has no batch axes");
  std::string zeros =
      exporter.emit("Expand", {exporter.scalar(elementOf(op.getResult()), 0),
                               exporter.ints(shapeOf(op.getResult()))});
  exporter.emitAs(
      op.getResult(), "ScatterND",
      {zeros,
       exporter.castTo(op.getIndices(), IntegerType::get(op.getContext(), 64)),
       exporter.castTo(op.getDy(), elementOf(op.getResult()))},
      {stringAttr("reduction", "add")});
  return success();
}

void registerShapes(Registry &registry) {
  registry.add<nn::ReshapeOp>(emitReshape);
  registry.add<nn::TransposeOp>(emitTranspose);
  registry.add<nn::ExpandOp>(emitExpand);
  registry.add<nn::ConcatOp>(emitConcat);
  registry.add<nn::SplitOp>(emitSplit);
  registry.add<nn::SliceOp>(emitSlice);
  registry.add<nn::PadOp>(emitPad);
  registry.add<nn::GatherOp>(emitGather);
  registry.add<nn::GatherElementsOp>(emitGatherElements);
  registry.add<nn::GatherNDOp>(emitGatherND);
  registry.add<nn::GatherNDGradOp>(emitScatterND);
}

} // namespace mpt::exporter
