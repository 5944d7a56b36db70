// RUN: mpt-opt %s | mpt-opt | FileCheck %s
// RUN: mpt-opt %s --emit-bytecode | mpt-opt | FileCheck %s
// RUN: mpt-opt %s --mlir-print-op-generic | mpt-opt | FileCheck %s

// CHECK-LABEL: func @step
// CHECK-SAME: mp.name = "w", mp.role = #mp.role<parameter>
func.func @step(%w: tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"}, %s: tensor<f32>, %n: tensor<i64>) -> tensor<4xf32> {
  // CHECK: mp.cast %{{.*}} : tensor<4xf32> to tensor<4xf16>
  %0 = mp.cast %w : tensor<4xf32> to tensor<4xf16>
  // CHECK: mp.loss_seed : tensor<f32>
  %1 = mp.loss_seed : tensor<f32>
  // CHECK: mp.scale %{{.*}} by %{{.*}} : tensor<f32>, tensor<f32>
  %2 = mp.scale %1 by %s : tensor<f32>, tensor<f32>
  // CHECK: mp.gradient %{{.*}} of "w" : tensor<4xf32>
  %3 = mp.gradient %w of "w" : tensor<4xf32>
  // CHECK: mp.unscale %{{.*}} of "w" by %{{.*}} : tensor<4xf32>, tensor<f32>
  %4 = mp.unscale %3 of "w" by %s : tensor<4xf32>, tensor<f32>
  // CHECK: mp.all_finite %{{.*}}, %{{.*}} : tensor<4xf32>, tensor<f32>
  %finite, %first = mp.all_finite %3, %2 : tensor<4xf32>, tensor<f32>
  // CHECK: mp.update_scale %{{.*}}, %{{.*}}, %{{.*}} if %{{.*}} {growthInterval = 100 : i64} : tensor<f32>
  %5:3 = mp.update_scale %s, %n, %n if %finite {growthInterval = 100 : i64} : tensor<f32>
  // CHECK: mp.update %{{.*}} to %{{.*}} : tensor<4xf32>
  %6 = mp.update %w to %4 : tensor<4xf32>
  // CHECK: mp.update %{{.*}} to %{{.*}} if %{{.*}} {mp.decision = #mp.decision<f16, low = false, "optimizer">} : tensor<4xf32>
  %7 = mp.update %w to %4 if %finite {mp.decision = #mp.decision<f16, low = false, "optimizer">} : tensor<4xf32>
  return %7 : tensor<4xf32>
}
