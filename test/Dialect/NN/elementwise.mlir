// Every elementwise operation survives printing, parsing and bytecode.
// RUN: mpt-opt %s | mpt-opt | FileCheck %s
// RUN: mpt-opt %s --emit-bytecode | mpt-opt | FileCheck %s
// RUN: mpt-opt %s --mlir-print-op-generic | mpt-opt | FileCheck %s

// CHECK-LABEL: func @unary
func.func @unary(%x: tensor<4x8xf32>, %b: tensor<4x8xi1>) {
  // CHECK: nn.neg %{{.*}} : tensor<4x8xf32>
  %0 = nn.neg %x : tensor<4x8xf32>
  // CHECK: nn.abs
  %1 = nn.abs %x : tensor<4x8xf32>
  // CHECK: nn.sign
  %2 = nn.sign %x : tensor<4x8xf32>
  // CHECK: nn.floor
  %3 = nn.floor %x : tensor<4x8xf32>
  // CHECK: nn.ceil
  %4 = nn.ceil %x : tensor<4x8xf32>
  // CHECK: nn.round
  %5 = nn.round %x : tensor<4x8xf32>
  // CHECK: nn.exp
  %6 = nn.exp %x : tensor<4x8xf32>
  // CHECK: nn.log
  %7 = nn.log %x : tensor<4x8xf32>
  // CHECK: nn.sqrt
  %8 = nn.sqrt %x : tensor<4x8xf32>
  // CHECK: nn.reciprocal
  %9 = nn.reciprocal %x : tensor<4x8xf32>
  // CHECK: nn.sin
  %10 = nn.sin %x : tensor<4x8xf32>
  // CHECK: nn.cos
  %11 = nn.cos %x : tensor<4x8xf32>
  // CHECK: nn.tan
  %12 = nn.tan %x : tensor<4x8xf32>
  // CHECK: nn.asin
  %13 = nn.asin %x : tensor<4x8xf32>
  // CHECK: nn.acos
  %14 = nn.acos %x : tensor<4x8xf32>
  // CHECK: nn.atan
  %15 = nn.atan %x : tensor<4x8xf32>
  // CHECK: nn.sinh
  %16 = nn.sinh %x : tensor<4x8xf32>
  // CHECK: nn.cosh
  %17 = nn.cosh %x : tensor<4x8xf32>
  // CHECK: nn.asinh
  %18 = nn.asinh %x : tensor<4x8xf32>
  // CHECK: nn.acosh
  %19 = nn.acosh %x : tensor<4x8xf32>
  // CHECK: nn.atanh
  %20 = nn.atanh %x : tensor<4x8xf32>
  // CHECK: nn.tanh
  %21 = nn.tanh %x : tensor<4x8xf32>
  // CHECK: nn.sigmoid
  %22 = nn.sigmoid %x : tensor<4x8xf32>
  // CHECK: nn.erf
  %23 = nn.erf %x : tensor<4x8xf32>
  // CHECK: nn.relu
  %24 = nn.relu %x : tensor<4x8xf32>
  // CHECK: nn.silu
  %25 = nn.silu %x : tensor<4x8xf32>
  // CHECK: nn.softplus
  %26 = nn.softplus %x : tensor<4x8xf32>
  // CHECK: nn.softsign
  %27 = nn.softsign %x : tensor<4x8xf32>
  // CHECK: nn.mish
  %28 = nn.mish %x : tensor<4x8xf32>
  // CHECK: nn.hard_swish
  %29 = nn.hard_swish %x : tensor<4x8xf32>
  // CHECK: nn.gelu %{{.*}} {tanh = true} : tensor<4x8xf32>
  %30 = nn.gelu %x {tanh = true} : tensor<4x8xf32>
  // CHECK: nn.leaky_relu %{{.*}} {alpha = 2.000000e-01 : f64}
  %31 = nn.leaky_relu %x {alpha = 0.2} : tensor<4x8xf32>
  // CHECK: nn.elu
  %32 = nn.elu %x : tensor<4x8xf32>
  // CHECK: nn.hard_sigmoid
  %33 = nn.hard_sigmoid %x : tensor<4x8xf32>
  // CHECK: nn.clip %{{.*}} {max = 6.000000e+00 : f64, min = 0.000000e+00 : f64}
  %34 = nn.clip %x {min = 0.0, max = 6.0} : tensor<4x8xf32>
  // CHECK: nn.not %{{.*}} : tensor<4x8xi1>
  %35 = nn.not %b : tensor<4x8xi1>
  // CHECK: nn.is_nan %{{.*}} : tensor<4x8xf32>
  %36 = nn.is_nan %x : tensor<4x8xf32>
  // CHECK: nn.is_inf %{{.*}} {negative = false} : tensor<4x8xf32>
  %37 = nn.is_inf %x {negative = false} : tensor<4x8xf32>
  // CHECK: nn.cast %{{.*}} : tensor<4x8xf32> to tensor<4x8xi64>
  %38 = nn.cast %x : tensor<4x8xf32> to tensor<4x8xi64>
  return
}

