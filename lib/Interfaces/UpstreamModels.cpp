//===- UpstreamModels.cpp - Models of arith, math and tensor --------------===//

#include "mpt/Interfaces/UpstreamModels.h"

#include "UpstreamModels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::upstream;

static constexpr PrecisionClass kFollow = PrecisionClass::Follow;
static constexpr PrecisionClass kTransparent = PrecisionClass::Transparent;
static constexpr PrecisionClass kFP32 = PrecisionClass::FP32;
static constexpr ScaleBehavior kHomogeneous = ScaleBehavior::Homogeneous;

void upstream::registerElementwiseModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, arith::ArithDialect *) {
    attach<arith::AddFOp, kFollow, kFollows, kHomogeneous>(context);
    attach<arith::SubFOp, kFollow, kFollows, kHomogeneous>(context);
    attach<arith::MulFOp, kFollow, kFollows, ScaleBehavior::Product>(context);
    attach<arith::DivFOp, kFollow, kFollows, ScaleBehavior::Quotient>(context);
    attach<arith::NegFOp, kTransparent, kMoves, kHomogeneous>(context);
    attach<arith::MaximumFOp, kTransparent, kMoves, kHomogeneous>(context);
    attach<arith::MinimumFOp, kTransparent, kMoves, kHomogeneous>(context);
    attach<arith::MaxNumFOp, kTransparent, kMoves, kHomogeneous>(context);
    attach<arith::MinNumFOp, kTransparent, kMoves, kHomogeneous>(context);
    attach<arith::SelectOp, kTransparent, kMoves, kHomogeneous>(context);
  });
  registry.addExtension(+[](MLIRContext *context, math::MathDialect *) {
    attach<math::AbsFOp, kTransparent, kMoves, kHomogeneous>(context);
    attach<math::CeilOp, kTransparent, kMoves>(context);
    attach<math::FloorOp, kTransparent, kMoves>(context);
    attach<math::TanhOp, kFollow, kFollows>(context);
    attach<math::ErfOp, kFollow, kFollows>(context);
    attach<math::SinOp, kFollow, kFollows>(context);
    attach<math::CosOp, kFollow, kFollows>(context);
    attach<math::ExpOp, kFP32, kExponential>(context);
    attach<math::Exp2Op, kFP32, kExponential>(context);
    attach<math::ExpM1Op, kFP32, kExponential>(context);
    attach<math::LogOp, kFP32, kLogarithm>(context);
    attach<math::Log2Op, kFP32, kLogarithm>(context);
    attach<math::Log1pOp, kFP32, kLogarithm>(context);
    attach<math::PowFOp, kFP32, kPower>(context);
    attach<math::SqrtOp, kFP32, kRoot, ScaleBehavior::SquareRoot>(context);
    attach<math::RsqrtOp, kFP32, kRoot>(context);
  });
  registry.addExtension(+[](MLIRContext *context, tensor::TensorDialect *) {
    attach<tensor::EmptyOp, kTransparent, kMoves, kHomogeneous>(context);
    attach<tensor::ExpandShapeOp, kTransparent, kMoves, kHomogeneous>(context);
    attach<tensor::CollapseShapeOp, kTransparent, kMoves, kHomogeneous>(
        context);
    attach<tensor::ExtractSliceOp, kTransparent, kMoves, kHomogeneous>(context);
    attach<tensor::InsertSliceOp, kTransparent, kMoves, kHomogeneous>(context);
    attach<tensor::ConcatOp, kTransparent, kMoves, kHomogeneous>(context);
  });
}

void mpt::registerUpstreamModels(DialectRegistry &registry) {
  registerElementwiseModels(registry);
  registerLinalgModels(registry);
  registerTosaModels(registry);
  registerUpstreamRangeModels(registry);
}
