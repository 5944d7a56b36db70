//===- SliceFlowOpInterface.h - Slices that regions are given ---*- C++ -*-===//

#ifndef MPT_INTERFACES_SLICEFLOWOPINTERFACE_H
#define MPT_INTERFACES_SLICEFLOWOPINTERFACE_H

#include "mlir/IR/OpDefinition.h"

#include <utility>

#include "mpt/Interfaces/SliceFlowOpInterface.h.inc"

#endif // MPT_INTERFACES_SLICEFLOWOPINTERFACE_H
