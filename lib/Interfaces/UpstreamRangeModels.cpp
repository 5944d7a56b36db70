//===- UpstreamRangeModels.cpp - Ranges of upstream operations ------------===//
//
// Transfer functions for arith, math, linalg and tensor, so that ranges pass
// through functions that hold no operation of MPT.
//
//===----------------------------------------------------------------------===//

#include "mpt/Interfaces/UpstreamModels.h"

#include "mpt/Interfaces/ValueRangeOpInterface.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace mpt;

using Operands = ArrayRef<NumericRange>;
using Results = MutableArrayRef<NumericRange>;

template <typename OpTy> static void inferSame(OpTy, Operands x, Results y) {
  y[0] = x[0];
}
template <typename OpTy> static void inferNeg(OpTy, Operands x, Results y) {
  y[0] = -x[0];
}
template <typename OpTy> static void inferAdd(OpTy, Operands x, Results y) {
  y[0] = x[0] + x[1];
}
template <typename OpTy> static void inferSub(OpTy, Operands x, Results y) {
  y[0] = x[0] - x[1];
}
template <typename OpTy> static void inferMul(OpTy op, Operands x, Results y) {
  y[0] = op->getOperand(0) == op->getOperand(1) ? squareOf(x[0]) : x[0] * x[1];
}
template <typename OpTy> static void inferDiv(OpTy, Operands x, Results y) {
  y[0] = x[0] / x[1];
}
template <typename OpTy> static void inferMax(OpTy, Operands x, Results y) {
  y[0] = maxOf(x[0], x[1]);
}
template <typename OpTy> static void inferMin(OpTy, Operands x, Results y) {
  y[0] = minOf(x[0], x[1]);
}
static void inferSelect(arith::SelectOp, Operands x, Results y) {
  y[0] = x[1];
  y[0].join(x[2]);
}

static void inferExp(math::ExpOp, Operands x, Results y) { y[0] = expOf(x[0]); }
static void inferLog(math::LogOp, Operands x, Results y) { y[0] = logOf(x[0]); }
static void inferSqrt(math::SqrtOp, Operands x, Results y) {
  y[0] = sqrtOf(x[0]);
}
static void inferRsqrt(math::RsqrtOp, Operands x, Results y) {
  y[0] = NumericRange::point(1) / sqrtOf(x[0]);
}
static void inferAbs(math::AbsFOp, Operands x, Results y) {
  y[0] = absOf(x[0]);
}
/// tanh, erf: odd, increasing, in [-1, 1].
template <typename OpTy, double (*Function)(double)>
static void inferOddUnit(OpTy, Operands x, Results y) {
  y[0] = applyOdd(x[0], Function);
  y[0].lo = std::fmax(y[0].lo, -1);
  y[0].hi = std::fmin(y[0].hi, 1);
}
static double tanhOf(double x) { return std::tanh(x); }
static double erfOf(double x) { return std::erf(x); }
template <typename OpTy> static void inferWave(OpTy, Operands x, Results y) {
  y[0] = NumericRange::between(-1, 1);
  y[0].nan = x[0].nan || x[0].hasInf();
}

/// outs + a sum of K products.
template <typename OpTy>
static void inferMatMul(OpTy op, Operands x, Results y) {
  if (op->getNumResults() != 1)
    return;
  // The contracted loop is the last one.
  SmallVector<int64_t> loops =
      cast<linalg::LinalgOp>(op.getOperation()).getStaticLoopRanges();
  if (loops.empty() || ShapedType::isDynamic(loops.back()))
    return;
  y[0] = x[2] + sumOf(x[0] * x[1], loops.back(),
                      getElementTypeOrSelf(op->getResult(0)).isF64());
}

static void inferFill(linalg::FillOp op, Operands x, Results y) {
  if (op->getNumResults() == 1)
    y[0] = x[0];
}

void mpt::registerUpstreamRangeModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, arith::ArithDialect *) {
    attachRange<arith::AddFOp, inferAdd<arith::AddFOp>>(context);
    attachRange<arith::SubFOp, inferSub<arith::SubFOp>>(context);
    attachRange<arith::MulFOp, inferMul<arith::MulFOp>>(context);
    attachRange<arith::DivFOp, inferDiv<arith::DivFOp>>(context);
    attachRange<arith::NegFOp, inferNeg<arith::NegFOp>>(context);
    attachRange<arith::MaximumFOp, inferMax<arith::MaximumFOp>>(context);
    attachRange<arith::MinimumFOp, inferMin<arith::MinimumFOp>>(context);
    attachRange<arith::SelectOp, inferSelect>(context);
    attachRange<arith::ExtFOp, inferSame<arith::ExtFOp>>(context);
    attachRange<arith::TruncFOp, inferSame<arith::TruncFOp>>(context);
    attachRange<arith::SIToFPOp, inferSame<arith::SIToFPOp>>(context);
  });
  registry.addExtension(+[](MLIRContext *context, math::MathDialect *) {
    attachRange<math::ExpOp, inferExp>(context);
    attachRange<math::LogOp, inferLog>(context);
    attachRange<math::SqrtOp, inferSqrt>(context);
    attachRange<math::RsqrtOp, inferRsqrt>(context);
    attachRange<math::AbsFOp, inferAbs>(context);
    attachRange<math::TanhOp, inferOddUnit<math::TanhOp, tanhOf>>(context);
    attachRange<math::ErfOp, inferOddUnit<math::ErfOp, erfOf>>(context);
    attachRange<math::SinOp, inferWave<math::SinOp>>(context);
    attachRange<math::CosOp, inferWave<math::CosOp>>(context);
  });
  registry.addExtension(+[](MLIRContext *context, linalg::LinalgDialect *) {
    attachRange<linalg::MatmulOp, inferMatMul<linalg::MatmulOp>>(context);
    attachRange<linalg::BatchMatmulOp, inferMatMul<linalg::BatchMatmulOp>>(
        context);
    attachRange<linalg::FillOp, inferFill>(context);
  });
  registry.addExtension(+[](MLIRContext *context, tensor::TensorDialect *) {
    attachRange<tensor::CastOp, inferSame<tensor::CastOp>>(context);
    attachRange<tensor::ExpandShapeOp, inferSame<tensor::ExpandShapeOp>>(
        context);
    attachRange<tensor::CollapseShapeOp, inferSame<tensor::CollapseShapeOp>>(
        context);
    attachRange<tensor::ExtractSliceOp, inferSame<tensor::ExtractSliceOp>>(
        context);
  });
}
