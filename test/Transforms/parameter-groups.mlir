// RUN: mpt-opt %s --mpt-attach-optimizer="optimizer='adamw(lr=0.5, weight_decay=0.25)' param-groups='@norm,@bias:weight_decay=0; w.*:lr_scale=0.1, betas=(0.5, 0.75)' ema=0.75" 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t.remarks
// RUN: mpt-opt %s --mpt-attach-optimizer="optimizer='sgd(lr=0.5, weight_decay=0.25)' param-groups='w2|bias:weight_decay=0.5; @embedding,@weight:weight_decay=0'" 2>/dev/null | FileCheck %s --check-prefix=SGD
// RUN: not mpt-opt %s --mpt-attach-optimizer="optimizer=adam param-groups='nobody:weight_decay=0'" 2>&1 | FileCheck %s --check-prefix=NOBODY
// RUN: not mpt-opt %s --mpt-attach-optimizer="optimizer=adam param-groups='@bais:weight_decay=0'" 2>&1 | FileCheck %s --check-prefix=ROLE
// RUN: not mpt-opt %s --mpt-attach-optimizer="optimizer=adam param-groups='w1'" 2>&1 | FileCheck %s --check-prefix=COLON
// RUN: not mpt-opt %s --mpt-attach-optimizer="optimizer=adam param-groups='w1:lr=1'" 2>&1 | FileCheck %s --check-prefix=LEARN
// RUN: not mpt-opt %s --mpt-attach-optimizer="optimizer=adam param-groups='w1:momentum=1'" 2>&1 | FileCheck %s --check-prefix=SETTING
// RUN: not mpt-opt %s --mpt-attach-optimizer="optimizer=adam param-groups='w1:weight_decay=-1'" 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not mpt-opt %s --mpt-attach-optimizer="optimizer=adam ema=1" 2>&1 | FileCheck %s --check-prefix=DECAY

// The scale of a normalization spelled out counts as one, a vector that is added as a bias.
// REMARK: remark: parameter group '@norm,@bias:weight_decay=0': 3 parameters, 12 elements
// REMARK: remark: parameter group 'w.*:lr_scale=0.1, betas=(0.5, 0.75)': 2 parameters, 32 elements
// REMARK: remark: in no parameter group: 1 parameters, 20 elements

// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: %[[W1:[a-z0-9]+]]: tensor<4x4xf32> {mp.donate, mp.group = "w.*:lr_scale=0.1, betas=(0.5, 0.75)", mp.name = "w1"
// CHECK-SAME: %[[RATE:[a-z0-9]+]]: tensor<f32> {mp.initial = {{.*}}, mp.name = "learning_rate"
// The average starts as the parameter.
// CHECK-SAME: %[[EMA:[a-z0-9]+]]: tensor<4x4xf32> {mp.donate, mp.name = "w1.ema", mp.role = #mp.role<optimizer_state>, nn.parameter = @w1}
// CHECK-SAME: tensor<4x4xf32> {mp.name = "w1.ema", mp.role = #mp.role<optimizer_state>}

// CHECK: %[[SLOW:.*]] = nn.mul %[[RATE]], %{{.*}} {mp.pin = "optimizer"}
// CHECK: %[[NEW:[a-z0-9_]+]], %{{.*}}, %{{.*}} = nn.adam %[[W1]], %{{.*}}, %{{.*}}, %{{.*}}, %[[SLOW]], %{{.*}} {beta1 = 5.0{{.*}}e-01 : f64, beta2 = 7.5{{.*}}, weight_decay = 2.5{{.*}}e-01 : f64}
// CHECK: %[[SHARE:.*]] = nn.constant dense<2.500000e-01>
// CHECK: %[[DIFFERENCE:.*]] = nn.sub %[[NEW]], %[[EMA]]
// CHECK: %[[PART:.*]] = nn.mul %[[DIFFERENCE]], %[[SHARE]]
// CHECK: %[[AVERAGE:.*]] = nn.add %[[EMA]], %[[PART]]
// CHECK: nn.adam %{{.*}}, %[[SLOW]], %{{.*}} {beta1 = 5.0
// norm, bias, gain: no decay; the table: as the optimizer says.
// CHECK: nn.adam %{{.*}}, %[[RATE]], %{{.*}} {decoupled = true, mp.pin = "optimizer"}
// CHECK: nn.adam %{{.*}}, %[[RATE]], %{{.*}} {decoupled = true, mp.pin = "optimizer"}
// CHECK: nn.adam %{{.*}}, %[[RATE]], %{{.*}} {decoupled = true, mp.pin = "optimizer"}
// CHECK: nn.adam %{{.*}}, %[[RATE]], %{{.*}} {decoupled = true, mp.pin = "optimizer", weight_decay = 2.5{{.*}}e-01 : f64}
// CHECK: mp.update %[[EMA]] to %[[AVERAGE]]

