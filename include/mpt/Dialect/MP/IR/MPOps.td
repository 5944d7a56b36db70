//===- MPOps.td - Operations of the mixed-precision dialect --------------===//

#ifndef MPT_DIALECT_MP_IR_MPOPS
#define MPT_DIALECT_MP_IR_MPOPS

include "mpt/Dialect/MP/IR/MPDialect.td"
include "mpt/Interfaces/LossScaleOpInterface.td"
include "mpt/Interfaces/PrecisionOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def MP_FloatTensor : TensorOf<[F16, BF16, F32, F64]>;
def MP_Scalar : 0DTensorOf<[F32, F64]>;
def MP_Counter : 0DTensorOf<[I64]>, BuildableType<"::mlir::RankedTensorType::get({}, $_builder.getI64Type())">;
def MP_Flag : 0DTensorOf<[I1]>, BuildableType<"::mlir::RankedTensorType::get({}, $_builder.getI1Type())">;

class MP_Op<string mnemonic, list<Trait> traits = []>
    : Op<MP_Dialect, mnemonic, !listconcat(traits, [Pure])>;

// An op of this dialect is FP32 by construction; casts are what the passes themselves place.
class MP_ScaleOp<string mnemonic, string behavior, list<Trait> traits = []>
    : MP_Op<mnemonic, !listconcat(traits, [
        DeclareOpInterfaceMethods<PrecisionOpInterface>,
        DeclareOpInterfaceMethods<LossScaleOpInterface>])> {
  code scaleDefinition = "::mpt::ScaleBehavior $cppClass::getScaleBehavior() { return ::mpt::ScaleBehavior::"
    # behavior # "; }\n";
  code precisionDefinition = [{
    ::mpt::PrecisionClass $cppClass::getPrecisionClass() { return ::mpt::PrecisionClass::FP32; }
    ::llvm::StringRef $cppClass::getPrecisionReason() { return "gradients are scaled, checked and applied in FP32"; }
  }];
  let extraClassDefinition = scaleDefinition # precisionDefinition;
}

