//===- GenericLoss.cpp - Losses, plain ------------------------------------===//

#include "Generic.h"
#include "Kernels.h"

#include <limits>

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

using Values = SmallVector<Value>;
using FPred = arith::CmpFPredicate;
using IPred = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Losses of prediction and target: partial sums, then their sum
//===----------------------------------------------------------------------===//

/// Independent of the number of threads.
static constexpr int64_t kParts = 64;

template <typename OpTy> static KernelShape getPairShape(Operation *op) {
  if (cast<OpTy>(op).getReduction() == nn::LossReduction::None)
    return perElement(op);
  KernelShape shape = KernelShape::parallel(kParts);
  shape.phases[0].outputs = SmallVector<unsigned>();
  shape.phases.push_back({1, std::nullopt});
  shape.sharedScratchBytes = kParts * 8;
  return shape;
}

static Value emitPairTerm(EmitContext &c, Operation *op, Value x, Value t) {
  Value difference = c.subf(x, t);
  if (isa<nn::MSELossOp>(op))
    return c.mulf(difference, difference);
  if (isa<nn::L1LossOp>(op))
    return c.absf(difference);
  // max(x, 0) - x t + log1p(e^-|x|)
  Value zero = c.constant(x.getType(), 0);
  Value positive = c.select(c.cmpf(FPred::UGT, x, zero), x, zero);
  Value tail = c.log1p(c.exp(c.negf(c.absf(x))));
  return c.addf(c.subf(positive, c.mulf(x, t)), tail);
}

template <typename OpTy> static void emitPairLoss(OpWriter &w) {
  auto op = cast<OpTy>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &x = w.in(0), &t = w.in(1), &loss = w.out();
  auto term = [&](Value i) {
    return emitPairTerm(c, op, c.load(x, i), c.load(t, i));
  };
  if (op.getReduction() == nn::LossReduction::None) {
    c.parallel(loss.numElements(), [&](Value i) { c.store(loss, i, term(i)); });
    return;
  }
  Type acc = getAccumulator(x);
  KernelTensor sums;
  sums.type = RankedTensorType::get({kParts}, acc);
  sums.memref = c.scratchView(c.sharedScratch, 0, kParts, acc);
  const int64_t count = x.numElements();
  const int64_t part = llvm::divideCeil(count, kParts);
  Value zero = c.constant(acc, 0);
  if (c.phase == 0) {
    c.parallel(kParts, [&](Value number) {
      Value begin = c.min(c.mul(number, part), c.index(count));
      Value end = c.min(c.add(begin, part), c.index(count));
      Value sum = c.loop(begin, end, c.index(1), zero,
                         [&](Value i, ValueRange carried) {
                           return Values{c.addf(carried[0], term(i))};
                         })[0];
      c.store(sums, number, sum);
    });
    return;
  }
  c.parallel(1, [&](Value) {
    Value sum = c.loop(kParts, zero, [&](Value i, ValueRange carried) {
      return Values{c.addf(carried[0], c.load(sums, i))};
    })[0];
    if (op.getReduction() == nn::LossReduction::Mean)
      sum = c.divf(sum, c.constant(acc, double(count)));
    c.store(loss, c.index(0), sum);
  });
}

//===----------------------------------------------------------------------===//
// Cross-entropy
//===----------------------------------------------------------------------===//

