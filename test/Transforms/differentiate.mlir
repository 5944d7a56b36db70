// RUN: mpt-opt %s --split-input-file --mpt-differentiate | FileCheck %s
// RUN: mpt-opt %s --split-input-file --mpt-differentiate --mpt-differentiate | FileCheck %s
// RUN: mpt-opt %s --split-input-file --mpt-differentiate --verify-roundtrip | FileCheck %s

// One gradient per trained parameter, in the order of the arguments; a broadcast operand's is
// summed down; nothing is built for the input or the frozen parameter.

// CHECK-LABEL: func.func @forward(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<2x4xf32>
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<4x3xf32>
// CHECK-SAME: %[[B:[a-z0-9]+]]: tensor<3xf32>
// CHECK-SAME: -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}, tensor<4x3xf32> {mp.name = "w", mp.role = #mp.role<gradient>}, tensor<3xf32> {mp.name = "b", mp.role = #mp.role<gradient>})
// CHECK: %[[LOSS:.*]] = nn.mse_loss
// CHECK-NEXT: %[[SEED:.*]] = mp.loss_seed : tensor<f32>
// CHECK-NEXT: %[[DY:.*]] = nn.mse_loss_grad %[[SEED]]
// CHECK-NOT: nn.mul
// CHECK: %[[DB:.*]] = nn.reduce_sum %{{.*}} {axes = array<i64: 0>} : (tensor<2x3xf32>) -> tensor<3xf32>
// CHECK-NEXT: %[[DW:.*]] = nn.matmul %[[X]], %{{.*}} {transpose_lhs = true} : (tensor<2x4xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
// CHECK-NEXT: %[[GW:.*]] = mp.gradient %[[DW]] of "w" : tensor<4x3xf32>
// CHECK-NEXT: %[[GB:.*]] = mp.gradient %[[DB]] of "b" : tensor<3xf32>
// CHECK-NEXT: return %[[LOSS]], %[[GW]], %[[GB]]
nn.parameter @w trainable = true : tensor<4x3xf32>
nn.parameter @b trainable = true : tensor<3xf32>
nn.parameter @frozen : tensor<3xf32>
func.func @forward(%x: tensor<2x4xf32> {mp.name = "x", mp.role = #mp.role<input>},
                   %y: tensor<2x3xf32> {mp.name = "y", mp.role = #mp.role<label>},
                   %w: tensor<4x3xf32> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w},
                   %b: tensor<3xf32> {mp.name = "b", mp.role = #mp.role<parameter>, nn.parameter = @b},
                   %f: tensor<3xf32> {mp.name = "frozen", mp.role = #mp.role<parameter>, nn.parameter = @frozen})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}) {
  %0 = nn.matmul %x, %w : (tensor<2x4xf32>, tensor<4x3xf32>) -> tensor<2x3xf32>
  %1 = nn.add %0, %b : tensor<2x3xf32>, tensor<3xf32>
  %2 = nn.add %1, %f : tensor<2x3xf32>, tensor<3xf32>
  %3 = nn.mse_loss %2, %y : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<f32>
  return %3 : tensor<f32>
}

// -----

// Three uses take two additions.

// CHECK-LABEL: func.func @three_uses
// CHECK: mp.loss_seed
// CHECK-COUNT-2: nn.add
// CHECK-NOT: nn.add
// CHECK: mp.gradient
nn.parameter @w trainable = true : tensor<f32>
func.func @three_uses(%w: tensor<f32> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}) {
  %0 = nn.mul %w, %w : tensor<f32>, tensor<f32>
  %1 = nn.mul %0, %w : tensor<f32>, tensor<f32>
  return %1 : tensor<f32>
}

// -----

// Comparisons end a path without an error; a shape that was stretched and lengthened is summed
// once. A 16-bit parameter's gradient is FP32 behind mp.gradient.

// CHECK-LABEL: func.func @paths
// CHECK: mp.loss_seed
// CHECK: %[[SUM:.*]] = nn.reduce_sum %{{.*}} {axes = array<i64: 0, 2>} : (tensor<2x3x4xf16>) -> tensor<3xf16>
// CHECK: %[[G:.*]] = nn.reshape %[[SUM]] : tensor<3xf16> to tensor<3x1xf16>
// CHECK: %[[WIDE:.*]] = nn.cast %[[G]] : tensor<3x1xf16> to tensor<3x1xf32>
// CHECK: mp.gradient %[[WIDE]] of "w" : tensor<3x1xf32>
nn.parameter @w trainable = true : tensor<3x1xf16>
func.func @paths(%x: tensor<2x3x4xf16> {mp.name = "x", mp.role = #mp.role<input>},
                 %w: tensor<3x1xf16> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}) {
  %0 = nn.add %x, %w : tensor<2x3x4xf16>, tensor<3x1xf16>
  %1 = nn.compare gt %0, %x : tensor<2x3x4xf16>, tensor<2x3x4xf16>
  %2 = nn.where %1, %0, %x : tensor<2x3x4xi1>, tensor<2x3x4xf16>, tensor<2x3x4xf16>
  %3 = nn.reduce_sum %2 {axes = array<i64: 0, 1, 2>} : (tensor<2x3x4xf16>) -> tensor<f32>
  return %3 : tensor<f32>
}

// -----

// No loss, or an evaluation function: left alone.

// CHECK-LABEL: func.func @no_loss
// CHECK-NOT: mp.loss_seed
// CHECK-LABEL: func.func @eval
// CHECK-NOT: mp.loss_seed
nn.parameter @w trainable = true : tensor<f32>
func.func @no_loss(%w: tensor<f32> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w}) -> tensor<f32> {
  return %w : tensor<f32>
}
func.func @eval(%w: tensor<f32> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}) attributes {mp.evaluation} {
  return %w : tensor<f32>
}

// -----

// The derivative of a norm is 0 where the norm is; that of another root stays infinite at 0.

// CHECK-LABEL: func.func @norms
// CHECK: %[[NORM:.*]] = nn.sqrt
// CHECK: %[[ROOT:.*]] = nn.sqrt
// CHECK: %[[DROOT:.*]] = nn.div %{{.*}}, %[[ROOT]]
// CHECK-NOT: nn.where
// CHECK: %[[DNORM:.*]] = nn.div %{{.*}}, %[[NORM]]
// CHECK: %[[ZERO:.*]] = nn.compare eq %[[NORM]], %{{.*}} : tensor<2x1xf32>, tensor<f32>
// CHECK: nn.where %[[ZERO]], %{{.*}}, %[[DNORM]] : tensor<2x1xi1>, tensor<f32>, tensor<2x1xf32>
nn.parameter @w trainable = true : tensor<2x3xf32>
func.func @norms(%w: tensor<2x3xf32> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}) {
  %0 = nn.mul %w, %w : tensor<2x3xf32>, tensor<2x3xf32>
  %1 = nn.reduce_sum %0 {axes = array<i64: 1>, keepdims = true} : (tensor<2x3xf32>) -> tensor<2x1xf32>
  %2 = nn.sqrt %1 : tensor<2x1xf32>
  %3 = nn.exp %2 : tensor<2x1xf32>
  %4 = nn.sqrt %3 : tensor<2x1xf32>
  %5 = nn.reduce_sum %4 {axes = array<i64: 0, 1>} : (tensor<2x1xf32>) -> tensor<f32>
  return %5 : tensor<f32>
}
