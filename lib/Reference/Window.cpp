//===- Window.cpp - Sliding windows of convolutions and pooling -----------===//

#include "Window.h"

namespace mpt::reference {

static int64_t ceilDivide(int64_t a, int64_t b) {
  return a <= 0 ? -(-a / b) : (a + b - 1) / b;
}

llvm::SmallVector<Tap>
makeTaps(llvm::ArrayRef<int64_t> input, llvm::ArrayRef<int64_t> output,
         llvm::ArrayRef<int64_t> kernel, llvm::ArrayRef<int64_t> strides,
         llvm::ArrayRef<int64_t> pads, llvm::ArrayRef<int64_t> dilations) {
  const llvm::SmallVector<int64_t> inputStrides = rowMajorStrides(input);
  const llvm::SmallVector<int64_t> outputStrides = rowMajorStrides(output);
  llvm::SmallVector<Tap> taps;
  llvm::SmallVector<int64_t> index(kernel.size(), 0);
  for (int64_t number = 0, count = product(kernel); number < count; ++number) {
    Tap tap;
    for (size_t axis = 0; axis < kernel.size(); ++axis) {
      // Output position y reads input position y * stride + shift.
      const int64_t shift = index[axis] * dilations[axis] - pads[axis];
      const int64_t first =
          std::max<int64_t>(0, ceilDivide(-shift, strides[axis]));
      const int64_t end = std::min(
          output[axis], ceilDivide(input[axis] - shift, strides[axis]));
      tap.extents.push_back(std::max<int64_t>(0, end - first));
      tap.input.offset += (first * strides[axis] + shift) * inputStrides[axis];
      tap.input.strides.push_back(strides[axis] * inputStrides[axis]);
      tap.output.offset += first * outputStrides[axis];
      tap.output.strides.push_back(outputStrides[axis]);
    }
    taps.push_back(std::move(tap));
    for (size_t axis = kernel.size(); axis-- > 0;) {
      if (++index[axis] < kernel[axis])
        break;
      index[axis] = 0;
    }
  }
  return taps;
}

} // namespace mpt::reference
