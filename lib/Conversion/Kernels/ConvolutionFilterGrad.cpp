//===- ConvolutionFilterGrad.cpp - conv_filter_grad on a CPU --------------===//
//
// dW[f, c, tap] is the sum over images and positions of dy[f, p] * x[c, p +
// tap]. The positions lie along the lanes: a register tile holds partial sums
// for some (f) x (c, tap), both sides are read as vectors from scratch (x as
// Convolution.h says, dy with the pitch of its rows, zero in between), and the
// lanes are summed once per band. Every element is summed by one chunk in one
// order.
//
//===----------------------------------------------------------------------===//

#include "Convolution.h"
#include "KernelOperands.h"
#include "Kernels.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace mpt::conversion {

namespace {
struct FilterGradPlan {
  TileShape tile;
  SourceLayout layout;
  int64_t channelBlock, rowBlock, paddedColumns;
  int64_t imageBands, rowBands, columnBands;
  int64_t runs, runLength, runPitch,
      dyPitch; // per image: runs; per filter: dyPitch
  int64_t xOffset, dyOffset, sumOffset, tableOffset, scratchBytes;
  int64_t bands() const { return imageBands * rowBands * columnBands; }
  int64_t channelBlocks(const WindowProblem &p) const {
    return ceilDiv(p.channels, channelBlock);
  }
  int64_t panels(const WindowProblem &p) const {
    return ceilDiv(p.rows, tile.rows);
  }
  int64_t items(const WindowProblem &p) const {
    return p.groups * channelBlocks(p) * panels(p);
  }
};
} // namespace

static FilterGradPlan makePlan(const WindowProblem &p,
                               const TargetDescription &target) {
  int64_t lanes = target.lanes();
  FilterGradPlan plan;
  const WindowPart &part = p.parts[0];
  int64_t taps = part.numTaps();
  size_t axes = p.strides.size();
  plan.tile = chooseTile(target, p.rows, p.channels * taps);

  // Positions of a band: few enough that a tile's rows stay in the first-level
  // cache.
  int64_t positions = target.l1Bytes / 4 / (plan.tile.rows + plan.tile.vectors);
  int64_t rows = part.axes[0].out, columns = part.axes.back().out, images = 1;
  auto bandSize = [&](int64_t images, int64_t rows, int64_t columns) {
    SourceLayout layout = getSourceLayout(p, 1, images, rows, columns, lanes);
    return layout.phasePitch;
  };
  while (rows > 1 && bandSize(1, rows, columns) > positions * 3 / 2)
    rows = ceilDiv(rows, 2);
  while (columns > 16 * lanes && bandSize(1, rows, columns) > 4 * positions)
    columns = roundUp(ceilDiv(columns, 2), lanes);
  if (rows == part.axes[0].out && columns == part.axes.back().out) {
    images =
        std::clamp<int64_t>(positions / bandSize(1, rows, columns), 1, p.batch);
    images = ceilDiv(p.batch, ceilDiv(p.batch, images));
  }
  plan.imageBands = ceilDiv(p.batch, images);
  plan.rowBands = ceilDiv(part.axes[0].out, rows);
  plan.columnBands = ceilDiv(part.axes.back().out, columns);

  // Channels: x and the sums of one panel share the second-level cache with dy.
  plan.channelBlock = p.channels;
  auto xElements = [&](int64_t channels) {
    return getSourceLayout(p, channels, images, rows, columns, lanes).elements;
  };
  auto split = [&] {
    int64_t more = ceilDiv(p.channels, plan.channelBlock) + 1;
    plan.channelBlock =
        std::min(plan.channelBlock - 1, ceilDiv(p.channels, more));
  };
  while (plan.channelBlock > 1 &&
         (xElements(plan.channelBlock) * 4 > target.l2Bytes / 2 ||
          plan.channelBlock * taps * plan.tile.rows * 4 > target.l2Bytes / 4))
    split();
  while (plan.channelBlock * taps > 4 * plan.tile.vectors &&
         plan.channelBlock > 1 && plan.items(p) < target.threads)
    split();
  plan.layout =
      getSourceLayout(p, plan.channelBlock, images, rows, columns, lanes);

  int64_t before = axes >= 2 ? axes - 2 : 0;
  plan.runs = 1;
  for (size_t i = 0; i < size_t(before); ++i)
    plan.runs *= i == 0 ? rows : part.axes[i].out;
  int64_t runRows = before == 0 ? rows : part.axes[before].out;
  plan.runLength = (runRows - 1) * plan.layout.extents.back() + columns;
  plan.runPitch = roundUp(plan.runLength, lanes);
  plan.dyPitch = images * plan.runs * plan.runPitch;

  plan.paddedColumns = roundUp(plan.channelBlock * taps, plan.tile.vectors);
  int64_t fitting = std::min(target.l2Bytes / 4 / 4 / plan.paddedColumns,
                             target.l2Bytes / 4 / 4 / plan.dyPitch);
  plan.rowBlock =
      std::clamp<int64_t>(fitting / plan.tile.rows, 1, plan.panels(p)) *
      plan.tile.rows;

  ScratchPlan scratch;
  plan.xOffset = scratch.add(plan.layout.elements + plan.runPitch);
  plan.dyOffset = scratch.add(plan.rowBlock * plan.dyPitch);
  plan.sumOffset = scratch.add(plan.rowBlock * plan.paddedColumns);
  plan.tableOffset = scratch.add(plan.paddedColumns);
  plan.scratchBytes = scratch.size;
  return plan;
}

