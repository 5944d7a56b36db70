// Contractions on a GPU: a thread per result, FP32 accumulation in fused multiply-adds, no memory per thread. The
// filter gradient is cut along the batch into two phases.
// RUN: rm -rf %t && mpt-opt %s --mpt-form-kernels --mpt-lower-to-gpu="dump-ptx=%t" -o %t.mlir
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: FileCheck %s --input-file=%t/kernel_0.ptx --check-prefix=MATMUL
// RUN: FileCheck %s --input-file=%t/kernel_3.ptx --check-prefix=GRAD
// RUN: %python %S/Inputs/check_ptx.py %t --at-least 6

// CHECK: gpu.binary @kernel_0
// CHECK-SAME: "kernel_0_0", (!llvm.ptr, !llvm.ptr, !llvm.ptr) -> ()
// CHECK-SAME: work_items = 640 : i64
// MATMUL: // contraction matmul tensor<64x10xf32>
// MATMUL: ld.global{{(.nc)?}}.b16
// MATMUL: fma.rn.f32
// MATMUL-NOT: .local
func.func @matmul(%a: tensor<64x288xf16>, %b: tensor<10x288xf16>) -> tensor<64x10xf32> {
  %0 = nn.matmul %a, %b {transpose_rhs = true} : (tensor<64x288xf16>, tensor<10x288xf16>) -> tensor<64x10xf32>
  return %0 : tensor<64x10xf32>
}
func.func @conv(%x: tensor<2x4x9x8xf16>, %w: tensor<6x2x3x3xf16>, %b: tensor<6xf16>) -> tensor<2x6x5x4xf16> {
  %0 = nn.conv %x, %w bias %b {strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>,
    dilations = array<i64: 1, 1>, group = 2 : i64} : (tensor<2x4x9x8xf16>, tensor<6x2x3x3xf16>, tensor<6xf16>) -> tensor<2x6x5x4xf16>
  return %0 : tensor<2x6x5x4xf16>
}
func.func @conv_transpose(%y: tensor<2x6x5x4xf16>, %w: tensor<6x2x3x3xf16>) -> tensor<2x4x9x8xf16> {
  %0 = nn.conv_transpose %y, %w {strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>,
    dilations = array<i64: 1, 1>, group = 2 : i64} : (tensor<2x6x5x4xf16>, tensor<6x2x3x3xf16>) -> tensor<2x4x9x8xf16>
  return %0 : tensor<2x4x9x8xf16>
}
// 108 results, 2 images: 216 partial sums.
// CHECK: gpu.binary @kernel_3
// CHECK-SAME: scratch_bytes = 864 : i64
// CHECK-SAME: "kernel_3_0", (!llvm.ptr, !llvm.ptr, !llvm.ptr, !llvm.ptr) -> (), {{.*}}work_items = 216 : i64
// CHECK-SAME: "kernel_3_1", {{.*}}work_items = 108 : i64
// GRAD: .visible .entry kernel_3_0(
// GRAD: .visible .entry kernel_3_1(
// GRAD-NOT: .entry
func.func @conv_filter_grad(%x: tensor<2x4x9x8xf16>, %dy: tensor<2x6x5x4xf16>) -> tensor<6x2x3x3xf32> {
  %0 = nn.conv_filter_grad %x, %dy {strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>,
    dilations = array<i64: 1, 1>, group = 2 : i64} : (tensor<2x4x9x8xf16>, tensor<2x6x5x4xf16>) -> tensor<6x2x3x3xf32>
  return %0 : tensor<6x2x3x3xf32>
}
func.func @conv1d(%x: tensor<2x3x16xbf16>, %w: tensor<5x3x4xbf16>) -> tensor<2x5x13xbf16> {
  %0 = nn.conv %x, %w {strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}
    : (tensor<2x3x16xbf16>, tensor<5x3x4xbf16>) -> tensor<2x5x13xbf16>
  return %0 : tensor<2x5x13xbf16>
}
func.func @batched(%a: tensor<4x1x8x16xf64>, %b: tensor<3x16x5xf64>) -> tensor<4x3x8x5xf64> {
  %0 = nn.matmul %a, %b : (tensor<4x1x8x16xf64>, tensor<3x16x5xf64>) -> tensor<4x3x8x5xf64>
  return %0 : tensor<4x3x8x5xf64>
}
