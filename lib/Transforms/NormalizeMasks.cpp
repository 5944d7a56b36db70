//===- NormalizeMasks.cpp - Write constant attention masks with infinities ===//

#include "mpt/Transforms/Passes.h"

#include "mpt/Dialect/NN/IR/NNDialect.h"

#include <limits>

namespace mpt {
#define GEN_PASS_DEF_NORMALIZEMASKSPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;

/// A score is never that small.
static constexpr float kMasked = -1e30f;

/// The mask with infinities; null when it has no masked element, is infinite
/// already, or when some row along `axis` is masked completely.
static DenseElementsAttr normalize(DenseElementsAttr mask, int64_t axis) {
  auto type = cast<RankedTensorType>(mask.getType());
  if (!type.getElementType().isF32() || mask.isSplat())
    return {};
  auto values = llvm::to_vector(mask.getValues<float>());
  int64_t extent = type.getDimSize(axis), inner = 1;
  for (int64_t size : type.getShape().drop_front(axis + 1))
    inner *= size;
  int64_t rows = extent == 0 ? 0 : values.size() / extent;
  bool changed = false;
  for (int64_t row = 0; row < rows; ++row) {
    float *first = &values[row / inner * extent * inner + row % inner];
    bool open = false;
    for (int64_t i = 0; i < extent; ++i) {
      float &value = first[i * inner];
      open |= value > kMasked; // false for NaN
      if (value <= kMasked) {
        changed |= value != -std::numeric_limits<float>::infinity();
        value = -std::numeric_limits<float>::infinity();
      }
    }
    if (!open)
      return {};
  }
  return changed ? DenseElementsAttr::get(type, ArrayRef<float>(values))
                 : DenseElementsAttr();
}

/// Rewrites the mask that is added to the softmax's operand; false if there is
/// none.
static bool normalizeMaskOf(nn::SoftmaxOp softmax) {
  auto add = softmax.getInput().getDefiningOp<nn::AddOp>();
  if (!add || !add->hasOneUse())
    return false;
  int64_t rank = cast<RankedTensorType>(add.getType()).getRank();
  int64_t axis = softmax.getAxis();
  for (OpOperand &operand : add->getOpOperands()) {
    auto constant = operand.get().getDefiningOp<nn::ConstantOp>();
    auto mask = constant ? dyn_cast<DenseElementsAttr>(constant.getValue())
                         : DenseElementsAttr();
    if (!mask)
      continue;
    // Shapes are aligned on the right; a mask that does not vary along the axis
    // masks whole rows.
    auto type = cast<RankedTensorType>(mask.getType());
    int64_t own = axis - (rank - type.getRank());
    if (own < 0 || type.getDimSize(own) !=
                       cast<RankedTensorType>(add.getType()).getDimSize(axis))
      continue;
    DenseElementsAttr normalized = normalize(mask, own);
    if (!normalized)
      continue;
    OpBuilder builder(constant);
    operand.set(nn::ConstantOp::create(builder, constant.getLoc(), normalized));
    if (constant->use_empty())
      constant->erase();
    return true;
  }
  return false;
}

namespace {
struct NormalizeMasksPass
    : mpt::impl::NormalizeMasksPassBase<NormalizeMasksPass> {
  void runOnOperation() override {
    bool changed = false;
    getOperation().walk(
        [&](nn::SoftmaxOp op) { changed |= normalizeMaskOf(op); });
    if (!changed)
      markAllAnalysesPreserved(); // and no verifier runs
  }
};
} // namespace
