//===- GPUBatchNorm.cpp - Batch normalization on a GPU --------------------===//
//
// Statistics by parts (PartedFold.h), then a thread per element. Training has
// five phases: sums, means, squares around the mean, statistics, results; the
// gradient three: sums, means, dx.
//
//===----------------------------------------------------------------------===//

#include "KernelOperands.h"
#include "Kernels.h"
#include "PartedFold.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

namespace {

/// [N, C, inner...]: a section is a channel.
struct Channels {
  int64_t count, inner;
  PartedFold fold;
  Type type; // computed in

  Channels(Value data, const TargetDescription &target) : fold(0, 0, target) {
    auto tensor = cast<RankedTensorType>(data.getType());
    ArrayRef<int64_t> shape = tensor.getShape();
    type = getComputeType(tensor.getElementType());
    count = shape[1];
    inner = 1;
    for (int64_t extent : shape.drop_front(2))
      inner *= extent;
    fold = PartedFold(count, shape[0] * inner, target);
    // Without spatial axes, neighbours in memory are channels.
    fold.partsAreNeighbours = inner > 1;
  }

  int64_t numElements() const { return fold.sections * fold.size; }
  /// The linear number of an element of a channel.
  Value getLinear(EmitContext &c, Value channel, Value element) const {
    Value sample = c.div(element, inner), rest = c.rem(element, inner);
    return c.add(c.mul(c.add(c.mul(sample, count), channel), inner), rest);
  }
  Value getChannel(EmitContext &c, Value linear) const {
    return c.rem(c.div(linear, inner), count);
  }

  /// Offsets in shared scratch: `n` arrays of partial results, then two values
  /// per channel.
  int64_t getPartialBytes() const {
    return llvm::alignTo(fold.items() * getElementBytes(type), 64);
  }
  int64_t getValueBytes() const {
    return llvm::alignTo(count * getElementBytes(type), 64);
  }
  KernelTensor viewPartial(EmitContext &c, int64_t number) const {
    return viewShared(c, number * getPartialBytes(), fold.items(), type);
  }
  KernelTensor viewValue(EmitContext &c, int64_t partials,
                         int64_t number) const {
    return viewShared(c,
                      partials * getPartialBytes() + number * getValueBytes(),
                      count, type);
  }
  int64_t getScratchBytes(int64_t partials, int64_t values) const {
    return partials * getPartialBytes() + values * getValueBytes();
  }

  /// Sums of an array of partial results over a channel.
  Value addParts(EmitContext &c, Value channel,
                 const KernelTensor &from) const {
    Value init[] = {c.constant(type, 0.0)};
    return fold
        .combineParts(
            c, channel, init,
            [&](Value slot, ValueRange carried) -> PartedFold::Values {
              return {c.addf(carried[0], c.load(from, slot))};
            })
        .front();
  }
};

SmallVector<unsigned> numbersOf(nn::KernelOp kernel, ValueRange results) {
  SmallVector<unsigned> numbers;
  for (auto [i, value] :
       llvm::enumerate(kernel.getBody().front().getTerminator()->getOperands()))
    if (llvm::is_contained(results, value))
      numbers.push_back(i);
  return numbers;
}

//===----------------------------------------------------------------------===//
// Training
//===----------------------------------------------------------------------===//

class GPUBatchNormTraining : public KernelEmitter {
public:
  StringRef getName() const override { return "gpu_batch_norm_training"; }

