// RUN: mpt-opt %s --split-input-file --mpt-prepare-parameters 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t.remarks

// A layer that is used twice in a fresh model: its bias holds zeros, but two other biases of zeros stand apart, so nothing
// merged them.

// CHECK-LABEL: module
// CHECK-NOT: @bias.1
// CHECK: func.func @forward(
// REMARK: remark: parameter 'bias' holds one value and has 2 users: tied in the model, as other equal initializers of the file are apart
nn.parameter @bias : tensor<2xf32> = dense<0.0> : tensor<2xf32>
nn.parameter @first : tensor<2xf32> = dense<0.0> : tensor<2xf32>
nn.parameter @scale : tensor<2xf32> = dense<1.0> : tensor<2xf32>
nn.parameter @weight : tensor<2x2xf32> = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
func.func @forward(%x: tensor<4x2xf32> {mp.name = "x", mp.role = #mp.role<input>},
    %bias: tensor<2xf32> {mp.name = "bias", mp.role = #mp.role<parameter>, nn.parameter = @bias},
    %first: tensor<2xf32> {mp.name = "first", mp.role = #mp.role<parameter>, nn.parameter = @first},
    %scale: tensor<2xf32> {mp.name = "scale", mp.role = #mp.role<parameter>, nn.parameter = @scale},
    %weight: tensor<2x2xf32> {mp.name = "weight", mp.role = #mp.role<parameter>, nn.parameter = @weight})
    -> (tensor<4x2xf32> {mp.name = "y", mp.role = #mp.role<output>}) {
  %0, %m, %r = nn.layer_norm %x, %scale, %first {axis = 1} : (tensor<4x2xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<4x2xf32>, tensor<4x1xf32>, tensor<4x1xf32>)
  %1 = nn.matmul %0, %weight : (tensor<4x2xf32>, tensor<2x2xf32>) -> tensor<4x2xf32>
  %2 = nn.add %1, %bias : tensor<4x2xf32>, tensor<2xf32>
  %3 = nn.matmul %2, %weight : (tensor<4x2xf32>, tensor<2x2xf32>) -> tensor<4x2xf32>
  %4 = nn.add %3, %bias : tensor<4x2xf32>, tensor<2xf32>
  return %4 : tensor<4x2xf32>
}

// -----

// Exporters merge small initializers only: two large ones that are equal say nothing about a small one.

// CHECK-LABEL: module
// CHECK: nn.parameter @bias.1
// REMARK: remark: parameter 'bias' holds one value and has 2 users: an exporter merged equal initializers
nn.parameter @bias : tensor<2xf32> = dense<0.0> : tensor<2xf32>
nn.parameter @first : tensor<4x2xf32> = dense<0.0> : tensor<4x2xf32>
nn.parameter @second : tensor<4x2xf32> = dense<0.0> : tensor<4x2xf32>
nn.parameter @weight : tensor<2x2xf32> = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
func.func @forward(%x: tensor<4x2xf32> {mp.name = "x", mp.role = #mp.role<input>},
    %bias: tensor<2xf32> {mp.name = "bias", mp.role = #mp.role<parameter>, nn.parameter = @bias},
    %first: tensor<4x2xf32> {mp.name = "first", mp.role = #mp.role<parameter>, nn.parameter = @first},
    %second: tensor<4x2xf32> {mp.name = "second", mp.role = #mp.role<parameter>, nn.parameter = @second},
    %weight: tensor<2x2xf32> {mp.name = "weight", mp.role = #mp.role<parameter>, nn.parameter = @weight})
    -> (tensor<4x2xf32> {mp.name = "y", mp.role = #mp.role<output>}) {
  %0 = nn.add %x, %first : tensor<4x2xf32>, tensor<4x2xf32>
  %1 = nn.matmul %0, %weight : (tensor<4x2xf32>, tensor<2x2xf32>) -> tensor<4x2xf32>
  %2 = nn.add %1, %bias : tensor<4x2xf32>, tensor<2xf32>
  %3 = nn.add %2, %second : tensor<4x2xf32>, tensor<4x2xf32>
  %4 = nn.matmul %3, %weight : (tensor<4x2xf32>, tensor<2x2xf32>) -> tensor<4x2xf32>
  %5 = nn.add %4, %bias : tensor<4x2xf32>, tensor<2xf32>
  return %5 : tensor<4x2xf32>
}
