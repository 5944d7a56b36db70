//===- LossScalePowers.h - Which power of the loss scale a value carries --===//
//
// Every floating value of a training step is S^k times what it would be
// without loss scaling. This analysis infers k forwards through a function,
// from LossScaleOpInterface; it knows no network operation.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_ANALYSIS_LOSSSCALEPOWERS_H
#define MPT_ANALYSIS_LOSSSCALEPOWERS_H

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/DenseMap.h"

#include <optional>

namespace mpt {

/// The power of the loss scale a value carries. A zero carries every power, and
/// so does a value behind an error that has been reported.
class ScalePower {
public:
  static ScalePower any() { return ScalePower(); }
  static ScalePower of(int64_t exponent) { return ScalePower(exponent); }
  bool isAny() const { return !exponent; }
  /// May the value be used where power `other` is needed?
  bool fits(int64_t other) const { return !exponent || *exponent == other; }
  /// Requires !isAny().
  int64_t get() const { return *exponent; }

private:
  ScalePower() = default;
  explicit ScalePower(int64_t exponent) : exponent(exponent) {}
  std::optional<int64_t> exponent;
};

class LossScalePowers {
public:
  explicit LossScalePowers(mlir::FunctionOpInterface function)
      : function(function) {}

  /// Infers the power of every value, in one pass over the function. Reports
  /// every operation whose operands fit no rule (at most `maxErrors`), with
  /// notes that show where the powers came from; fails if there was one.
  mlir::LogicalResult run(unsigned maxErrors = 10);

  ScalePower lookup(mlir::Value value) const;

  /// Appends to `diagnostic` where the power of `value` came from.
  void explain(mlir::InFlightDiagnostic &diagnostic, mlir::Value value) const;

private:
  /// The first operand that carries a power other than 0, or null.
  mlir::Value findCarrier(mlir::Operation *op) const;
  mlir::LogicalResult visit(mlir::Operation *op);
  mlir::FailureOr<ScalePower> transfer(mlir::Operation *op);
  mlir::InFlightDiagnostic report(mlir::Operation *op, mlir::ValueRange blamed,
                                  const llvm::Twine &message);

  mlir::FunctionOpInterface function;
  llvm::DenseMap<mlir::Value, ScalePower> powers;
};

/// The argument of role loss_scale that holds the scale itself; null when the
/// function has none.
mlir::Value getLossScaleArgument(mlir::FunctionOpInterface function);

} // namespace mpt

#endif // MPT_ANALYSIS_LOSSSCALEPOWERS_H
