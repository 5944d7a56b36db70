//===- KernelOperands.h - From an operation's values to tensors -*- C++ -*-===//

#ifndef MPT_LIB_CONVERSION_KERNELS_KERNELOPERANDS_H
#define MPT_LIB_CONVERSION_KERNELS_KERNELOPERANDS_H

#include "mpt/Conversion/KernelEmitter.h"

namespace mpt::conversion {

/// The tensor of an operand that is an argument of the kernel.
inline const KernelTensor &getInput(EmitContext &c, mlir::Value operand) {
  return c.inputs[mlir::cast<mlir::BlockArgument>(operand).getArgNumber()];
}

/// The tensor a result is written to, or null when the kernel does not yield
/// it.
inline const KernelTensor *getOutput(EmitContext &c, nn::KernelOp kernel,
                                     mlir::Value result) {
  for (auto [i, value] :
       llvm::enumerate(kernel.getBody().front().getTerminator()->getOperands()))
    if (value == result)
      return &c.outputs[i];
  return nullptr;
}

} // namespace mpt::conversion

#endif // MPT_LIB_CONVERSION_KERNELS_KERNELOPERANDS_H
