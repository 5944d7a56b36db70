//===- Scaling.cpp - Operations of the mp dialect -------------------------===//

#include "Evaluation.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"

#include <cmath>

using namespace mlir;

namespace mpt::reference {

/// The caller rounds to the result's element type, which is all a cast does.
template <typename OpTy> static void evaluateIdentity(OpTy, Evaluation &e) {
  e.result().floats = e.operand(0).floats;
}

static void evaluateLossSeed(mp::LossSeedOp, Evaluation &e) {
  for (double &value : e.result().floats)
    value = 1;
}

static void multiply(Evaluation &e, double factor) {
  const std::vector<double> &x = e.operand(0).floats;
  for (size_t i = 0; i < x.size(); ++i)
    e.result().floats[i] = x[i] * factor;
}

static void evaluateScale(mp::ScaleByOp, Evaluation &e) {
  multiply(e, e.operand(1).floats[0]);
}

static void evaluateUnscale(mp::UnscaleOp, Evaluation &e) {
  double factor = 1 / e.operand(1).floats[0];
  if (!e.options.f64)
    factor = roundToType(factor, cast<FloatType>(e.operand(1).elementType));
  multiply(e, factor);
}

static void evaluateAllFinite(mp::AllFiniteOp, Evaluation &e) {
  int64_t first = -1;
  for (size_t i = 0; i < e.operands.size() && first < 0; ++i)
    for (double value : e.operands[i]->floats)
      if (!std::isfinite(value)) {
        first = static_cast<int64_t>(i);
        break;
      }
  e.result(0).ints[0] = first < 0;
  e.result(1).ints[0] = first;
}

static void evaluateUpdate(mp::UpdateOp, Evaluation &e) {
  const Tensor *finite = e.optionalOperand(2);
  e.result() = e.operand(!finite || finite->ints[0] ? 1 : 0);
}

static void evaluateUpdateScale(mp::UpdateScaleOp op, Evaluation &e) {
  double scale = e.operand(0).floats[0];
  int64_t counter = e.operand(1).ints[0];
  int64_t budget = e.operand(2).ints[0];
  if (e.operand(3).ints[0]) {
    if (++counter >= static_cast<int64_t>(op.getGrowthInterval())) {
      scale = std::fmin(scale * op.getGrowth().convertToDouble(),
                        op.getMaximum().convertToDouble());
      counter = 0;
      budget = static_cast<int64_t>(op.getHysteresis());
    }
  } else {
    counter = 0;
    budget = std::max<int64_t>(budget - 1, 0);
    if (budget == 0)
      scale = std::fmax(scale * op.getBackoff().convertToDouble(),
                        op.getMinimum().convertToDouble());
  }
  e.result(0).floats[0] = scale;
  e.result(1).ints[0] = counter;
  e.result(2).ints[0] = budget;
}

void addScalingEvaluations(Registry &registry) {
  registry.add<mp::CastOp>(evaluateIdentity<mp::CastOp>);
  registry.add<mp::GradientOp>(evaluateIdentity<mp::GradientOp>);
  registry.add<mp::LossSeedOp>(evaluateLossSeed);
  registry.add<mp::ScaleByOp>(evaluateScale);
  registry.add<mp::UnscaleOp>(evaluateUnscale);
  registry.add<mp::AllFiniteOp>(evaluateAllFinite);
  registry.add<mp::UpdateOp>(evaluateUpdate);
  registry.add<mp::UpdateScaleOp>(evaluateUpdateScale);
}

} // namespace mpt::reference
