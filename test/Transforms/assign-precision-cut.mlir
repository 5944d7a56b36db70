// RUN: mpt-opt %s --split-input-file --mpt-assign-precision | FileCheck %s
// RUN: mpt-opt %s --split-input-file --mpt-assign-precision=strategy=paint | FileCheck %s --check-prefix=PAINT
// RUN: mpt-opt %s --split-input-file --mpt-assign-precision=target=h100 | FileCheck %s --check-prefix=H100
// RUN: mpt-opt %s --split-input-file --mpt-assign-precision=low=f16/bf16 | FileCheck %s --check-prefix=MIXED
// RUN: not mpt-opt %s --split-input-file --mpt-assign-precision=strategy=greedy 2>&1 | FileCheck %s --check-prefix=STRATEGY
// RUN: not mpt-opt %s --split-input-file --mpt-assign-precision=target=abacus 2>&1 | FileCheck %s --check-prefix=TARGET
// STRATEGY: error: mpt-assign-precision: unknown strategy 'greedy', use cut or paint
// TARGET: error: mpt-assign-precision: unknown target 'abacus', use one of generic, h100

// Behind one cast of 6 bytes an element, three operations move 16 bytes instead of 32.

// CHECK-LABEL: func.func @together
// CHECK: nn.exp {{.*}}low = false
// CHECK: nn.add {{.*}}low = true
// CHECK: nn.neg {{.*}}low = true
// CHECK: nn.mul {{.*}}low = true
// CHECK: nn.matmul {{.*}}low = true
// Nothing lies between two matrix products here, so the painting leaves all to FP32.
// PAINT-LABEL: func.func @together
// PAINT: nn.add {{.*}}low = false, "slow: not between operations on the allow list"
// PAINT: nn.neg {{.*}}low = false
// PAINT: nn.mul {{.*}}low = false
// PAINT: nn.matmul {{.*}}low = true
// Too small to pay for a kernel launch per cast.
// H100-LABEL: func.func @together
// H100: nn.matmul {{.*}}low = false, "slow: in the low type it would need more casts, {{[0-9]+}} bytes more than it saves"
func.func @together(%x: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %0 = nn.exp %x : tensor<64x64xf32>
  %1 = nn.add %0, %0 : tensor<64x64xf32>, tensor<64x64xf32>
  %2 = nn.neg %1 : tensor<64x64xf32>
  %3 = nn.mul %2, %1 : tensor<64x64xf32>, tensor<64x64xf32>
  %4 = nn.matmul %3, %3 : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %4 : tensor<64x64xf32>
}

// -----

// Four branches of a low value end in FP32. Alone, each is better low (its cast moves 6 bytes an
// element, but FP32 would need one, too, in front of it); together they are better in FP32, behind one cast
// that they share. Only the optimum over all finds that.

// CHECK-LABEL: func.func @branches
// CHECK: nn.relu {{.*}}low = true
// CHECK-COUNT-4: nn.tanh {{.*}}low = false, "slow: in the low type it would need more casts
// CHECK: nn.matmul {{.*}}low = true
// PAINT-LABEL: func.func @branches
// H100-LABEL: func.func @branches
func.func @branches(%x: tensor<64x64xf32>) -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) {
  %0 = nn.matmul %x, %x : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %1 = nn.relu %0 : tensor<64x64xf32>
  %a = nn.tanh %1 : tensor<64x64xf32>
  %b = nn.tanh %1 : tensor<64x64xf32>
  %c = nn.tanh %1 : tensor<64x64xf32>
  %d = nn.tanh %1 : tensor<64x64xf32>
  %2 = nn.matmul %1, %1 : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %a, %b, %c, %d, %2 : tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>
}

// -----

// On the other side of a widened product: FP32 readers cost nothing, so the addition stays.

// CHECK-LABEL: func.func @widened
// CHECK: nn.matmul {{.*}}low = true
// CHECK: nn.add {{.*}}low = false, "slow: in the low type it would need more casts, {{[0-9]+}} bytes more than it saves"
// H100-LABEL: func.func @widened
func.func @widened(%x: tensor<64x64xf32>, %b: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %0 = nn.matmul %x, %x : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %1 = nn.add %0, %b : tensor<64x64xf32>, tensor<64x64xf32>
  return %1 : tensor<64x64xf32>
}

// -----

// Large products pay.

// H100-LABEL: func.func @large
// H100: nn.matmul {{.*}}low = true
// CHECK-LABEL: func.func @large
func.func @large(%x: tensor<4096x4096xf32>) -> tensor<4096x4096xf32> {
  %0 = nn.matmul %x, %x : (tensor<4096x4096xf32>, tensor<4096x4096xf32>) -> tensor<4096x4096xf32>
  return %0 : tensor<4096x4096xf32>
}

// -----

// A parameter that an evaluation reads in 16 bits only is stored so. In a training step it is a master,
// and a cast of all of it costs more than reading it once in FP32.

// CHECK-LABEL: func.func @evaluation
// CHECK: nn.reduce_max {{.*}}low = true
// CHECK-LABEL: func.func @training
// CHECK: nn.reduce_max {{.*}}low = false
// H100-LABEL: func.func @evaluation
func.func @evaluation(%x: tensor<64x64xf32> {mp.role = #mp.role<input>, mp.name = "x"},
    %w: tensor<64x64xf32> {mp.role = #mp.role<parameter>, mp.name = "w"}) -> (tensor<64x64xf32> {mp.role = #mp.role<output>, mp.name = "y"}) {
  %0 = nn.reduce_max %w {axes = array<i64: 0>} : (tensor<64x64xf32>) -> tensor<64xf32>
  %1 = nn.matmul %x, %x : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %2 = nn.add %1, %0 : tensor<64x64xf32>, tensor<64xf32>
  %3 = nn.matmul %2, %2 : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %3 : tensor<64x64xf32>
}
func.func @training(%x: tensor<64x64xf32> {mp.role = #mp.role<input>, mp.name = "x"},
    %w: tensor<64x64xf32> {mp.role = #mp.role<parameter>, mp.name = "w"}) -> (tensor<64x64xf32> {mp.role = #mp.role<parameter>, mp.name = "w"}) {
  %0 = nn.reduce_max %w {axes = array<i64: 0>} : (tensor<64x64xf32>) -> tensor<64xf32>
  %1 = nn.matmul %x, %x : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %2 = nn.add %1, %0 : tensor<64x64xf32>, tensor<64xf32>
  %3 = nn.matmul %2, %2 : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %3 : tensor<64x64xf32>
}

// -----

// Forward FP16, backward BF16: what depends on the loss scale.

// MIXED-LABEL: func.func @backward
// MIXED: nn.matmul {{.*}}#mp.decision<f16, low = true
// MIXED: nn.mul {{.*}}low = false
// MIXED: nn.matmul {{.*}}#mp.decision<bf16, low = true
// MIXED: mp.unscale {{.*}}#mp.decision<bf16, low = false
// CHECK-LABEL: func.func @backward
// H100-LABEL: func.func @backward
func.func @backward(%x: tensor<64x64xf32>, %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"}) -> (tensor<64x64xf32>, tensor<64x64xf32>) {
  %0 = nn.matmul %x, %x : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %1 = nn.mul %x, %s : tensor<64x64xf32>, tensor<f32>
  %2 = nn.matmul %1, %0 : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %3 = mp.unscale %2 of "w" by %s : tensor<64x64xf32>, tensor<f32>
  return %0, %3 : tensor<64x64xf32>, tensor<64x64xf32>
}
