//===- Softmax.cpp - Softmax, its logarithm, cross-entropy on a CPU -------===//

#include "KernelOperands.h"
#include "Kernels.h"
#include "Section.h"

using namespace mlir;

namespace mpt::conversion {

namespace {
/// A shape around an axis.
struct AxisShape {
  int64_t outer = 1, extent, inner = 1;
  AxisShape(Value data, int64_t axis) {
    auto shape = cast<RankedTensorType>(data.getType()).getShape();
    extent = shape[axis];
    for (int64_t n : shape.take_front(axis))
      outer *= n;
    for (int64_t n : shape.drop_front(axis + 1))
      inner *= n;
  }
  int64_t samples() const { return outer * inner; }
  int64_t getItems(const TargetDescription &target) const {
    return inner == 1 ? outer : outer * getLaneBlocks(target, inner);
  }
};
} // namespace

/// Calls body(section along the axis) for this chunk's share.
static void forAxis(EmitContext &c, const AxisShape &shape,
                    function_ref<void(const Section &)> body) {
  c.parallel(shape.getItems(c.target), [&](Value item) {
    if (shape.inner == 1) {
      body(Section::along(c, c.mul(item, shape.extent), {}, shape.extent));
      return;
    }
    const int64_t blocks = getLaneBlocks(c.target, shape.inner);
    Value base = c.mul(c.div(item, blocks), shape.extent * shape.inner);
    forLaneBlock(c, shape.inner, c.rem(item, blocks),
                 [&](Value first, int64_t lanes) {
                   body(Section::across(c, c.add(base, first),
                                        {{shape.extent, shape.inner}}, lanes));
                 });
  });
}

/// max(x) and sum(exp(x - max)).
static std::pair<Value, Value>
getLogSumExp(EmitContext &c, const Section &section, const KernelTensor &x) {
  Value max = section.maxOf([&](Value offset, int64_t width) {
    return section.load(x, offset, width);
  });
  Value sum = section.sumOf([&](Value offset, int64_t width) {
    return c.exp(
        c.subf(section.load(x, offset, width), section.spread(max, width)));
  });
  return {max, sum};
}

static void emitOp(EmitContext &c, nn::KernelOp kernel, nn::SoftmaxOp op) {
  const KernelTensor &x = getInput(c, op.getInput());
  forAxis(c, AxisShape(op.getInput(), op.getAxis()),
          [&](const Section &section) {
            auto [max, sum] = getLogSumExp(c, section, x);
            Value inverse =
                c.divf(constantElements(c, 1, section.valueLanes()), sum);
            section.forEach([&, max = max](Value offset, int64_t width) {
              Value value = c.exp(c.subf(section.load(x, offset, width),
                                         section.spread(max, width)));
              section.store(c.outputs[0], offset, width,
                            c.mulf(value, section.spread(inverse, width)));
            });
          });
}

static void emitOp(EmitContext &c, nn::KernelOp kernel, nn::LogSoftmaxOp op) {
  const KernelTensor &x = getInput(c, op.getInput());
  forAxis(c, AxisShape(op.getInput(), op.getAxis()),
          [&](const Section &section) {
            auto [max, sum] = getLogSumExp(c, section, x);
            Value logSum = c.log(sum);
            section.forEach([&, max = max](Value offset, int64_t width) {
              Value value = c.subf(section.load(x, offset, width),
                                   section.spread(max, width));
              section.store(c.outputs[0], offset, width,
                            c.subf(value, section.spread(logSum, width)));
            });
          });
}

static void emitOp(EmitContext &c, nn::KernelOp kernel, nn::SoftmaxGradOp op) {
  const KernelTensor &dy = getInput(c, op.getDy()), &y = getInput(c, op.getY());
  forAxis(c, AxisShape(op.getY(), op.getAxis()), [&](const Section &section) {
    Value sum = section.sumOf([&](Value offset, int64_t width) {
      return c.mulf(section.load(dy, offset, width),
                    section.load(y, offset, width));
    });
    section.forEach([&](Value offset, int64_t width) {
      Value inside =
          c.subf(section.load(dy, offset, width), section.spread(sum, width));
      section.store(c.outputs[0], offset, width,
                    c.mulf(section.load(y, offset, width), inside));
    });
  });
}

static void emitOp(EmitContext &c, nn::KernelOp kernel,
                   nn::LogSoftmaxGradOp op) {
  const KernelTensor &dy = getInput(c, op.getDy()), &y = getInput(c, op.getY());
  forAxis(c, AxisShape(op.getY(), op.getAxis()), [&](const Section &section) {
    Value sum = section.sumOf([&](Value offset, int64_t width) {
      return section.load(dy, offset, width);
    });
    section.forEach([&](Value offset, int64_t width) {
      Value probability = c.exp(section.load(y, offset, width));
      section.store(c.outputs[0], offset, width,
                    c.subf(section.load(dy, offset, width),
                           c.mulf(probability, section.spread(sum, width))));
    });
  });
}

//===----------------------------------------------------------------------===//
// Cross-entropy: one sample at a time
//===----------------------------------------------------------------------===//

namespace {
/// A label: its number (0 if it is none), whether the sample counts, its weight
/// (NaN for a label outside of the classes, so that the loss says so).
struct Label {
  Value number, counts, weight;
};

template <typename Op> struct Samples {
  EmitContext &c;
  Op op;
  AxisShape shape;
  const KernelTensor &labels;
  const KernelTensor *weights;

  Samples(EmitContext &c, Op op, Value data)
      : c(c), op(op), shape(data, op.getAxis()),
        labels(getInput(c, op.getLabels())),
        weights(op.getWeights() ? &getInput(c, op.getWeights()) : nullptr) {}

  Label getLabel(Value sample) {
    Value raw = c.load(labels, sample);
    Value number =
        arith::IndexCastOp::create(c.b, c.loc, c.b.getIndexType(), raw);
    Value inside = c.isInside(number, shape.extent);
    Value safe = c.select(inside, number, c.index(0));
    Value one = constantElements(c, 1, 1);
    Value weight = weights ? c.load(*weights, safe) : one;
    weight = c.select(
        inside, weight,
        constantElements(c, std::numeric_limits<double>::quiet_NaN(), 1));
    Value counts = arith::ConstantIntOp::create(c.b, c.loc, 1, 1);
    if (op.getIgnoreIndex()) {
      counts = c.cmp(arith::CmpIPredicate::ne, number,
                     c.index(*op.getIgnoreIndex()));
      weight = c.select(counts, weight, constantElements(c, 0, 1));
    }
    return {safe, counts, weight};
  }

  /// Sample -> linear number of its class 0.
  Value getBase(Value sample) const {
    return c.add(c.mul(c.div(sample, shape.inner), shape.extent * shape.inner),
                 c.rem(sample, shape.inner));
  }
  Section getSection(Value sample) const {
    return shape.inner == 1
               ? Section::along(c, getBase(sample), {}, shape.extent)
               : Section::across(c, getBase(sample),
                                 {{shape.extent, shape.inner}}, 1);
  }
};
} // namespace

/// Phase 0: log-probabilities, and the terms and weights of the samples. Phase
/// 1: their sums.
static void emitOp(EmitContext &c, nn::KernelOp kernel,
                   nn::SoftmaxCrossEntropyOp op) {
  Samples<nn::SoftmaxCrossEntropyOp> samples(c, op, op.getLogits());
  const int64_t count = samples.shape.samples();
  const bool perSample = op.getReduction() == nn::LossReduction::None;
  const KernelTensor *loss = getOutput(c, kernel, op.getLoss());
  KernelTensor terms, weights;
  if (!perSample) {
    auto type = RankedTensorType::get({count}, c.b.getF32Type());
    auto view = [&](int64_t offset) {
      return KernelTensor{
          type,
          c.scratchView(c.sharedScratch, offset, count, c.b.getF32Type()),
          {1}};
    };
    terms = view(0);
    weights = view(llvm::alignTo(count * 4, 64));
  }
  if (c.phase == 0) {
    const KernelTensor &x = getInput(c, op.getLogits());
    c.parallel(count, [&](Value sample) {
      Section section = samples.getSection(sample);
      auto [max, sum] = getLogSumExp(c, section, x);
      Value logSum = c.log(sum);
      if (const KernelTensor *logProb = getOutput(c, kernel, op.getLogProb()))
        section.forEach([&, max = max](Value offset, int64_t width) {
          Value value = c.subf(section.load(x, offset, width),
                               section.spread(max, width));
          section.store(*logProb, offset, width,
                        c.subf(value, section.spread(logSum, width)));
        });
      Label label = samples.getLabel(sample);
      Value taken = c.load(x, c.add(section.getBase(),
                                    c.mul(label.number, samples.shape.inner)));
      Value term = c.mulf(label.weight, c.subf(logSum, c.subf(taken, max)));
      term = c.select(label.counts, term, constantElements(c, 0, 1));
      if (!perSample) {
        c.store(terms, sample, term);
        c.store(weights, sample, label.weight);
      } else if (loss) {
        c.store(*loss, sample, term);
      }
    });
    return;
  }
  c.parallel(1, [&](Value) {
    if (!loss)
      return;
    Section all = Section::along(c, c.index(0), {}, count);
    auto total = [&](const KernelTensor &values) {
      return all.sumOf([&](Value offset, int64_t width) {
        return all.load(values, offset, width);
      });
    };
    Value value = total(terms);
    if (op.getReduction() == nn::LossReduction::Mean)
      value = c.divf(value, total(weights));
    c.store(*loss, c.index(0), value);
  });
}

/// Does the divisor of the mean depend on the labels?
static bool needsDivisor(nn::SoftmaxCrossEntropyGradOp op) {
  return op.getReduction() == nn::LossReduction::Mean &&
         (op.getWeights() || op.getIgnoreIndex());
}

/// Phase 0, where the labels decide it: the divisor. Then the gradient.
static void emitOp(EmitContext &c, nn::KernelOp kernel,
                   nn::SoftmaxCrossEntropyGradOp op) {
  Samples<nn::SoftmaxCrossEntropyGradOp> samples(c, op, op.getLogProb());
  const int64_t count = samples.shape.samples();
  KernelTensor divisor;
  if (needsDivisor(op)) {
    divisor = {RankedTensorType::get({1}, c.b.getF32Type()),
               c.scratchView(c.sharedScratch, 0, 1, c.b.getF32Type()),
               {1}};
    if (c.phase == 0) {
      c.parallel(1, [&](Value) {
        Section all = Section::across(c, c.index(0), {{count, 1}}, 1);
        c.store(divisor, c.index(0), all.sumOf([&](Value sample, int64_t) {
          return samples.getLabel(sample).weight;
        }));
      });
      return;
    }
  }
  const KernelTensor &logProb = getInput(c, op.getLogProb());
  const KernelTensor &dloss = getInput(c, op.getDloss());
  const KernelTensor &result = c.outputs[0];
  const bool perSample = op.getReduction() == nn::LossReduction::None;
  c.parallel(count, [&](Value sample) {
    Section section = samples.getSection(sample);
    Label label = samples.getLabel(sample);
    Value factor =
        c.mulf(c.load(dloss, perSample ? sample : c.index(0)), label.weight);
    if (needsDivisor(op))
      factor = c.divf(factor, c.load(divisor, c.index(0)));
    else if (op.getReduction() == nn::LossReduction::Mean)
      factor = c.divf(factor, constantElements(c, double(count), 1));
    auto gradient = [&] {
      section.forEach([&](Value offset, int64_t width) {
        Value probability = c.exp(section.load(logProb, offset, width));
        section.store(result, offset, width,
                      c.mulf(probability, section.spread(factor, width)));
      });
      Value at =
          c.add(section.getBase(), c.mul(label.number, samples.shape.inner));
      Value excess =
          c.subf(c.exp(c.load(logProb, at)), constantElements(c, 1, 1));
      c.store(result, at, c.mulf(factor, excess));
      return SmallVector<Value>();
    };
    if (!op.getIgnoreIndex()) {
      gradient();
      return;
    }
    c.ifElse(label.counts, {}, gradient, [&] {
      section.forEach([&](Value offset, int64_t width) {
        section.store(result, offset, width, constantElements(c, 0, width));
      });
      return SmallVector<Value>();
    });
  });
}

//===----------------------------------------------------------------------===//
// The templates
//===----------------------------------------------------------------------===//

static bool isForCPU(Operation *op, const TargetDescription &target) {
  if (target.isGPU)
    return false;
  for (Type type :
       llvm::concat<const Type>(SmallVector<Type>(op->getOperandTypes()),
                                SmallVector<Type>(op->getResultTypes())))
    if (getElementTypeOrSelf(type).isF64() ||
        cast<RankedTensorType>(type).getNumElements() == 0)
      return false;
  return true;
}

namespace {
template <typename Op> class SoftmaxEmitter : public KernelEmitter {
public:
  StringRef getName() const override {
    return Op::getOperationName().drop_front(3);
  }
  bool match(nn::KernelOp kernel,
             const TargetDescription &target) const override {
    Operation *op = getSingleOp(kernel);
    return isa_and_nonnull<Op>(op) && isForCPU(op, target);
  }
  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &target) const override {
    auto op = cast<Op>(getSingleOp(kernel));
    return KernelShape::parallel(
        AxisShape(op->getOperand(0), op.getAxis()).getItems(target));
  }
  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    emitOp(c, kernel, cast<Op>(getSingleOp(kernel)));
    return success();
  }
};

class CrossEntropyEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "softmax_cross_entropy"; }
  bool match(nn::KernelOp kernel,
             const TargetDescription &target) const override {
    Operation *op = getSingleOp(kernel);
    return isa_and_nonnull<nn::SoftmaxCrossEntropyOp,
                           nn::SoftmaxCrossEntropyGradOp>(op) &&
           isForCPU(op, target);
  }
  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &) const override {
    Operation *single = getSingleOp(kernel);
    if (auto op = dyn_cast<nn::SoftmaxCrossEntropyGradOp>(single)) {
      AxisShape axis(op.getLogProb(), op.getAxis());
      if (!needsDivisor(op))
        return KernelShape::parallel(axis.samples());
      KernelShape shape = KernelShape::parallel(1);
      shape.phases[0].outputs.emplace();
      shape.phases.push_back({axis.samples(), std::nullopt});
      shape.sharedScratchBytes = 64;
      return shape;
    }
    auto op = cast<nn::SoftmaxCrossEntropyOp>(single);
    const int64_t samples = AxisShape(op.getLogits(), op.getAxis()).samples();
    KernelShape shape = KernelShape::parallel(samples);
    if (op.getReduction() == nn::LossReduction::None)
      return shape;
    SmallVector<unsigned> loss, others;
    for (auto [i, value] : llvm::enumerate(
             kernel.getBody().front().getTerminator()->getOperands()))
      (value == op.getLoss() ? loss : others).push_back(i);
    shape.phases[0].outputs = others;
    shape.phases.push_back({1, loss});
    shape.sharedScratchBytes = 2 * llvm::alignTo(samples * 4, 64);
    return shape;
  }
  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    Operation *op = getSingleOp(kernel);
    if (auto forward = dyn_cast<nn::SoftmaxCrossEntropyOp>(op))
      emitOp(c, kernel, forward);
    else
      emitOp(c, kernel, cast<nn::SoftmaxCrossEntropyGradOp>(op));
    return success();
  }
};
} // namespace

void addSoftmaxKernels(KernelRegistry &registry) {
  registry.add(std::make_unique<SoftmaxEmitter<nn::SoftmaxOp>>(), 10);
  registry.add(std::make_unique<SoftmaxEmitter<nn::SoftmaxGradOp>>(), 10);
  registry.add(std::make_unique<SoftmaxEmitter<nn::LogSoftmaxOp>>(), 10);
  registry.add(std::make_unique<SoftmaxEmitter<nn::LogSoftmaxGradOp>>(), 10);
  registry.add(std::make_unique<CrossEntropyEmitter>(), 10);
}

} // namespace mpt::conversion
