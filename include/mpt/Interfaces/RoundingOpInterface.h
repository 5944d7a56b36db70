//===- RoundingOpInterface.h - How rounding errors travel -------*- C++ -*-===//

#ifndef MPT_INTERFACES_ROUNDINGOPINTERFACE_H
#define MPT_INTERFACES_ROUNDINGOPINTERFACE_H

#include "mlir/IR/OpDefinition.h"

#include "mpt/Interfaces/RoundingOpInterface.h.inc"

#endif // MPT_INTERFACES_ROUNDINGOPINTERFACE_H
