// RUN: mpt-opt %s --mpt-normalize-masks | FileCheck %s
// RUN: mpt-opt %s --mpt-normalize-masks --mpt-normalize-masks | FileCheck %s
// RUN: mpt-opt %s --mpt-normalize-masks --mpt-assign-precision | FileCheck %s --check-prefix=LOW
// RUN: mpt-opt %s --mpt-mixed-precision | FileCheck %s --check-prefix=F16
// RUN: mpt-opt %s --mpt-mixed-precision=low=bf16 | FileCheck %s --check-prefix=BF16
// RUN: mpt-opt %s --mpt-mixed-precision=fp32-ops=where,softmax | FileCheck %s --check-prefix=FP32

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

// A mask by a condition: added, it becomes a choice, in FP32 with the number the model has, in 16 bits with the lowest
// finite one. Two softmaxes share the mask.

// CHECK-LABEL: func.func @condition(
// CHECK-SAME: %[[KEEP:[a-z0-9]+]]: tensor<1x4x4xi1>
// CHECK: %[[LOWEST:.*]] = nn.constant dense<-3.40282347E+38> : tensor<f32>
// CHECK: %[[S:.*]] = nn.matmul
// CHECK: %[[C:.*]] = nn.where %[[KEEP]], %[[S]], %[[LOWEST]] {mp.mask}
// CHECK: nn.softmax %[[C]]
// CHECK: nn.where %[[KEEP]], %{{.*}}, %[[LOWEST]] {mp.mask}
// CHECK-NOT: nn.add
// LOW-LABEL: func.func @condition(
// LOW: nn.where {{.*}}low = true, "masks for a softmax: a value that the low type cannot hold is its lowest number
// LOW: nn.softmax {{.*}}low = true
// F16-LABEL: func.func @condition(
// F16: nn.constant dense<-6.550400e+04> : tensor<f16>
// F16: nn.where {{.*}} : tensor<1x4x4xi1>, tensor<3x4x4xf16>, tensor<f16>
// F16: nn.softmax {{.*}} : tensor<3x4x4xf16>
// BF16-LABEL: func.func @condition(
// BF16: nn.constant dense<-3.389530e+38> : tensor<bf16>
// FP32-LABEL: func.func @condition(
// FP32: nn.constant dense<-3.40282347E+38> : tensor<f32>
// FP32: nn.where {{.*}}low = false
func.func @condition(%x: tensor<3x4x4xf32>, %keep: tensor<1x4x4xi1>) -> tensor<3x4x4xf32> {
  %zero = nn.constant dense<0.0> : tensor<f32>
  %lowest = nn.constant dense<-3.40282347E+38> : tensor<f32>
  %m = nn.where %keep, %zero, %lowest : tensor<1x4x4xi1>, tensor<f32>, tensor<f32>
  %s = nn.matmul %x, %x : (tensor<3x4x4xf32>, tensor<3x4x4xf32>) -> tensor<3x4x4xf32>
  %0 = nn.add %s, %m : tensor<3x4x4xf32>, tensor<1x4x4xf32>
  %1 = nn.softmax %0 {axis = 2} : tensor<3x4x4xf32>
  %2 = nn.matmul %1, %x : (tensor<3x4x4xf32>, tensor<3x4x4xf32>) -> tensor<3x4x4xf32>
  %3 = nn.add %m, %2 : tensor<1x4x4xf32>, tensor<3x4x4xf32>
  %4 = nn.softmax %3 {axis = 2} : tensor<3x4x4xf32>
  %5 = nn.matmul %4, %x : (tensor<3x4x4xf32>, tensor<3x4x4xf32>) -> tensor<3x4x4xf32>
  return %5 : tensor<3x4x4xf32>
}

// A choice that the model makes itself, the other way round; any number below -65504 masks. The constant is also added to
// something else, which keeps it, and FP32.

