//===- RangeRules.h - What the transfer functions share ---------*- C++ -*-===//

#ifndef MPT_LIB_DIALECT_NN_IR_RANGES_RANGERULES_H
#define MPT_LIB_DIALECT_NN_IR_RANGES_RANGERULES_H

#include "../Common.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Interfaces/ValueRangeOpInterface.h"

namespace mpt::nn {

// Each family attaches its transfer functions; an operation of the dialect
// without one may have any result.
void attachElementwiseRanges(mlir::MLIRContext *context);
void attachBinaryRanges(mlir::MLIRContext *context);
void attachContractionRanges(mlir::MLIRContext *context);
void attachPoolingRanges(mlir::MLIRContext *context);
void attachNormalizationRanges(mlir::MLIRContext *context);
void attachSoftmaxRanges(mlir::MLIRContext *context);
void attachReductionRanges(mlir::MLIRContext *context);
void attachShapeRanges(mlir::MLIRContext *context);
void attachTrainingRanges(mlir::MLIRContext *context);

using Operands = llvm::ArrayRef<NumericRange>;
using Results = llvm::MutableArrayRef<NumericRange>;

inline bool isFloat(mlir::Value value) {
  return llvm::isa<mlir::FloatType>(mlir::getElementTypeOrSelf(value));
}
/// Are sums over the value accumulated in double?
inline bool sumsWide(mlir::Value value) {
  return mlir::getElementTypeOrSelf(value).isF64();
}

/// The product of the extents, or of those of some axes; 2^62 where one is not
/// known.
int64_t countElements(llvm::ArrayRef<int64_t> extents);
int64_t countElements(llvm::ArrayRef<int64_t> shape,
                      llvm::ArrayRef<int64_t> axes);

/// The value without the float-to-float casts on the way.
mlir::Value skipCasts(mlir::Value value);

/// Is `value` the result of `OpTy` over axes of `of`, such that it broadcasts
/// to every element of its own group? The reduction, or null.
template <typename OpTy>
OpTy findReductionOf(mlir::Value value, mlir::Value of);
/// The shape test behind it: `shape` is that of `from` with extent 1 along
/// `axes`, or one element where all axes are reduced.
bool broadcastsBack(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> from,
                    llvm::ArrayRef<int64_t> axes);
/// The value before expansions and reshapes; `shape` becomes the shape it was
/// last reshaped to.
mlir::Value skipViews(mlir::Value value, llvm::ArrayRef<int64_t> &shape);

template <typename OpTy>
OpTy findReductionOf(mlir::Value value, mlir::Value of) {
  llvm::ArrayRef<int64_t> shape;
  value = skipViews(value, shape);
  auto reduction = value.getDefiningOp<OpTy>();
  if (!reduction || skipCasts(reduction.getInput()) != skipCasts(of) ||
      !broadcastsBack(shape, shapeOf(of), reduction.getAxes()))
    return {};
  return reduction;
}

/// A range that an integer result can have: no special values, whole numbers.
inline NumericRange integers(NumericRange range) {
  range.negInf = range.posInf = range.nan = false;
  range.smallest = 1;
  return range.tidy();
}

/// Indices 0 to count - 1.
inline NumericRange indices(int64_t count) {
  return integers(
      NumericRange::between(0, static_cast<double>(count > 0 ? count - 1 : 0)));
}

} // namespace mpt::nn

#endif // MPT_LIB_DIALECT_NN_IR_RANGES_RANGERULES_H
