//===- NNShapeOps.td - Shapes and indexing -----------------*- tablegen -*-===//

#ifndef MPT_DIALECT_NN_IR_NNSHAPEOPS
#define MPT_DIALECT_NN_IR_NNSHAPEOPS

include "mpt/Dialect/NN/IR/NNBase.td"

class NN_ShapeOp<string mnemonic, string text, NN_Scale scale = NN_Scale<"Homogeneous">, list<Trait> traits = NN_Differentiable,
                 NN_Precision precision = NN_Moves>
    : NN_Op<mnemonic, precision, scale, traits> {
  let summary = text;
  let hasVerifier = 1;
}

def NN_ReshapeOp : NN_ShapeOp<"reshape", "The same elements, row-major, under another shape"> {
  let description = [{
    Also ONNX Squeeze, Unsqueeze, Flatten and Identity. The compiled paths make it a view.
    (C1) The number of elements is kept. (C2) The element types are equal.
  }];
  let arguments = (ins NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
}
def NN_TransposeOp : NN_ShapeOp<"transpose", "Axes in another order", NN_Scale<"Homogeneous">, !listconcat(NN_Differentiable, NN_Infer)> {
  let description = "Result axis i is operand axis permutation[i]. (C1) `permutation` is one of 0..rank-1.";
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$permutation);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
  let hasFolder = 1;
}
def NN_ExpandOp : NN_ShapeOp<"expand", "Broadcast to a shape"> {
  let description = "(C1) The operand's shape broadcasts to the result's. (C2) The element types are equal.";
  let arguments = (ins NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
}
def NN_ConcatOp : NN_ShapeOp<"concat", "Operands one behind the other along an axis", NN_Scale<"Homogeneous">, !listconcat(NN_Differentiable, NN_Infer)> {
  let description = "(C1) 0 <= axis < rank, at least one operand. (C2) All other extents and the element types are equal.";
  let arguments = (ins Variadic<NN_Tensor>:$inputs, I64Attr:$axis);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$inputs attr-dict `:` type($inputs)";
}
def NN_SplitOp : NN_ShapeOp<"split", "Consecutive parts along an axis"> {
  let description = [{
    The extents of the parts are those of the results. (C1) 0 <= axis < rank, at least one result.
    (C2) The parts' extents add up, all others and the element types are equal.
  }];
  let arguments = (ins NN_Tensor:$input, I64Attr:$axis);
  let results = (outs Variadic<NN_Tensor>:$parts);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}
def NN_SliceOp : NN_ShapeOp<"slice", "A strided box of a tensor"> {
  let description = [{
    Result element i along an axis is operand element `starts + i * steps`; steps may be negative.
    The extents are those of the result. (C1) One start and one non-zero step per axis.
    (C2) Every element read lies inside the operand. (C3) The element types are equal.
  }];
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$steps);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
}
def NN_SliceGradOp : NN_ShapeOp<"slice_grad", "Gradient of slice: dy in its box, zero elsewhere"> {
  let description = "Attributes and constraints of the slice; `dy` has the slice's shape, the result its operand's.";
  let arguments = (ins NN_FloatTensor:$dy, DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$steps);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$dy attr-dict `:` type($dy) `to` type($result)";
}
def NN_PadOp : NN_ShapeOp<"pad", "A border around a tensor"> {
  let description = [{
    `low` and `high` elements per axis, negative ones crop; `mode` says what the border holds, `value`
    the constant. (C1) One entry per axis. (C2) The result shape follows. (C3) A reflected border is
    shorter than its axis. (C4) The element types are equal.
  }];
  let arguments = (ins NN_Tensor:$input, DenseI64ArrayAttr:$low, DenseI64ArrayAttr:$high,
    DefaultValuedAttr<F64Attr, "0.0">:$value, DefaultValuedAttr<NN_PadModeAttr, "PadMode::Constant">:$mode);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
}
def NN_PadGradOp : NN_ShapeOp<"pad_grad", "Gradient of pad: every border element adds to the element it copied",
    NN_Scale<"Homogeneous">, [], NN_Precision<"Follow", "sums in FP32", [], [], [0], "Unsafe", 1>> {
  let description = "Attributes of the pad; `dy` has the padded shape, the result that of the pad's operand.";
  let arguments = (ins NN_FloatTensor:$dy, DenseI64ArrayAttr:$low, DenseI64ArrayAttr:$high,
    DefaultValuedAttr<NN_PadModeAttr, "PadMode::Constant">:$mode);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$dy attr-dict `:` type($dy) `to` type($result)";
}

//===----------------------------------------------------------------------===//
// Indexing. Indices count from the end when negative; the Reference checks their range.
//===----------------------------------------------------------------------===//

