//===- Tile.cpp - Register tiles of contractions --------------------------===//

#include "Tile.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace mpt::conversion {

TileShape chooseTile(const TargetDescription &target, int64_t rows,
                     int64_t vectors) {
  TileShape best;
  double bestCost = -1;
  for (int64_t r = 1; r <= 12; ++r) {
    for (int64_t v = 1; v <= 8; ++v) {
      // One register holds the broadcast element; a vector used once is a
      // memory operand of its multiply-add.
      if (r * v + (r == 1 ? 0 : v) + 1 > target.vectorRegisters)
        continue;
      // Two multiply-adds or loads a cycle; below eight accumulators the
      // latency of a multiply-add (four cycles) is not hidden.
      double step = std::max({r * v / 2.0, (r + v) / 2.0, 4.0});
      double cost = double(ceilDiv(rows, r)) * double(ceilDiv(vectors, v)) *
                    (step + 0.25);
      if (bestCost < 0 || cost < bestCost) {
        bestCost = cost;
        best = {r, v};
      }
    }
  }
  return best;
}

KernelTensor viewScratch(EmitContext &c, Value scratch, int64_t byteOffset,
                         int64_t count, Type elementType) {
  if (!elementType)
    elementType = c.b.getF32Type();
  return {RankedTensorType::get({count}, elementType),
          c.scratchView(scratch, byteOffset, count, elementType),
          {1}};
}

void keepLoop(ValueRange results) {
  if (results.empty())
    return;
  auto loop = results.front().getDefiningOp<scf::ForOp>();
  if (!loop)
    return;
  MLIRContext *context = loop.getContext();
  auto yes = BoolAttr::get(context, true);
  auto unroll = LLVM::LoopUnrollAttr::get(context, yes, {}, {}, {}, {}, {}, {});
  auto vectorize =
      LLVM::LoopVectorizeAttr::get(context, yes, {}, {}, {}, {}, {}, {});
  // Conversion to branches hands the attribute on to llvm.br, whose name for it
  // this is.
  loop->setAttr("loop_annotation", LLVM::LoopAnnotationAttr::get(
                                       context, {}, vectorize, {}, unroll, {},
                                       {}, {}, {}, {}, {}, {}, {}, {}, {}, {}));
}

SmallVector<Value> emitTileProduct(EmitContext &c, TileShape tile,
                                   const KernelTensor &a, Value aBase,
                                   int64_t aRow, int64_t aDepth,
                                   const KernelTensor &b, ValueRange bBases,
                                   function_ref<Value(Value)> bOffset,
                                   Value depth, ValueRange init) {
  int64_t lanes = c.target.lanes();
  auto results =
      c.loop(c.index(0), depth, c.index(1), init, [&](Value k, ValueRange acc) {
        SmallVector<Value> next(acc.begin(), acc.end());
        Value offset = bOffset(k);
        SmallVector<Value> bs;
        for (Value base : bBases)
          bs.push_back(c.loadVector(b, c.add(base, offset), lanes));
        Value aLinear = c.add(aBase, c.mul(k, aDepth));
        for (int64_t m = 0; m < tile.rows; ++m) {
          Value scalar = c.splat(c.load(a, c.add(aLinear, m * aRow)), lanes);
          for (int64_t v = 0; v < tile.vectors; ++v)
            next[m * tile.vectors + v] =
                c.fma(scalar, bs[v], next[m * tile.vectors + v]);
        }
        return next;
      });
  keepLoop(results);
  return results;
}

static Value takeLanes(EmitContext &c, Value vector, int64_t begin,
                       int64_t count) {
  return vector::ExtractStridedSliceOp::create(
      c.b, c.loc, vector, ArrayRef<int64_t>{begin}, ArrayRef<int64_t>{count},
      ArrayRef<int64_t>{1});
}

/// Covers [0, count) by at most two accesses of a power of two of lanes, which
/// may overlap.
static void coverRun(int64_t count, int64_t lanes,
                     function_ref<void(int64_t begin, int64_t width)> access) {
  int64_t width = lanes;
  while (width > count)
    width /= 2;
  if (width == 0)
    return;
  access(0, width);
  if (count > width)
    access(count - width, width);
}

