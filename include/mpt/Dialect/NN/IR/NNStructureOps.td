//===- NNStructureOps.td - Parameters, constants, kernels --*- tablegen -*-===//

#ifndef MPT_DIALECT_NN_IR_NNSTRUCTUREOPS
#define MPT_DIALECT_NN_IR_NNSTRUCTUREOPS

include "mpt/Dialect/NN/IR/NNBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

def NN_ParameterOp : Op<NN_Dialect, "parameter", [Symbol]> {
  let summary = "A parameter of the model: type, initial value, trainable or not";
  let description = [{
    A symbol; functions take parameters as arguments that name it (`nn.parameter = @w`). The
    initial value is `#nn.external` (bytes in a file), an elements attribute, or absent.

    ```mlir
    nn.parameter @fc1.weight trainable = true : tensor<256x784xf32> = #nn.external<"mlp.onnx", 120, 802816>
    ```
    (C1) An external value has as many bytes as the type. (C2) An elements attribute has the
    parameter's type.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<NN_Tensor>:$type,
    DefaultValuedAttr<BoolAttr, "false">:$trainable, OptionalAttr<AnyAttr>:$value);
  let assemblyFormat = "$sym_name (`trainable` `=` $trainable^)? attr-dict `:` $type (`=` $value^)?";
  let hasVerifier = 1;
}

def NN_ConstantOp : Op<NN_Dialect, "constant", [Pure, ConstantLike,
    DeclareOpInterfaceMethods<PrecisionOpInterface>,
    DeclareOpInterfaceMethods<LossScaleOpInterface>,
    DeclareOpInterfaceMethods<InferTypeOpInterface, ["inferReturnTypes"]>, NN_NonDifferentiable]> {
  let summary = "A constant tensor";
  let description = "(C1) The result has the value's type.";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "attr-dict $value";
  let hasFolder = 1;
  let extraClassDefinition = [{
    ::mpt::PrecisionClass $cppClass::getPrecisionClass() { return ::mpt::PrecisionClass::FP32; }
    ::llvm::StringRef $cppClass::getPrecisionReason() { return "a constant is cast where it is used"; }
    ::mpt::ScaleBehavior $cppClass::getScaleBehavior() { return ::mpt::ScaleBehavior::NonLinear; }
  }];
}

def NN_OnnxNodeOp : Op<NN_Dialect, "onnx_node"> {
  let summary = "An ONNX node without a counterpart in this dialect";
  let description = [{
    Kept as it came: `node` is the serialized NodeProto (attributes and subgraphs included), with
    its input and output names; `operand_names` names the values behind the operands (the
    inputs that are there, then what subgraphs capture). Result types come from ONNX shape
    inference. FP32 to the precision passes, exported unchanged; a lowering or a derivative
    that needs it stops with an error that names it.
  }];
  let arguments = (ins Variadic<AnyType>:$inputs, StrAttr:$domain, StrAttr:$op_type, I64Attr:$opset,
    StrAttr:$node, StrArrayAttr:$operand_names);
  let results = (outs Variadic<AnyType>:$outputs);
  let assemblyFormat = "$domain `:` $op_type `(` $inputs `)` attr-dict `:` functional-type($inputs, $outputs)";
}

//===----------------------------------------------------------------------===//
// Kernels: what clustering makes of a step
//===----------------------------------------------------------------------===//

def NN_KernelOp : Op<NN_Dialect, "kernel", [IsolatedFromAbove, Pure, SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "A group of operations that become one kernel";
  let description = [{
    The region's arguments are the operands, `nn.yield` gives the results. `kind` names the
    template the group is lowered by; clustering guarantees that the group fits it.

    ```mlir
    %2 = nn.kernel "pointwise"(%0, %1) ({
    ^bb0(%a: tensor<8x16xf16>, %b: tensor<16xf16>):
      %3 = nn.add %a, %b : tensor<8x16xf16>, tensor<16xf16>
      %4 = nn.relu %3 : tensor<8x16xf16>
      nn.yield %4 : tensor<8x16xf16>
    }) : (tensor<8x16xf16>, tensor<16xf16>) -> tensor<8x16xf16>
    ```
  }];
  let arguments = (ins Variadic<NN_Tensor>:$inputs, StrAttr:$kind);
  let results = (outs Variadic<NN_Tensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$kind `(` $inputs `)` attr-dict-with-keyword $body `:` functional-type($inputs, $outputs)";
  let hasVerifier = 1;
}
def NN_YieldOp : Op<NN_Dialect, "yield", [Pure, Terminator, HasParent<"KernelOp">, ReturnLike]> {
  let summary = "Ends a kernel";
  let arguments = (ins Variadic<NN_Tensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), [{}]>];
}

#endif // MPT_DIALECT_NN_IR_NNSTRUCTUREOPS
