// Reductions, normalizations, pooling and losses: sums in parts, one entry point per phase.
// RUN: rm -rf %t && mpt-opt %s --mpt-form-kernels --mpt-lower-to-gpu="dump-ptx=%t" -o %t.mlir
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: FileCheck %s --input-file=%t/kernel_1.ptx --check-prefix=NORM
// RUN: %python %S/Inputs/check_ptx.py %t --at-least 23

// 10 sums of 512 terms: 64 parts of 8.
// CHECK: gpu.binary @kernel_0
// CHECK-SAME: scratch_bytes = 2560 : i64
// CHECK-SAME: "kernel_0_0", {{.*}}work_items = 640 : i64
// CHECK-SAME: "kernel_0_1", {{.*}}work_items = 10 : i64
func.func @sum(%x: tensor<512x10xf16>) -> tensor<10xf32> {
  %0 = nn.reduce_sum %x {axes = array<i64: 0>} : (tensor<512x10xf16>) -> tensor<10xf32>
  return %0 : tensor<10xf32>
}
// CHECK: gpu.binary @kernel_1
// CHECK-SAME: "kernel_1_0", {{.*}}work_items = 2048 : i64
// CHECK-SAME: "kernel_1_3", {{.*}}work_items = 8 : i64
// CHECK-SAME: "kernel_1_4", {{.*}}work_items = 401408 : i64
// NORM: .visible .entry kernel_1_0(
// NORM: .visible .entry kernel_1_1(
// NORM: .visible .entry kernel_1_2(
// NORM: .visible .entry kernel_1_3(
// NORM: sqrt.rn.f32
// NORM: .visible .entry kernel_1_4(
// NORM-NOT: .entry
func.func @batch_norm(%x: tensor<64x8x28x28xf16>, %s: tensor<8xf32>) -> tensor<64x8x28x28xf16> {
  %0:5 = nn.batch_norm_training %x, %s, %s, %s, %s
    : (tensor<64x8x28x28xf16>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>)
    -> (tensor<64x8x28x28xf16>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>)
  return %0#0 : tensor<64x8x28x28xf16>
}
func.func @batch_norm_inference(%x: tensor<64x8x28x28xf16>, %s: tensor<8xf32>) -> tensor<64x8x28x28xf16> {
  %0 = nn.batch_norm_inference %x, %s, %s, %s, %s
    : (tensor<64x8x28x28xf16>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<64x8x28x28xf16>
  return %0 : tensor<64x8x28x28xf16>
}
func.func @batch_norm_grad(%x: tensor<64x8xf16>, %s: tensor<8xf32>) -> tensor<64x8xf16> {
  %0:3 = nn.batch_norm_grad %x, %x, %s, %s, %s
    : (tensor<64x8xf16>, tensor<64x8xf16>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>)
    -> (tensor<64x8xf16>, tensor<8xf32>, tensor<8xf32>)
  return %0#0 : tensor<64x8xf16>
}
func.func @reductions(%x: tensor<4x5x6xf32>, %i: tensor<4x5xi64>) -> (tensor<4x6xf32>, tensor<f32>, tensor<4x5xf32>, tensor<4x5x6xf32>, tensor<4xi64>) {
  %0 = nn.reduce_max %x {axes = array<i64: 1>} : (tensor<4x5x6xf32>) -> tensor<4x6xf32>
  %1 = nn.reduce_mean %x {axes = array<i64: 0, 1, 2>} : (tensor<4x5x6xf32>) -> tensor<f32>
  %2 = nn.reduce_min %x {axes = array<i64: 2>} : (tensor<4x5x6xf32>) -> tensor<4x5xf32>
  %3 = nn.reduce_prod %x {axes = array<i64>} : (tensor<4x5x6xf32>) -> tensor<4x5x6xf32>
  %4 = nn.reduce_sum %i {axes = array<i64: 1>} : (tensor<4x5xi64>) -> tensor<4xi64>
  return %0, %1, %2, %3, %4 : tensor<4x6xf32>, tensor<f32>, tensor<4x5xf32>, tensor<4x5x6xf32>, tensor<4xi64>
}
func.func @pools(%x: tensor<2x3x9x9xf16>) -> (tensor<2x3x9x9xf16>, tensor<2x3x9x9xf16>) {
  %0:2 = nn.max_pool %x {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>,
    dilations = array<i64: 1, 1>} : (tensor<2x3x9x9xf16>) -> (tensor<2x3x5x5xf16>, tensor<2x3x5x5xi8>)
  %1 = nn.max_pool_grad %0#0, %0#1 {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>,
    dilations = array<i64: 1, 1>} : (tensor<2x3x5x5xf16>, tensor<2x3x5x5xi8>) -> tensor<2x3x9x9xf16>
  %2 = nn.avg_pool %x {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>,
    dilations = array<i64: 1, 1>} : (tensor<2x3x9x9xf16>) -> tensor<2x3x5x5xf16>
  %3 = nn.avg_pool_grad %2 {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>,
    dilations = array<i64: 1, 1>} : (tensor<2x3x5x5xf16>) -> tensor<2x3x9x9xf16>
  return %1, %3 : tensor<2x3x9x9xf16>, tensor<2x3x9x9xf16>
}
func.func @losses(%x: tensor<64x10xf32>, %l: tensor<64xi64>, %w: tensor<10xf32>, %d: tensor<f32>) -> (tensor<f32>, tensor<64x10xf32>, tensor<f32>) {
  %0:2 = nn.softmax_cross_entropy %x, %l weights %w {axis = 1 : i64, ignore_index = -100 : i64}
    : (tensor<64x10xf32>, tensor<64xi64>, tensor<10xf32>) -> (tensor<f32>, tensor<64x10xf32>)
  %1 = nn.softmax_cross_entropy_grad %d, %0#1, %l weights %w {axis = 1 : i64, ignore_index = -100 : i64}
    : (tensor<f32>, tensor<64x10xf32>, tensor<64xi64>, tensor<10xf32>) -> tensor<64x10xf32>
  %2 = nn.mse_loss %x, %1 : (tensor<64x10xf32>, tensor<64x10xf32>) -> tensor<f32>
  return %0#0, %1, %2 : tensor<f32>, tensor<64x10xf32>, tensor<f32>
}
func.func @finite(%x: tensor<64x10xf32>, %y: tensor<1000xf16>) -> tensor<i64> {
  %finite, %first = mp.all_finite %x, %y : tensor<64x10xf32>, tensor<1000xf16>
  return %first : tensor<i64>
}
// One row per thread.
func.func @rows(%x: tensor<6x33xf16>, %s: tensor<33xf32>) -> (tensor<6x33xf16>, tensor<33xf32>, tensor<6x33xf16>) {
  %0:3 = nn.layer_norm %x, %s, %s {axis = 1 : i64}
    : (tensor<6x33xf16>, tensor<33xf32>, tensor<33xf32>) -> (tensor<6x33xf16>, tensor<6x1xf32>, tensor<6x1xf32>)
  %1:3 = nn.layer_norm_grad %0#0, %x, %s, %0#1, %0#2 {axis = 1 : i64}
    : (tensor<6x33xf16>, tensor<6x33xf16>, tensor<33xf32>, tensor<6x1xf32>, tensor<6x1xf32>)
    -> (tensor<6x33xf16>, tensor<33xf32>, tensor<33xf32>)
  %2:2 = nn.rms_norm %1#0, %s {axis = 1 : i64} : (tensor<6x33xf16>, tensor<33xf32>) -> (tensor<6x33xf16>, tensor<6x1xf32>)
  return %2#0, %1#1, %0#0 : tensor<6x33xf16>, tensor<33xf32>, tensor<6x33xf16>
}
func.func @softmax(%x: tensor<6x33xf16>, %y: tensor<4x5x6xf32>) -> (tensor<6x33xf16>, tensor<4x5x6xf32>) {
  %0 = nn.softmax %x {axis = 1 : i64} : tensor<6x33xf16>
  %1 = nn.softmax_grad %0, %x {axis = 1 : i64} : tensor<6x33xf16>
  %2 = nn.log_softmax %y {axis = 1 : i64} : tensor<4x5x6xf32>
  %3 = nn.log_softmax_grad %2, %y {axis = 1 : i64} : tensor<4x5x6xf32>
  return %1, %3 : tensor<6x33xf16>, tensor<4x5x6xf32>
}
