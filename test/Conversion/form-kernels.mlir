// RUN: mpt-opt %s --mpt-form-kernels --split-input-file | FileCheck %s
// RUN: mpt-opt %s --mpt-form-kernels --split-input-file | mpt-opt --mpt-form-kernels --split-input-file | FileCheck %s
// RUN: mpt-opt %s --mpt-form-kernels=max-ops=1 --split-input-file | FileCheck %s --check-prefix=SINGLE

// Producer, consumer and an operation that reads the same tensor are one kernel; the scalar moves in.
// CHECK-LABEL: func.func @cluster
// CHECK-NOT: nn.constant dense
// CHECK: %[[K:.*]]:2 = nn.kernel "pointwise"(%arg0, %arg1)
// CHECK-DAG: nn.constant dense<2.000000e+00> : tensor<f16>
// CHECK: nn.yield
// CHECK-NOT: nn.kernel
// CHECK: return %[[K]]#0, %[[K]]#1
// SINGLE-LABEL: func.func @cluster
// SINGLE-COUNT-4: nn.kernel "pointwise"
// SINGLE: return
func.func @cluster(%x: tensor<4x8xf16>, %b: tensor<8xf16>) -> (tensor<4x8xf16>, tensor<4x8xf16>) {
  %two = nn.constant dense<2.0> : tensor<f16>
  %0 = nn.add %x, %b : tensor<4x8xf16>, tensor<8xf16>
  %1 = nn.mul %0, %two : tensor<4x8xf16>, tensor<f16>
  %2 = nn.relu %1 : tensor<4x8xf16>
  %3 = nn.neg %x : tensor<4x8xf16>
  return %2, %3 : tensor<4x8xf16>, tensor<4x8xf16>
}

// -----

// %2 needs the matrix product, which needs %0: one kernel of %0 and %2 would be a cycle.
// CHECK-LABEL: func.func @no_cycle
// CHECK: %[[A:.*]] = nn.kernel "pointwise"(%arg0)
// CHECK: nn.exp
// CHECK: %[[M:.*]] = nn.kernel "contraction"(%[[A]])
// CHECK: nn.kernel "pointwise"(%[[A]], %[[M]])
// CHECK: nn.add
func.func @no_cycle(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = nn.exp %x : tensor<4x4xf32>
  %1 = nn.matmul %0, %0 : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %2 = nn.add %0, %1 : tensor<4x4xf32>, tensor<4x4xf32>
  return %2 : tensor<4x4xf32>
}

// -----

// Shapes are not mixed; a view is no kernel; what nobody needs is dropped.
// CHECK-LABEL: func.func @views
// CHECK: %[[A:.*]] = nn.kernel "pointwise"
// CHECK: %[[V:.*]] = nn.reshape %[[A]]
// CHECK: nn.kernel "pointwise"(%[[V]])
// CHECK-NOT: nn.tanh
// CHECK: return
func.func @views(%x: tensor<4x4xf32>) -> tensor<16xf32> {
  %0 = nn.exp %x : tensor<4x4xf32>
  %1 = nn.reshape %0 : tensor<4x4xf32> to tensor<16xf32>
  %2 = nn.neg %1 : tensor<16xf32>
  %3 = nn.tanh %2 : tensor<16xf32>
  return %2 : tensor<16xf32>
}
