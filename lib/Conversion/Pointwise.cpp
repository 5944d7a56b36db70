//===- Pointwise.cpp - What a pointwise kernel may hold -------------------===//

#include "mpt/Conversion/Pointwise.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"

using namespace mlir;
using namespace mpt;

bool conversion::isPointwiseOp(Operation *op) {
  return isa<
      // Unary.
      nn::NegOp, nn::AbsOp, nn::SignOp, nn::FloorOp, nn::CeilOp, nn::RoundOp,
      nn::ExpOp, nn::LogOp, nn::SqrtOp, nn::ReciprocalOp, nn::SinOp, nn::CosOp,
      nn::TanOp, nn::AsinOp, nn::AcosOp, nn::AtanOp, nn::SinhOp, nn::CoshOp,
      nn::AsinhOp, nn::AcoshOp, nn::AtanhOp, nn::TanhOp, nn::SigmoidOp,
      nn::ErfOp, nn::ReluOp, nn::SiluOp, nn::SoftplusOp, nn::SoftsignOp,
      nn::MishOp, nn::HardSwishOp, nn::GeluOp, nn::LeakyReluOp, nn::EluOp,
      nn::HardSigmoidOp, nn::ClipOp, nn::NotOp, nn::IsNaNOp, nn::IsInfOp,
      nn::CastOp,
      // Several operands.
      nn::AddOp, nn::SubOp, nn::MulOp, nn::DivOp, nn::PowOp, nn::MinOp,
      nn::MaxOp, nn::ModOp, nn::AndOp, nn::OrOp, nn::XorOp, nn::CompareOp,
      nn::WhereOp, nn::DropoutOp, nn::ExpandOp,
      // Derivatives.
      nn::ReluGradOp, nn::SigmoidGradOp, nn::TanhGradOp, nn::GeluGradOp,
      nn::SiluGradOp, nn::SoftplusGradOp, nn::MishGradOp, nn::HardSwishGradOp,
      nn::LeakyReluGradOp, nn::EluGradOp, nn::HardSigmoidGradOp, nn::ClipGradOp,
      nn::MSELossGradOp, nn::L1LossGradOp, nn::BCEWithLogitsLossGradOp,
      // Training.
      nn::SGDOp, nn::AdamOp, mp::CastOp, mp::LossSeedOp, mp::GradientOp,
      mp::ScaleByOp, mp::UnscaleOp, mp::UpdateOp, mp::UpdateScaleOp>(op);
}

ArrayRef<int64_t> conversion::getIterationShape(nn::KernelOp kernel) {
  return cast<RankedTensorType>(kernel.getResult(0).getType()).getShape();
}
