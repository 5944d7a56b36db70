//===- GenericNorm.cpp - Normalizations and their gradients, plain --------===//
//
// All normalizations share a formula and differ in which elements share
// statistics (a group) and which share scale and bias (a parameter):
//
//                 group                        parameter
//   batch norm    channel                      channel
//   layer, RMS    row                          position in the row
//   group norm    sample and channel group     channel
//
// Gradients have two phases: dx per group, then sums per parameter.
//
//===----------------------------------------------------------------------===//

#include "Generic.h"
#include "Kernels.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

using Values = SmallVector<Value>;

namespace {

struct Layout {
  explicit Layout(Operation *op, ArrayRef<int64_t> shape) {
    if (auto axis = op->getAttrOfType<IntegerAttr>("axis")) {
      kind = Row;
      groups = product(shape.take_front(axis.getInt()));
      parameters = product(shape.drop_front(axis.getInt()));
      groupBox = {parameters};
      parameterBox = {groups};
      return;
    }
    channels = parameters = shape[1];
    inner = product(shape.drop_front(2));
    if (auto count = op->getAttrOfType<IntegerAttr>("num_groups")) {
      kind = Group;
      perSample = count.getInt();
      width = channels / atLeastOne(perSample);
      groups = shape[0] * perSample;
      groupBox = {width, inner};
    } else {
      groups = channels;
      groupBox = {shape[0], inner};
    }
    parameterBox = {shape[0], inner};
  }

  int64_t count() const { return product(groupBox); }

  /// An element of a group: its number and its parameter's.
  std::pair<Value, Value> inGroup(EmitContext &c, Value group,
                                  ValueRange at) const {
    switch (kind) {
    case Batch:
      return {c.add(c.mul(c.add(c.mul(at[0], channels), group), inner), at[1]),
              group};
    case Row:
      return {c.add(c.mul(group, parameters), at[0]), at[0]};
    case Group:
      return {c.add(c.mul(c.add(c.mul(group, width), at[0]), inner), at[1]),
              c.add(c.mul(c.rem(group, perSample), width), at[0])};
    }
    return {};
  }
  /// An element with a parameter: its number and its group's.
  std::pair<Value, Value> ofParameter(EmitContext &c, Value parameter,
                                      ValueRange at) const {
    switch (kind) {
    case Batch:
      return inGroup(c, parameter, at);
    case Row:
      return {c.add(c.mul(at[0], parameters), parameter), at[0]};
    case Group:
      return {
          c.add(c.mul(c.add(c.mul(at[0], channels), parameter), inner), at[1]),
          c.add(c.mul(at[0], perSample), c.div(parameter, width))};
    }
    return {};
  }

  enum { Batch, Row, Group } kind = Batch;
  int64_t groups = 1, parameters = 1;
  int64_t channels = 1, inner = 1, perSample = 1, width = 1;
  SmallVector<int64_t> groupBox, parameterBox;
};

} // namespace

/// Sums of terms over a box; `terms` gives them at coordinates.
static Values sumOver(EmitContext &c, ArrayRef<int64_t> box, Type acc,
                      unsigned count,
                      llvm::function_ref<Values(ValueRange)> terms) {
  Values init(count, c.constant(acc, 0));
  return c.loopNest(box, init, [&](ValueRange at, ValueRange carried) {
    Values next = terms(at);
    for (unsigned i = 0; i < count; ++i)
      next[i] = c.addf(carried[i], next[i]);
    return next;
  });
}

static KernelShape perGroup(Operation *op) {
  return KernelShape::parallel(
      atLeastOne(Layout(op, getShapeOf(op->getOperand(0))).groups));
}

/// Applies statistics to a group: y = (x - mean) * rstd * scale + bias.
static void emitApply(OpWriter &w, const Layout &layout, Value group,
                      Value mean, Value rstd, Value scale, Value bias) {
  EmitContext &c = w.c;
  const KernelTensor &x = w.in(0), &y = w.out();
  c.loopNest(layout.groupBox, [&](ValueRange at) {
    auto [element, parameter] = layout.inGroup(c, group, at);
    Value value = c.load(x, element);
    if (mean)
      value = c.subf(value, mean);
    value = c.mulf(c.mulf(value, rstd), c.load(w.in(scale), parameter));
    if (bias)
      value = c.addf(value, c.load(w.in(bias), parameter));
    c.store(y, element, value);
  });
}

