// RUN: mpt-opt %s --split-input-file --mpt-scale-loss | FileCheck %s
// RUN: mpt-opt %s --split-input-file --mpt-scale-loss="mode=static init-scale=1024" | FileCheck %s --check-prefix=STATIC
// RUN: mpt-opt %s --split-input-file --mpt-scale-loss=mode=off | FileCheck %s --check-prefix=OFF
// RUN: mpt-opt %s --split-input-file --mpt-scale-loss --mpt-verify-loss-scaling | FileCheck %s
// RUN: mpt-opt %s --split-input-file --mpt-scale-loss="growth=4 backoff=0.25 growth-interval=100 min=2 max=131072 hysteresis=3" | FileCheck %s --check-prefix=OPTIONS

// The step of one parameter: an update that stands before the last gradient moves behind the
// check, and so does what reads it.

// CHECK-LABEL: func.func @step(
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<4xf32> {mp.name = "w"
// CHECK-SAME: %[[LR:[a-z0-9]+]]: tensor<f32> {mp.name = "learning_rate"
// CHECK-SAME: %[[STEP:[a-z0-9]+]]: tensor<i64> {mp.name = "step"
// CHECK-SAME: %[[S:[a-z0-9]+]]: tensor<f32> {mp.donate, mp.initial = 6.553600e+04 : f32, mp.name = "loss_scale", mp.role = #mp.role<loss_scale>},
// CHECK-SAME: %[[COUNTER:[a-z0-9]+]]: tensor<i64> {mp.donate, mp.initial = 0 : i64, mp.name = "loss_scale.counter", mp.role = #mp.role<loss_scale>},
// CHECK-SAME: %[[BUDGET:[a-z0-9]+]]: tensor<i64> {mp.donate, mp.initial = 1 : i64, mp.name = "loss_scale.budget", mp.role = #mp.role<loss_scale>})
// CHECK-SAME: tensor<i1> {mp.name = "finite", mp.role = #mp.role<metric>}
// CHECK-SAME: tensor<i64> {mp.name = "first_nonfinite", mp.role = #mp.role<metric>}
// CHECK-SAME: tensor<f32> {mp.name = "loss_scale", mp.role = #mp.role<loss_scale>}
// CHECK-SAME: tensor<i64> {mp.name = "loss_scale.counter", mp.role = #mp.role<loss_scale>}
// CHECK-SAME: tensor<i64> {mp.name = "loss_scale.budget", mp.role = #mp.role<loss_scale>}
// CHECK-NOT: mp.loss_seed
// CHECK: %[[G:.*]] = nn.mul %[[S]], %[[W]]
// CHECK: %[[U:.*]] = mp.unscale %[[G]] of "w" by %[[S]]
// CHECK-NEXT: %[[FINITE:.*]], %[[FIRST:.*]] = mp.all_finite %[[G]] : tensor<4xf32>
// CHECK-NEXT: %[[NEWSTEP:.*]] = mp.update %[[STEP]] to %{{.*}} if %[[FINITE]]
// CHECK: %[[NEW:.*]] = nn.sub %[[W]]
// CHECK: %[[NEWW:.*]] = mp.update %[[W]] to %[[NEW]] if %[[FINITE]]
// CHECK-NEXT: %[[NS:.*]], %[[NC:.*]], %[[NB:.*]] = mp.update_scale %[[S]], %[[COUNTER]], %[[BUDGET]] if %[[FINITE]] : tensor<f32>
// CHECK-NEXT: return %[[W]], %[[NEWW]], %[[NEWSTEP]], %[[FINITE]], %[[FIRST]], %[[NS]], %[[NC]], %[[NB]]

// STATIC-LABEL: func.func @step(
// STATIC-SAME: %[[S:[a-z0-9]+]]: tensor<f32> {mp.initial = 1.024000e+03 : f32, mp.name = "loss_scale", mp.role = #mp.role<loss_scale>}) ->
// STATIC-NOT: loss_scale
// STATIC: mp.unscale %{{.*}} of "w" by %[[S]]
// STATIC: mp.all_finite
// STATIC: mp.update %{{.*}} if
// STATIC-NOT: mp.update_scale

// OFF-LABEL: func.func @step(
// OFF: mp.loss_seed
// OFF: mp.gradient
// OFF-NOT: {{mp.all_finite|loss_scale}}

// OPTIONS: mp.initial = 3 : i64, mp.name = "loss_scale.budget"
// OPTIONS: mp.update_scale
// OPTIONS-SAME: {backoff = 2.500000e-01 : f64, growth = 4.000000e+00 : f64, growthInterval = 100 : i64, hysteresis = 3 : i64, maximum = 1.310720e+05 : f64, minimum = 2.000000e+00 : f64}
func.func @step(%w: tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"},
                %lr: tensor<f32> {mp.role = #mp.role<hyperparameter>, mp.name = "learning_rate"},
                %step: tensor<i64> {mp.role = #mp.role<step>, mp.name = "step"})
    -> (tensor<4xf32> {mp.role = #mp.role<metric>, mp.name = "old"},
        tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"},
        tensor<i64> {mp.role = #mp.role<step>, mp.name = "step"}) {
  %one = nn.constant dense<1> : tensor<i64>
  %next = nn.add %step, %one : tensor<i64>, tensor<i64>
  %newstep = mp.update %step to %next : tensor<i64>
  %seed = mp.loss_seed : tensor<f32>
  %g = nn.mul %seed, %w : tensor<f32>, tensor<4xf32>
  %dw = mp.gradient %g of "w" : tensor<4xf32>
  %delta = nn.mul %lr, %dw : tensor<f32>, tensor<4xf32>
  %new = nn.sub %w, %delta : tensor<4xf32>, tensor<4xf32>
  %neww = mp.update %w to %new : tensor<4xf32>
  return %w, %neww, %newstep : tensor<4xf32>, tensor<4xf32>, tensor<i64>
}

// -----

// Without an optimizer: the gradients leave the function unscaled. A ready-made 16-bit gradient is
// checked and unscaled in FP32.

// CHECK-LABEL: func.func @gradients(
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<4xf16>, %[[S:[a-z0-9]+]]: tensor<f32> {mp.donate
// CHECK: %[[S64:.*]] = mp.cast %[[S]] : tensor<f32> to tensor<f64>
// CHECK: nn.cast %[[S64]]
// CHECK: %[[WIDE:.*]] = mp.cast %{{.*}} : tensor<4xf16> to tensor<4xf32>
// CHECK: %[[U:.*]] = mp.unscale %[[WIDE]] of "w" by %[[S]]
// CHECK: %[[BACK:.*]] = mp.cast %[[U]] : tensor<4xf32> to tensor<4xf16>
// CHECK: mp.all_finite %[[WIDE]]
// CHECK: return %[[BACK]]
// STATIC-LABEL: func.func @gradients(
// OFF-LABEL: func.func @gradients(
// OPTIONS-LABEL: func.func @gradients(
func.func @gradients(%w: tensor<4xf16>) -> tensor<4xf16> {
  %seed = mp.loss_seed : tensor<f64>
  %0 = nn.cast %seed : tensor<f64> to tensor<f16>
  %1 = nn.mul %0, %w : tensor<f16>, tensor<4xf16>
  %dw = mp.gradient %1 of "w" : tensor<4xf16>
  return %dw : tensor<4xf16>
}

// -----

// A function without a backward graph is left alone.

// CHECK-LABEL: func.func @forward(%{{[a-z0-9]+}}: tensor<4xf32>) -> tensor<4xf32> {
// CHECK-NEXT: nn.relu
// STATIC-LABEL: func.func @forward(%{{[a-z0-9]+}}: tensor<4xf32>) -> tensor<4xf32> {
// OFF-LABEL: func.func @forward(%{{[a-z0-9]+}}: tensor<4xf32>) -> tensor<4xf32> {
// OPTIONS-LABEL: func.func @forward(%{{[a-z0-9]+}}: tensor<4xf32>) -> tensor<4xf32> {
func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = nn.relu %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