// CHECK-LABEL: func.func @filled(
// CHECK: nn.where {{.*}} {mp.mask}
// CHECK: nn.add
// F16-LABEL: func.func @filled(
// F16-DAG: %[[F32:.*]] = nn.constant dense<-1.000000e+09> : tensor<f32>
// F16-DAG: %[[F16:.*]] = nn.constant dense<-6.550400e+04> : tensor<f16>
// F16: nn.where %{{.*}}, %[[F16]], %{{.*}} {
// F16: nn.add %{{.*}}, %[[F32]] {{.*}}a constant operand overflows
func.func @filled(%x: tensor<3x4x4xf32>, %drop: tensor<3x4x4xi1>) -> tensor<3x4x4xf32> {
  %huge = nn.constant dense<-1.0E+9> : tensor<f32>
  %s = nn.matmul %x, %x : (tensor<3x4x4xf32>, tensor<3x4x4xf32>) -> tensor<3x4x4xf32>
  %0 = nn.where %drop, %huge, %s : tensor<3x4x4xi1>, tensor<f32>, tensor<3x4x4xf32>
  %1 = nn.softmax %0 {axis = 2} : tensor<3x4x4xf32>
  %2 = nn.matmul %1, %x : (tensor<3x4x4xf32>, tensor<3x4x4xf32>) -> tensor<3x4x4xf32>
  %3 = nn.add %2, %huge : tensor<3x4x4xf32>, tensor<f32>
  return %3 : tensor<3x4x4xf32>
}

// Stay as they are: a choice that something else than a softmax reads, the logarithm of a softmax (whose results show the
// number), a sum that is read twice, a mask that is no zero elsewhere, and one in which a score is not lost.

// CHECK-LABEL: func.func @not_masks(
// CHECK-NOT: mp.mask
// CHECK: return
func.func @not_masks(%x: tensor<4x4xf32>, %keep: tensor<4x4xi1>)
    -> (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) {
  %zero = nn.constant dense<0.0> : tensor<f32>
  %one = nn.constant dense<1.0> : tensor<f32>
  %lowest = nn.constant dense<-3.40282347E+38> : tensor<f32>
  %large = nn.constant dense<-1.0E+5> : tensor<f32>
  %0 = nn.where %keep, %x, %lowest : tensor<4x4xi1>, tensor<4x4xf32>, tensor<f32>
  %1 = nn.softmax %0 {axis = 1} : tensor<4x4xf32>
  %2 = nn.where %keep, %x, %large : tensor<4x4xi1>, tensor<4x4xf32>, tensor<f32>
  %3 = nn.log_softmax %2 {axis = 1} : tensor<4x4xf32>
  %m = nn.where %keep, %zero, %lowest : tensor<4x4xi1>, tensor<f32>, tensor<f32>
  %4 = nn.add %x, %m : tensor<4x4xf32>, tensor<4x4xf32>
  %5 = nn.softmax %4 {axis = 1} : tensor<4x4xf32>
  %n = nn.where %keep, %one, %lowest : tensor<4x4xi1>, tensor<f32>, tensor<f32>
  %6 = nn.add %x, %n : tensor<4x4xf32>, tensor<4x4xf32>
  %7 = nn.softmax %6 {axis = 1} : tensor<4x4xf32>
  %p = nn.where %keep, %zero, %large : tensor<4x4xi1>, tensor<f32>, tensor<f32>
  %8 = nn.add %x, %p : tensor<4x4xf32>, tensor<4x4xf32>
  %9 = nn.softmax %8 {axis = 1} : tensor<4x4xf32>
  return %0, %1, %3, %4, %5, %7, %9 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
}

// A mask that is computed from whole numbers: where it is zero the score, elsewhere the mask, bounded. Two layers share
// it, and the larger sum is read by no one any more.

