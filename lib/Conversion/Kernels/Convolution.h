//===- Convolution.h - Convolutions as shifted windows ----------*- C++ -*-===//
//
// A convolution is computed without an im2col buffer. A band of the input (a
// few images, or some rows of one) is copied to FP32 scratch with its padding,
// the axes with a stride split by phase (x = stride * q + phase), so that the
// elements that a filter tap meets lie side by side:
//
//     scratch [channel][phase...][image][q...]
//
// A vector of consecutive outputs then reads consecutive elements at an offset
// that depends on (channel, tap) alone; a table holds the offsets, and the
// whole is the register tile of a matrix product.
//
// The transposed convolution of stride s is s^D such problems, one per phase of
// the *result*, each with the taps that reach it.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_LIB_CONVERSION_KERNELS_CONVOLUTION_H
#define MPT_LIB_CONVERSION_KERNELS_CONVOLUTION_H

#include "Tile.h"

namespace mpt::conversion {

/// Axis of the source: out position o and tap t meet the element
/// o * stride + offset + t * tapStep, if it lies in [0, in).
struct WindowAxis {
  int64_t out, taps, offset, tapStep;
  /// Where the result of position o is, and the filter element of tap t.
  int64_t resultBegin, resultStep, filterBegin, filterStep;
};

/// The results with one phase.
struct WindowPart {
  llvm::SmallVector<WindowAxis> axes;
  int64_t numTaps() const {
    int64_t taps = 1;
    for (const WindowAxis &axis : axes)
      taps *= axis.taps;
    return taps;
  }
};

/// result[n, g * rows + m, result(o)] = sum over channel c and tap t of
/// filter[g * filterGroup + m * filterRow + c * filterChannel + tap] *
/// source[n, g * channels + c, ...].
struct WindowProblem {
  int64_t batch, groups, channels, rows;
  llvm::SmallVector<int64_t> sourceExtents, resultExtents, filterExtents,
      strides;
  int64_t filterGroup, filterRow, filterChannel;
  llvm::SmallVector<WindowPart> parts;
  int64_t sourceSize() const { return product(sourceExtents); }
  int64_t resultSize() const { return product(resultExtents); }
  static int64_t product(llvm::ArrayRef<int64_t> values) {
    int64_t result = 1;
    for (int64_t value : values)
      result *= value;
    return result;
  }
};

WindowProblem getConvProblem(nn::ConvOp op);
WindowProblem getConvTransposeProblem(nn::ConvTransposeOp op);
/// That of the forward convolution: `rows` filters, the result is dy.
WindowProblem getFilterGradProblem(nn::ConvFilterGradOp op);

/// How bands of the source are laid out in scratch.
struct SourceLayout {
  /// Per axis: least element offset of a tap, number of phases, positions per
  /// phase.
  llvm::SmallVector<int64_t> begin, phases, extents;
  int64_t images = 1;      // images of a band
  int64_t bandRows = 0;    // positions of axis 0 of a band
  int64_t bandColumns = 0; // positions of the last axis of a band
  int64_t imagePitch = 0, phasePitch = 0, channelPitch = 0;
  int64_t elements = 0;
  /// Scratch offset of a shift (element offset of a tap minus `begin`).
  llvm::SmallVector<int64_t> phasePitches, pitches;
};

/// The layout of a band of `images` images, `rows` positions of the first and
/// `columns` of the last axis, for `channels` channels.
SourceLayout getSourceLayout(const WindowProblem &problem, int64_t channels,
                             int64_t images, int64_t rows, int64_t columns,
                             int64_t lanes);

/// Where a band lies in the batch and along the axes that are cut.
struct Band {
  mlir::Value image, images; // first image, and how many
  mlir::Value row, column;   // null where the axis is not cut
};

/// The band of a number in [0, image bands * rowBands * columnBands).
Band splitBand(EmitContext &c, const SourceLayout &layout, int64_t batch,
               int64_t rowBands, int64_t columnBands, mlir::Value number);

/// Copies channels [channel, channel + count)
/// to scratch, for the images of a band and from its position of axis 0 and of
/// the last axis on. Scratch must have been zeroed before the first call if the
/// band is whole images.
void fillSource(EmitContext &c, const WindowProblem &problem,
                const SourceLayout &layout, const KernelTensor &scratch,
                const KernelTensor &source, const Band &band,
                mlir::Value channel, int64_t count, int64_t totalChannels);

/// Writes the scratch offset of every (channel, tap) to the i32 table.
void fillOffsets(EmitContext &c, const WindowPart &part,
                 const SourceLayout &layout, const WindowProblem &problem,
                 const KernelTensor &table, int64_t channels);

} // namespace mpt::conversion

#endif // MPT_LIB_CONVERSION_KERNELS_CONVOLUTION_H
