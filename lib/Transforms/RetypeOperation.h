//===- RetypeOperation.h - Bodies of operations with new types --*- C++ -*-===//

#ifndef MPT_LIB_TRANSFORMS_RETYPEOPERATION_H
#define MPT_LIB_TRANSFORMS_RETYPEOPERATION_H

#include "mlir/IR/Operation.h"

namespace mpt {

/// Makes the body of a structured operation (linalg) agree with the element
/// types of its operands: elements are widened where they enter the body and
/// rounded where they leave it, so the arithmetic inside stays what it was.
/// Operations without a body need nothing.
void retypeBody(mlir::Operation *op);

} // namespace mpt

#endif // MPT_LIB_TRANSFORMS_RETYPEOPERATION_H
