// Data movement, and the training operations with uniform scalars (f64 arithmetic on the step count, no library).
// RUN: rm -rf %t && mpt-opt %s --mpt-form-kernels --mpt-lower-to-gpu="dump-ptx=%t" -o %t.mlir
// RUN: %python %S/Inputs/check_ptx.py %t --at-least 4
// RUN: FileCheck %s --input-file=%t.mlir

// CHECK: gpu.binary @kernel_0
// CHECK: gpu.binary @kernel_3
func.func @transpose(%x: tensor<2x3x4xf16>) -> tensor<4x2x3xf16> {
  %0 = nn.transpose %x {permutation = array<i64: 2, 0, 1>} : tensor<2x3x4xf16>
  return %0 : tensor<4x2x3xf16>
}
func.func @concat(%x: tensor<2x4xf32>, %y: tensor<3x4xf32>) -> tensor<5x4xf32> {
  %0 = nn.concat %x, %y {axis = 0 : i64} : tensor<2x4xf32>, tensor<3x4xf32>
  return %0 : tensor<5x4xf32>
}
func.func @slice(%x: tensor<8xf32>) -> tensor<3xf32> {
  %0 = nn.slice %x {starts = array<i64: 1>, steps = array<i64: 2>} : tensor<8xf32> to tensor<3xf32>
  return %0 : tensor<3xf32>
}
func.func @gather(%x: tensor<7x5xf16>, %i: tensor<3xi64>) -> tensor<3x5xf16> {
  %0 = nn.gather %x, %i {axis = 0 : i64} : tensor<7x5xf16>, tensor<3xi64>
  return %0 : tensor<3x5xf16>
}