/// Mean (unless `isRMS`) and 1 / sqrt(variance + epsilon) of a group; the
/// variance as a sum of squared differences.
static std::tuple<Value, Value, Value>
emitStatistics(OpWriter &w, const Layout &layout, Value group, double epsilon,
               bool isRMS) {
  EmitContext &c = w.c;
  const KernelTensor &x = w.in(0);
  Type acc = getAccumulator(x);
  Value count = c.constant(acc, double(atLeastOne(layout.count())));
  Value mean;
  if (!isRMS)
    mean = c.divf(sumOver(c, layout.groupBox, acc, 1,
                          [&](ValueRange at) {
                            return Values{
                                c.load(x, layout.inGroup(c, group, at).first)};
                          })[0],
                  count);
  Value squares = sumOver(c, layout.groupBox, acc, 1, [&](ValueRange at) {
    Value value = c.load(x, layout.inGroup(c, group, at).first);
    if (mean)
      value = c.subf(value, mean);
    return Values{c.mulf(value, value)};
  })[0];
  Value variance = c.divf(squares, count);
  Value rstd = c.rsqrt(c.addf(variance, c.constant(acc, epsilon)));
  return {mean, variance, rstd};
}

static void emitBatchNormInference(OpWriter &w) {
  auto op = cast<nn::BatchNormInferenceOp>(w.op);
  EmitContext &c = w.c;
  const Layout layout(op, w.in(0).type.getShape());
  const double epsilon = op.getEpsilon().convertToDouble();
  c.parallel(layout.groups, [&](Value group) {
    Value mean = c.load(w.in(op.getMean()), group);
    Value variance = c.load(w.in(op.getVariance()), group);
    Value rstd =
        c.rsqrt(c.addf(variance, c.constant(variance.getType(), epsilon)));
    emitApply(w, layout, group, mean, rstd, op.getScale(), op.getBias());
  });
}

static void emitBatchNormTraining(OpWriter &w) {
  auto op = cast<nn::BatchNormTrainingOp>(w.op);
  EmitContext &c = w.c;
  const Layout layout(op, w.in(0).type.getShape());
  const double momentum = op.getMomentum().convertToDouble();
  c.parallel(layout.groups, [&](Value group) {
    Value mean, variance, rstd;
    std::tie(mean, variance, rstd) = emitStatistics(
        w, layout, group, op.getEpsilon().convertToDouble(), false);
    emitApply(w, layout, group, mean, rstd, op.getScale(), op.getBias());
    auto blend = [&](Value running, Value value) {
      Value old = c.load(w.in(running), group);
      Value share = c.constant(value.getType(), 1 - momentum);
      return c.fma(old, c.constant(old.getType(), momentum),
                   c.mulf(share, value));
    };
    c.store(w.out(1), group, blend(op.getRunningMean(), mean));
    c.store(w.out(2), group, blend(op.getRunningVariance(), variance));
    c.store(w.out(3), group, mean);
    c.store(w.out(4), group, rstd);
  });
}

template <typename OpTy> static void emitNorm(OpWriter &w) {
  auto op = cast<OpTy>(w.op);
  EmitContext &c = w.c;
  const bool isRMS = isa<nn::RMSNormOp>(w.op);
  const Layout layout(op, w.in(0).type.getShape());
  Value bias;
  if constexpr (!std::is_same_v<OpTy, nn::RMSNormOp>)
    bias = op.getBias();
  c.parallel(layout.groups, [&](Value group) {
    Value mean, variance, rstd;
    std::tie(mean, variance, rstd) = emitStatistics(
        w, layout, group, op.getEpsilon().convertToDouble(), isRMS);
    emitApply(w, layout, group, mean, rstd, op.getScale(), bias);
    if (!isRMS)
      c.store(w.out(1), group, mean);
    c.store(w.out(isRMS ? 1 : 2), group, rstd);
  });
}