// CHECK-LABEL: func.func @computed(
// CHECK: %[[M:.*]] = nn.mul
// CHECK-NEXT: %[[ZERO:.*]] = nn.constant dense<0.000000e+00> : tensor<f32>
// CHECK-NEXT: %[[OPEN:.*]] = nn.compare eq %[[M]], %[[ZERO]]
// CHECK-NEXT: %[[BOUNDED:.*]] = nn.clip %[[M]] {max = 6.550400e+04 : f64, min = -6.550400e+04 : f64, mp.pin = "bounds a mask for 16 bits"}
// CHECK-NEXT: %[[S:.*]] = nn.matmul
// CHECK-NEXT: %[[C:.*]] = nn.where %[[OPEN]], %[[S]], %[[BOUNDED]]
// CHECK-NEXT: nn.softmax %[[C]]
// CHECK-NEXT: %[[T:.*]] = nn.matmul
// CHECK-NEXT: %[[B:.*]] = nn.add %[[T]], %{{.*}} : tensor<2x4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT: %[[D:.*]] = nn.where %[[OPEN]], %[[B]], %[[BOUNDED]]
// CHECK-NEXT: nn.softmax %[[D]]
// LOW-LABEL: func.func @computed(
// LOW: nn.mul {{.*}}low = false, "unsafe: a constant operand overflows the low type"
// LOW: nn.compare {{.*}}low = false, "unsafe: reads a masking value
// LOW: nn.clip {{.*}}low = false, "pinned: bounds a mask for 16 bits
// LOW: nn.where {{.*}}low = true
// LOW: nn.softmax {{.*}}low = true
// LOW: nn.add {{.*}}low = true
// LOW: nn.where {{.*}}low = true
// LOW: nn.softmax {{.*}}low = true
// F16-LABEL: func.func @computed(
// F16: nn.where {{.*}} : tensor<2x1x4xi1>, tensor<2x4x4xf16>, tensor<2x1x4xf16>
// F16: nn.softmax {{.*}} : tensor<2x4x4xf16>
func.func @computed(%x: tensor<2x4x4xf32>, %attend: tensor<2x4xi64>, %bias: tensor<4x4xf32>) -> tensor<2x4x4xf32> {
  %one = nn.constant dense<1.0> : tensor<f32>
  %lowest = nn.constant dense<-3.40282347E+38> : tensor<f32>
  %a = nn.reshape %attend : tensor<2x4xi64> to tensor<2x1x4xi64>
  %f = nn.cast %a : tensor<2x1x4xi64> to tensor<2x1x4xf32>
  %d = nn.sub %one, %f : tensor<f32>, tensor<2x1x4xf32>
  %m = nn.mul %d, %lowest : tensor<2x1x4xf32>, tensor<f32>
  %s = nn.matmul %x, %x : (tensor<2x4x4xf32>, tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %0 = nn.add %s, %m : tensor<2x4x4xf32>, tensor<2x1x4xf32>
  %1 = nn.softmax %0 {axis = 2} : tensor<2x4x4xf32>
  %t = nn.matmul %1, %x : (tensor<2x4x4xf32>, tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %b = nn.add %bias, %m : tensor<4x4xf32>, tensor<2x1x4xf32>
  %2 = nn.add %t, %b : tensor<2x4x4xf32>, tensor<2x4x4xf32>
  %3 = nn.softmax %2 {axis = 2} : tensor<2x4x4xf32>
  %4 = nn.matmul %3, %x : (tensor<2x4x4xf32>, tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  return %4 : tensor<2x4x4xf32>
}

// What is multiplied may be any number: it counts only when it comes from 1 and the factor is so large that the last
// bit of a float masks. A factor of -1e5 leaves a part of the score.

// CHECK-LABEL: func.func @fractions(
// CHECK: nn.mul
// CHECK: nn.clip
// CHECK: nn.where
// CHECK: nn.mul
// CHECK-NEXT: nn.add
// CHECK: nn.mul
// CHECK-NEXT: nn.add
// CHECK-NOT: nn.clip
// CHECK: return
func.func @fractions(%x: tensor<4x4xf32>, %attend: tensor<4xf32>, %count: tensor<4xi32>)
    -> (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) {
  %one = nn.constant dense<1.0> : tensor<f32>
  %lowest = nn.constant dense<-3.40282347E+38> : tensor<f32>
  %large = nn.constant dense<-1.0E+9> : tensor<f32>
  %small = nn.constant dense<-1.0E+5> : tensor<f32>
  %d = nn.sub %one, %attend : tensor<f32>, tensor<4xf32>
  %f = nn.cast %count : tensor<4xi32> to tensor<4xf32>
  %m0 = nn.mul %d, %lowest : tensor<4xf32>, tensor<f32>
  %0 = nn.add %x, %m0 : tensor<4x4xf32>, tensor<4xf32>
  %1 = nn.softmax %0 {axis = 1} : tensor<4x4xf32>
  %m2 = nn.mul %d, %large : tensor<4xf32>, tensor<f32>
  %2 = nn.add %x, %m2 : tensor<4x4xf32>, tensor<4xf32>
  %3 = nn.softmax %2 {axis = 1} : tensor<4x4xf32>
  %m4 = nn.mul %f, %small : tensor<4xf32>, tensor<f32>
  %4 = nn.add %x, %m4 : tensor<4x4xf32>, tensor<4xf32>
  %5 = nn.softmax %4 {axis = 1} : tensor<4x4xf32>
  return %1, %3, %5 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
}
