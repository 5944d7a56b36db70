// RUN: mpt-opt %s --mpt-rematerialize 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t.remarks
// RUN: mpt-opt %s --mpt-rematerialize --cse --canonicalize --mpt-rematerialize 2>/dev/null | FileCheck %s
// RUN: mpt-opt %s --mpt-rematerialize="budget=1KiB" 2>/dev/null | FileCheck %s --check-prefix=BUDGET
// RUN: not mpt-opt %s --mpt-rematerialize="budget=1.5" 2>&1 | FileCheck %s --check-prefix=ABOVE
// RUN: not mpt-opt %s --mpt-rematerialize="max-flops=0.5" 2>&1 | FileCheck %s --check-prefix=FLOPS
// RUN: mpt-opt %s --mpt-rematerialize="scope=inputs" 2>&1 | FileCheck %s --check-prefix=INPUTS
// RUN: not mpt-opt %s --mpt-rematerialize="scope=some" 2>&1 | FileCheck %s --check-prefix=SCOPE

// SCOPE: error: scope should be all or inputs, is 'some'

// Only the copy of the input is made again, in front of its first reader behind the loss; that of the parameter, which is cast
// once per step, and one that only the backward pass reads stay.
// INPUTS-NOT: {{remark|mp.rematerialized}}
// INPUTS-LABEL: func.func @inputs(
// INPUTS-SAME: %[[X:[a-z0-9]+]]: tensor<4x4xf32> {mp.name = "x"
// INPUTS: %[[C:.*]] = mp.cast %[[X]] : tensor<4x4xf32> to tensor<4x4xf16>
// INPUTS: %[[W:.*]] = mp.cast %{{.*}} : tensor<4x4xf32> to tensor<4x4xf16>
// INPUTS: nn.matmul %[[C]], %[[W]]
// INPUTS: mp.loss_seed
// INPUTS-NOT: mp.cast %[[X]]
// INPUTS: nn.matmul %{{.*}}, %[[W]] {transpose_rhs = true}
// INPUTS-NEXT: %[[AGAIN:.*]] = mp.cast %[[X]] {mp.recomputed}
// INPUTS-NEXT: nn.matmul %[[AGAIN]], %{{.*}} {transpose_lhs = true}
// INPUTS-NOT: mp.recomputed

// REMARK: remark: keeps 0.{{[0-9]*}} MiB for the backward pass instead of 0.{{[0-9]*}} MiB, at its peak 0.{{[0-9]*}} MiB instead of 0.{{[0-9]*}} MiB; 2 operations are repeated, 1.0{{[0-9]*}} times the flops

// The dropout and the gelu run again, right before they are read; the product is kept.
// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: mp.rematerialized = {copies = 2 : i64
// CHECK: %[[U:.*]] = nn.matmul %{{.*}}, %{{.*}} : (tensor<64x64xf32>, tensor<64x256xf32>)
// CHECK: nn.gelu %[[U]] : tensor
// CHECK: nn.dropout %{{.*}} {ratio = 5.000000e-01 : f64, seed = 7 : i64}
// CHECK: mp.loss_seed
// CHECK: %[[G:.*]] = nn.gelu %[[U]] {mp.recomputed}
// CHECK: %[[D:.*]], %{{.*}} = nn.dropout %[[G]] {mp.recomputed, ratio = 5.000000e-01 : f64, seed = 7 : i64}
// CHECK-NEXT: nn.matmul %[[D]], %{{.*}} {transpose_lhs = true}

// With a budget that cheap operations cannot meet, the first layer's wide product runs again, when the second
// layer's is not needed any more.
// BUDGET-LABEL: func.func @two_layers(
// BUDGET: mp.loss_seed
// BUDGET: mp.gradient %{{.*}} of "w2"
// BUDGET: nn.matmul %{{.*}}, %{{.*}} {mp.recomputed} : (tensor<16x16xf32>, tensor<16x1024xf32>)
// BUDGET: mp.gradient %{{.*}} of "v1"

// ABOVE: error: budget should be bytes like 64MiB or a fraction like 0.35, is '1.5'
// FLOPS: error: max-flops should be at least 1

