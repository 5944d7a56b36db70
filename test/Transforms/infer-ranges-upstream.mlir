// RUN: mpt-opt %s --mpt-infer-ranges="print=true remarks=false" -o /dev/null | FileCheck %s

// A linear layer and a softmax by hand, in upstream dialects.

// CHECK-LABEL: @linalg
// CHECK: linalg.matmul: [-32.0000{{[0-9]}}, 32.0000{{[0-9]}}]
// CHECK: math.tanh: [-1, 1]
// CHECK: math.exp: [0.36787{{[0-9]*}}, 2.71828{{[0-9]*}}]
// CHECK: arith.divf: [0.135335{{[0-9]*}}, 7.38905{{[0-9]*}}]
// CHECK: math.rsqrt: [0.134{{[0-9]*}}, 0.990{{[0-9]*}}]
func.func @linalg(%x: tensor<4x8xf32> {mp.range = array<f64: -2.0, 2.0>}, %w: tensor<8x16xf32> {mp.range = array<f64: -2.0, 2.0>}) -> (tensor<4x16xf32>, tensor<4x16xf32>) {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant dense<1.0> : tensor<4x16xf32>
  %empty = tensor.empty() : tensor<4x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x16xf32>) -> tensor<4x16xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<4x8xf32>, tensor<8x16xf32>) outs(%init : tensor<4x16xf32>) -> tensor<4x16xf32>
  %1 = math.tanh %0 : tensor<4x16xf32>
  %2 = math.exp %1 : tensor<4x16xf32>
  %3 = arith.divf %2, %2 : tensor<4x16xf32>
  %4 = arith.mulf %3, %3 : tensor<4x16xf32>
  %5 = arith.addf %4, %one : tensor<4x16xf32>
  %6 = math.rsqrt %5 : tensor<4x16xf32>
  return %3, %6 : tensor<4x16xf32>, tensor<4x16xf32>
}
