//===- NNTrainingOps.td - Losses and optimizers ----------------*- tablegen -*-===//

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
