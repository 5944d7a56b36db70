//===- NNReductionOps.td - Reductions ----------------------*- tablegen -*-===//

#ifndef MPT_DIALECT_NN_IR_NNREDUCTIONOPS
#define MPT_DIALECT_NN_IR_NNREDUCTIONOPS

include "mpt/Dialect/NN/IR/NNBase.td"

// A sum of K terms is up to K times as large as they are: the terms may be 16 bits wide, the
// sum is FP32.
def NN_Sums : NN_Precision<"Follow", "terms may be 16 bits wide, the sum is FP32", [], [0], [], "Unsafe", 1>;

class NN_ReduceOp<string mnemonic, string text, NN_Precision precision, NN_Scale scale, list<Trait> traits = NN_Differentiable>
    : NN_Op<mnemonic, precision, scale, traits> {
  let summary = text;
  let description = [{
    Over `axes` (sorted, distinct; empty: over none). With `keepdims` the reduced axes stay with
    extent 1. (C1) Axes lie in [0, rank), ascending. (C2) The result shape follows.
    (C3) The result has the operand's element type; sums of 16-bit terms may also be f32.
  }];
  let arguments = (ins NN_NumberTensor:$input, DenseI64ArrayAttr:$axes, DefaultValuedAttr<BoolAttr, "false">:$keepdims);
  let results = (outs NN_NumberTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "::mlir::Value":$input, "::llvm::ArrayRef<int64_t>":$axes, "bool":$keepdims)>];
}
def NN_ReduceSumOp : NN_ReduceOp<"reduce_sum", "Sum over axes", NN_Sums, NN_Scale<"Homogeneous">>;
def NN_ReduceMeanOp : NN_ReduceOp<"reduce_mean", "Mean over axes", NN_Precision<"Follow",
    "safe in 16 bits: sums in FP32, a mean is no larger than its terms", [], [], [0], "Unsafe", 1>, NN_Scale<"Homogeneous">>;
def NN_ReduceMaxOp : NN_ReduceOp<"reduce_max", "Maximum over axes; NaN wins", NN_Moves, NN_Scale<"Homogeneous">>;
def NN_ReduceMinOp : NN_ReduceOp<"reduce_min", "Minimum over axes; NaN wins", NN_Moves, NN_Scale<"Homogeneous">>;
def NN_ReduceProdOp : NN_ReduceOp<"reduce_prod", "Product over axes", NN_StaysFP32<"a product of many terms overflows or vanishes">, NN_Scale<"NonLinear">>;

class NN_ArgOp<string mnemonic, string text>
    : NN_Op<mnemonic, NN_Moves, NN_Scale<"Invariant">, [NN_NonDifferentiable]> {
  let summary = text;
  let description = "First of equals, or the last with `select_last`. (C1) 0 <= axis < rank. (C2) The result shape follows.";
  let arguments = (ins NN_NumberTensor:$input, I64Attr:$axis, DefaultValuedAttr<BoolAttr, "false">:$keepdims,
    DefaultValuedAttr<BoolAttr, "false">:$select_last);
  let results = (outs RankedTensorOf<[I64]>:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def NN_ArgMaxOp : NN_ArgOp<"arg_max", "Position of the maximum along an axis">;
def NN_ArgMinOp : NN_ArgOp<"arg_min", "Position of the minimum along an axis">;

def NN_CumSumOp : NN_Op<"cum_sum", NN_Precision<"FP32", "a running sum grows with its length", [], [], [], "Unsafe", 1>, NN_Scale<"Homogeneous">,
    !listconcat(NN_Differentiable, [SameOperandsAndResultType])> {
  let summary = "Running sum along an axis";
  let description = "`exclusive` leaves out the element itself, `reverse` sums from the end. (C1) 0 <= axis < rank.";
  let arguments = (ins NN_NumberTensor:$input, I64Attr:$axis, DefaultValuedAttr<BoolAttr, "false">:$exclusive,
    DefaultValuedAttr<BoolAttr, "false">:$reverse);
  let results = (outs NN_NumberTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
  let hasVerifier = 1;
}

#endif // MPT_DIALECT_NN_IR_NNREDUCTIONOPS
