//===- Strided.cpp - Views of tensors -------------------------------------===//

#include "Evaluation.h"

namespace mpt::reference {

llvm::SmallVector<int64_t> rowMajorStrides(llvm::ArrayRef<int64_t> shape) {
  llvm::SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t axis = static_cast<int64_t>(shape.size()) - 2; axis >= 0; --axis)
    strides[axis] = strides[axis + 1] * shape[axis + 1];
  return strides;
}

View contiguous(llvm::ArrayRef<int64_t> shape) {
  return {0, rowMajorStrides(shape)};
}

View broadcast(llvm::ArrayRef<int64_t> from, llvm::ArrayRef<int64_t> to) {
  View view{0, llvm::SmallVector<int64_t>(to.size(), 0)};
  const size_t added = to.size() - from.size();
  llvm::SmallVector<int64_t> strides = rowMajorStrides(from);
  for (size_t axis = 0; axis < from.size(); ++axis)
    if (from[axis] != 1)
      view.strides[added + axis] = strides[axis];
  return view;
}

int64_t product(llvm::ArrayRef<int64_t> extents) {
  int64_t result = 1;
  for (int64_t extent : extents)
    result *= extent;
  return result;
}

AxisSplit splitAtAxis(llvm::ArrayRef<int64_t> shape, int64_t axis) {
  return {product(shape.take_front(axis)), shape[axis],
          product(shape.drop_front(axis + 1))};
}

void copyBox(llvm::ArrayRef<int64_t> shape, const Tensor &source,
             const View &sourceView, Tensor &target, const View &targetView) {
  auto copy = [&](const auto *from, auto *to) {
    forEachElement<2>(shape, {sourceView, targetView},
                      [&](int64_t i, int64_t o) { to[o] = from[i]; });
  };
  if (source.isFloat())
    copy(source.floats.data(), target.floats.data());
  else
    copy(source.ints.data(), target.ints.data());
}

} // namespace mpt::reference
