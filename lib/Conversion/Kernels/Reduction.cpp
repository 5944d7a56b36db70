//===- Reduction.cpp - Reductions and mp.all_finite on a CPU --------------===//

#include "KernelOperands.h"
#include "Kernels.h"
#include "Section.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"

#include <limits>

using namespace mlir;

namespace mpt::conversion {

namespace {
/// The axes of an operand, neighbours of one kind merged, extents of 1 left
/// out.
struct ReductionShape {
  struct Axis {
    int64_t extent, stride;
    bool reduced;
  };
  SmallVector<Axis> axes;
  int64_t reducedSize = 1, keptSize = 1;

  ReductionShape(RankedTensorType type, ArrayRef<int64_t> reducedAxes) {
    SmallVector<int64_t> strides = getRowMajorStrides(type.getShape());
    for (auto [i, extent] : llvm::enumerate(type.getShape())) {
      if (extent == 1)
        continue;
      const bool reduced = llvm::is_contained(reducedAxes, int64_t(i));
      (reduced ? reducedSize : keptSize) *= extent;
      if (!axes.empty() && axes.back().reduced == reduced)
        axes.back() = {axes.back().extent * extent, strides[i], reduced};
      else
        axes.push_back({extent, strides[i], reduced});
    }
  }
  bool isAlong() const { return axes.empty() || axes.back().reduced; }
  /// Everything is reduced: the blocks of a first phase, or 1. Fixed by the
  /// size.
  int64_t getBlocks() const {
    constexpr int64_t kBlock = 1 << 14;
    if (keptSize > 1 || axes.size() != 1 || reducedSize < 2 * kBlock)
      return 1;
    return std::min<int64_t>(64, reducedSize / kBlock);
  }
  int64_t getItems(const TargetDescription &target) const {
    if (isAlong())
      return keptSize;
    return keptSize / axes.back().extent *
           getLaneBlocks(target, axes.back().extent);
  }
};

struct ReductionKind {
  double identity;
  enum { Sum, Mean, Max, Min, Product } kind;
};
} // namespace

static std::optional<ReductionKind> getKind(Operation *op) {
  const double infinity = std::numeric_limits<double>::infinity();
  if (isa_and_nonnull<nn::ReduceSumOp>(op))
    return ReductionKind{0, ReductionKind::Sum};
  if (isa_and_nonnull<nn::ReduceMeanOp>(op))
    return ReductionKind{0, ReductionKind::Mean};
  if (isa_and_nonnull<nn::ReduceMaxOp>(op))
    return ReductionKind{-infinity, ReductionKind::Max};
  if (isa_and_nonnull<nn::ReduceMinOp>(op))
    return ReductionKind{infinity, ReductionKind::Min};
  if (isa_and_nonnull<nn::ReduceProdOp>(op))
    return ReductionKind{1, ReductionKind::Product};
  return std::nullopt;
}

static ReductionShape getReductionShape(Operation *op) {
  auto axes = op->getAttrOfType<DenseI64ArrayAttr>("axes");
  return ReductionShape(cast<RankedTensorType>(op->getOperand(0).getType()),
                        axes.asArrayRef());
}

static Value combine(EmitContext &c, ReductionKind kind, Value a, Value b) {
  switch (kind.kind) {
  case ReductionKind::Sum:
  case ReductionKind::Mean:
    return c.addf(a, b);
  case ReductionKind::Max:
    return c.maxAny(a, b);
  case ReductionKind::Min:
    return c.minAny(a, b);
  case ReductionKind::Product:
    return c.mulf(a, b);
  }
  llvm_unreachable("all kinds are listed");
}

/// The fold of a section of `from`.
static Value reduceSection(EmitContext &c, ReductionKind kind,
                           const Section &section, const KernelTensor &from) {
  return section
      .fold(
          1, kind.identity,
          [&](Value offset, int64_t width, MutableArrayRef<Value> acc) {
            acc[0] =
                combine(c, kind, acc[0], section.load(from, offset, width));
          },
          [&](Value a, Value b) { return combine(c, kind, a, b); })
      .front();
}

static Value finish(EmitContext &c, ReductionKind kind, Value value,
                    int64_t size, int64_t lanes) {
  return kind.kind == ReductionKind::Mean
             ? c.divf(value, constantElements(c, double(size), lanes))
             : value;
}

/// One long section: blocks of it, then the blocks' results in order.
static void emitBlocks(EmitContext &c, ReductionKind kind,
                       const ReductionShape &shape, const KernelTensor &from) {
  const int64_t blocks = shape.getBlocks(), size = shape.reducedSize / blocks;
  KernelTensor partial{
      RankedTensorType::get({blocks}, c.b.getF32Type()),
      c.scratchView(c.sharedScratch, 0, blocks, c.b.getF32Type()),
      {1}};
  if (c.phase == 0) {
    c.parallel(blocks, [&](Value block) {
      Section section = Section::along(c, c.mul(block, size), {}, size);
      c.store(partial, block, reduceSection(c, kind, section, from));
    });
    return;
  }
  c.parallel(1, [&](Value) {
    Value value = reduceSection(
        c, kind, Section::along(c, c.index(0), {}, blocks), partial);
    if (int64_t rest = shape.reducedSize - blocks * size; rest > 0)
      value = combine(
          c, kind, value,
          reduceSection(c, kind,
                        Section::along(c, c.index(blocks * size), {}, rest),
                        from));
    c.store(c.outputs[0], c.index(0),
            finish(c, kind, value, shape.reducedSize, 1));
  });
}

static void emitReduction(EmitContext &c, ReductionKind kind,
                          const ReductionShape &shape,
                          const KernelTensor &from) {
  // The kept axes number the results; the contiguous one may be split into
  // lanes.
  SmallVector<int64_t> box, strides;
  SmallVector<Section::Axis> reduced;
  for (const ReductionShape::Axis &axis : shape.axes) {
    if (axis.reduced) {
      reduced.push_back({axis.extent, axis.stride});
    } else {
      box.push_back(axis.extent);
      strides.push_back(axis.stride);
    }
  }
  if (shape.isAlong()) {
    const int64_t run = shape.axes.empty() ? 1 : shape.axes.back().extent;
    if (!reduced.empty())
      reduced.pop_back();
    c.parallel(shape.keptSize, [&](Value item) {
      Value base = c.linearize(c.delinearize(item, box), strides);
      Value value =
          reduceSection(c, kind, Section::along(c, base, reduced, run), from);
      c.store(c.outputs[0], item, finish(c, kind, value, shape.reducedSize, 1));
    });
    return;
  }
  const int64_t last = box.pop_back_val();
  strides.pop_back();
  const int64_t blocks = getLaneBlocks(c.target, last);
  c.parallel(shape.getItems(c.target), [&](Value item) {
    Value outer = c.div(item, blocks);
    Value base = c.linearize(c.delinearize(outer, box), strides);
    forLaneBlock(c, last, c.rem(item, blocks), [&](Value first, int64_t lanes) {
      Section section = Section::across(c, c.add(base, first), reduced, lanes);
      Value value = reduceSection(c, kind, section, from);
      section.storeValue(c.outputs[0], c.add(c.mul(outer, last), first),
                         finish(c, kind, value, shape.reducedSize, lanes));
    });
  });
}

namespace {
class ReductionEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "reduction"; }
  bool match(nn::KernelOp kernel,
             const TargetDescription &target) const override {
    Operation *op = getSingleOp(kernel);
    if (target.isGPU || !getKind(op))
      return false;
    auto type = cast<RankedTensorType>(op->getOperand(0).getType());
    return isa<FloatType>(type.getElementType()) &&
           !type.getElementType().isF64() && type.getNumElements() > 0;
  }
  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &target) const override {
    ReductionShape reduction = getReductionShape(getSingleOp(kernel));
    if (reduction.getBlocks() == 1)
      return KernelShape::parallel(reduction.getItems(target));
    KernelShape shape = KernelShape::parallel(reduction.getBlocks());
    shape.phases[0].outputs.emplace();
    shape.phases.push_back({1, std::nullopt});
    shape.sharedScratchBytes = llvm::alignTo(reduction.getBlocks() * 4, 64);
    return shape;
  }
  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    Operation *op = getSingleOp(kernel);
    ReductionShape shape = getReductionShape(op);
    const KernelTensor &from = getInput(c, op->getOperand(0));
    if (shape.getBlocks() > 1)
      emitBlocks(c, *getKind(op), shape, from);
    else
      emitReduction(c, *getKind(op), shape, from);
    return success();
  }
};