def MP_CastOp : MP_Op<"cast", [SameOperandsAndResultShape,
    DeclareOpInterfaceMethods<LossScaleOpInterface>]> {
  let summary = "A change of precision that the compiler placed";
  let description = [{
    Rounds to nearest even; overflow gives an infinity, subnormals are kept. Only these casts
    fold away (`f32 -> f16 -> f32` of a compiler's cast pair is removed by `mpt-insert-casts`
    when nothing needed the rounding); a user's own cast is another operation and stays.

    ```mlir
    %1 = mp.cast %0 : tensor<4x8xf32> to tensor<4x8xf16>
    ```
  }];
  let arguments = (ins MP_FloatTensor:$input);
  let results = (outs MP_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasFolder = 1;
  let extraClassDefinition = [{
    ::mpt::ScaleBehavior $cppClass::getScaleBehavior() { return ::mpt::ScaleBehavior::Homogeneous; }
  }];
}

def MP_LossSeedOp : MP_Op<"loss_seed"> {
  let summary = "The gradient of the loss with respect to itself";
  let description = [{
    The value 1.0 that starts the backward graph. `mpt-scale-loss` replaces it with the loss
    scale: scaling the seed scales every gradient.
  }];
  let results = (outs MP_FloatTensor:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def MP_GradientOp : MP_ScaleOp<"gradient", "Homogeneous", [AllTypesMatch<["gradient", "result"]>]> {
  let summary = "Marks the finished gradient of a parameter";
  let description = [{
    The border between the backward graph and the optimizer, one per trained parameter:
    identity, FP32 behind it. `mpt-scale-loss` replaces it with `mp.unscale`, so that clipping
    and the optimizer see unscaled gradients.
  }];
  let arguments = (ins MP_FloatTensor:$gradient, StrAttr:$parameter);
  let results = (outs MP_FloatTensor:$result);
  let assemblyFormat = "$gradient `of` $parameter attr-dict `:` type($gradient)";
}

def MP_ScaleByOp : MP_ScaleOp<"scale", "Shift", [AllTypesMatch<["input", "result"]>,
    DeclareOpInterfaceMethods<LossScaleOpInterface, ["getScaleShift"]>]> {
  let summary = "Multiplies by the loss scale";
  let description = "`result = input * scale`, in FP32. Raises the power of the scale by one.";
  let arguments = (ins MP_FloatTensor:$input, MP_Scalar:$scale);
  let results = (outs MP_FloatTensor:$result);
  let assemblyFormat = "$input `by` $scale attr-dict `:` type($input) `,` type($scale)";
  let extraClassDefinition = scaleDefinition # precisionDefinition #
    "int64_t $cppClass::getScaleShift() { return 1; }";
}

def MP_UnscaleOp : MP_ScaleOp<"unscale", "Shift", [AllTypesMatch<["gradient", "result"]>,
    DeclareOpInterfaceMethods<LossScaleOpInterface, ["getScaleShift"]>]> {
  let summary = "Divides a finished gradient by the loss scale";
  let description = [{
    `result = gradient * (1 / scale)` in FP32, exact for a power of two. One per trained
    parameter; the finite check reads the *scaled* operand.
  }];
  let arguments = (ins MP_FloatTensor:$gradient, MP_Scalar:$scale, StrAttr:$parameter);
  let results = (outs MP_FloatTensor:$result);
  let assemblyFormat = "$gradient `of` $parameter `by` $scale attr-dict `:` type($gradient) `,` type($scale)";
  let extraClassDefinition = scaleDefinition # precisionDefinition #
    "int64_t $cppClass::getScaleShift() { return -1; }";
}

def MP_AllFiniteOp : MP_ScaleOp<"all_finite", "Invariant"> {
  let summary = "Are all elements of all operands finite?";
  let description = [{
    `finite` is true when no operand holds an infinity or a NaN. `first` is the number of the
    first operand that does, or -1: a log can then name the tensor that overflowed.
  }];
  let arguments = (ins Variadic<MP_FloatTensor>:$inputs);
  let results = (outs MP_Flag:$finite, MP_Counter:$first);
  let assemblyFormat = "$inputs attr-dict `:` type($inputs)";
}

def MP_UpdateOp : MP_ScaleOp<"update", "Homogeneous", [AllTypesMatch<["oldValue", "newValue", "result"]>]> {
  let summary = "The new value of a piece of training state";
  let description = [{
    `result = finite ? newValue : oldValue`; without `finite`, `newValue`. Every state result
    of a step is defined by one of these, so that a skipped step leaves parameters, moments,
    the step count and batch-norm statistics bit for bit as they were. `mpt-scale-loss` adds
    the flag.
  }];
  let arguments = (ins AnyTensor:$oldValue, AnyTensor:$newValue, Optional<MP_Flag>:$finite);
  let results = (outs AnyTensor:$result);
  let assemblyFormat = "$oldValue `to` $newValue (`if` $finite^)? attr-dict `:` type($result)";
}

def MP_UpdateScaleOp : MP_ScaleOp<"update_scale", "NonLinear", [AllTypesMatch<["scale", "newScale"]>]> {
  let summary = "Dynamic loss scaling: the next scale";
  let description = [{
    Not finite: the hysteresis budget falls by one; when it is used up the scale becomes
    `max(scale * backoff, minimum)`; the growth counter starts again. Finite: the counter
    rises; at `growthInterval` the scale becomes `min(scale * growth, maximum)`, the counter
    starts again and the budget is refilled.

    State: `scale` f32, `counter` i64 (finite steps since the last change), `budget` i64
    (overflows left before the scale falls).
  }];
  let arguments = (ins MP_Scalar:$scale, MP_Counter:$counter, MP_Counter:$budget, MP_Flag:$finite,
    DefaultValuedAttr<F64Attr, "2.0">:$growth, DefaultValuedAttr<F64Attr, "0.5">:$backoff,
    DefaultValuedAttr<I64Attr, "2000">:$growthInterval,
    DefaultValuedAttr<F64Attr, "1.0">:$minimum, DefaultValuedAttr<F64Attr, "16777216.0">:$maximum,
    DefaultValuedAttr<I64Attr, "1">:$hysteresis);
  let results = (outs MP_Scalar:$newScale, MP_Counter:$newCounter, MP_Counter:$newBudget);
  let assemblyFormat = "$scale `,` $counter `,` $budget `if` $finite attr-dict `:` type($scale)";
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "::mlir::Value":$scale, "::mlir::Value":$counter, "::mlir::Value":$budget,
    "::mlir::Value":$finite, "double":$growth, "double":$backoff, "int64_t":$growthInterval,
    "double":$minimum, "double":$maximum, "int64_t":$hysteresis)>];
}

#endif // MPT_DIALECT_MP_IR_MPOPS
