//===- Reduction.cpp - Reductions, arg-extrema, running sums --------------===//

#include "Node.h"

using namespace mlir;

namespace mpt::importer {

namespace {
struct Reduction {
  Shape axes;
  bool keepdims = true;
};
} // namespace

/// Axes are an attribute before `asInput`, an input from then on; none given
/// means all, unless noop_with_empty_axes. Nothing where they are not known.
static std::optional<Reduction> readReduction(Node &node, int64_t asInput) {
  Reduction result;
  result.keepdims = node.intOf("keepdims", 1) != 0;
  std::optional<Shape> axes;
  if (node.opset < asInput) {
    axes = node.intsOf("axes");
  } else if (node.has(1)) {
    axes = node.knownInts(1);
    if (!axes)
      return std::nullopt;
  }
  if (!axes || axes->empty())
    axes = node.intOf("noop_with_empty_axes", 0) ? Shape() : iota(node.rank(0));
  auto normalized = normalizeAxes(*axes, node.rank(0));
  if (!normalized) {
    node.fail("an axis is out of range");
    return std::nullopt;
  }
  result.axes = *normalized;
  return result;
}

template <typename OpTy, int64_t asInput>
static Outcome importReduce(Node &node) {
  auto reduction = readReduction(node, asInput);
  if (!reduction)
    return Outcome::Keep;
  return node.done(
      node.reduce<OpTy>(node.in(0), reduction->axes, reduction->keepdims));
}

static Value sum(Node &node, Value value, const Reduction &reduction) {
  return node.reduce<nn::ReduceSumOp>(value, reduction.axes,
                                      reduction.keepdims);
}

static Outcome importReduceL1(Node &node) {
  auto reduction = readReduction(node, 18);
  if (!reduction)
    return Outcome::Keep;
  return node.done(sum(node, node.create<nn::AbsOp>(node.in(0)), *reduction));
}

static Outcome importReduceSumSquare(Node &node) {
  auto reduction = readReduction(node, 18);
  if (!reduction)
    return Outcome::Keep;
  Value x = node.in(0);
  return node.done(sum(node, node.create<nn::MulOp>({x, x}), *reduction));
}

static Outcome importReduceL2(Node &node) {
  auto reduction = readReduction(node, 18);
  Value x = node.in(0);
  if (!reduction || !isFloat(x))
    return Outcome::Keep;
  Value squares = sum(node, node.create<nn::MulOp>({x, x}), *reduction);
  return node.done(node.create<nn::SqrtOp>(squares));
}

static Outcome importReduceLogSum(Node &node) {
  auto reduction = readReduction(node, 18);
  if (!reduction || !isFloat(node.in(0)))
    return Outcome::Keep;
  return node.done(node.create<nn::LogOp>(sum(node, node.in(0), *reduction)));
}

/// log(sum(exp(x - m))) + m with the maximum m, 0 where that is infinite.
static Outcome importReduceLogSumExp(Node &node) {
  auto reduction = readReduction(node, 18);
  Value x = node.in(0);
  if (!reduction || !isFloat(x) || product(node.shape(0)) == 0)
    return Outcome::Keep;
  Value maximum = node.reduce<nn::ReduceMaxOp>(x, reduction->axes, true);
  maximum =
      node.where(node.create<nn::IsInfOp>(maximum), node.scalar(x, 0), maximum);
  Value shifted = node.create<nn::ExpOp>(node.create<nn::SubOp>({x, maximum}));
  Value result = node.create<nn::LogOp>(sum(node, shifted, *reduction));
  maximum = node.reshape(maximum, shapeOf(result));
  return node.done(node.create<nn::AddOp>({result, maximum}));
}

template <typename OpTy> static Outcome importArg(Node &node) {
  auto axis = node.axisOf("axis", 0, node.rank(0));
  if (!axis)
    return node.fail("its axis is out of range");
  bool keepdims = node.intOf("keepdims", 1) != 0;
  auto type = RankedTensorType::get(
      nn::getReducedShape(node.shape(0), {*axis}, keepdims),
      IntegerType::get(node.context(), 64));
  return node.done(node.create<OpTy>(
      node.in(0),
      {node.i64("axis", *axis), node.flag("keepdims", keepdims),
       node.flag("select_last", node.intOf("select_last_index", 0) != 0)},
      type));
}

static Outcome importCumSum(Node &node) {
  auto axis = node.knownInts(1);
  if (!axis || axis->size() != 1)
    return Outcome::Keep;
  auto normalized = normalizeAxes(*axis, node.rank(0));
  if (!normalized)
    return node.fail("its axis is out of range");
  return node.done(node.create<nn::CumSumOp>(
      node.in(0),
      {node.i64("axis", normalized->front()),
       node.flag("exclusive", node.intOf("exclusive", 0) != 0),
       node.flag("reverse", node.intOf("reverse", 0) != 0)},
      node.type(0)));
}

void registerReductions(Registry &registry) {
  registry.add("ReduceSum", 1, "nn.reduce_sum",
               importReduce<nn::ReduceSumOp, 13>);
  registry.add("ReduceMean", 1, "nn.reduce_mean",
               importReduce<nn::ReduceMeanOp, 18>);
  registry.add("ReduceMax", 1, "nn.reduce_max",
               importReduce<nn::ReduceMaxOp, 18>);
  registry.add("ReduceMin", 1, "nn.reduce_min",
               importReduce<nn::ReduceMinOp, 18>);
  registry.add("ReduceProd", 1, "nn.reduce_prod",
               importReduce<nn::ReduceProdOp, 18>);
  registry.add("ReduceL1", 1, "nn.abs, nn.reduce_sum", importReduceL1);
  registry.add("ReduceL2", 1, "nn.mul, nn.reduce_sum, nn.sqrt", importReduceL2);
  registry.add("ReduceSumSquare", 1, "nn.mul, nn.reduce_sum",
               importReduceSumSquare);
  registry.add("ReduceLogSum", 1, "nn.reduce_sum, nn.log", importReduceLogSum);
  registry.add("ReduceLogSumExp", 1,
               "nn.reduce_max, nn.exp, nn.reduce_sum, nn.log",
               importReduceLogSumExp);
  registry.add("ArgMax", 1, "nn.arg_max", importArg<nn::ArgMaxOp>);
  registry.add("ArgMin", 1, "nn.arg_min", importArg<nn::ArgMinOp>);
  registry.add("CumSum", 11, "nn.cum_sum", importCumSum);
}

} // namespace mpt::importer
