//===- Normalization.cpp - Normalization and softmax ----------------------===//

#include "Node.h"

using namespace mlir;

namespace mpt::importer {

/// The type of statistics, scale and shift for data of an element type.
static Type statisticType(Type data) {
  return data.isF64() ? data : Type(Float32Type::get(data.getContext()));
}

/// An affine parameter in the statistics' type and the given shape.
static Value affine(Node &node, Value value, Type element,
                    ArrayRef<int64_t> shape) {
  return node.expand(node.cast(value, element), shape);
}

//===----------------------------------------------------------------------===//
// Batch normalization
//===----------------------------------------------------------------------===//

static Outcome importBatchNorm(Node &node) {
  if (node.rank(0) < 2 || node.intOf("spatial", 1) == 0)
    return Outcome::Keep;
  if (node.opset < 7 && node.intOf("is_test", 0) == 0 && node.isUsed(1))
    return Outcome::Keep;
  bool training = node.intOf("training_mode", 0) != 0;
  // Before opset 14 the number of outputs told the mode; the saved statistics
  // of old differ in meaning.
  if (node.opset < 14) {
    if (node.isUsed(3) || node.isUsed(4))
      return Outcome::Keep;
    training = node.isUsed(1) || node.isUsed(2);
  }
  Type data = elementOf(node.in(0)), statistic = statisticType(data);
  SmallVector<Value> operands = {node.in(0)};
  for (size_t i = 1; i <= 4; ++i)
    operands.push_back(affine(node, node.in(i), statistic, {node.shape(0)[1]}));
  SmallVector<NamedAttribute> attributes = {
      node.f64("epsilon", node.floatOf("epsilon", 1e-5f))};
  if (!training)
    return node.done(
        node.create<nn::BatchNormInferenceOp>(operands, attributes));
  attributes.push_back(node.f64("momentum", node.floatOf("momentum", 0.9f)));
  auto results =
      node.createMany<nn::BatchNormTrainingOp>(5, operands, attributes);
  node.set(0, results[0]);
  node.set(1, node.cast(results[1], elementOf(node.in(3))));
  node.set(2, node.cast(results[2], elementOf(node.in(4))));
  return Outcome::Done;
}

//===----------------------------------------------------------------------===//
// Layer, RMS, group and instance normalization
//===----------------------------------------------------------------------===//

/// Statistics of a node in the type its stash_type says.
static Type stashType(Node &node, Type data) {
  return node.intOf("stash_type", 1) == 1
             ? Type(Float32Type::get(node.context()))
             : data;
}

static SmallVector<Value> layerNorm(Node &node, Value x, Value scale,
                                    Value bias, int64_t axis) {
  Type statistic = statisticType(elementOf(x));
  Shape shape(ArrayRef<int64_t>(shapeOf(x)).drop_front(axis));
  SmallVector<Value> operands = {x, affine(node, scale, statistic, shape)};
  if (bias)
    operands.push_back(affine(node, bias, statistic, shape));
  return node.createMany<nn::LayerNormOp>(
      3, operands,
      {node.i64("axis", axis),
       node.f64("epsilon", node.floatOf("epsilon", 1e-5f))});
}

static Outcome importLayerNorm(Node &node) {
  auto axis = node.axisOf("axis", -1, node.rank(0));
  if (!axis)
    return node.fail("its axis is out of range");
  auto results = layerNorm(node, node.in(0), node.in(1), node.in(2), *axis);
  Type stash = stashType(node, elementOf(node.in(0)));
  node.set(0, results[0]);
  if (node.isUsed(1))
    node.set(1, node.cast(results[1], stash));
  if (node.isUsed(2))
    node.set(2, node.cast(results[2], stash));
  return Outcome::Done;
}

static Value rmsNorm(Node &node, Value x, Value scale, int64_t axis) {
  Shape shape(ArrayRef<int64_t>(shapeOf(x)).drop_front(axis));
  return node.createMany<nn::RMSNormOp>(
      2, {x, affine(node, scale, statisticType(elementOf(x)), shape)},
      {node.i64("axis", axis),
       node.f64("epsilon", node.floatOf("epsilon", 1e-5f))})[0];
}

static Outcome importRMSNorm(Node &node) {
  auto axis = node.axisOf("axis", -1, node.rank(0));
  if (!axis)
    return node.fail("its axis is out of range");
  if (node.isUsed(1))
    return Outcome::Keep;
  return node.done(rmsNorm(node, node.in(0), node.in(1), *axis));
}

/// com.microsoft: norm(input + skip (+ bias)) * gamma (+ beta); the sum is the
/// fourth output.
template <bool simplified> static Outcome importSkipNorm(Node &node) {
  size_t biasIndex = simplified ? 3 : 4;
  if (!node.has(0) || !node.has(1) || !node.has(2))
    return node.fail("needs an input, a skip input and a scale");
  if (node.isUsed(1) || node.isUsed(2) || node.shape(0) != node.shape(1))
    return Outcome::Keep;
  Value sum = node.create<nn::AddOp>({node.in(0), node.in(1)});
  if (node.has(biasIndex))
    sum = node.create<nn::AddOp>({sum, node.in(biasIndex)});
  int64_t axis = node.rank(0) - 1;
  node.set(0, simplified
                  ? rmsNorm(node, sum, node.in(2), axis)
                  : layerNorm(node, sum, node.in(2), node.in(3), axis)[0]);
  node.set(3, sum);
  return Outcome::Done;
}

static Value groupNorm(Node &node, Value x, Value scale, Value bias,
                       int64_t groups) {
  Type statistic = statisticType(elementOf(x));
  return node.createMany<nn::GroupNormOp>(
      3, {x, node.cast(scale, statistic), node.cast(bias, statistic)},
      {node.i64("num_groups", groups),
       node.f64("epsilon", node.floatOf("epsilon", 1e-5f))})[0];
}

/// Opset 18 has one scale and shift per group, opset 21 one per channel.
static Outcome importGroupNorm(Node &node) {
  int64_t groups = node.intOf("num_groups", 0);
  if (node.rank(0) < 3)
    return Outcome::Keep;
  int64_t channels = node.shape(0)[1];
  if (groups <= 0 || channels % groups != 0)
    return node.fail("num_groups does not divide the channels");
  auto perChannel = [&](Value value) {
    if (node.opset >= 21)
      return value;
    value = node.reshape(value, {groups, 1});
    value = node.expand(value, {groups, channels / groups});
    return node.reshape(value, {channels});
  };
  return node.done(groupNorm(node, node.in(0), perChannel(node.in(1)),
                             perChannel(node.in(2)), groups));
}

static Outcome importInstanceNorm(Node &node) {
  if (node.rank(0) < 3)
    return Outcome::Keep;
  return node.done(
      groupNorm(node, node.in(0), node.in(1), node.in(2), node.shape(0)[1]));
}

/// (x - mean) / sqrt(E[x^2] - mean^2 + 1e-9); the epsilon is that of ONNX's own
/// function.
static Outcome importMeanVarianceNorm(Node &node) {
  Value x = node.in(0);
  auto axes =
      normalizeAxes(node.intsOf("axes").value_or(Shape{0, 2, 3}), node.rank(0));
  if (!axes || !isFloat(x))
    return Outcome::Keep;
  Value mean = node.reduce<nn::ReduceMeanOp>(x, *axes, true);
  Value centered = node.create<nn::SubOp>({x, mean});
  Value variance = node.reduce<nn::ReduceMeanOp>(
      node.create<nn::MulOp>({centered, centered}), *axes, true);
  Value deviation = node.create<nn::SqrtOp>(variance);
  deviation = node.create<nn::AddOp>({deviation, node.scalar(x, 1e-9)});
  return node.done(node.create<nn::DivOp>({centered, deviation}));
}

/// x / norm, 0 where the norm is 0.
static Outcome importLpNorm(Node &node) {
  Value x = node.in(0);
  int64_t p = node.intOf("p", 2);
  auto axis = node.axisOf("axis", -1, node.rank(0));
  if (!axis || (p != 1 && p != 2))
    return Outcome::Keep;
  Value terms =
      p == 1 ? node.create<nn::AbsOp>(x) : node.create<nn::MulOp>({x, x});
  Value norm = node.reduce<nn::ReduceSumOp>(terms, {*axis}, true);
  if (p == 2)
    norm = node.create<nn::SqrtOp>(norm);
  Value isZero =
      node.compare(nn::ComparePredicate::EQ, norm, node.scalar(norm, 0));
  norm = node.where(isZero, node.scalar(norm, 1), norm);
  return node.done(node.create<nn::DivOp>({x, norm}));
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// Before opset 13 the axes from `axis` on are normalized together.
template <typename OpTy> static Outcome importSoftmax(Node &node) {
  bool coerces = node.opset < 13;
  int64_t rank = node.rank(0);
  auto axis = node.axisOf("axis", coerces ? 1 : -1, rank);
  if (!axis) // legal of old: a vector under axis 1
    return rank == 0 || !coerces ? node.fail("its axis is out of range")
                                 : Outcome::Keep;
  Value x = node.in(0);
  if (!coerces || *axis == rank - 1)
    return node.done(
        node.create<OpTy>(x, {node.i64("axis", *axis)}, x.getType()));
  ArrayRef<int64_t> shape = node.shape(0);
  Value matrix = node.reshape(
      x, {product(shape.take_front(*axis)), product(shape.drop_front(*axis))});
  if (!matrix)
    return Outcome::Failed;
  Value result =
      node.create<OpTy>(matrix, {node.i64("axis", 1)}, matrix.getType());
  return node.done(node.reshape(result, shape));
}

void registerNormalizations(Registry &registry) {
  registry.add("BatchNormalization", 1,
               "nn.batch_norm_inference or nn.batch_norm_training",
               importBatchNorm);
  registry.add("LayerNormalization", 1, "nn.layer_norm", importLayerNorm);
  registry.add("RMSNormalization", 23, "nn.rms_norm", importRMSNorm);
  registry.add("SimplifiedLayerNormalization", 1, "nn.rms_norm", importRMSNorm);
  registry.add("GroupNormalization", 18, "nn.group_norm", importGroupNorm);
  registry.add("InstanceNormalization", 6, "nn.group_norm", importInstanceNorm);
  registry.add("MeanVarianceNormalization", 9,
               "nn.reduce_mean, nn.sqrt, nn.div", importMeanVarianceNorm);
  registry.add("LpNormalization", 1, "nn.reduce_sum, nn.sqrt, nn.div",
               importLpNorm);
  registry.add("Softmax", 1, "nn.softmax", importSoftmax<nn::SoftmaxOp>);
  registry.add("LogSoftmax", 1, "nn.log_softmax",
               importSoftmax<nn::LogSoftmaxOp>);
  StringRef microsoft = "com.microsoft";
  registry.add("SkipLayerNormalization", 1, "nn.add, nn.layer_norm",
               importSkipNorm<false>, Needs::StaticTensors, microsoft);
  registry.add("SkipSimplifiedLayerNormalization", 1, "nn.add, nn.rms_norm",
               importSkipNorm<true>, Needs::StaticTensors, microsoft);
}

} // namespace mpt::importer