void storeLanes(EmitContext &c, const KernelTensor &to, Value linear,
                Value vector, int64_t count) {
  int64_t lanes = cast<VectorType>(vector.getType()).getDimSize(0);
  coverRun(std::min(count, lanes), lanes, [&](int64_t begin, int64_t width) {
    Value part = width == lanes ? vector : takeLanes(c, vector, begin, width);
    if (width == 1)
      c.store(to, c.add(linear, begin),
              vector::ExtractOp::create(c.b, c.loc, part, int64_t(0)));
    else
      c.storeVector(to, c.add(linear, begin), part);
  });
}

void forTileRows(EmitContext &c, TileShape tile, Value row, int64_t rows,
                 function_ref<void(int64_t begin, int64_t end)> body) {
  const int64_t tail = rows % tile.rows;
  if (tail == 0) {
    body(0, tile.rows);
    return;
  }
  body(0, tail);
  c.ifThen(
      c.cmp(arith::CmpIPredicate::sle, c.add(row, tile.rows), c.index(rows)),
      [&] { body(tail, tile.rows); });
}

void vectorRun(EmitContext &c, int64_t count,
               function_ref<void(Value j, int64_t width)> body) {
  int64_t lanes = c.target.lanes();
  int64_t whole = count / lanes * lanes;
  if (whole > 4 * lanes)
    c.loop(c.index(0), c.index(whole), c.index(lanes),
           [&](Value j) { body(j, lanes); });
  else
    for (int64_t j = 0; j < whole; j += lanes)
      body(c.index(j), lanes);
  if (whole == count)
    return;
  if (whole > 0) {
    body(c.index(count - lanes), lanes);
    return;
  }
  coverRun(count, lanes,
           [&](int64_t begin, int64_t width) { body(c.index(begin), width); });
}

Value loadStrided(EmitContext &c, const KernelTensor &from, Value linear,
                  int64_t width, int64_t stride) {
  if (width == 1)
    return c.load(from, linear);
  if (stride == 1)
    return c.loadVector(from, linear, width);
  // The second load starts one element early, so that nothing behind the run is
  // read.
  Value low = c.loadVector(from, linear, width);
  Value high = c.loadVector(from, c.add(linear, width - 1), width);
  SmallVector<int64_t> lanes;
  for (int64_t lane = 0; lane < width; ++lane)
    lanes.push_back(lane < width / 2 ? 2 * lane
                                     : width + 2 * (lane - width / 2) + 1);
  return vector::ShuffleOp::create(c.b, c.loc, low, high, lanes);
}

void copyRun(EmitContext &c, const KernelTensor &to, Value toLinear,
             const KernelTensor &from, Value fromLinear, int64_t count,
             int64_t stride) {
  if (count <= 0)
    return;
  if (stride > 2) {
    c.loop(count, [&](Value j) {
      c.store(to, c.add(toLinear, j),
              c.load(from, c.add(fromLinear, c.mul(j, stride))));
    });
    return;
  }
  vectorRun(c, count, [&](Value j, int64_t width) {
    Value value = loadStrided(c, from, c.add(fromLinear, c.mul(j, stride)),
                              width, stride);
    if (width == 1)
      c.store(to, c.add(toLinear, j), value);
    else
      c.storeVector(to, c.add(toLinear, j), value);
  });
}

SmallVector<Value> transposeLanes(EmitContext &c, ValueRange vectors) {
  SmallVector<Value> rows(vectors.begin(), vectors.end());
  int64_t lanes = rows.size();
  // Swaps the off-diagonal d x d blocks of every 2d x 2d block.
  for (int64_t d = lanes / 2; d > 0; d /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      low.push_back(lane & d ? lanes + lane - d : lane);
      high.push_back(lane & d ? lanes + lane : lane + d);
    }
    for (int64_t i = 0; i < lanes; ++i) {
      if (i & d)
        continue;
      Value a = rows[i], b = rows[i + d];
      rows[i] = vector::ShuffleOp::create(c.b, c.loc, a, b, low);
      rows[i + d] = vector::ShuffleOp::create(c.b, c.loc, a, b, high);
    }
  }
  return rows;
}

void fillRun(EmitContext &c, const KernelTensor &to, Value linear,
             int64_t count, double value) {
  Type type = getComputeType(to.elementType());
  vectorRun(c, count, [&](Value j, int64_t width) {
    if (width == 1)
      c.store(to, c.add(linear, j), c.constant(type, value));
    else
      c.storeVector(to, c.add(linear, j),
                    c.constant(VectorType::get({width}, type), value));
  });
}

} // namespace mpt::conversion
