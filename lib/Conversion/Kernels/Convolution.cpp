//===- Convolution.cpp - conv and conv_transpose on a CPU -----------------===//

#include "Convolution.h"
#include "KernelOperands.h"
#include "Kernels.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace mpt::conversion {

//===----------------------------------------------------------------------===//
// The problems
//===----------------------------------------------------------------------===//

/// Axes that no tap, stride or padding touches are one long axis, but for one
/// leading axis to cut bands from.
static void mergePointwiseAxes(WindowProblem &problem) {
  if (problem.parts.size() != 1 ||
      problem.sourceExtents != problem.resultExtents)
    return;
  for (const WindowAxis &axis : problem.parts[0].axes)
    if (axis.taps != 1 || axis.offset != 0)
      return;
  int64_t size = problem.sourceSize();
  problem.sourceExtents = problem.resultExtents = {1, size};
  problem.filterExtents = {1, 1};
  problem.strides = {1, 1};
  problem.parts[0].axes = {WindowAxis{1, 1, 0, 1, 0, 1, 0, 1},
                           WindowAxis{size, 1, 0, 1, 0, 1, 0, 1}};
}

/// A leading axis of extent 1 makes one spatial axis two.
static void addLeadingAxis(WindowProblem &problem) {
  if (problem.strides.size() != 1)
    return;
  auto prepend = [](SmallVector<int64_t> &values) {
    values.insert(values.begin(), 1);
  };
  prepend(problem.sourceExtents);
  prepend(problem.resultExtents);
  prepend(problem.filterExtents);
  prepend(problem.strides);
  for (WindowPart &part : problem.parts)
    part.axes.insert(part.axes.begin(), WindowAxis{1, 1, 0, 1, 0, 1, 0, 1});
}

/// The convolution of `input` [N, C, X...] by `filter` [F, C/group, K...] to
/// `result`.
template <typename Op>
static WindowProblem getForwardProblem(Op op, ArrayRef<int64_t> input,
                                       ArrayRef<int64_t> filter,
                                       ArrayRef<int64_t> result) {
  WindowProblem problem;
  problem.batch = input[0];
  problem.groups = op.getGroup();
  problem.channels = input[1] / problem.groups;
  problem.rows = filter[0] / problem.groups;
  llvm::append_range(problem.sourceExtents, input.drop_front(2));
  llvm::append_range(problem.resultExtents, result.drop_front(2));
  llvm::append_range(problem.filterExtents, filter.drop_front(2));
  llvm::append_range(problem.strides, op.getStrides());
  problem.filterChannel = WindowProblem::product(problem.filterExtents);
  problem.filterRow = problem.filterChannel * problem.channels;
  problem.filterGroup = problem.filterRow * problem.rows;
  WindowPart part;
  for (size_t i = 0; i < problem.strides.size(); ++i)
    part.axes.push_back({problem.resultExtents[i], problem.filterExtents[i],
                         -op.getPads()[i], op.getDilations()[i], 0, 1, 0, 1});
  problem.parts.push_back(part);
  mergePointwiseAxes(problem);
  addLeadingAxis(problem);
  return problem;
}

