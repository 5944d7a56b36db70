// RUN: mpt-opt %s --split-input-file --mpt-assign-precision | FileCheck %s
// RUN: mpt-opt %s --split-input-file --mpt-assign-precision=ranges=false | FileCheck %s --check-prefix=OFF

// A softmax in parts: x - max(x) is at most 0, so its exponential is at most 1, whatever x is, and
// rounding x - max(x) to FP16 can only give -inf, whose exponential is 0. The other exponential may overflow.

// CHECK-LABEL: func.func @softmax
// CHECK: nn.exp {{.*}}low = true, "proved safe in 16 bits: its results lie in [0, 1] <- nn.matmul"
// CHECK: nn.exp {{.*}}low = false, "unsafe: exp overflows FP16 above 11.09"
// OFF-LABEL: func.func @softmax
// OFF-COUNT-2: nn.exp {{.*}}low = false, "unsafe: exp overflows FP16 above 11.09"
func.func @softmax(%x: tensor<64x64xf32>) -> (tensor<64x64xf32>, tensor<64x64xf32>) {
  %0 = nn.matmul %x, %x : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %max = nn.reduce_max %0 {axes = array<i64: 1>, keepdims = true} : (tensor<64x64xf32>) -> tensor<64x1xf32>
  %1 = nn.sub %0, %max : tensor<64x64xf32>, tensor<64x1xf32>
  %2 = nn.exp %1 : tensor<64x64xf32>
  %3 = nn.matmul %2, %x : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %4 = nn.exp %0 : tensor<64x64xf32>
  return %3, %4 : tensor<64x64xf32>, tensor<64x64xf32>
}

// -----

// Declared ranges: a reciprocal of something in [1, 8] is safe; of something in [1e-9, 8] it is not, since a
// number that becomes zero gives an infinity. Accuracy is no matter of ranges: a sine stays.

// CHECK-LABEL: func.func @declared
// CHECK: nn.reciprocal {{.*}}low = true, "proved safe in 16 bits: its results lie in [0.125{{[0-9]*}}, 1]
// CHECK: nn.reciprocal {{.*}}low = false, "unsafe: the reciprocal of a subnormal overflows FP16"
// CHECK: nn.sin {{.*}}low = false
// OFF-LABEL: func.func @declared
// OFF: nn.reciprocal {{.*}}low = false
func.func @declared(%x: tensor<64x64xf32> {mp.range = array<f64: 1.0, 8.0>}, %y: tensor<64x64xf32> {mp.range = array<f64: 1.0e-9, 8.0>})
    -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) {
  %0 = nn.reciprocal %x : tensor<64x64xf32>
  %1 = nn.matmul %0, %x : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %2 = nn.reciprocal %y : tensor<64x64xf32>
  %3 = nn.matmul %2, %x : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %4 = nn.sin %x : tensor<64x64xf32>
  %5 = nn.matmul %4, %x : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %1, %3, %5 : tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>
}
