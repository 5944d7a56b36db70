//===- Normalization.cpp - Normalizations and softmax as ONNX nodes -------===//
//
// ONNX wants scale and shift of layer, RMS and group normalization in the
// data's type; stash_type = 1 (the default) keeps the statistics in FP32. Batch
// normalization takes 16-bit data beside FP32 scale, shift and statistics from
// opset 15 on.
//
//===----------------------------------------------------------------------===//

#include "Exporter.h"

using namespace mlir;

namespace mpt::exporter {

static onnx::AttributeProto epsilonOf(const llvm::APFloat &epsilon) {
  return floatAttr("epsilon", epsilon.convertToDouble());
}

static LogicalResult emitBatchNormInference(Exporter &exporter,
                                            nn::BatchNormInferenceOp op) {
  exporter.emitAs(op.getResult(), "BatchNormalization",
                  {exporter.nameOf(op.getInput()),
                   exporter.nameOf(op.getScale()),
                   exporter.nameOf(op.getBias()), exporter.nameOf(op.getMean()),
                   exporter.nameOf(op.getVariance())},
                  {epsilonOf(op.getEpsilon())});
  return success();
}

static LogicalResult emitBatchNormTraining(Exporter &exporter,
                                           nn::BatchNormTrainingOp op) {
  if (!op.getSavedMean().use_empty() || !op.getSavedRstd().use_empty())
    return op.emitOpError("cannot be exported with its saved statistics");
  Names inputs = {exporter.nameOf(op.getInput()),
                  exporter.nameOf(op.getScale()), exporter.nameOf(op.getBias()),
                  exporter.nameOf(op.getRunningMean()),
                  exporter.nameOf(op.getRunningVariance())};
  Attributes attributes = {
      epsilonOf(op.getEpsilon()),
      floatAttr("momentum", op.getMomentum().convertToDouble()),
      intAttr("training_mode", 1)};
  exporter.emitMany({op.getResult(), op.getNewMean(), op.getNewVariance()},
                    "BatchNormalization", inputs, attributes);
  return success();
}

static LogicalResult emitLayerNorm(Exporter &exporter, nn::LayerNormOp op) {
  Type element = elementOf(op.getInput());
  Names inputs = {exporter.nameOf(op.getInput()),
                  exporter.castTo(op.getScale(), element)};
  if (op.getBias())
    inputs.push_back(exporter.castTo(op.getBias(), element));
  auto used = [](Value value) { return value.use_empty() ? Value() : value; };
  exporter.emitMany(
      {op.getResult(), used(op.getMean()), used(op.getRstd())},
      "LayerNormalization", inputs,
      {intAttr("axis", op.getAxis()), epsilonOf(op.getEpsilon())});
  return success();
}

static LogicalResult emitRMSNorm(Exporter &exporter, nn::RMSNormOp op) {
  if (!op.getRstd().use_empty())
    return op.emitOpError("cannot be exported with its statistic");
  exporter.emitAs(op.getResult(), "RMSNormalization",
                  {exporter.nameOf(op.getInput()),
                   exporter.castTo(op.getScale(), elementOf(op.getInput()))},
                  {intAttr("axis", op.getAxis()), epsilonOf(op.getEpsilon())});
  return success();
}

static LogicalResult emitGroupNorm(Exporter &exporter, nn::GroupNormOp op) {
  if (!op.getMean().use_empty() || !op.getRstd().use_empty())
    return op.emitOpError("cannot be exported with its statistics");
  Type element = elementOf(op.getInput());
  Names inputs = {exporter.nameOf(op.getInput()),
                  exporter.castTo(op.getScale(), element),
                  exporter.castTo(op.getBias(), element)};
  Attributes attributes = {epsilonOf(op.getEpsilon())};
  bool perChannel =
      static_cast<int64_t>(op.getNumGroups()) == shapeOf(op.getInput())[1];
  if (!perChannel)
    attributes.push_back(intAttr("num_groups", op.getNumGroups()));
  exporter.emitAs(op.getResult(),
                  perChannel ? "InstanceNormalization" : "GroupNormalization",
                  inputs, attributes);
  return success();
}

static LogicalResult emitSoftmax(Exporter &exporter, nn::SoftmaxOp op) {
  exporter.emitAs(op.getResult(), "Softmax", {exporter.nameOf(op.getInput())},
                  {intAttr("axis", op.getAxis())});
  return success();
}
static LogicalResult emitLogSoftmax(Exporter &exporter, nn::LogSoftmaxOp op) {
  exporter.emitAs(op.getResult(), "LogSoftmax",
                  {exporter.nameOf(op.getInput())},
                  {intAttr("axis", op.getAxis())});
  return success();
}

void registerNormalizations(Registry &registry) {
  registry.add<nn::BatchNormInferenceOp>(emitBatchNormInference);
  registry.add<nn::BatchNormTrainingOp>(emitBatchNormTraining);
  registry.add<nn::LayerNormOp>(emitLayerNorm);
  registry.add<nn::RMSNormOp>(emitRMSNorm);
  registry.add<nn::GroupNormOp>(emitGroupNorm);
  registry.add<nn::SoftmaxOp>(emitSoftmax);
  registry.add<nn::LogSoftmaxOp>(emitLogSoftmax);
}

} // namespace mpt::exporter
