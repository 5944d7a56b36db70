// RUN: mpt-opt %s | mpt-opt | FileCheck %s
// RUN: mpt-opt %s --mlir-print-op-generic | mpt-opt | FileCheck %s
// RUN: mpt-opt %s --emit-bytecode | mpt-opt | FileCheck %s

// CHECK-LABEL: func.func @branches(
// CHECK: %[[R:.*]] = nn.if %{{.*}} -> (tensor<4xf32>) {
// CHECK-NEXT: %[[E:.*]] = nn.exp %arg1
// CHECK-NEXT: nn.branch_yield %[[E]] : tensor<4xf32>
// CHECK-NEXT: } else {
// CHECK-NEXT: nn.branch_yield %arg1 : tensor<4xf32>
// CHECK-NEXT: }
// CHECK-NEXT: return %[[R]]
func.func @branches(%c: tensor<i1>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = nn.if %c -> (tensor<4xf32>) {
    %1 = nn.exp %x : tensor<4xf32>
    nn.branch_yield %1 : tensor<4xf32>
  } else {
    nn.branch_yield %x : tensor<4xf32>
  }
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @loops(
// CHECK: nn.loop trips %arg0 while %arg1 carried(%arg2) {
// CHECK-NEXT: ^bb0(%{{.*}}: tensor<i64>, %[[G:.*]]: tensor<i1>, %[[A:.*]]: tensor<4xf32>):
// CHECK-NEXT: nn.next while %[[G]] carried(%[[A]] : tensor<4xf32>)
// CHECK-NEXT: } : (tensor<4xf32>) -> tensor<4xf32>
// CHECK: nn.loop trips %arg0 carried() {
// CHECK: nn.next while %{{.*}} collected(%arg2 : tensor<4xf32>)
// CHECK: } : () -> tensor<3x4xf32>
func.func @loops(%n: tensor<i64>, %c: tensor<i1>, %x: tensor<4xf32>) -> (tensor<4xf32>, tensor<3x4xf32>) {
  %0 = nn.loop trips %n while %c carried(%x) {
  ^bb0(%i: tensor<i64>, %going: tensor<i1>, %a: tensor<4xf32>):
    nn.next while %going carried(%a : tensor<4xf32>)
  } : (tensor<4xf32>) -> tensor<4xf32>
  %1 = nn.loop trips %n carried() {
  ^bb0(%i: tensor<i64>, %going: tensor<i1>):
    nn.next while %going collected(%x : tensor<4xf32>)
  } : () -> tensor<3x4xf32>
  return %0, %1 : tensor<4xf32>, tensor<3x4xf32>
}

// CHECK-LABEL: func.func @scans(
// CHECK: nn.scan carried(%arg0) over(%arg1) {
// CHECK: nn.next carried(%{{.*}} : tensor<4xf32>) collected(%{{.*}} : tensor<4xf32>)
// CHECK: } {axes = array<i64: 0>, collected_axes = array<i64: 1>, collected_reversed = array<i1: true>, reversed = array<i1: false>} : (tensor<4xf32>, tensor<3x4xf32>) -> (tensor<4xf32>, tensor<4x3xf32>)
func.func @scans(%s: tensor<4xf32>, %x: tensor<3x4xf32>) -> (tensor<4xf32>, tensor<4x3xf32>) {
  %0:2 = nn.scan carried(%s) over(%x) {
  ^bb0(%a: tensor<4xf32>, %slice: tensor<4xf32>):
    %1 = nn.add %a, %slice : tensor<4xf32>, tensor<4xf32>
    nn.next carried(%1 : tensor<4xf32>) collected(%1 : tensor<4xf32>)
  } {axes = array<i64: 0>, reversed = array<i1: false>, collected_axes = array<i64: 1>, collected_reversed = array<i1: true>}
    : (tensor<4xf32>, tensor<3x4xf32>) -> (tensor<4xf32>, tensor<4x3xf32>)
  return %0#0, %0#1 : tensor<4xf32>, tensor<4x3xf32>
}
