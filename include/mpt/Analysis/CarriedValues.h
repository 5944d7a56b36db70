//===- CarriedValues.h - Values that flow through regions -------*- C++ -*-===//
//
// Control flow with regions (scf.if, scf.for, scf.while and the like) hands
// values into its regions, around loops and out again. What is handed over is
// one tensor with several names, so it has one element type. See
// docs/Rationale/ControlFlow.md.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_ANALYSIS_CARRIEDVALUES_H
#define MPT_ANALYSIS_CARRIEDVALUES_H

#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringRef.h"

namespace mpt {

/// On an operation with regions: an array with the mp.decision of each of its
/// carried chains, in the order of getCarriedChains.
inline constexpr llvm::StringLiteral kCarriedAttrName = "mp.carried";

/// Floating tensors that must have the same element type because control flow
/// hands one over as the other: for scf.for the initial value, the argument of
/// the body, the yielded value and the result.
struct CarriedChain {
  /// Operands of the operation and of the terminators of its regions, read.
  llvm::SmallVector<mlir::OpOperand *, 4> operands;
  /// Results and block arguments that stand for them.
  llvm::SmallVector<mlir::Value, 4> inputs;
};

/// The chains of an operation with RegionBranchOpInterface, in an order that
/// depends on its structure alone, not on element types; none for another
/// operation.
llvm::SmallVector<CarriedChain> getCarriedChains(mlir::Operation *op);

/// Does the operation nothing with floating tensors but carry them?
bool onlyCarriesFloats(mlir::Operation *op);

/// Calls `visit` for every operation of a region and of the regions of control
/// flow inside of it, an operation before what is in its regions; `enter` for
/// every block before its operations. Bodies of other operations (linalg,
/// kernels) belong to their operation and are left out.
void walkControlFlow(mlir::Region &region,
                     llvm::function_ref<void(mlir::Block &)> enter,
                     llvm::function_ref<void(mlir::Operation *)> visit);

/// The operation that gives the value: for an argument of a region, the
/// operation around it. Null for the arguments of a function.
mlir::Operation *getSourceOperation(mlir::Value value);

/// How often the regions of an operation run per run of the operation, where
/// nothing else is known: `kUnknownTrips` for what may be repeated.
inline constexpr double kUnknownTrips = 8;
/// Constant bounds give the number of trips; a region that runs at most once
/// counts half, one that always runs once.
double estimateTrips(mlir::RegionBranchOpInterface op, mlir::Region &region);

/// The decisions about carried values of a function, by use and by value.
class CarriedDecisions {
public:
  explicit CarriedDecisions(mlir::FunctionOpInterface function);

  /// The decision that the use / the value takes part in, or null.
  mp::DecisionAttr lookup(mlir::OpOperand &use) const {
    return byUse.lookup(&use);
  }
  mp::DecisionAttr lookup(mlir::Value value) const {
    return byValue.lookup(value);
  }
  bool empty() const { return byUse.empty(); }

private:
  llvm::DenseMap<mlir::OpOperand *, mp::DecisionAttr> byUse;
  llvm::DenseMap<mlir::Value, mp::DecisionAttr> byValue;
};

/// The decisions in an operation's mp.carried; empty if it has none.
llvm::SmallVector<mp::DecisionAttr> getCarriedDecisions(mlir::Operation *op);

} // namespace mpt

#endif // MPT_ANALYSIS_CARRIEDVALUES_H
