//===- PartedFold.h - Sums by many threads ----------------------*- C++ -*-===//
//
// A GPU needs thousands of threads to read memory at its speed, and reductions
// often have few results. Each is cut into parts: a thread per part, element
// part, part + parts, ... of the section, then (in the next phase) a thread per
// section that adds up the parts in order. The order depends on shapes alone.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_LIB_CONVERSION_KERNELS_PARTEDFOLD_H
#define MPT_LIB_CONVERSION_KERNELS_PARTEDFOLD_H

#include "mpt/Conversion/KernelEmitter.h"

namespace mpt::conversion {

struct PartedFold {
  int64_t sections, size;
  int64_t parts = 1;
  /// Neighbouring threads take neighbouring parts of a section, rather than
  /// the same part of neighbouring sections.
  bool partsAreNeighbours = true;

  /// Parts are for GPUs alone; a CPU takes a section at a time.
  PartedFold(int64_t sections, int64_t size, const TargetDescription &target)
      : sections(sections), size(size) {
    // The next phase reads the parts one after the other; a part is worth a
    // thread from some elements on.
    constexpr int64_t kMaxParts = 256, kThreads = 1 << 16, kLeast = 8;
    if (target.isGPU && sections > 0)
      parts = std::clamp<int64_t>(std::min(kThreads / sections, size / kLeast),
                                  1, kMaxParts);
  }
  int64_t items() const { return sections * parts; }

  using Values = llvm::SmallVector<mlir::Value>;
  using Body =
      llvm::function_ref<Values(mlir::Value element, mlir::ValueRange carried)>;
  /// All parts of all sections: `begin(section)` gives the initial values and
  /// may compute what the body needs, `body` adds element (a number below
  /// `size`) to the carried values, `end(section, part, results)` keeps them.
  void
  emitParts(EmitContext &c,
            llvm::function_ref<Values(mlir::Value section)> begin,
            llvm::function_ref<Values(mlir::Value section, mlir::Value element,
                                      mlir::ValueRange carried)>
                body,
            llvm::function_ref<void(mlir::Value section, mlir::Value part,
                                    mlir::ValueRange results)>
                end) const;
  /// Where the partial result of a part is in an array of items() elements.
  mlir::Value getSlot(EmitContext &c, mlir::Value section,
                      mlir::Value part) const;
  /// Folds the partial results of a section.
  Values combineParts(EmitContext &c, mlir::Value section,
                      mlir::ValueRange init, Body body) const;
};

/// `count` elements of shared scratch as a tensor, from a byte offset on.
KernelTensor viewShared(EmitContext &c, int64_t byteOffset, int64_t count,
                        mlir::Type type);

} // namespace mpt::conversion

#endif // MPT_LIB_CONVERSION_KERNELS_PARTEDFOLD_H
