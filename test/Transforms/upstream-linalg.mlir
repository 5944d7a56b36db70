// RUN: mpt-opt %s --split-input-file --mpt-assign-precision --mpt-insert-casts | FileCheck %s
// RUN: mpt-opt %s --split-input-file --mpt-assign-precision --mpt-insert-casts > %t.once
// RUN: mpt-opt %t.once --split-input-file --mpt-assign-precision --mpt-insert-casts | diff %t.once -

// A convolution with a bias and a rectifier, all in linalg: named operations and a generic one.

// CHECK-LABEL: func.func @conv_block(
// CHECK-SAME: %[[X:.*]]: tensor<1x4x8x8xf32>, %[[F:.*]]: tensor<4x4x3x3xf32>, %[[G:.*]]: tensor<4x4x3x3xf32>, %[[B:.*]]: tensor<4xf32>)
// CHECK-DAG: %[[XH:.*]] = mp.cast %[[X]]
// CHECK-DAG: %[[FH:.*]] = mp.cast %[[F]]
// CHECK-DAG: %[[GH:.*]] = mp.cast %[[G]]
// CHECK-DAG: %[[BH:.*]] = mp.cast %[[B]]
// The accumulator stays FP32. A cast is needed in any case; in front of the generic operation it lets that move
// half the bytes. What is computed from nothing is made in the type that its reader wants.
// CHECK-COUNT-2: tensor.empty
// CHECK-NOT: mp.cast
// CHECK: %[[C:.*]] = linalg.conv_2d_nchw_fchw {{.*}}ins(%[[XH]], %[[FH]] : {{.*}}f16>) outs(%{{.*}} : tensor<1x4x6x6xf32>)
// CHECK: %[[CH:.*]] = mp.cast %[[C]]
// CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%[[CH]], %[[BH]] : tensor<1x4x6x6xf16>, tensor<4xf16>) outs(%{{.*}} : tensor<1x4x6x6xf16>)
// CHECK: linalg.conv_2d_nchw_fchw {{.*}}ins(%[[R]], %[[GH]] : {{.*}}f16>)
#id = affine_map<(n, c, h, w) -> (n, c, h, w)>
#channel = affine_map<(n, c, h, w) -> (c)>
func.func @conv_block(%x: tensor<1x4x8x8xf32>, %f: tensor<4x4x3x3xf32>, %g: tensor<4x4x3x3xf32>, %b: tensor<4xf32>) -> tensor<1x4x4x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<1x4x6x6xf32>
  %i0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32>
  %0 = linalg.conv_2d_nchw_fchw ins(%x, %f : tensor<1x4x8x8xf32>, tensor<4x4x3x3xf32>) outs(%i0 : tensor<1x4x6x6xf32>) -> tensor<1x4x6x6xf32>
  %1 = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%0, %b : tensor<1x4x6x6xf32>, tensor<4xf32>) outs(%e0 : tensor<1x4x6x6xf32>) {
  ^bb0(%v: f32, %bias: f32, %out: f32):
    %s = arith.addf %v, %bias : f32
    %r = arith.maximumf %s, %zero : f32
    linalg.yield %r : f32
  } -> tensor<1x4x6x6xf32>
  %e1 = tensor.empty() : tensor<1x4x4x4xf32>
  %i1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  %2 = linalg.conv_2d_nchw_fchw ins(%1, %g : tensor<1x4x6x6xf32>, tensor<4x4x3x3xf32>) outs(%i1 : tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  return %2 : tensor<1x4x4x4xf32>
}

// -----

// What a body does decides: an exponential stays FP32, a plain sum too, a maximum goes along.

// CHECK-LABEL: func.func @row_softmax(
// CHECK: linalg.matmul {{.*}}tensor<8x8xf16>, tensor<8x8xf16>) outs(%{{.*}} : tensor<8x8xf32>)
// CHECK: linalg.generic {{.*}}exponentials overflow FP16 early
// CHECK: math.exp %{{.*}} : f32
// CHECK: linalg.reduce {{.*}} outs(%{{.*}} : tensor<8xf32>) {{.*}}sums over many elements overflow FP16
// CHECK-NOT: mp.cast
#id2 = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @row_softmax(%a: tensor<8x8xf32>, %b: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<8x8xf32>
  %v = tensor.empty() : tensor<8xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %0 = linalg.matmul ins(%a, %b : tensor<8x8xf32>, tensor<8x8xf32>) outs(%i : tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%x: f32, %out: f32):
    %y = math.exp %x : f32
    linalg.yield %y : f32
  } -> tensor<8x8xf32>
  %s0 = linalg.fill ins(%zero : f32) outs(%v : tensor<8xf32>) -> tensor<8xf32>
  %2 = linalg.reduce ins(%1 : tensor<8x8xf32>) outs(%s0 : tensor<8xf32>) dimensions = [1]
      (%x: f32, %acc: f32) {
        %y = arith.addf %x, %acc : f32
        linalg.yield %y : f32
      }
  %3 = linalg.generic {indexing_maps = [#id2, #row, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%1, %2 : tensor<8x8xf32>, tensor<8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%x: f32, %d: f32, %out: f32):
    %y = arith.divf %x, %d : f32
    linalg.yield %y : f32
  } -> tensor<8x8xf32>
  return %3 : tensor<8x8xf32>
}

// -----

// A generic operation between two matrix products in 16 bits: its body still computes in FP32.

// CHECK-LABEL: func.func @scaled_tanh(
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<64x64xf16>) outs(%{{.*}} : tensor<64x64xf16>)
// CHECK: ^bb0(%[[IN:.*]]: f16, %{{.*}}: f16):
// CHECK: %[[W:.*]] = arith.extf %[[IN]] : f16 to f32
// CHECK: %[[T:.*]] = math.tanh %[[W]] : f32
// CHECK: %[[N:.*]] = arith.truncf %[[T]] : f32 to f16
// CHECK: linalg.yield %[[N]] : f16
#id3 = affine_map<(i, j) -> (i, j)>
func.func @scaled_tanh(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %0 = nn.matmul %x, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %e = tensor.empty() : tensor<64x64xf32>
  %1 = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<64x64xf32>) outs(%e : tensor<64x64xf32>) {
  ^bb0(%v: f32, %out: f32):
    %t = math.tanh %v : f32
    linalg.yield %t : f32
  } -> tensor<64x64xf32>
  %2 = nn.matmul %1, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %2 : tensor<64x64xf32>
}
