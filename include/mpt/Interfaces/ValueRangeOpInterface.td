//===- ValueRangeOpInterface.td - Ranges of an op's results --------------===//

#ifndef MPT_INTERFACES_VALUERANGEOPINTERFACE
#define MPT_INTERFACES_VALUERANGEOPINTERFACE

include "mlir/IR/OpBase.td"

def ValueRangeOpInterface : OpInterface<"ValueRangeOpInterface"> {
  let cppNamespace = "::mpt";
  let description = [{
    The transfer function of the value-range analysis: from what is known of the elements of
    the operands to what is known of those of the results.

    Sound means: whatever operands lie in their ranges, every element of every result that the
    operation computes exactly lies in its range. Rounding to the element type is added by the
    analysis. The function may look at the operation's attributes and types and at the
    operations that define its operands (`x - reduce_max(x)` is at most 0), at nothing else.

    An operation without this interface may have any result, infinities and NaN included.
  }];
  let methods = [
    InterfaceMethod<[{
      Sets the ranges of the results. They come in as everything their types can hold, and stay
      so where nothing is set.
    }],
      "void", "inferRanges",
      (ins "::llvm::ArrayRef<::mpt::NumericRange>":$operands,
           "::llvm::MutableArrayRef<::mpt::NumericRange>":$results)>,
  ];
}

#endif // MPT_INTERFACES_VALUERANGEOPINTERFACE
