// A large constant of one number takes as many bytes in the file as the number, a small one is an initializer.
// REQUIRES: numpy, onnx, onnxruntime
// RUN: mpt-opt %s -o %t.onnx
// RUN: %python %S/Inputs/show.py %t.onnx | FileCheck %s
// RUN: mpt-opt %s --mpt-mixed-precision -o %t.16.onnx
// RUN: %python %S/Inputs/show.py %t.16.onnx | FileCheck %s
// RUN: %python %S/Inputs/compare.py %t.onnx %t.16.onnx --tolerance 1e-3
// CHECK-NOT: initializer {{.*}} [128, 64]
// CHECK: initializer constant{{.*}} [64]
// CHECK: node {{.*}} ConstantOfShape
// CHECK-NEXT: node matmul MatMul
func.func @forward(%x: tensor<8x128xf32> {mp.role = #mp.role<input>, mp.name = "x"}) -> (tensor<8x64xf32> {mp.role = #mp.role<output>, mp.name = "y"}) {
  %w = nn.constant dense<0.25> : tensor<128x64xf32>
  %b = nn.constant dense<0.5> : tensor<64xf32>
  %0 = nn.matmul %x, %w : (tensor<8x128xf32>, tensor<128x64xf32>) -> tensor<8x64xf32>
  %1 = nn.add %0, %b : tensor<8x64xf32>, tensor<64xf32>
  return %1 : tensor<8x64xf32>
}
