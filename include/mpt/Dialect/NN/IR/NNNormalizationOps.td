//===- NNNormalizationOps.td - Normalization and softmax ---*- tablegen -*-===//

#ifndef MPT_DIALECT_NN_IR_NNNORMALIZATIONOPS
#define MPT_DIALECT_NN_IR_NNNORMALIZATIONOPS

include "mpt/Dialect/NN/IR/NNBase.td"

// The data may be 16 bits wide; statistics, scale and shift are FP32, and so is the inside.
class NN_Normalizes<list<int> pinnedOps, list<int> pinnedRes>
    : NN_Precision<"Follow", "safe in 16 bits: statistics, scale and shift are FP32", pinnedOps, pinnedRes, [], "Unsafe", 1>;

class NN_NormOp<string mnemonic, NN_Precision precision, NN_Scale scale, list<Trait> traits>
    : NN_Op<mnemonic, precision, scale, !listconcat(traits, NN_Infer)> {
  let hasVerifier = 1;
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

// Backward operations: linear in dy (operand 0); dx has the type of x.
class NN_NormGradOp<string mnemonic, NN_Precision precision> : NN_NormOp<mnemonic, precision, NN_Scale<"LinearIn", [0]>, []>;

def NN_BatchNormInferenceOp : NN_NormOp<"batch_norm_inference", NN_Normalizes<[1, 2, 3, 4], []>, NN_Scale<"NonLinear">, NN_Differentiable> {
  let summary = "Batch normalization with given statistics";
  let description = [{
    `y = (x - mean) / sqrt(variance + epsilon) * scale + bias` per channel (axis 1).
    (C1) x has rank >= 2. (C2) scale, bias, mean, variance are [C] of one float type (f32, or f64
    with f64 data).
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$scale, NN_FloatTensor:$bias,
    NN_FloatTensor:$mean, NN_FloatTensor:$variance, DefaultValuedAttr<F64Attr, "1e-5">:$epsilon);
  let results = (outs NN_FloatTensor:$result);
}
def NN_BatchNormTrainingOp : NN_NormOp<"batch_norm_training", NN_Normalizes<[1, 2, 3, 4], [1, 2, 3, 4]>, NN_Scale<"NonLinear">, NN_Differentiable> {
  let summary = "Batch normalization with the batch's statistics; updates the running ones";
  let description = [{
    Per channel (axis 1), over all other axes: mean and *population* variance of x;
    `y = (x - mean) * rstd * scale + bias`, `rstd = 1 / sqrt(variance + epsilon)`;
    `new_mean = momentum * running_mean + (1 - momentum) * mean`, the same for the variance
    (ONNX: momentum is the weight of the old value, the variance is the population's).
    `saved_mean` and `saved_rstd` are for the derivative.
    (C1), (C2) as in batch_norm_inference.
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$scale, NN_FloatTensor:$bias,
    NN_FloatTensor:$running_mean, NN_FloatTensor:$running_variance,
    DefaultValuedAttr<F64Attr, "1e-5">:$epsilon, DefaultValuedAttr<F64Attr, "0.9">:$momentum);
  let results = (outs NN_FloatTensor:$result, NN_FloatTensor:$new_mean, NN_FloatTensor:$new_variance,
    NN_FloatTensor:$saved_mean, NN_FloatTensor:$saved_rstd);
}
def NN_BatchNormGradOp : NN_NormGradOp<"batch_norm_grad", NN_Normalizes<[2, 3, 4], [1, 2]>> {
  let summary = "Gradients of batch_norm_training";
  let description = [{
    With xhat = (x - mean) rstd and means over all axes but 1:
    `dscale = sum(dy xhat)`, `dbias = sum(dy)`,
    `dx = scale rstd (dy - mean(dy) - xhat mean(dy xhat))` (Ioffe and Szegedy 2015).
  }];
  let arguments = (ins NN_FloatTensor:$dy, NN_FloatTensor:$input, NN_FloatTensor:$scale,
    NN_FloatTensor:$mean, NN_FloatTensor:$rstd);
  let results = (outs NN_FloatTensor:$dx, NN_FloatTensor:$dscale, NN_FloatTensor:$dbias);
}

def NN_LayerNormOp : NN_NormOp<"layer_norm", NN_Normalizes<[1, 2], [1, 2]>, NN_Scale<"NonLinear">, NN_Differentiable> {
  let summary = "Layer normalization over the axes from `axis` on";
  let description = [{
    `y = (x - mean) * rstd * scale + bias`, statistics over the axes >= `axis`, population
    variance. `mean` and `rstd` keep the reduced axes with extent 1.
    (C1) 0 <= axis < rank. (C2) scale and bias have shape x.shape[axis:]. (C3) Statistics, scale
    and bias are f32 (f64 with f64 data).
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$scale, Optional<NN_FloatTensor>:$bias,
    I64Attr:$axis, DefaultValuedAttr<F64Attr, "1e-5">:$epsilon);
  let results = (outs NN_FloatTensor:$result, NN_FloatTensor:$mean, NN_FloatTensor:$rstd);
}
def NN_LayerNormGradOp : NN_NormGradOp<"layer_norm_grad", NN_Normalizes<[2, 3, 4], [1, 2]>> {
  let summary = "Gradients of layer_norm";
  let description = [{
    With g = dy scale and means over the normalized axes:
    `dx = rstd (g - mean(g) - xhat mean(g xhat))`; `dscale = sum(dy xhat)` and `dbias = sum(dy)`
    over the axes before `axis` (Ba et al. 2016).
  }];
  let arguments = (ins NN_FloatTensor:$dy, NN_FloatTensor:$input, NN_FloatTensor:$scale,
    NN_FloatTensor:$mean, NN_FloatTensor:$rstd, I64Attr:$axis);
  let results = (outs NN_FloatTensor:$dx, NN_FloatTensor:$dscale, NN_FloatTensor:$dbias);
}

def NN_RMSNormOp : NN_NormOp<"rms_norm", NN_Normalizes<[1], [1]>, NN_Scale<"NonLinear">, NN_Differentiable> {
  let summary = "Root-mean-square normalization over the axes from `axis` on";
  let description = [{
    `y = x * rstd * scale`, `rstd = 1 / sqrt(mean(x^2) + epsilon)`. Constraints as layer_norm.
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$scale, I64Attr:$axis,
    DefaultValuedAttr<F64Attr, "1e-5">:$epsilon);
  let results = (outs NN_FloatTensor:$result, NN_FloatTensor:$rstd);
}
def NN_RMSNormGradOp : NN_NormGradOp<"rms_norm_grad", NN_Normalizes<[2, 3], [1]>> {
  let summary = "Gradients of rms_norm";
  let description = [{
    With g = dy scale, n the number of normalized elements: `dx = rstd (g - x rstd^2 sum(g x) / n)`,
    `dscale = sum(dy x rstd)` over the axes before `axis`.
  }];
  let arguments = (ins NN_FloatTensor:$dy, NN_FloatTensor:$input, NN_FloatTensor:$scale,
    NN_FloatTensor:$rstd, I64Attr:$axis);
  let results = (outs NN_FloatTensor:$dx, NN_FloatTensor:$dscale);
}

def NN_GroupNormOp : NN_NormOp<"group_norm", NN_Normalizes<[1, 2], [1, 2]>, NN_Scale<"NonLinear">, NN_Differentiable> {
  let summary = "Group normalization; instance normalization with one channel per group";
  let description = [{
    Statistics per sample and group of C/num_groups channels (and all spatial axes), population
    variance; scale and bias per channel. `mean` and `rstd` are [N, num_groups].
    (C1) x has rank >= 3. (C2) C is divisible by num_groups. (C3) scale and bias are [C] in f32
    (f64 with f64 data).
  }];
  let arguments = (ins NN_FloatTensor:$input, NN_FloatTensor:$scale, NN_FloatTensor:$bias,
    I64Attr:$num_groups, DefaultValuedAttr<F64Attr, "1e-5">:$epsilon);
  let results = (outs NN_FloatTensor:$result, NN_FloatTensor:$mean, NN_FloatTensor:$rstd);
}
def NN_GroupNormGradOp : NN_NormGradOp<"group_norm_grad", NN_Normalizes<[2, 3, 4], [1, 2]>> {
  let summary = "Gradients of group_norm";
  let description = "As layer_norm_grad, with statistics per sample and group; `dscale` and `dbias` are [C].";
  let arguments = (ins NN_FloatTensor:$dy, NN_FloatTensor:$input, NN_FloatTensor:$scale,
    NN_FloatTensor:$mean, NN_FloatTensor:$rstd, I64Attr:$num_groups);
  let results = (outs NN_FloatTensor:$dx, NN_FloatTensor:$dscale, NN_FloatTensor:$dbias);
}

class NN_SoftmaxLikeOp<string mnemonic, string text, NN_Precision precision>
    : NN_Op<mnemonic, precision, NN_Scale<"NonLinear">, !listconcat(NN_Differentiable, [SameOperandsAndResultType])> {
  let summary = text;
  let description = "(C1) 0 <= axis < rank.";
  let arguments = (ins NN_FloatTensor:$input, I64Attr:$axis);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
  let hasVerifier = 1;
}
class NN_SoftmaxLikeGradOp<string mnemonic, string text, NN_Precision precision>
    : NN_Op<mnemonic, precision, NN_Scale<"LinearIn", [0]>, [SameOperandsAndResultType]> {
  let summary = text;
  let description = "From the result y of the forward operation. (C1) 0 <= axis < rank.";
  let arguments = (ins NN_FloatTensor:$dy, NN_FloatTensor:$y, I64Attr:$axis);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$dy `,` $y attr-dict `:` type($result)";
  let hasVerifier = 1;
}
def NN_SoftmaxInside : NN_Precision<"Follow", "safe in 16 bits: exp(x - max) and its sum are FP32 inside, the result is at most 1", [], [], [], "Unsafe", 1>;
def NN_SoftmaxOp : NN_SoftmaxLikeOp<"softmax", "exp(x - max) / sum(exp(x - max)) along an axis", NN_SoftmaxInside>;
def NN_SoftmaxGradOp : NN_SoftmaxLikeGradOp<"softmax_grad", "y (dy - sum(dy y))", NN_SoftmaxInside>;
def NN_LogSoftmaxOp : NN_SoftmaxLikeOp<"log_softmax", "x - max - log(sum(exp(x - max))) along an axis",
  NN_StaysFP32<"log-probabilities feed a loss: FP16 keeps only three digits of them">>;
def NN_LogSoftmaxGradOp : NN_SoftmaxLikeGradOp<"log_softmax_grad", "dy - exp(y) sum(dy)",
  NN_StaysFP32<"the gradient of a loss over log-probabilities">>;

#endif // MPT_DIALECT_NN_IR_NNNORMALIZATIONOPS
