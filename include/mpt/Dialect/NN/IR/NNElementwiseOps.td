//===- NNElementwiseOps.td - Elementwise operations --------*- tablegen -*-===//

#ifndef MPT_DIALECT_NN_IR_NNELEMENTWISEOPS
#define MPT_DIALECT_NN_IR_NNELEMENTWISEOPS

include "mpt/Dialect/NN/IR/NNBase.td"

//===----------------------------------------------------------------------===//
// Unary
//===----------------------------------------------------------------------===//

class NN_UnaryOp<string mnemonic, string text, NN_Precision precision, NN_Scale scale, list<Trait> traits>
    : NN_Op<mnemonic, precision, scale, !listconcat(traits, [SameOperandsAndResultType])> {
  let summary = text;
  let arguments = (ins NN_NumberTensor:$input);
  let results = (outs NN_NumberTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
}
class NN_UnaryFloatOp<string mnemonic, string text, NN_Precision precision, NN_Scale scale = NN_Scale<"NonLinear">,
                      list<Trait> traits = NN_Differentiable>
    : NN_UnaryOp<mnemonic, text, precision, scale, traits> {
  let arguments = (ins NN_FloatTensor:$input);
  let results = (outs NN_FloatTensor:$result);
}

def NN_NegOp : NN_UnaryOp<"neg", "-x", NN_Moves, NN_Scale<"Homogeneous">, NN_Differentiable>;
def NN_AbsOp : NN_UnaryOp<"abs", "|x|", NN_Moves, NN_Scale<"Homogeneous">, NN_Differentiable>;
def NN_SignOp : NN_UnaryOp<"sign", "-1, 0 or 1; NaN stays", NN_Moves, NN_Scale<"Invariant">, [NN_NonDifferentiable]>;
def NN_FloorOp : NN_UnaryFloatOp<"floor", "Largest integer not above x", NN_Moves, NN_Scale<"NonLinear">, [NN_NonDifferentiable]>;
def NN_CeilOp : NN_UnaryFloatOp<"ceil", "Smallest integer not below x", NN_Moves, NN_Scale<"NonLinear">, [NN_NonDifferentiable]>;
def NN_RoundOp : NN_UnaryFloatOp<"round", "Nearest integer, ties to even", NN_Moves, NN_Scale<"NonLinear">, [NN_NonDifferentiable]>;
def NN_ExpOp : NN_UnaryFloatOp<"exp", "e^x", NN_StaysFP32<"exp overflows FP16 above 11.09">>;
def NN_LogOp : NN_UnaryFloatOp<"log", "Natural logarithm", NN_StaysFP32<"log of a value that underflowed is -inf">>;
def NN_SqrtOp : NN_UnaryFloatOp<"sqrt", "Square root", NN_StaysFP32<"square roots stand behind sums and small epsilons">, NN_Scale<"SquareRoot">>;
def NN_ReciprocalOp : NN_UnaryFloatOp<"reciprocal", "1 / x", NN_StaysFP32<"the reciprocal of a subnormal overflows FP16">>;
def NN_SinOp : NN_UnaryFloatOp<"sin", "Sine", NN_StaysFP32<"the argument's rounding error is an angle">>;
def NN_CosOp : NN_UnaryFloatOp<"cos", "Cosine", NN_StaysFP32<"the argument's rounding error is an angle">>;
def NN_TanOp : NN_UnaryFloatOp<"tan", "Tangent", NN_StaysFP32<"unbounded near its poles">>;
def NN_AsinOp : NN_UnaryFloatOp<"asin", "Arc sine", NN_StaysFP32<"infinite slope at 1">>;
def NN_AcosOp : NN_UnaryFloatOp<"acos", "Arc cosine", NN_StaysFP32<"infinite slope at 1">>;
def NN_AtanOp : NN_UnaryFloatOp<"atan", "Arc tangent", NN_Follows>;
def NN_SinhOp : NN_UnaryFloatOp<"sinh", "Hyperbolic sine", NN_StaysFP32<"sinh overflows FP16 above 11.78">>;
def NN_CoshOp : NN_UnaryFloatOp<"cosh", "Hyperbolic cosine", NN_StaysFP32<"cosh overflows FP16 above 11.78">>;
def NN_AsinhOp : NN_UnaryFloatOp<"asinh", "Inverse hyperbolic sine", NN_Follows>;
def NN_AcoshOp : NN_UnaryFloatOp<"acosh", "Inverse hyperbolic cosine", NN_StaysFP32<"infinite slope at 1">>;
def NN_AtanhOp : NN_UnaryFloatOp<"atanh", "Inverse hyperbolic tangent", NN_StaysFP32<"infinite at 1">>;
def NN_TanhOp : NN_UnaryFloatOp<"tanh", "Hyperbolic tangent", NN_Follows>;
def NN_SigmoidOp : NN_UnaryFloatOp<"sigmoid", "1 / (1 + e^-x)", NN_Follows>;
def NN_ErfOp : NN_UnaryFloatOp<"erf", "Error function", NN_Follows>;
def NN_ReluOp : NN_UnaryOp<"relu", "max(x, 0); NaN stays", NN_Moves, NN_Scale<"Homogeneous">, NN_Differentiable>;
def NN_SiluOp : NN_UnaryFloatOp<"silu", "x * sigmoid(x)", NN_Follows>;
def NN_SoftplusOp : NN_UnaryFloatOp<"softplus", "log(1 + e^x), evaluated as max(x, 0) + log1p(e^-|x|)",
  NN_StaysFP32<"the exponential inside can overflow or vanish">>;
def NN_SoftsignOp : NN_UnaryFloatOp<"softsign", "x / (1 + |x|)", NN_Follows>;
def NN_MishOp : NN_UnaryFloatOp<"mish", "x * tanh(softplus(x))", NN_StaysFP32<"the exponential inside can overflow or vanish">>;
def NN_HardSwishOp : NN_UnaryFloatOp<"hard_swish", "x * max(0, min(1, x/6 + 1/2))", NN_Follows>;

def NN_GeluOp : NN_UnaryFloatOp<"gelu", "x * Phi(x), exactly or by the tanh approximation", NN_Follows> {
  let description = [{
    `tanh = false`: x/2 (1 + erf(x/sqrt 2)). `tanh = true`:
    x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
  }];
  let arguments = (ins NN_FloatTensor:$input, DefaultValuedAttr<BoolAttr, "false">:$tanh);
}
def NN_LeakyReluOp : NN_UnaryFloatOp<"leaky_relu", "x where x >= 0, else alpha * x", NN_Follows, NN_Scale<"Homogeneous">> {
  let arguments = (ins NN_FloatTensor:$input, DefaultValuedAttr<F64Attr, "0.01">:$alpha);
}
def NN_EluOp : NN_UnaryFloatOp<"elu", "gamma * (x where x > 0, else alpha * (e^(x/beta) - 1))", NN_Follows> {
  let description = "ONNX Elu (gamma = beta = 1), Selu (beta = 1) and Celu (beta = alpha).";
  let arguments = (ins NN_FloatTensor:$input, DefaultValuedAttr<F64Attr, "1.0">:$alpha,
    DefaultValuedAttr<F64Attr, "1.0">:$beta, DefaultValuedAttr<F64Attr, "1.0">:$gamma);
}
def NN_HardSigmoidOp : NN_UnaryFloatOp<"hard_sigmoid", "max(0, min(1, alpha * x + beta))", NN_Follows> {
  let arguments = (ins NN_FloatTensor:$input, DefaultValuedAttr<F64Attr, "0.2">:$alpha,
    DefaultValuedAttr<F64Attr, "0.5">:$beta);
}
def NN_ClipOp : NN_UnaryOp<"clip", "min(max(x, min), max); NaN stays", NN_Moves, NN_Scale<"NonLinear">, NN_Differentiable> {
  let description = "Bounds are attributes; infinities mean no bound. Integer tensors round the bounds inwards.";
  let arguments = (ins NN_NumberTensor:$input, F64Attr:$min, F64Attr:$max);
}
def NN_NotOp : NN_UnaryOp<"not", "Logical not", NN_Moves, NN_Scale<"Invariant">, [NN_NonDifferentiable]> {
  let arguments = (ins NN_BoolTensor:$input);
  let results = (outs NN_BoolTensor:$result);
}

class NN_FloatTestOp<string mnemonic, string text>
    : NN_Op<mnemonic, NN_Moves, NN_Scale<"Invariant">, !listconcat(NN_Infer, [NN_NonDifferentiable])> {
  let summary = text;
  let results = (outs NN_BoolTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}
def NN_IsNaNOp : NN_FloatTestOp<"is_nan", "Is the element a NaN?"> {
  let arguments = (ins NN_FloatTensor:$input);
}
def NN_IsInfOp : NN_FloatTestOp<"is_inf", "Is the element an infinity?"> {
  let arguments = (ins NN_FloatTensor:$input, DefaultValuedAttr<BoolAttr, "true">:$negative,
    DefaultValuedAttr<BoolAttr, "true">:$positive);
}

def NN_CastOp : NN_Op<"cast", NN_Precision<"FP32", "a cast the user wrote keeps its meaning">, NN_Scale<"Homogeneous">, NN_Differentiable> {
  let summary = "A conversion of the element type that the model asks for";
  let description = [{
    ONNX `Cast`: float to integer truncates, to bool is `x != 0`, between floats rounds to nearest
    even. Never removed by the precision passes (their own casts are `mp.cast`).
    (C1) The shapes are equal.
  }];
  let arguments = (ins NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `to` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

//===----------------------------------------------------------------------===//
// Binary and ternary, with NumPy broadcasting
//===----------------------------------------------------------------------===//

class NN_BinaryOp<string mnemonic, string text, NN_Precision precision, NN_Scale scale, list<Trait> traits>
    : NN_Op<mnemonic, precision, scale, !listconcat(traits, NN_Infer)> {
  let summary = text;
  let description = [{
    (C1) The shapes broadcast by NumPy's rules. (C2) The element types are equal.
  }];
  let arguments = (ins NN_NumberTensor:$lhs, NN_NumberTensor:$rhs);
  let results = (outs NN_NumberTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs)";
}
def NN_AddOp : NN_BinaryOp<"add", "x + y", NN_Follows, NN_Scale<"Homogeneous">, !listconcat(NN_Differentiable, [Commutative])>;
def NN_SubOp : NN_BinaryOp<"sub", "x - y", NN_Follows, NN_Scale<"Homogeneous">, NN_Differentiable>;
def NN_MulOp : NN_BinaryOp<"mul", "x * y", NN_Follows, NN_Scale<"Product">, !listconcat(NN_Differentiable, [Commutative])>;
def NN_DivOp : NN_BinaryOp<"div", "x / y (integers: truncated)", NN_Follows, NN_Scale<"Quotient">, NN_Differentiable>;
def NN_PowOp : NN_BinaryOp<"pow", "x ^ y", NN_StaysFP32<"powers overflow and underflow FP16">, NN_Scale<"NonLinear">, NN_Differentiable> {
  let description = [{
    (C1) The shapes broadcast by NumPy's rules. The result has the base's element type; the
    exponent's may differ.
  }];
}
def NN_MinOp : NN_BinaryOp<"min", "Smaller of x and y; NaN wins", NN_Moves, NN_Scale<"Homogeneous">, NN_Differentiable>;
def NN_MaxOp : NN_BinaryOp<"max", "Larger of x and y; NaN wins", NN_Moves, NN_Scale<"Homogeneous">, NN_Differentiable>;
def NN_ModOp : NN_BinaryOp<"mod", "Remainder; `fmod` = C's fmod, else the sign of the divisor", NN_Follows, NN_Scale<"NonLinear">, [NN_NonDifferentiable]> {
  let arguments = (ins NN_NumberTensor:$lhs, NN_NumberTensor:$rhs, DefaultValuedAttr<BoolAttr, "false">:$fmod);
}

class NN_LogicOp<string mnemonic, string text>
    : NN_BinaryOp<mnemonic, text, NN_Moves, NN_Scale<"Invariant">, [NN_NonDifferentiable, Commutative]> {
  let arguments = (ins NN_BoolTensor:$lhs, NN_BoolTensor:$rhs);
  let results = (outs NN_BoolTensor:$result);
}
def NN_AndOp : NN_LogicOp<"and", "Logical and">;
def NN_OrOp : NN_LogicOp<"or", "Logical or">;
def NN_XorOp : NN_LogicOp<"xor", "Logical exclusive or">;

def NN_CompareOp : NN_Op<"compare", NN_Moves, NN_Scale<"Comparison">, !listconcat(NN_Infer, [NN_NonDifferentiable])> {
  let summary = "Elementwise comparison with broadcasting";
  let description = "(C1) The shapes broadcast. (C2) The element types are equal. NaN compares unequal to everything.";
  let arguments = (ins NN_NumberTensor:$lhs, NN_NumberTensor:$rhs, NN_CompareAttr:$predicate);
  let results = (outs NN_BoolTensor:$result);
  let assemblyFormat = "$predicate $lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs)";
}

def NN_WhereOp : NN_Op<"where", NN_Moves, NN_Scale<"Homogeneous">, !listconcat(NN_Infer, NN_Differentiable)> {
  let summary = "x where the condition holds, else y";
  let description = "(C1) The three shapes broadcast. (C2) x and y have one element type.";
  let arguments = (ins NN_BoolTensor:$condition, NN_Tensor:$x, NN_Tensor:$y);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$condition `,` $x `,` $y attr-dict `:` type($condition) `,` type($x) `,` type($y)";
}

//===----------------------------------------------------------------------===//
// Derivatives of activations: dx = dy * f'(x), one operation so that the inside stays FP32
//===----------------------------------------------------------------------===//

class NN_ActivationGradOp<string mnemonic, string text>
    : NN_Op<mnemonic, NN_Follows, NN_Scale<"LinearIn", [0]>, [SameOperandsAndResultType]> {
  let summary = text;
  let arguments = (ins NN_FloatTensor:$dy, NN_FloatTensor:$value);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$dy `,` $value attr-dict `:` type($result)";
}
def NN_ReluGradOp : NN_ActivationGradOp<"relu_grad", "dy where the *result* y > 0, else 0">;
def NN_SigmoidGradOp : NN_ActivationGradOp<"sigmoid_grad", "dy * y (1 - y), from the result y">;
def NN_TanhGradOp : NN_ActivationGradOp<"tanh_grad", "dy * (1 - y^2), from the result y">;
def NN_GeluGradOp : NN_ActivationGradOp<"gelu_grad", "Derivative of gelu, from the input x"> {
  let arguments = (ins NN_FloatTensor:$dy, NN_FloatTensor:$value, DefaultValuedAttr<BoolAttr, "false">:$tanh);
}
def NN_SiluGradOp : NN_ActivationGradOp<"silu_grad", "dy * s(x) (1 + x (1 - s(x))), from the input x">;
def NN_SoftplusGradOp : NN_ActivationGradOp<"softplus_grad", "dy * sigmoid(x), from the input x">;
def NN_MishGradOp : NN_ActivationGradOp<"mish_grad", "Derivative of mish, from the input x">;
def NN_HardSwishGradOp : NN_ActivationGradOp<"hard_swish_grad", "Derivative of hard_swish, from the input x">;
def NN_LeakyReluGradOp : NN_ActivationGradOp<"leaky_relu_grad", "dy where x >= 0, else alpha * dy, from the input x"> {
  let arguments = (ins NN_FloatTensor:$dy, NN_FloatTensor:$value, DefaultValuedAttr<F64Attr, "0.01">:$alpha);
}
def NN_EluGradOp : NN_ActivationGradOp<"elu_grad", "gamma * dy * (1 where x > 0, else alpha/beta e^(x/beta)), from the input x"> {
  let arguments = (ins NN_FloatTensor:$dy, NN_FloatTensor:$value, DefaultValuedAttr<F64Attr, "1.0">:$alpha,
    DefaultValuedAttr<F64Attr, "1.0">:$beta, DefaultValuedAttr<F64Attr, "1.0">:$gamma);
}
def NN_HardSigmoidGradOp : NN_ActivationGradOp<"hard_sigmoid_grad", "alpha * dy inside the linear part, else 0, from the input x"> {
  let arguments = (ins NN_FloatTensor:$dy, NN_FloatTensor:$value, DefaultValuedAttr<F64Attr, "0.2">:$alpha,
    DefaultValuedAttr<F64Attr, "0.5">:$beta);
}
def NN_ClipGradOp : NN_ActivationGradOp<"clip_grad", "dy where min <= x <= max, else 0, from the input x"> {
  let arguments = (ins NN_FloatTensor:$dy, NN_FloatTensor:$value, F64Attr:$min, F64Attr:$max);
}

def NN_DropoutOp : NN_Op<"dropout", NN_Moves, NN_Scale<"Homogeneous">, !listconcat(NN_Infer, NN_Differentiable)> {
  let summary = "Zeroes elements at random and scales the rest by 1 / (1 - ratio)";
  let description = [{
    The random bits are a function of (`seed`, `step`, element number) alone: Philox-4x32-10 with
    key `seed` and counter (element number / 4, step), word (element number mod 4); an element is
    kept when its word w, as the number w * 2^-32, is >= ratio. So a step is reproducible, on any
    target and thread count. `step` is the training step; absent, 0. `mask` tells what was kept.
  }];
  let arguments = (ins NN_FloatTensor:$input, Optional<NN_ScalarCounter>:$step, F64Attr:$ratio, I64Attr:$seed);
  let results = (outs NN_FloatTensor:$result, NN_BoolTensor:$mask);
  let assemblyFormat = "$input (`at` $step^)? attr-dict `:` type($input)";
  let hasVerifier = 1;
}

#endif // MPT_DIALECT_NN_IR_NNELEMENTWISEOPS