def NN_ScatterPrecision : NN_Precision<"Follow", "accumulates in FP32", [], [0], [], "Unsafe", 1>;

def NN_GatherOp : NN_ShapeOp<"gather", "Slices of an axis, chosen by index", NN_Scale<"LinearIn", [0]>, !listconcat(NN_Differentiable, NN_Infer)> {
  let description = [{
    ONNX `Gather`: result shape = data.shape[:axis] + indices.shape + data.shape[axis+1:].
    (C1) 0 <= axis < rank(data).
  }];
  let arguments = (ins NN_Tensor:$data, NN_IndexTensor:$indices, I64Attr:$axis);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$data `,` $indices attr-dict `:` type($data) `,` type($indices)";
}
def NN_GatherGradOp : NN_ShapeOp<"gather_grad", "Gradient of gather: adds dy to the slices it came from",
    NN_Scale<"LinearIn", [0]>, [], NN_ScatterPrecision> {
  let description = "The sums are FP32: an embedding row collects one term per occurrence. The result has the shape of the gathered data and the element type of dy or f32.";
  let arguments = (ins NN_FloatTensor:$dy, NN_IndexTensor:$indices, I64Attr:$axis);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$dy `,` $indices attr-dict `:` functional-type(operands, results)";
}
def NN_GatherElementsOp : NN_ShapeOp<"gather_elements", "One element of an axis per position", NN_Scale<"LinearIn", [0]>, NN_Differentiable> {
  let description = [{
    ONNX `GatherElements`: the result has the indices' shape. (C1) 0 <= axis < rank; the ranks are
    equal. (C2) Off the axis no index extent exceeds the data's. (C3) The element types are equal.
  }];
  let arguments = (ins NN_Tensor:$data, NN_IndexTensor:$indices, I64Attr:$axis);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$data `,` $indices attr-dict `:` functional-type(operands, results)";
}
def NN_GatherElementsGradOp : NN_ShapeOp<"gather_elements_grad", "Gradient of gather_elements: a sum of scattered elements", NN_Scale<"LinearIn", [0]>, NN_Differentiable, NN_ScatterPrecision> {
  let description = "As gather_grad; also what ONNX ScatterElements with reduction `add` adds.";
  let arguments = (ins NN_FloatTensor:$dy, NN_IndexTensor:$indices, I64Attr:$axis);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$dy `,` $indices attr-dict `:` functional-type(operands, results)";
}
def NN_GatherNDOp : NN_ShapeOp<"gather_nd", "Slices chosen by index tuples", NN_Scale<"LinearIn", [0]>, NN_Differentiable> {
  let description = [{
    ONNX `GatherND` with `batch_dims`. (C1) The last extent of the indices is at most
    rank(data) - batch_dims. (C2) The result shape follows. (C3) The element types are equal.
  }];
  let arguments = (ins NN_Tensor:$data, NN_IndexTensor:$indices, DefaultValuedAttr<I64Attr, "0">:$batch_dims);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$data `,` $indices attr-dict `:` functional-type(operands, results)";
}
def NN_GatherNDGradOp : NN_ShapeOp<"gather_nd_grad", "Gradient of gather_nd: a sum of scattered elements", NN_Scale<"LinearIn", [0]>, NN_Differentiable, NN_ScatterPrecision> {
  let description = "As gather_grad; also what ONNX ScatterND with reduction `add` adds.";
  let arguments = (ins NN_FloatTensor:$dy, NN_IndexTensor:$indices, DefaultValuedAttr<I64Attr, "0">:$batch_dims);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$dy `,` $indices attr-dict `:` functional-type(operands, results)";
}

def NN_TopKOp : NN_ShapeOp<"top_k", "The k largest (or smallest) elements of an axis, sorted, and where they are",
    NN_Scale<"LinearIn", [0]>, !listconcat(NN_Differentiable, NN_Infer)> {
  let description = [{
    ONNX `TopK`: of equal elements the one with the lower index comes first; NaN comes before
    everything. (C1) 0 <= axis < rank. (C2) 0 <= k <= the axis's extent. Both results have the
    operand's shape with k on the axis.
  }];
  let arguments = (ins NN_FloatTensor:$data, I64Attr:$axis, I64Attr:$k, DefaultValuedAttr<BoolAttr, "true">:$largest);
  let results = (outs NN_FloatTensor:$values, RankedTensorOf<[I64]>:$indices);
  let assemblyFormat = "$data attr-dict `:` functional-type(operands, results)";
}

#endif // MPT_DIALECT_NN_IR_NNSHAPEOPS
