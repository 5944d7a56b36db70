// linalg in the stock mlir-opt: named operations, and the same function after the stock pass that makes them generic.
// RUN: mlir-opt --load-dialect-plugin=%mpt_plugin --load-pass-plugin=%mpt_plugin %s \
// RUN:   --pass-pipeline='builtin.module(func.func(mpt-assign-precision,mpt-insert-casts))' | FileCheck %s
// RUN: mlir-opt --load-dialect-plugin=%mpt_plugin --load-pass-plugin=%mpt_plugin %s \
// RUN:   --pass-pipeline='builtin.module(func.func(linalg-generalize-named-ops,mpt-assign-precision,mpt-insert-casts))' \
// RUN:   | FileCheck %s --check-prefix=GENERIC
// RUN: mlir-opt --load-dialect-plugin=%mpt_plugin --load-pass-plugin=%mpt_plugin %s \
// RUN:   --pass-pipeline='builtin.module(func.func(mpt-assign-precision{fp32-ops=second},mpt-insert-casts))' \
// RUN:   | FileCheck %s --check-prefix=PINNED

// The product is in 16 bits and sums in FP32; bias and rectifier go along; what the body computes stays FP32 inside; an
// exponential is FP32.

// CHECK-LABEL: func.func @layers(
// CHECK: %[[M:.*]] = linalg.matmul {{.*}}low = true{{.*}} ins(%{{.*}}, %{{.*}} : tensor<64x64xf16>, tensor<64x64xf16>) outs(%{{.*}} : tensor<64x64xf32>)
// CHECK: %[[MH:.*]] = mp.cast %[[M]] : tensor<64x64xf32> to tensor<64x64xf16>
// CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%[[MH]], %{{.*}} : tensor<64x64xf16>, tensor<64xf16>) outs(%{{.*}} : tensor<64x64xf16>)
// CHECK: arith.extf {{.*}} : f16 to f32
// CHECK: arith.maximumf {{.*}} : f32
// CHECK: arith.truncf {{.*}} : f32 to f16
// CHECK: %[[S:.*]] = linalg.matmul {{.*}} ins(%[[R]], %{{.*}} : tensor<64x64xf16>, tensor<64x64xf16>) outs(%{{.*}} : tensor<64x64xf32>)
// CHECK: linalg.exp {{.*}}low = false, "unsafe: exponentials overflow FP16 early"{{.*}} ins(%[[S]] : tensor<64x64xf32>)

// GENERIC-LABEL: func.func @layers(
// GENERIC: linalg.generic {{.*}}"reduction"]} ins(%{{.*}}, %{{.*}} : tensor<64x64xf16>, tensor<64x64xf16>) outs(%{{.*}} : tensor<64x64xf32>)
// GENERIC: arith.extf {{.*}} : f16 to f32
// GENERIC: arith.mulf {{.*}} : f32
// GENERIC: arith.addf {{.*}} : f32
// GENERIC: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<64x64xf16>, tensor<64xf16>) outs(%{{.*}} : tensor<64x64xf16>)
// GENERIC: linalg.generic {{.*}}"reduction"]} ins(%{{.*}}, %{{.*}} : tensor<64x64xf16>, tensor<64x64xf16>) outs(%{{.*}} : tensor<64x64xf32>)
// GENERIC: linalg.generic {{.*}} ins(%{{.*}} : tensor<64x64xf32>) outs(%{{.*}} : tensor<64x64xf32>) {{.*}}exponentials overflow FP16 early

// A name from the location works as the name of a node does.
// PINNED-LABEL: func.func @layers(
// PINNED: linalg.matmul {{.*}}low = true
// PINNED: linalg.matmul {{.*}}low = false, "the user wants 'second' in FP32"{{.*}} ins(%{{.*}}, %{{.*}} : tensor<64x64xf32>, tensor<64x64xf32>)
#id = affine_map<(i, j) -> (i, j)>
#column = affine_map<(i, j) -> (j)>
func.func @layers(%x: tensor<64x64xf32>, %v: tensor<64x64xf32>, %w: tensor<64x64xf32>, %b: tensor<64xf32>) -> tensor<64x64xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64x64xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<64x64xf32>) -> tensor<64x64xf32>
  %0 = linalg.matmul ins(%x, %v : tensor<64x64xf32>, tensor<64x64xf32>) outs(%i : tensor<64x64xf32>) -> tensor<64x64xf32> loc("first")
  %1 = linalg.generic {indexing_maps = [#id, #column, #id], iterator_types = ["parallel", "parallel"]}
      ins(%0, %b : tensor<64x64xf32>, tensor<64xf32>) outs(%e : tensor<64x64xf32>) {
  ^bb0(%a: f32, %bias: f32, %out: f32):
    %s = arith.addf %a, %bias : f32
    %r = arith.maximumf %s, %zero : f32
    linalg.yield %r : f32
  } -> tensor<64x64xf32>
  %2 = linalg.matmul ins(%1, %w : tensor<64x64xf32>, tensor<64x64xf32>) outs(%i : tensor<64x64xf32>) -> tensor<64x64xf32> loc("second")
  %3 = linalg.exp ins(%2 : tensor<64x64xf32>) outs(%e : tensor<64x64xf32>) -> tensor<64x64xf32>
  return %3 : tensor<64x64xf32>
}
