// What a scatter writes (windows of an attention mask, tokens over activations) comes back as a ScatterND that adds to zeros.
// REQUIRES: numpy, onnx, onnxruntime
// RUN: mpt-opt %s -o %t.onnx
// RUN: %python %S/Inputs/show.py %t.onnx | FileCheck %s
// RUN: mpt-opt %t.onnx -o %t.again.onnx
// RUN: %python %S/Inputs/compare.py %t.onnx %t.again.onnx --tolerance 0
// CHECK: node {{.*}} Expand
// CHECK-NEXT: node {{.*}} ScatterND
module attributes {nn.onnx_opset = 13 : i64} {
  func.func @forward(%x: tensor<2x4xf32> {mp.role = #mp.role<input>, mp.name = "x"}) -> (tensor<3x4xf32> {mp.role = #mp.role<output>, mp.name = "y"}) {
    %rows = nn.constant dense<[[2], [0]]> : tensor<2x1xi64>
    %0 = nn.gather_nd_grad %x, %rows : (tensor<2x4xf32>, tensor<2x1xi64>) -> tensor<3x4xf32>
    return %0 : tensor<3x4xf32>
  }
}
