//===- PrecisionTarget.cpp - What a machine gains from 16 bits ------------===//

#include "mpt/Analysis/PrecisionTarget.h"

#include "mpt/Analysis/PrecisionAssignment.h"
#include "mpt/Interfaces/WorkOpInterface.h"

#include <cmath>

using namespace mlir;
using namespace mpt;

double PrecisionTarget::flopsOf(FloatType type) const {
  if (type.isF16())
    return flopsF16;
  return type.isBF16() ? flopsBF16 : flopsF32;
}

std::optional<PrecisionTarget> mpt::findPrecisionTarget(StringRef name) {
  auto make = [&](double bandwidth, double f32, double f16, double bf16,
                  double overhead) {
    PrecisionTarget target;
    target.name = name.str();
    target.bandwidth = bandwidth;
    target.flopsF32 = f32;
    target.flopsF16 = f16;
    target.flopsBF16 = bf16;
    target.castOverhead = overhead;
    target.alwaysLow = false;
    return target;
  };
  if (name == "generic")
    return PrecisionTarget();
  // Data sheets: SXM cards, dense; FP32 without TF32.
  if (name == "h100")
    return make(3.35e12, 6.7e13, 9.9e14, 9.9e14, 2e-6);
  if (name == "a100")
    return make(2.0e12, 1.95e13, 3.12e14, 3.12e14, 2e-6);
  // A core with two FMA units at 3 GHz and its share of the bandwidth. 16 bits
  // are converted on the way into packing, which costs a tenth of the rate.
  if (name == "cpu-avx2")
    return make(8e9, 9.6e10, 8.6e10, 8.6e10, 0);
  if (name == "cpu-avx512")
    return make(8e9, 1.92e11, 1.72e11, 1.72e11, 0);
  if (name == "cpu-avx512-bf16")
    return make(8e9, 1.92e11, 1.72e11, 3.84e11, 0);
  return std::nullopt;
}

StringRef mpt::listPrecisionTargets() {
  return "generic, h100, a100, cpu-avx2, cpu-avx512, cpu-avx512-bf16";
}

/// Bounded, so that a million operations cannot overflow a sum.
static PrecisionCosts::Cost toUnits(double bytes) {
  double units = bytes * PrecisionCosts::kUnitsPerByte;
  return std::llround(std::min(units, 0x1p38));
}

PrecisionCosts::Cost PrecisionCosts::ofTraffic(int bytesPerElement,
                                               int64_t elements, bool isCast,
                                               double times) const {
  double bytes = static_cast<double>(bytesPerElement) * elements;
  double overhead = isCast ? target.castOverhead * target.bandwidth : 0;
  return toUnits((bytes + overhead) * times);
}

PrecisionCosts::OperationCosts
PrecisionCosts::ofOperation(Operation *op, FloatType low, double times) const {
  auto work = dyn_cast<WorkOpInterface>(op);
  // Elements whose type follows the operation's, and bytes that stay.
  double elements = 0, bytes = 0, results = 0;
  auto add = [&](Type type, int64_t count, bool flexible) {
    Type element = getElementTypeOrSelf(type);
    if (flexible && element.isF32())
      elements += count;
    else if (element.isIntOrFloat())
      bytes += static_cast<double>(count) *
               ((element.getIntOrFloatBitWidth() + 7) / 8);
  };
  for (OpOperand &operand : op->getOpOperands()) {
    Type type = operand.get().getType();
    add(type,
        work ? work.getElementsRead(operand.getOperandNumber())
             : countElements(type),
        isFlexibleOperand(operand));
  }
  for (OpResult result : op->getResults()) {
    int64_t count = countElements(result.getType());
    results += count;
    add(result.getType(), count, isFlexibleResult(result));
  }
  const double flops = work ? work.getFlops() : results;
  auto cost = [&](int bytesPerElement, double flopsPerSecond) {
    // In bytes that could have been moved meanwhile.
    double arithmetic = flops / flopsPerSecond * target.bandwidth;
    return toUnits(std::max(bytes + bytesPerElement * elements, arithmetic) *
                   times);
  };
  return {cost(4, target.flopsF32), cost(2, target.flopsOf(low))};
}
