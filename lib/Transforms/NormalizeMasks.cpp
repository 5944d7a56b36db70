//===- NormalizeMasks.cpp - Masks of softmaxes that 16 bits can hold ------===//

#include "mpt/Transforms/Passes.h"

#include "mpt/Analysis/FloatConstants.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

#include <cmath>
#include <limits>
#include <optional>

namespace mpt {
#define GEN_PASS_DEF_NORMALIZEMASKSPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;

/// A score is never that small, and added to such a number it is lost.
static constexpr float kMasked = -1e30f;
/// FP16 has no numbers below. What lies between the two still masks.
static constexpr float kLowestHalf = -65504.0f;

//===----------------------------------------------------------------------===//
// Constant masks
//===----------------------------------------------------------------------===//

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

/// Rewrites the constant that is added to the softmax's operand; false if there
/// is none.
static bool normalizeConstantOf(nn::SoftmaxOp softmax) {
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

//===----------------------------------------------------------------------===//
// Masks that are chosen by a condition
//===----------------------------------------------------------------------===//

/// The number of which a constant consists; none for other values.
static std::optional<float> getSplat(Value value) {
  auto constant = value.getDefiningOp<nn::ConstantOp>();
  auto elements = constant ? dyn_cast<DenseFPElementsAttr>(constant.getValue())
                           : DenseFPElementsAttr();
  if (!elements || !elements.isSplat() || !elements.getElementType().isF32())
    return std::nullopt;
  return elements.getSplatValue<float>();
}

/// softmax(x + where(c, 0, huge)) as softmax(where(c, x, huge)): the sum is x
/// or, since x is lost in it, the huge number.
static bool chooseInsteadOfAdding(nn::SoftmaxOp softmax) {
  auto add = softmax.getInput().getDefiningOp<nn::AddOp>();
  if (!add || !add->hasOneUse())
    return false;
  for (unsigned side : {0u, 1u}) {
    auto mask = add->getOperand(side).getDefiningOp<nn::WhereOp>();
    if (!mask)
      continue;
    std::optional<float> first = getSplat(mask.getX()),
                         second = getSplat(mask.getY());
    auto masks = [](std::optional<float> open, std::optional<float> masked) {
      return open == 0.0f && masked && *masked <= kMasked &&
             std::isfinite(*masked);
    };
    const bool keepsFirst = masks(first, second);
    if (!keepsFirst && !masks(second, first))
      continue;
    Value scores = add->getOperand(1 - side);
    OpBuilder builder(add);
    auto chosen = nn::WhereOp::create(
        builder, add.getLoc(), mask.getCondition(),
        keepsFirst ? scores : mask.getX(), keepsFirst ? mask.getY() : scores);
    // Constants of several elements may have made the sum larger.
    if (chosen.getType() != add.getType()) {
      chosen.erase();
      return false;
    }
    add.replaceAllUsesWith(chosen.getResult());
    add.erase();
    if (mask.use_empty())
      mask.erase();
    return true;
  }
  return false;
}

/// Marks a choice between scores and a huge number that only softmaxes read.
static bool markChoice(nn::SoftmaxOp softmax) {
  auto choice = softmax.getInput().getDefiningOp<nn::WhereOp>();
  if (!choice || choice->hasAttr(kMaskAttrName) ||
      !llvm::all_of(choice->getUsers(), llvm::IsaPred<nn::SoftmaxOp>))
    return false;
  auto masks = [](Value value) {
    std::optional<float> number = getSplat(value);
    return number && std::isfinite(*number) && *number < kLowestHalf;
  };
  if (masks(choice.getX()) == masks(choice.getY()))
    return false;
  choice->setAttr(kMaskAttrName, UnitAttr::get(choice.getContext()));
  return true;
}

namespace {
struct NormalizeMasksPass
    : mpt::impl::NormalizeMasksPassBase<NormalizeMasksPass> {
  void runOnOperation() override {
    bool changed = false;
    getOperation().walk([&](nn::SoftmaxOp op) {
      changed |= normalizeConstantOf(op);
      changed |= chooseInsteadOfAdding(op);
      changed |= markChoice(op);
    });
    if (!changed)
      markAllAnalysesPreserved(); // and no verifier runs
  }
};
} // namespace
