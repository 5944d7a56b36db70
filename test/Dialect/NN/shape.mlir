// Shape and indexing operations survive printing, parsing and bytecode.
// RUN: mpt-opt %s | mpt-opt | FileCheck %s
// RUN: mpt-opt %s --emit-bytecode | mpt-opt | FileCheck %s
// RUN: mpt-opt %s --mlir-print-op-generic | mpt-opt | FileCheck %s

// CHECK-LABEL: func @shapes
func.func @shapes(%x: tensor<2x3x4xf16>) {
  // CHECK: nn.constant dense<[1, 2]> : tensor<2xi64>
  %c = nn.constant dense<[1, 2]> : tensor<2xi64>
  // CHECK: nn.reshape %{{.*}} : tensor<2x3x4xf16> to tensor<6x4xf16>
  %0 = nn.reshape %x : tensor<2x3x4xf16> to tensor<6x4xf16>
  // CHECK: nn.transpose %{{.*}} {permutation = array<i64: 2, 0, 1>} : tensor<2x3x4xf16>
  %1 = nn.transpose %x {permutation = array<i64: 2, 0, 1>} : tensor<2x3x4xf16>
  // CHECK: nn.expand %{{.*}} : tensor<6x4xf16> to tensor<5x6x4xf16>
  %2 = nn.expand %0 : tensor<6x4xf16> to tensor<5x6x4xf16>
  // CHECK: nn.concat %{{.*}}, %{{.*}} {axis = 1 : i64} : tensor<2x3x4xf16>, tensor<2x3x4xf16>
  %3 = nn.concat %x, %x {axis = 1 : i64} : tensor<2x3x4xf16>, tensor<2x3x4xf16>
  // CHECK: nn.split %{{.*}} {axis = 1 : i64} : (tensor<2x6x4xf16>) -> (tensor<2x2x4xf16>, tensor<2x4x4xf16>)
  %4:2 = nn.split %3 {axis = 1 : i64} : (tensor<2x6x4xf16>) -> (tensor<2x2x4xf16>, tensor<2x4x4xf16>)
  // CHECK: nn.slice %{{.*}} {starts = array<i64: 0, 2, 1>, steps = array<i64: 1, -2, 1>} : tensor<2x3x4xf16> to tensor<2x2x3xf16>
  %5 = nn.slice %x {starts = array<i64: 0, 2, 1>, steps = array<i64: 1, -2, 1>} : tensor<2x3x4xf16> to tensor<2x2x3xf16>
  // CHECK: nn.slice_grad
  %6 = nn.slice_grad %5 {starts = array<i64: 0, 2, 1>, steps = array<i64: 1, -2, 1>} : tensor<2x2x3xf16> to tensor<2x3x4xf16>
  // CHECK: nn.pad %{{.*}} {high = array<i64: 0, 1, 0>, low = array<i64: 0, 1, 2>, mode = #nn<pad_mode reflect>} : tensor<2x3x4xf16> to tensor<2x5x6xf16>
  %7 = nn.pad %x {low = array<i64: 0, 1, 2>, high = array<i64: 0, 1, 0>, mode = #nn<pad_mode reflect>} : tensor<2x3x4xf16> to tensor<2x5x6xf16>
  // CHECK: nn.pad_grad
  %8 = nn.pad_grad %7 {low = array<i64: 0, 1, 2>, high = array<i64: 0, 1, 0>, mode = #nn<pad_mode reflect>} : tensor<2x5x6xf16> to tensor<2x3x4xf16>
  return
}

// CHECK-LABEL: func @indexing
func.func @indexing(%table: tensor<10x4xf16>, %ids: tensor<2x3xi64>, %at: tensor<5x4xi32>, %tuples: tensor<7x2xi64>) {
  // CHECK: nn.gather %{{.*}}, %{{.*}} {axis = 0 : i64} : tensor<10x4xf16>, tensor<2x3xi64>
  %0 = nn.gather %table, %ids {axis = 0 : i64} : tensor<10x4xf16>, tensor<2x3xi64>
  // CHECK: nn.gather_grad %{{.*}}, %{{.*}} {axis = 0 : i64} : (tensor<2x3x4xf16>, tensor<2x3xi64>) -> tensor<10x4xf32>
  %1 = nn.gather_grad %0, %ids {axis = 0 : i64} : (tensor<2x3x4xf16>, tensor<2x3xi64>) -> tensor<10x4xf32>
  // CHECK: nn.gather_elements
  %2 = nn.gather_elements %table, %at {axis = 0 : i64} : (tensor<10x4xf16>, tensor<5x4xi32>) -> tensor<5x4xf16>
  // CHECK: nn.gather_elements_grad
  %3 = nn.gather_elements_grad %2, %at {axis = 0 : i64} : (tensor<5x4xf16>, tensor<5x4xi32>) -> tensor<10x4xf32>
  // CHECK: nn.gather_nd
  %4 = nn.gather_nd %table, %tuples : (tensor<10x4xf16>, tensor<7x2xi64>) -> tensor<7xf16>
  // CHECK: nn.gather_nd_grad
  %5 = nn.gather_nd_grad %4, %tuples : (tensor<7xf16>, tensor<7x2xi64>) -> tensor<10x4xf32>
  return
}
