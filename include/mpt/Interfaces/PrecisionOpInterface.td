//===- PrecisionOpInterface.td - Which precision an op can bear ----------===//

#ifndef MPT_INTERFACES_PRECISIONOPINTERFACE
#define MPT_INTERFACES_PRECISIONOPINTERFACE

include "mlir/IR/OpBase.td"

def PrecisionOpInterface : OpInterface<"PrecisionOpInterface"> {
  let cppNamespace = "::mpt";
  let description = [{
    What an operation demands of the floating-point precision of its operands and results.

    The precision passes decide one precision per operation: *low* (FP16 or BF16) or FP32.
    Every floating operand and result then has that precision, except those the operation
    pins to FP32 (`isOperandPinned`, `isResultPinned`) and those results that may be FP32
    although the operands are low (`isResultWidenable`: the accumulator is FP32 anyway, so a
    consumer that wants FP32 gets it without a cast).

    An operation without this interface is FP32 (reason: no kernel).
  }];
  let methods = [
    InterfaceMethod<"The class of the operation, see PrecisionClass.",
      "::mpt::PrecisionClass", "getPrecisionClass">,
    InterfaceMethod<"Why the class is what it is: one short clause for the user.",
      "::llvm::StringRef", "getPrecisionReason">,
    InterfaceMethod<"Which kind of reason it is; meaningful for class FP32.",
      "::mpt::PrecisionReasonKind", "getPrecisionReasonKind", (ins), "",
      "return ::mpt::PrecisionReasonKind::Unsafe;">,
    InterfaceMethod<"True when operand `index` is FP32 whatever the operation's precision.",
      "bool", "isOperandPinned", (ins "unsigned":$index), "", "return false;">,
    InterfaceMethod<"True when result `index` is FP32 whatever the operation's precision.",
      "bool", "isResultPinned", (ins "unsigned":$index), "", "return false;">,
    InterfaceMethod<"True when result `index` may be FP32 although the operands are low.",
      "bool", "isResultWidenable", (ins "unsigned":$index), "", "return false;">,
    InterfaceMethod<"Element type sums are accumulated in; null when nothing is summed.",
      "::mlir::Type", "getAccumulatorType", (ins), "", "return ::mlir::Type();">,
  ];
}

#endif // MPT_INTERFACES_PRECISIONOPINTERFACE
