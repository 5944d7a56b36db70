// RUN: mpt-opt %s --split-input-file --verify-diagnostics --mpt-differentiate -o %t
// RUN: FileCheck %s --input-file=%t

// The loss does not depend on it: a warning, and zero.

// CHECK-LABEL: func.func @unused
// CHECK: %[[ZERO:.*]] = nn.constant dense<0.0{{.*}}> : tensor<2xf32>
// CHECK: mp.gradient %[[ZERO]] of "b"
nn.parameter @w trainable = true : tensor<f32>
nn.parameter @b trainable = true : tensor<2xf32>
func.func @unused(%w: tensor<f32> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w},
    // expected-warning @below {{the loss does not depend on the trained parameter 'b': its gradient is zero; freeze it to save the work}}
    %b: tensor<2xf32> {mp.name = "b", mp.role = #mp.role<parameter>, nn.parameter = @b})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}) {
  return %w : tensor<f32>
}

// -----

nn.parameter @w trainable = true : tensor<4xf32>
func.func @onnx(%w: tensor<4xf32> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}) {
  // expected-error @below {{the ONNX operator Det has no derivative here, and the loss depends on a trained parameter through it; freeze the parameters before it}}
  %0 = nn.onnx_node "" : "Det"(%w) {opset = 18 : i64, node = "", operand_names = ["w"]} : (tensor<4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

nn.parameter @w trainable = true : tensor<4xf32>
func.func @foreign(%w: tensor<4xf32> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}) {
  // expected-error @below {{'nn.relu_grad' has no derivative, and the loss depends on a trained parameter through it}}
  %0 = nn.relu_grad %w, %w : tensor<4xf32>
  %1 = nn.reduce_sum %0 {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
  return %1 : tensor<f32>
}

// -----

nn.parameter @w trainable = true : tensor<2x3xf32>
func.func @statistics(%w: tensor<2x3xf32> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w}, %s: tensor<3xf32>)
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}) {
  // expected-error @below {{'nn.layer_norm' op has no derivative for the statistics it returns; compute them with reductions where the loss needs them}}
  %0, %m, %r = nn.layer_norm %w, %s {axis = 1 : i64} : (tensor<2x3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, tensor<2x1xf32>, tensor<2x1xf32>)
  %1 = nn.reduce_sum %m {axes = array<i64: 0, 1>} : (tensor<2x1xf32>) -> tensor<f32>
  return %1 : tensor<f32>
}

// -----

nn.parameter @w : tensor<f32>
// expected-error @below {{function 'frozen' has no trained parameter to differentiate by; run mpt-prepare-parameters first, or name some with its option 'trainable'}}
func.func @frozen(%w: tensor<f32> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}) {
  return %w : tensor<f32>
}

// -----

// expected-error @below {{argument 0 refers to @nowhere, which is no nn.parameter of the module}}
func.func @unknown(%w: tensor<f32> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @nowhere})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}) {
  return %w : tensor<f32>
}

// -----

// expected-error @below {{the loss should be a float scalar, is 'tensor<2xf32>'}}
func.func @vector(%w: tensor<2xf32>) -> (tensor<2xf32> {mp.role = #mp.role<loss>}) {
  return %w : tensor<2xf32>
}

// -----

// expected-error @below {{function 'two' has several results of role loss; a training step has one}}
func.func @two(%w: tensor<f32>) -> (tensor<f32> {mp.role = #mp.role<loss>}, tensor<f32> {mp.role = #mp.role<loss>}) {
  return %w, %w : tensor<f32>, tensor<f32>
}

// -----

// expected-error @below {{function 'blocks' has control flow between blocks; a training step is one block}}
func.func @blocks(%w: tensor<f32>) -> (tensor<f32> {mp.role = #mp.role<loss>}) {
  cf.br ^next
^next:
  return %w : tensor<f32>
}
