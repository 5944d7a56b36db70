// The dialects and passes of MPT inside the stock mlir-opt.
// RUN: mlir-opt --load-dialect-plugin=%mpt_plugin --load-pass-plugin=%mpt_plugin %s \
// RUN:   --pass-pipeline='builtin.module(func.func(mpt-assign-precision{low=bf16},mpt-insert-casts),canonicalize)' \
// RUN:   | FileCheck %s
// RUN: mlir-opt --load-dialect-plugin=%mpt_plugin --load-pass-plugin=%mpt_plugin %s \
// RUN:   --pass-pipeline='builtin.module(mpt-mixed-precision)' | FileCheck %s --check-prefix=PIPELINE

// CHECK-LABEL: func.func @both(
// CHECK: nn.matmul {{.*}} (tensor<8x8xbf16>, tensor<8x8xbf16>) -> tensor<8x8xbf16>
// CHECK: arith.negf %{{.*}} : tensor<8x8xbf16>
// CHECK: nn.matmul {{.*}} -> tensor<8x8xf32>
// PIPELINE: nn.matmul {{.*}} -> tensor<8x8xf16>
// PIPELINE: nn.matmul {{.*}} -> tensor<8x8xf16>
func.func @both(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = nn.matmul %x, %x : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = arith.negf %0 : tensor<8x8xf32>
  %2 = nn.matmul %1, %x : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  return %2 : tensor<8x8xf32>
}
