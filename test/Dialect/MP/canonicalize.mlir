// RUN: mpt-opt %s -canonicalize | FileCheck %s

// Widening and narrowing back is exact: the pair goes.
// CHECK-LABEL: func @widen_narrow
// CHECK-NEXT: return %arg0
func.func @widen_narrow(%x: tensor<4xf16>) -> tensor<4xf16> {
  %0 = mp.cast %x : tensor<4xf16> to tensor<4xf32>
  %1 = mp.cast %0 : tensor<4xf32> to tensor<4xf16>
  return %1 : tensor<4xf16>
}

// Narrowing and widening rounds: the pair stays.
// CHECK-LABEL: func @narrow_widen
// CHECK: mp.cast
// CHECK: mp.cast
func.func @narrow_widen(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = mp.cast %x : tensor<4xf32> to tensor<4xf16>
  %1 = mp.cast %0 : tensor<4xf16> to tensor<4xf32>
  return %1 : tensor<4xf32>
}

// BF16 has more range but less precision than FP16: no pair of these is exact.
// CHECK-LABEL: func @half_bfloat
// CHECK: mp.cast
// CHECK: mp.cast
func.func @half_bfloat(%x: tensor<4xf16>) -> tensor<4xf16> {
  %0 = mp.cast %x : tensor<4xf16> to tensor<4xbf16>
  %1 = mp.cast %0 : tensor<4xbf16> to tensor<4xf16>
  return %1 : tensor<4xf16>
}
