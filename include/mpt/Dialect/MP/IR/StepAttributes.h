//===- StepAttributes.h - Discardable attributes of a step ------*- C++ -*-===//
//
// Names of attributes that passes leave for later ones beside those of the
// dialect's own header. None changes what an operation computes.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_DIALECT_MP_IR_STEPATTRIBUTES_H
#define MPT_DIALECT_MP_IR_STEPATTRIBUTES_H

#include "llvm/ADT/StringRef.h"

namespace mpt::mp {

/// On the argument of a trained parameter: the text of its parameter group.
inline constexpr llvm::StringLiteral kGroupAttrName = "mp.group";

/// On a function: its batch is computed in that many parts (i64).
inline constexpr llvm::StringLiteral kMicroBatchesAttrName = "mp.micro_batches";
/// On an operation that draws random numbers: the micro-batch it belongs to,
/// from 0 (i64).
inline constexpr llvm::StringLiteral kMicroBatchAttrName = "mp.micro_batch";
/// On an addition: it adds the gradient of a micro-batch to the sum so far.
/// It runs where it stands, so that the gradient's memory is free again.
inline constexpr llvm::StringLiteral kAccumulateAttrName = "mp.accumulate";

/// On an operation: a copy made by mpt-rematerialize. The attribute also keeps
/// CSE from merging it with its original.
inline constexpr llvm::StringLiteral kRecomputedAttrName = "mp.recomputed";
/// On a function: what mpt-rematerialize did, a dictionary of i64: `copies`,
/// and before and after it `kept` (bytes kept for the backward pass), `peak`
/// (largest sum of live bytes) and `flops`.
inline constexpr llvm::StringLiteral kRematerializedAttrName =
    "mp.rematerialized";

} // namespace mpt::mp

#endif // MPT_DIALECT_MP_IR_STEPATTRIBUTES_H
