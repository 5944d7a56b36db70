//===- NNControlFlow.h - Branches and loops of the dialect ------*- C++ -*-===//
//
// A header of their own: only what imports, exports and evaluates models knows
// these operations. Passes see RegionBranchOpInterface.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_DIALECT_NN_IR_NNCONTROLFLOW_H
#define MPT_DIALECT_NN_IR_NNCONTROLFLOW_H

#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Interfaces/SliceFlowOpInterface.h"

#define GET_OP_CLASSES
#include "mpt/Dialect/NN/IR/NNControlFlowOps.h.inc"

#endif // MPT_DIALECT_NN_IR_NNCONTROLFLOW_H
