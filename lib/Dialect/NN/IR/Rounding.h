//===- Rounding.h - Operations that enlarge rounding errors -----*- C++ -*-===//

#ifndef MPT_LIB_DIALECT_NN_IR_ROUNDING_H
#define MPT_LIB_DIALECT_NN_IR_ROUNDING_H

#include "mlir/IR/MLIRContext.h"

namespace mpt::nn {

/// Attaches RoundingOpInterface, as the dialect is loaded.
void attachRoundingModels(mlir::MLIRContext &context);

} // namespace mpt::nn

#endif // MPT_LIB_DIALECT_NN_IR_ROUNDING_H