static KernelShape getGradShape(Operation *op) {
  const Layout layout(op, getShapeOf(op->getOperand(1)));
  KernelShape shape = KernelShape::parallel(atLeastOne(layout.groups));
  shape.phases[0].outputs = SmallVector<unsigned>{0};
  SmallVector<unsigned> sums;
  for (unsigned i = 1; i < op->getNumResults(); ++i)
    sums.push_back(i);
  shape.phases.push_back({atLeastOne(layout.parameters), sums});
  return shape;
}

template <typename OpTy> static void emitNormGrad(OpWriter &w) {
  auto op = cast<OpTy>(w.op);
  EmitContext &c = w.c;
  constexpr bool isRMS = std::is_same_v<OpTy, nn::RMSNormGradOp>;
  const KernelTensor &dy = w.in(op.getDy()), &x = w.in(op.getInput());
  const KernelTensor &scale = w.in(op.getScale()), &rstds = w.in(op.getRstd());
  const Layout layout(op, x.type.getShape());
  Type acc = getAccumulator(x);
  auto normalize = [&](Value element, Value group) {
    Value value = c.load(x, element);
    if constexpr (!isRMS)
      value = c.subf(value, c.load(w.in(op.getMean()), group));
    return c.mulf(value, c.load(rstds, group));
  };
  if (c.phase == 1) {
    c.parallel(layout.parameters, [&](Value parameter) {
      Values sums = sumOver(c, layout.parameterBox, acc, 2, [&](ValueRange at) {
        auto [element, group] = layout.ofParameter(c, parameter, at);
        Value slope = c.load(dy, element);
        return Values{c.mulf(slope, normalize(element, group)), slope};
      });
      c.store(w.out(1), parameter, sums[0]);
      if (!isRMS)
        c.store(w.out(2), parameter, sums[1]);
    });
    return;
  }
  const KernelTensor &dx = w.out();
  Value count = c.constant(acc, double(atLeastOne(layout.count())));
  c.parallel(layout.groups, [&](Value group) {
    auto load = [&](ValueRange at) {
      auto [element, parameter] = layout.inGroup(c, group, at);
      Value g = c.mulf(c.load(dy, element), c.load(scale, parameter));
      return std::tuple(element, g, normalize(element, group));
    };
    Values sums = sumOver(c, layout.groupBox, acc, 2, [&](ValueRange at) {
      auto [element, g, normal] = load(at);
      return Values{g, c.mulf(g, normal)};
    });
    Value meanG = c.divf(sums[0], count), meanGX = c.divf(sums[1], count);
    Value rstd = c.load(rstds, group);
    c.loopNest(layout.groupBox, [&](ValueRange at) {
      auto [element, g, normal] = load(at);
      Value rest = isRMS ? g : c.subf(g, meanG);
      rest = c.subf(rest, c.mulf(normal, meanGX));
      c.store(dx, element, c.mulf(rstd, rest));
    });
  });
}

void conversion::addGenericNormKernels(KernelRegistry &registry) {
  addGeneric<nn::BatchNormInferenceOp>(registry, perGroup,
                                       emitBatchNormInference);
  addGeneric<nn::BatchNormTrainingOp>(registry, perGroup,
                                      emitBatchNormTraining);
  addGeneric<nn::LayerNormOp>(registry, perGroup, emitNorm<nn::LayerNormOp>);
  addGeneric<nn::RMSNormOp>(registry, perGroup, emitNorm<nn::RMSNormOp>);
  addGeneric<nn::GroupNormOp>(registry, perGroup, emitNorm<nn::GroupNormOp>);
  addGeneric<nn::BatchNormGradOp>(registry, getGradShape,
                                  emitNormGrad<nn::BatchNormGradOp>);
  addGeneric<nn::LayerNormGradOp>(registry, getGradShape,
                                  emitNormGrad<nn::LayerNormGradOp>);
  addGeneric<nn::RMSNormGradOp>(registry, getGradShape,
                                emitNormGrad<nn::RMSNormGradOp>);
  addGeneric<nn::GroupNormGradOp>(registry, getGradShape,
                                  emitNormGrad<nn::GroupNormGradOp>);
}
