//===- Reduction.cpp - Reductions and losses as ONNX nodes ----------------===//

#include "Exporter.h"

using namespace mlir;

namespace mpt::exporter {

/// A reduction of `input` over `axes`; ReduceSum takes axes as input from opset
/// 13 on, the others from 18 on.
static Names reductionInputs(Exporter &exporter, const std::string &input,
                             StringRef opType, ArrayRef<int64_t> axes,
                             Attributes &attributes) {
  if (opType != "ReduceSum" && exporter.getOpset() < 18) {
    attributes.push_back(intsAttr("axes", axes));
    return {input};
  }
  return {input, exporter.ints(axes)};
}

template <typename OpTy>
static LogicalResult emitReduce(Exporter &exporter, OpTy op, StringRef opType) {
  std::string input = exporter.nameOf(op.getInput());
  Type element = elementOf(op.getInput());
  if (op.getAxes().empty()) { // over none: ONNX would take all
    exporter.emitAs(op.getResult(), "Identity", {input}, {}, element);
    return success();
  }
  Attributes attributes = {intAttr("keepdims", op.getKeepdims())};
  Names inputs =
      reductionInputs(exporter, input, opType, op.getAxes(), attributes);
  exporter.emitAs(op.getResult(), opType, inputs, attributes, element);
  return success();
}

template <typename OpTy>
static LogicalResult emitArg(Exporter &exporter, OpTy op, StringRef opType) {
  exporter.emitAs(op.getResult(), opType, {exporter.nameOf(op.getInput())},
                  {intAttr("axis", op.getAxis()),
                   intAttr("keepdims", op.getKeepdims()),
                   intAttr("select_last_index", op.getSelectLast())});
  return success();
}

static LogicalResult emitCumSum(Exporter &exporter, nn::CumSumOp op) {
  exporter.emitAs(op.getResult(), "CumSum",
                  {exporter.nameOf(op.getInput()),
                   exporter.scalar(IntegerType::get(op.getContext(), 64),
                                   static_cast<double>(op.getAxis()))},
                  {intAttr("exclusive", op.getExclusive()),
                   intAttr("reverse", op.getReverse())});
  return success();
}

void registerReductions(Registry &registry) {
#define MPT_ADD(OpTy, emitter, opType)                                         \
  registry.add<nn::OpTy>(+[](Exporter &exporter, nn::OpTy op) {                \
    return emitter(exporter, op, opType);                                      \
  });
  MPT_ADD(ReduceSumOp, emitReduce, "ReduceSum")
  MPT_ADD(ReduceMeanOp, emitReduce, "ReduceMean")
  MPT_ADD(ReduceMaxOp, emitReduce, "ReduceMax")
  MPT_ADD(ReduceMinOp, emitReduce, "ReduceMin")
  MPT_ADD(ReduceProdOp, emitReduce, "ReduceProd")
  MPT_ADD(ArgMaxOp, emitArg, "ArgMax")
  MPT_ADD(ArgMinOp, emitArg, "ArgMin")
#undef MPT_ADD
  registry.add<nn::CumSumOp>(emitCumSum);
}

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

/// ONNX has the classes on axis 1.
static LogicalResult emitCrossEntropy(Exporter &exporter,
                                      nn::SoftmaxCrossEntropyOp op) {
  int64_t rank = shapeOf(op.getLogits()).size(), axis = op.getAxis();
  std::string logits = exporter.nameOf(op.getLogits());
  SmallVector<int64_t> forward, backward(rank);
  for (int64_t i = 0; i < rank; ++i)
    if (i != axis)
      forward.push_back(i);
  if (rank < 2)
    return op.emitOpError("cannot be exported without a sample axis");
  forward.insert(forward.begin() + 1, axis);
  for (auto [i, from] : llvm::enumerate(forward))
    backward[from] = i;
  if (axis != 1)
    logits = exporter.emit("Transpose", {logits}, {intsAttr("perm", forward)});
  Names inputs = {logits, exporter.nameOf(op.getLabels())};
  if (op.getWeights())
    inputs.push_back(exporter.nameOf(op.getWeights()));
  Attributes attributes = {
      stringAttr("reduction", nn::stringifyLossReduction(op.getReduction()))};
  if (op.getIgnoreIndex())
    attributes.push_back(intAttr("ignore_index", *op.getIgnoreIndex()));
  bool wantsLogProb = !op.getLogProb().use_empty();
  if (axis == 1 || !wantsLogProb) {
    exporter.emitMany(
        {op.getLoss(), wantsLogProb ? Value(op.getLogProb()) : Value()},
        "SoftmaxCrossEntropyLoss", inputs, attributes);
    return success();
  }
  exporter.emitMany({op.getLoss()}, "SoftmaxCrossEntropyLoss", inputs,
                    attributes);
  exporter.emitAs(op.getLogProb(), "LogSoftmax",
                  {exporter.nameOf(op.getLogits())}, {intAttr("axis", axis)});
  return success();
}

/// The loss of every element, reduced.
template <typename OpTy>
static LogicalResult emitPairLoss(Exporter &exporter, OpTy op,
                                  const std::string &terms) {
  int64_t rank = shapeOf(op.getPrediction()).size();
  if (op.getReduction() == nn::LossReduction::None || rank == 0) {
    exporter.emitAs(op.getLoss(), "Identity", {terms});
    return success();
  }
  StringRef opType =
      op.getReduction() == nn::LossReduction::Mean ? "ReduceMean" : "ReduceSum";
  SmallVector<int64_t> axes;
  for (int64_t i = 0; i < rank; ++i)
    axes.push_back(i);
  Attributes attributes = {intAttr("keepdims", 0)};
  Names inputs = reductionInputs(exporter, terms, opType, axes, attributes);
  exporter.emitAs(op.getLoss(), opType, inputs, attributes);
  return success();
}

static LogicalResult emitMSE(Exporter &exporter, nn::MSELossOp op) {
  std::string difference =
      exporter.emit("Sub", {exporter.nameOf(op.getPrediction()),
                            exporter.nameOf(op.getTarget())});
  return emitPairLoss(exporter, op,
                      exporter.emit("Mul", {difference, difference}));
}
static LogicalResult emitL1(Exporter &exporter, nn::L1LossOp op) {
  std::string difference =
      exporter.emit("Sub", {exporter.nameOf(op.getPrediction()),
                            exporter.nameOf(op.getTarget())});
  return emitPairLoss(exporter, op, exporter.emit("Abs", {difference}));
}
/// softplus(x) - x t.
static LogicalResult emitBCE(Exporter &exporter, nn::BCEWithLogitsLossOp op) {
  std::string x = exporter.nameOf(op.getPrediction());
  std::string softplus = exporter.emit("Softplus", {x});
  std::string product =
      exporter.emit("Mul", {x, exporter.nameOf(op.getTarget())});
  return emitPairLoss(exporter, op, exporter.emit("Sub", {softplus, product}));
}

void registerLosses(Registry &registry) {
  registry.add<nn::SoftmaxCrossEntropyOp>(emitCrossEntropy);
  registry.add<nn::MSELossOp>(emitMSE);
  registry.add<nn::L1LossOp>(emitL1);
  registry.add<nn::BCEWithLogitsLossOp>(emitBCE);
}

} // namespace mpt::exporter
