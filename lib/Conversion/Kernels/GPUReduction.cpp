//===- GPUReduction.cpp - Reductions on a GPU, in parts -------------------===//
//
// PartedFold.h says how; the templates that take a section at a time would keep
// too few threads busy.
//
//===----------------------------------------------------------------------===//

#include "KernelOperands.h"
#include "Kernels.h"
#include "PartedFold.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

namespace {

constexpr int64_t kAlignment = 64;

class GPUReduction : public KernelEmitter {
public:
  StringRef getName() const override { return "gpu_reduction"; }

  bool match(nn::KernelOp kernel,
             const TargetDescription &target) const override {
    Operation *op = getSingleOp(kernel);
    return target.isGPU &&
           isa_and_nonnull<nn::ReduceSumOp, nn::ReduceMeanOp, nn::ReduceMaxOp,
                           nn::ReduceMinOp, nn::ReduceProdOp>(op);
  }

  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &target) const override {
    const Reduction reduction(getSingleOp(kernel), target);
    const PartedFold &fold = reduction.fold;
    KernelShape shape = KernelShape::parallel(fold.items());
    if (fold.parts > 1) {
      shape.phases[0].outputs.emplace();
      shape.phases.push_back({fold.sections, std::nullopt});
      shape.sharedScratchBytes = llvm::alignTo(
          fold.items() * getElementBytes(reduction.type), kAlignment);
    }
    return shape;
  }

  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    Operation *op = getSingleOp(kernel);
    const Reduction r(op, c.target);
    const KernelTensor &x = getInput(c, op->getOperand(0));
    const KernelTensor &y = c.outputs[0];
    KernelTensor partial;
    if (r.fold.parts > 1)
      partial = viewShared(c, 0, r.fold.items(), r.type);
    if (c.phase == 1) {
      c.parallel(r.fold.sections, [&](Value section) {
        Value init[] = {r.getIdentity(c)};
        PartedFold::Values result = r.fold.combineParts(
            c, section, init,
            [&](Value slot, ValueRange carried) -> PartedFold::Values {
              return {r.combine(c, carried[0], c.load(partial, slot))};
            });
        c.store(y, section, r.finish(c, result[0]));
      });
      return success();
    }
    Value base;
    r.fold.emitParts(
        c,
        [&](Value section) -> PartedFold::Values {
          base = c.linearize(c.delinearize(section, r.kept), r.keptStrides);
          return {r.getIdentity(c)};
        },
        [&](Value, Value element, ValueRange carried) -> PartedFold::Values {
          Value offset =
              c.linearize(c.delinearize(element, r.reduced), r.reducedStrides);
          Value value = c.convert(c.load(x, c.add(base, offset)), r.type);
          return {r.combine(c, carried[0], value)};
        },
        [&](Value section, Value part, ValueRange results) {
          if (r.fold.parts > 1)
            c.store(partial, r.fold.getSlot(c, section, part), results[0]);
          else
            c.store(y, section, r.finish(c, results[0]));
        });
    return success();
  }

private:
  struct Reduction {
    Operation *op;
    Type type; // computed in
    SmallVector<int64_t> kept, keptStrides, reduced, reducedStrides;
    bool isUnsigned;
    PartedFold fold;

    Reduction(Operation *op, const TargetDescription &target)
        : op(op), fold(0, 0, target) {
      auto operand = cast<RankedTensorType>(op->getOperand(0).getType());
      type = getComputeType(getElementTypeOrSelf(op->getResult(0).getType()));
      isUnsigned = operand.getElementType().isUnsignedInteger();
      ArrayRef<int64_t> axes =
          op->getAttrOfType<DenseI64ArrayAttr>("axes").asArrayRef();
      SmallVector<int64_t> strides = getRowMajorStrides(operand.getShape());
      int64_t sections = 1, size = 1;
      for (auto [axis, extent] : llvm::enumerate(operand.getShape())) {
        const bool isReduced = llvm::is_contained(axes, int64_t(axis));
        (isReduced ? size : sections) *= extent;
        (isReduced ? reduced : kept).push_back(extent);
        (isReduced ? reducedStrides : keptStrides).push_back(strides[axis]);
      }
      fold = PartedFold(sections, size, target);
      fold.partsAreNeighbours = reduced.empty() || reducedStrides.back() == 1;
    }

    Value getIdentity(EmitContext &c) const {
      if (isa<nn::ReduceSumOp, nn::ReduceMeanOp>(op))
        return c.constant(type, 0);
      if (isa<nn::ReduceProdOp>(op))
        return c.constant(type, 1);
      const bool isMax = isa<nn::ReduceMaxOp>(op);
      const double infinity = std::numeric_limits<double>::infinity();
      if (isa<FloatType>(type))
        return c.constant(type, isMax ? -infinity : infinity);
      const unsigned width = type.getIntOrFloatBitWidth();
      APInt value =
          isUnsigned || width == 1
              ? (isMax ? APInt::getZero(width) : APInt::getMaxValue(width))
              : (isMax ? APInt::getSignedMinValue(width)
                       : APInt::getSignedMaxValue(width));
      return arith::ConstantOp::create(c.b, c.loc,
                                       IntegerAttr::get(type, value));
    }

    Value combine(EmitContext &c, Value a, Value b) const {
      if (isa<nn::ReduceSumOp, nn::ReduceMeanOp>(op))
        return c.addAny(a, b);
      if (isa<nn::ReduceProdOp>(op))
        return c.mulAny(a, b);
      const bool isMax = isa<nn::ReduceMaxOp>(op);
      if (!isa<FloatType>(type) && (isUnsigned || type.isInteger(1)))
        return isMax ? arith::MaxUIOp::create(c.b, c.loc, a, b).getResult()
                     : arith::MinUIOp::create(c.b, c.loc, a, b).getResult();
      return isMax ? c.maxAny(a, b) : c.minAny(a, b);
    }

    Value finish(EmitContext &c, Value value) const {
      if (!isa<nn::ReduceMeanOp>(op))
        return value;
      Value size = c.constant(type, double(fold.size));
      if (isa<FloatType>(type))
        return c.divf(value, size);
      if (fold.size == 0)
        return value;
      return isUnsigned
                 ? arith::DivUIOp::create(c.b, c.loc, value, size).getResult()
                 : arith::DivSIOp::create(c.b, c.loc, value, size).getResult();
    }
  };
};

} // namespace

void conversion::addGPUReductionKernels(KernelRegistry &registry) {
  registry.add(std::make_unique<GPUReduction>(), 10);
}