  bool match(nn::KernelOp kernel,
             const TargetDescription &target) const override {
    return target.isGPU &&
           isa_and_nonnull<nn::BatchNormTrainingOp>(getSingleOp(kernel));
  }

  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &target) const override {
    auto op = cast<nn::BatchNormTrainingOp>(getSingleOp(kernel));
    const Channels channels(op.getInput(), target);
    KernelShape shape;
    SmallVector<unsigned> none;
    shape.phases.push_back({channels.fold.items(), none});
    shape.phases.push_back({channels.count, none});
    shape.phases.push_back({channels.fold.items(), none});
    shape.phases.push_back(
        {channels.count,
         numbersOf(kernel, {op.getNewMean(), op.getNewVariance(),
                            op.getSavedMean(), op.getSavedRstd()})});
    shape.phases.push_back(
        {channels.numElements(), numbersOf(kernel, op.getResult())});
    shape.sharedScratchBytes = channels.getScratchBytes(1, 2);
    return shape;
  }

  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    auto op = cast<nn::BatchNormTrainingOp>(getSingleOp(kernel));
    const Channels channels(op.getInput(), c.target);
    const KernelTensor &x = getInput(c, op.getInput());
    const KernelTensor partial = channels.viewPartial(c, 0);
    const KernelTensor means = channels.viewValue(c, 1, 0),
                       rstds = channels.viewValue(c, 1, 1);
    auto constant = [&](double value) {
      return c.constant(channels.type, value);
    };
    const double share = 1.0 / double(channels.fold.size);
    switch (c.phase) {
    case 0:
    case 2: {
      Value mean;
      channels.fold.emitParts(
          c,
          [&](Value channel) -> PartedFold::Values {
            if (c.phase == 2)
              mean = c.load(means, channel);
            return {constant(0)};
          },
          [&](Value channel, Value element,
              ValueRange carried) -> PartedFold::Values {
            Value value = c.load(x, channels.getLinear(c, channel, element));
            if (c.phase == 0)
              return {c.addf(carried[0], value)};
            Value centered = c.subf(value, mean);
            return {c.fma(centered, centered, carried[0])};
          },
          [&](Value channel, Value part, ValueRange results) {
            c.store(partial, channels.fold.getSlot(c, channel, part),
                    results[0]);
          });
      break;
    }
    case 1:
      c.parallel(channels.count, [&](Value channel) {
        Value sum = channels.addParts(c, channel, partial);
        c.store(means, channel, c.mulf(sum, constant(share)));
      });
      break;
    case 3:
      c.parallel(channels.count, [&](Value channel) {
        Value mean = c.load(means, channel);
        Value variance =
            c.mulf(channels.addParts(c, channel, partial), constant(share));
        Value rstd = c.rsqrt(
            c.addf(variance, constant(op.getEpsilon().convertToDouble())));
        c.store(rstds, channel, rstd);
        // The running statistics: momentum is the weight of the old value.
        const double momentum = op.getMomentum().convertToDouble();
        auto keep = [&](Value result, Value value) {
          if (const KernelTensor *to = getOutput(c, kernel, result))
            c.store(*to, channel, value);
        };
        auto blend = [&](Value old, Value fresh) {
          Value before = c.load(getInput(c, old), channel);
          return c.addf(c.mulf(constant(momentum), before),
                        c.mulf(constant(1 - momentum), fresh));
        };
        keep(op.getNewMean(), blend(op.getRunningMean(), mean));
        keep(op.getNewVariance(), blend(op.getRunningVariance(), variance));
        keep(op.getSavedMean(), mean);
        keep(op.getSavedRstd(), rstd);
      });
      break;
    default: {
      const KernelTensor *y = getOutput(c, kernel, op.getResult());
      if (!y)
        break;
      c.parallel(channels.numElements(), [&](Value i) {
        Value channel = channels.getChannel(c, i);
        Value factor = c.mulf(c.load(rstds, channel),
                              c.load(getInput(c, op.getScale()), channel));
        Value centered = c.subf(c.load(x, i), c.load(means, channel));
        c.store(*y, i,
                c.fma(centered, factor,
                      c.load(getInput(c, op.getBias()), channel)));
      });
    }
    }
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Gradient
//===----------------------------------------------------------------------===//

class GPUBatchNormGrad : public KernelEmitter {
public:
  StringRef getName() const override { return "gpu_batch_norm_grad"; }

