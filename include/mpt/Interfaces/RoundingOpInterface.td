//===- RoundingOpInterface.td - How rounding errors travel --*- tablegen -*-===//

#ifndef MPT_INTERFACES_ROUNDINGOPINTERFACE
#define MPT_INTERFACES_ROUNDINGOPINTERFACE

include "mlir/IR/OpBase.td"

def RoundingOpInterface : OpInterface<"RoundingOpInterface"> {
  let cppNamespace = "::mpt";
  let description = [{
    How much an operation enlarges the relative errors of its operands, for the estimate of
    `RoundingErrors`. Errors are |computed - exact| / |exact| in 2-norms over a tensor. An
    operation without this interface passes errors on as they are.
  }];
  let methods = [
    InterfaceMethod<[{The factor on the relative error of operand `index`, for data as they
      are typical behind the operations that stand before this one in networks.}],
      "double", "getErrorAmplification", (ins "unsigned":$index)>,
  ];
}

#endif // MPT_INTERFACES_ROUNDINGOPINTERFACE
