//===- TosaModels.cpp - Models of TOSA ------------------------------------===//

#include "UpstreamModels.h"

#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::upstream;

static constexpr char kTypedBounds[] =
    "its bounds are attributes of the element type";

namespace {
/// Products and convolutions: TOSA's FP16 forms accumulate in FP32 (`acc_type`;
/// a matrix product may give its FP32 sums as they are).
template <typename Op>
struct ContractionModel
    : PrecisionOpInterface::ExternalModel<ContractionModel<Op>, Op> {
  PrecisionClass getPrecisionClass(Operation *) const {
    return PrecisionClass::Low;
  }
  StringRef getPrecisionReason(Operation *) const { return kContracts; }
  Type getAccumulatorType(Operation *op) const {
    return Float32Type::get(op->getContext());
  }
};

/// A bias is added to the product: the two have one power only where it is
/// zero.
template <typename Op>
struct ContractionScaleModel
    : LossScaleOpInterface::ExternalModel<ContractionScaleModel<Op>, Op> {
  ScaleBehavior getScaleBehavior(Operation *op) const {
    if constexpr (!std::is_same_v<Op, tosa::MatMulOp>)
      if (!matchPattern(cast<Op>(op).getBias(), m_AnyZeroFloat()))
        return ScaleBehavior::NonLinear;
    return ScaleBehavior::Product;
  }
};

/// clamp holds its bounds in attributes whose type is the element type.
template <typename Op>
struct TypedModel : PrecisionOpInterface::ExternalModel<TypedModel<Op>, Op> {
  PrecisionClass getPrecisionClass(Operation *) const {
    return PrecisionClass::FP32;
  }
  StringRef getPrecisionReason(Operation *) const { return kTypedBounds; }
  PrecisionReasonKind getPrecisionReasonKind(Operation *) const {
    return PrecisionReasonKind::NoKernel;
  }
};

template <typename... Ops> void attachContractions(MLIRContext *context) {
  (Ops::template attachInterface<ContractionModel<Ops>,
                                 ContractionScaleModel<Ops>>(*context),
   ...);
}

template <PrecisionClass Class, const char *Reason, ScaleBehavior Behavior,
          typename... Ops>
void attachAll(MLIRContext *context) {
  (attach<Ops, Class, Reason, Behavior>(context), ...);
}
} // namespace

void upstream::registerTosaModels(DialectRegistry &registry) {
  using namespace tosa;
  constexpr PrecisionClass follow = PrecisionClass::Follow;
  constexpr PrecisionClass moves = PrecisionClass::Transparent;
  constexpr PrecisionClass fp32 = PrecisionClass::FP32;
  constexpr ScaleBehavior homogeneous = ScaleBehavior::Homogeneous;
  constexpr ScaleBehavior nonLinear = ScaleBehavior::NonLinear;
  registry.addExtension(+[](MLIRContext *context, TosaDialect *) {
    attachContractions<MatMulOp, Conv2DOp, Conv3DOp, DepthwiseConv2DOp,
                       TransposeConv2DOp>(context);
    attachAll<follow, kFollows, homogeneous, AddOp, SubOp, AvgPool2dOp>(
        context);
    attachAll<follow, kFollows, ScaleBehavior::Product, MulOp>(context);
    attachAll<follow, kFollows, nonLinear, SigmoidOp, TanhOp, ErfOp, SinOp,
              CosOp>(context);
    attachAll<moves, kMoves, homogeneous, NegateOp, AbsOp, ReshapeOp,
              TransposeOp, SliceOp, ConcatOp, ReverseOp, TileOp, GatherOp,
              IdentityOp, SelectOp, MaximumOp, MinimumOp, MaxPool2dOp,
              ReduceMaxOp, ReduceMinOp>(context);
    attachAll<moves, kMoves, nonLinear, PadOp, CeilOp, FloorOp>(context);
    attachAll<fp32, kSums, homogeneous, ReduceSumOp>(context);
    attachAll<fp32, kPower, nonLinear, PowOp, ReduceProductOp>(context);
    attachAll<fp32, kExponential, nonLinear, ExpOp>(context);
    attachAll<fp32, kLogarithm, nonLinear, LogOp>(context);
    attachAll<fp32, kRoot, nonLinear, RsqrtOp>(context);
    attachAll<fp32, kReciprocal, nonLinear, ReciprocalOp>(context);
    ClampOp::attachInterface<TypedModel<ClampOp>>(*context);
  });
}
