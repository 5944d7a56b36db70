// RUN: mpt-opt %s --mpt-normalize-masks | FileCheck %s
// RUN: mpt-opt %s --mpt-normalize-masks --mpt-normalize-masks | FileCheck %s
// RUN: mpt-opt %s --mpt-normalize-masks --mpt-assign-precision | FileCheck %s --check-prefix=LOW

// A causal mask: every row keeps an element.

// CHECK-LABEL: func.func @causal(
// CHECK: nn.constant dense<{{\[\[}}0.000000e+00, 0xFF800000], [0.000000e+00, 0.000000e+00]]> : tensor<2x2xf32>
// CHECK-NOT: nn.constant
// LOW-LABEL: func.func @causal(
// LOW: nn.add {{.*}}low = true
// LOW: nn.softmax {{.*}}low = true
func.func @causal(%x: tensor<3x2x2xf32>) -> tensor<3x2x2xf32> {
  %c = nn.constant dense<[[0.0, -3.40282347E+38], [0.0, 0.0]]> : tensor<2x2xf32>
  %s = nn.matmul %x, %x : (tensor<3x2x2xf32>, tensor<3x2x2xf32>) -> tensor<3x2x2xf32>
  %0 = nn.add %s, %c : tensor<3x2x2xf32>, tensor<2x2xf32>
  %1 = nn.softmax %0 {axis = 2} : tensor<3x2x2xf32>
  %2 = nn.matmul %1, %x : (tensor<3x2x2xf32>, tensor<3x2x2xf32>) -> tensor<3x2x2xf32>
  return %2 : tensor<3x2x2xf32>
}

// The second column is masked completely, and the softmax runs along columns. What reads the mask
// stays FP32 up to the softmax.

// CHECK-LABEL: func.func @masked_row(
// CHECK: nn.constant dense<{{\[\[}}0.000000e+00, -3.40282347E+38], [0.000000e+00, -9.99999968E+37]]> : tensor<2x2xf32>
// LOW-LABEL: func.func @masked_row(
// LOW: nn.matmul {{.*}}low = true
// LOW: nn.add {{.*}}low = false, "unsafe: a constant operand overflows the low type"
// LOW: nn.softmax {{.*}}low = false, "unsafe: reads a masking value that overflows the low type"
// LOW: nn.matmul {{.*}}low = true
func.func @masked_row(%x: tensor<3x2x2xf32>) -> tensor<3x2x2xf32> {
  %c = nn.constant dense<[[0.0, -3.40282347E+38], [0.0, -1.0E+38]]> : tensor<2x2xf32>
  %s = nn.matmul %x, %x : (tensor<3x2x2xf32>, tensor<3x2x2xf32>) -> tensor<3x2x2xf32>
  %0 = nn.add %s, %c : tensor<3x2x2xf32>, tensor<2x2xf32>
  %1 = nn.softmax %0 {axis = 1} : tensor<3x2x2xf32>
  %2 = nn.matmul %1, %x : (tensor<3x2x2xf32>, tensor<3x2x2xf32>) -> tensor<3x2x2xf32>
  return %2 : tensor<3x2x2xf32>
}

// Read by something else than a softmax; the same for each element of a row.

// CHECK-LABEL: func.func @others(
// CHECK-COUNT-2: nn.constant {{.*}}-3.40282347E+38
func.func @others(%x: tensor<2x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>) {
  %c = nn.constant dense<[[0.0, -3.40282347E+38], [0.0, 0.0]]> : tensor<2x2xf32>
  %0 = nn.add %x, %c : tensor<2x2xf32>, tensor<2x2xf32>
  %1 = nn.softmax %0 {axis = 1} : tensor<2x2xf32>
  %d = nn.constant dense<[[0.0], [-3.40282347E+38]]> : tensor<2x1xf32>
  %2 = nn.add %x, %d : tensor<2x2xf32>, tensor<2x1xf32>
  %3 = nn.softmax %2 {axis = 1} : tensor<2x2xf32>
  return %0, %1, %3 : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>
}
