//===- NormalizeMasks.cpp - Masks of softmaxes that 16 bits can hold ------===//

#include "mpt/Transforms/Passes.h"

#include "mpt/Analysis/FloatConstants.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
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

/// A score that is added to such a number is lost in it: below 32, half an ulp.
static constexpr float kMasked = -1e9f;
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
      open |= value > kLowestHalf / 2; // false for NaN
      if (value < kLowestHalf) {
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
// Masks that are added
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

/// The value without the operations behind it that only move its elements.
static Value lookThroughViews(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<nn::ReshapeOp, nn::ExpandOp, nn::TransposeOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// Does it hold whole numbers only? Conditions and what is computed from them:
/// attention masks are integers in the models' inputs.
static bool isWhole(Value value, int depth = 8) {
  value = lookThroughViews(value);
  if (std::optional<float> number = getSplat(value))
    return std::trunc(*number) == *number; // false for NaN, true for infinity
  Operation *op = value.getDefiningOp();
  if (!op || depth == 0)
    return false;
  if (auto cast = dyn_cast<nn::CastOp>(op))
    return !isa<FloatType>(getElementTypeOrSelf(cast.getInput().getType())) ||
           isWhole(cast.getInput(), depth - 1);
  return isa<nn::AddOp, nn::SubOp, nn::MulOp>(op) &&
         isWhole(op->getOperand(0), depth - 1) &&
         isWhole(op->getOperand(1), depth - 1);
}

/// The smallest magnitude of what is not zero; 0 where nothing is known.
static float smallestOf(Value value) {
  if (isWhole(value))
    return 1;
  // 1 - m is exact near m = 1, and no float is nearer than half an ulp.
  auto difference = lookThroughViews(value).getDefiningOp<nn::SubOp>();
  const bool fromOne = difference && (getSplat(difference.getLhs()) == 1.0f ||
                                      getSplat(difference.getRhs()) == 1.0f);
  return fromOne ? 0x1p-24f : 0;
}

namespace {
/// Where scores count, and what stands elsewhere: a number in which a score
/// that is added is lost.
struct AddedMask {
  Value condition, masked;
  bool countsWhereTrue = true;
};

/// Masks as conditions; one that many layers share is made once.
class AddedMasks {
public:
  std::optional<AddedMask> find(Value value) {
    if (std::optional<AddedMask> chosen = findChosen(value))
      return chosen;
    return isComputed(value) ? std::optional(getComputed(value)) : std::nullopt;
  }

private:
  /// where(c, 0, huge) or where(c, huge, 0).
  static std::optional<AddedMask> findChosen(Value value) {
    auto where = value.getDefiningOp<nn::WhereOp>();
    if (!where)
      return std::nullopt;
    auto masks = [](Value open, Value masked) {
      std::optional<float> number = getSplat(masked);
      return getSplat(open) == 0.0f && number && *number <= kMasked &&
             std::isfinite(*number);
    };
    if (masks(where.getX(), where.getY()))
      return AddedMask{where.getCondition(), where.getY(), true};
    if (masks(where.getY(), where.getX()))
      return AddedMask{where.getCondition(), where.getX(), false};
    return std::nullopt;
  }

  /// (1 - m) * huge and its like: zero or at least kMasked in magnitude.
  static bool isComputed(Value value) {
    auto product = lookThroughViews(value).getDefiningOp<nn::MulOp>();
    if (!product || !getElementTypeOrSelf(value.getType()).isF32())
      return false;
    for (unsigned side : {0u, 1u})
      if (std::optional<float> huge = getSplat(product->getOperand(side));
          huge && std::isfinite(*huge) &&
          std::abs(*huge) * smallestOf(product->getOperand(1 - side)) >=
              -kMasked)
        return true;
    return false;
  }

  /// FP16 holds neither the product nor zero times its infinity: it is compared
  /// and bounded in FP32, where it is small.
  AddedMask getComputed(Value value) {
    AddedMask &mask = computed[value];
    if (!mask.condition) {
      OpBuilder builder(value.getContext());
      builder.setInsertionPointAfterValue(value);
      Location loc = value.getLoc();
      Value zero = nn::createScalar(builder, loc, value.getType(), 0.0);
      mask.condition = nn::CompareOp::create(builder, loc, value, zero,
                                             nn::ComparePredicate::EQ);
      auto bounded = nn::ClipOp::create(builder, loc, value,
                                        builder.getF64FloatAttr(kLowestHalf),
                                        builder.getF64FloatAttr(-kLowestHalf));
      bounded->setAttr(mp::MPDialect::kPinAttrName,
                       builder.getStringAttr("bounds a mask for 16 bits"));
      mask.masked = bounded;
    }
    return mask;
  }

  llvm::DenseMap<Value, AddedMask> computed;
};
} // namespace

/// The sum of scores and a mask as a choice between the two: it is the score
/// or, since the score is lost in it, the mask.
static bool chooseInsteadOf(nn::AddOp sum, Value scores,
                            const AddedMask &mask) {
  OpBuilder builder(sum);
  const bool first = mask.countsWhereTrue;
  auto choice = nn::WhereOp::create(builder, sum.getLoc(), mask.condition,
                                    first ? scores : mask.masked,
                                    first ? mask.masked : scores);
  // Constants of several elements may have made the sum larger.
  if (choice.getType() != sum.getType()) {
    choice.erase();
    return false;
  }
  sum.replaceAllUsesWith(choice.getResult());
  return true;
}

/// softmax(x + mask) as softmax(where(c, x, mask)), and so
/// softmax(x + (bias + mask)): several layers share that sum.
static bool chooseInsteadOfAdding(nn::SoftmaxOp softmax, AddedMasks &masks) {
  auto sum = softmax.getInput().getDefiningOp<nn::AddOp>();
  if (!sum || !sum->hasOneUse())
    return false;
  auto eraseDead = [](Value value) {
    if (value.use_empty())
      value.getDefiningOp()->erase();
  };
  for (unsigned side : {0u, 1u}) {
    Value added = sum->getOperand(side), scores = sum->getOperand(1 - side);
    if (std::optional<AddedMask> mask = masks.find(added)) {
      if (!chooseInsteadOf(sum, scores, *mask))
        return false;
      sum.erase();
      eraseDead(added);
      return true;
    }
    auto inner = added.getDefiningOp<nn::AddOp>();
    for (unsigned innerSide : {0u, 1u}) {
      std::optional<AddedMask> mask =
          inner ? masks.find(inner->getOperand(innerSide)) : std::nullopt;
      if (!mask)
        continue;
      OpBuilder builder(sum);
      auto biased = nn::AddOp::create(builder, sum.getLoc(), scores,
                                      inner->getOperand(1 - innerSide));
      if (!chooseInsteadOf(sum, biased, *mask)) {
        biased.erase();
        return false;
      }
      sum.erase();
      if (inner->use_empty()) {
        Value dead = inner->getOperand(innerSide);
        inner.erase();
        eraseDead(dead);
      }
      return true;
    }
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
    AddedMasks masks;
    getOperation().walk([&](nn::SoftmaxOp op) {
      changed |= normalizeConstantOf(op);
      changed |= chooseInsteadOfAdding(op, masks);
      changed |= markChoice(op);
    });
    if (!changed)
      markAllAnalysesPreserved(); // and no verifier runs
  }
};
} // namespace
