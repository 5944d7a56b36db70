// RUN: mpt-opt %s --split-input-file --mpt-assign-precision --mpt-insert-casts | FileCheck %s

// CHECK-LABEL: func.func @tosa(
// CHECK: %[[ZP:.*]] = "tosa.const"() {{.*}} : () -> tensor<1xf16>
// CHECK: %[[M:.*]] = tosa.matmul %{{.*}}, %{{.*}}, %[[ZP]], %[[ZP]] {{.*}} -> tensor<1x8x8xf16>
// CHECK: %[[T:.*]] = tosa.tanh %[[M]] {{.*}} -> tensor<1x8x8xf16>
// CHECK: %[[N:.*]] = tosa.matmul %[[T]], {{.*}} -> tensor<1x8x8xf16>
// CHECK: %[[W:.*]] = mp.cast %[[N]]
// CHECK: tosa.exp %[[W]] {{.*}} -> tensor<1x8x8xf32>
func.func @tosa(%x: tensor<1x8x8xf32>, %w: tensor<1x8x8xf32>, %v: tensor<1x8x8xf32>) -> tensor<1x8x8xf32> {
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %0 = tosa.matmul %x, %w, %zp, %zp : (tensor<1x8x8xf32>, tensor<1x8x8xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x8x8xf32>
  %1 = tosa.tanh %0 : (tensor<1x8x8xf32>) -> tensor<1x8x8xf32>
  %2 = tosa.matmul %1, %v, %zp, %zp : (tensor<1x8x8xf32>, tensor<1x8x8xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x8x8xf32>
  %3 = tosa.exp %2 : (tensor<1x8x8xf32>) -> tensor<1x8x8xf32>
  return %3 : tensor<1x8x8xf32>
}

// -----

// CHECK-LABEL: func.func @conv(
// CHECK: tosa.conv2d {{.*}}acc_type = f32{{.*}} -> tensor<1x6x6x4xf16>
// CHECK: tosa.max_pool2d {{.*}} -> tensor<1x3x3x4xf16>
func.func @conv(%x: tensor<1x8x8x4xf32>, %w: tensor<4x3x3x4xf32>, %b: tensor<4xf32>) -> tensor<1x3x3x4xf32> {
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %0 = tosa.conv2d %x, %w, %b, %zp, %zp {acc_type = f32, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>} : (tensor<1x8x8x4xf32>, tensor<4x3x3x4xf32>, tensor<4xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x6x6x4xf32>
  %1 = tosa.max_pool2d %0 {kernel = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x6x6x4xf32>) -> tensor<1x3x3x4xf32>
  return %1 : tensor<1x3x3x4xf32>
}
