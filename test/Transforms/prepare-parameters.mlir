// RUN: mpt-opt %s --split-input-file --mpt-prepare-parameters 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t.remarks
// RUN: mpt-opt %s --split-input-file --mpt-prepare-parameters -o %t.once 2>%t.remarks
// RUN: mpt-opt %t.once --split-input-file --mpt-prepare-parameters 2>%t.remarks | diff %t.once -

// What stands in a weight's place is trained, the rest frozen; each with its reason.

// CHECK-DAG: nn.parameter @weight trainable = true
// CHECK-DAG: nn.parameter @bias trainable = true
// CHECK-DAG: nn.parameter @scale trainable = true
// CHECK-DAG: nn.parameter @table trainable = true
// CHECK-DAG: nn.parameter @position trainable = true
// CHECK-DAG: nn.parameter @sines : tensor
// CHECK-DAG: nn.parameter @mask : tensor
// CHECK-DAG: nn.parameter @rotary : tensor
// CHECK-DAG: nn.parameter @root : tensor
// CHECK-DAG: nn.parameter @unused : tensor
// CHECK-DAG: nn.parameter @pixels : tensor
// CHECK-DAG: nn.parameter @frequencies : tensor
// CHECK-DAG: nn.parameter @direction trainable = true
// CHECK-DAG: nn.parameter @length trainable = true
// REMARK-DAG: remark: trained: 'weight' (factor of a matrix product)
// REMARK-DAG: remark: trained: 'bias' (bias)
// REMARK-DAG: remark: trained: 'scale' (scale or shift of a normalization)
// REMARK-DAG: remark: trained: 'table' (table whose rows are gathered)
// REMARK-DAG: remark: trained: 'position' (table that is added)
// REMARK-DAG: remark: frozen: 'sines' (a fixed table of positions: its rows are sines and cosines)
// REMARK-DAG: remark: frozen: 'mask' (a mask: it holds an infinity or a huge constant)
// REMARK-DAG: remark: frozen: 'rotary' (table that is multiplied elementwise)
// REMARK-DAG: remark: frozen: 'root' (a scalar factor)
// REMARK-DAG: remark: frozen: 'unused' (unused)
// REMARK-DAG: remark: frozen: 'pixels' (scales or shifts an input of the model)
// REMARK-DAG: remark: frozen: 'frequencies' (not in a weight's place)
// REMARK-DAG: remark: trained: 'direction' (factor of a matrix product)
// REMARK-DAG: remark: trained: 'length' (factor of a matrix product)
nn.parameter @weight : tensor<4x4xf32>
nn.parameter @bias : tensor<4xf32>
nn.parameter @scale : tensor<4xf32>
nn.parameter @table : tensor<5x4xf32>
nn.parameter @position : tensor<1x2x4xf32> = dense<[[[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]]]> : tensor<1x2x4xf32>
nn.parameter @sines : tensor<2x4xf32> = dense<[[0.0, 0.0, 1.0, 1.0], [0.841471, 0.0099998, 0.540302, 0.99995]]> : tensor<2x4xf32>
nn.parameter @mask : tensor<2x4xf32> = dense<[[0.0, 0xFF800000, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]> : tensor<2x4xf32>
nn.parameter @rotary : tensor<2x4xf32>
nn.parameter @root : tensor<1xf32>
nn.parameter @unused : tensor<4xf32>
nn.parameter @pixels : tensor<4xf32>
nn.parameter @frequencies : tensor<4xf32>
nn.parameter @direction : tensor<4x4xf32>
nn.parameter @length : tensor<4x1xf32>
func.func @forward(%ids: tensor<2xi64> {mp.name = "ids", mp.role = #mp.role<input>},
    %image: tensor<2x4xf32> {mp.name = "image", mp.role = #mp.role<input>},
    %weight: tensor<4x4xf32> {mp.name = "weight", mp.role = #mp.role<parameter>, nn.parameter = @weight},
    %bias: tensor<4xf32> {mp.name = "bias", mp.role = #mp.role<parameter>, nn.parameter = @bias},
    %scale: tensor<4xf32> {mp.name = "scale", mp.role = #mp.role<parameter>, nn.parameter = @scale},
    %table: tensor<5x4xf32> {mp.name = "table", mp.role = #mp.role<parameter>, nn.parameter = @table},
    %position: tensor<1x2x4xf32> {mp.name = "position", mp.role = #mp.role<parameter>, nn.parameter = @position},
    %sines: tensor<2x4xf32> {mp.name = "sines", mp.role = #mp.role<parameter>, nn.parameter = @sines},
    %mask: tensor<2x4xf32> {mp.name = "mask", mp.role = #mp.role<parameter>, nn.parameter = @mask},
    %rotary: tensor<2x4xf32> {mp.name = "rotary", mp.role = #mp.role<parameter>, nn.parameter = @rotary},
    %root: tensor<1xf32> {mp.name = "root", mp.role = #mp.role<parameter>, nn.parameter = @root},
    %unused: tensor<4xf32> {mp.name = "unused", mp.role = #mp.role<parameter>, nn.parameter = @unused},
    %pixels: tensor<4xf32> {mp.name = "pixels", mp.role = #mp.role<parameter>, nn.parameter = @pixels},
    %frequencies: tensor<4xf32> {mp.name = "frequencies", mp.role = #mp.role<parameter>, nn.parameter = @frequencies},
    %direction: tensor<4x4xf32> {mp.name = "direction", mp.role = #mp.role<parameter>, nn.parameter = @direction},
    %length: tensor<4x1xf32> {mp.name = "length", mp.role = #mp.role<parameter>, nn.parameter = @length})
    -> (tensor<1x2x4xf32> {mp.name = "y", mp.role = #mp.role<output>}) {
  %0 = nn.gather %table, %ids {axis = 0 : i64} : tensor<5x4xf32>, tensor<2xi64>
  %1 = nn.mul %image, %pixels : tensor<2x4xf32>, tensor<4xf32>
  %2 = nn.add %0, %1 : tensor<2x4xf32>, tensor<2x4xf32>
  %3 = nn.matmul %2, %weight : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
  %4 = nn.add %3, %bias : tensor<2x4xf32>, tensor<4xf32>
  %5, %m, %r = nn.layer_norm %4, %scale {axis = 1 : i64} : (tensor<2x4xf32>, tensor<4xf32>) -> (tensor<2x4xf32>, tensor<2x1xf32>, tensor<2x1xf32>)
  %6 = nn.add %5, %sines : tensor<2x4xf32>, tensor<2x4xf32>
  %7 = nn.add %6, %mask : tensor<2x4xf32>, tensor<2x4xf32>
  %9 = nn.mul %7, %rotary : tensor<2x4xf32>, tensor<2x4xf32>
  %10 = nn.mul %9, %root : tensor<2x4xf32>, tensor<1xf32>
  // Rotary frequencies, times positions: a vector, but no weight.
  %positions = nn.constant dense<[[0.0], [1.0]]> : tensor<2x1xf32>
  %angles = nn.mul %frequencies, %positions : tensor<4xf32>, tensor<2x1xf32>
  %cosines = nn.cos %angles : tensor<2x4xf32>
  %turned = nn.mul %10, %cosines : tensor<2x4xf32>, tensor<2x4xf32>
  // Weight norm: a factor that is computed from two parameters.
  %11 = nn.mul %direction, %direction : tensor<4x4xf32>, tensor<4x4xf32>
  %12 = nn.reduce_sum %11 {axes = array<i64: 1>, keepdims = true} : (tensor<4x4xf32>) -> tensor<4x1xf32>
  %13 = nn.sqrt %12 : tensor<4x1xf32>
  %14 = nn.div %direction, %13 : tensor<4x4xf32>, tensor<4x1xf32>
  %15 = nn.mul %14, %length : tensor<4x4xf32>, tensor<4x1xf32>
  %16 = nn.transpose %15 {permutation = array<i64: 1, 0>} : tensor<4x4xf32>
  %17 = nn.matmul %turned, %16 : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
  %18 = nn.add %17, %position : tensor<2x4xf32>, tensor<1x2x4xf32>
  return %18 : tensor<1x2x4xf32>
}
