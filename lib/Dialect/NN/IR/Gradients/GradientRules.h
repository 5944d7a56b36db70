//===- GradientRules.h - What the derivative rules share --------*- C++ -*-===//

#ifndef MPT_LIB_DIALECT_NN_IR_GRADIENTS_GRADIENTRULES_H
#define MPT_LIB_DIALECT_NN_IR_GRADIENTS_GRADIENTRULES_H

#include "../Common.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

namespace mpt::nn {

/// `value` with the element type of `like`: an f32 gradient of a widened result
/// goes on in the operands' type.
inline mlir::Value castLike(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::Value value, mlir::Value like) {
  mlir::Type element = mlir::getElementTypeOrSelf(like);
  if (mlir::getElementTypeOrSelf(value) == element)
    return value;
  auto type = mlir::RankedTensorType::get(shapeOf(value), element);
  return CastOp::create(builder, loc, type, value);
}

/// The scalar constant `value` in the element type of `like`.
inline mlir::Value scalarLike(mlir::OpBuilder &builder, mlir::Location loc,
                              mlir::Value like, double value) {
  return createScalar(builder, loc, like.getType(), value);
}

/// Reports that a part of an operation has no derivative; `remedy` is what the
/// user can do.
inline llvm::LogicalResult missingDerivative(mlir::Operation *op,
                                             llvm::StringRef part,
                                             llvm::StringRef remedy) {
  return op->emitOpError() << "has no derivative for " << part << "; "
                           << remedy;
}

} // namespace mpt::nn

#endif // MPT_LIB_DIALECT_NN_IR_GRADIENTS_GRADIENTRULES_H
