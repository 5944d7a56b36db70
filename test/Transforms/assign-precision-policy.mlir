// RUN: mpt-opt %s --mpt-assign-precision="fp32-ops=softmax,block[0-9]+/.* low-ops=nn.exp,head" | FileCheck %s
// RUN: not mpt-opt %s --mpt-assign-precision="fp32-ops=block[" 2>&1 | FileCheck %s --check-prefix=REGEX
// RUN: not mpt-opt %s --mpt-assign-precision=low=f8 2>&1 | FileCheck %s --check-prefix=TYPE
// REGEX: error: mpt-assign-precision: fp32-ops: 'block[' is no regular expression
// TYPE: error: mpt-assign-precision: unknown low type 'f8', use f16 or bf16

// CHECK-LABEL: func.func @policy
// CHECK: nn.matmul {{.*}}low = true, "profits
// CHECK: nn.softmax {{.*}}low = false, "the user wants 'softmax' in FP32"
// CHECK: nn.matmul {{.*}}low = false, "the user wants 'block[0-9]+/.*' in FP32"
// CHECK: nn.exp {{.*}}low = true, "the user wants 'nn.exp' low"
// CHECK: nn.log {{.*}}low = true, "the user wants 'head' low"
// A whole name matches, not a part of it.
// CHECK: nn.matmul {{.*}}low = true, "profits
func.func @policy(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = nn.matmul %x, %x : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32> loc("stem")
  %1 = nn.softmax %0 {axis = 1} : tensor<8x8xf32>
  %2 = nn.matmul %1, %x : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32> loc("block12/attn")
  %3 = nn.exp %2 : tensor<8x8xf32>
  %4 = nn.log %3 : tensor<8x8xf32> loc("head")
  %5 = nn.matmul %4, %x : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32> loc("my/block1/mlp")
  return %5 : tensor<8x8xf32>
}

// The loss scale is never low, whatever the user wants.

// CHECK-LABEL: func.func @scaling
// CHECK: nn.mul {{.*}}low = false, "unsafe: reads the loss scale"
// CHECK: nn.matmul {{.*}}low = true, "the user wants 'head' low"
// CHECK: mp.unscale {{.*}}low = false
func.func @scaling(%x: tensor<8x8xf32>, %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"}) -> tensor<8x8xf32> {
  %0 = nn.mul %x, %s : tensor<8x8xf32>, tensor<f32> loc("head")
  %1 = nn.matmul %0, %x : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32> loc("head")
  %2 = mp.unscale %1 of "w" by %s : tensor<8x8xf32>, tensor<f32> loc("head")
  return %2 : tensor<8x8xf32>
}
