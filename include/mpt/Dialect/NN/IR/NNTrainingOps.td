//===- NNTrainingOps.td - Losses and optimizers ------------*- tablegen -*-===//

#ifndef MPT_DIALECT_NN_IR_NNTRAININGOPS
#define MPT_DIALECT_NN_IR_NNTRAININGOPS

include "mpt/Dialect/NN/IR/NNBase.td"

def NN_LossPrecision : NN_StaysFP32<"a loss and its gradient are FP32">;

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

def NN_SoftmaxCrossEntropyOp : NN_Op<"softmax_cross_entropy", NN_LossPrecision, NN_Scale<"NonLinear">, !listconcat(NN_Differentiable, NN_Infer)> {
  let summary = "Cross-entropy of softmax(logits) against class labels";
  let description = [{
    `log_prob = log_softmax(logits, axis)`; the loss of a sample is
    `-w[label] * log_prob[label]`, 0 where the label is `ignore_index`; `w` is 1 without `weights`.
    `mean` divides the sum by the sum of `w[label]` over the samples not ignored (ONNX
    `SoftmaxCrossEntropyLoss`, PyTorch `cross_entropy`).

    (C1) 0 <= axis < rank(logits). (C2) The labels' shape is that of the logits without `axis`.
    (C3) The weights are [classes]. (C4) `loss` is a scalar, or the labels' shape for reduction
    `none`. A label outside [0, classes) that is not ignored is an error when it is read.
  }];
  let arguments = (ins NN_FloatTensor:$logits, NN_IndexTensor:$labels, Optional<NN_FloatTensor>:$weights,
    I64Attr:$axis, OptionalAttr<I64Attr>:$ignore_index,
    DefaultValuedAttr<NN_LossReductionAttr, "LossReduction::Mean">:$reduction);
  let results = (outs NN_FloatTensor:$loss, NN_FloatTensor:$log_prob);
  let assemblyFormat = "$logits `,` $labels (`weights` $weights^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def NN_SoftmaxCrossEntropyGradOp : NN_Op<"softmax_cross_entropy_grad", NN_LossPrecision, NN_Scale<"LinearIn", [0]>> {
  let summary = "Gradient of softmax_cross_entropy with respect to the logits";
  let description = [{
    `dlogits = dloss * w[label] / W * (exp(log_prob) - onehot(label))`, 0 for ignored samples; W is the
    divisor of `mean`, 1 otherwise. Attributes of the forward operation.
  }];
  let arguments = (ins NN_FloatTensor:$dloss, NN_FloatTensor:$log_prob, NN_IndexTensor:$labels,
    Optional<NN_FloatTensor>:$weights, I64Attr:$axis, OptionalAttr<I64Attr>:$ignore_index,
    DefaultValuedAttr<NN_LossReductionAttr, "LossReduction::Mean">:$reduction);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$dloss `,` $log_prob `,` $labels (`weights` $weights^)? attr-dict `:` functional-type(operands, results)";
}