static ArrayRef<int64_t> getShape(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

WindowProblem getConvProblem(nn::ConvOp op) {
  return getForwardProblem(op, getShape(op.getInput()),
                           getShape(op.getFilter()), getShape(op.getResult()));
}

WindowProblem getFilterGradProblem(nn::ConvFilterGradOp op) {
  return getForwardProblem(op, getShape(op.getInput()),
                           getShape(op.getResult()), getShape(op.getDy()));
}

WindowProblem getConvTransposeProblem(nn::ConvTransposeOp op) {
  ArrayRef<int64_t> input = getShape(op.getInput()),
                    filter = getShape(op.getFilter()),
                    result = getShape(op.getResult());
  WindowProblem problem;
  problem.batch = input[0];
  problem.groups = op.getGroup();
  problem.channels = input[1] / problem.groups;
  problem.rows = filter[1];
  llvm::append_range(problem.sourceExtents, input.drop_front(2));
  llvm::append_range(problem.resultExtents, result.drop_front(2));
  llvm::append_range(problem.filterExtents, filter.drop_front(2));
  size_t axes = problem.sourceExtents.size();
  problem.strides.assign(axes, 1);
  int64_t taps = WindowProblem::product(problem.filterExtents);
  problem.filterRow = taps;
  problem.filterChannel = taps * problem.rows;
  problem.filterGroup = problem.filterChannel * problem.channels;

  // Result x of phase r = x mod stride comes from y = (x + pad - k * dilation)
  // / stride for the taps k where that divides; they are an arithmetic
  // sequence.
  SmallVector<SmallVector<WindowAxis>> byPhase(axes);
  for (size_t i = 0; i < axes; ++i) {
    int64_t stride = op.getStrides()[i], dilation = op.getDilations()[i],
            pad = op.getPads()[i];
    int64_t extent = problem.resultExtents[i];
    for (int64_t phase = 0; phase < std::min(stride, extent); ++phase) {
      WindowAxis axis{
          (extent - phase - 1) / stride + 1, 0, 0, 0, phase, stride, 0, 1};
      for (int64_t k = 0; k < problem.filterExtents[i]; ++k) {
        int64_t shift = phase + pad - k * dilation;
        if (shift % stride)
          continue;
        if (axis.taps == 0) {
          axis.filterBegin = k;
          axis.offset = shift / stride;
        } else if (axis.taps == 1) {
          axis.filterStep = k - axis.filterBegin;
          axis.tapStep = shift / stride - axis.offset;
        }
        ++axis.taps;
      }
      byPhase[i].push_back(axis);
    }
  }
  int64_t parts = 1;
  for (auto &choices : byPhase)
    parts *= choices.size();
  for (int64_t number = 0; number < parts; ++number) {
    WindowPart part;
    int64_t rest = number;
    for (size_t i = 0; i < axes; ++i) {
      part.axes.push_back(byPhase[i][rest % byPhase[i].size()]);
      rest /= byPhase[i].size();
    }
    problem.parts.push_back(part);
  }
  mergePointwiseAxes(problem);
  addLeadingAxis(problem);
  return problem;
}

//===----------------------------------------------------------------------===//
// The plan: bands and scratch
//===----------------------------------------------------------------------===//

namespace {
struct WindowPlan {
  TileShape tile;
  SourceLayout layout;
  /// Positions of the parts along the first and last axis (of the largest
  /// part).
  int64_t positions0 = 0, positionsLast = 0;
  int64_t imageBands, rowBands, columnBands;
  int64_t filterBlock; // rows of the filter packed at a time
  int64_t depth = 0;   // most (channel, tap) of a part
  int64_t sourceOffset = 0, filterOffset = 0, tableOffset = 0, biasOffset = 0,
          scratchBytes = 0;
  int64_t bands() const { return imageBands * rowBands * columnBands; }
  int64_t items(const WindowProblem &problem) const {
    return problem.groups * ceilDiv(problem.rows, filterBlock) * bands();
  }
};
} // namespace

static WindowPlan makePlan(const WindowProblem &problem,
                           const TargetDescription &target) {
  int64_t lanes = target.lanes();
  WindowPlan plan;
  int64_t rowsPerImage = 0; // vectors
  for (const WindowPart &part : problem.parts) {
    plan.depth = std::max(plan.depth, problem.channels * part.numTaps());
    plan.positions0 = std::max(plan.positions0, part.axes.front().out);
    plan.positionsLast = std::max(plan.positionsLast, part.axes.back().out);
    int64_t vectors = ceilDiv(part.axes.back().out, lanes);
    for (const WindowAxis &axis : llvm::drop_end(part.axes))
      vectors *= axis.out;
    rowsPerImage = std::max(rowsPerImage, vectors);
  }
  // Half of the second-level cache for the source, a third for the filter.
  int64_t budget = target.l2Bytes / 2 / 4;
  auto elements = [&](int64_t images, int64_t rows, int64_t columns) {
    return getSourceLayout(problem, problem.channels, images, rows, columns,
                           lanes)
        .elements;
  };
  int64_t images = 1, rows = plan.positions0, columns = plan.positionsLast;
  if (int64_t one = elements(1, rows, columns); one <= budget) {
    // Small images: several at a time, so that the last tile of a band is a
    // small part of it.
    int64_t wanted = ceilDiv(32, std::max<int64_t>(rowsPerImage, 1));
    images =
        std::max<int64_t>(1, std::min({problem.batch, wanted, budget / one}));
    images = ceilDiv(problem.batch, ceilDiv(problem.batch, images));
  } else {
    while (rows > 1 && elements(1, rows, columns) > budget)
      rows = ceilDiv(rows, 2);
    while (columns > lanes && elements(1, rows, columns) > 2 * budget)
      columns = roundUp(ceilDiv(columns, 2), lanes);
  }
  plan.layout =
      getSourceLayout(problem, problem.channels, images, rows, columns, lanes);
  plan.imageBands = ceilDiv(problem.batch, images);
  plan.rowBands = ceilDiv(std::max<int64_t>(plan.positions0, 1), rows);
  plan.columnBands = ceilDiv(std::max<int64_t>(plan.positionsLast, 1), columns);

  int64_t vectors = images * ceilDiv(columns, lanes) * rows;
  for (size_t i = 1; i + 1 < problem.strides.size(); ++i)
    vectors *= problem.parts[0].axes[i].out;
  plan.tile = chooseTile(target, problem.rows, vectors);
  int64_t totalDepth = 0;
  for (const WindowPart &part : problem.parts)
    totalDepth += problem.channels * part.numTaps();
  int64_t panels = ceilDiv(problem.rows, plan.tile.rows);
  int64_t fitting = target.l2Bytes / 3 / 4 /
                    std::max<int64_t>(1, totalDepth * plan.tile.rows);
  int64_t blockPanels = std::clamp<int64_t>(fitting, 1, panels);
  blockPanels = ceilDiv(panels, ceilDiv(panels, blockPanels));
  plan.filterBlock = blockPanels * plan.tile.rows;

  ScratchPlan scratch;
  plan.sourceOffset = scratch.add(plan.layout.elements);
  plan.filterOffset = scratch.add(plan.filterBlock * totalDepth + 1);
  plan.tableOffset = scratch.add(totalDepth + 1);
  plan.biasOffset = scratch.add(plan.filterBlock);
  plan.scratchBytes = scratch.size;
  return plan;
}

//===----------------------------------------------------------------------===//
// The loops
//===----------------------------------------------------------------------===//

namespace {
class WindowLoops {
public:
  WindowLoops(EmitContext &c, const WindowProblem &problem,
              const WindowPlan &plan, const KernelTensor &source,
              const KernelTensor &filter, const KernelTensor *bias,
              const KernelTensor &result)
      : c(c), problem(problem), plan(plan), source(source), filter(filter),
        bias(bias), result(result), lanes(c.target.lanes()),
        axes(problem.strides.size()) {
    int64_t totalDepth = 0;
    for (const WindowPart &part : problem.parts) {
      depthBegin.push_back(totalDepth);
      totalDepth += problem.channels * part.numTaps();
    }
    this->totalDepth = totalDepth;
    Value scratch = c.chunkScratch;
    sourceScratch =
        viewScratch(c, scratch, plan.sourceOffset, plan.layout.elements);
    filterScratch = viewScratch(c, scratch, plan.filterOffset,
                                plan.filterBlock * totalDepth + 1);
    table = viewScratch(c, scratch, plan.tableOffset, totalDepth + 1,
                        c.b.getI32Type());
    biasScratch = viewScratch(c, scratch, plan.biasOffset, plan.filterBlock);
  }

  void emit() {
    fillRun(c, sourceScratch, c.index(0), plan.layout.elements, 0);
    for (auto [i, part] : llvm::enumerate(problem.parts)) {
      KernelTensor partTable =
          viewScratch(c, c.chunkScratch, plan.tableOffset + depthBegin[i] * 4,
                      problem.channels * part.numTaps() + 1, c.b.getI32Type());
      if (part.numTaps())
        fillOffsets(c, part, plan.layout, problem, partTable, problem.channels);
    }
    int64_t blocks = ceilDiv(problem.rows, plan.filterBlock),
            bands = plan.bands();
    auto range = c.share(problem.groups * blocks * bands);
    // Items are (group, block of the filter, band); the filter block is packed
    // once per run of bands.
    Value one = c.index(1);
    Value firstBlock = c.div(range.begin, bands);
    Value endBlock = c.div(c.add(range.end, bands - 1), bands);
    c.loop(firstBlock, endBlock, one, [&](Value block) {
      Value group = c.div(block, blocks);
      Value firstRow = c.mul(c.rem(block, blocks), plan.filterBlock);
      Value firstItem = c.mul(block, bands);
      Value low = c.max(c.sub(range.begin, firstItem), c.index(0));
      Value high = c.min(c.sub(range.end, firstItem), c.index(bands));
      // An empty share ends before its first block does.
      c.ifThen(c.cmp(arith::CmpIPredicate::slt, low, high),
               [&] { packFilter(group, firstRow); });
      c.loop(low, high, one,
             [&](Value band) { emitBand(group, firstRow, band); });
    });
  }

private:
  /// filterScratch[depthBegin * block + (panel * depth + k) * tile.rows + m];
  /// rows behind the last are zero.
  void packFilter(Value group, Value firstRow) {
    Value zero = c.constant(c.b.getF32Type(), 0);
    int64_t tileRows = plan.tile.rows;
    SmallVector<int64_t> tapStrides = getRowMajorStrides(problem.filterExtents);
    c.loop(plan.filterBlock, [&](Value m) {
      Value row = c.add(firstRow, m);
      Value filterRow = c.add(c.mul(group, problem.filterGroup),
                              c.mul(row, problem.filterRow));
      Value inside =
          c.cmp(arith::CmpIPredicate::slt, row, c.index(problem.rows));
      Value panel = c.div(m, tileRows), lane = c.rem(m, tileRows);
      if (bias) {
        auto value = c.ifElse(
            inside, zero.getType(),
            [&] {
              return SmallVector<Value>{
                  c.load(*bias, c.add(c.mul(group, problem.rows), row))};
            },
            [&] { return SmallVector<Value>{zero}; });
        c.store(biasScratch, m, value.front());
      }
      for (size_t i = 0; i < problem.parts.size(); ++i) {
        const WindowPart &part = problem.parts[i];
        int64_t taps = part.numTaps(), depth = problem.channels * taps;
        if (depth == 0)
          continue;
        SmallVector<int64_t> box{problem.channels};
        for (const WindowAxis &axis : part.axes)
          box.push_back(axis.taps);
        SmallVector<int64_t> depthStrides = getRowMajorStrides(box);
        Value target = c.add(c.add(c.mul(panel, depth * tileRows), lane),
                             depthBegin[i] * plan.filterBlock);
        auto each = [&](function_ref<Value(Value)> value) {
          c.loopNest(box, [&](ValueRange at) {
            Value from = c.add(filterRow, c.mul(at[0], problem.filterChannel));
            for (auto [a, axis] : llvm::enumerate(part.axes))
              from = c.add(from, c.mul(c.add(c.mul(at[a + 1], axis.filterStep),
                                             axis.filterBegin),
                                       tapStrides[a]));
            c.store(
                filterScratch,
                c.add(target, c.mul(c.linearize(at, depthStrides), tileRows)),
                value(from));
          });
          return SmallVector<Value>();
        };
        c.ifElse(
            inside, {},
            [&] {
              return each([&](Value from) { return c.load(filter, from); });
            },
            [&] { return each([&](Value) { return zero; }); });
      }
    });
  }

  void emitBand(Value group, Value firstRow, Value number) {
    const Band band = splitBand(c, plan.layout, problem.batch, plan.rowBands,
                                plan.columnBands, number);
    if (plan.depth)
      fillSource(c, problem, plan.layout, sourceScratch, source, band,
                 c.mul(group, problem.channels), problem.channels,
                 problem.channels * problem.groups);
    for (size_t i = 0; i < problem.parts.size(); ++i)
      emitPart(problem.parts[i], depthBegin[i], group, firstRow, band);
  }

  void emitPart(const WindowPart &part, int64_t partDepthBegin, Value group,
                Value firstRow, const Band &band) {
    const WindowAxis &first = part.axes.front(), &last = part.axes.back();
    if (first.out == 0 || last.out == 0)
      return;
    auto emit = [&] { emitRows(part, partDepthBegin, group, firstRow, band); };
    // A part may end before the last band of columns.
    if (band.column)
      c.ifThen(c.cmp(arith::CmpIPredicate::slt, band.column, c.index(last.out)),
               emit);
    else
      emit();
  }

  void emitRows(const WindowPart &part, int64_t partDepthBegin, Value group,
                Value firstRow, const Band &band) {
    const Value row = band.row, column = band.column;
    const WindowAxis &first = part.axes.front(), &last = part.axes.back();
    int64_t bandColumns = std::min(last.out, plan.layout.bandColumns);
    int64_t vectorsPerRow = ceilDiv(bandColumns, lanes);
    // The box of rows: image, axis 0 (a band of it), the other axes but the
    // last.
    SmallVector<int64_t> box{plan.layout.images};
    for (size_t i = 0; i + 1 < axes; ++i)
      box.push_back(i == 0 ? std::min(first.out, plan.layout.bandRows)
                           : part.axes[i].out);
    int64_t inner = vectorsPerRow;
    for (size_t i = 1; i + 1 < axes; ++i)
      inner *= part.axes[i].out;
    // A band may be cut short by the end of the images or of axis 0.
    Value rows =
        row ? c.max(c.min(c.sub(c.index(first.out), row), c.index(box[1])),
                    c.index(0))
            : c.index(box[1]);
    Value vectors = c.mul(c.mul(band.images, rows), inner);

    SmallVector<int64_t> resultStrides =
        getRowMajorStrides(problem.resultExtents);
    int64_t resultSize = problem.resultSize();
    int64_t resultRows = problem.rows * problem.groups;
    Value resultBase = c.mul(c.add(c.mul(band.image, resultRows),
                                   c.add(c.mul(group, problem.rows), firstRow)),
                             resultSize);

    c.loop(c.index(0), vectors, c.index(plan.tile.vectors), [&](Value vector) {
      SmallVector<Value> sourceBases, resultLinears, columns;
      Value end = c.sub(vectors, c.index(1));
      for (int64_t v = 0; v < plan.tile.vectors; ++v) {
        // Vectors behind the last compute and store it once more.
        Value number = v == 0 ? vector : c.min(c.add(vector, v), end);
        Value x = c.mul(c.rem(number, vectorsPerRow), lanes);
        if (column)
          x = c.min(x, c.sub(c.index((last.out - 1) / lanes * lanes), column));
        SmallVector<Value> at =
            c.delinearize(c.div(number, vectorsPerRow), box);
        Value from = c.add(c.mul(at[0], plan.layout.imagePitch), x);
        Value to = c.add(resultBase, c.mul(at[0], resultRows * resultSize));
        for (size_t i = 0; i + 1 < axes; ++i) {
          from = c.add(from, c.mul(at[i + 1], plan.layout.pitches[i]));
          Value position = i == 0 && row ? c.add(at[1], row) : at[i + 1];
          to = c.add(to, c.mul(c.add(c.mul(position, part.axes[i].resultStep),
                                     part.axes[i].resultBegin),
                               resultStrides[i]));
        }
        Value position = column ? c.add(x, column) : x;
        to = c.add(to,
                   c.add(c.mul(position, last.resultStep), last.resultBegin));
        sourceBases.push_back(from);
        resultLinears.push_back(to);
        columns.push_back(position);
      }
      emitTileColumn(part, partDepthBegin, firstRow, sourceBases, resultLinears,
                     columns);
    });
  }

  /// All panels of the filter block against the same vectors of the source.
  void emitTileColumn(const WindowPart &part, int64_t partDepthBegin,
                      Value firstRow, ValueRange sourceBases,
                      ValueRange resultLinears, ValueRange columns) {
    int64_t depth = problem.channels * part.numTaps();
    TileShape tile = plan.tile;
    auto vectorType = VectorType::get({lanes}, c.b.getF32Type());
    KernelTensor partTable =
        viewScratch(c, c.chunkScratch, plan.tableOffset + partDepthBegin * 4,
                    depth + 1, c.b.getI32Type());
    Value rowsLeft = c.min(c.sub(c.index(problem.rows), firstRow),
                           c.index(plan.filterBlock));
    c.loop(c.index(0), rowsLeft, c.index(tile.rows), [&](Value m0) {
      SmallVector<Value> acc;
      for (int64_t m = 0; m < tile.rows; ++m) {
        Value start = bias ? c.splat(c.load(biasScratch, c.add(m0, m)), lanes)
                           : c.constant(vectorType, 0);
        acc.append(tile.vectors, start);
      }
      if (depth)
        acc = emitTileProduct(
            c, tile, filterScratch,
            c.add(c.mul(m0, depth), partDepthBegin * plan.filterBlock), 1,
            tile.rows, sourceScratch, sourceBases,
            [&](Value k) -> Value {
              return arith::IndexCastOp::create(c.b, c.loc, c.b.getIndexType(),
                                                c.load(partTable, k));
            },
            c.index(depth), acc);
      storeTile(part, acc, c.add(m0, firstRow), m0, resultLinears, columns);
    });
  }

  void storeTile(const WindowPart &part, ArrayRef<Value> acc, Value row,
                 Value m0, ValueRange resultLinears, ValueRange columns) {
    const WindowAxis &last = part.axes.back();
    int64_t tail = last.out % lanes;
    int64_t resultSize = problem.resultSize();
    auto storeRows = [&](int64_t begin, int64_t end, int64_t v, int64_t count) {
      for (int64_t m = begin; m < end; ++m) {
        Value vector = acc[m * plan.tile.vectors + v];
        Value linear = c.add(resultLinears[v], c.mul(c.add(m0, m), resultSize));
        if (last.resultStep == 1) {
          storeLanes(c, result, linear, vector, count);
          continue;
        }
        for (int64_t lane = 0; lane < count; ++lane)
          c.store(result, c.add(linear, lane * last.resultStep),
                  vector::ExtractOp::create(c.b, c.loc, vector, lane));
      }
    };
    auto storeVectors = [&](int64_t begin, int64_t end) {
      for (int64_t v = 0; v < plan.tile.vectors; ++v) {
        if (tail == 0) {
          storeRows(begin, end, v, lanes);
          continue;
        }
        if (last.out < lanes) {
          storeRows(begin, end, v, tail);
          continue;
        }
        Value whole = c.cmp(arith::CmpIPredicate::sle, columns[v],
                            c.index(last.out - lanes));
        c.ifElse(
            whole, {},
            [&] {
              storeRows(begin, end, v, lanes);
              return SmallVector<Value>();
            },
            [&] {
              storeRows(begin, end, v, tail);
              return SmallVector<Value>();
            });
      }
    };
    forTileRows(c, plan.tile, row, problem.rows, storeVectors);
  }

  EmitContext &c;
  const WindowProblem &problem;
  const WindowPlan &plan;
  const KernelTensor &source, &filter;
  const KernelTensor *bias;
  const KernelTensor &result;
  int64_t lanes;
  size_t axes;
  int64_t totalDepth = 0;
  SmallVector<int64_t> depthBegin;
  KernelTensor sourceScratch, filterScratch, table, biasScratch;
};

/// f64 and scratch beyond a few megabytes are left to the scalar template.
constexpr int64_t kMaxScratchBytes = 4 << 20;
/// Parts are unrolled.
constexpr size_t kMaxParts = 16;

bool fits(Operation *op) {
  for (Type type : op->getOperandTypes())
    if (getElementTypeOrSelf(type).isF64())
      return false;
  return true;
}

template <typename Op> class WindowEmitter : public KernelEmitter {
public:
  static WindowProblem getProblem(Operation *op) {
    if constexpr (std::is_same_v<Op, nn::ConvOp>)
      return getConvProblem(cast<Op>(op));
    else
      return getConvTransposeProblem(cast<Op>(op));
  }
  StringRef getName() const override {
    return Op::getOperationName().drop_front(3);
  }
  bool match(nn::KernelOp kernel,
             const TargetDescription &target) const override {
    auto op = dyn_cast_or_null<Op>(getSingleOp(kernel));
    if (!op || target.isGPU || !fits(op))
      return false;
    WindowProblem problem = getProblem(op);
    return problem.parts.size() <= kMaxParts && problem.batch > 0 &&
           problem.resultSize() > 0 &&
           makePlan(problem, target).scratchBytes <= kMaxScratchBytes;
  }
  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &target) const override {
    WindowProblem problem = getProblem(getSingleOp(kernel));
    WindowPlan plan = makePlan(problem, target);
    KernelShape shape = KernelShape::parallel(plan.items(problem));
    shape.chunkScratchBytes = plan.scratchBytes;
    return shape;
  }
  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    auto op = cast<Op>(getSingleOp(kernel));
    WindowProblem problem = getProblem(op);
    WindowPlan plan = makePlan(problem, c.target);
    const KernelTensor *bias = nullptr;
    if constexpr (std::is_same_v<Op, nn::ConvOp>)
      if (op.getBias())
        bias = &getInput(c, op.getBias());
    WindowLoops(c, problem, plan, getInput(c, op.getInput()),
                getInput(c, op.getFilter()), bias,
                *getOutput(c, kernel, op.getResult()))
        .emit();
    return success();
  }
};
} // namespace

void addConvolutionKernels(KernelRegistry &registry) {
  registry.add(std::make_unique<WindowEmitter<nn::ConvOp>>(), 10);
  registry.add(std::make_unique<WindowEmitter<nn::ConvTransposeOp>>(), 10);
}

} // namespace mpt::conversion
