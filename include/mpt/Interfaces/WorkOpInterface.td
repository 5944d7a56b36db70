//===- WorkOpInterface.td - How much an op computes and reads ------------===//

#ifndef MPT_INTERFACES_WORKOPINTERFACE
#define MPT_INTERFACES_WORKOPINTERFACE

include "mlir/IR/OpBase.td"

def WorkOpInterface : OpInterface<"WorkOpInterface"> {
  let cppNamespace = "::mpt";
  let description = [{
    How much an operation computes and reads, for cost models. An operation without this
    interface computes one value per element of its results and reads its operands once.
    Dynamic extents count as 1.
  }];
  let methods = [
    InterfaceMethod<"Floating-point operations; a multiplication with an addition counts as two.",
      "double", "getFlops">,
    InterfaceMethod<"Elements of operand `index` that are read.",
      "int64_t", "getElementsRead", (ins "unsigned":$index), "", [{
        return ::mpt::countElements($_op->getOperand(index).getType());
      }]>,
  ];
}

#endif // MPT_INTERFACES_WORKOPINTERFACE