class NN_PairLossOp<string mnemonic, string text>
    : NN_Op<mnemonic, NN_LossPrecision, NN_Scale<"NonLinear">, !listconcat(NN_Differentiable, NN_Infer)> {
  let summary = text;
  let description = "(C1) prediction and target have one type. The loss is a scalar, or has their shape for reduction `none`.";
  let arguments = (ins NN_FloatTensor:$prediction, NN_FloatTensor:$target,
    DefaultValuedAttr<NN_LossReductionAttr, "LossReduction::Mean">:$reduction);
  let results = (outs NN_FloatTensor:$loss);
  let assemblyFormat = "$prediction `,` $target attr-dict `:` functional-type(operands, results)";
}
class NN_PairLossGradOp<string mnemonic, string text>
    : NN_Op<mnemonic, NN_LossPrecision, NN_Scale<"LinearIn", [0]>> {
  let summary = text;
  let description = "With respect to the prediction; the target's gradient is its negative for mse and l1.";
  let arguments = (ins NN_FloatTensor:$dloss, NN_FloatTensor:$prediction, NN_FloatTensor:$target,
    DefaultValuedAttr<NN_LossReductionAttr, "LossReduction::Mean">:$reduction);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$dloss `,` $prediction `,` $target attr-dict `:` functional-type(operands, results)";
}
def NN_MSELossOp : NN_PairLossOp<"mse_loss", "(prediction - target)^2">;
def NN_MSELossGradOp : NN_PairLossGradOp<"mse_loss_grad", "2 dloss (prediction - target)">;
def NN_L1LossOp : NN_PairLossOp<"l1_loss", "|prediction - target|">;
def NN_L1LossGradOp : NN_PairLossGradOp<"l1_loss_grad", "dloss sign(prediction - target)">;
def NN_BCEWithLogitsLossOp : NN_PairLossOp<"bce_with_logits_loss", "max(x, 0) - x t + log1p(e^-|x|)">;
def NN_BCEWithLogitsLossGradOp : NN_PairLossGradOp<"bce_with_logits_loss_grad", "dloss (sigmoid(x) - t)">;

def NN_CTCTensor : TensorRankOf<[F32, F64], [3]>;
def NN_CTCPrecision : NN_StaysFP32<"sums of path probabilities in log space need FP32's range and precision">;