namespace {
/// The geometry and the labels of a cross-entropy.
template <typename OpTy> struct Samples {
  Samples(OpWriter &w, OpTy op, const KernelTensor &classes)
      : w(w), op(op), extent(classes.type.getDimSize(op.getAxis())),
        inner(classes.strides[op.getAxis()]),
        count(w.in(op.getLabels()).numElements()),
        acc(getAccumulator(classes)) {}

  /// The element of class `number` of a sample.
  Value at(Value sample, Value number) const {
    EmitContext &c = w.c;
    Value outer = c.div(sample, atLeastOne(inner));
    return c.add(c.mul(c.add(c.mul(outer, extent), number), inner),
                 c.rem(sample, atLeastOne(inner)));
  }
  struct Label {
    Value number; // clamped into range
    Value weight; // 0 when ignored, NaN when out of range
  };
  Label getLabel(Value sample) const {
    EmitContext &c = w.c;
    Value label = arith::IndexCastOp::create(
        c.b, c.loc, c.b.getIndexType(), c.load(w.in(op.getLabels()), sample));
    Value inRange = c.isInside(label, extent);
    Value safe = c.select(inRange, label, c.index(0));
    Value weight = op.getWeights() ? c.load(w.in(op.getWeights()), safe)
                                   : c.constant(acc, 1);
    weight = c.convert(weight, acc);
    Value nan = c.constant(acc, std::numeric_limits<double>::quiet_NaN());
    weight = c.select(inRange, weight, nan);
    if (op.getIgnoreIndex()) {
      Value ignored =
          c.cmp(IPred::eq, label, c.index(int64_t(*op.getIgnoreIndex())));
      weight = c.select(ignored, c.constant(acc, 0), weight);
    }
    return {safe, weight};
  }

  OpWriter &w;
  mutable OpTy op;
  int64_t extent, inner, count;
  Type acc;
};
} // namespace

static KernelShape getCrossEntropyShape(Operation *op) {
  auto loss = cast<nn::SoftmaxCrossEntropyOp>(op);
  const int64_t samples = atLeastOne(getCount(loss.getLabels()));
  KernelShape shape = KernelShape::parallel(samples);
  if (loss.getReduction() == nn::LossReduction::None)
    return shape;
  shape.phases[0].outputs = SmallVector<unsigned>{1};
  shape.phases.push_back({1, SmallVector<unsigned>{0}});
  shape.sharedScratchBytes = samples * 16;
  return shape;
}

static void emitCrossEntropy(OpWriter &w) {
  auto op = cast<nn::SoftmaxCrossEntropyOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &x = w.in(0), &loss = w.out(0), &logProb = w.out(1);
  const Samples<nn::SoftmaxCrossEntropyOp> samples(w, op, x);
  Type acc = samples.acc;
  Value zero = c.constant(acc, 0);
  KernelTensor terms, weights;
  const bool isNone = op.getReduction() == nn::LossReduction::None;
  if (!isNone) {
    const int64_t half = atLeastOne(samples.count) * 8;
    terms.type = weights.type = RankedTensorType::get({samples.count}, acc);
    terms.memref = c.scratchView(c.sharedScratch, 0, samples.count, acc);
    weights.memref = c.scratchView(c.sharedScratch, half, samples.count, acc);
  }
  if (c.phase == 1) {
    c.parallel(1, [&](Value) {
      Values init{zero, zero};
      Values sums =
          c.loop(samples.count, init, [&](Value i, ValueRange carried) {
            return Values{c.addf(carried[0], c.load(terms, i)),
                          c.addf(carried[1], c.load(weights, i))};
          });
      Value result = sums[0];
      if (op.getReduction() == nn::LossReduction::Mean)
        result = c.divf(result, sums[1]);
      c.store(loss, c.index(0), c.convert(result, loss.elementType()));
    });
    return;
  }
  c.parallel(samples.count, [&](Value sample) {
    Value low = c.constant(acc, -std::numeric_limits<double>::infinity());
    Value max = c.loop(samples.extent, low, [&](Value i, ValueRange carried) {
      return Values{c.maxAny(carried[0], c.load(x, samples.at(sample, i)))};
    })[0];
    Value sum = c.loop(samples.extent, zero, [&](Value i, ValueRange carried) {
      Value value = c.load(x, samples.at(sample, i));
      return Values{c.addf(carried[0], c.exp(c.subf(value, max)))};
    })[0];
    Value logSum = c.log(sum);
    auto getLogProb = [&](Value number) {
      Value value = c.load(x, samples.at(sample, number));
      return c.subf(c.subf(value, max), logSum);
    };
    c.loop(samples.extent, [&](Value i) {
      c.store(logProb, samples.at(sample, i), getLogProb(i));
    });
    auto label = samples.getLabel(sample);
    Value term = c.negf(c.mulf(label.weight, getLogProb(label.number)));
    // 0 times the -inf of an ignored sample is not a NaN.
    Value ignored = c.cmpf(FPred::OEQ, label.weight, zero);
    term = c.select(ignored, zero, term);
    if (isNone) {
      c.store(loss, sample, c.convert(term, loss.elementType()));
    } else {
      c.store(terms, sample, term);
      c.store(weights, sample, label.weight);
    }
  });
}

