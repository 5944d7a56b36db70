// Elementary functions are polynomials: no libdevice, no libm.
// RUN: rm -rf %t && mpt-opt %s --mpt-form-kernels="max-ops=1" --mpt-lower-to-gpu="dump-ptx=%t" -o %t.mlir
// RUN: %python %S/Inputs/check_ptx.py %t --at-least 24
// RUN: FileCheck %s --input-file=%t.mlir --implicit-check-not=__nv_

// CHECK: gpu.binary @kernel_0
func.func @functions(%x: tensor<1024xf16>, %y: tensor<1024xf32>) -> (tensor<1024xf16>, tensor<1024xf32>) {
  %0 = nn.exp %x : tensor<1024xf16>
  %1 = nn.log %0 : tensor<1024xf16>
  %2 = nn.tanh %1 : tensor<1024xf16>
  %3 = nn.sigmoid %2 : tensor<1024xf16>
  %4 = nn.erf %3 : tensor<1024xf16>
  %5 = nn.sqrt %4 : tensor<1024xf16>
  %6 = nn.softplus %5 : tensor<1024xf16>
  %7 = nn.silu %6 : tensor<1024xf16>
  %8 = nn.mish %7 : tensor<1024xf16>
  %9 = nn.round %8 : tensor<1024xf16>
  %10 = nn.floor %9 : tensor<1024xf16>
  %11 = nn.ceil %10 : tensor<1024xf16>
  %20 = nn.sin %y : tensor<1024xf32>
  %21 = nn.cos %20 : tensor<1024xf32>
  %22 = nn.tan %21 : tensor<1024xf32>
  %23 = nn.asin %22 : tensor<1024xf32>
  %24 = nn.acos %23 : tensor<1024xf32>
  %25 = nn.atan %24 : tensor<1024xf32>
  %26 = nn.sinh %25 : tensor<1024xf32>
  %27 = nn.cosh %26 : tensor<1024xf32>
  %28 = nn.asinh %27 : tensor<1024xf32>
  %29 = nn.acosh %28 : tensor<1024xf32>
  %30 = nn.atanh %29 : tensor<1024xf32>
  %31 = nn.pow %30, %y : tensor<1024xf32>, tensor<1024xf32>
  return %11, %31 : tensor<1024xf16>, tensor<1024xf32>
}
