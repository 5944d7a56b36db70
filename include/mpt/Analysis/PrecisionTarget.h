//===- PrecisionTarget.h - What a machine gains from 16 bits ----*- C++ -*-===//

#ifndef MPT_ANALYSIS_PRECISIONTARGET_H
#define MPT_ANALYSIS_PRECISIONTARGET_H

#include "mpt/Analysis/PrecisionProblem.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

#include <optional>
#include <string>

namespace mpt {

/// A machine by its roofline: an operation takes the longer of the times for
/// its arithmetic and for its traffic.
struct PrecisionTarget {
  std::string name = "generic";
  /// Bytes per second between memory and the arithmetic units.
  double bandwidth = 1e12;
  /// Floating-point operations per second by the type of the operands.
  double flopsF32 = 2e13, flopsF16 = 2e14, flopsBF16 = 2e14;
  /// Seconds that a cast takes beside its traffic (a kernel launch).
  double castOverhead = 0;
  /// Must contractions be low whatever the model says? Otherwise an assignment
  /// never costs more than all-FP32.
  bool alwaysLow = true;

  double flopsOf(mlir::FloatType type) const;
};

/// The machines known by name: `generic` (accelerator without overheads,
/// contractions always low), `h100`, `a100`, `cpu-avx2` and `cpu-avx512` (16
/// bits are storage only), `cpu-avx512-bf16`. nullopt for another name.
std::optional<PrecisionTarget> findPrecisionTarget(llvm::StringRef name);
/// Their names, comma-separated.
llvm::StringRef listPrecisionTargets();

/// Costs of operations and values on a target, in sixteenths of the time that
/// moving a byte takes.
class PrecisionCosts {
public:
  using Cost = PrecisionProblem::Cost;
  static constexpr int kUnitsPerByte = 16;

  explicit PrecisionCosts(const PrecisionTarget &target) : target(target) {}

  // `times` is how often it happens.

  struct OperationCosts {
    Cost fp32, low;
  };
  /// Running the operation with its flexible operands and results in FP32, and
  /// in the 16-bit type `low`.
  OperationCosts ofOperation(mlir::Operation *op, mlir::FloatType low,
                             double times = 1) const;
  /// A cast of a value of this many elements between FP32 and 16 bits.
  Cost ofCast(int64_t elements, double times = 1) const {
    return ofTraffic(6, elements, true, times);
  }
  /// A cast between two 16-bit types.
  Cost ofConversion(int64_t elements, double times = 1) const {
    return ofTraffic(4, elements, true, times);
  }
  /// Writing FP32 instead of 16 bits.
  Cost ofWidening(int64_t elements, double times = 1) const {
    return ofTraffic(2, elements, false, times);
  }

private:
  Cost ofTraffic(int bytesPerElement, int64_t elements, bool isCast,
                 double times) const;

  PrecisionTarget target;
};

} // namespace mpt

#endif // MPT_ANALYSIS_PRECISIONTARGET_H
