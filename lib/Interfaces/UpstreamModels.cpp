//===- UpstreamModels.cpp - MPT's interfaces on upstream operations
//--------===//

#include "mpt/Interfaces/UpstreamModels.h"

#include "mpt/Interfaces/LossScaleOpInterface.h"
#include "mpt/Interfaces/PrecisionOpInterface.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mpt;

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

static constexpr char kFollows[] =
    "safe in 16 bits, takes its neighbours' precision";
static constexpr char kMoves[] =
    "moves or compares values without computing new ones";
static constexpr char kContracts[] = "profits from low precision, sums in FP32";
static constexpr char kExponential[] = "exponentials overflow FP16 early";
static constexpr char kLogarithm[] = "log of a value that underflowed is -inf";
static constexpr char kPower[] = "powers overflow and underflow FP16";
static constexpr char kRoot[] = "square roots stand behind sums and small "
                                "epsilons";

namespace {

template <typename Op, PrecisionClass Class, const char *Reason>
struct PrecisionModel
    : PrecisionOpInterface::ExternalModel<PrecisionModel<Op, Class, Reason>,
                                          Op> {
  PrecisionClass getPrecisionClass(Operation *) const { return Class; }
  StringRef getPrecisionReason(Operation *) const { return Reason; }
};

/// Matrix products of linalg: the accumulator (`outs`) and the result are FP32.
template <typename Op>
struct ContractionModel
    : PrecisionOpInterface::ExternalModel<ContractionModel<Op>, Op> {
  PrecisionClass getPrecisionClass(Operation *) const {
    return PrecisionClass::Low;
  }
  StringRef getPrecisionReason(Operation *) const { return kContracts; }
  bool isOperandPinned(Operation *op, unsigned index) const {
    return cast<linalg::LinalgOp>(op).isDpsInit(&op->getOpOperand(index));
  }
  bool isResultPinned(Operation *, unsigned) const { return true; }
  Type getAccumulatorType(Operation *op) const {
    return Float32Type::get(op->getContext());
  }
};

template <typename Op, ScaleBehavior Behavior>
struct ScaleModel
    : LossScaleOpInterface::ExternalModel<ScaleModel<Op, Behavior>, Op> {
  ScaleBehavior getScaleBehavior(Operation *) const { return Behavior; }
};

/// A product where the accumulator starts at zero; otherwise nothing is known.
template <typename Op>
struct ContractionScaleModel
    : LossScaleOpInterface::ExternalModel<ContractionScaleModel<Op>, Op> {
  ScaleBehavior getScaleBehavior(Operation *op) const {
    auto structured = cast<linalg::LinalgOp>(op);
    Value init = structured.getDpsInits().front();
    if (auto fill = init.getDefiningOp<linalg::FillOp>())
      init = fill.getInputs().front();
    return matchPattern(init, m_AnyZeroFloat()) ? ScaleBehavior::Product
                                                : ScaleBehavior::NonLinear;
  }
  bool isScaledOperand(Operation *op, unsigned index) const {
    return !cast<linalg::LinalgOp>(op).isDpsInit(&op->getOpOperand(index));
  }
};

} // namespace

template <typename Op, PrecisionClass Class, const char *Reason,
          ScaleBehavior Behavior = ScaleBehavior::NonLinear>
static void attach(MLIRContext *context) {
  Op::template attachInterface<PrecisionModel<Op, Class, Reason>,
                               ScaleModel<Op, Behavior>>(*context);
}

template <typename Op> static void attachContraction(MLIRContext *context) {
  Op::template attachInterface<ContractionModel<Op>, ContractionScaleModel<Op>>(
      *context);
}

//===----------------------------------------------------------------------===//
// Registration
//===----------------------------------------------------------------------===//

void mpt::registerUpstreamModels(DialectRegistry &registry) {
  registerUpstreamRangeModels(registry);
  constexpr PrecisionClass follow = PrecisionClass::Follow;
  constexpr PrecisionClass moves = PrecisionClass::Transparent;
  constexpr PrecisionClass fp32 = PrecisionClass::FP32;
  constexpr ScaleBehavior homogeneous = ScaleBehavior::Homogeneous;
  registry.addExtension(+[](MLIRContext *context, arith::ArithDialect *) {
    attach<arith::AddFOp, follow, kFollows, homogeneous>(context);
    attach<arith::SubFOp, follow, kFollows, homogeneous>(context);
    attach<arith::MulFOp, follow, kFollows, ScaleBehavior::Product>(context);
    attach<arith::DivFOp, follow, kFollows, ScaleBehavior::Quotient>(context);
    attach<arith::NegFOp, moves, kMoves, homogeneous>(context);
    attach<arith::MaximumFOp, moves, kMoves, homogeneous>(context);
    attach<arith::MinimumFOp, moves, kMoves, homogeneous>(context);
    attach<arith::SelectOp, moves, kMoves, homogeneous>(context);
  });
  registry.addExtension(+[](MLIRContext *context, math::MathDialect *) {
    attach<math::AbsFOp, moves, kMoves, homogeneous>(context);
    attach<math::TanhOp, follow, kFollows>(context);
    attach<math::ErfOp, follow, kFollows>(context);
    attach<math::ExpOp, fp32, kExponential>(context);
    attach<math::LogOp, fp32, kLogarithm>(context);
    attach<math::PowFOp, fp32, kPower>(context);
    attach<math::SqrtOp, fp32, kRoot, ScaleBehavior::SquareRoot>(context);
    attach<math::RsqrtOp, fp32, kRoot>(context);
  });
  registry.addExtension(+[](MLIRContext *context, linalg::LinalgDialect *) {
    attachContraction<linalg::MatmulOp>(context);
    attachContraction<linalg::BatchMatmulOp>(context);
    attachContraction<linalg::MatvecOp>(context);
  });
  registry.addExtension(+[](MLIRContext *context, tensor::TensorDialect *) {
    attach<tensor::ExpandShapeOp, moves, kMoves, homogeneous>(context);
    attach<tensor::CollapseShapeOp, moves, kMoves, homogeneous>(context);
  });
}
