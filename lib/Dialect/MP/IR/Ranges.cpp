//===- Ranges.cpp - Ranges of the mixed-precision dialect's results -------===//

#include "Ranges.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Interfaces/ValueRangeOpInterface.h"

#include <cmath>

using namespace mlir;
using namespace mpt;
using namespace mpt::mp;

using Operands = ArrayRef<NumericRange>;
using Results = MutableArrayRef<NumericRange>;

template <typename OpTy> static void inferSame(OpTy, Operands x, Results y) {
  y[0] = x[0]; // the analysis rounds to the result's type
}

static void inferLossSeed(LossSeedOp, Operands, Results y) {
  y[0] = NumericRange::point(1);
}

static void inferScale(ScaleByOp, Operands x, Results y) { y[0] = x[0] * x[1]; }

static void inferUnscale(UnscaleOp op, Operands x, Results y) {
  // The reciprocal is rounded before it is used.
  y[0] = x[0] * roundToType(
                    NumericRange::point(1) / x[1],
                    cast<ShapedType>(op.getScale().getType()).getElementType());
}

static void inferAllFinite(AllFiniteOp op, Operands, Results y) {
  y[0] = NumericRange::between(0, 1);
  y[1] =
      NumericRange::between(-1, static_cast<double>(op.getInputs().size()) - 1);
  y[1].smallest = 1;
}

static void inferUpdate(UpdateOp op, Operands x, Results y) {
  y[0] = x[1];
  if (op.getFinite())
    y[0].join(x[0]);
}

static void inferUpdateScale(UpdateScaleOp op, Operands x, Results y) {
  const NumericRange &scale = x[0];
  y[0] = scale;
  y[0].join(minOf(scaled(scale, op.getGrowth().convertToDouble()),
                  NumericRange::point(op.getMaximum().convertToDouble())));
  y[0].join(maxOf(scaled(scale, op.getBackoff().convertToDouble()),
                  NumericRange::point(op.getMinimum().convertToDouble())));
}

void mp::attachRanges(MLIRContext *context) {
  attachRange<CastOp, inferSame<CastOp>>(context);
  attachRange<GradientOp, inferSame<GradientOp>>(context);
  attachRange<LossSeedOp, inferLossSeed>(context);
  attachRange<ScaleByOp, inferScale>(context);
  attachRange<UnscaleOp, inferUnscale>(context);
  attachRange<AllFiniteOp, inferAllFinite>(context);
  attachRange<UpdateOp, inferUpdate>(context);
  attachRange<UpdateScaleOp, inferUpdateScale>(context);
}