namespace {
class FilterGradLoops {
public:
  FilterGradLoops(EmitContext &c, const WindowProblem &p,
                  const FilterGradPlan &plan, const KernelTensor &x,
                  const KernelTensor &dy, const KernelTensor &result)
      : c(c), p(p), part(p.parts[0]), plan(plan), x(x), dy(dy), result(result),
        lanes(c.target.lanes()), axes(p.strides.size()),
        taps(p.parts[0].numTaps()) {
    xScratch = viewScratch(c, c.chunkScratch, plan.xOffset,
                           plan.layout.elements + plan.runPitch);
    dyScratch = viewScratch(c, c.chunkScratch, plan.dyOffset,
                            plan.rowBlock * plan.dyPitch);
    sums = viewScratch(c, c.chunkScratch, plan.sumOffset,
                       plan.rowBlock * plan.paddedColumns);
    table = viewScratch(c, c.chunkScratch, plan.tableOffset, plan.paddedColumns,
                        c.b.getI32Type());
  }

  void emit() {
    fillRun(c, xScratch, c.index(0), plan.layout.elements + plan.runPitch, 0);
    fillRun(c, dyScratch, c.index(0), plan.rowBlock * plan.dyPitch, 0);
    Value noOffset = arith::ConstantIntOp::create(c.b, c.loc, 0, 32);
    c.loop(plan.paddedColumns, [&](Value i) { c.store(table, i, noOffset); });
    fillOffsets(c, part, plan.layout, p, table, plan.channelBlock);

    // Items are (group, block of channels, panel of filters); panels are taken
    // `rowBlock` at a time.
    int64_t panels = plan.panels(p),
            blockPanels = plan.rowBlock / plan.tile.rows;
    auto range = c.share(plan.items(p));
    Value one = c.index(1);
    c.loop(c.div(range.begin, panels),
           c.div(c.add(range.end, panels - 1), panels), one, [&](Value block) {
             Value first = c.mul(block, panels);
             Value low = c.max(c.sub(range.begin, first), c.index(0));
             Value high = c.min(c.sub(range.end, first), c.index(panels));
             Value group = c.div(block, plan.channelBlocks(p));
             channel0 =
                 c.mul(c.rem(block, plan.channelBlocks(p)), plan.channelBlock);
             // The last block of channels is moved back to be a whole one; its
             // first channels are computed again, with the same result.
             channel0 =
                 c.min(channel0, c.index(p.channels - plan.channelBlock));
             c.loop(low, high, c.index(blockPanels), [&](Value panel) {
               row0 = c.mul(panel, plan.tile.rows);
               Value endRow =
                   c.min(c.mul(high, plan.tile.rows), c.index(p.rows));
               rows = c.min(c.sub(endRow, row0), c.index(plan.rowBlock));
               emitBlock(group);
             });
           });
  }

private:
  void emitBlock(Value group) {
    fillRun(c, sums, c.index(0), plan.rowBlock * plan.paddedColumns, 0);
    c.loop(plan.bands(), [&](Value number) {
      const Band band = splitBand(c, plan.layout, p.batch, plan.rowBands,
                                  plan.columnBands, number);
      fillSource(c, p, plan.layout, xScratch, x, band,
                 c.add(c.mul(group, p.channels), channel0), plan.channelBlock,
                 p.channels * p.groups);
      fillDy(group, band);
      emitTiles(band.images);
    });
    Value firstRow = c.add(c.mul(group, p.rows), row0);
    c.loop(c.index(0), rows, c.index(1), [&](Value m) {
      Value to = c.add(c.mul(c.add(firstRow, m), p.channels * taps),
                       c.mul(channel0, taps));
      copyRun(c, result, to, sums, c.mul(m, plan.paddedColumns),
              plan.channelBlock * taps);
    });
  }

