//===- NNDialect.h - The network dialect ------------------------*- C++ -*-===//

#ifndef MPT_DIALECT_NN_IR_NNDIALECT_H
#define MPT_DIALECT_NN_IR_NNDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mpt/Interfaces/DifferentiableOpInterface.h"
#include "mpt/Interfaces/LossScaleOpInterface.h"
#include "mpt/Interfaces/PrecisionOpInterface.h"

#include "mpt/Dialect/NN/IR/NNDialect.h.inc"
#include "mpt/Dialect/NN/IR/NNEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "mpt/Dialect/NN/IR/NNAttributes.h.inc"
#define GET_TYPEDEF_CLASSES
#include "mpt/Dialect/NN/IR/NNTypes.h.inc"
#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNElementwiseOps.h.inc"
#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNContractionOps.h.inc"
#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNPoolingOps.h.inc"
#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNNormalizationOps.h.inc"
#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNReductionOps.h.inc"
#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNShapeOps.h.inc"
#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNTrainingOps.h.inc"
#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNStructureOps.h.inc"

namespace mpt::nn {

/// A splat constant of `type` (a float, integer or bool tensor) with the given
/// value.
mlir::Value createSplat(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::RankedTensorType type, double value);

/// A scalar constant with the element type of `like` (a tensor or a type).
mlir::Value createScalar(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Type like, double value);

/// The element type sums over `type` are accumulated in: f64 for f64, f32 for
/// other floats, the type itself for integers.
mlir::Type getAccumulatorElementType(mlir::Type type);

/// NumPy broadcasting of shapes; nullopt when they do not broadcast. A dynamic
/// extent against a static one other than 1 gives the static one.
std::optional<llvm::SmallVector<int64_t>>
broadcastShapes(llvm::ArrayRef<llvm::ArrayRef<int64_t>> shapes);

/// Extent of a convolution's or pooling's result along one axis (rounding
/// down).
int64_t getWindowedExtent(int64_t input, int64_t kernel, int64_t stride,
                          int64_t padBegin, int64_t padEnd, int64_t dilation);

/// `shape` without `axes` (ascending), or with extent 1 there when `keepdims`.
llvm::SmallVector<int64_t> getReducedShape(llvm::ArrayRef<int64_t> shape,
                                           llvm::ArrayRef<int64_t> axes,
                                           bool keepdims);

} // namespace mpt::nn

#endif // MPT_DIALECT_NN_IR_NNDIALECT_H