func.func @train_step(%x: tensor<64x64xf32> {mp.name = "x", mp.role = #mp.role<input>},
                      %y: tensor<64x64xf32> {mp.name = "y", mp.role = #mp.role<label>},
                      %v: tensor<64x256xf32> {mp.name = "v", mp.role = #mp.role<parameter>},
                      %w: tensor<256x64xf32> {mp.name = "w", mp.role = #mp.role<parameter>})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>},
        tensor<256x64xf32> {mp.name = "w", mp.role = #mp.role<gradient>}, tensor<64x256xf32> {mp.name = "v", mp.role = #mp.role<gradient>}) {
  %0 = nn.matmul %x, %v : (tensor<64x64xf32>, tensor<64x256xf32>) -> tensor<64x256xf32>
  %1 = nn.gelu %0 : tensor<64x256xf32>
  %2, %mask = nn.dropout %1 {ratio = 0.5, seed = 7} : tensor<64x256xf32>
  %3 = nn.matmul %2, %w : (tensor<64x256xf32>, tensor<256x64xf32>) -> tensor<64x64xf32>
  %4 = nn.mse_loss %3, %y : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<f32>
  %5 = mp.loss_seed : tensor<f32>
  %6 = nn.mse_loss_grad %5, %3, %y : (tensor<f32>, tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %7 = nn.matmul %2, %6 {transpose_lhs = true} : (tensor<64x256xf32>, tensor<64x64xf32>) -> tensor<256x64xf32>
  %8 = nn.matmul %6, %w {transpose_rhs = true} : (tensor<64x64xf32>, tensor<256x64xf32>) -> tensor<64x256xf32>
  %9 = nn.gelu_grad %8, %0 : tensor<64x256xf32>
  %10 = nn.matmul %x, %9 {transpose_lhs = true} : (tensor<64x64xf32>, tensor<64x256xf32>) -> tensor<64x256xf32>
  %11 = mp.gradient %7 of "w" : tensor<256x64xf32>
  %12 = mp.gradient %10 of "v" : tensor<64x256xf32>
  return %4, %11, %12 : tensor<f32>, tensor<256x64xf32>, tensor<64x256xf32>
}

// Nothing to do: no backward pass.
// CHECK-LABEL: func.func @eval
// CHECK-NOT: mp.rematerialized
// CHECK: nn.gelu
func.func @eval(%x: tensor<64x64xf32> {mp.name = "x", mp.role = #mp.role<input>})
    -> (tensor<64x64xf32> {mp.name = "y", mp.role = #mp.role<output>}) {
  %0 = nn.gelu %x : tensor<64x64xf32>
  return %0 : tensor<64x64xf32>
}

func.func @two_layers(%x: tensor<16x16xf32> {mp.name = "x", mp.role = #mp.role<input>},
                      %y: tensor<16x16xf32> {mp.name = "y", mp.role = #mp.role<label>},
                      %v1: tensor<16x1024xf32> {mp.name = "v1", mp.role = #mp.role<parameter>},
                      %w1: tensor<1024x16xf32> {mp.name = "w1", mp.role = #mp.role<parameter>},
                      %v2: tensor<16x1024xf32> {mp.name = "v2", mp.role = #mp.role<parameter>},
                      %w2: tensor<1024x16xf32> {mp.name = "w2", mp.role = #mp.role<parameter>})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}, tensor<1024x16xf32> {mp.name = "w2", mp.role = #mp.role<gradient>},
        tensor<16x1024xf32> {mp.name = "v2", mp.role = #mp.role<gradient>}, tensor<1024x16xf32> {mp.name = "w1", mp.role = #mp.role<gradient>},
        tensor<16x1024xf32> {mp.name = "v1", mp.role = #mp.role<gradient>}) {
  %u1 = nn.matmul %x, %v1 : (tensor<16x16xf32>, tensor<16x1024xf32>) -> tensor<16x1024xf32>
  %g1 = nn.gelu %u1 : tensor<16x1024xf32>
  %h = nn.matmul %g1, %w1 : (tensor<16x1024xf32>, tensor<1024x16xf32>) -> tensor<16x16xf32>
  %u2 = nn.matmul %h, %v2 : (tensor<16x16xf32>, tensor<16x1024xf32>) -> tensor<16x1024xf32>
  %g2 = nn.gelu %u2 : tensor<16x1024xf32>
  %o = nn.matmul %g2, %w2 : (tensor<16x1024xf32>, tensor<1024x16xf32>) -> tensor<16x16xf32>
  %l = nn.mse_loss %o, %y : (tensor<16x16xf32>, tensor<16x16xf32>) -> tensor<f32>
  %s = mp.loss_seed : tensor<f32>
  %d = nn.mse_loss_grad %s, %o, %y : (tensor<f32>, tensor<16x16xf32>, tensor<16x16xf32>) -> tensor<16x16xf32>
  %0 = nn.matmul %g2, %d {transpose_lhs = true} : (tensor<16x1024xf32>, tensor<16x16xf32>) -> tensor<1024x16xf32>
  %1 = mp.gradient %0 of "w2" : tensor<1024x16xf32>
  %2 = nn.matmul %d, %w2 {transpose_rhs = true} : (tensor<16x16xf32>, tensor<1024x16xf32>) -> tensor<16x1024xf32>
  %3 = nn.gelu_grad %2, %u2 : tensor<16x1024xf32>
  %4 = nn.matmul %h, %3 {transpose_lhs = true} : (tensor<16x16xf32>, tensor<16x1024xf32>) -> tensor<16x1024xf32>
  %5 = mp.gradient %4 of "v2" : tensor<16x1024xf32>
  %6 = nn.matmul %3, %v2 {transpose_rhs = true} : (tensor<16x1024xf32>, tensor<16x1024xf32>) -> tensor<16x16xf32>
  %7 = nn.matmul %g1, %6 {transpose_lhs = true} : (tensor<16x1024xf32>, tensor<16x16xf32>) -> tensor<1024x16xf32>
  %8 = mp.gradient %7 of "w1" : tensor<1024x16xf32>
  %9 = nn.matmul %6, %w1 {transpose_rhs = true} : (tensor<16x16xf32>, tensor<1024x16xf32>) -> tensor<16x1024xf32>
  %10 = nn.gelu_grad %9, %u1 : tensor<16x1024xf32>
  %11 = nn.matmul %x, %10 {transpose_lhs = true} : (tensor<16x16xf32>, tensor<16x1024xf32>) -> tensor<16x1024xf32>
  %12 = mp.gradient %11 of "v1" : tensor<16x1024xf32>
  return %l, %1, %5, %8, %12 : tensor<f32>, tensor<1024x16xf32>, tensor<16x1024xf32>, tensor<1024x16xf32>, tensor<16x1024xf32>
}

func.func @inputs(%x: tensor<4x4xf32> {mp.name = "x", mp.role = #mp.role<input>},
                  %y: tensor<4x4xf32> {mp.name = "y", mp.role = #mp.role<label>},
                  %w: tensor<4x4xf32> {mp.name = "w", mp.role = #mp.role<parameter>})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>},
        tensor<4x4xf32> {mp.name = "dx", mp.role = #mp.role<metric>},
        tensor<4x4xf32> {mp.name = "w", mp.role = #mp.role<gradient>}) {
  %0 = mp.cast %x : tensor<4x4xf32> to tensor<4x4xf16>
  %1 = mp.cast %w : tensor<4x4xf32> to tensor<4x4xf16>
  %2 = nn.matmul %0, %1 : (tensor<4x4xf16>, tensor<4x4xf16>) -> tensor<4x4xf32>
  %3 = nn.mse_loss %2, %y : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<f32>
  %4 = mp.loss_seed : tensor<f32>
  %5 = nn.mse_loss_grad %4, %2, %y : (tensor<f32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %6 = mp.cast %5 : tensor<4x4xf32> to tensor<4x4xf16>
  %7 = nn.matmul %6, %1 {transpose_rhs = true} : (tensor<4x4xf16>, tensor<4x4xf16>) -> tensor<4x4xf32>
  %8 = nn.matmul %0, %6 {transpose_lhs = true} : (tensor<4x4xf16>, tensor<4x4xf16>) -> tensor<4x4xf32>
  %9 = mp.gradient %8 of "w" : tensor<4x4xf32>
  return %3, %7, %9 : tensor<f32>, tensor<4x4xf32>, tensor<4x4xf32>
}
