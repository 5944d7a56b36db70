//===- UpstreamModels.h - What the models share -----------------*- C++ -*-===//

#ifndef MPT_LIB_INTERFACES_UPSTREAMMODELS_H
#define MPT_LIB_INTERFACES_UPSTREAMMODELS_H

#include "mpt/Interfaces/LossScaleOpInterface.h"
#include "mpt/Interfaces/PrecisionOpInterface.h"

#include "mlir/IR/DialectRegistry.h"

namespace mpt::upstream {

inline constexpr char kFollows[] =
    "safe in 16 bits, takes its neighbours' precision";
inline constexpr char kMoves[] =
    "moves or compares values without computing new ones";
inline constexpr char kContracts[] = "profits from low precision, sums in FP32";
inline constexpr char kExponential[] = "exponentials overflow FP16 early";
inline constexpr char kLogarithm[] = "log of a value that underflowed is -inf";
inline constexpr char kPower[] = "powers overflow and underflow FP16";
inline constexpr char kRoot[] =
    "square roots stand behind sums and small epsilons";
inline constexpr char kReciprocal[] =
    "reciprocals overflow where the value underflowed";
inline constexpr char kSums[] = "sums over many elements overflow FP16";

/// A class that is the same for every operation of the kind.
template <typename Op, PrecisionClass Class, const char *Reason>
struct PrecisionModel
    : PrecisionOpInterface::ExternalModel<PrecisionModel<Op, Class, Reason>,
                                          Op> {
  PrecisionClass getPrecisionClass(mlir::Operation *) const { return Class; }
  llvm::StringRef getPrecisionReason(mlir::Operation *) const { return Reason; }
};

template <typename Op, ScaleBehavior Behavior>
struct ScaleModel
    : LossScaleOpInterface::ExternalModel<ScaleModel<Op, Behavior>, Op> {
  ScaleBehavior getScaleBehavior(mlir::Operation *) const { return Behavior; }
};

template <typename Op, PrecisionClass Class, const char *Reason,
          ScaleBehavior Behavior = ScaleBehavior::NonLinear>
void attach(mlir::MLIRContext *context) {
  Op::template attachInterface<PrecisionModel<Op, Class, Reason>,
                               ScaleModel<Op, Behavior>>(*context);
}

// One file per group of dialects; registerUpstreamModels calls them all.
void registerElementwiseModels(mlir::DialectRegistry &registry);
void registerLinalgModels(mlir::DialectRegistry &registry);
void registerTosaModels(mlir::DialectRegistry &registry);

} // namespace mpt::upstream

#endif // MPT_LIB_INTERFACES_UPSTREAMMODELS_H
