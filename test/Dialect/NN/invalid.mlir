// Every numbered constraint is checked and named.
// RUN: mpt-opt %s -split-input-file -verify-diagnostics

func.func @cast_c1(%x: tensor<4xf32>) {
  // expected-error @+1 {{(C1) the shapes differ}}
  %0 = nn.cast %x : tensor<4xf32> to tensor<5xi64>
  return
}
// -----
func.func @binary_c1(%x: tensor<4xf32>, %y: tensor<3xf32>) {
  // expected-error @+1 {{(C1) the operands' shapes do not broadcast}}
  %0 = nn.add %x, %y : tensor<4xf32>, tensor<3xf32>
  return
}
// -----
func.func @binary_c2(%x: tensor<4xf32>, %y: tensor<4xf16>) {
  // expected-error @+1 {{(C2) element types differ: 'f32' and 'f16'}}
  %0 = nn.mul %x, %y : tensor<4xf32>, tensor<4xf16>
  return
}
// -----
func.func @where_c2(%c: tensor<4xi1>, %x: tensor<4xf32>, %y: tensor<4xf16>) {
  // expected-error @+1 {{(C2) element types differ: 'f32' and 'f16'}}
  %0 = nn.where %c, %x, %y : tensor<4xi1>, tensor<4xf32>, tensor<4xf16>
  return
}
// -----
func.func @dropout(%x: tensor<4xf32>) {
  // expected-error @+1 {{ratio must lie in [0, 1)}}
  %0, %1 = nn.dropout %x {ratio = 1.0, seed = 1 : i64} : tensor<4xf32>
  return
}
// -----
func.func @matmul_c1(%a: tensor<4xf32>, %b: tensor<4x2xf32>) {
  // expected-error @+1 {{(C1) both operands need rank 2 or more}}
  %0 = nn.matmul %a, %b : (tensor<4xf32>, tensor<4x2xf32>) -> tensor<2xf32>
  return
}
// -----
func.func @matmul_c2(%a: tensor<3x4xf32>, %b: tensor<5x2xf32>) {
  // expected-error @+1 {{(C2) contracted extents differ: 4 and 5}}
  %0 = nn.matmul %a, %b : (tensor<3x4xf32>, tensor<5x2xf32>) -> tensor<3x2xf32>
  return
}
// -----
func.func @matmul_c3(%a: tensor<2x3x4xf32>, %b: tensor<3x4x2xf32>) {
  // expected-error @+1 {{(C3) the leading axes do not broadcast}}
  %0 = nn.matmul %a, %b : (tensor<2x3x4xf32>, tensor<3x4x2xf32>) -> tensor<2x3x2xf32>
  return
}
// -----
func.func @matmul_c4(%a: tensor<3x4xf16>, %b: tensor<4x2xf16>) {
  // expected-error @+1 {{(C4) result element type should be 'f16' or f32, is 'bf16'}}
  %0 = nn.matmul %a, %b : (tensor<3x4xf16>, tensor<4x2xf16>) -> tensor<3x2xbf16>
  return
}
// -----
func.func @matmul_c5(%a: tensor<3x4xf16>, %b: tensor<4x2xf16>) {
  // expected-error @+1 {{(C5) result shape should be 'tensor<3x2xf16>', is 'tensor<2x3xf16>'}}
  %0 = nn.matmul %a, %b : (tensor<3x4xf16>, tensor<4x2xf16>) -> tensor<2x3xf16>
  return
}
// -----
func.func @conv_c2(%x: tensor<1x2x8x8xf32>, %w: tensor<4x2x3x3xf32>) {
  // expected-error @+1 {{(C2) needs 2 strides, 2 dilations and 4 pads}}
  %0 = nn.conv %x, %w {strides = array<i64: 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x2x8x8xf32>, tensor<4x2x3x3xf32>) -> tensor<1x4x6x6xf32>
  return
}
// -----
func.func @conv_c3(%x: tensor<1x3x8x8xf32>, %w: tensor<4x2x3x3xf32>) {
  // expected-error @+1 {{(C3, C4) 3 channels and a filter of 4 x 2 do not fit group 1}}
  %0 = nn.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x3x8x8xf32>, tensor<4x2x3x3xf32>) -> tensor<1x4x6x6xf32>
  return
}
// -----
func.func @conv_c5(%x: tensor<1x2x8x8xf32>, %w: tensor<4x2x3x3xf32>, %b: tensor<3xf32>) {
  // expected-error @+1 {{(C5) the bias should have shape [4]}}
  %0 = nn.conv %x, %w bias %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x2x8x8xf32>, tensor<4x2x3x3xf32>, tensor<3xf32>) -> tensor<1x4x6x6xf32>
  return
}
// -----
func.func @conv_c7(%x: tensor<1x2x8x8xf32>, %w: tensor<4x2x3x3xf32>) {
  // expected-error @+1 {{(C7) result shape should be 'tensor<1x4x6x6xf32>', is 'tensor<1x4x8x8xf32>'}}
  %0 = nn.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x2x8x8xf32>, tensor<4x2x3x3xf32>) -> tensor<1x4x8x8xf32>
  return
}
// -----
func.func @conv_transpose_c5(%y: tensor<1x4x6x6xf32>, %w: tensor<4x2x3x3xf32>) {
  // expected-error @+1 {{(C5) result shape should be 'tensor<1x4x7x7xf32>', is 'tensor<1x4x6x6xf32>'}}
  %0 = nn.conv_transpose %y, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x6x6xf32>, tensor<4x2x3x3xf32>) -> tensor<1x2x9x9xf32>
  return
}
// -----
func.func @pool_c3(%x: tensor<1x2x8x8xf32>) {
  // expected-error @+1 {{(C3) spatial axis 1 should pool 8 to 4 or 5, pools to 6}}
  %0 = nn.avg_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x2x8x8xf32>) -> tensor<1x2x4x6xf32>
  return
}
// -----
func.func @pool_taps(%x: tensor<1x2x8x8xf32>) {
  // expected-error @+1 {{taps of a window of 4 should be i8}}
  %0, %1 = nn.max_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x2x8x8xf32>) -> (tensor<1x2x4x4xf32>, tensor<1x2x4x4xi32>)
  return
}
// -----
func.func @batch_norm_c2(%x: tensor<2x4x8xf16>, %c: tensor<4xf16>) {
  // expected-error @+1 {{(C2) scale, shift and statistics should be 'f32', are 'f16'}}
  %0 = nn.batch_norm_inference %x, %c, %c, %c, %c : (tensor<2x4x8xf16>, tensor<4xf16>, tensor<4xf16>, tensor<4xf16>, tensor<4xf16>) -> tensor<2x4x8xf16>
  return
}
// -----
func.func @group_norm_c2(%x: tensor<2x4x8xf32>, %c: tensor<4xf32>) {
  // expected-error @+1 {{(C2) 4 channels do not divide into 3 groups}}
  %0:3 = nn.group_norm %x, %c, %c {num_groups = 3 : i64} : (tensor<2x4x8xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<2x4x8xf32>, tensor<2x3xf32>, tensor<2x3xf32>)
  return
}
// -----
func.func @softmax_c1(%x: tensor<2x4xf32>) {
  // expected-error @+1 {{(C1) axis 2 is not in [0, 2)}}
  %0 = nn.softmax %x {axis = 2 : i64} : tensor<2x4xf32>
  return
}
// -----
func.func @reduce_c1(%x: tensor<2x4xf32>) {
  // expected-error @+1 {{(C1) axes should ascend within [0, 2)}}
  %0 = nn.reduce_sum %x {axes = array<i64: 1, 0>} : (tensor<2x4xf32>) -> tensor<f32>
  return
}
// -----
func.func @reduce_c3(%x: tensor<2x4xf16>) {
  // expected-error @+1 {{(C3) element types differ: 'f16' and 'f32'}}
  %0 = nn.reduce_max %x {axes = array<i64: 0>} : (tensor<2x4xf16>) -> tensor<4xf32>
  return
}
// -----
func.func @reshape_c1(%x: tensor<2x4xf32>) {
  // expected-error @+1 {{(C1) cannot give 8 elements the shape of 'tensor<3x3xf32>'}}
  %0 = nn.reshape %x : tensor<2x4xf32> to tensor<3x3xf32>
  return
}
// -----
func.func @transpose_c1(%x: tensor<2x4xf32>) {
  // expected-error @+1 {{(C1) not a permutation of the operand's 2 axes}}
  %0 = nn.transpose %x {permutation = array<i64: 0, 0>} : tensor<2x4xf32>
  return
}
// -----
func.func @concat_c2(%x: tensor<2x4xf32>, %y: tensor<3x4xf32>) {
  // expected-error @+1 {{(C2) operands differ off the axis}}
  %0 = nn.concat %x, %y {axis = 1 : i64} : tensor<2x4xf32>, tensor<3x4xf32>
  return
}
// -----
func.func @split_c2(%x: tensor<2x4xf32>) {
  // expected-error @+1 {{(C2) the parts' extents add up to 3 instead of 4}}
  %0:2 = nn.split %x {axis = 1 : i64} : (tensor<2x4xf32>) -> (tensor<2x2xf32>, tensor<2x1xf32>)
  return
}
// -----
func.func @slice_c2(%x: tensor<4xf32>) {
  // expected-error @+1 {{(C2) axis 0 reads elements 1 to 5 of 4}}
  %0 = nn.slice %x {starts = array<i64: 1>, steps = array<i64: 2>} : tensor<4xf32> to tensor<3xf32>
  return
}
// -----
func.func @pad_c3(%x: tensor<4xf32>) {
  // expected-error @+1 {{(C3) a reflected border must be shorter than its axis}}
  %0 = nn.pad %x {low = array<i64: 4>, high = array<i64: 0>, mode = #nn<pad_mode reflect>} : tensor<4xf32> to tensor<8xf32>
  return
}
// -----
func.func @gather_c1(%x: tensor<4xf32>, %i: tensor<2xi64>) {
  // expected-error @+1 {{(C1) axis 1 is not in [0, 1)}}
  %0 = nn.gather %x, %i {axis = 1 : i64} : tensor<4xf32>, tensor<2xi64>
  return
}
// -----
func.func @gather_nd_c1(%x: tensor<4xf32>, %i: tensor<2x2xi64>) {
  // expected-error @+1 {{(C1) index tuples of 2 do not fit rank 1}}
  %0 = nn.gather_nd %x, %i : (tensor<4xf32>, tensor<2x2xi64>) -> tensor<2xf32>
  return
}
// -----
func.func @cross_entropy_c2(%x: tensor<4x10xf32>, %i: tensor<3xi64>) {
  // expected-error @+1 {{(C2) labels of type 'tensor<3xi64>' do not fit logits of type 'tensor<4x10xf32>' with the classes on axis 1}}
  %0, %1 = nn.softmax_cross_entropy %x, %i {axis = 1 : i64} : (tensor<4x10xf32>, tensor<3xi64>) -> (tensor<f32>, tensor<4x10xf32>)
  return
}
// -----
func.func @ctc_c1(%x: tensor<4x9x5xf32>, %l: tensor<4x3xi64>, %n: tensor<3xi64>) {
  // expected-error @+1 {{(C1) 'tensor<3xi64>' does not fit 4 samples}}
  %0, %1, %2 = nn.ctc_loss %x, %l, %n, %n : (tensor<4x9x5xf32>, tensor<4x3xi64>, tensor<3xi64>, tensor<3xi64>) -> (tensor<f32>, tensor<4x9x5xf32>, tensor<4x9x7xf32>)
  return
}
// -----
func.func @ctc_c2(%x: tensor<4x9x5xf32>, %l: tensor<4x3xi64>, %n: tensor<4xi64>) {
  // expected-error @+1 {{(C2) blank 5 is not one of 5 classes}}
  %0, %1, %2 = nn.ctc_loss %x, %l, %n, %n {blank = 5 : i64} : (tensor<4x9x5xf32>, tensor<4x3xi64>, tensor<4xi64>, tensor<4xi64>) -> (tensor<f32>, tensor<4x9x5xf32>, tensor<4x9x7xf32>)
  return
}
// -----
func.func @ctc_c3(%x: tensor<4x0x5xf32>, %l: tensor<4x3xi64>, %n: tensor<4xi64>) {
  // expected-error @+1 {{(C3) needs samples and frames}}
  %0, %1, %2 = nn.ctc_loss %x, %l, %n, %n : (tensor<4x0x5xf32>, tensor<4x3xi64>, tensor<4xi64>, tensor<4xi64>) -> (tensor<f32>, tensor<4x0x5xf32>, tensor<4x0x7xf32>)
  return
}
// -----
func.func @ctc_half(%x: tensor<4x9x5xf16>, %l: tensor<4x3xi64>, %n: tensor<4xi64>) {
  // expected-error @+1 {{operand #0 must be 3D tensor of 32-bit float or 64-bit float values}}
  %0, %1, %2 = nn.ctc_loss %x, %l, %n, %n : (tensor<4x9x5xf16>, tensor<4x3xi64>, tensor<4xi64>, tensor<4xi64>) -> (tensor<f16>, tensor<4x9x5xf16>, tensor<4x9x7xf16>)
  return
}
// -----
func.func @top_k_c1(%x: tensor<4xf32>) {
  // expected-error @+2 {{(C1) axis 1 is not in [0, 1)}}
  // expected-error @+1 {{failed to infer returned types}}
  %0, %1 = nn.top_k %x {axis = 1 : i64, k = 2 : i64} : (tensor<4xf32>) -> (tensor<2xf32>, tensor<2xi64>)
  return
}
// -----
func.func @top_k_c2(%x: tensor<4xf32>) {
  // expected-error @+2 {{(C2) k = 5 does not fit an axis of extent 4}}
  // expected-error @+1 {{failed to infer returned types}}
  %0, %1 = nn.top_k %x {axis = 0 : i64, k = 5 : i64} : (tensor<4xf32>) -> (tensor<5xf32>, tensor<5xi64>)
  return
}
// -----
// expected-error @+1 {{(C1) 20 external bytes do not make a 'tensor<2x3xf32>'}}
nn.parameter @w : tensor<2x3xf32> = #nn.external<"f", 0, 20>
// -----
// expected-error @+1 {{(C2) the value should be a #nn.external or elements of type 'tensor<2xf32>'}}
nn.parameter @w : tensor<2xf32> = dense<0.0> : tensor<3xf32>
// -----
func.func @kernel(%x: tensor<8xf16>) {
  // expected-error @+1 {{nn.yield should give the results' types}}
  %0 = nn.kernel "pointwise"(%x) {
  ^bb0(%a: tensor<8xf16>):
    nn.yield
  } : (tensor<8xf16>) -> tensor<8xf16>
  return
}
