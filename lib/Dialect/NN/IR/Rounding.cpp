//===- Rounding.cpp - Operations that enlarge rounding errors -------------===//

#include "Rounding.h"

#include "Common.h"
#include "mpt/Interfaces/RoundingOpInterface.h"

#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

/// Does the value, or what its weighted sums are taken of, come from a relu or
/// its like, so that its mean is not zero?
static bool isBehindRelu(Value value) {
  // What stands between them in networks: a convolution, pools, gates, the
  // shuffling of channels, casts.
  constexpr int kFarthest = 10;
  for (int step = 0; step < kFarthest; ++step) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return false;
    if (auto clip = dyn_cast<ClipOp>(op))
      return clip.getMin().convertToDouble() >= 0;
    if (isa<ReluOp, LeakyReluOp, SiluOp, GeluOp, MishOp, HardSwishOp,
            SigmoidOp>(op))
      return true;
    auto scale = dyn_cast<LossScaleOpInterface>(op);
    const bool moves = scale && op->getNumOperands() == 1 &&
                       scale.getScaleBehavior() == ScaleBehavior::Homogeneous;
    const bool passes =
        moves || isa<ConvOp, MatMulOp, MulOp, ConcatOp, DropoutOp>(op);
    if (!passes)
      return false;
    // Of a concatenation the branch that was computed last.
    value = op->getOperand(isa<ConcatOp>(op) ? op->getNumOperands() - 1 : 0);
  }
  return false;
}

namespace {
/// A batch norm takes the mean of a channel away, and leaves the errors of what
/// it was taken from. Behind a relu normal values are half-normal, and so are,
/// to the batch norm, weighted sums of them: E[x^2] / Var[x] is 1/2 over
/// 1/2 - 1/(2 pi).
template <typename Op>
struct BatchNormRounding
    : RoundingOpInterface::ExternalModel<BatchNormRounding<Op>, Op> {
  double getErrorAmplification(Operation *op, unsigned index) const {
    constexpr double kPi = 3.14159265358979323846;
    return index == 0 && isBehindRelu(op->getOperand(0))
               ? std::sqrt(kPi / (kPi - 1)) // 1.21
               : 1;
  }
};

/// A function f of one variable, for a standard normal x: the root of
/// E[(x f'(x))^2] / E[f(x)^2], integrated numerically, in thousandths.
template <typename Op, int thousandths>
struct UnaryRounding
    : RoundingOpInterface::ExternalModel<UnaryRounding<Op, thousandths>, Op> {
  double getErrorAmplification(Operation *, unsigned) const {
    return thousandths / 1000.0;
  }
};

/// x^y multiplies relative errors by y, where that is known.
struct PowRounding : RoundingOpInterface::ExternalModel<PowRounding, PowOp> {
  double getErrorAmplification(Operation *op, unsigned index) const {
    DenseFPElementsAttr exponent;
    if (index == 0 &&
        matchPattern(cast<PowOp>(op).getRhs(), m_Constant(&exponent)) &&
        exponent.isSplat())
      return std::fabs(exponent.getSplatValue<APFloat>().convertToDouble());
    return 1;
  }
};
} // namespace

template <typename Op, int thousandths>
static void attachUnary(MLIRContext &context) {
  Op::template attachInterface<UnaryRounding<Op, thousandths>>(context);
}

void mpt::nn::attachRoundingModels(MLIRContext &context) {
  BatchNormInferenceOp::attachInterface<
      BatchNormRounding<BatchNormInferenceOp>>(context);
  BatchNormTrainingOp::attachInterface<BatchNormRounding<BatchNormTrainingOp>>(
      context);
  PowOp::attachInterface<PowRounding>(context);
  // Saturating functions forget errors, the exponential multiplies them.
  attachUnary<AtanOp, 588>(context);
  attachUnary<ErfOp, 495>(context);
  attachUnary<ExpOp, 2236>(context);
  attachUnary<GeluOp, 1166>(context);
  attachUnary<HardSigmoidOp, 312>(context);
  attachUnary<MishOp, 1110>(context);
  attachUnary<SigmoidOp, 284>(context);
  attachUnary<SiluOp, 1206>(context);
  attachUnary<SoftplusOp, 621>(context);
  attachUnary<SoftsignOp, 494>(context);
  attachUnary<TanhOp, 523>(context);
}
