//===- Section.h - Folds over parts of a tensor -----------------*- C++ -*-===//
//
// Normalizations, softmax and reductions work on sections of a tensor: the
// elements that share a mean, a sum or a maximum. The lanes of a vector lie
// either along a section (its innermost axis is contiguous: one section at a
// time, the lanes are folded at the end) or across sections (the contiguous
// axis is not part of a section: as many sections as lanes at a time). Loops
// are written once for both. The order of a fold depends on shapes and vector
// length alone, never on the number of threads.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_LIB_CONVERSION_KERNELS_SECTION_H
#define MPT_LIB_CONVERSION_KERNELS_SECTION_H

#include "mpt/Conversion/KernelEmitter.h"

#include <utility>

namespace mpt::conversion {

class Section {
public:
  /// An axis of a section: extent and stride.
  using Axis = std::pair<int64_t, int64_t>;

  /// Lanes along: `run` contiguous elements for every position of `axes`.
  static Section along(EmitContext &c, mlir::Value base,
                       llvm::ArrayRef<Axis> axes, int64_t run);
  /// `lanes` sections side by side (1: a single one, element by element).
  static Section across(EmitContext &c, mlir::Value base,
                        llvm::ArrayRef<Axis> axes, int64_t lanes);

  /// Lanes of a value per section, such as a mean.
  int64_t valueLanes() const { return isAlong ? 1 : lanes; }
  /// Elements of one section.
  int64_t size() const;
  mlir::Value getBase() const { return base; }

  /// Visits `width` consecutive elements, `offset` behind the base.
  using Visit = llvm::function_ref<void(mlir::Value offset, int64_t width)>;
  void forEach(Visit visit) const;

  /// Folds: `fold` updates the accumulators (of `width` lanes) by the elements;
  /// `combine` joins two of them. Gives one value per section each.
  using Fold =
      llvm::function_ref<void(mlir::Value offset, int64_t width,
                              llvm::MutableArrayRef<mlir::Value> accumulators)>;
  using Combine = llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)>;
  llvm::SmallVector<mlir::Value> fold(unsigned count, double identity,
                                      Fold fold, Combine combine) const;
  llvm::SmallVector<mlir::Value> sum(unsigned count, Fold fold) const;
  /// The sum, or the maximum (NaN wins), of one expression.
  mlir::Value
  sumOf(llvm::function_ref<mlir::Value(mlir::Value, int64_t)> term) const;
  mlir::Value
  maxOf(llvm::function_ref<mlir::Value(mlir::Value, int64_t)> term) const;

  /// A value per section as an operand beside `width` elements.
  mlir::Value spread(mlir::Value value, int64_t width) const;

  /// Elements at base + offset, or values per section at `linear`.
  mlir::Value load(const KernelTensor &tensor, mlir::Value offset,
                   int64_t width) const;
  void store(const KernelTensor &tensor, mlir::Value offset, int64_t width,
             mlir::Value value) const;
  mlir::Value loadValue(const KernelTensor &tensor, mlir::Value linear) const;
  void storeValue(const KernelTensor &tensor, mlir::Value linear,
                  mlir::Value value) const;

private:
  Section(EmitContext &c) : c(c) {}
  /// The widths of accesses along a run, with how many elements each covers.
  llvm::SmallVector<std::pair<int64_t, int64_t>> getPieces() const;

  EmitContext &c;
  mlir::Value base;
  llvm::SmallVector<Axis> axes;
  bool isAlong = true;
  int64_t run = 1, lanes = 1;
};

/// `width` consecutive elements; a scalar for one.
mlir::Value loadElements(EmitContext &c, const KernelTensor &tensor,
                         mlir::Value linear, int64_t width);
void storeElements(EmitContext &c, const KernelTensor &tensor,
                   mlir::Value linear, int64_t width, mlir::Value value);
/// A constant beside `width` f32 elements.
mlir::Value constantElements(EmitContext &c, double value, int64_t width);

/// How many blocks of lanes `extent` has, and the sections of one block: the
/// last block may be handed out one by one.
int64_t getLaneBlocks(const TargetDescription &target, int64_t extent);
void forLaneBlock(
    EmitContext &c, int64_t extent, mlir::Value block,
    llvm::function_ref<void(mlir::Value first, int64_t lanes)> body);

} // namespace mpt::conversion

#endif // MPT_LIB_CONVERSION_KERNELS_SECTION_H
