// Contractions, pooling, normalization, reductions, losses and optimizers survive printing,
// parsing and bytecode.
// RUN: mpt-opt %s | mpt-opt | FileCheck %s
// RUN: mpt-opt %s --emit-bytecode | mpt-opt | FileCheck %s
// RUN: mpt-opt %s --mlir-print-op-generic | mpt-opt | FileCheck %s

// CHECK: nn.parameter @w trainable = true : tensor<2x3xf32> = #nn.external<"model.onnx", 64, 24>
nn.parameter @w trainable = true : tensor<2x3xf32> = #nn.external<"model.onnx", 64, 24>
// CHECK: nn.parameter @b : tensor<2xf32> = dense<0.000000e+00> : tensor<2xf32>
nn.parameter @b : tensor<2xf32> = dense<0.0> : tensor<2xf32>

// CHECK-LABEL: func @matmul
func.func @matmul(%a: tensor<5x3x4xf16>, %b: tensor<6x4xf16>) -> tensor<5x3x6xf32> {
  // CHECK: nn.matmul %{{.*}}, %{{.*}} {transpose_rhs = true} : (tensor<5x3x4xf16>, tensor<6x4xf16>) -> tensor<5x3x6xf32>
  %0 = nn.matmul %a, %b {transpose_rhs = true} : (tensor<5x3x4xf16>, tensor<6x4xf16>) -> tensor<5x3x6xf32>
  return %0 : tensor<5x3x6xf32>
}

// CHECK-LABEL: func @convolutions
func.func @convolutions(%x: tensor<2x4x9x9xf32>, %w: tensor<6x2x3x3xf32>, %b: tensor<6xf32>) {
  // CHECK: nn.conv %{{.*}}, %{{.*}} bias %{{.*}} {dilations = array<i64: 1, 1>, group = 2 : i64, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>}
  %y = nn.conv %x, %w bias %b {strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 2 : i64}
    : (tensor<2x4x9x9xf32>, tensor<6x2x3x3xf32>, tensor<6xf32>) -> tensor<2x6x5x5xf32>
  // CHECK: nn.conv_transpose
  %dx = nn.conv_transpose %y, %w {strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 2 : i64}
    : (tensor<2x6x5x5xf32>, tensor<6x2x3x3xf32>) -> tensor<2x4x9x9xf32>
  // CHECK: nn.conv_filter_grad
  %dw = nn.conv_filter_grad %x, %y {strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 2 : i64}
    : (tensor<2x4x9x9xf32>, tensor<2x6x5x5xf32>) -> tensor<6x2x3x3xf32>
  return
}

