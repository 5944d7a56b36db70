//===- NNPoolingOps.td - Pooling ---------------------------*- tablegen -*-===//

#ifndef MPT_DIALECT_NN_IR_NNPOOLINGOPS
#define MPT_DIALECT_NN_IR_NNPOOLINGOPS

include "mpt/Dialect/NN/IR/NNBase.td"

// Global pooling is a reduction (nn.reduce_mean, nn.reduce_max).
class NN_PoolOp<string mnemonic, NN_Precision precision, NN_Scale scale, list<Trait> traits>
    : NN_Op<mnemonic, precision, scale, traits> {
  code windowNote = [{
    Windows of `kernel` extents over the spatial axes of `[N, C, X...]`; attributes as in
    `nn.conv`. The result's extents may be those of rounding down or of rounding up (ONNX
    `ceil_mode`); every window starts inside the input or its begin padding.

    (C1) Rank is at least 3. (C2) `kernel`, `strides`, `dilations` have D positive entries,
    `pads` 2D entries >= 0. (C3) N and C are kept and the pooled extents are as said above.
    (C4) Element types are equal.
  }];
  let hasVerifier = 1;
}

def NN_MaxPoolOp : NN_PoolOp<"max_pool", NN_Moves, NN_Scale<"Homogeneous">, NN_Differentiable> {
  let summary = "Maximum over windows, with the position of the maximum";
  let description = windowNote # [{
    `taps` holds the row-major number, within its window, of the element taken (the first of
    equals), which is all the derivative needs; i8 where the window has at most 127 taps, else i32.
  }];
  let arguments = (ins NN_NumberTensor:$input, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
    DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations);
  let results = (outs NN_NumberTensor:$result, RankedTensorOf<[I8, I32]>:$taps);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}
def NN_MaxPoolGradOp : NN_PoolOp<"max_pool_grad", NN_Follows, NN_Scale<"LinearIn", [0]>, []> {
  let summary = "Gradient of max_pool: dy goes to where the maximum came from";
  let description = windowNote # "The shapes of `dy` and `taps` are those of the pooled tensor, the result's that of its input.";
  let arguments = (ins NN_FloatTensor:$dy, RankedTensorOf<[I8, I32]>:$taps, DenseI64ArrayAttr:$kernel,
    DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$dy `,` $taps attr-dict `:` functional-type(operands, results)";
}
def NN_AvgPoolOp : NN_PoolOp<"avg_pool", NN_Precision<"Follow", "safe in 16 bits: sums in FP32, a mean is no larger than its terms", [], [], [], "Unsafe", 1>,
                             NN_Scale<"Homogeneous">, NN_Differentiable> {
  let summary = "Mean over windows";
  let description = windowNote # [{
    The divisor counts the window's elements inside the input, or inside the input and its
    padding when `count_include_pad`.
  }];
  let arguments = (ins NN_FloatTensor:$input, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
    DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations, DefaultValuedAttr<BoolAttr, "false">:$count_include_pad);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}
def NN_AvgPoolGradOp : NN_PoolOp<"avg_pool_grad", NN_Follows, NN_Scale<"Homogeneous">, []> {
  let summary = "Gradient of avg_pool: dy is spread over its window";
  let description = windowNote # "`dy` has the pooled shape, the result that of the pooling's input.";
  let arguments = (ins NN_FloatTensor:$dy, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
    DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations, DefaultValuedAttr<BoolAttr, "false">:$count_include_pad);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$dy attr-dict `:` functional-type(operands, results)";
}

#endif // MPT_DIALECT_NN_IR_NNPOOLINGOPS
