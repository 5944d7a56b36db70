//===- SliceFlowOpInterface.td - Slices that regions are given -*- tablegen -*-===//

#ifndef MPT_INTERFACES_SLICEFLOWOPINTERFACE
#define MPT_INTERFACES_SLICEFLOWOPINTERFACE

include "mlir/IR/OpBase.td"

def SliceFlowOpInterface : OpInterface<"SliceFlowOpInterface"> {
  let cppNamespace = "::mpt";
  let description = [{
    Control flow that hands tensors into its regions slice by slice, or collects results from
    slices. RegionBranchOpInterface speaks of values that are handed over as they are; this
    interface of those whose elements are, in tensors of another shape: they have one element
    type, and a range that holds for the one holds for the other.
  }];
  let methods = [
    InterfaceMethod<[{
      Appends pairs of an operand, of the operation or of a terminator in its regions, and a
      block argument or result whose elements are elements of such operands and of nothing else.
    }],
      "void", "getSliceFlow",
      (ins "::llvm::SmallVectorImpl<std::pair<::mlir::OpOperand *, ::mlir::Value>> &":$flow)>,
  ];
}

#endif // MPT_INTERFACES_SLICEFLOWOPINTERFACE