/// Sums 0 * x over blocks of all operands: NaN exactly where an element is not
/// finite. Then the first block that has one.
class AllFiniteEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "all_finite"; }
  bool match(nn::KernelOp kernel,
             const TargetDescription &target) const override {
    auto op = dyn_cast_or_null<mp::AllFiniteOp>(getSingleOp(kernel));
    return op && !target.isGPU && llvm::all_of(op.getInputs(), [](Value input) {
             auto type = cast<RankedTensorType>(input.getType());
             return !type.getElementType().isF64() && type.getNumElements() > 0;
           });
  }
  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &) const override {
    auto op = cast<mp::AllFiniteOp>(getSingleOp(kernel));
    const int64_t blocks = std::max<int64_t>(getBlockNumbers(op).back(), 1);
    KernelShape shape = KernelShape::parallel(blocks);
    shape.phases[0].outputs.emplace();
    shape.phases.push_back({1, std::nullopt});
    shape.sharedScratchBytes = llvm::alignTo(blocks * 4, 64);
    return shape;
  }
  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    auto op = cast<mp::AllFiniteOp>(getSingleOp(kernel));
    SmallVector<int64_t> begin = getBlockNumbers(op);
    const int64_t blocks = std::max<int64_t>(begin.back(), 1);
    KernelTensor flags{
        RankedTensorType::get({blocks}, c.b.getF32Type()),
        c.scratchView(c.sharedScratch, 0, blocks, c.b.getF32Type()),
        {1}};
    if (c.phase == 0)
      emitBlocks(c, op, begin, flags);
    else
      emitFlags(c, kernel, op, begin, flags);
    return success();
  }

