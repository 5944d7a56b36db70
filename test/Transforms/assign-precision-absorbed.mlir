// RUN: mpt-opt %s --split-input-file --mpt-assign-precision | FileCheck %s

// The tanh form of gelu. Where x^3 leaves FP16, above 40, tanh is 1 for the infinity as for the number; below 0.04 the cube
// vanishes beside x.

// CHECK-LABEL: func.func @gelu
// CHECK: nn.pow {{.*}}low = true, "proved safe in 16 bits: an overflow is absorbed by nn.tanh <- nn.
// CHECK: nn.tanh {{.*}}low = true
func.func @gelu(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %three = nn.constant dense<3.0> : tensor<f32>
  %a = nn.constant dense<0.044715> : tensor<f32>
  %b = nn.constant dense<0.797884583> : tensor<f32>
  %one = nn.constant dense<1.0> : tensor<f32>
  %0 = nn.matmul %x, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %1 = nn.pow %0, %three : tensor<64x64xf32>, tensor<f32>
  %2 = nn.mul %1, %a : tensor<64x64xf32>, tensor<f32>
  %3 = nn.add %0, %2 : tensor<64x64xf32>, tensor<64x64xf32>
  %4 = nn.mul %3, %b : tensor<64x64xf32>, tensor<f32>
  %5 = nn.tanh %4 : tensor<64x64xf32>
  %6 = nn.add %5, %one : tensor<64x64xf32>, tensor<f32>
  %7 = nn.mul %6, %0 : tensor<64x64xf32>, tensor<64x64xf32>
  %8 = nn.matmul %7, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %8 : tensor<64x64xf32>
}

// -----

// Not absorbed: tanh does not saturate where it is scaled down, a difference of powers is a NaN for two infinities, a factor
// makes the error of a small power large, and here something else reads the power.

// CHECK-LABEL: func.func @not_absorbed
// CHECK-COUNT-4: nn.pow {{.*}}low = false, "unsafe: powers overflow and underflow FP16"
func.func @not_absorbed(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> (tensor<64x64xf32>, tensor<64x64xf32>) {
  %two = nn.constant dense<2.0> : tensor<f32>
  %three = nn.constant dense<3.0> : tensor<f32>
  %small = nn.constant dense<1.0e-5> : tensor<f32>
  %large = nn.constant dense<1.0e+4> : tensor<f32>
  %0 = nn.matmul %x, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %1 = nn.pow %0, %three : tensor<64x64xf32>, tensor<f32>
  %2 = nn.mul %1, %small : tensor<64x64xf32>, tensor<f32>
  %3 = nn.tanh %2 : tensor<64x64xf32>
  %4 = nn.matmul %3, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %5 = nn.pow %4, %three : tensor<64x64xf32>, tensor<f32>
  %6 = nn.sub %5, %1 : tensor<64x64xf32>, tensor<64x64xf32>
  %7 = nn.tanh %6 : tensor<64x64xf32>
  %8 = nn.matmul %7, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %9 = nn.pow %8, %two : tensor<64x64xf32>, tensor<f32>
  %10 = nn.mul %9, %large : tensor<64x64xf32>, tensor<f32>
  %11 = nn.tanh %10 : tensor<64x64xf32>
  %12 = nn.matmul %11, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %13 = nn.pow %12, %three : tensor<64x64xf32>, tensor<f32>
  %14 = nn.tanh %13 : tensor<64x64xf32>
  %15 = nn.matmul %14, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %13, %15 : tensor<64x64xf32>, tensor<64x64xf32>
}
