// RUN: mpt-opt %s -canonicalize | FileCheck %s

// CHECK-LABEL: func @reshape_of_reshape
// CHECK-NEXT: %[[R:.*]] = nn.reshape %arg0 : tensor<2x6xf32> to tensor<12xf32>
// CHECK-NEXT: return %[[R]]
func.func @reshape_of_reshape(%x: tensor<2x6xf32>) -> tensor<12xf32> {
  %0 = nn.reshape %x : tensor<2x6xf32> to tensor<3x4xf32>
  %1 = nn.reshape %0 : tensor<3x4xf32> to tensor<12xf32>
  return %1 : tensor<12xf32>
}

// CHECK-LABEL: func @reshape_back
// CHECK-NEXT: return %arg0
func.func @reshape_back(%x: tensor<2x6xf32>) -> tensor<2x6xf32> {
  %0 = nn.reshape %x : tensor<2x6xf32> to tensor<3x4xf32>
  %1 = nn.reshape %0 : tensor<3x4xf32> to tensor<2x6xf32>
  return %1 : tensor<2x6xf32>
}

// CHECK-LABEL: func @transpose_back
// CHECK-NEXT: return %arg0
func.func @transpose_back(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %0 = nn.transpose %x {permutation = array<i64: 2, 0, 1>} : tensor<2x3x4xf32>
  %1 = nn.transpose %0 {permutation = array<i64: 1, 2, 0>} : tensor<4x2x3xf32>
  return %1 : tensor<2x3x4xf32>
}

// CHECK-LABEL: func @expand_to_itself
// CHECK-NEXT: return %arg0
func.func @expand_to_itself(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = nn.expand %x : tensor<2xf32> to tensor<2xf32>
  return %0 : tensor<2xf32>
}

// A user's cast that changes the type stays, whatever surrounds it.
// CHECK-LABEL: func @user_casts_stay
// CHECK: nn.cast
// CHECK: nn.cast
func.func @user_casts_stay(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = nn.cast %x : tensor<2xf32> to tensor<2xf16>
  %1 = nn.cast %0 : tensor<2xf16> to tensor<2xf32>
  return %1 : tensor<2xf32>
}