// Broadcasting: the result type is inferred.
// CHECK-LABEL: func @binary
func.func @binary(%x: tensor<4x1x8xf16>, %y: tensor<3x1xf16>, %b: tensor<8xi1>) -> tensor<4x3x8xf16> {
  // CHECK: nn.add %{{.*}}, %{{.*}} : tensor<4x1x8xf16>, tensor<3x1xf16>
  %0 = nn.add %x, %y : tensor<4x1x8xf16>, tensor<3x1xf16>
  // CHECK: nn.sub
  %1 = nn.sub %x, %0 : tensor<4x1x8xf16>, tensor<4x3x8xf16>
  // CHECK: nn.mul
  %2 = nn.mul %1, %y : tensor<4x3x8xf16>, tensor<3x1xf16>
  // CHECK: nn.div
  %3 = nn.div %2, %y : tensor<4x3x8xf16>, tensor<3x1xf16>
  // CHECK: nn.pow
  %4 = nn.pow %3, %y : tensor<4x3x8xf16>, tensor<3x1xf16>
  // CHECK: nn.min
  %5 = nn.min %4, %3 : tensor<4x3x8xf16>, tensor<4x3x8xf16>
  // CHECK: nn.max
  %6 = nn.max %5, %4 : tensor<4x3x8xf16>, tensor<4x3x8xf16>
  // CHECK: nn.mod %{{.*}}, %{{.*}} {fmod = true}
  %7 = nn.mod %6, %5 {fmod = true} : tensor<4x3x8xf16>, tensor<4x3x8xf16>
  // CHECK: nn.and
  %8 = nn.and %b, %b : tensor<8xi1>, tensor<8xi1>
  // CHECK: nn.or
  %9 = nn.or %8, %b : tensor<8xi1>, tensor<8xi1>
  // CHECK: nn.xor
  %10 = nn.xor %9, %8 : tensor<8xi1>, tensor<8xi1>
  // CHECK: nn.compare le %{{.*}}, %{{.*}} : tensor<4x3x8xf16>, tensor<3x1xf16>
  %11 = nn.compare le %7, %y : tensor<4x3x8xf16>, tensor<3x1xf16>
  // CHECK: nn.where %{{.*}}, %{{.*}}, %{{.*}} : tensor<8xi1>, tensor<4x1x8xf16>, tensor<3x1xf16>
  %12 = nn.where %10, %x, %y : tensor<8xi1>, tensor<4x1x8xf16>, tensor<3x1xf16>
  // CHECK: return %{{.*}} : tensor<4x3x8xf16>
  return %12 : tensor<4x3x8xf16>
}

// CHECK-LABEL: func @gradients
func.func @gradients(%dy: tensor<8xbf16>, %x: tensor<8xbf16>) {
  // CHECK: nn.relu_grad %{{.*}}, %{{.*}} : tensor<8xbf16>
  %0 = nn.relu_grad %dy, %x : tensor<8xbf16>
  // CHECK: nn.sigmoid_grad
  %1 = nn.sigmoid_grad %dy, %x : tensor<8xbf16>
  // CHECK: nn.tanh_grad
  %2 = nn.tanh_grad %dy, %x : tensor<8xbf16>
  // CHECK: nn.gelu_grad
  %3 = nn.gelu_grad %dy, %x {tanh = true} : tensor<8xbf16>
  // CHECK: nn.silu_grad
  %4 = nn.silu_grad %dy, %x : tensor<8xbf16>
  // CHECK: nn.softplus_grad
  %5 = nn.softplus_grad %dy, %x : tensor<8xbf16>
  // CHECK: nn.mish_grad
  %6 = nn.mish_grad %dy, %x : tensor<8xbf16>
  // CHECK: nn.hard_swish_grad
  %7 = nn.hard_swish_grad %dy, %x : tensor<8xbf16>
  // CHECK: nn.leaky_relu_grad
  %8 = nn.leaky_relu_grad %dy, %x : tensor<8xbf16>
  // CHECK: nn.elu_grad
  %9 = nn.elu_grad %dy, %x : tensor<8xbf16>
  // CHECK: nn.hard_sigmoid_grad
  %10 = nn.hard_sigmoid_grad %dy, %x : tensor<8xbf16>
  // CHECK: nn.clip_grad
  %11 = nn.clip_grad %dy, %x {min = -1.0, max = 1.0} : tensor<8xbf16>
  return
}

// CHECK-LABEL: func @dropout
func.func @dropout(%x: tensor<4x8xf32>, %step: tensor<i64>) -> (tensor<4x8xf32>, tensor<4x8xi1>) {
  // CHECK: nn.dropout %{{.*}} at %{{.*}} {ratio = 1.000000e-01 : f64, seed = 7 : i64} : tensor<4x8xf32>
  %0, %mask = nn.dropout %x at %step {ratio = 0.1, seed = 7 : i64} : tensor<4x8xf32>
  return %0, %mask : tensor<4x8xf32>, tensor<4x8xi1>
}
