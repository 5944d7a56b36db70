// What is FP32 for what stands around it, also where a preset lets its type be 16 bits wide.
// RUN: mpt-opt %s --split-input-file --mpt-assign-precision=policy=aggressive | FileCheck %s
// RUN: mpt-opt %s --split-input-file --mpt-assign-precision | FileCheck %s
// RUN: mpt-opt %s --split-input-file --mpt-assign-precision="policy=aggressive low=bf16" | FileCheck %s --check-prefix=BF16

// An epsilon that vanishes, under a root: it stands for values of its size, so the squares, their mean and the root are
// FP32. The root of 1e-12 is a number of FP16: the division may be low again. BF16 holds all of it.

// CHECK-LABEL: func.func @root_mean_square
// CHECK: nn.mul {{.*}}low = false, "unsafe: around an epsilon that vanishes in the low type"
// CHECK: nn.reduce_mean {{.*}}low = false, "unsafe: around an epsilon that vanishes in the low type"
// CHECK: nn.add {{.*}}low = false, "unsafe: a constant operand vanishes in the low type"
// CHECK: nn.sqrt {{.*}}low = false, "unsafe:
// CHECK: nn.div {{.*}}low = true
// BF16-LABEL: func.func @root_mean_square
// BF16-NOT: low = false
// BF16: return
func.func @root_mean_square(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %eps = nn.constant dense<1.0e-12> : tensor<f32>
  %0 = nn.matmul %x, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %1 = nn.mul %0, %0 : tensor<64x64xf32>, tensor<64x64xf32>
  %2 = nn.reduce_mean %1 {axes = array<i64: 1>, keepdims = true} : (tensor<64x64xf32>) -> tensor<64x1xf32>
  %3 = nn.add %2, %eps : tensor<64x1xf32>, tensor<f32>
  %4 = nn.sqrt %3 : tensor<64x1xf32>
  %5 = nn.div %0, %4 : tensor<64x64xf32>, tensor<64x1xf32>
  %6 = nn.matmul %5, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %6 : tensor<64x64xf32>
}

// -----

// The root of 1e-20 is still no number of FP16, and neither is the reciprocal of 1e-8: what divides or multiplies by them is
// FP32. A small constant that is added to something else may vanish, if the preset says so.

