//===- Windows.h - Attributes of convolutions and pooling -------*- C++ -*-===//

#ifndef MPT_LIB_IMPORT_ONNX_WINDOWS_H
#define MPT_LIB_IMPORT_ONNX_WINDOWS_H

#include "Node.h"

namespace mpt::importer {

/// What ONNX's kernel_shape, strides, dilations, pads, auto_pad and ceil_mode
/// mean for a given input.
struct Window {
  Shape kernel, strides, dilations;
  Shape pads;   // begin of every spatial axis, then the ends
  Shape pooled; // extents of the result
};

/// Reads the attributes for an input with the given spatial extents. `kernel`
/// is the filter's, or empty for pooling. Nothing, with Node::fail called, when
/// they do not make sense.
std::optional<Window> readWindow(Node &node, llvm::ArrayRef<int64_t> spatial,
                                 llvm::ArrayRef<int64_t> kernel);

} // namespace mpt::importer

#endif // MPT_LIB_IMPORT_ONNX_WINDOWS_H
