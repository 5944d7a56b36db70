// RUN: mpt-opt %s --mpt-accumulate-gradients="micro-batches=2" | FileCheck %s
// RUN: mpt-opt %s --mpt-accumulate-gradients="micro-batches=2" --mpt-accumulate-gradients="micro-batches=2" | FileCheck %s
// RUN: mpt-opt %s --mpt-accumulate-gradients="micro-batches=1" | FileCheck %s --check-prefix=ONE
// RUN: mpt-opt %s --mpt-accumulate-gradients="micro-batches=2" --mpt-attach-optimizer="optimizer=sgd(lr=1)" --mpt-scale-loss --mpt-verify-loss-scaling | FileCheck %s --check-prefix=STEP
// RUN: not mpt-opt %s --mpt-accumulate-gradients="micro-batches=0" 2>&1 | FileCheck %s --check-prefix=ZERO

// CHECK-LABEL: func.func @forward(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<6x4xf32> {mp.name = "x"
// CHECK-SAME: %[[Y:[a-z0-9]+]]: tensor<6x4xf32> {mp.name = "y"
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<4x4xf32>
// Outputs of single micro-batches are no results.
// CHECK-SAME: -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}, tensor<4x4xf32> {mp.name = "w", mp.role = #mp.role<gradient>}) attributes {mp.micro_batches = 2 : i64}
// CHECK: %[[X0:.*]] = nn.slice %[[X]] {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : tensor<6x4xf32> to tensor<3x4xf32>
// CHECK: %[[Y0:.*]] = nn.slice %[[Y]] {starts = array<i64: 0, 0>
// What depends on parameters alone comes once.
// CHECK: %[[WW:.*]] = nn.mul %[[W]], %[[W]]
// CHECK: %[[D0:.*]], %{{.*}} = nn.dropout %[[X0]] {mp.micro_batch = 0 : i64
// CHECK: nn.matmul %[[D0]], %[[WW]]
// CHECK: %[[L0:.*]] = nn.mse_loss %{{.*}}, %[[Y0]]
// CHECK: %[[SEED:.*]] = mp.loss_seed
// CHECK: nn.mse_loss_grad %[[SEED]]
// CHECK: %[[G0:.*]] = nn.matmul %[[D0]], %{{.*}} {transpose_lhs = true}
// CHECK-NOT: nn.mul
// CHECK: %[[X1:.*]] = nn.slice %[[X]] {starts = array<i64: 3, 0>, steps = array<i64: 1, 1>}
// CHECK: %[[Y1:.*]] = nn.slice %[[Y]] {starts = array<i64: 3, 0>
// CHECK: %[[D1:.*]], %{{.*}} = nn.dropout %[[X1]] {mp.micro_batch = 1 : i64
// CHECK: nn.matmul %[[D1]], %[[WW]]
// CHECK: %[[L1:.*]] = nn.mse_loss %{{.*}}, %[[Y1]]
// CHECK-NOT: mp.loss_seed
// CHECK: nn.mse_loss_grad %[[SEED]]
// CHECK: %[[G1:.*]] = nn.matmul %[[D1]], %{{.*}} {transpose_lhs = true}
// The sum stands right behind the gradient.
// CHECK-NEXT: %[[SUM:.*]] = nn.add %[[G0]], %[[G1]] {mp.accumulate, mp.pin = "micro-batches are summed in FP32"}
// CHECK: %[[HALF:.*]] = nn.constant dense<5.000000e-01>
// CHECK: %[[MEAN:.*]] = nn.mul %[[SUM]], %[[HALF]] {mp.pin
// CHECK: %[[LS:.*]] = nn.add %[[L0]], %[[L1]]
// CHECK: %[[LOSS:.*]] = nn.mul %[[LS]], %{{.*}}
// CHECK: %[[G:.*]] = mp.gradient %[[MEAN]] of "w"
// CHECK: return %[[LOSS]], %[[G]]

// ONE-NOT: mp.micro_batches
// ONE: nn.dropout
// ONE-NOT: nn.dropout

// Micro-batch i of N in step t draws with counter t * N + i; one unscale, one check, one update.
// STEP: %[[BASE:.*]] = nn.mul %{{.*}}, %{{.*}} : tensor<i64>, tensor<i64>
// STEP: %[[NEXT:.*]] = nn.add %[[BASE]], %{{.*}} : tensor<i64>, tensor<i64>
// STEP: nn.dropout %{{.*}} at %[[BASE]] {ratio
// STEP: nn.dropout %{{.*}} at %[[NEXT]] {ratio
// STEP: mp.unscale
// STEP-NOT: mp.unscale
// STEP: mp.all_finite
// STEP-NOT: mp.all_finite
// STEP: nn.sgd

// ZERO: error: micro-batches should be positive, is 0

nn.parameter @w trainable = true : tensor<4x4xf32>
func.func @forward(%x: tensor<3x4xf32> {mp.name = "x", mp.role = #mp.role<input>},
                   %y: tensor<3x4xf32> {mp.name = "y", mp.role = #mp.role<label>},
                   %w: tensor<4x4xf32> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}, tensor<3x4xf32> {mp.name = "out", mp.role = #mp.role<output>},
        tensor<4x4xf32> {mp.name = "w", mp.role = #mp.role<gradient>}) {
  %ww = nn.mul %w, %w : tensor<4x4xf32>, tensor<4x4xf32>
  %0, %mask = nn.dropout %x {ratio = 0.5, seed = 1} : tensor<3x4xf32>
  %1 = nn.matmul %0, %ww : (tensor<3x4xf32>, tensor<4x4xf32>) -> tensor<3x4xf32>
  %2 = nn.mse_loss %1, %y : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<f32>
  %3 = mp.loss_seed : tensor<f32>
  %4 = nn.mse_loss_grad %3, %1, %y : (tensor<f32>, tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %5 = nn.matmul %0, %4 {transpose_lhs = true} : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<4x4xf32>
  %6 = mp.gradient %5 of "w" : tensor<4x4xf32>
  return %2, %1, %6 : tensor<f32>, tensor<3x4xf32>, tensor<4x4xf32>
}
