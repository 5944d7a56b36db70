// RUN: mpt-opt %s --split-input-file --mpt-assign-precision --mpt-insert-casts | FileCheck %s
// RUN: mpt-opt %s --split-input-file --mpt-verify-loss-scaling | FileCheck %s --check-prefix=POWERS
// RUN: mpt-opt %s --split-input-file --mpt-assign-precision --mpt-insert-casts --mlir-print-op-generic | FileCheck %s --check-prefix=BODY

// The passes see interfaces: a network of linalg, arith and math is treated as one of nn. The
// accumulator of a matrix product is FP32.

// CHECK-LABEL: func.func @upstream(
// CHECK-SAME: %[[X:.*]]: tensor<4x8xf32>, %[[W:.*]]: tensor<8x8xf32>, %[[B:.*]]: tensor<4x8xf32>)
// CHECK-NEXT: %[[XH:.*]] = mp.cast %[[X]]
// CHECK-NEXT: %[[WH:.*]] = mp.cast %[[W]]
// CHECK: %[[HALF:.*]] = arith.constant dense<5.000000e-01> : tensor<4x8xf16>
// CHECK: %[[M:.*]] = linalg.matmul {{.*}}ins(%[[XH]], %[[WH]] : tensor<4x8xf16>, tensor<8x8xf16>) outs(%{{.*}} : tensor<4x8xf32>) -> tensor<4x8xf32>
// The sum of two FP32 tensors is cast, not the two tensors.
// CHECK: %[[A:.*]] = arith.addf %[[M]], %[[B]] {{.*}} : tensor<4x8xf32>
// CHECK: %[[AH:.*]] = mp.cast %[[A]]
// CHECK: %[[C:.*]] = arith.mulf %[[AH]], %[[HALF]] {{.*}} : tensor<4x8xf16>
// CHECK: %[[N:.*]] = linalg.matmul {{.*}}ins(%[[C]], %[[WH]]
// CHECK: math.exp %[[N]] {{.*}} : tensor<4x8xf32>
// The body multiplies and sums in FP32.
// BODY: "linalg.matmul"
// BODY-NEXT: ^bb0(%[[L:.*]]: f16, %[[R:.*]]: f16, %[[ACC:.*]]: f32):
// BODY-DAG: %[[LF:.*]] = "arith.extf"(%[[L]])
// BODY-DAG: %[[RF:.*]] = "arith.extf"(%[[R]])
// BODY: %[[P:.*]] = "arith.mulf"(%[[LF]], %[[RF]])
// BODY: "arith.addf"(%[[ACC]], %[[P]])
// POWERS-LABEL: func.func @upstream(
func.func @upstream(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>, %b: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant dense<0.5> : tensor<4x8xf32>
  %empty = tensor.empty() : tensor<4x8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x8xf32>) -> tensor<4x8xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<4x8xf32>, tensor<8x8xf32>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = arith.addf %0, %b : tensor<4x8xf32>
  %2 = arith.mulf %1, %half : tensor<4x8xf32>
  %3 = linalg.matmul ins(%2, %w : tensor<4x8xf32>, tensor<8x8xf32>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  %4 = math.exp %3 : tensor<4x8xf32>
  return %4 : tensor<4x8xf32>
}

// -----

// A scaled step of upstream operations.

// POWERS-LABEL: func.func @powers(
// CHECK-LABEL: func.func @powers(
// CHECK: linalg.matmul {{.*}}tensor<8x8xf16>
func.func @powers(%x: tensor<8x8xf32>, %dy: tensor<8x8xf32>, %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"})
    -> (tensor<8x8xf32> {mp.role = #mp.role<gradient>, mp.name = "w"}) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<8x8xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x8xf32>) -> tensor<8x8xf32>
  %scaled = mp.scale %dy by %s : tensor<8x8xf32>, tensor<f32>
  %0 = linalg.matmul ins(%x, %scaled : tensor<8x8xf32>, tensor<8x8xf32>) outs(%init : tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = arith.addf %0, %0 : tensor<8x8xf32>
  %2 = mp.unscale %1 of "w" by %s : tensor<8x8xf32>, tensor<f32>
  return %2 : tensor<8x8xf32>
}
