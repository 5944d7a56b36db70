//===- PrecisionOpInterface.h - Which precision an op can bear --*- C++ -*-===//

#ifndef MPT_INTERFACES_PRECISIONOPINTERFACE_H
#define MPT_INTERFACES_PRECISIONOPINTERFACE_H

#include "mlir/IR/OpDefinition.h"

namespace mpt {

/// How an operation relates to 16-bit floats.
enum class PrecisionClass {
  /// Profits from low precision (contractions); starts low regions.
  Low,
  /// Safe in low precision next to low operations, not worth a cast of its own.
  Follow,
  /// Moves or compares values without computing new ones; takes its neighbours'
  /// precision.
  Transparent,
  /// Must run in FP32.
  FP32,
};

/// Three different reasons to stay in FP32; a report must not mix them up.
enum class PrecisionReasonKind { Unsafe, Slow, NoKernel };

llvm::StringRef stringifyPrecisionClass(PrecisionClass value);
llvm::StringRef stringifyPrecisionReasonKind(PrecisionReasonKind value);

} // namespace mpt

#include "mpt/Interfaces/PrecisionOpInterface.h.inc"

#endif // MPT_INTERFACES_PRECISIONOPINTERFACE_H
