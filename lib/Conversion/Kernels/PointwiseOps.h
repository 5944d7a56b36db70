//===- PointwiseOps.h - One element of a pointwise operation ----*- C++ -*-===//

#ifndef MPT_LIB_CONVERSION_KERNELS_POINTWISEOPS_H
#define MPT_LIB_CONVERSION_KERNELS_POINTWISEOPS_H

#include "mpt/Conversion/KernelEmitter.h"

namespace mpt::conversion {

/// Where an element (or a vector of consecutive ones) lies.
struct PointwiseElement {
  mlir::Value linear; // number of the first element in the iteration space
  int64_t lanes = 0;  // 0: a scalar
};

/// The values of an operation's operands (compute types; scalars or vectors of
/// one length), what emitUniforms made for it, and where they belong.
struct PointwiseOperands {
  llvm::SmallVector<mlir::Value> values;
  llvm::ArrayRef<mlir::Value> uniforms;
  PointwiseElement element;
};

using PointwiseResults = llvm::SmallVector<mlir::Value, 3>;

/// The results of one operation, in the compute types. Fails without a message
/// if the operation is unknown here; isPointwiseOp tells before.
mlir::FailureOr<PointwiseResults>
emitPointwise(EmitContext &c, mlir::Operation *op,
              const PointwiseOperands &operands);

/// Scalars that an operation needs once per kernel (bias corrections of Adam,
/// the reciprocal of the loss scale). `operands` holds the operands that have
/// one element, null for others.
llvm::SmallVector<mlir::Value> emitUniforms(EmitContext &c, mlir::Operation *op,
                                            mlir::ValueRange operands);

/// By family; empty when the operation belongs to another.
PointwiseResults emitUnary(EmitContext &c, mlir::Operation *op,
                           const PointwiseOperands &operands);
PointwiseResults emitActivationGrad(EmitContext &c, mlir::Operation *op,
                                    const PointwiseOperands &operands);
PointwiseResults emitBinary(EmitContext &c, mlir::Operation *op,
                            const PointwiseOperands &operands);
PointwiseResults emitTraining(EmitContext &c, mlir::Operation *op,
                              const PointwiseOperands &operands);

} // namespace mpt::conversion

#endif // MPT_LIB_CONVERSION_KERNELS_POINTWISEOPS_H
