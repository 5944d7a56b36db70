//===- WorkOpInterface.h - How much an op computes and reads ----*- C++ -*-===//

#ifndef MPT_INTERFACES_WORKOPINTERFACE_H
#define MPT_INTERFACES_WORKOPINTERFACE_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"

namespace mpt {

/// Elements of a shaped type; dynamic extents and unknown ranks count as 1. 0
/// for other types.
int64_t countElements(mlir::Type type);

} // namespace mpt

#include "mpt/Interfaces/WorkOpInterface.h.inc"

#endif // MPT_INTERFACES_WORKOPINTERFACE_H
