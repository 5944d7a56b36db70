//===- DifferentiableOpInterface.h - Derivative rules -----------*- C++ -*-===//

#ifndef MPT_INTERFACES_DIFFERENTIABLEOPINTERFACE_H
#define MPT_INTERFACES_DIFFERENTIABLEOPINTERFACE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"

namespace mpt {

/// Marks an operation whose results do not depend on its floating operands in a
/// way that has a useful derivative: its operands get no gradient, and that is
/// not an error.
template <typename ConcreteType>
class NonDifferentiable
    : public mlir::OpTrait::TraitBase<ConcreteType, NonDifferentiable> {};

} // namespace mpt

#include "mpt/Interfaces/DifferentiableOpInterface.h.inc"

#endif // MPT_INTERFACES_DIFFERENTIABLEOPINTERFACE_H
