//===- Common.h - What the op families' verifiers share ---------*- C++ -*-===//

#ifndef MPT_LIB_DIALECT_NN_IR_COMMON_H
#define MPT_LIB_DIALECT_NN_IR_COMMON_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

namespace mpt::nn {

// Every function takes the number of the constraint it checks, as the op's
// description has it.

/// The result has the expected shape, as far as both are static.
llvm::LogicalResult verifyResultShape(mlir::Operation *op,
                                      llvm::StringRef constraint,
                                      llvm::ArrayRef<int64_t> expected,
                                      mlir::Value result);
llvm::LogicalResult verifySameElementType(mlir::Operation *op,
                                          llvm::StringRef constraint,
                                          mlir::ValueRange values);
/// Operands share an element type; the result has it, or f32 where it is 16
/// bits wide.
llvm::LogicalResult verifyContractionTypes(mlir::Operation *op,
                                           llvm::StringRef constraint,
                                           mlir::ValueRange operands,
                                           mlir::Value result);
llvm::LogicalResult verifyWindow(mlir::Operation *op,
                                 llvm::StringRef constraint, size_t spatial,
                                 llvm::ArrayRef<int64_t> strides,
                                 llvm::ArrayRef<int64_t> pads,
                                 llvm::ArrayRef<int64_t> dilations);
llvm::LogicalResult verifyAxis(mlir::Operation *op, llvm::StringRef constraint,
                               int64_t axis, int64_t rank);

inline llvm::ArrayRef<int64_t> shapeOf(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType()).getShape();
}
inline mlir::RankedTensorType tensorOf(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}
/// An attribute during type inference. The generated parser infers types before
/// it has moved the attribute dictionary into the properties. Null if missing.
template <typename AttrT>
AttrT inferenceAttr(AttrT property, mlir::DictionaryAttr attributes,
                    llvm::StringRef name) {
  if (!property && attributes)
    property = attributes.getAs<AttrT>(name);
  return property;
}
/// Equal, or not both known.
inline bool compatible(int64_t a, int64_t b) {
  return a == b || mlir::ShapedType::isDynamic(a) ||
         mlir::ShapedType::isDynamic(b);
}

} // namespace mpt::nn

#endif // MPT_LIB_DIALECT_NN_IR_COMMON_H