  bool match(nn::KernelOp kernel,
             const TargetDescription &target) const override {
    return target.isGPU &&
           isa_and_nonnull<nn::BatchNormGradOp>(getSingleOp(kernel));
  }

  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &target) const override {
    auto op = cast<nn::BatchNormGradOp>(getSingleOp(kernel));
    const Channels channels(op.getInput(), target);
    KernelShape shape;
    shape.phases.push_back({channels.fold.items(), SmallVector<unsigned>()});
    shape.phases.push_back(
        {channels.count, numbersOf(kernel, {op.getDscale(), op.getDbias()})});
    shape.phases.push_back(
        {channels.numElements(), numbersOf(kernel, op.getDx())});
    shape.sharedScratchBytes = channels.getScratchBytes(2, 2);
    return shape;
  }

  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    auto op = cast<nn::BatchNormGradOp>(getSingleOp(kernel));
    const Channels channels(op.getInput(), c.target);
    const KernelTensor &x = getInput(c, op.getInput()),
                       &dy = getInput(c, op.getDy());
    const KernelTensor &mean = getInput(c, op.getMean()),
                       &rstd = getInput(c, op.getRstd());
    const KernelTensor sums = channels.viewPartial(c, 0),
                       products = channels.viewPartial(c, 1);
    const KernelTensor meanDy = channels.viewValue(c, 2, 0),
                       slope = channels.viewValue(c, 2, 1);
    Value zero = c.constant(channels.type, 0.0);
    Value share = c.constant(channels.type, 1.0 / double(channels.fold.size));
    if (c.phase == 0) {
      Value center;
      channels.fold.emitParts(
          c,
          [&](Value channel) -> PartedFold::Values {
            center = c.load(mean, channel);
            return {zero, zero};
          },
          [&](Value channel, Value element,
              ValueRange carried) -> PartedFold::Values {
            Value at = channels.getLinear(c, channel, element);
            Value gradient = c.load(dy, at);
            Value centered = c.subf(c.load(x, at), center);
            return {c.addf(carried[0], gradient),
                    c.fma(gradient, centered, carried[1])};
          },
          [&](Value channel, Value part, ValueRange results) {
            Value slot = channels.fold.getSlot(c, channel, part);
            c.store(sums, slot, results[0]);
            c.store(products, slot, results[1]);
          });
      return success();
    }
    if (c.phase == 1) {
      c.parallel(channels.count, [&](Value channel) {
        Value scale = c.load(rstd, channel);
        Value dbias = channels.addParts(c, channel, sums);
        Value dscale = c.mulf(channels.addParts(c, channel, products), scale);
        if (const KernelTensor *to = getOutput(c, kernel, op.getDscale()))
          c.store(*to, channel, dscale);
        if (const KernelTensor *to = getOutput(c, kernel, op.getDbias()))
          c.store(*to, channel, dbias);
        c.store(meanDy, channel, c.mulf(dbias, share));
        // xhat mean(dy xhat) = (x - mean) * rstd * mean(dy xhat).
        c.store(slope, channel, c.mulf(c.mulf(dscale, share), scale));
      });
      return success();
    }
    const KernelTensor *dx = getOutput(c, kernel, op.getDx());
    if (!dx)
      return success();
    c.parallel(channels.numElements(), [&](Value i) {
      Value channel = channels.getChannel(c, i);
      Value centered = c.subf(c.load(x, i), c.load(mean, channel));
      Value inside = c.subf(c.load(dy, i), c.load(meanDy, channel));
      inside = c.subf(inside, c.mulf(centered, c.load(slope, channel)));
      Value factor = c.mulf(c.load(getInput(c, op.getScale()), channel),
                            c.load(rstd, channel));
      c.store(*dx, i, c.mulf(inside, factor));
    });
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Inference
//===----------------------------------------------------------------------===//

class GPUBatchNormInference : public KernelEmitter {
public:
  StringRef getName() const override { return "gpu_batch_norm_inference"; }

  bool match(nn::KernelOp kernel,
             const TargetDescription &target) const override {
    return target.isGPU &&
           isa_and_nonnull<nn::BatchNormInferenceOp>(getSingleOp(kernel));
  }

  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &target) const override {
    auto op = cast<nn::BatchNormInferenceOp>(getSingleOp(kernel));
    return KernelShape::parallel(Channels(op.getInput(), target).numElements());
  }

  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    auto op = cast<nn::BatchNormInferenceOp>(getSingleOp(kernel));
    const Channels channels(op.getInput(), c.target);
    const KernelTensor &x = getInput(c, op.getInput());
    c.parallel(channels.numElements(), [&](Value i) {
      Value channel = channels.getChannel(c, i);
      auto value = [&](Value operand) {
        return c.load(getInput(c, operand), channel);
      };
      Value epsilon =
          c.constant(channels.type, op.getEpsilon().convertToDouble());
      Value factor = c.mulf(c.rsqrt(c.addf(value(op.getVariance()), epsilon)),
                            value(op.getScale()));
      Value centered = c.subf(c.load(x, i), value(op.getMean()));
      c.store(c.outputs[0], i, c.fma(centered, factor, value(op.getBias())));
    });
    return success();
  }
};

} // namespace

void conversion::addGPUBatchNormKernels(KernelRegistry &registry) {
  registry.add(std::make_unique<GPUBatchNormTraining>(), 10);
  registry.add(std::make_unique<GPUBatchNormGrad>(), 10);
  registry.add(std::make_unique<GPUBatchNormInference>(), 10);
}
