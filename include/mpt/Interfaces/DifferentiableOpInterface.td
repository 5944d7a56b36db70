//===- DifferentiableOpInterface.td - Derivative rules -----*- tablegen -*-===//

#ifndef MPT_INTERFACES_DIFFERENTIABLEOPINTERFACE
#define MPT_INTERFACES_DIFFERENTIABLEOPINTERFACE

include "mlir/IR/OpBase.td"

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::mpt";
  let description = [{
    The reverse-mode derivative rule (vector-Jacobian product) of an operation.

    `buildGradient` receives the gradient of every result (null where none reaches the
    result) and writes the gradient of every operand it is asked for (`wanted[i]`); it leaves
    null what is zero. A rule may return a gradient that still has the *broadcast* shape of
    the result: the walker sums it down to the operand's shape, once, for every op alike.
    Gradients have the element type of the value they belong to.

    An operation is either differentiable (this interface) or declared not to be (the trait
    `NonDifferentiable`: comparisons, indices, rounding). An operation with neither on a path
    from a wanted parameter to the loss is an error that names it.
  }];
  let methods = [
    InterfaceMethod<"Builds the gradients of the wanted operands; see the description.",
      "::llvm::LogicalResult", "buildGradient",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$resultGradients,
           "::llvm::ArrayRef<bool>":$wanted,
           "::llvm::SmallVectorImpl<::mlir::Value> &":$operandGradients)>,
  ];
}

#endif // MPT_INTERFACES_DIFFERENTIABLEOPINTERFACE
