//===- WindowSource.cpp - The source of a convolution in scratch ----------===//

#include "Convolution.h"

using namespace mlir;

namespace mpt::conversion {

SourceLayout getSourceLayout(const WindowProblem &problem, int64_t channels,
                             int64_t images, int64_t rows, int64_t columns,
                             int64_t lanes) {
  SourceLayout layout;
  size_t axes = problem.strides.size();
  layout.images = images;
  layout.bandRows = rows;
  layout.bandColumns = columns;
  for (size_t i = 0; i < axes; ++i) {
    int64_t least = INT64_MAX, most = INT64_MIN, out = 0;
    for (const WindowPart &part : problem.parts) {
      if (part.numTaps() == 0)
        continue;
      const WindowAxis &axis = part.axes[i];
      int64_t last = axis.offset + (axis.taps - 1) * axis.tapStep;
      least = std::min({least, axis.offset, last});
      most = std::max({most, axis.offset, last});
      out = std::max(out, axis.out);
    }
    if (least > most)
      least = most = 0;
    if (i == 0)
      out = std::min(out, rows);
    if (i + 1 == axes)
      out = std::min(out, columns);
    layout.begin.push_back(least);
    layout.phases.push_back(std::min(problem.strides[i], most - least + 1));
    layout.extents.push_back(out + (most - least) / problem.strides[i]);
  }
  layout.pitches.assign(axes, 1);
  for (size_t i = axes - 1; i > 0; --i)
    layout.pitches[i - 1] = layout.pitches[i] * layout.extents[i];
  layout.imagePitch = layout.pitches[0] * layout.extents[0];
  layout.phasePitch = layout.imagePitch * images;
  layout.phasePitches.assign(axes, layout.phasePitch);
  layout.channelPitch = layout.phasePitch;
  for (size_t i = axes; i-- > 0;) {
    layout.phasePitches[i] = layout.channelPitch;
    layout.channelPitch *= layout.phases[i];
  }
  // The last vector of a row may reach behind it.
  layout.elements = channels * layout.channelPitch + lanes;
  return layout;
}

namespace {
/// Copies the rows of one phase.
class SourceFiller {
public:
  SourceFiller(EmitContext &c, const WindowProblem &problem,
               const SourceLayout &layout, const KernelTensor &scratch,
               const KernelTensor &source, Value row, Value column)
      : c(c), problem(problem), layout(layout), scratch(scratch),
        source(source), row(row), column(column), axes(problem.strides.size()),
        phase(axes, 0) {
    sourceStrides = getRowMajorStrides(problem.sourceExtents);
  }

  /// All phases of the image at these linear positions.
  void fill(Value scratchBase, Value sourceBase, size_t axis = 0) {
    if (axis == axes) {
      fillAxis(scratchBase, sourceBase, 0);
      return;
    }
    for (phase[axis] = 0; phase[axis] < layout.phases[axis]; ++phase[axis])
      if (isUsed(axis, phase[axis]))
        fill(c.add(scratchBase, phase[axis] * layout.phasePitches[axis]),
             sourceBase, axis + 1);
  }

private:
  /// Does a tap have this phase?
  bool isUsed(size_t i, int64_t wanted) {
    for (const WindowPart &part : problem.parts)
      for (int64_t t = 0; t < part.axes[i].taps; ++t)
        if ((part.axes[i].offset + t * part.axes[i].tapStep - layout.begin[i]) %
                problem.strides[i] ==
            wanted)
          return true;
    return false;
  }
  /// Source position of scratch position 0 of an axis.
  int64_t origin(size_t i) { return layout.begin[i] + phase[i]; }
  /// The scratch positions inside the source.
  std::pair<int64_t, int64_t> inside(size_t i) {
    int64_t stride = problem.strides[i], first = origin(i);
    int64_t low = first >= 0 ? 0 : ceilDiv(-first, stride);
    int64_t high = first >= problem.sourceExtents[i]
                       ? 0
                       : (problem.sourceExtents[i] - 1 - first) / stride + 1;
    high = std::min(high, layout.extents[i]);
    return {std::min(low, high), high};
  }