def NN_CTCLossOp : NN_Op<"ctc_loss", NN_CTCPrecision, NN_Scale<"NonLinear">, !listconcat(NN_Differentiable, NN_Infer)> {
  let summary = "Connectionist temporal classification (Graves et al. 2006) of softmax(logits)";
  let description = [{
    `logits [N, T, C]`, `labels [N, S]`, `logit_lengths [N]`, `label_lengths [N]`. With
    `log_prob = log_softmax(logits)` over the classes, the loss of a sample is minus the logarithm of
    the summed probability of all paths of its first `logit_lengths` frames that give its first
    `label_lengths` labels once repetitions are merged and then blanks removed. Labels and frames
    behind the lengths are never read. `mean` divides each sample's loss by max(1, its label
    length) and averages over the N samples; `sum` adds, `none` gives [N] (PyTorch `ctc_loss`, which
    takes log-probabilities: log_softmax of those changes nothing).

    A sample that no path can give (fewer frames than labels plus pairs of equal neighbours) has loss
    +inf and a gradient of NaN, so that a step with dynamic loss scaling is skipped and any other step
    shows it; with `zero_infinity` loss and gradient of such a sample are 0 (it still counts in the
    mean).

    `log_alpha [N, T, 2S+1]` is what the derivative needs: the logarithms of the forward variables over
    the labels with blanks between, each frame shifted so that its largest is 0 (a frame of
    probability zero is -inf throughout; unused frames and states are -inf). So its numbers stay near 0
    however long the sequence is.

    (C1) N is the same everywhere. (C2) `0 <= blank < C`. (C3) N, T and C are at least 1. A length outside [0, T] or [0, S] and a label
    that is read and is the blank or no class are errors in the Reference and a NaN loss in compiled code.
  }];
  let arguments = (ins NN_CTCTensor:$logits, TensorRankOf<[I32, I64], [2]>:$labels, TensorRankOf<[I32, I64], [1]>:$logit_lengths,
    TensorRankOf<[I32, I64], [1]>:$label_lengths, DefaultValuedAttr<I64Attr, "0">:$blank,
    DefaultValuedAttr<NN_LossReductionAttr, "LossReduction::Mean">:$reduction, DefaultValuedAttr<BoolAttr, "false">:$zero_infinity);
  let results = (outs NN_FloatTensor:$loss, NN_CTCTensor:$log_prob, NN_CTCTensor:$log_alpha);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def NN_CTCLossGradOp : NN_Op<"ctc_loss_grad", NN_CTCPrecision, NN_Scale<"LinearIn", [0]>> {
  let summary = "Gradient of ctc_loss with respect to the logits";
  let description = [{
    `dlogits[n, t, c] = dloss w_n (exp(log_prob[n, t, c]) - P(frame t emits c | labels))` for the frames
    before the sample's length, 0 behind it; `w_n` is the weight of the sample in the reduction. The
    posterior comes from `log_alpha` and the backward variables, which are computed here, normalized
    frame by frame. Attributes of the forward operation.
  }];
  let arguments = (ins NN_FloatTensor:$dloss, NN_CTCTensor:$log_prob, NN_CTCTensor:$log_alpha,
    TensorRankOf<[I32, I64], [2]>:$labels, TensorRankOf<[I32, I64], [1]>:$logit_lengths,
    TensorRankOf<[I32, I64], [1]>:$label_lengths, DefaultValuedAttr<I64Attr, "0">:$blank,
    DefaultValuedAttr<NN_LossReductionAttr, "LossReduction::Mean">:$reduction, DefaultValuedAttr<BoolAttr, "false">:$zero_infinity);
  let results = (outs NN_CTCTensor:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

//===----------------------------------------------------------------------===//
// Optimizers: PyTorch's formulas, all FP32. Skipping a step is mp.update's business.
//===----------------------------------------------------------------------===//

class NN_OptimizerOp<string mnemonic, string text>
    : NN_Op<mnemonic, NN_StaysFP32<"the optimizer works on FP32 master weights">, NN_Scale<"NonLinear">, NN_Infer> {
  let summary = text;
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}
def NN_SGDOp : NN_OptimizerOp<"sgd", "Stochastic gradient descent with momentum"> {
  let description = [{
    `g = gradient + weight_decay * parameter`; `v' = momentum * v + (step == 1 ? 1 : 1 - dampening) * g`
    (PyTorch: the first step takes g whole; `step` counts from 1);
    update = nesterov ? g + momentum * v' : v'; `parameter' = parameter - learning_rate * update`.
    With momentum 0 the velocity is carried unchanged and update = g.
  }];
  let arguments = (ins NN_FloatTensor:$parameter, NN_FloatTensor:$gradient, NN_FloatTensor:$velocity,
    NN_ScalarFloat:$learning_rate, NN_ScalarCounter:$step, DefaultValuedAttr<F64Attr, "0.0">:$momentum,
    DefaultValuedAttr<F64Attr, "0.0">:$dampening, DefaultValuedAttr<BoolAttr, "false">:$nesterov,
    DefaultValuedAttr<F64Attr, "0.0">:$weight_decay);
  let results = (outs NN_FloatTensor:$new_parameter, NN_FloatTensor:$new_velocity);
}
def NN_AdamOp : NN_OptimizerOp<"adam", "Adam and AdamW"> {
  let description = [{
    `g = gradient (+ weight_decay * parameter unless decoupled)`;
    `m' = beta1 m + (1 - beta1) g`; `v' = beta2 v + (1 - beta2) g^2`; with t = step (from 1):
    `parameter' = p - lr * (m' / (1 - beta1^t)) / (sqrt(v' / (1 - beta2^t)) + epsilon)` where
    p = parameter * (1 - lr * weight_decay) when decoupled (AdamW), else parameter.
  }];
  let arguments = (ins NN_FloatTensor:$parameter, NN_FloatTensor:$gradient, NN_FloatTensor:$first_moment,
    NN_FloatTensor:$second_moment, NN_ScalarFloat:$learning_rate, NN_ScalarCounter:$step,
    DefaultValuedAttr<F64Attr, "0.9">:$beta1, DefaultValuedAttr<F64Attr, "0.999">:$beta2,
    DefaultValuedAttr<F64Attr, "1e-8">:$epsilon, DefaultValuedAttr<F64Attr, "0.0">:$weight_decay,
    DefaultValuedAttr<BoolAttr, "false">:$decoupled);
  let results = (outs NN_FloatTensor:$new_parameter, NN_FloatTensor:$new_first_moment, NN_FloatTensor:$new_second_moment);
}

#endif // MPT_DIALECT_NN_IR_NNTRAININGOPS
