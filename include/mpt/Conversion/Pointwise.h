//===- Pointwise.h - What a pointwise kernel may hold -----------*- C++ -*-===//

#ifndef MPT_CONVERSION_POINTWISE_H
#define MPT_CONVERSION_POINTWISE_H

#include "mpt/Dialect/NN/IR/NNDialect.h"

namespace mpt::conversion {

/// The kind of nn.kernel that the pointwise template lowers.
inline constexpr llvm::StringLiteral kPointwiseKind = "pointwise";

/// Operations that compute element i of their results from elements i of their
/// (broadcast) operands. All results have one shape.
bool isPointwiseOp(mlir::Operation *op);

/// The shape all results in a pointwise kernel have.
llvm::ArrayRef<int64_t> getIterationShape(nn::KernelOp kernel);

} // namespace mpt::conversion

#endif // MPT_CONVERSION_POINTWISE_H
