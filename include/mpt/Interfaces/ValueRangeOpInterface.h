//===- ValueRangeOpInterface.h - Ranges of an op's results ------*- C++ -*-===//

#ifndef MPT_INTERFACES_VALUERANGEOPINTERFACE_H
#define MPT_INTERFACES_VALUERANGEOPINTERFACE_H

#include "mlir/IR/OpDefinition.h"
#include "mpt/Interfaces/NumericRange.h"

#include "mpt/Interfaces/ValueRangeOpInterface.h.inc"

namespace mpt {

/// An external model whose transfer function is `Function(op, operands,
/// results)`, so that a family's functions stand in one file without touching
/// the operations' definitions.
template <typename OpTy, void (*Function)(OpTy, llvm::ArrayRef<NumericRange>,
                                          llvm::MutableArrayRef<NumericRange>)>
struct RangeModel
    : ValueRangeOpInterface::ExternalModel<RangeModel<OpTy, Function>, OpTy> {
  void inferRanges(mlir::Operation *op, llvm::ArrayRef<NumericRange> operands,
                   llvm::MutableArrayRef<NumericRange> results) const {
    Function(llvm::cast<OpTy>(op), operands, results);
  }
};

/// Attaches the transfer function of one operation. The dialect is loaded.
template <typename OpTy, void (*Function)(OpTy, llvm::ArrayRef<NumericRange>,
                                          llvm::MutableArrayRef<NumericRange>)>
void attachRange(mlir::MLIRContext *context) {
  OpTy::template attachInterface<RangeModel<OpTy, Function>>(*context);
}

} // namespace mpt

#endif // MPT_INTERFACES_VALUERANGEOPINTERFACE_H
