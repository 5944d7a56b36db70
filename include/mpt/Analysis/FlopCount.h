//===- FlopCount.h - How much arithmetic a step does ------------*- C++ -*-===//

#ifndef MPT_ANALYSIS_FLOPCOUNT_H
#define MPT_ANALYSIS_FLOPCOUNT_H

#include "mlir/Interfaces/FunctionInterfaces.h"

namespace mpt {

/// Floating-point operations of one execution of `op`: 2 per product for matrix
/// products and convolutions; 0 for casts and for what only moves elements
/// (reshape, transpose, slice, gather); for every other operation one per
/// element of its largest operand or result. Extents that are not static count
/// as 1.
int64_t countFlops(mlir::Operation *op);

/// Does the operation multiply matrices or convolve? These are what is not
/// worth doing twice to save memory.
bool isContraction(mlir::Operation *op);

/// The sum over a function, bodies of kernels included.
int64_t countAllFlops(mlir::FunctionOpInterface function);

} // namespace mpt

#endif // MPT_ANALYSIS_FLOPCOUNT_H
