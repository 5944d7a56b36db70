//===- RowNorm.cpp - Layer, RMS and group normalization on a CPU ----------===//
//
// A row (layer, RMS) or a group of channels of a sample (group) is one section.
// The gradients have two phases: dx row by row, then the sums over rows column
// by column, so that every sum is made by one chunk.
//
//===----------------------------------------------------------------------===//

#include "KernelOperands.h"
#include "Kernels.h"
#include "Section.h"

using namespace mlir;

namespace mpt::conversion {

namespace {
/// rows x columns of a normalization from an axis on.
struct RowShape {
  int64_t rows = 1, columns = 1;
  RowShape(Value data, int64_t axis) {
    auto shape = cast<RankedTensorType>(data.getType()).getShape();
    for (auto [i, extent] : llvm::enumerate(shape))
      (int64_t(i) < axis ? rows : columns) *= extent;
  }
};

struct GroupShape {
  int64_t batch, channels, groups, inner = 1;
  GroupShape(Value data, int64_t groups) : groups(groups) {
    auto shape = cast<RankedTensorType>(data.getType()).getShape();
    batch = shape[0];
    channels = shape[1];
    for (int64_t extent : shape.drop_front(2))
      inner *= extent;
  }
  int64_t groupChannels() const { return channels / groups; }
};

struct Statistics {
  Value mean, rstd;
};
} // namespace

/// Mean and 1 / sqrt(population variance + epsilon).
static Statistics getStatistics(EmitContext &c, const Section &section,
                                const KernelTensor &x, double epsilon) {
  Value inverse = constantElements(c, 1.0 / double(section.size()), 1);
  Value mean = c.mulf(section.sumOf([&](Value offset, int64_t width) {
    return section.load(x, offset, width);
  }),
                      inverse);
  Value squares = section.sumOf([&](Value offset, int64_t width) {
    Value centered =
        c.subf(section.load(x, offset, width), section.spread(mean, width));
    return c.mulf(centered, centered);
  });
  Value variance = c.mulf(squares, inverse);
  return {mean, c.rsqrt(c.addf(variance, constantElements(c, epsilon, 1)))};
}

static void storeIfWanted(EmitContext &c, const KernelTensor *to, Value linear,
                          Value value) {
  if (to)
    c.store(*to, linear, value);
}

//===----------------------------------------------------------------------===//
// Layer and RMS normalization
//===----------------------------------------------------------------------===//

static void emitOp(EmitContext &c, nn::KernelOp kernel, nn::LayerNormOp op) {
  RowShape shape(op.getInput(), op.getAxis());
  const KernelTensor &x = getInput(c, op.getInput());
  const KernelTensor &scale = getInput(c, op.getScale());
  const KernelTensor *bias =
      op.getBias() ? &getInput(c, op.getBias()) : nullptr;
  c.parallel(shape.rows, [&](Value row) {
    Section section =
        Section::along(c, c.mul(row, shape.columns), {}, shape.columns);
    Statistics s =
        getStatistics(c, section, x, op.getEpsilon().convertToDouble());
    storeIfWanted(c, getOutput(c, kernel, op.getMean()), row, s.mean);
    storeIfWanted(c, getOutput(c, kernel, op.getRstd()), row, s.rstd);
    const KernelTensor *y = getOutput(c, kernel, op.getResult());
    if (!y)
      return;
    section.forEach([&](Value offset, int64_t width) {
      Value value = c.mulf(
          c.subf(section.load(x, offset, width), section.spread(s.mean, width)),
          section.spread(s.rstd, width));
      Value factor = loadElements(c, scale, offset, width);
      value = bias ? c.fma(value, factor, loadElements(c, *bias, offset, width))
                   : c.mulf(value, factor);
      section.store(*y, offset, width, value);
    });
  });
}

static void emitOp(EmitContext &c, nn::KernelOp kernel, nn::RMSNormOp op) {
  RowShape shape(op.getInput(), op.getAxis());
  const KernelTensor &x = getInput(c, op.getInput());
  const KernelTensor &scale = getInput(c, op.getScale());
  c.parallel(shape.rows, [&](Value row) {
    Section section =
        Section::along(c, c.mul(row, shape.columns), {}, shape.columns);
    Value squares = section.sumOf([&](Value offset, int64_t width) {
      Value value = section.load(x, offset, width);
      return c.mulf(value, value);
    });
    Value mean =
        c.mulf(squares, constantElements(c, 1.0 / double(shape.columns), 1));
    Value rstd = c.rsqrt(c.addf(
        mean, constantElements(c, op.getEpsilon().convertToDouble(), 1)));
    storeIfWanted(c, getOutput(c, kernel, op.getRstd()), row, rstd);
    if (const KernelTensor *y = getOutput(c, kernel, op.getResult()))
      section.forEach([&](Value offset, int64_t width) {
        Value value =
            c.mulf(section.load(x, offset, width), section.spread(rstd, width));
        section.store(*y, offset, width,
                      c.mulf(value, loadElements(c, scale, offset, width)));
      });
  });
}

/// Both gradients; without `mean` that of RMS normalization, where xhat is
/// x rstd and no mean is taken off.
static void emitRowGrad(EmitContext &c, RowShape shape, const KernelTensor &dy,
                        const KernelTensor &x, const KernelTensor &scale,
                        const KernelTensor *mean, const KernelTensor &rstd,
                        const KernelTensor *dx, const KernelTensor *dscale,
                        const KernelTensor *dbias) {
  if (c.phase == 0) {
    c.parallel(shape.rows, [&](Value row) {
      if (!dx)
        return;
      Section section =
          Section::along(c, c.mul(row, shape.columns), {}, shape.columns);
      Value center = mean ? c.load(*mean, row) : Value();
      Value factor = c.load(rstd, row);
      auto terms = [&](Value offset, int64_t width) {
        Value slope = c.mulf(section.load(dy, offset, width),
                             loadElements(c, scale, offset, width));
        Value xhat = section.load(x, offset, width);
        if (mean)
          xhat = c.subf(xhat, section.spread(center, width));
        return std::pair(slope, c.mulf(xhat, section.spread(factor, width)));
      };
      auto sums = section.sum(
          2, [&](Value offset, int64_t width, MutableArrayRef<Value> acc) {
            auto [slope, xhat] = terms(offset, width);
            if (mean)
              acc[0] = c.addf(acc[0], slope);
            acc[1] = c.fma(slope, xhat, acc[1]);
          });
      Value inverse = constantElements(c, 1.0 / double(shape.columns), 1);
      Value meanSlope = c.mulf(sums[0], inverse);
      Value meanProduct = c.mulf(sums[1], inverse);
      section.forEach([&](Value offset, int64_t width) {
        auto [slope, xhat] = terms(offset, width);
        Value inside =
            c.subf(slope, c.mulf(xhat, section.spread(meanProduct, width)));
        if (mean)
          inside = c.subf(inside, section.spread(meanSlope, width));
        section.store(*dx, offset, width,
                      c.mulf(inside, section.spread(factor, width)));
      });
    });
    return;
  }
  c.parallel(getLaneBlocks(c.target, shape.columns), [&](Value block) {
    forLaneBlock(c, shape.columns, block, [&](Value first, int64_t lanes) {
      Section section =
          Section::across(c, first, {{shape.rows, shape.columns}}, lanes);
      auto sums = section.sum(2, [&](Value offset, int64_t width,
                                     MutableArrayRef<Value> acc) {
        Value row = c.div(offset, shape.columns);
        Value slope = section.load(dy, offset, width);
        Value xhat = section.load(x, offset, width);
        auto spread = [&](Value value) {
          return width > 1 ? c.splat(value, width) : value;
        };
        if (mean)
          xhat = c.subf(xhat, spread(c.load(*mean, row)));
        acc[0] = c.addf(acc[0], slope);
        acc[1] = c.fma(slope, c.mulf(xhat, spread(c.load(rstd, row))), acc[1]);
      });
      if (dscale)
        section.storeValue(*dscale, first, sums[1]);
      if (dbias)
        section.storeValue(*dbias, first, sums[0]);
    });
  });
}

static void emitOp(EmitContext &c, nn::KernelOp kernel,
                   nn::LayerNormGradOp op) {
  emitRowGrad(c, RowShape(op.getInput(), op.getAxis()), getInput(c, op.getDy()),
              getInput(c, op.getInput()), getInput(c, op.getScale()),
              &getInput(c, op.getMean()), getInput(c, op.getRstd()),
              getOutput(c, kernel, op.getDx()),
              getOutput(c, kernel, op.getDscale()),
              getOutput(c, kernel, op.getDbias()));
}

static void emitOp(EmitContext &c, nn::KernelOp kernel, nn::RMSNormGradOp op) {
  emitRowGrad(c, RowShape(op.getInput(), op.getAxis()), getInput(c, op.getDy()),
              getInput(c, op.getInput()), getInput(c, op.getScale()), nullptr,
              getInput(c, op.getRstd()), getOutput(c, kernel, op.getDx()),
              getOutput(c, kernel, op.getDscale()), nullptr);
}

//===----------------------------------------------------------------------===//
// Group normalization
//===----------------------------------------------------------------------===//

/// The channels of a group of a sample one by one.
static void
forGroupChannels(EmitContext &c, const GroupShape &shape, Value group,
                 function_ref<void(const Section &, Value channel)> body) {
  Value firstChannel = c.mul(c.rem(group, shape.groups), shape.groupChannels());
  c.loop(shape.groupChannels(), [&](Value i) {
    Value plane = c.add(c.mul(group, shape.groupChannels()), i);
    body(Section::along(c, c.mul(plane, shape.inner), {}, shape.inner),
         c.add(firstChannel, i));
  });
}

static void emitOp(EmitContext &c, nn::KernelOp kernel, nn::GroupNormOp op) {
  GroupShape shape(op.getInput(), op.getNumGroups());
  const KernelTensor &x = getInput(c, op.getInput());
  const int64_t size = shape.groupChannels() * shape.inner;
  c.parallel(shape.batch * shape.groups, [&](Value group) {
    Statistics s =
        getStatistics(c, Section::along(c, c.mul(group, size), {}, size), x,
                      op.getEpsilon().convertToDouble());
    storeIfWanted(c, getOutput(c, kernel, op.getMean()), group, s.mean);
    storeIfWanted(c, getOutput(c, kernel, op.getRstd()), group, s.rstd);
    const KernelTensor *y = getOutput(c, kernel, op.getResult());
    if (!y)
      return;
    forGroupChannels(c, shape, group, [&](const Section &plane, Value channel) {
      Value factor =
          c.mulf(s.rstd, c.load(getInput(c, op.getScale()), channel));
      Value bias = c.load(getInput(c, op.getBias()), channel);
      plane.forEach([&](Value offset, int64_t width) {
        Value centered =
            c.subf(plane.load(x, offset, width), plane.spread(s.mean, width));
        plane.store(*y, offset, width,
                    c.fma(centered, plane.spread(factor, width),
                          plane.spread(bias, width)));
      });
    });
  });
}

static void emitOp(EmitContext &c, nn::KernelOp kernel,
                   nn::GroupNormGradOp op) {
  GroupShape shape(op.getInput(), op.getNumGroups());
  const KernelTensor &dy = getInput(c, op.getDy());
  const KernelTensor &x = getInput(c, op.getInput());
  const KernelTensor &scale = getInput(c, op.getScale());
  const KernelTensor &mean = getInput(c, op.getMean());
  const KernelTensor &rstd = getInput(c, op.getRstd());
  const int64_t groupChannels = shape.groupChannels();
  if (c.phase == 0) {
    c.parallel(shape.batch * shape.groups, [&](Value group) {
      const KernelTensor *dx = getOutput(c, kernel, op.getDx());
      if (!dx)
        return;
      Value center = c.load(mean, group), factor = c.load(rstd, group);
      Value firstChannel = c.mul(c.rem(group, shape.groups), groupChannels);
      Section section =
          Section::along(c, c.mul(group, groupChannels * shape.inner),
                         {{groupChannels, shape.inner}}, shape.inner);
      auto sums = section.sum(
          2, [&](Value offset, int64_t width, MutableArrayRef<Value> acc) {
            Value channel = c.add(firstChannel, c.div(offset, shape.inner));
            Value slope = c.mulf(section.load(dy, offset, width),
                                 section.spread(c.load(scale, channel), width));
            Value centered = c.subf(section.load(x, offset, width),
                                    section.spread(center, width));
            acc[0] = c.addf(acc[0], slope);
            acc[1] = c.fma(slope, centered, acc[1]);
          });
      Value inverse =
          constantElements(c, 1.0 / double(groupChannels * shape.inner), 1);
      Value meanSlope = c.mulf(sums[0], inverse);
      // xhat mean(g xhat) = (x - mean) rstd^2 mean(g (x - mean)).
      Value product = c.mulf(c.mulf(c.mulf(sums[1], inverse), factor), factor);
      forGroupChannels(
          c, shape, group, [&](const Section &plane, Value channel) {
            Value gamma = c.load(scale, channel);
            plane.forEach([&](Value offset, int64_t width) {
              Value slope = c.mulf(plane.load(dy, offset, width),
                                   plane.spread(gamma, width));
              Value centered = c.subf(plane.load(x, offset, width),
                                      plane.spread(center, width));
              Value inside =
                  c.subf(c.subf(slope, plane.spread(meanSlope, width)),
                         c.mulf(centered, plane.spread(product, width)));
              plane.store(*dx, offset, width,
                          c.mulf(inside, plane.spread(factor, width)));
            });
          });
    });
    return;
  }
  const int64_t sample = shape.channels * shape.inner;
  c.parallel(shape.channels, [&](Value channel) {
    Section section = Section::along(c, c.mul(channel, shape.inner),
                                     {{shape.batch, sample}}, shape.inner);
    auto sums = section.sum(2, [&](Value offset, int64_t width,
                                   MutableArrayRef<Value> acc) {
      Value group = c.add(c.mul(c.div(offset, sample), shape.groups),
                          c.div(channel, groupChannels));
      Value slope = section.load(dy, offset, width);
      Value xhat = c.mulf(c.subf(section.load(x, offset, width),
                                 section.spread(c.load(mean, group), width)),
                          section.spread(c.load(rstd, group), width));
      acc[0] = c.addf(acc[0], slope);
      acc[1] = c.fma(slope, xhat, acc[1]);
    });
    storeIfWanted(c, getOutput(c, kernel, op.getDscale()), channel, sums[1]);
    storeIfWanted(c, getOutput(c, kernel, op.getDbias()), channel, sums[0]);
  });
}

//===----------------------------------------------------------------------===//
// The template
//===----------------------------------------------------------------------===//

/// The outputs of a kernel, by number, that these results are.
static SmallVector<unsigned> getOutputNumbers(nn::KernelOp kernel,
                                              ArrayRef<Value> results) {
  SmallVector<unsigned> numbers;
  for (auto [i, value] :
       llvm::enumerate(kernel.getBody().front().getTerminator()->getOperands()))
    if (llvm::is_contained(results, value))
      numbers.push_back(i);
  return numbers;
}

namespace {
template <typename Op> class RowNormEmitter : public KernelEmitter {
public:
  StringRef getName() const override {
    return Op::getOperationName().drop_front(3);
  }
  bool match(nn::KernelOp kernel,
             const TargetDescription &target) const override {
    auto op = dyn_cast_or_null<Op>(getSingleOp(kernel));
    auto type = op ? cast<RankedTensorType>(op->getOperand(0).getType())
                   : RankedTensorType();
    return op && !target.isGPU && !type.getElementType().isF64() &&
           type.getNumElements() > 0;
  }
  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &target) const override {
    auto op = cast<Op>(getSingleOp(kernel));
    int64_t rows, columns;
    if constexpr (std::is_same_v<Op, nn::GroupNormOp> ||
                  std::is_same_v<Op, nn::GroupNormGradOp>) {
      GroupShape shape(op.getInput(), op.getNumGroups());
      rows = shape.batch * shape.groups;
      columns = shape.channels;
    } else {
      RowShape shape(op.getInput(), op.getAxis());
      rows = shape.rows;
      columns = getLaneBlocks(target, shape.columns);
    }
    KernelShape result = KernelShape::parallel(rows);
    if constexpr (isGrad) {
      SmallVector<Value> sums(op->getResults().drop_front());
      result.phases[0].outputs = getOutputNumbers(kernel, {op->getResult(0)});
      result.phases.push_back({columns, getOutputNumbers(kernel, sums)});
    }
    return result;
  }
  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    emitOp(c, kernel, cast<Op>(getSingleOp(kernel)));
    return success();
  }

private:
  static constexpr bool isGrad = std::is_same_v<Op, nn::LayerNormGradOp> ||
                                 std::is_same_v<Op, nn::RMSNormGradOp> ||
                                 std::is_same_v<Op, nn::GroupNormGradOp>;
};
} // namespace

void addRowNormKernels(KernelRegistry &registry) {
  registry.add(std::make_unique<RowNormEmitter<nn::LayerNormOp>>(), 10);
  registry.add(std::make_unique<RowNormEmitter<nn::LayerNormGradOp>>(), 10);
  registry.add(std::make_unique<RowNormEmitter<nn::RMSNormOp>>(), 10);
  registry.add(std::make_unique<RowNormEmitter<nn::RMSNormGradOp>>(), 10);
  registry.add(std::make_unique<RowNormEmitter<nn::GroupNormOp>>(), 10);
  registry.add(std::make_unique<RowNormEmitter<nn::GroupNormGradOp>>(), 10);
}

} // namespace mpt::conversion
