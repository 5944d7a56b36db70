//===- LossScaleOpInterface.td - Powers of the loss scale --*- tablegen -*-===//

#ifndef MPT_INTERFACES_LOSSSCALEOPINTERFACE
#define MPT_INTERFACES_LOSSSCALEOPINTERFACE

include "mlir/IR/OpBase.td"

def LossScaleOpInterface : OpInterface<"LossScaleOpInterface"> {
  let cppNamespace = "::mpt";
  let description = [{
    How the power of the loss scale S travels through an operation. Every floating value of a
    training step is S^k times what it would be without scaling; `verify-loss-scaling` infers
    k for every value and rejects a step in which that is impossible.

    An operation without this interface is taken as non-linear: no operand may carry S.
  }];
  let methods = [
    InterfaceMethod<"How powers combine, see ScaleBehavior.",
      "::mpt::ScaleBehavior", "getScaleBehavior">,
    InterfaceMethod<[{The operands `getScaleBehavior` speaks of (for LinearIn: the linear ones).}],
      "bool", "isScaledOperand", (ins "unsigned":$index), "", "return true;">,
    InterfaceMethod<"The exponent added to the power by a Shift operation.",
      "int64_t", "getScaleShift", (ins), "", "return 0;">,
  ];
}

#endif // MPT_INTERFACES_LOSSSCALEOPINTERFACE
