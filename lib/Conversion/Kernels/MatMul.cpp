//===- MatMul.cpp - Matrix products on a CPU ------------------------------===//
//
// The classical blocking (Goto and van de Geijn 2008): a block of the left side
// stays in the second-level cache, a panel of the right side in the first, and
// a register tile is updated by outer products. 16-bit operands become FP32
// while they are packed.
//
//===----------------------------------------------------------------------===//

#include "KernelOperands.h"
#include "Kernels.h"
#include "Tile.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace mpt::conversion {

namespace {
struct MatMulProblem {
  SmallVector<int64_t> batch, lhsBatch,
      rhsBatch; // leading axes of result and operands
  int64_t rows, columns, depth;
  bool transposeLhs, transposeRhs;
};

struct MatMulPlan {
  TileShape tile;
  int64_t rowBlock, columnBlock, depthBlock;
  // An FP32 operand that divides into whole tiles is read where it is.
  bool lhsInPlace, rhsInPlace;
  int64_t lhsPitch,
      sumPitch; // of packed rows (or depths, transposed), of partial sums
  int64_t lhsOffset = 0, rhsOffset = 0, sumOffset = 0, scratchBytes = 0;
  int64_t items(const MatMulProblem &p) const {
    int64_t count = ceilDiv(p.rows, rowBlock) * ceilDiv(p.columns, columnBlock);
    for (int64_t extent : p.batch)
      count *= extent;
    return count;
  }
  bool isSplit(const MatMulProblem &p) const { return depthBlock < p.depth; }
};
} // namespace