// CHECK-LABEL: func.func @divisors
// CHECK: nn.add {{.*}}low = false, "unsafe: a constant operand vanishes in the low type"
// CHECK: nn.sqrt {{.*}}low = false
// CHECK: nn.div {{.*}}low = false, "unsafe: around an epsilon that vanishes in the low type"
// CHECK: nn.max {{.*}}low = false, "unsafe: a constant operand vanishes in the low type"
// CHECK: nn.reciprocal {{.*}}low = false
// CHECK: nn.mul {{.*}}low = false, "unsafe: around an epsilon that vanishes in the low type"
func.func @divisors(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> (tensor<64x64xf32>, tensor<64x64xf32>) {
  %tiny = nn.constant dense<1.0e-20> : tensor<f32>
  %eps = nn.constant dense<1.0e-8> : tensor<f32>
  %0 = nn.matmul %x, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %1 = nn.add %0, %tiny : tensor<64x64xf32>, tensor<f32>
  %2 = nn.sqrt %1 : tensor<64x64xf32>
  %3 = nn.div %0, %2 : tensor<64x64xf32>, tensor<64x64xf32>
  %4 = nn.matmul %3, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %5 = nn.max %4, %eps : tensor<64x64xf32>, tensor<f32>
  %6 = nn.reciprocal %5 : tensor<64x64xf32>
  %7 = nn.mul %4, %6 : tensor<64x64xf32>, tensor<64x64xf32>
  %8 = nn.matmul %7, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %4, %8 : tensor<64x64xf32>, tensor<64x64xf32>
}

// -----

// A norm that is kept from zero by a bound, as an attribute: the division by it, behind an expansion, is FP32. A bound that the
// low type holds is none.

// CHECK-LABEL: func.func @normalize
// CHECK: nn.clip {{.*}}low = false, "unsafe: a constant operand vanishes in the low type"
// CHECK: nn.expand {{.*}}low = false
// CHECK: nn.div {{.*}}low = false, "unsafe: around an epsilon that vanishes in the low type"
// CHECK: nn.clip {{.*}}low = true
// CHECK: nn.div {{.*}}low = true
// BF16-LABEL: func.func @normalize
// BF16-NOT: low = false
// BF16: return
func.func @normalize(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>, %norm: tensor<64x1xf32>) -> tensor<64x64xf32> {
  %0 = nn.matmul %x, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %1 = nn.clip %norm {max = 0x7FF0000000000000 : f64, min = 1.0e-12 : f64} : tensor<64x1xf32>
  %2 = nn.expand %1 : tensor<64x1xf32> to tensor<64x64xf32>
  %3 = nn.div %0, %2 : tensor<64x64xf32>, tensor<64x64xf32>
  %4 = nn.matmul %3, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %5 = nn.clip %4 {max = 0x7FF0000000000000 : f64, min = 1.0e-3 : f64} : tensor<64x64xf32>
  %6 = nn.div %4, %5 : tensor<64x64xf32>, tensor<64x64xf32>
  %7 = nn.matmul %6, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %7 : tensor<64x64xf32>
}

// -----

// A variance: squares leave FP16 above 256, whatever the epsilon, and so does their mean, up to the root.

// CHECK-LABEL: func.func @variance
// CHECK: nn.sub {{.*}}low = true
// CHECK: nn.pow {{.*}}low = false, "unsafe:
// CHECK: nn.reduce_mean {{.*}}low = false, "unsafe: powers that are summed overflow or vanish in FP16"
// CHECK: nn.add {{.*}}low = false, "unsafe: reads a sum that may overflow FP16"
// CHECK: nn.sqrt {{.*}}low = false
// CHECK: nn.div {{.*}}low = true
// BF16-LABEL: func.func @variance
// BF16-NOT: low = false
// BF16: return
func.func @variance(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %eps = nn.constant dense<1.0e-4> : tensor<f32>
  %two = nn.constant dense<2.0> : tensor<f32>
  %0 = nn.matmul %x, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %m = nn.reduce_mean %0 {axes = array<i64: 1>, keepdims = true} : (tensor<64x64xf32>) -> tensor<64x1xf32>
  %c = nn.sub %0, %m : tensor<64x64xf32>, tensor<64x1xf32>
  %1 = nn.pow %c, %two : tensor<64x64xf32>, tensor<f32>
  %2 = nn.reduce_mean %1 {axes = array<i64: 1>, keepdims = true} : (tensor<64x64xf32>) -> tensor<64x1xf32>
  %3 = nn.add %2, %eps : tensor<64x1xf32>, tensor<f32>
  %4 = nn.sqrt %3 : tensor<64x1xf32>
  %5 = nn.div %c, %4 : tensor<64x64xf32>, tensor<64x1xf32>
  %6 = nn.matmul %5, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %6 : tensor<64x64xf32>
}

// -----

// Squares that ranges prove to fit are released, and a mean of what is no power never was held.

// CHECK-LABEL: func.func @released
// CHECK: nn.softmax {{.*}}low = true
// CHECK: nn.mul {{.*}}low = true
// CHECK: nn.reduce_mean {{.*}}low = true
// CHECK: nn.reduce_mean {{.*}}low = true
func.func @released(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %0 = nn.matmul %x, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %1 = nn.softmax %0 {axis = 1} : tensor<64x64xf32>
  %2 = nn.mul %1, %1 : tensor<64x64xf32>, tensor<64x64xf32>
  %3 = nn.reduce_mean %2 {axes = array<i64: 1>, keepdims = true} : (tensor<64x64xf32>) -> tensor<64x1xf32>
  %4 = nn.mul %1, %3 : tensor<64x64xf32>, tensor<64x1xf32>
  %5 = nn.mul %4, %0 : tensor<64x64xf32>, tensor<64x64xf32>
  %6 = nn.reduce_mean %5 {axes = array<i64: 1>, keepdims = true} : (tensor<64x64xf32>) -> tensor<64x1xf32>
  %7 = nn.mul %5, %6 : tensor<64x64xf32>, tensor<64x1xf32>
  %8 = nn.matmul %7, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  return %8 : tensor<64x64xf32>
}