static KernelShape getCrossEntropyGradShape(Operation *op) {
  auto grad = cast<nn::SoftmaxCrossEntropyGradOp>(op);
  const int64_t samples = atLeastOne(getCount(grad.getLabels()));
  if (grad.getReduction() != nn::LossReduction::Mean)
    return KernelShape::parallel(samples);
  KernelShape shape = KernelShape::parallel(1);
  shape.phases[0].outputs = SmallVector<unsigned>();
  shape.phases.push_back({samples, std::nullopt});
  shape.sharedScratchBytes = 8;
  return shape;
}

static void emitCrossEntropyGrad(OpWriter &w) {
  auto op = cast<nn::SoftmaxCrossEntropyGradOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &dloss = w.in(0), &logProb = w.in(1), &dx = w.out();
  const Samples<nn::SoftmaxCrossEntropyGradOp> samples(w, op, logProb);
  Type acc = samples.acc;
  Value zero = c.constant(acc, 0);
  const bool isMean = op.getReduction() == nn::LossReduction::Mean;
  KernelTensor divisor;
  if (isMean) {
    divisor.type = RankedTensorType::get({1}, acc);
    divisor.memref = c.scratchView(c.sharedScratch, 0, 1, acc);
    if (c.phase == 0) {
      c.parallel(1, [&](Value) {
        Value sum =
            c.loop(samples.count, zero, [&](Value i, ValueRange carried) {
              return Values{c.addf(carried[0], samples.getLabel(i).weight)};
            })[0];
        c.store(divisor, c.index(0), sum);
      });
      return;
    }
  }
  const bool perSample = op.getReduction() == nn::LossReduction::None;
  c.parallel(samples.count, [&](Value sample) {
    auto label = samples.getLabel(sample);
    Value slope =
        c.convert(c.load(dloss, perSample ? sample : c.index(0)), acc);
    Value factor = c.mulf(slope, label.weight);
    if (isMean)
      factor = c.divf(factor, c.load(divisor, c.index(0)));
    Value ignored = c.cmpf(FPred::OEQ, label.weight, zero);
    c.loop(samples.extent, [&](Value i) {
      Value at = samples.at(sample, i);
      Value isLabel = c.cmp(IPred::eq, i, label.number);
      Value hot = c.select(isLabel, c.constant(acc, 1), zero);
      Value value = c.mulf(factor, c.subf(c.exp(c.load(logProb, at)), hot));
      c.store(dx, at, c.select(ignored, zero, value));
    });
  });
}

void conversion::addGenericLossKernels(KernelRegistry &registry) {
  addGeneric<nn::MSELossOp>(registry, getPairShape<nn::MSELossOp>,
                            emitPairLoss<nn::MSELossOp>, 1);
  addGeneric<nn::L1LossOp>(registry, getPairShape<nn::L1LossOp>,
                           emitPairLoss<nn::L1LossOp>, 1);
  addGeneric<nn::BCEWithLogitsLossOp>(registry,
                                      getPairShape<nn::BCEWithLogitsLossOp>,
                                      emitPairLoss<nn::BCEWithLogitsLossOp>, 1);
  addGeneric<nn::SoftmaxCrossEntropyOp>(registry, getCrossEntropyShape,
                                        emitCrossEntropy);
  addGeneric<nn::SoftmaxCrossEntropyGradOp>(registry, getCrossEntropyGradShape,
                                            emitCrossEntropyGrad);
}