  void fillAxis(Value scratchBase, Value sourceBase, size_t i) {
    if (i + 1 == axes) {
      fillRow(scratchBase, sourceBase);
      return;
    }
    auto step = [&](Value j, Value position) {
      fillAxis(c.add(scratchBase, c.mul(j, layout.pitches[i])),
               c.add(sourceBase, c.mul(position, sourceStrides[i])), i + 1);
    };
    if (i == 0 && row) {
      c.loop(layout.extents[0], [&](Value j) {
        Value position =
            c.add(c.mul(c.add(row, j), problem.strides[0]), origin(0));
        c.ifElse(
            c.isInside(position, problem.sourceExtents[0]), {},
            [&] {
              step(j, position);
              return SmallVector<Value>();
            },
            [&] {
              fillRun(c, scratch,
                      c.add(scratchBase, c.mul(j, layout.pitches[0])),
                      layout.pitches[0], 0);
              return SmallVector<Value>();
            });
      });
      return;
    }
    auto [low, high] = inside(i);
    if (low < high)
      c.loop(c.index(low), c.index(high), c.index(1), [&](Value j) {
        step(j, c.add(c.mul(j, problem.strides[i]), origin(i)));
      });
  }

  void fillRow(Value scratchBase, Value sourceBase) {
    size_t last = axes - 1;
    int64_t stride = problem.strides[last];
    if (!column) {
      auto [low, high] = inside(last);
      copyRun(c, scratch, c.add(scratchBase, low), source,
              c.add(sourceBase, low * stride + origin(last)), high - low,
              stride);
      return;
    }
    Value zero = c.constant(c.b.getF32Type(), 0);
    c.loop(layout.extents[last], [&](Value j) {
      Value position = c.add(c.mul(c.add(column, j), stride), origin(last));
      auto value = c.ifElse(
          c.isInside(position, problem.sourceExtents[last]), zero.getType(),
          [&] {
            return SmallVector<Value>{
                c.load(source, c.add(sourceBase, position))};
          },
          [&] { return SmallVector<Value>{zero}; });
      c.store(scratch, c.add(scratchBase, j), value.front());
    });
  }

  EmitContext &c;
  const WindowProblem &problem;
  const SourceLayout &layout;
  const KernelTensor &scratch, &source;
  Value row, column; // null: the band is whole along this axis
  size_t axes;
  SmallVector<int64_t> phase, sourceStrides;
};
} // namespace

Band splitBand(EmitContext &c, const SourceLayout &layout, int64_t batch,
               int64_t rowBands, int64_t columnBands, Value number) {
  Band band;
  if (columnBands > 1) {
    band.column = c.mul(c.rem(number, columnBands), layout.bandColumns);
    number = c.div(number, columnBands);
  }
  if (rowBands > 1) {
    band.row = c.mul(c.rem(number, rowBands), layout.bandRows);
    number = c.div(number, rowBands);
  }
  band.image = c.mul(number, layout.images);
  band.images = layout.images == 1 ? c.index(1)
                                   : c.min(c.sub(c.index(batch), band.image),
                                           c.index(layout.images));
  return band;
}

void fillSource(EmitContext &c, const WindowProblem &problem,
                const SourceLayout &layout, const KernelTensor &scratch,
                const KernelTensor &source, const Band &band, Value channel,
                int64_t count, int64_t totalChannels) {
  int64_t size = problem.sourceSize();
  SourceFiller filler(c, problem, layout, scratch, source, band.row,
                      band.column);
  c.loop(c.index(0), band.images, c.index(1), [&](Value n) {
    Value firstChannel =
        c.add(c.mul(c.add(band.image, n), totalChannels), channel);
    c.loop(count, [&](Value k) {
      filler.fill(
          c.add(c.mul(k, layout.channelPitch), c.mul(n, layout.imagePitch)),
          c.mul(c.add(firstChannel, k), size));
    });
  });
}

void fillOffsets(EmitContext &c, const WindowPart &part,
                 const SourceLayout &layout, const WindowProblem &problem,
                 const KernelTensor &table, int64_t channels) {
  SmallVector<int64_t> box{channels};
  for (const WindowAxis &axis : part.axes)
    box.push_back(axis.taps);
  SmallVector<int64_t> strides = getRowMajorStrides(box);
  c.loopNest(box, [&](ValueRange at) {
    Value offset = c.mul(at[0], layout.channelPitch);
    for (auto [i, axis] : llvm::enumerate(part.axes)) {
      Value shift =
          c.add(c.mul(at[i + 1], axis.tapStep), axis.offset - layout.begin[i]);
      offset = c.add(offset, c.mul(c.rem(shift, problem.strides[i]),
                                   layout.phasePitches[i]));
      offset = c.add(
          offset, c.mul(c.div(shift, problem.strides[i]), layout.pitches[i]));
    }
    Value narrow =
        arith::IndexCastOp::create(c.b, c.loc, c.b.getI32Type(), offset);
    c.store(table, c.linearize(at, strides), narrow);
  });
}

} // namespace mpt::conversion