// w1, w2, norm, bias, gain, table: the first group that matches counts.
// SGD: nn.sgd %{{[^{]*}} {mp.pin = "optimizer"}
// SGD: nn.sgd %{{[^{]*}} {mp.pin = "optimizer", weight_decay = 5.0{{.*}}e-01 : f64}
// SGD: nn.sgd %{{[^{]*}} {mp.pin = "optimizer", weight_decay = 2.5{{.*}}e-01 : f64}
// SGD: nn.sgd %{{[^{]*}} {mp.pin = "optimizer", weight_decay = 5.0{{.*}}e-01 : f64}
// SGD: nn.sgd %{{[^{]*}} {mp.pin = "optimizer", weight_decay = 2.5{{.*}}e-01 : f64}
// SGD: nn.sgd %{{[^{]*}} {mp.pin = "optimizer"}

// NOBODY: error: 'nobody' names no trained parameter; there are: 'w1', 'w2', 'norm'
// ROLE: error: parameter group '@bais:weight_decay=0': there is no '@bais'; use @norm, @bias, @embedding, @weight, names or regexes
// COLON: error: parameter group 'w1': needs names, a colon and settings
// LEARN: error: a parameter group scales the learning rate: use lr_scale
// SETTING: error: adam: {{.*}}momentum
// NEGATIVE: error: adam: weight_decay must not be negative
// DECAY: error: ema should lie in [0, 1)

nn.parameter @w1 trainable = true : tensor<4x4xf32>
nn.parameter @w2 trainable = true : tensor<4x4xf32>
nn.parameter @norm trainable = true : tensor<4xf32>
nn.parameter @bias trainable = true : tensor<4xf32>
nn.parameter @gain trainable = true : tensor<4xf32>
nn.parameter @table trainable = true : tensor<5x4xf32>
func.func @forward(%i: tensor<2xi64> {mp.name = "i", mp.role = #mp.role<input>},
                   %w1: tensor<4x4xf32> {mp.name = "w1", mp.role = #mp.role<parameter>, nn.parameter = @w1},
                   %w2: tensor<4x4xf32> {mp.name = "w2", mp.role = #mp.role<parameter>, nn.parameter = @w2},
                   %norm: tensor<4xf32> {mp.name = "norm", mp.role = #mp.role<parameter>, nn.parameter = @norm},
                   %bias: tensor<4xf32> {mp.name = "bias", mp.role = #mp.role<parameter>, nn.parameter = @bias},
                   %gain: tensor<4xf32> {mp.name = "gain", mp.role = #mp.role<parameter>, nn.parameter = @gain},
                   %table: tensor<5x4xf32> {mp.name = "table", mp.role = #mp.role<parameter>, nn.parameter = @table})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>},
        tensor<4x4xf32> {mp.name = "w1", mp.role = #mp.role<gradient>}, tensor<4x4xf32> {mp.name = "w2", mp.role = #mp.role<gradient>},
        tensor<4xf32> {mp.name = "norm", mp.role = #mp.role<gradient>}, tensor<4xf32> {mp.name = "bias", mp.role = #mp.role<gradient>},
        tensor<4xf32> {mp.name = "gain", mp.role = #mp.role<gradient>}, tensor<5x4xf32> {mp.name = "table", mp.role = #mp.role<gradient>}) {
  %0 = nn.gather %table, %i {axis = 0} : tensor<5x4xf32>, tensor<2xi64>
  %1 = nn.matmul %0, %w1 : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
  %2 = nn.add %1, %bias : tensor<2x4xf32>, tensor<4xf32>
  %3, %r = nn.rms_norm %2, %norm {axis = 1} : (tensor<2x4xf32>, tensor<4xf32>) -> (tensor<2x4xf32>, tensor<2x1xf32>)
  %4 = nn.mul %3, %gain : tensor<2x4xf32>, tensor<4xf32>
  %5 = nn.matmul %4, %w2 : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
  %6 = nn.reduce_sum %5 {axes = array<i64: 0, 1>} : (tensor<2x4xf32>) -> tensor<f32>
  %g1 = mp.gradient %w1 of "w1" : tensor<4x4xf32>
  %g2 = mp.gradient %w2 of "w2" : tensor<4x4xf32>
  %g3 = mp.gradient %norm of "norm" : tensor<4xf32>
  %g4 = mp.gradient %bias of "bias" : tensor<4xf32>
  %g5 = mp.gradient %gain of "gain" : tensor<4xf32>
  %g6 = mp.gradient %table of "table" : tensor<5x4xf32>
  return %6, %g1, %g2, %g3, %g4, %g5, %g6 : tensor<f32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<5x4xf32>
}