  /// dyScratch[filter][image][run][position], zero where there is no position.
  void fillDy(Value group, const Band &band) {
    const Value row = band.row, column = band.column;
    SmallVector<int64_t> strides = getRowMajorStrides(p.resultExtents);
    int64_t size = p.resultSize(), last = axes - 1;
    int64_t bandColumns =
        std::min(part.axes[last].out, plan.layout.bandColumns);
    SmallVector<int64_t> box;
    for (size_t i = 0; i + 1 < axes; ++i)
      box.push_back(i == 0 ? plan.layout.bandRows : part.axes[i].out);
    Value zero = c.constant(c.b.getF32Type(), 0);
    c.loop(c.index(0), rows, c.index(1), [&](Value m) {
      c.loop(c.index(0), band.images, c.index(1), [&](Value n) {
        Value from = c.mul(c.add(c.mul(c.add(band.image, n), p.rows * p.groups),
                                 c.add(c.mul(group, p.rows), c.add(row0, m))),
                           size);
        Value to =
            c.add(c.mul(m, plan.dyPitch), c.mul(n, plan.runs * plan.runPitch));
        c.loopNest(box, [&](ValueRange at) {
          // All axes but the last two number the run.
          Value run = c.linearize(
              at.drop_back(1),
              getRowMajorStrides(ArrayRef<int64_t>(box).drop_back(1)));
          Value target =
              c.add(to, c.add(c.mul(run, plan.runPitch),
                              c.mul(at.back(), plan.layout.extents[last])));
          Value source = from;
          for (size_t i = 0; i + 1 < axes; ++i)
            source =
                c.add(source, c.mul(i == 0 && row ? c.add(at[0], row) : at[i],
                                    strides[i]));
          auto copy = [&] {
            if (!column) {
              copyRun(c, dyScratch, target, dy, source, bandColumns);
              return SmallVector<Value>();
            }
            c.loop(bandColumns, [&](Value j) {
              Value position = c.add(column, j);
              auto value = c.ifElse(
                  c.isInside(position, part.axes[last].out), zero.getType(),
                  [&] {
                    return SmallVector<Value>{
                        c.load(dy, c.add(source, position))};
                  },
                  [&] { return SmallVector<Value>{zero}; });
              c.store(dyScratch, c.add(target, j), value.front());
            });
            return SmallVector<Value>();
          };
          if (!row) {
            copy();
            return;
          }
          c.ifElse(c.isInside(c.add(at[0], row), part.axes[0].out), {}, copy,
                   [&] {
                     fillRun(c, dyScratch, target, bandColumns, 0);
                     return SmallVector<Value>();
                   });
        });
      });
    });
  }

