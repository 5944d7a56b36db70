//===- BatchNorm.cpp - Batch normalization on a CPU -----------------------===//
//
// One channel at a time (or, without spatial axes, one channel per lane): the
// mean, then the variance around it, then the result. A channel of the sizes
// met in practice stays in the second-level cache between the passes.
//
//===----------------------------------------------------------------------===//

#include "KernelOperands.h"
#include "Kernels.h"
#include "Section.h"

using namespace mlir;

namespace mpt::conversion {

namespace {
struct ChannelShape {
  int64_t batch, channels, inner;

  explicit ChannelShape(Value data) {
    ArrayRef<int64_t> shape = cast<RankedTensorType>(data.getType()).getShape();
    batch = shape[0];
    channels = shape[1];
    inner = 1;
    for (int64_t extent : shape.drop_front(2))
      inner *= extent;
  }
  int64_t getItems(const TargetDescription &target) const {
    return inner == 1 ? getLaneBlocks(target, channels) : channels;
  }
};

/// Calls body(section of the channel(s), first channel) for this chunk's share.
void forChannels(EmitContext &c, const ChannelShape &shape,
                 function_ref<void(const Section &, Value)> body) {
  c.parallel(shape.getItems(c.target), [&](Value item) {
    if (shape.inner > 1) {
      body(Section::along(c, c.mul(item, shape.inner),
                          {{shape.batch, shape.channels * shape.inner}},
                          shape.inner),
           item);
      return;
    }
    forLaneBlock(c, shape.channels, item, [&](Value first, int64_t lanes) {
      body(Section::across(c, first, {{shape.batch, shape.channels}}, lanes),
           first);
    });
  });
}
} // namespace

/// y = (x - mean) * factor + bias.
static void emitNormalize(EmitContext &c, const Section &section,
                          const KernelTensor &x, const KernelTensor &y,
                          Value mean, Value factor, Value bias) {
  section.forEach([&](Value offset, int64_t width) {
    Value centered =
        c.subf(section.load(x, offset, width), section.spread(mean, width));
    section.store(y, offset, width,
                  c.fma(centered, section.spread(factor, width),
                        section.spread(bias, width)));
  });
}

static void emitOp(EmitContext &c, nn::KernelOp kernel,
                   nn::BatchNormTrainingOp op) {
  const KernelTensor &x = getInput(c, op.getInput());
  forChannels(
      c, ChannelShape(op.getInput()),
      [&](const Section &section, Value channel) {
        const int64_t lanes = section.valueLanes();
        Value inverse =
            constantElements(c, 1.0 / double(section.size()), lanes);
        Value mean = c.mulf(section.sumOf([&](Value offset, int64_t width) {
          return section.load(x, offset, width);
        }),
                            inverse);
        Value squares = section
                            .sum(1,
                                 [&](Value offset, int64_t width,
                                     MutableArrayRef<Value> acc) {
                                   Value centered =
                                       c.subf(section.load(x, offset, width),
                                              section.spread(mean, width));
                                   acc[0] = c.fma(centered, centered, acc[0]);
                                 })
                            .front();
        Value variance = c.mulf(squares, inverse);
        Value rstd = c.rsqrt(c.addf(
            variance,
            constantElements(c, op.getEpsilon().convertToDouble(), lanes)));
        if (const KernelTensor *y = getOutput(c, kernel, op.getResult()))
          emitNormalize(c, section, x, *y, mean,
                        c.mulf(rstd, section.loadValue(
                                         getInput(c, op.getScale()), channel)),
                        section.loadValue(getInput(c, op.getBias()), channel));
        // The running statistics: momentum is the weight of the old value.
        const double momentum = op.getMomentum().convertToDouble();
        auto blend = [&](Value old, Value fresh, Value result) {
          if (const KernelTensor *to = getOutput(c, kernel, result))
            section.storeValue(
                *to, channel,
                c.addf(
                    c.mulf(constantElements(c, momentum, lanes),
                           section.loadValue(getInput(c, old), channel)),
                    c.mulf(constantElements(c, 1 - momentum, lanes), fresh)));
        };
        blend(op.getRunningMean(), mean, op.getNewMean());
        blend(op.getRunningVariance(), variance, op.getNewVariance());
        if (const KernelTensor *to = getOutput(c, kernel, op.getSavedMean()))
          section.storeValue(*to, channel, mean);
        if (const KernelTensor *to = getOutput(c, kernel, op.getSavedRstd()))
          section.storeValue(*to, channel, rstd);
      });
}

static void emitOp(EmitContext &c, nn::KernelOp kernel,
                   nn::BatchNormInferenceOp op) {
  forChannels(
      c, ChannelShape(op.getInput()),
      [&](const Section &section, Value channel) {
        auto value = [&](Value operand) {
          return section.loadValue(getInput(c, operand), channel);
        };
        Value epsilon = constantElements(c, op.getEpsilon().convertToDouble(),
                                         section.valueLanes());
        Value factor = c.mulf(c.rsqrt(c.addf(value(op.getVariance()), epsilon)),
                              value(op.getScale()));
        emitNormalize(c, section, getInput(c, op.getInput()), c.outputs[0],
                      value(op.getMean()), factor, value(op.getBias()));
      });
}

static void emitOp(EmitContext &c, nn::KernelOp kernel,
                   nn::BatchNormGradOp op) {
  const KernelTensor &dy = getInput(c, op.getDy());
  const KernelTensor &x = getInput(c, op.getInput());
  forChannels(
      c, ChannelShape(op.getInput()),
      [&](const Section &section, Value channel) {
        const int64_t lanes = section.valueLanes();
        Value mean = section.loadValue(getInput(c, op.getMean()), channel);
        Value rstd = section.loadValue(getInput(c, op.getRstd()), channel);
        Value scale = section.loadValue(getInput(c, op.getScale()), channel);
        // sum(dy) and sum(dy (x - mean)); the factor rstd follows.
        auto sums = section.sum(
            2, [&](Value offset, int64_t width, MutableArrayRef<Value> acc) {
              Value slope = section.load(dy, offset, width);
              Value centered = c.subf(section.load(x, offset, width),
                                      section.spread(mean, width));
              acc[0] = c.addf(acc[0], slope);
              acc[1] = c.fma(slope, centered, acc[1]);
            });
        Value dscale = c.mulf(sums[1], rstd);
        if (const KernelTensor *to = getOutput(c, kernel, op.getDscale()))
          section.storeValue(*to, channel, dscale);
        if (const KernelTensor *to = getOutput(c, kernel, op.getDbias()))
          section.storeValue(*to, channel, sums[0]);
        const KernelTensor *dx = getOutput(c, kernel, op.getDx());
        if (!dx)
          return;
        Value inverse =
            constantElements(c, 1.0 / double(section.size()), lanes);
        Value meanDy = c.mulf(sums[0], inverse);
        // xhat mean(dy xhat) = (x - mean) * rstd * mean(dy xhat).
        Value slope = c.mulf(c.mulf(dscale, inverse), rstd);
        Value factor = c.mulf(scale, rstd);
        section.forEach([&](Value offset, int64_t width) {
          Value centered = c.subf(section.load(x, offset, width),
                                  section.spread(mean, width));
          Value inside = c.subf(section.load(dy, offset, width),
                                section.spread(meanDy, width));
          inside =
              c.subf(inside, c.mulf(centered, section.spread(slope, width)));
          section.store(*dx, offset, width,
                        c.mulf(inside, section.spread(factor, width)));
        });
      });
}

namespace {
template <typename Op> class ChannelEmitter : public KernelEmitter {
public:
  StringRef getName() const override {
    return Op::getOperationName().drop_front(3);
  }
  bool match(nn::KernelOp kernel,
             const TargetDescription &target) const override {
    auto op = dyn_cast_or_null<Op>(getSingleOp(kernel));
    return op && !target.isGPU &&
           !getElementTypeOrSelf(op->getOperand(0)).isF64() &&
           cast<RankedTensorType>(op->getOperand(0).getType())
                   .getNumElements() > 0;
  }
  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &target) const override {
    ChannelShape shape(getSingleOp(kernel)->getOperand(0));
    return KernelShape::parallel(shape.getItems(target));
  }
  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    emitOp(c, kernel, cast<Op>(getSingleOp(kernel)));
    return success();
  }
};
} // namespace

void addBatchNormKernels(KernelRegistry &registry) {
  registry.add(std::make_unique<ChannelEmitter<nn::BatchNormTrainingOp>>(), 10);
  registry.add(std::make_unique<ChannelEmitter<nn::BatchNormInferenceOp>>(),
               10);
  registry.add(std::make_unique<ChannelEmitter<nn::BatchNormGradOp>>(), 10);
}

} // namespace mpt::conversion
