// RUN: mpt-opt %s --mpt-attach-loss="loss=total function=scalar" | FileCheck %s --check-prefix=SCALAR
// RUN: mpt-opt %s --mpt-attach-loss="loss='mse(prediction, y)' function=regression" | FileCheck %s --check-prefix=INPUT
// RUN: mpt-opt %s --mpt-attach-loss="loss='cross_entropy(logits, y)' function=half" | FileCheck %s --check-prefix=HALF

// The name of an output that is the loss already; [1] becomes a scalar.

// SCALAR-LABEL: func.func @scalar
// SCALAR-SAME: -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}, tensor<1xf32> {mp.name = "total", mp.role = #mp.role<output>})
// SCALAR: %[[LOSS:.*]] = nn.reshape %{{.*}} : tensor<1xf32> to tensor<f32>
// SCALAR: return %[[LOSS]]
func.func @scalar(%x: tensor<1xf32> {mp.name = "x", mp.role = #mp.role<input>})
    -> (tensor<1xf32> {mp.name = "total", mp.role = #mp.role<output>}) {
  %0 = nn.exp %x : tensor<1xf32>
  return %0 : tensor<1xf32>
}

// A label that is an input of the model already.

// INPUT-LABEL: func.func @regression(
// INPUT-SAME: %[[X:[a-z0-9]+]]: tensor<4xf32> {{{.*}}}, %[[Y:[a-z0-9]+]]: tensor<4xf32> {mp.name = "y", mp.role = #mp.role<input>}) ->
// INPUT: nn.mse_loss %[[X]], %[[Y]]
func.func @regression(%x: tensor<4xf32> {mp.name = "x", mp.role = #mp.role<input>},
                      %y: tensor<4xf32> {mp.name = "y", mp.role = #mp.role<input>})
    -> (tensor<4xf32> {mp.name = "prediction", mp.role = #mp.role<output>}) {
  return %x : tensor<4xf32>
}

// The loss of a 16-bit output is computed in f32.

// HALF-LABEL: func.func @half
// HALF: %[[WIDE:.*]] = nn.cast %{{.*}} : tensor<2x3xf16> to tensor<2x3xf32>
// HALF: nn.softmax_cross_entropy %[[WIDE]]
func.func @half(%x: tensor<2x3xf16> {mp.name = "x", mp.role = #mp.role<input>})
    -> (tensor<2x3xf16> {mp.name = "logits", mp.role = #mp.role<output>}) {
  return %x : tensor<2x3xf16>
}
