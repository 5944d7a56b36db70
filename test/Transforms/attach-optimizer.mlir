// RUN: mpt-opt %s --mpt-attach-optimizer="optimizer=sgd(lr=0.5)" | FileCheck %s --check-prefixes=CHECK,PLAIN
// RUN: mpt-opt %s --mpt-attach-optimizer="optimizer='sgd(lr=0.5, momentum=0.9, nesterov=true, weight_decay=0.25)' clip-norm=2" | FileCheck %s --check-prefixes=CHECK,MOMENTUM
// RUN: mpt-opt %s --mpt-attach-optimizer="optimizer='adamw(betas=(0.5, 0.75), eps=1e-6)'" | FileCheck %s --check-prefixes=CHECK,ADAM
// RUN: mpt-opt %s --mpt-attach-optimizer="optimizer=adam" --mpt-attach-optimizer="optimizer=adam" | FileCheck %s --check-prefix=AGAIN

// AGAIN-COUNT-1: nn.adam
// AGAIN-NOT: nn.adam

// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<2x4xf32> {mp.name = "x"
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<4xf32> {mp.donate, mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w}
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<4xf32> {mp.donate, mp.name = "mean", mp.role = #mp.role<statistic>, nn.parameter = @mean}
// CHECK-SAME: %[[V:[a-z0-9]+]]: tensor<4xf32> {mp.donate, mp.name = "variance", mp.role = #mp.role<statistic>, nn.parameter = @variance}
// CHECK-SAME: %[[STEP:[a-z0-9]+]]: tensor<i64> {mp.donate, mp.initial = 0 : i64, mp.name = "step", mp.role = #mp.role<step>}
// CHECK-SAME: %[[LR:[a-z0-9]+]]: tensor<f32> {mp.initial = {{.*}} : f32, mp.name = "learning_rate", mp.role = #mp.role<hyperparameter>}
// MOMENTUM-SAME: %[[U:[a-z0-9]+]]: tensor<4xf32> {mp.donate, mp.name = "w.momentum", mp.role = #mp.role<optimizer_state>})
// ADAM-SAME: %[[A:[a-z0-9]+]]: tensor<4xf32> {mp.donate, mp.name = "w.exp_avg", mp.role = #mp.role<optimizer_state>}, %[[B:[a-z0-9]+]]: tensor<4xf32> {mp.donate, mp.name = "w.exp_avg_sq", mp.role = #mp.role<optimizer_state>})
// CHECK-SAME: -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}
// CHECK-SAME: tensor<4xf32> {mp.name = "mean", mp.role = #mp.role<statistic>}
// CHECK-SAME: tensor<4xf32> {mp.name = "variance", mp.role = #mp.role<statistic>}
// CHECK-SAME: tensor<4xf32> {mp.name = "w", mp.role = #mp.role<parameter>}
// CHECK-SAME: tensor<i64> {mp.name = "step", mp.role = #mp.role<step>}
// CHECK-SAME: tensor<f32> {mp.name = "grad_norm", mp.role = #mp.role<metric>})
// CHECK-NOT: #mp.role<gradient>

// Dropout draws by the step.
// CHECK: nn.dropout %[[X]] at %[[STEP]]
// A statistic that two batch norms share is updated twice.
// CHECK: %{{.*}}, %[[M1:.*]], %[[V1:.*]], %{{.*}}, %{{.*}} = nn.batch_norm_training %{{.*}}, %{{.*}}, %{{.*}}, %[[M]], %[[V]]
// CHECK: %{{.*}}, %[[M2:.*]], %[[V2:.*]], %{{.*}}, %{{.*}} = nn.batch_norm_training %{{.*}}, %{{.*}}, %{{.*}}, %[[M1]], %[[V1]]
// CHECK: %[[G:.*]] = mp.gradient
// CHECK: %[[T:.*]] = nn.add %[[STEP]], %{{.*}} {mp.pin = "optimizer"} : tensor<i64>, tensor<i64>
// CHECK: %[[SQ:.*]] = nn.mul %[[G]], %[[G]] {mp.pin = "optimizer"}
// CHECK: %[[SUM:.*]] = nn.reduce_sum %[[SQ]] {axes = array<i64: 0>, mp.pin = "optimizer"} : (tensor<4xf32>) -> tensor<f32>
// CHECK: %[[NORM:.*]] = nn.sqrt %[[SUM]] {mp.pin = "optimizer"}

// PLAIN: %[[NEW:.*]], %{{.*}} = nn.sgd %[[W]], %[[G]], %[[W]], %[[LR]], %[[T]] {mp.pin = "optimizer"}

// MOMENTUM: %[[TWO:.*]] = nn.constant dense<2.0{{.*}}>
// MOMENTUM: %[[BELOW:.*]] = nn.add %[[NORM]], %{{.*}}
// MOMENTUM: %[[BOUND:.*]] = nn.div %[[TWO]], %[[BELOW]]
// MOMENTUM: %[[C:.*]] = nn.min %[[BOUND]], %{{.*}}
// MOMENTUM: %[[CLIPPED:.*]] = nn.mul %[[G]], %[[C]]
// MOMENTUM: %[[NEW:.*]], %[[VELOCITY:.*]] = nn.sgd %[[W]], %[[CLIPPED]], %[[U]], %[[LR]], %[[T]] {momentum = 9.0{{.*}}e-01 : f64, mp.pin = "optimizer", nesterov = true, weight_decay = 2.5{{.*}}e-01 : f64}

// ADAM: %[[NEW:.*]], %[[NA:.*]], %[[NB:.*]] = nn.adam %[[W]], %[[G]], %[[A]], %[[B]], %[[LR]], %[[T]] {beta1 = 5.0{{.*}}e-01 : f64, beta2 = 7.5{{.*}}e-01 : f64, decoupled = true, epsilon = {{.*}} : f64, mp.pin = "optimizer", weight_decay = 1.0{{.*}}e-02 : f64}

// CHECK-DAG: %[[MS:.*]] = mp.update %[[M]] to %[[M2]]
// CHECK-DAG: %[[VS:.*]] = mp.update %[[V]] to %[[V2]]
// CHECK-DAG: %[[WS:.*]] = mp.update %[[W]] to %[[NEW]]
// MOMENTUM-DAG: mp.update %[[U]] to %[[VELOCITY]]
// ADAM-DAG: mp.update %[[A]] to %[[NA]]
// ADAM-DAG: mp.update %[[B]] to %[[NB]]
// CHECK: %[[STEPS:.*]] = mp.update %[[STEP]] to %[[T]] : tensor<i64>
// CHECK: return %{{.*}}, %[[MS]], %[[VS]], %[[WS]],{{.*}} %[[STEPS]], %[[NORM]]
nn.parameter @w trainable = true : tensor<4xf32>
nn.parameter @mean : tensor<4xf32>
nn.parameter @variance : tensor<4xf32>
func.func @forward(%x: tensor<2x4xf32> {mp.name = "x", mp.role = #mp.role<input>},
                   %w: tensor<4xf32> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w},
                   %m: tensor<4xf32> {mp.name = "mean", mp.role = #mp.role<statistic>, nn.parameter = @mean},
                   %v: tensor<4xf32> {mp.name = "variance", mp.role = #mp.role<statistic>, nn.parameter = @variance})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}, tensor<4xf32> {mp.name = "w", mp.role = #mp.role<gradient>}) {
  %0, %mask = nn.dropout %x {ratio = 0.5, seed = 1} : tensor<2x4xf32>
  %1:5 = nn.batch_norm_training %0, %w, %w, %m, %v : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  %2:5 = nn.batch_norm_training %1#0, %w, %w, %m, %v : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  %3 = nn.reduce_sum %2#0 {axes = array<i64: 0, 1>} : (tensor<2x4xf32>) -> tensor<f32>
  %4 = mp.gradient %w of "w" : tensor<4xf32>
  return %3, %4 : tensor<f32>, tensor<4xf32>
}
