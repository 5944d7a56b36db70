//===- Work.h - How much the network's operations compute -------*- C++ -*-===//

#ifndef MPT_LIB_DIALECT_NN_IR_WORK_H
#define MPT_LIB_DIALECT_NN_IR_WORK_H

#include "mlir/IR/MLIRContext.h"

namespace mpt::nn {

/// Attaches WorkOpInterface, as the dialect is loaded.
void attachWorkModels(mlir::MLIRContext &context);

} // namespace mpt::nn

#endif // MPT_LIB_DIALECT_NN_IR_WORK_H