private:
  static constexpr int64_t kBlock = 1 << 14;

  /// The first block of every operand, and the number of all.
  static SmallVector<int64_t> getBlockNumbers(mp::AllFiniteOp op) {
    SmallVector<int64_t> begin{0};
    for (Value input : op.getInputs()) {
      const int64_t size =
          cast<RankedTensorType>(input.getType()).getNumElements();
      begin.push_back(begin.back() + std::max<int64_t>(1, size / kBlock));
    }
    return begin;
  }

  static void emitBlocks(EmitContext &c, mp::AllFiniteOp op,
                         ArrayRef<int64_t> begin, const KernelTensor &flags) {
    auto range = c.share(begin.back());
    for (auto [i, input] : llvm::enumerate(op.getInputs())) {
      const KernelTensor &x = getInput(c, input);
      const int64_t first = begin[i], blocks = begin[i + 1] - first;
      const int64_t whole = blocks == 1 ? x.numElements() : kBlock;
      auto check = [&](Value block, int64_t size) {
        Section section = Section::along(
            c, c.mul(c.sub(block, c.index(first)), whole), {}, size);
        Value sum = section.sumOf([&](Value offset, int64_t width) {
          return c.mulf(section.load(x, offset, width),
                        constantElements(c, 0, width));
        });
        c.store(flags, block, sum);
      };
      // The last block takes what is left over.
      const int64_t lastSize = x.numElements() - (blocks - 1) * whole;
      Value low = c.max(range.begin, c.index(first));
      c.loop(low, c.min(range.end, c.index(first + blocks - 1)), c.index(1),
             [&](Value block) { check(block, whole); });
      Value last = c.index(first + blocks - 1);
      Value mine =
          c.logicalAnd(c.cmp(arith::CmpIPredicate::sle, range.begin, last),
                       c.cmp(arith::CmpIPredicate::slt, last, range.end));
      c.ifThen(mine, [&] { check(last, lastSize); });
    }
  }

  static void emitFlags(EmitContext &c, nn::KernelOp kernel, mp::AllFiniteOp op,
                        ArrayRef<int64_t> begin, const KernelTensor &flags) {
    c.parallel(1, [&](Value) {
      Value none = c.constant(c.b.getI64Type(), -1);
      Value first = none;
      // From the last operand to the first: the first that is not finite stays.
      for (size_t i = op.getInputs().size(); i-- > 0;) {
        const int64_t blocks = begin[i + 1] - begin[i];
        Section section = Section::along(c, c.index(begin[i]), {}, blocks);
        Value sum = section.sumOf([&](Value offset, int64_t width) {
          return section.load(flags, offset, width);
        });
        Value bad = arith::CmpFOp::create(c.b, c.loc, arith::CmpFPredicate::UNO,
                                          sum, sum);
        first = c.select(bad, c.constant(c.b.getI64Type(), double(i)), first);
      }
      if (const KernelTensor *to = getOutput(c, kernel, op.getFirst()))
        c.store(*to, c.index(0), first);
      if (const KernelTensor *to = getOutput(c, kernel, op.getFinite()))
        c.store(*to, c.index(0),
                arith::CmpIOp::create(c.b, c.loc, arith::CmpIPredicate::eq,
                                      first, none));
    });
  }
};
} // namespace

void addReductionKernels(KernelRegistry &registry) {
  registry.add(std::make_unique<ReductionEmitter>(), 10);
  registry.add(std::make_unique<AllFiniteEmitter>(), 10);
}

} // namespace mpt::conversion
