//===- Window.h - Sliding windows of convolutions and pooling ---*- C++ -*-===//

#ifndef MPT_LIB_REFERENCE_WINDOW_H
#define MPT_LIB_REFERENCE_WINDOW_H

#include "Evaluation.h"

namespace mpt::reference {

/// One element of a window: the output positions at which it lies inside the
/// input form a box, seen in an input plane and in an output plane.
struct Tap {
  llvm::SmallVector<int64_t> extents;
  View input, output;
};

/// The taps of a window, row-major, over spatial extents `input` and `output`.
/// `pads` begins with the begin padding of every axis.
llvm::SmallVector<Tap>
makeTaps(llvm::ArrayRef<int64_t> input, llvm::ArrayRef<int64_t> output,
         llvm::ArrayRef<int64_t> kernel, llvm::ArrayRef<int64_t> strides,
         llvm::ArrayRef<int64_t> pads, llvm::ArrayRef<int64_t> dilations);

/// The spatial extents of a tensor [N, C, X...].
inline llvm::ArrayRef<int64_t> spatial(const Tensor &tensor) {
  return llvm::ArrayRef<int64_t>(tensor.shape).drop_front(2);
}

/// `fn(input offset, output offset)` for every output position of a tap, in
/// planes that begin at the given elements.
template <typename Fn>
void forEachPosition(const Tap &tap, int64_t inputPlane, int64_t outputPlane,
                     Fn &&fn) {
  View input = tap.input, output = tap.output;
  input.offset += inputPlane;
  output.offset += outputPlane;
  forEachElement<2>(tap.extents, {std::move(input), std::move(output)}, fn);
}

} // namespace mpt::reference

#endif // MPT_LIB_REFERENCE_WINDOW_H
