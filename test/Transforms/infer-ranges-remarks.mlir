// RUN: mpt-opt %s --mpt-infer-ranges --verify-diagnostics

func.func @constants(%x: tensor<2x2xf32> {mp.range = array<f64: -9.0, 9.0>}) -> (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>) {
  // expected-remark @below {{holds -3.40282e+38, below FP16's -65504, and is read by nn.add 'masked': in FP16 it would be -inf. mpt-normalize-masks writes infinities}}
  %mask = nn.constant dense<[[0.0, -3.40282347E+38], [0.0, 0.0]]> : tensor<2x2xf32>
  %0 = nn.add %x, %mask : tensor<2x2xf32>, tensor<2x2xf32> loc("masked")
  // expected-remark @below {{is the epsilon 1e-12, which in FP16 becomes 0: what reads it, nn.add, stays FP32}}
  %eps = nn.constant dense<1.0e-12> : tensor<f32>
  %sq = nn.mul %x, %x : tensor<2x2xf32>, tensor<2x2xf32>
  %1 = nn.add %sq, %eps : tensor<2x2xf32>, tensor<f32>
  %2 = nn.sqrt %1 : tensor<2x2xf32>
  // expected-remark @below {{loses all its bits in FP16: its largest magnitude is 2e-09}}
  %tiny = nn.constant dense<[[1.0e-9, 2.0e-9], [0.0, 0.0]]> : tensor<2x2xf32>
  %3 = nn.mul %x, %tiny : tensor<2x2xf32>, tensor<2x2xf32>
  // Fits, though small entries vanish beside large ones.
  %table = nn.constant dense<[[1.0e-9, 2.0], [0.0, 0.0]]> : tensor<2x2xf32>
  %4 = nn.mul %3, %table : tensor<2x2xf32>, tensor<2x2xf32>
  return %0, %2, %4 : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>
}

// A variance that may be zero makes 1 / sqrt(epsilon) large, but that is no sum.
func.func @statistics(%x: tensor<4x8xf32> {mp.range = array<f64: -9.0, 9.0>}, %s: tensor<8xf32> {mp.range = array<f64: 0.0, 1.0>}) -> tensor<4x8xf32> {
  %0, %mean, %rstd = nn.layer_norm %x, %s {axis = 1, epsilon = 1.0e-12} : (tensor<4x8xf32>, tensor<8xf32>) -> (tensor<4x8xf32>, tensor<4x1xf32>, tensor<4x1xf32>)
  return %0 : tensor<4x8xf32>
}

// A layer norm by hand: the squares leave FP16, what they are divided by does not.
func.func @squares(%x: tensor<4x8xf32> {mp.range = array<f64: -1000.0, 1000.0>}) -> tensor<4x8xf32> {
  // expected-remark @below {{can reach 1e+06, above FP16's 65504, although its operands fit}}
  %sq = nn.mul %x, %x : tensor<4x8xf32>, tensor<4x8xf32>
  %mean = nn.reduce_mean %sq {axes = array<i64: 1>, keepdims = true} : (tensor<4x8xf32>) -> tensor<4x1xf32>
  %eps = nn.constant dense<1.0e-3> : tensor<f32>
  %var = nn.add %mean, %eps : tensor<4x1xf32>, tensor<f32>
  %root = nn.sqrt %var : tensor<4x1xf32>
  %0 = nn.div %x, %root : tensor<4x8xf32>, tensor<4x1xf32>
  return %0 : tensor<4x8xf32>
}

// The axes multiply: 64 * 64 terms of up to 30.
func.func @sums(%x: tensor<64x64xf32> {mp.range = array<f64: 0.0, 30.0>}, %y: tensor<64x64xf32>) -> (tensor<f32>, tensor<64xf32>, tensor<f32>) {
  // expected-remark @below {{sums terms that fit FP16 to up to 12}}
  %0 = nn.reduce_sum %x {axes = array<i64: 0, 1>} : (tensor<64x64xf32>) -> tensor<f32>
  %1 = nn.reduce_sum %x {axes = array<i64: 0>} : (tensor<64x64xf32>) -> tensor<64xf32>
  // Nothing is known of the terms.
  %2 = nn.reduce_sum %y {axes = array<i64: 0, 1>} : (tensor<64x64xf32>) -> tensor<f32>
  return %0, %1, %2 : tensor<f32>, tensor<64xf32>, tensor<f32>
}
