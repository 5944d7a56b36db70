//===- PlainWindow.h - Sliding windows, a position at a time ----*- C++ -*-===//

#ifndef MPT_LIB_CONVERSION_KERNELS_PLAINWINDOW_H
#define MPT_LIB_CONVERSION_KERNELS_PLAINWINDOW_H

#include "mpt/Conversion/KernelEmitter.h"

namespace mpt::conversion {

/// A window that slides over the spatial axes of x and gives those of y:
/// output position o and tap k meet input position
/// o * stride + k * dilation - pad.
struct PlainWindow {
  llvm::SmallVector<int64_t> x, y, kernel; // extents
  llvm::SmallVector<int64_t> strides, pads, dilations;
  int64_t inputPlane = 1, outputPlane = 1, taps = 1;

  /// Of shapes [N, C, X...] and [N, F, Y...].
  template <typename OpTy>
  PlainWindow(OpTy op, llvm::ArrayRef<int64_t> xShape,
              llvm::ArrayRef<int64_t> yShape,
              llvm::ArrayRef<int64_t> kernelExtents)
      : x(xShape.drop_front(2)), y(yShape.drop_front(2)), kernel(kernelExtents),
        strides(op.getStrides()), pads(op.getPads()),
        dilations(op.getDilations()) {
    for (int64_t extent : x)
      inputPlane *= extent;
    for (int64_t extent : y)
      outputPlane *= extent;
    for (int64_t extent : kernel)
      taps *= extent;
  }

  /// The element of the input's plane that tap `k` meets at output position
  /// `at`, and whether it lies inside (null: always).
  std::pair<mlir::Value, mlir::Value> getInputElement(EmitContext &c,
                                                      mlir::ValueRange at,
                                                      mlir::ValueRange k) const;
  /// The element of the output's plane at which tap `k` meets input position
  /// `at`, and whether there is one (null: always).
  std::pair<mlir::Value, mlir::Value>
  getOutputElement(EmitContext &c, mlir::ValueRange at,
                   mlir::ValueRange k) const;
};

/// then(), or the values `otherwise` where `inside` does not hold.
llvm::SmallVector<mlir::Value>
emitWhere(EmitContext &c, mlir::Value inside, mlir::ValueRange otherwise,
          llvm::function_ref<llvm::SmallVector<mlir::Value>()> then);

} // namespace mpt::conversion

#endif // MPT_LIB_CONVERSION_KERNELS_PLAINWINDOW_H
