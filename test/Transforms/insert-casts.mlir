// RUN: mpt-opt %s --split-input-file --mpt-insert-casts | FileCheck %s
// RUN: mpt-opt %s --split-input-file --mpt-insert-casts=widen-results=false | FileCheck %s --check-prefix=NARROW
// RUN: mpt-opt %s --split-input-file --mpt-insert-casts > %t.once
// RUN: mpt-opt %t.once --split-input-file --mpt-insert-casts > %t.twice
// RUN: diff %t.once %t.twice

// One cast per value and direction, at the start for arguments, shared by all users.

// CHECK-LABEL: func.func @shared(
// CHECK-SAME: %[[X:.*]]: tensor<8x8xf32>, %[[W:.*]]: tensor<8x8xf32>) -> (tensor<8x8xf32>, tensor<8x8xf32>)
// CHECK-NEXT: %[[XH:.*]] = mp.cast %[[X]] : tensor<8x8xf32> to tensor<8x8xf16>
// CHECK-NEXT: %[[WH:.*]] = mp.cast %[[W]] : tensor<8x8xf32> to tensor<8x8xf16>
// CHECK-NEXT: %[[A:.*]] = nn.matmul %[[XH]], %[[WH]] {{.*}} -> tensor<8x8xf16>
// CHECK-NEXT: %[[B:.*]] = nn.relu %[[A]] {{.*}} tensor<8x8xf16>
// CHECK-NEXT: %[[BF:.*]] = mp.cast %[[B]] : tensor<8x8xf16> to tensor<8x8xf32>
// CHECK-NEXT: %[[C:.*]] = nn.matmul %[[B]], %[[XH]] {{.*}} -> tensor<8x8xf32>
// CHECK-NEXT: nn.exp %[[BF]]
// CHECK-NEXT: nn.log %[[BF]]
// CHECK-NEXT: nn.add
// The matrix product sums in FP32 and only FP32 reads it: no cast. ONNX cannot say that.
// CHECK-NEXT: return %{{.*}}, %[[C]]
// NARROW-LABEL: func.func @shared(
// NARROW: nn.relu
// NARROW: %[[C:.*]] = nn.matmul {{.*}} -> tensor<8x8xf16>
// NARROW-NEXT: %[[CF:.*]] = mp.cast %[[C]]
// NARROW: return %{{.*}}, %[[CF]]
func.func @shared(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> (tensor<8x8xf32>, tensor<8x8xf32>) {
  %0 = nn.matmul %x, %w {mp.decision = #mp.decision<f16, low = true, "">} : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = nn.relu %0 {mp.decision = #mp.decision<f16, low = true, "">} : tensor<8x8xf32>
  %2 = nn.matmul %1, %x {mp.decision = #mp.decision<f16, low = true, "">} : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %3 = nn.exp %1 {mp.decision = #mp.decision<f16, low = false, "">} : tensor<8x8xf32>
  %4 = nn.log %1 {mp.decision = #mp.decision<f16, low = false, "">} : tensor<8x8xf32>
  %5 = nn.add %3, %4 {mp.decision = #mp.decision<f16, low = false, "">} : tensor<8x8xf32>, tensor<8x8xf32>
  return %5, %2 : tensor<8x8xf32>, tensor<8x8xf32>
}

// -----

// Pinned operands and results keep FP32.

// CHECK-LABEL: func.func @pinned(
// CHECK: nn.layer_norm %{{.*}}, %{{.*}}, %{{.*}} : (tensor<8x8xf16>, tensor<8xf32>, tensor<8xf32>) -> (tensor<8x8xf16>, tensor<8x1xf32>, tensor<8x1xf32>)
// CHECK: nn.reduce_sum {{.*}} (tensor<8x8xf16>) -> tensor<8xf32>
func.func @pinned(%x: tensor<8x8xf32>, %g: tensor<8xf32>) -> (tensor<8x1xf32>, tensor<8xf32>) {
  %0, %m, %r = nn.layer_norm %x, %g, %g {axis = 1, mp.decision = #mp.decision<f16, low = true, "">} : (tensor<8x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<8x8xf32>, tensor<8x1xf32>, tensor<8x1xf32>)
  %1 = nn.reduce_sum %0 {axes = array<i64: 0>, mp.decision = #mp.decision<f16, low = true, "">} : (tensor<8x8xf32>) -> tensor<8xf32>
  return %r, %1 : tensor<8x1xf32>, tensor<8xf32>
}

// -----

// Constants are re-typed, rounded to nearest even (1 + 2^-11 is halfway and goes to 1, 1 + 3*2^-11 to
// 1 + 2^-9), subnormals and infinities kept. The FP32 user keeps its own.

// CHECK-LABEL: func.func @constants(
// CHECK-NOT: mp.cast %cst
// CHECK-DAG: %[[F:.*]] = nn.constant dense<[1.00048828, 1.00146484, 5.96046448E-8, 0xFF800000, 3.14159274]> : tensor<5xf32>
// CHECK-DAG: %[[H:.*]] = nn.constant dense<[1.000000e+00, 1.001950e+00, 5.960460e-08, 0xFC00, 3.140630e+00]> : tensor<5xf16>
// CHECK-DAG: %[[S:.*]] = nn.constant dense<5.000000e-01> : tensor<f16>
// CHECK: nn.mul %{{.*}}, %[[H]]
// CHECK: nn.mul %{{.*}}, %[[S]]
// CHECK: nn.exp %[[F]]
func.func @constants(%x: tensor<5xf32>) -> (tensor<5xf32>, tensor<5xf32>) {
  %c = nn.constant dense<[1.00048828125, 1.00146484375, 5.960464477539063e-8, 0xFF800000, 3.14159274]> : tensor<5xf32>
  %s = nn.constant dense<0.5> : tensor<f32>
  %0 = nn.mul %x, %c {mp.decision = #mp.decision<f16, low = true, "">} : tensor<5xf32>, tensor<5xf32>
  %1 = nn.mul %0, %s {mp.decision = #mp.decision<f16, low = true, "">} : tensor<5xf32>, tensor<f32>
  %2 = nn.exp %c : tensor<5xf32>
  return %1, %2 : tensor<5xf32>, tensor<5xf32>
}

// -----

// A user's cast stays, whatever surrounds it. A cast of the compiler that was there is used again,
// and one that became the identity goes.

// CHECK-LABEL: func.func @casts(
// CHECK-NEXT: %[[XH:.*]] = mp.cast %arg0
// CHECK-NEXT: %[[A:.*]] = nn.relu %[[XH]]
// CHECK-NEXT: %[[AF:.*]] = mp.cast %[[A]] : tensor<8xf16> to tensor<8xf32>
// CHECK-NEXT: %[[U:.*]] = nn.cast %[[AF]] : tensor<8xf32> to tensor<8xf16>
// CHECK-NEXT: %[[V:.*]] = nn.cast %[[U]] : tensor<8xf16> to tensor<8xf32>
// CHECK-NEXT: %[[B:.*]] = nn.relu %[[XH]]
// CHECK-NEXT: %[[BF:.*]] = mp.cast %[[B]]
// CHECK-NEXT: return %[[V]], %[[BF]], %[[A]]
func.func @casts(%x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf16>) {
  %0 = nn.relu %x {mp.decision = #mp.decision<f16, low = true, "">} : tensor<8xf32>
  %1 = nn.cast %0 : tensor<8xf32> to tensor<8xf16>
  %2 = nn.cast %1 : tensor<8xf16> to tensor<8xf32>
  %h = mp.cast %0 : tensor<8xf32> to tensor<8xf16>
  %3 = nn.relu %x {mp.decision = #mp.decision<f16, low = true, "">} : tensor<8xf32>
  %4 = mp.cast %x : tensor<8xf32> to tensor<8xf16>
  return %2, %3, %h : tensor<8xf32>, tensor<8xf32>, tensor<8xf16>
}

// -----

// No decision, no change.

// CHECK-LABEL: func.func @undecided(
// CHECK-NOT: mp.
// CHECK: return
func.func @undecided(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = nn.matmul %x, %x : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
}

// -----

// Uses inside of a region stay FP32; the cast stands before the region.

// CHECK-LABEL: func.func @region(
// CHECK: %[[A:.*]] = nn.relu {{.*}} tensor<8xf16>
// CHECK-NEXT: %[[AF:.*]] = mp.cast %[[A]]
// CHECK-NEXT: scf.if
// CHECK: nn.exp %[[AF]]
func.func @region(%x: tensor<8xf32>, %c: i1) -> tensor<8xf32> {
  %0 = nn.relu %x {mp.decision = #mp.decision<f16, low = true, "">} : tensor<8xf32>
  %1 = scf.if %c -> tensor<8xf32> {
    %2 = nn.exp %0 : tensor<8xf32>
    scf.yield %2 : tensor<8xf32>
  } else {
    scf.yield %0 : tensor<8xf32>
  }
  return %1 : tensor<8xf32>
}
