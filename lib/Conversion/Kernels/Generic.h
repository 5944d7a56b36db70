//===- Generic.h - Templates of plain loops ---------------------*- C++ -*-===//
//
// One loop per output element, or per row, for operations without a
// specialized template: all of them on a GPU (a thread per element), and what
// the CPU's templates leave out (f64, unusual shapes). Benefit 0 or 1: anything
// more special goes before.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_LIB_CONVERSION_KERNELS_GENERIC_H
#define MPT_LIB_CONVERSION_KERNELS_GENERIC_H

#include "mpt/Conversion/KernelEmitter.h"

namespace mpt::conversion {

/// The operation of a kernel of one operation, with its tensors.
class OpWriter {
public:
  OpWriter(EmitContext &c, mlir::Operation *op) : c(c), op(op) {}

  EmitContext &c;
  mlir::Operation *op;

  /// The tensor of an operand (an argument of the kernel).
  const KernelTensor &in(mlir::Value operand) const {
    return c.inputs[mlir::cast<mlir::BlockArgument>(operand).getArgNumber()];
  }
  const KernelTensor &in(unsigned number) const {
    return in(op->getOperand(number));
  }
  /// Kernels of one operation yield all its results in order.
  const KernelTensor &out(unsigned number = 0) const {
    return c.outputs[number];
  }

  /// A constant of a tensor's compute type.
  mlir::Value f(const KernelTensor &tensor, double value) {
    return c.constant(getComputeType(tensor.elementType()), value);
  }
};

/// The type sums over a tensor are accumulated in.
inline mlir::Type getAccumulator(const KernelTensor &tensor) {
  return getComputeType(tensor.elementType());
}

using ShapeFn = KernelShape (*)(mlir::Operation *op);
using EmitFn = void (*)(OpWriter &w);

/// An emitter of one operation made of functions.
template <typename OpTy> class GenericEmitter : public KernelEmitter {
public:
  GenericEmitter(ShapeFn shape, EmitFn emitBody)
      : shape(shape), emitBody(emitBody) {}

  llvm::StringRef getName() const override { return OpTy::getOperationName(); }
  bool match(nn::KernelOp kernel, const TargetDescription &) const override {
    return mlir::isa_and_nonnull<OpTy>(getSingleOp(kernel));
  }
  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &) const override {
    return shape(getSingleOp(kernel));
  }
  mlir::LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    OpWriter writer(c, getSingleOp(kernel));
    emitBody(writer);
    return mlir::success();
  }

private:
  ShapeFn shape;
  EmitFn emitBody;
};

template <typename... OpTys>
void addGeneric(KernelRegistry &registry, ShapeFn shape, EmitFn emitBody,
                unsigned benefit = 0) {
  (registry.add(std::make_unique<GenericEmitter<OpTys>>(shape, emitBody),
                benefit),
   ...);
}

inline int64_t getCount(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType()).getNumElements();
}
inline llvm::ArrayRef<int64_t> getShapeOf(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType()).getShape();
}
inline int64_t product(llvm::ArrayRef<int64_t> extents) {
  int64_t result = 1;
  for (int64_t extent : extents)
    result *= extent;
  return result;
}
inline int64_t atLeastOne(int64_t count) { return std::max<int64_t>(1, count); }

/// One work item per element of the first result.
inline KernelShape perElement(mlir::Operation *op) {
  return KernelShape::parallel(atLeastOne(getCount(op->getResult(0))));
}

/// dst[dstOffset + i . dstStrides] = src[srcOffset + i . srcStrides] over a
/// box, bit for bit; this chunk's share.
void emitStridedCopy(EmitContext &c, const KernelTensor &src, int64_t srcOffset,
                     llvm::ArrayRef<int64_t> srcStrides,
                     const KernelTensor &dst, int64_t dstOffset,
                     llvm::ArrayRef<int64_t> dstStrides,
                     llvm::ArrayRef<int64_t> extents);
/// Sets all elements of a tensor.
void emitFill(EmitContext &c, const KernelTensor &tensor, double value);

} // namespace mpt::conversion

#endif // MPT_LIB_CONVERSION_KERNELS_GENERIC_H
