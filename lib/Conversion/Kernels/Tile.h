//===- Tile.h - Register tiles of contractions ------------------*- C++ -*-===//
//
// What matrix products and convolutions share: a register tile of `rows` x
// `vectors` accumulators that is updated by outer products, the choice of its
// shape, and copies between tensors and FP32 scratch.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_LIB_CONVERSION_KERNELS_TILE_H
#define MPT_LIB_CONVERSION_KERNELS_TILE_H

#include "mpt/Conversion/KernelEmitter.h"

namespace mpt::conversion {

inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t roundUp(int64_t a, int64_t b) { return ceilDiv(a, b) * b; }

/// A tile of accumulators: rows x vectors registers.
struct TileShape {
  int64_t rows = 6;
  int64_t vectors = 2;
};

/// The tile that computes `rows` x `vectors` results in the fewest cycles, its
/// padding included: every step of the sum costs rows + vectors loads and
/// rows * vectors multiply-adds, at two per cycle each.
TileShape chooseTile(const TargetDescription &target, int64_t rows,
                     int64_t vectors);

/// FP32 scratch as a tensor; hands out consecutive, 64-byte aligned parts.
class ScratchPlan {
public:
  /// The byte offset of `count` elements of `bytes` bytes.
  int64_t add(int64_t count, int64_t bytes = 4) {
    int64_t offset = size;
    size += roundUp(count * bytes, 64);
    return offset;
  }
  int64_t size = 0;
};
KernelTensor viewScratch(EmitContext &c, mlir::Value scratch,
                         int64_t byteOffset, int64_t count,
                         mlir::Type elementType = {});

/// Keeps LLVM from unrolling (a register tile's loop would spill) or
/// vectorizing the loop that yields `results`.
void keepLoop(mlir::ValueRange results);

/// acc[m * vectors + v] += sum over k in [0, depth) of
/// a[aBase + m * aRow + k * aDepth] * b[bBases[v] + bOffset(k) + lane].
llvm::SmallVector<mlir::Value>
emitTileProduct(EmitContext &c, TileShape tile, const KernelTensor &a,
                mlir::Value aBase, int64_t aRow, int64_t aDepth,
                const KernelTensor &b, mlir::ValueRange bBases,
                llvm::function_ref<mlir::Value(mlir::Value)> bOffset,
                mlir::Value depth, mlir::ValueRange init);

/// Stores the first `count` lanes.
void storeLanes(EmitContext &c, const KernelTensor &to, mlir::Value linear,
                mlir::Value vector, int64_t count);

/// Calls body(begin, end) for the rows of the register tile at `row` that lie
/// in [0, rows): those every tile has, then, where the tile is whole, the rest.
void forTileRows(EmitContext &c, TileShape tile, mlir::Value row, int64_t rows,
                 llvm::function_ref<void(int64_t begin, int64_t end)> body);

/// Calls body(j, width) for consecutive pieces that cover [0, count): whole
/// vectors, in a loop where there are many; the last piece may overlap the one
/// before.
void vectorRun(EmitContext &c, int64_t count,
               llvm::function_ref<void(mlir::Value j, int64_t width)> body);

/// Lanes base, base + stride, ... for stride 1 or 2; reads nothing behind them.
mlir::Value loadStrided(EmitContext &c, const KernelTensor &from,
                        mlir::Value linear, int64_t width, int64_t stride);

/// to[toLinear + j] = from[fromLinear + j * stride] for j in [0, count).
void copyRun(EmitContext &c, const KernelTensor &to, mlir::Value toLinear,
             const KernelTensor &from, mlir::Value fromLinear, int64_t count,
             int64_t stride = 1);

/// Transposes lanes x lanes elements: lane i of result j is lane j of vector i.
llvm::SmallVector<mlir::Value> transposeLanes(EmitContext &c,
                                              mlir::ValueRange vectors);

/// to[linear + j] = value for j in [0, count).
void fillRun(EmitContext &c, const KernelTensor &to, mlir::Value linear,
             int64_t count, double value);

} // namespace mpt::conversion

#endif // MPT_LIB_CONVERSION_KERNELS_TILE_H
