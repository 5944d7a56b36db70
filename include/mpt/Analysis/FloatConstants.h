//===- FloatConstants.h - Constants in another floating-point type --------===//

#ifndef MPT_ANALYSIS_FLOATCONSTANTS_H
#define MPT_ANALYSIS_FLOATCONSTANTS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

#include <optional>

namespace mpt {

/// What becomes of a constant in a narrower type.
enum class ConstantFit {
  /// Every finite value stays finite, and the largest keeps its magnitude.
  Fits,
  /// A finite value would become an infinity (-3.4e38 as FP16).
  Overflows,
  /// The largest value would become zero or lose most of its bits (an epsilon
  /// of 1e-8 as FP16). Small values beside larger ones may vanish.
  Vanishes,
  /// The value cannot be read (bytes in a file that is not mapped).
  Unknown,
};

/// The value of an operation with one floating tensor result that is a constant
/// (trait ConstantLike); null for every other operation.
mlir::ElementsAttr getFloatConstant(mlir::Operation *op);

/// A tensor that is computed from no floating value and holds nothing of its
/// own (tensor.empty): made anew in another type instead of cast.
bool isMadeAnew(mlir::Operation *op);

/// Reads the constant once. f32 values only: others are Unknown. A finite value
/// above `maxAbs` counts as one that overflows.
ConstantFit classifyConstant(mlir::ElementsAttr value, mlir::FloatType type,
                             std::optional<double> maxAbs = std::nullopt);

/// The f32 constant rounded to `type` (to nearest even, overflow to infinity,
/// subnormals kept); null when its value cannot be read. With `saturate` a
/// finite value that overflows becomes the largest finite number of its sign.
mlir::ElementsAttr convertConstant(mlir::ElementsAttr value,
                                   mlir::FloatType type, bool saturate = false);

/// On an operation that chooses between scores and a constant for a softmax
/// alone: the constant masks, any number far below every score does. So one
/// that the low type cannot hold becomes its lowest finite number there
/// (`convertConstant` with `saturate`), and not an infinity.
inline constexpr llvm::StringLiteral kMaskAttrName = "mp.mask";

} // namespace mpt

#endif // MPT_ANALYSIS_FLOATCONSTANTS_H
