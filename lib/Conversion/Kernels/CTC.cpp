//===- CTC.cpp - Connectionist temporal classification --------------------===//
//
// A thread per sample runs over its frames; log-softmax runs over all frames in
// parallel before. Formulas: lib/Reference/CTC.cpp.
//
//===----------------------------------------------------------------------===//

#include "Generic.h"
#include "Kernels.h"

#include <limits>

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

using Values = SmallVector<Value>;
using FPred = arith::CmpFPredicate;
using IPred = arith::CmpIPredicate;

namespace {

/// The geometry of a loss, and the arithmetic of logarithms.
template <typename OpTy> class CTC {
public:
  CTC(OpWriter &w, OpTy op, const KernelTensor &logProb)
      : c(w.c), op(op), logProb(logProb), labels(w.in(op.getLabels())),
        logitLengths(w.in(op.getLogitLengths())),
        labelLengths(w.in(op.getLabelLengths())),
        samples(logProb.type.getDimSize(0)), frames(logProb.type.getDimSize(1)),
        classes(logProb.type.getDimSize(2)), longest(labels.type.getDimSize(1)),
        width(2 * longest + 1), type(getComputeType(logProb.elementType())) {}

  EmitContext &c;
  mutable OpTy op;
  const KernelTensor &logProb, &labels, &logitLengths, &labelLengths;
  const int64_t samples, frames, classes, longest, width;
  const Type type;

  Value number(double value) const { return c.constant(type, value); }
  Value low() const { return number(-std::numeric_limits<double>::infinity()); }
  Value high() const { return number(std::numeric_limits<double>::infinity()); }
  Value nan() const { return number(std::numeric_limits<double>::quiet_NaN()); }

  /// log(sum of e^x); -inf when all are, NaN when one is.
  Value addLogs(ArrayRef<Value> terms) const {
    Value max = terms.front();
    for (Value term : terms.drop_front())
      max = c.maxAny(max, term);
    Value isLow = c.cmpf(FPred::OEQ, max, low());
    Value shift = c.select(isLow, number(0), max), sum;
    for (Value term : terms) {
      Value power = c.exp(c.subf(term, shift));
      sum = sum ? c.addf(sum, power) : power;
    }
    return c.select(isLow, max, c.addf(shift, c.log(sum)));
  }

  /// One sample's extents, clamped to what there is.
  struct Sample {
    Value number, frames, labels, states;
    Value valid; // the lengths were in range
  };
  Sample getSample(Value n) const {
    auto length = [&](const KernelTensor &lengths) -> Value {
      return arith::IndexCastOp::create(c.b, c.loc, c.b.getIndexType(),
                                        c.load(lengths, n));
    };
    Value t = length(logitLengths), s = length(labelLengths);
    Value valid =
        c.logicalAnd(c.isInside(t, frames + 1), c.isInside(s, longest + 1));
    t = c.select(valid, t, c.index(0));
    s = c.select(valid, s, c.index(0));
    return {n, t, s, c.add(c.mul(s, 2), 1), valid};
  }

  struct State {
    Value symbol; // the class, clamped into range
    Value valid;  // it was in range
    Value skips;  // a path may come straight from state s - 2
  };
  State getState(const Sample &sample, Value s) const {
    Value blank = c.index(int64_t(op.getBlank()));
    if (longest == 0) {
      Value yes = c.cmp(IPred::eq, s, s);
      return {blank, yes, c.cmp(IPred::ne, s, s)};
    }
    Value half = c.div(s, 2),
          isLabel = c.cmp(IPred::eq, c.rem(s, 2), c.index(1));
    Value base = c.mul(sample.number, longest);
    auto label = [&](Value position) -> Value {
      return arith::IndexCastOp::create(c.b, c.loc, c.b.getIndexType(),
                                        c.load(labels, c.add(base, position)));
    };
    Value mine = label(c.min(half, c.index(longest - 1)));
    Value before = label(c.max(
        c.sub(c.min(half, c.index(longest - 1)), c.index(1)), c.index(0)));
    Value isClass =
        c.logicalAnd(c.isInside(mine, classes), c.cmp(IPred::ne, mine, blank));
    Value differs = c.logicalAnd(c.cmp(IPred::ne, mine, before),
                                 c.cmp(IPred::sge, s, c.index(3)));
    return {c.select(c.logicalAnd(isLabel, isClass), mine, blank),
            c.select(isLabel, isClass, c.cmp(IPred::eq, s, s)),
            c.logicalAnd(isLabel, differs)};
  }
  Value getFrame(const Sample &sample, Value t) const {
    return c.add(c.mul(sample.number, frames), t);
  }
  /// The log-probability of a state's symbol in a frame.
  Value getEmission(const Sample &sample, Value t, const State &state) const {
    Value at = c.add(c.mul(getFrame(sample, t), classes), state.symbol);
    return c.select(state.valid, c.load(logProb, at), nan());
  }
  /// What a sample counts in the reduction.
  Value getWeight(const Sample &sample) const {
    if (op.getReduction() != nn::LossReduction::Mean)
      return number(1);
    Value length = c.max(sample.labels, c.index(1));
    Value integer =
        arith::IndexCastOp::create(c.b, c.loc, c.b.getI64Type(), length);
    return c.divf(number(1.0 / double(samples)), c.convert(integer, type));
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// The loss
//===----------------------------------------------------------------------===//

static KernelShape getCTCShape(Operation *op) {
  auto loss = cast<nn::CTCLossOp>(op);
  ArrayRef<int64_t> shape = getShapeOf(loss.getLogits());
  KernelShape result = KernelShape::parallel(atLeastOne(shape[0] * shape[1]));
  result.phases[0].outputs = SmallVector<unsigned>{1};
  if (loss.getReduction() == nn::LossReduction::None) {
    result.phases.push_back(
        {atLeastOne(shape[0]), SmallVector<unsigned>{0, 2}});
    return result;
  }
  result.phases.push_back({atLeastOne(shape[0]), SmallVector<unsigned>{2}});
  result.phases.push_back({1, SmallVector<unsigned>{0}});
  result.sharedScratchBytes = atLeastOne(shape[0]) * 8;
  return result;
}

static void emitLogProb(const CTC<nn::CTCLossOp> &ctc, const KernelTensor &x) {
  EmitContext &c = ctc.c;
  c.parallel(ctc.samples * ctc.frames, [&](Value row) {
    Value start = c.mul(row, ctc.classes);
    Value max =
        c.loop(ctc.classes, ctc.low(), [&](Value i, ValueRange carried) {
          return Values{c.maxAny(carried[0], c.load(x, c.add(start, i)))};
        })[0];
    Value sum =
        c.loop(ctc.classes, ctc.number(0), [&](Value i, ValueRange carried) {
          Value term = c.exp(c.subf(c.load(x, c.add(start, i)), max));
          return Values{c.addf(carried[0], term)};
        })[0];
    Value logSum = c.log(sum);
    c.loop(ctc.classes, [&](Value i) {
      Value at = c.add(start, i);
      c.store(ctc.logProb, at, c.subf(c.subf(c.load(x, at), max), logSum));
    });
  });
}

/// Fills a sample's forward variables; returns the sum of the shifts.
static Value emitForward(const CTC<nn::CTCLossOp> &ctc,
                         const CTC<nn::CTCLossOp>::Sample &sample,
                         const KernelTensor &alpha) {
  EmitContext &c = ctc.c;
  auto rowOf = [&](Value t) {
    return c.mul(ctc.getFrame(sample, t), ctc.width);
  };
  Value all = c.mul(c.mul(sample.number, ctc.frames), ctc.width);
  c.loop(ctc.frames * ctc.width,
         [&](Value i) { c.store(alpha, c.add(all, i), ctc.low()); });
  Values zero{ctc.number(0)};
  return c.loop(
      c.index(0), sample.frames, c.index(1), zero,
      [&](Value t, ValueRange total) -> Values {
        Value isFirst = c.cmp(IPred::eq, t, c.index(0));
        // The first frame reads itself, all -inf, and takes another value.
        Value before = rowOf(c.max(c.sub(t, c.index(1)), c.index(0)));
        Value row = rowOf(t);
        Values low{ctc.low()};
        Value max = c.loop(
            c.index(0), sample.states, c.index(1), low,
            [&](Value s, ValueRange largest) -> Values {
              auto state = ctc.getState(sample, s);
              auto arriving = [&](int64_t steps, Value allowed) {
                Value from = c.max(c.sub(s, c.index(steps)), c.index(0));
                return c.select(allowed, c.load(alpha, c.add(before, from)),
                                ctc.low());
              };
              Value moved = arriving(1, c.cmp(IPred::sge, s, c.index(1)));
              Value sum = ctc.addLogs({c.load(alpha, c.add(before, s)), moved,
                                       arriving(2, state.skips)});
              Value start = c.select(c.cmp(IPred::slt, s, c.index(2)),
                                     ctc.number(0), ctc.low());
              Value value = c.addf(c.select(isFirst, start, sum),
                                   ctc.getEmission(sample, t, state));
              c.store(alpha, c.add(row, s), value);
              return {c.maxAny(largest[0], value)};
            })[0];
        Value isLow = c.cmpf(FPred::OEQ, max, ctc.low());
        Value shift = c.select(isLow, ctc.number(0), max);
        c.loop(c.index(0), sample.states, c.index(1), [&](Value s) {
          Value at = c.add(row, s);
          c.store(alpha, at, c.subf(c.load(alpha, at), shift));
        });
        return {c.addf(total[0], max)};
      })[0];
}

static void emitCTC(OpWriter &w) {
  auto op = cast<nn::CTCLossOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &loss = w.out(0), &logProb = w.out(1), &alpha = w.out(2);
  const CTC<nn::CTCLossOp> ctc(w, op, logProb);
  const bool isNone = op.getReduction() == nn::LossReduction::None;
  if (c.phase == 0)
    return emitLogProb(ctc, w.in(0));
  KernelTensor terms = loss;
  if (!isNone) {
    terms.type = RankedTensorType::get({ctc.samples}, ctc.type);
    terms.memref = c.scratchView(c.sharedScratch, 0, ctc.samples, ctc.type);
  }
  if (c.phase == 2) {
    c.parallel(1, [&](Value) {
      Values zero{ctc.number(0)};
      Value sum = c.loop(ctc.samples, zero, [&](Value n, ValueRange carried) {
        return Values{c.addf(carried[0], c.load(terms, n))};
      })[0];
      c.store(loss, c.index(0), sum);
    });
    return;
  }
  c.parallel(ctc.samples, [&](Value n) {
    auto sample = ctc.getSample(n);
    Value total = emitForward(ctc, sample, alpha);
    // The last two states of the last frame; without frames only the empty
    // sequence of labels is possible.
    Value isEmpty = c.cmp(IPred::eq, sample.frames, c.index(0));
    Value hasLabels = c.cmp(IPred::sgt, sample.labels, c.index(0));
    Value frame = c.max(c.sub(sample.frames, c.index(1)), c.index(0));
    Value row = c.mul(ctc.getFrame(sample, frame), ctc.width);
    Value last = c.sub(sample.states, c.index(1));
    Value previous = c.max(c.sub(last, c.index(1)), c.index(0));
    Value ending = ctc.addLogs(
        {c.load(alpha, c.add(row, last)),
         c.select(hasLabels, c.load(alpha, c.add(row, previous)), ctc.low())});
    Value value = c.negf(c.addf(total, ending));
    value = c.select(isEmpty, c.select(hasLabels, ctc.high(), ctc.number(0)),
                     value);
    if (op.getZeroInfinity())
      value =
          c.select(c.cmpf(FPred::OEQ, value, ctc.high()), ctc.number(0), value);
    value = c.select(sample.valid, value, ctc.nan());
    c.store(terms, n, c.mulf(value, ctc.getWeight(sample)));
  });
}

//===----------------------------------------------------------------------===//
// Its gradient
//===----------------------------------------------------------------------===//

static KernelShape getCTCGradShape(Operation *op) {
  auto grad = cast<nn::CTCLossGradOp>(op);
  const int64_t samples = atLeastOne(getShapeOf(grad.getLogProb())[0]);
  KernelShape shape = KernelShape::parallel(samples);
  // Two rows of backward variables for each sample.
  shape.sharedScratchBytes =
      samples * 2 * getShapeOf(grad.getLogAlpha())[2] * 8;
  return shape;
}

static void emitCTCGrad(OpWriter &w) {
  auto op = cast<nn::CTCLossGradOp>(w.op);
  EmitContext &c = w.c;
  const KernelTensor &dloss = w.in(0), &alpha = w.in(2), &dx = w.out();
  const CTC<nn::CTCLossGradOp> ctc(w, op, w.in(1));
  KernelTensor beta;
  const int64_t room = atLeastOne(ctc.samples) * 2 * ctc.width;
  beta.type = RankedTensorType::get({room}, ctc.type);
  beta.memref = c.scratchView(c.sharedScratch, 0, room, ctc.type);
  const bool perSample = op.getReduction() == nn::LossReduction::None;
  c.parallel(ctc.samples, [&](Value n) {
    auto sample = ctc.getSample(n);
    Value slope = c.load(dloss, perSample ? n : c.index(0));
    Value factor = c.mulf(slope, ctc.getWeight(sample));
    Value first = c.mul(n, ctc.frames * ctc.classes);
    Value count = c.mul(sample.frames, ctc.classes);
    c.loop(ctc.frames * ctc.classes, [&](Value i) {
      Value at = c.add(first, i);
      Value value = c.mulf(factor, c.exp(c.load(ctc.logProb, at)));
      Value isUsed = c.cmp(IPred::slt, i, count);
      Value unused = c.select(sample.valid, ctc.number(0), ctc.nan());
      c.store(dx, at, c.select(isUsed, value, unused));
    });
    // The backward variables of the last frame.
    Value scratch = c.mul(n, 2 * ctc.width);
    auto betaRow = [&](Value t) {
      return c.add(scratch, c.mul(c.rem(t, 2), ctc.width));
    };
    Value end = betaRow(c.max(c.sub(sample.frames, c.index(1)), c.index(0)));
    c.loop(c.index(0), sample.states, c.index(1), [&](Value s) {
      Value isEnd = c.cmp(IPred::sge, c.add(s, 2), sample.states);
      c.store(beta, c.add(end, s), c.select(isEnd, ctc.number(0), ctc.low()));
    });
    Values init{c.cmp(IPred::eq, n, n)};
    Value possible = c.loop(
        c.index(0), sample.frames, c.index(1), init,
        [&](Value step, ValueRange carried) -> Values {
          Value t = c.sub(c.sub(sample.frames, c.index(1)), step);
          Value row = betaRow(t), next = betaRow(c.add(t, 1));
          Value alphaRow = c.mul(ctc.getFrame(sample, t), ctc.width);
          auto joint = [&](Value s) {
            return c.addf(c.load(alpha, c.add(alphaRow, s)),
                          c.load(beta, c.add(row, s)));
          };
          Values low{ctc.low()}, zero{ctc.number(0)};
          Value max = c.loop(c.index(0), sample.states, c.index(1), low,
                             [&](Value s, ValueRange largest) {
                               return Values{c.maxAny(largest[0], joint(s))};
                             })[0];
          Value sum = c.loop(
              c.index(0), sample.states, c.index(1), zero,
              [&](Value s, ValueRange sums) {
                return Values{c.addf(sums[0], c.exp(c.subf(joint(s), max)))};
              })[0];
          Value scale = c.divf(factor, sum);
          Value dxRow = c.mul(ctc.getFrame(sample, t), ctc.classes);
          // The row before: what leaves a state into this frame.
          Value leavingMax = c.loop(
              c.index(0), sample.states, c.index(1), low,
              [&](Value s, ValueRange largest) -> Values {
                auto state = ctc.getState(sample, s);
                Value at = c.add(dxRow, state.symbol);
                Value share = c.mulf(scale, c.exp(c.subf(joint(s), max)));
                c.store(dx, at, c.subf(c.load(dx, at), share));
                Value lastState = c.sub(sample.states, c.index(1));
                auto leaving = [&](int64_t steps) {
                  Value to = c.min(c.add(s, steps), lastState);
                  auto target = ctc.getState(sample, to);
                  Value value = c.addf(c.load(beta, c.add(row, to)),
                                       ctc.getEmission(sample, t, target));
                  if (steps == 0)
                    return value;
                  Value allowed =
                      c.cmp(IPred::slt, c.add(s, steps), sample.states);
                  if (steps == 2)
                    allowed = c.logicalAnd(allowed, target.skips);
                  return c.select(allowed, value, ctc.low());
                };
                Value value = ctc.addLogs({leaving(0), leaving(1), leaving(2)});
                c.store(beta, c.add(next, s), value);
                return {c.maxAny(largest[0], value)};
              })[0];
          Value shift = c.select(c.cmpf(FPred::OEQ, leavingMax, ctc.low()),
                                 ctc.number(0), leavingMax);
          c.loop(c.index(0), sample.states, c.index(1), [&](Value s) {
            Value at = c.add(next, s);
            c.store(beta, at, c.subf(c.load(beta, at), shift));
          });
          Value isLow = c.cmpf(FPred::OEQ, max, ctc.low());
          Value none = c.cmp(IPred::ne, n, n);
          return {c.select(isLow, none, carried[0])};
        })[0];
    Value rest = op.getZeroInfinity() ? ctc.number(0) : ctc.nan();
    c.ifThen(c.cmp(IPred::eq, c.select(possible, c.index(1), c.index(0)),
                   c.index(0)),
             [&] {
               c.loop(c.index(0), count, c.index(1),
                      [&](Value i) { c.store(dx, c.add(first, i), rest); });
             });
  });
}

void conversion::addCTCKernels(KernelRegistry &registry) {
  addGeneric<nn::CTCLossOp>(registry, getCTCShape, emitCTC, 1);
  addGeneric<nn::CTCLossGradOp>(registry, getCTCGradShape, emitCTCGrad, 1);
}
