// RUN: mpt-opt %s --split-input-file --mpt-inference-mode | FileCheck %s
// RUN: mpt-opt %s --split-input-file --mpt-inference-mode --mpt-inference-mode | FileCheck %s

// CHECK-LABEL: func.func @forward(
// CHECK: nn.dropout
// CHECK: nn.batch_norm_training
// CHECK-LABEL: func.func @eval(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<2x4xf32>
// CHECK-SAME: %[[S:[a-z0-9]+]]: tensor<4xf32>
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<4xf32>
// CHECK-SAME: attributes {mp.evaluation}
// CHECK-NOT: nn.dropout
// CHECK: %[[Y:.*]] = nn.batch_norm_inference %[[X]], %[[S]], %[[S]], %[[M]], %[[S]] {epsilon = 1.000000e-03 : f64}
// CHECK: return %[[Y]], %[[M]]
// CHECK-NOT: func.func
func.func @forward(%x: tensor<2x4xf32> {mp.name = "x", mp.role = #mp.role<input>}, %s: tensor<4xf32>, %m: tensor<4xf32>)
    -> (tensor<2x4xf32> {mp.name = "y", mp.role = #mp.role<output>}, tensor<4xf32>) {
  %0, %mask = nn.dropout %x {ratio = 0.5, seed = 1} : tensor<2x4xf32>
  %1:5 = nn.batch_norm_training %0, %s, %s, %m, %s {epsilon = 1.0e-3} : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  return %1#0, %1#1 : tensor<2x4xf32>, tensor<4xf32>
}

// -----

// A training step was differentiated in training mode: no evaluation function is made of it.

// CHECK-LABEL: func.func @train_step
// CHECK-NOT: @eval
func.func @train_step(%w: tensor<f32> {mp.name = "w", mp.role = #mp.role<parameter>})
    -> (tensor<f32> {mp.name = "y", mp.role = #mp.role<output>}, tensor<f32> {mp.name = "w", mp.role = #mp.role<parameter>}) {
  return %w, %w : tensor<f32>, tensor<f32>
}