// CHECK-LABEL: func @pooling
func.func @pooling(%x: tensor<1x2x8x8xf32>) {
  // CHECK: nn.max_pool
  %y, %taps = nn.max_pool %x {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
    : (tensor<1x2x8x8xf32>) -> (tensor<1x2x4x4xf32>, tensor<1x2x4x4xi8>)
  // CHECK: nn.max_pool_grad
  %dx = nn.max_pool_grad %y, %taps {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
    : (tensor<1x2x4x4xf32>, tensor<1x2x4x4xi8>) -> tensor<1x2x8x8xf32>
  // CHECK: nn.avg_pool {{.*}} {count_include_pad = true
  %z = nn.avg_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, count_include_pad = true}
    : (tensor<1x2x8x8xf32>) -> tensor<1x2x4x4xf32>
  // CHECK: nn.avg_pool_grad
  %dz = nn.avg_pool_grad %z {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, count_include_pad = true}
    : (tensor<1x2x4x4xf32>) -> tensor<1x2x8x8xf32>
  return
}

// CHECK-LABEL: func @normalization
func.func @normalization(%x: tensor<2x4x8xf16>, %c: tensor<4xf32>, %e: tensor<8xf32>) {
  // CHECK: nn.batch_norm_inference
  %0 = nn.batch_norm_inference %x, %c, %c, %c, %c
    : (tensor<2x4x8xf16>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4x8xf16>
  // CHECK: nn.batch_norm_training
  %1:5 = nn.batch_norm_training %x, %c, %c, %c, %c {momentum = 0.8}
    : (tensor<2x4x8xf16>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
    -> (tensor<2x4x8xf16>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  // CHECK: nn.batch_norm_grad
  %2:3 = nn.batch_norm_grad %x, %x, %c, %1#3, %1#4
    : (tensor<2x4x8xf16>, tensor<2x4x8xf16>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4x8xf16>, tensor<4xf32>, tensor<4xf32>)
  // CHECK: nn.layer_norm
  %3:3 = nn.layer_norm %x, %e, %e {axis = 2 : i64}
    : (tensor<2x4x8xf16>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x8xf16>, tensor<2x4x1xf32>, tensor<2x4x1xf32>)
  // CHECK: nn.layer_norm_grad
  %4:3 = nn.layer_norm_grad %x, %x, %e, %3#1, %3#2 {axis = 2 : i64}
    : (tensor<2x4x8xf16>, tensor<2x4x8xf16>, tensor<8xf32>, tensor<2x4x1xf32>, tensor<2x4x1xf32>) -> (tensor<2x4x8xf16>, tensor<8xf32>, tensor<8xf32>)
  // CHECK: nn.rms_norm
  %5:2 = nn.rms_norm %x, %e {axis = 2 : i64} : (tensor<2x4x8xf16>, tensor<8xf32>) -> (tensor<2x4x8xf16>, tensor<2x4x1xf32>)
  // CHECK: nn.rms_norm_grad
  %6:2 = nn.rms_norm_grad %x, %x, %e, %5#1 {axis = 2 : i64}
    : (tensor<2x4x8xf16>, tensor<2x4x8xf16>, tensor<8xf32>, tensor<2x4x1xf32>) -> (tensor<2x4x8xf16>, tensor<8xf32>)
  // CHECK: nn.group_norm
  %7:3 = nn.group_norm %x, %c, %c {num_groups = 2 : i64}
    : (tensor<2x4x8xf16>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4x8xf16>, tensor<2x2xf32>, tensor<2x2xf32>)
  // CHECK: nn.group_norm_grad
  %8:3 = nn.group_norm_grad %x, %x, %c, %7#1, %7#2 {num_groups = 2 : i64}
    : (tensor<2x4x8xf16>, tensor<2x4x8xf16>, tensor<4xf32>, tensor<2x2xf32>, tensor<2x2xf32>) -> (tensor<2x4x8xf16>, tensor<4xf32>, tensor<4xf32>)
  // CHECK: nn.softmax %{{.*}} {axis = 2 : i64} : tensor<2x4x8xf16>
  %9 = nn.softmax %x {axis = 2 : i64} : tensor<2x4x8xf16>
  // CHECK: nn.softmax_grad
  %10 = nn.softmax_grad %x, %9 {axis = 2 : i64} : tensor<2x4x8xf16>
  // CHECK: nn.log_softmax
  %11 = nn.log_softmax %x {axis = 1 : i64} : tensor<2x4x8xf16>
  // CHECK: nn.log_softmax_grad
  %12 = nn.log_softmax_grad %x, %11 {axis = 1 : i64} : tensor<2x4x8xf16>
  return
}

// CHECK-LABEL: func @reductions
func.func @reductions(%x: tensor<2x4x8xf16>) {
  // CHECK: nn.reduce_sum %{{.*}} {axes = array<i64: 0, 2>} : (tensor<2x4x8xf16>) -> tensor<4xf32>
  %0 = nn.reduce_sum %x {axes = array<i64: 0, 2>} : (tensor<2x4x8xf16>) -> tensor<4xf32>
  // CHECK: nn.reduce_mean %{{.*}} {axes = array<i64: 1>, keepdims = true}
  %1 = nn.reduce_mean %x {axes = array<i64: 1>, keepdims = true} : (tensor<2x4x8xf16>) -> tensor<2x1x8xf16>
  // CHECK: nn.reduce_max
  %2 = nn.reduce_max %x {axes = array<i64: 0>} : (tensor<2x4x8xf16>) -> tensor<4x8xf16>
  // CHECK: nn.reduce_min
  %3 = nn.reduce_min %x {axes = array<i64: 0>} : (tensor<2x4x8xf16>) -> tensor<4x8xf16>
  // CHECK: nn.reduce_prod
  %4 = nn.reduce_prod %x {axes = array<i64: 0>} : (tensor<2x4x8xf16>) -> tensor<4x8xf16>
  // CHECK: nn.arg_max
  %5 = nn.arg_max %x {axis = 1 : i64} : (tensor<2x4x8xf16>) -> tensor<2x8xi64>
  // CHECK: nn.arg_min
  %6 = nn.arg_min %x {axis = 1 : i64, keepdims = true} : (tensor<2x4x8xf16>) -> tensor<2x1x8xi64>
  // CHECK: nn.cum_sum
  %7 = nn.cum_sum %x {axis = 1 : i64, reverse = true} : tensor<2x4x8xf16>
  return
}

// CHECK-LABEL: func @losses
func.func @losses(%logits: tensor<4x10x3xf32>, %labels: tensor<4x3xi64>, %weights: tensor<10xf32>, %p: tensor<4xf32>) {
  // CHECK: nn.softmax_cross_entropy %{{.*}}, %{{.*}} weights %{{.*}} {axis = 1 : i64, ignore_index = -100 : i64}
  %loss, %lp = nn.softmax_cross_entropy %logits, %labels weights %weights {axis = 1 : i64, ignore_index = -100 : i64}
    : (tensor<4x10x3xf32>, tensor<4x3xi64>, tensor<10xf32>) -> (tensor<f32>, tensor<4x10x3xf32>)
  // CHECK: nn.softmax_cross_entropy_grad
  %d = nn.softmax_cross_entropy_grad %loss, %lp, %labels weights %weights {axis = 1 : i64, ignore_index = -100 : i64}
    : (tensor<f32>, tensor<4x10x3xf32>, tensor<4x3xi64>, tensor<10xf32>) -> tensor<4x10x3xf32>
  // CHECK: nn.mse_loss
  %0 = nn.mse_loss %p, %p : (tensor<4xf32>, tensor<4xf32>) -> tensor<f32>
  // CHECK: nn.mse_loss_grad
  %1 = nn.mse_loss_grad %0, %p, %p : (tensor<f32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // CHECK: nn.l1_loss
  %2 = nn.l1_loss %p, %p : (tensor<4xf32>, tensor<4xf32>) -> tensor<f32>
  // CHECK: nn.l1_loss_grad
  %3 = nn.l1_loss_grad %0, %p, %p : (tensor<f32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // CHECK: nn.bce_with_logits_loss
  %4 = nn.bce_with_logits_loss %p, %p : (tensor<4xf32>, tensor<4xf32>) -> tensor<f32>
  // CHECK: nn.bce_with_logits_loss_grad
  %5 = nn.bce_with_logits_loss_grad %0, %p, %p : (tensor<f32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// CHECK-LABEL: func @ctc
func.func @ctc(%x: tensor<4x9x5xf32>, %l: tensor<4x3xi64>, %t: tensor<4xi64>, %s: tensor<4xi32>) -> tensor<4x9x5xf32> {
  // CHECK: nn.ctc_loss %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {blank = 4 : i64, zero_infinity = true}
  %loss, %lp, %alpha = nn.ctc_loss %x, %l, %t, %s {blank = 4 : i64, zero_infinity = true}
    : (tensor<4x9x5xf32>, tensor<4x3xi64>, tensor<4xi64>, tensor<4xi32>) -> (tensor<f32>, tensor<4x9x5xf32>, tensor<4x9x7xf32>)
  // CHECK: nn.ctc_loss_grad
  %d = nn.ctc_loss_grad %loss, %lp, %alpha, %l, %t, %s {blank = 4 : i64, zero_infinity = true}
    : (tensor<f32>, tensor<4x9x5xf32>, tensor<4x9x7xf32>, tensor<4x3xi64>, tensor<4xi64>, tensor<4xi32>) -> tensor<4x9x5xf32>
  // CHECK: nn.top_k %{{.*}} {axis = 2 : i64, k = 2 : i64, largest = false}
  %v, %i = nn.top_k %d {axis = 2 : i64, k = 2 : i64, largest = false} : (tensor<4x9x5xf32>) -> (tensor<4x9x2xf32>, tensor<4x9x2xi64>)
  return %d : tensor<4x9x5xf32>
}

// CHECK-LABEL: func @optimizers
func.func @optimizers(%p: tensor<4xf32>, %lr: tensor<f32>, %t: tensor<i64>) {
  // CHECK: nn.sgd {{.*}} {momentum = 9.000000e-01 : f64, nesterov = true}
  %0:2 = nn.sgd %p, %p, %p, %lr, %t {momentum = 0.9, nesterov = true}
    : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i64>) -> (tensor<4xf32>, tensor<4xf32>)
  // CHECK: nn.adam {{.*}} {decoupled = true, weight_decay = 1.000000e-02 : f64}
  %1:3 = nn.adam %p, %p, %p, %p, %lr, %t {decoupled = true, weight_decay = 0.01}
    : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i64>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// CHECK-LABEL: func @kernel
func.func @kernel(%x: tensor<8x16xf16>, %y: tensor<16xf16>) -> tensor<8x16xf16> {
  // CHECK: nn.kernel "pointwise"(%{{.*}}, %{{.*}}) {
  // CHECK: nn.yield %{{.*}} : tensor<8x16xf16>
  %0 = nn.kernel "pointwise"(%x, %y) {
  ^bb0(%a: tensor<8x16xf16>, %b: tensor<16xf16>):
    %1 = nn.add %a, %b : tensor<8x16xf16>, tensor<16xf16>
    nn.yield %1 : tensor<8x16xf16>
  } : (tensor<8x16xf16>, tensor<16xf16>) -> tensor<8x16xf16>
  return %0 : tensor<8x16xf16>
}

// CHECK-LABEL: func @onnx_node
func.func @onnx_node(%x: tensor<4xf32>) -> !nn.onnx_type<"seq(tensor(float))"> {
  // CHECK: nn.onnx_node "" : "SequenceConstruct"(%{{.*}})
  %0 = nn.onnx_node "" : "SequenceConstruct"(%x) {opset = 11 : i64, node = "\22\11", operand_names = ["x"]}
    : (tensor<4xf32>) -> !nn.onnx_type<"seq(tensor(float))">
  return %0 : !nn.onnx_type<"seq(tensor(float))">
}
