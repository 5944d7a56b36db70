//===- Evaluation.h - What an evaluation function sees ----------*- C++ -*-===//

#ifndef MPT_LIB_REFERENCE_EVALUATION_H
#define MPT_LIB_REFERENCE_EVALUATION_H

#include "mpt/Reference/Interpreter.h"
#include "llvm/ADT/StringMap.h"

#include <array>

namespace mpt::reference {

/// Values from outside that the regions of an operation read.
using Captures = llvm::DenseMap<mlir::Value, const Tensor *>;

/// One operation being evaluated. The results are allocated, all zero, with the
/// operation's result types; rounding them is the caller's business.
struct Evaluation {
  mlir::Operation *op;
  llvm::ArrayRef<const Tensor *> operands;
  const Options &options;
  llvm::SmallVector<Tensor> results;
  const Captures *captures = nullptr;

  const Tensor &operand(unsigned index) const { return *operands[index]; }
  /// For an operation whose only optional operand is the last one.
  const Tensor *optionalOperand(unsigned index) const {
    return index < operands.size() ? operands[index] : nullptr;
  }
  Tensor &result(unsigned index = 0) { return results[index]; }
};

class Registry {
public:
  using Function = std::function<mlir::LogicalResult(Evaluation &)>;

  /// `function` takes (OpTy, Evaluation &) and returns LogicalResult or void.
  template <typename OpTy, typename F> void add(F function) {
    functions[OpTy::getOperationName()] = [function](Evaluation &e) {
      OpTy op = llvm::cast<OpTy>(e.op);
      if constexpr (std::is_void_v<decltype(function(op, e))>) {
        function(op, e);
        return mlir::success();
      } else {
        return function(op, e);
      }
    };
  }
  const Function *find(llvm::StringRef name) const {
    auto it = functions.find(name);
    return it == functions.end() ? nullptr : &it->second;
  }

private:
  llvm::StringMap<Function> functions;
};

void addUnaryEvaluations(Registry &registry);
void addElementwiseEvaluations(Registry &registry);
void addContractionEvaluations(Registry &registry);
void addPoolingEvaluations(Registry &registry);
void addNormalizationEvaluations(Registry &registry);
void addSoftmaxEvaluations(Registry &registry);
void addReductionEvaluations(Registry &registry);
void addShapeEvaluations(Registry &registry);
void addIndexingEvaluations(Registry &registry);
void addTrainingEvaluations(Registry &registry);
void addCTCEvaluations(Registry &registry);
void addControlFlowEvaluations(Registry &registry);
void addStructureEvaluations(Registry &registry);
void addScalingEvaluations(Registry &registry);

/// Evaluates the operations of a block up to its terminator, whose operands
/// are the result.
mlir::FailureOr<llvm::SmallVector<Tensor>>
evaluateBlock(mlir::Block &block, llvm::ArrayRef<const Tensor *> arguments,
              const Options &options, const Captures *captures = nullptr);

//===----------------------------------------------------------------------===//
// Loops over strided boxes
//===----------------------------------------------------------------------===//

/// Elements of a tensor at `offset` plus one stride per axis of a box.
struct View {
  int64_t offset = 0;
  llvm::SmallVector<int64_t> strides;
};

llvm::SmallVector<int64_t> rowMajorStrides(llvm::ArrayRef<int64_t> shape);
/// A whole row-major tensor.
View contiguous(llvm::ArrayRef<int64_t> shape);
/// A tensor of shape `from` broadcast to `to` (NumPy): stride 0 where repeated.
View broadcast(llvm::ArrayRef<int64_t> from, llvm::ArrayRef<int64_t> to);
int64_t product(llvm::ArrayRef<int64_t> extents);

/// Covers the box `shape`, seen through N views, by rows along one axis and
/// calls `row(count, offsets, strides)` for each. Axes that lie one behind the
/// other in all views are merged, so that rows are long.
template <size_t N, typename Row>
void forEachRow(llvm::ArrayRef<int64_t> shape, const std::array<View, N> &views,
                Row &&row) {
  llvm::SmallVector<int64_t> extents;
  llvm::SmallVector<std::array<int64_t, N>> strides;
  std::array<int64_t, N> offsets;
  for (size_t n = 0; n < N; ++n)
    offsets[n] = views[n].offset;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 0)
      return;
    if (shape[axis] == 1)
      continue;
    std::array<int64_t, N> stride;
    for (size_t n = 0; n < N; ++n)
      stride[n] = views[n].strides[axis];
    bool mergeable = !extents.empty();
    for (size_t n = 0; n < N && mergeable; ++n)
      mergeable = strides.back()[n] == stride[n] * shape[axis];
    if (mergeable) {
      extents.back() *= shape[axis];
      strides.back() = stride;
    } else {
      extents.push_back(shape[axis]);
      strides.push_back(stride);
    }
  }
  if (extents.empty()) {
    row(int64_t(1), offsets, std::array<int64_t, N>{});
    return;
  }
  const int64_t count = extents.pop_back_val();
  const std::array<int64_t, N> inner = strides.pop_back_val();
  llvm::SmallVector<int64_t> index(extents.size(), 0);
  while (true) {
    row(count, offsets, inner);
    int64_t axis = static_cast<int64_t>(extents.size()) - 1;
    for (; axis >= 0; --axis) {
      for (size_t n = 0; n < N; ++n)
        offsets[n] += strides[axis][n];
      if (++index[axis] < extents[axis])
        break;
      for (size_t n = 0; n < N; ++n)
        offsets[n] -= strides[axis][n] * extents[axis];
      index[axis] = 0;
    }
    if (axis < 0)
      return;
  }
}

/// `fn(element offsets...)` for every element of the box.
template <size_t N, typename Fn>
void forEachElement(llvm::ArrayRef<int64_t> shape,
                    const std::array<View, N> &views, Fn &&fn) {
  forEachRow<N>(shape, views,
                [&](int64_t count, std::array<int64_t, N> offsets,
                    const std::array<int64_t, N> &strides) {
                  for (int64_t i = 0; i < count; ++i) {
                    std::apply(fn, offsets);
                    for (size_t n = 0; n < N; ++n)
                      offsets[n] += strides[n];
                  }
                });
}

/// Copies the box `shape` of `source` to `target`, of one element type.
void copyBox(llvm::ArrayRef<int64_t> shape, const Tensor &source,
             const View &sourceView, Tensor &target, const View &targetView);

/// The extents before, at and behind an axis.
struct AxisSplit {
  int64_t outer, extent, inner;
};
AxisSplit splitAtAxis(llvm::ArrayRef<int64_t> shape, int64_t axis);

} // namespace mpt::reference

#endif // MPT_LIB_REFERENCE_EVALUATION_H