static ArrayRef<int64_t> getShape(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

static MatMulProblem getProblem(nn::MatMulOp op) {
  ArrayRef<int64_t> lhs = getShape(op.getLhs()), rhs = getShape(op.getRhs()),
                    result = getShape(op.getResult());
  MatMulProblem p;
  p.rows = result[result.size() - 2];
  p.columns = result.back();
  p.transposeLhs = op.getTransposeLhs();
  p.transposeRhs = op.getTransposeRhs();
  p.depth = p.transposeLhs ? lhs[lhs.size() - 2] : lhs.back();
  llvm::append_range(p.batch, result.drop_back(2));
  llvm::append_range(p.lhsBatch, lhs.drop_back(2));
  llvm::append_range(p.rhsBatch, rhs.drop_back(2));
  // One right side for all: the batch is more rows.
  auto isOne = [](int64_t extent) { return extent == 1; };
  if (!p.transposeLhs && llvm::all_of(p.rhsBatch, isOne) &&
      p.batch == p.lhsBatch) {
    for (int64_t extent : p.batch)
      p.rows *= extent;
    p.batch.clear();
    p.lhsBatch.clear();
    p.rhsBatch.clear();
  }
  return p;
}

static MatMulPlan makePlan(nn::MatMulOp op, const MatMulProblem &p,
                           const TargetDescription &target) {
  int64_t lanes = target.lanes();
  MatMulPlan plan;
  plan.tile = chooseTile(target, p.rows, ceilDiv(p.columns, lanes));
  int64_t tileRows = plan.tile.rows, tileColumns = plan.tile.vectors * lanes;
  constexpr int64_t kDepth = 384;
  plan.depthBlock =
      ceilDiv(p.depth, std::max<int64_t>(1, ceilDiv(p.depth, kDepth)));

  // Blocks of equal size, at most so many; more of them where threads would
  // idle.
  auto block = [](int64_t extent, int64_t most, int64_t unit) {
    int64_t units = ceilDiv(extent, unit),
            most_units = std::max<int64_t>(1, most / unit);
    return ceilDiv(units, ceilDiv(units, most_units)) * unit;
  };
  int64_t mostRows = std::max<int64_t>(
      tileRows, target.l2Bytes / 2 / 4 / std::max<int64_t>(1, plan.depthBlock));
  int64_t mostColumns = 512;
  mostRows = std::min<int64_t>(mostRows, 240);
  for (;;) {
    plan.rowBlock = block(p.rows, mostRows, tileRows);
    plan.columnBlock = block(p.columns, mostColumns, tileColumns);
    if (plan.items(p) >= 2 * target.threads)
      break;
    if (plan.columnBlock >= plan.rowBlock && plan.columnBlock > 64)
      mostColumns = plan.columnBlock / 2;
    else if (plan.rowBlock > 64)
      mostRows = plan.rowBlock / 2;
    else
      break;
  }
  Type lhsType = getElementTypeOrSelf(op.getLhs()),
       rhsType = getElementTypeOrSelf(op.getRhs());
  plan.lhsInPlace = lhsType.isF32() && p.rows % tileRows == 0 &&
                    (p.transposeLhs ? p.rows : p.depth) <= 512;
  plan.rhsInPlace = rhsType.isF32() && !p.transposeRhs &&
                    p.columns % tileColumns == 0 && p.columns <= 512;
  // An odd number of cache lines, so that rows do not meet in the same sets.
  int64_t contiguous = p.transposeLhs ? plan.rowBlock : plan.depthBlock;
  plan.lhsPitch = roundUp(contiguous, 16) | 16;
  plan.sumPitch = plan.columnBlock;
  ScratchPlan scratch;
  if (!plan.lhsInPlace)
    plan.lhsOffset = scratch.add(
        plan.lhsPitch * (p.transposeLhs ? plan.depthBlock : plan.rowBlock));
  if (!plan.rhsInPlace)
    plan.rhsOffset = scratch.add(plan.depthBlock * plan.columnBlock);
  if (plan.isSplit(p))
    plan.sumOffset = scratch.add(plan.rowBlock * plan.columnBlock);
  plan.scratchBytes = scratch.size;
  return plan;
}

namespace {
class MatMulLoops {
public:
  MatMulLoops(EmitContext &c, const MatMulProblem &p, const MatMulPlan &plan,
              const KernelTensor &lhs, const KernelTensor &rhs,
              const KernelTensor &result)
      : c(c), p(p), plan(plan), lhs(lhs), rhs(rhs), result(result),
        lanes(c.target.lanes()), tileColumns(plan.tile.vectors * lanes) {
    int64_t packedLhs =
        plan.lhsPitch * (p.transposeLhs ? plan.depthBlock : plan.rowBlock);
    if (!plan.lhsInPlace)
      lhsPack = viewScratch(c, c.chunkScratch, plan.lhsOffset, packedLhs);
    if (!plan.rhsInPlace)
      rhsPack = viewScratch(c, c.chunkScratch, plan.rhsOffset,
                            plan.depthBlock * plan.columnBlock);
    if (plan.isSplit(p))
      sums = viewScratch(c, c.chunkScratch, plan.sumOffset,
                         plan.rowBlock * plan.columnBlock);
  }

  void emit() {
    c.parallel(plan.items(p), [&](Value item) {
      int64_t rowBlocks = ceilDiv(p.rows, plan.rowBlock),
              columnBlocks = ceilDiv(p.columns, plan.columnBlock);
      SmallVector<int64_t> box(p.batch);
      box.append({rowBlocks, columnBlocks});
      SmallVector<Value> at = c.delinearize(item, box);
      ValueRange batch = ValueRange(at).drop_back(2);
      row0 = c.mul(at[at.size() - 2], plan.rowBlock);
      column0 = c.mul(at.back(), plan.columnBlock);
      lhsBase = c.mul(c.broadcastIndex(batch, p.lhsBatch), p.rows * p.depth);
      rhsBase = c.mul(c.broadcastIndex(batch, p.rhsBatch), p.depth * p.columns);
      resultBase = c.mul(c.linearize(batch, getRowMajorStrides(p.batch)),
                         p.rows * p.columns);
      rows = rowBlocks == 1
                 ? c.index(p.rows)
                 : c.min(c.sub(c.index(p.rows), row0), c.index(plan.rowBlock));
      columns = columnBlocks == 1 ? c.index(p.columns)
                                  : c.min(c.sub(c.index(p.columns), column0),
                                          c.index(plan.columnBlock));
      emitBlock();
    });
  }

private:
  void emitBlock() {
    if (!plan.isSplit(p)) {
      emitProduct(c.index(0), c.index(p.depth));
      return;
    }
    fillRun(c, sums, c.index(0), plan.rowBlock * plan.columnBlock, 0);
    c.loop(c.index(0), c.index(p.depth), c.index(plan.depthBlock),
           [&](Value depth0) {
             emitProduct(depth0, c.min(c.sub(c.index(p.depth), depth0),
                                       c.index(plan.depthBlock)));
           });
    c.loop(c.index(0), rows, c.index(1), [&](Value m) {
      Value from = c.mul(m, plan.sumPitch);
      Value to =
          c.add(c.add(resultBase, c.mul(c.add(row0, m), p.columns)), column0);
      Value whole = c.mul(c.div(columns, lanes), lanes);
      c.loop(c.index(0), whole, c.index(lanes), [&](Value n) {
        c.storeVector(result, c.add(to, n),
                      c.loadVector(sums, c.add(from, n), lanes));
      });
      if (p.columns % lanes)
        c.loop(whole, columns, c.index(1), [&](Value n) {
          c.store(result, c.add(to, n), c.load(sums, c.add(from, n)));
        });
    });
  }

  void packLhs(Value depth0, Value depth) {
    if (p.transposeLhs) {
      // Packed [depth][row]; whole vectors of rows, as far as they are inside.
      c.loop(c.index(0), depth, c.index(1), [&](Value k) {
        Value from =
            c.add(lhsBase, c.add(c.mul(c.add(depth0, k), p.rows), row0));
        copyDynamic(lhsPack, c.mul(k, plan.lhsPitch), lhs, from, rows);
      });
      return;
    }
    c.loop(c.index(0), rows, c.index(1), [&](Value m) {
      Value from =
          c.add(lhsBase, c.add(c.mul(c.add(row0, m), p.depth), depth0));
      copyDynamic(lhsPack, c.mul(m, plan.lhsPitch), lhs, from, depth);
    });
  }

  /// copyRun of a number of elements known at run time.
  void copyDynamic(const KernelTensor &to, Value toLinear,
                   const KernelTensor &from, Value fromLinear, Value count) {
    Value whole = c.mul(c.div(count, lanes), lanes);
    c.loop(c.index(0), whole, c.index(lanes), [&](Value j) {
      c.storeVector(to, c.add(toLinear, j),
                    c.loadVector(from, c.add(fromLinear, j), lanes));
    });
    keepScalar(whole, count, [&](Value j) {
      c.store(to, c.add(toLinear, j), c.load(from, c.add(fromLinear, j)));
    });
  }

  /// A loop of less than a vector.
  void keepScalar(Value lower, Value upper, function_ref<void(Value)> body) {
    auto none = c.loop(lower, upper, c.index(1), ValueRange(),
                       [&](Value j, ValueRange) {
                         body(j);
                         return SmallVector<Value>();
                       });
  }

  /// rhsPack[panel][depth][tileColumns], columns behind the last are zero.
  void packRhs(Value depth0, Value depth) {
    int64_t tail = p.columns % tileColumns;
    c.loop(c.index(0), columns, c.index(tileColumns), [&](Value n) {
      Value panel = c.mul(n, plan.depthBlock);
      auto pack = [&](int64_t count) {
        if (p.transposeRhs)
          packTransposed(panel, c.add(column0, n), depth0, depth, count);
        else
          c.loop(c.index(0), depth, c.index(1), [&](Value k) {
            Value from =
                c.add(rhsBase, c.add(c.mul(c.add(depth0, k), p.columns),
                                     c.add(column0, n)));
            Value to = c.add(panel, c.mul(k, tileColumns));
            copyRun(c, rhsPack, to, rhs, from, count);
            fillRun(c, rhsPack, c.add(to, count), tileColumns - count, 0);
          });
        return SmallVector<Value>();
      };
      if (tail == 0) {
        pack(tileColumns);
        return;
      }
      Value whole =
          c.cmp(arith::CmpIPredicate::sle,
                c.add(c.add(column0, n), tileColumns), c.index(p.columns));
      c.ifElse(
          whole, {}, [&] { return pack(tileColumns); },
          [&] { return pack(tail); });
    });
  }

  /// The right side is stored [column][depth].
  void packTransposed(Value panel, Value column, Value depth0, Value depth,
                      int64_t count) {
    Value whole = c.mul(c.div(depth, lanes), lanes);
    Value zero = c.constant(VectorType::get({lanes}, c.b.getF32Type()), 0);
    for (int64_t group = 0; group < tileColumns; group += lanes) {
      auto source = [&](int64_t lane, Value k) {
        return c.add(rhsBase, c.add(c.mul(c.add(column, group + lane), p.depth),
                                    c.add(depth0, k)));
      };
      c.loop(c.index(0), whole, c.index(lanes), [&](Value k) {
        SmallVector<Value> vectors;
        for (int64_t lane = 0; lane < lanes; ++lane)
          vectors.push_back(group + lane < count
                                ? c.loadVector(rhs, source(lane, k), lanes)
                                : zero);
        for (auto [j, vector] : llvm::enumerate(transposeLanes(c, vectors)))
          c.storeVector(
              rhsPack,
              c.add(panel, c.add(c.mul(c.add(k, j), tileColumns), group)),
              vector);
      });
      keepScalar(whole, depth, [&](Value k) {
        for (int64_t lane = 0; lane < lanes; ++lane) {
          Value value = group + lane < count ? c.load(rhs, source(lane, k))
                                             : c.constant(c.b.getF32Type(), 0);
          c.store(rhsPack,
                  c.add(panel, c.add(c.mul(k, tileColumns), group + lane)),
                  value);
        }
      });
    }
  }

  void emitProduct(Value depth0, Value depth) {
    if (!plan.lhsInPlace)
      packLhs(depth0, depth);
    if (!plan.rhsInPlace)
      packRhs(depth0, depth);
    int64_t lhsContiguous =
        plan.lhsInPlace ? (p.transposeLhs ? p.rows : p.depth) : plan.lhsPitch;
    int64_t rowStride = p.transposeLhs ? 1 : lhsContiguous,
            depthStride = p.transposeLhs ? lhsContiguous : 1;
    Value lhsStart = c.index(0);
    if (plan.lhsInPlace)
      lhsStart = c.add(
          lhsBase, c.add(c.mul(row0, rowStride), c.mul(depth0, depthStride)));

    auto vectorType = VectorType::get({lanes}, c.b.getF32Type());
    c.loop(c.index(0), columns, c.index(tileColumns), [&](Value n) {
      c.loop(c.index(0), rows, c.index(plan.tile.rows), [&](Value m) {
        SmallVector<Value> acc;
        for (int64_t i = 0; i < plan.tile.rows; ++i)
          for (int64_t v = 0; v < plan.tile.vectors; ++v)
            acc.push_back(plan.isSplit(p)
                              ? c.loadVector(sums, sumLinear(m, n, i, v), lanes)
                              : c.constant(vectorType, 0));
        SmallVector<Value> bases;
        Value start = plan.rhsInPlace
                          ? c.add(rhsBase, c.add(c.mul(depth0, p.columns),
                                                 c.add(column0, n)))
                          : c.mul(n, plan.depthBlock);
        for (int64_t v = 0; v < plan.tile.vectors; ++v)
          bases.push_back(c.add(start, v * lanes));
        int64_t pitch = plan.rhsInPlace ? p.columns : tileColumns;
        acc = emitTileProduct(
            c, plan.tile, plan.lhsInPlace ? lhs : lhsPack,
            c.add(lhsStart, c.mul(m, rowStride)), rowStride, depthStride,
            plan.rhsInPlace ? rhs : rhsPack, bases,
            [&](Value k) { return c.mul(k, pitch); }, depth, acc);
        if (plan.isSplit(p)) {
          for (auto [number, vector] : llvm::enumerate(acc))
            c.storeVector(sums,
                          sumLinear(m, n, number / plan.tile.vectors,
                                    number % plan.tile.vectors),
                          vector);
          return;
        }
        storeTile(acc, c.add(row0, m), c.add(column0, n));
      });
    });
  }

  Value sumLinear(Value m, Value n, int64_t i, int64_t v) {
    return c.add(c.mul(c.add(m, i), plan.sumPitch), c.add(n, v * lanes));
  }

  void storeTile(ArrayRef<Value> acc, Value row, Value column) {
    int64_t tail = p.columns % lanes;
    auto storeRows = [&](int64_t begin, int64_t end, int64_t v, int64_t count) {
      for (int64_t m = begin; m < end; ++m)
        storeLanes(c, result,
                   c.add(resultBase, c.add(c.mul(c.add(row, m), p.columns),
                                           c.add(column, v * lanes))),
                   acc[m * plan.tile.vectors + v], count);
    };
    auto storeVectors = [&](int64_t begin, int64_t end) {
      for (int64_t v = 0; v < plan.tile.vectors; ++v) {
        if (p.columns % tileColumns == 0) {
          storeRows(begin, end, v, lanes);
          continue;
        }
        Value first = c.add(column, v * lanes);
        c.ifElse(
            c.cmp(arith::CmpIPredicate::sle, c.add(first, lanes),
                  c.index(p.columns)),
            {},
            [&] {
              storeRows(begin, end, v, lanes);
              return SmallVector<Value>();
            },
            [&] {
              if (tail)
                c.ifThen(
                    c.cmp(arith::CmpIPredicate::slt, first, c.index(p.columns)),
                    [&] { storeRows(begin, end, v, tail); });
              return SmallVector<Value>();
            });
      }
    };
    forTileRows(c, plan.tile, row, p.rows, storeVectors);
  }

  EmitContext &c;
  const MatMulProblem &p;
  const MatMulPlan &plan;
  const KernelTensor &lhs, &rhs, &result;
  int64_t lanes, tileColumns;
  KernelTensor lhsPack, rhsPack, sums;
  Value row0, column0, lhsBase, rhsBase, resultBase, rows, columns;
};

class MatMulEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "matmul"; }
  bool match(nn::KernelOp kernel,
             const TargetDescription &target) const override {
    auto op = dyn_cast_or_null<nn::MatMulOp>(getSingleOp(kernel));
    return op && !target.isGPU && !getElementTypeOrSelf(op.getLhs()).isF64() &&
           cast<RankedTensorType>(op.getResult().getType()).getNumElements() >
               0 &&
           getProblem(op).depth > 0;
  }
  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &target) const override {
    auto op = cast<nn::MatMulOp>(getSingleOp(kernel));
    MatMulProblem problem = getProblem(op);
    MatMulPlan plan = makePlan(op, problem, target);
    KernelShape shape = KernelShape::parallel(plan.items(problem));
    shape.chunkScratchBytes = plan.scratchBytes;
    return shape;
  }
  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    auto op = cast<nn::MatMulOp>(getSingleOp(kernel));
    MatMulProblem problem = getProblem(op);
    MatMulPlan plan = makePlan(op, problem, c.target);
    MatMulLoops(c, problem, plan, getInput(c, op.getLhs()),
                getInput(c, op.getRhs()), *getOutput(c, kernel, op.getResult()))
        .emit();
    return success();
  }
};
} // namespace

void addMatMulKernels(KernelRegistry &registry) {
  registry.add(std::make_unique<MatMulEmitter>(), 10);
}

} // namespace mpt::conversion
