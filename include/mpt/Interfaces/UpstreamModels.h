//===- UpstreamModels.h - MPT's interfaces on upstream operations ---------===//

#ifndef MPT_INTERFACES_UPSTREAMMODELS_H
#define MPT_INTERFACES_UPSTREAMMODELS_H

#include "mlir/IR/DialectRegistry.h"

namespace mpt {

/// Gives operations of arith, math, tensor, linalg and tosa their
/// PrecisionOpInterface and LossScaleOpInterface, so that the passes of the
/// dialect mp work on them. The models are attached when the dialect is loaded.
/// Scalars are not meant: the passes look at tensors only.
void registerUpstreamModels(mlir::DialectRegistry &registry);

/// The same for their ValueRangeOpInterface; called by the above.
void registerUpstreamRangeModels(mlir::DialectRegistry &registry);

} // namespace mpt

#endif // MPT_INTERFACES_UPSTREAMMODELS_H
