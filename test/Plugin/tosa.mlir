// TOSA in the stock mlir-opt, from the passes to what the stock passes make of the result.
// RUN: mlir-opt --load-dialect-plugin=%mpt_plugin --load-pass-plugin=%mpt_plugin %s \
// RUN:   --pass-pipeline='builtin.module(func.func(mpt-assign-precision,mpt-insert-casts))' > %t.mlir
// RUN: FileCheck %s < %t.mlir
// Twice is once; stock passes go on with it.
// RUN: mlir-opt --load-dialect-plugin=%mpt_plugin --load-pass-plugin=%mpt_plugin %t.mlir \
// RUN:   --pass-pipeline='builtin.module(func.func(mpt-assign-precision,mpt-insert-casts))' | diff %t.mlir -
// RUN: mlir-opt --load-dialect-plugin=%mpt_plugin --load-pass-plugin=%mpt_plugin %t.mlir \
// RUN:   --pass-pipeline='builtin.module(func.func(tosa-to-linalg-named,tosa-to-linalg))' | FileCheck %s --check-prefix=LINALG

// CHECK-LABEL: func.func @attention(
// CHECK: tosa.matmul {{.*}}low = true{{.*}} -> tensor<1x64x64xf16>
// CHECK: tosa.add {{.*}}low = true{{.*}} -> tensor<1x64x64xf16>
// CHECK: tosa.reduce_max {{.*}} -> tensor<1x64x1xf16>
// CHECK: tosa.exp {{.*}}low = false, "unsafe: exponentials overflow FP16 early"{{.*}} -> tensor<1x64x64xf32>
// CHECK: tosa.reduce_sum {{.*}}low = false{{.*}} -> tensor<1x64x1xf32>
// CHECK: tosa.matmul {{.*}}low = true
// LINALG-LABEL: func.func @attention(
// LINALG: linalg.batch_matmul ins(%{{.*}}, %{{.*}} : tensor<1x64x64xf16>, tensor<1x64x64xf16>)
// LINALG: math.exp %{{.*}} : f32
// LINALG: linalg.batch_matmul ins(%{{.*}}, %{{.*}} : tensor<1x64x64xf16>, tensor<1x64x64xf16>)
func.func @attention(%q: tensor<1x64x64xf32>, %k: tensor<1x64x64xf32>, %v: tensor<1x64x64xf32>, %bias: tensor<1x64x64xf32>) -> tensor<1x64x64xf32> {
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.matmul %q, %k, %zp, %zp : (tensor<1x64x64xf32>, tensor<1x64x64xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x64x64xf32>
  %1 = tosa.add %0, %bias : (tensor<1x64x64xf32>, tensor<1x64x64xf32>) -> tensor<1x64x64xf32>
  %2 = tosa.reduce_max %1 {axis = 2 : i32} : (tensor<1x64x64xf32>) -> tensor<1x64x1xf32>
  %3 = tosa.sub %1, %2 : (tensor<1x64x64xf32>, tensor<1x64x1xf32>) -> tensor<1x64x64xf32>
  %4 = tosa.exp %3 : (tensor<1x64x64xf32>) -> tensor<1x64x64xf32>
  %5 = tosa.reduce_sum %4 {axis = 2 : i32} : (tensor<1x64x64xf32>) -> tensor<1x64x1xf32>
  %6 = tosa.reciprocal %5 : (tensor<1x64x1xf32>) -> tensor<1x64x1xf32>
  %7 = tosa.mul %4, %6, %shift : (tensor<1x64x64xf32>, tensor<1x64x1xf32>, tensor<1xi8>) -> tensor<1x64x64xf32>
  %8 = tosa.matmul %7, %v, %zp, %zp : (tensor<1x64x64xf32>, tensor<1x64x64xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x64x64xf32>
  return %8 : tensor<1x64x64xf32>
}
