//===- Gemm.h - Matrix product in double ------------------------*- C++ -*-===//

#ifndef MPT_LIB_REFERENCE_GEMM_H
#define MPT_LIB_REFERENCE_GEMM_H

#include <cstdint>

namespace mpt::reference {

/// Element (r, c) stands at data[r * rowStride + c * columnStride].
struct Matrix {
  const double *data;
  int64_t rowStride, columnStride;

  Matrix transposed() const { return {data, columnStride, rowStride}; }
};

/// c += a * b, with a of m x k, b of k x n and c row-major of m x n. The terms
/// of an element are added in the order of k.
void addProduct(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, double *c);

} // namespace mpt::reference

#endif // MPT_LIB_REFERENCE_GEMM_H
