//===- Gemm.cpp - Matrix product in double --------------------------------===//
//
// Packs both operands into panels of kRows rows and kColumns columns and keeps
// one tile of the result in registers.
//
//===----------------------------------------------------------------------===//

#include "Gemm.h"

#include <algorithm>
#include <vector>

// No FMA variant: the oracle gives the same bits on every machine.
#if defined(__x86_64__) && !__has_feature(address_sanitizer)
#define MPT_VECTOR_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define MPT_VECTOR_CLONES
#endif

namespace mpt::reference {

static constexpr int64_t kRows = 4;
static constexpr int64_t kColumns = 8;

/// tile += sum over k of a[k][0..kRows) * b[k][0..kColumns).
MPT_VECTOR_CLONES
static void multiplyPanels(int64_t k, const double *__restrict a,
                           const double *__restrict b,
                           double *__restrict tile) {
  double sum[kRows][kColumns] = {};
  for (int64_t i = 0; i < k; ++i, a += kRows, b += kColumns)
    for (int64_t r = 0; r < kRows; ++r)
      for (int64_t c = 0; c < kColumns; ++c)
        sum[r][c] += a[r] * b[c];
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t c = 0; c < kColumns; ++c)
      tile[r * kColumns + c] = sum[r][c];
}

void addProduct(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b,
                double *c) {
  const int64_t rowPanels = (m + kRows - 1) / kRows;
  std::vector<double> packedA(rowPanels * k * kRows, 0.0);
  for (int64_t r = 0; r < m; ++r) {
    double *panel = packedA.data() + (r / kRows) * k * kRows + r % kRows;
    const double *row = a.data + r * a.rowStride;
    for (int64_t i = 0; i < k; ++i)
      panel[i * kRows] = row[i * a.columnStride];
  }
  std::vector<double> packedB(k * kColumns);
  double tile[kRows * kColumns];
  for (int64_t column = 0; column < n; column += kColumns) {
    const int64_t width = std::min(kColumns, n - column);
    if (width < kColumns)
      std::fill(packedB.begin(), packedB.end(), 0.0);
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < width; ++j)
        packedB[i * kColumns + j] =
            b.data[i * b.rowStride + (column + j) * b.columnStride];
    for (int64_t row = 0; row < m; row += kRows) {
      multiplyPanels(k, packedA.data() + row * k, packedB.data(), tile);
      for (int64_t r = 0; r < std::min(kRows, m - row); ++r)
        for (int64_t j = 0; j < width; ++j)
          c[(row + r) * n + column + j] += tile[r * kColumns + j];
    }
  }
}

} // namespace mpt::reference
