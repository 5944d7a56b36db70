//===- NNContractionOps.td - Matrix products and convolutions ------------===//

#ifndef MPT_DIALECT_NN_IR_NNCONTRACTIONOPS
#define MPT_DIALECT_NN_IR_NNCONTRACTIONOPS

include "mpt/Dialect/NN/IR/NNBase.td"

// Sums are FP32, so an FP32 result costs no cast.
def NN_Contracts : NN_Precision<"Low", "profits from low precision, sums in FP32", [], [], [0], "Unsafe", 1>;

class NN_ContractionOp<string mnemonic, NN_Scale scale, list<Trait> traits = NN_Differentiable>
    : NN_Op<mnemonic, NN_Contracts, scale, traits> {
  code resultNote = [{
    The operands have one element type; the result has it too, or is f32 where the operands are
    f16 or bf16. Sums are accumulated in f32 (f64 for f64 operands).
  }];
  let hasVerifier = 1;
}

def NN_MatMulOp : NN_ContractionOp<"matmul", NN_Scale<"Product">> {
  let summary = "Matrix product, batched with broadcasting";
  let description = [{
    NumPy's matmul on ranks >= 2, with optional transposition of the last two axes of an operand:
    `[..., M, K] x [..., K, N] -> [..., M, N]`.

    (C1) Both ranks are at least 2. (C2) The contracted extents are equal. (C3) The leading axes
    broadcast. (C4) Element types: see the contraction rule. (C5) The result shape is
    `broadcast(leading) + [M, N]`.
  }] # resultNote;
  let arguments = (ins NN_FloatTensor:$lhs, NN_FloatTensor:$rhs,
    DefaultValuedAttr<BoolAttr, "false">:$transpose_lhs, DefaultValuedAttr<BoolAttr, "false">:$transpose_rhs);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
  let builders = [OpBuilder<(ins "::mlir::Value":$lhs, "::mlir::Value":$rhs,
    CArg<"bool", "false">:$transposeLhs, CArg<"bool", "false">:$transposeRhs)>];
}

// Shared by convolutions and pooling: D spatial axes, `pads` = begin of every axis, then end.
defvar NN_WindowArguments = (ins DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations);

def NN_ConvOp : NN_ContractionOp<"conv", NN_Scale<"Product">> {
  let summary = "Convolution over any number of spatial axes";
  let description = [{
    `input [N, C, X...]`, `filter [F, C/group, K...]`, `bias [F]` -> `[N, F, Y...]` with
    `Y = (X + pads_begin + pads_end - dilation (K - 1) - 1) / stride + 1`. ONNX `Conv` (a
    cross-correlation). `pads` holds the begin of every spatial axis, then the ends.

    (C1) Ranks are equal and at least 3. (C2) `strides` and `dilations` have D positive entries,
    `pads` 2D entries >= 0. (C3) C is divisible by group and filter dim 1 is C/group. (C4) F is
    divisible by group. (C5) The bias is [F]. (C6) Element types: see the contraction rule.
    (C7) The result shape is as above.
  }] # resultNote;
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$filter, Optional<NN_FloatTensor>:$bias,
    DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations,
    DefaultValuedAttr<I64Attr, "1">:$group);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$input `,` $filter (`bias` $bias^)? attr-dict `:` functional-type(operands, results)";
  let builders = [OpBuilder<(ins "::mlir::Value":$input, "::mlir::Value":$filter, "::mlir::Value":$bias,
    "::llvm::ArrayRef<int64_t>":$strides, "::llvm::ArrayRef<int64_t>":$pads,
    "::llvm::ArrayRef<int64_t>":$dilations, "int64_t":$group)>];
}

def NN_ConvTransposeOp : NN_ContractionOp<"conv_transpose", NN_Scale<"Product">> {
  let summary = "Transposed convolution: the gradient of conv with respect to its input";
  let description = [{
    `input [N, F, Y...]`, `filter [F, C/group, K...]` -> `[N, C, X...]`, where X is any extent that
    the convolution with these attributes maps to Y. So it is both ONNX `ConvTranspose`
    (whose filter has just this layout) and the input gradient of `nn.conv`.

    (C1) Ranks are equal and at least 3. (C2) Attributes as in conv. (C3) filter dim 0 is F,
    divisible by group. (C4) The result's C is (filter dim 1) * group. (C5) A conv of the
    result's shape has the input's shape. (C6) Element types: see the contraction rule.
  }] # resultNote;
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$filter,
    DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations,
    DefaultValuedAttr<I64Attr, "1">:$group);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$input `,` $filter attr-dict `:` functional-type(operands, results)";
}

def NN_ConvFilterGradOp : NN_ContractionOp<"conv_filter_grad", NN_Scale<"Product">> {
  let summary = "Gradient of conv with respect to its filter";
  let description = [{
    `input [N, C, X...]`, `dy [N, F, Y...]` -> `[F, C/group, K...]`.

    (C1) Ranks are equal and at least 3. (C2) Attributes as in conv. (C3) A conv of the input
    with the result's shape as filter has the shape of dy. (C4) Element types: see the
    contraction rule.
  }] # resultNote;
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$dy,
    DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations,
    DefaultValuedAttr<I64Attr, "1">:$group);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$input `,` $dy attr-dict `:` functional-type(operands, results)";
}

#endif // MPT_DIALECT_NN_IR_NNCONTRACTIONOPS
