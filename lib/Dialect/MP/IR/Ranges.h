//===- Ranges.h - Ranges of the mixed-precision dialect's results ---------===//

#ifndef MPT_LIB_DIALECT_MP_IR_RANGES_H
#define MPT_LIB_DIALECT_MP_IR_RANGES_H

namespace mlir {
class MLIRContext;
} // namespace mlir

namespace mpt::mp {

/// Gives the operations their ValueRangeOpInterface. They are registered.
void attachRanges(mlir::MLIRContext *context);

} // namespace mpt::mp

#endif // MPT_LIB_DIALECT_MP_IR_RANGES_H
