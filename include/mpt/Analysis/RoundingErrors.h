//===- RoundingErrors.h - What 16-bit storage does to the results *- C++
//-*-===//
//
// Estimates the relative error that rounding to 16 bits brings into every value
// of a function, before anything runs: first-order, with independent errors.
// See docs/Rationale/MixedPrecision.md for the model and how near it comes.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_ANALYSIS_ROUNDINGERRORS_H
#define MPT_ANALYSIS_ROUNDINGERRORS_H

#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/DenseMap.h"

namespace mpt {

/// Reads types, mp.decision and the interfaces of operations; a function may
/// hold decisions only, or the casts that carry them out. Linear in its size.
class RoundingErrors {
public:
  explicit RoundingErrors(mlir::FunctionOpInterface function);

  /// Expected |computed - exact| / |exact|, 2-norms over the tensor; 0 for what
  /// is no floating value.
  double lookup(mlir::Value value) const;

  /// The largest of the function's results; in a training step of outputs, loss
  /// and gradients.
  double getExpected() const { return expected; }

  /// Data decide how errors add up: a run may show this many times what is
  /// expected. Over forty networks it showed a tenth to 1.5 of that.
  static constexpr double kMargin = 3;
  double getTolerance() const { return kMargin * expected; }

private:
  /// Mean square of the relative error; `low`: the value is held in 16 bits.
  struct State {
    double variance = 0;
    bool low = false;
  };
  void visit(mlir::Operation *op);
  void visitRegion(mlir::Region &region);
  void visitControlFlow(mlir::RegionBranchOpInterface op);
  double combine(mlir::Operation *op, llvm::ArrayRef<double> variances) const;

  llvm::DenseMap<mlir::Value, State> states;
  double expected = 0;
};

} // namespace mpt

#endif // MPT_ANALYSIS_ROUNDINGERRORS_H