  void emitTiles(Value images) {
    TileShape tile = plan.tile;
    auto vectorType = VectorType::get({lanes}, c.b.getF32Type());
    SmallVector<int64_t> runBox;
    for (size_t i = 0; i + 2 < axes; ++i)
      runBox.push_back(i == 0 ? plan.layout.bandRows : part.axes[i].out);
    c.loop(
        c.index(0), c.index(plan.paddedColumns), c.index(tile.vectors),
        [&](Value column) {
          SmallVector<Value> offsets;
          for (int64_t v = 0; v < tile.vectors; ++v)
            offsets.push_back(
                arith::IndexCastOp::create(c.b, c.loc, c.b.getIndexType(),
                                           c.load(table, c.add(column, v))));
          c.loop(c.index(0), rows, c.index(tile.rows), [&](Value m0) {
            SmallVector<Value> acc(tile.rows * tile.vectors,
                                   c.constant(vectorType, 0));
            acc = c.loop(
                c.index(0), c.mul(images, plan.runs), c.index(1), acc,
                [&](Value number, ValueRange carried) {
                  Value xBase =
                      c.mul(c.div(number, plan.runs), plan.layout.imagePitch);
                  if (!runBox.empty())
                    for (auto [i, position] : llvm::enumerate(
                             c.delinearize(c.rem(number, plan.runs), runBox)))
                      xBase =
                          c.add(xBase, c.mul(position, plan.layout.pitches[i]));
                  Value dyBase = c.add(c.mul(m0, plan.dyPitch),
                                       c.mul(number, plan.runPitch));
                  SmallVector<Value> xBases;
                  for (Value offset : offsets)
                    xBases.push_back(c.add(xBase, offset));
                  auto inner = c.loop(
                      c.index(0), c.index(plan.runPitch), c.index(lanes),
                      carried, [&](Value position, ValueRange sum) {
                        SmallVector<Value> next(sum.begin(), sum.end()), xs;
                        for (Value base : xBases)
                          xs.push_back(c.loadVector(
                              xScratch, c.add(base, position), lanes));
                        Value dyLinear = c.add(dyBase, position);
                        for (int64_t m = 0; m < tile.rows; ++m) {
                          Value left = c.loadVector(
                              dyScratch, c.add(dyLinear, m * plan.dyPitch),
                              lanes);
                          for (int64_t v = 0; v < tile.vectors; ++v)
                            next[m * tile.vectors + v] =
                                c.fma(left, xs[v], next[m * tile.vectors + v]);
                        }
                        return next;
                      });
                  keepLoop(inner);
                  return inner;
                });
            keepLoop(acc);
            for (int64_t m = 0; m < tile.rows; ++m)
              for (int64_t v = 0; v < tile.vectors; ++v) {
                Value at = c.add(c.mul(c.add(m0, m), plan.paddedColumns),
                                 c.add(column, v));
                c.store(sums, at,
                        c.addf(c.load(sums, at),
                               c.sumLanes(acc[m * tile.vectors + v])));
              }
          });
        });
  }

  EmitContext &c;
  const WindowProblem &p;
  const WindowPart &part;
  const FilterGradPlan &plan;
  const KernelTensor &x, &dy, &result;
  int64_t lanes;
  size_t axes;
  int64_t taps;
  KernelTensor xScratch, dyScratch, sums, table;
  Value channel0, row0, rows;
};

constexpr int64_t kMaxScratchBytes = 4 << 20;

class FilterGradEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "conv_filter_grad"; }
  bool match(nn::KernelOp kernel,
             const TargetDescription &target) const override {
    auto op = dyn_cast_or_null<nn::ConvFilterGradOp>(getSingleOp(kernel));
    if (!op || target.isGPU || getElementTypeOrSelf(op.getInput()).isF64())
      return false;
    WindowProblem problem = getFilterGradProblem(op);
    return problem.batch > 0 && problem.resultSize() > 0 &&
           problem.sourceSize() > 0 && problem.rows > 0 &&
           problem.channels > 0 && problem.parts[0].numTaps() > 0 &&
           makePlan(problem, target).scratchBytes <= kMaxScratchBytes;
  }
  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &target) const override {
    WindowProblem problem =
        getFilterGradProblem(cast<nn::ConvFilterGradOp>(getSingleOp(kernel)));
    FilterGradPlan plan = makePlan(problem, target);
    KernelShape shape = KernelShape::parallel(plan.items(problem));
    shape.chunkScratchBytes = plan.scratchBytes;
    return shape;
  }
  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    auto op = cast<nn::ConvFilterGradOp>(getSingleOp(kernel));
    WindowProblem problem = getFilterGradProblem(op);
    FilterGradPlan plan = makePlan(problem, c.target);
    FilterGradLoops(c, problem, plan, getInput(c, op.getInput()),
                    getInput(c, op.getDy()),
                    *getOutput(c, kernel, op.getResult()))
        .emit();
    return success();
  }
};
} // namespace

void addConvolutionFilterGradKernels(KernelRegistry &registry) {
  registry.add(std::make_unique<FilterGradEmitter>(), 10);
}

} // namespace mpt::conversion
