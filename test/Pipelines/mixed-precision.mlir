// RUN: mpt-opt %s --mpt-mixed-precision | FileCheck %s
// RUN: mpt-opt %s --mpt-mixed-precision="low=bf16 widen-results=true fp32-ops=softmax" | FileCheck %s --check-prefix=OPTIONS
// RUN: mpt-opt %s --mpt-mixed-precision > %t.once
// RUN: mpt-opt %t.once --mpt-mixed-precision > %t.twice
// RUN: diff %t.once %t.twice

// Attention: everything but the ends is 16 bits wide. Results are not wider than operands, so that
// ONNX can express the function.

// CHECK-LABEL: func.func @attention(
// CHECK-SAME: tensor<2x4x8xf32>{{.*}} -> tensor<2x4x4xf32>
// CHECK: nn.matmul {{.*}} -> tensor<2x4x4xf16>
// CHECK: nn.mul {{.*}} : tensor<2x4x4xf16>, tensor<f16>
// CHECK: nn.where {{.*}} tensor<2x4x4xf16>, tensor<f16>
// CHECK: nn.softmax {{.*}} : tensor<2x4x4xf16>
// CHECK: nn.matmul {{.*}} -> tensor<2x4x4xf16>
// CHECK: %[[RESULT:.*]] = mp.cast %{{.*}} : tensor<2x4x4xf16> to tensor<2x4x4xf32>
// CHECK-NEXT: return %[[RESULT]]

// OPTIONS: nn.matmul {{.*}} -> tensor<2x4x4xbf16>
// OPTIONS: nn.softmax {{.*}} : tensor<2x4x4xf32>
// OPTIONS: %[[RESULT:.*]] = nn.matmul {{.*}} -> tensor<2x4x4xf32>
// OPTIONS: return %[[RESULT]]
func.func @attention(%q: tensor<2x4x8xf32>, %k: tensor<2x4x8xf32>, %mask: tensor<4x4xi1>) -> tensor<2x4x4xf32> {
  %c = nn.constant dense<0.125> : tensor<f32>
  %inf = nn.constant dense<0xFF800000> : tensor<f32>
  %0 = nn.matmul %q, %k {transpose_rhs = true} : (tensor<2x4x8xf32>, tensor<2x4x8xf32>) -> tensor<2x4x4xf32>
  %1 = nn.mul %0, %c : tensor<2x4x4xf32>, tensor<f32>
  %2 = nn.where %mask, %1, %inf : tensor<4x4xi1>, tensor<2x4x4xf32>, tensor<f32>
  %3 = nn.softmax %2 {axis = 2} : tensor<2x4x4xf32>
  %4 = nn.matmul %3, %0 : (tensor<2x4x4xf32>, tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  return %4 : tensor<2x4x4xf32>
}
