// RUN: mpt-opt %s --mpt-differentiate="wrt=x" | FileCheck %s --check-prefix=NAME
// RUN: mpt-opt %s --mpt-differentiate="wrt='w.*, x'" | FileCheck %s --check-prefix=REGEX
// RUN: not mpt-opt %s --mpt-differentiate="wrt=v" 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not mpt-opt %s --mpt-differentiate="wrt=w(" 2>&1 | FileCheck %s --check-prefix=SYNTAX

// NAME: func.func @f
// NAME-SAME: -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}, tensor<f32> {mp.name = "x", mp.role = #mp.role<gradient>})
// REGEX: func.func @f
// REGEX-SAME: tensor<f32> {mp.name = "x", mp.role = #mp.role<gradient>}, tensor<f32> {mp.name = "w.1", mp.role = #mp.role<gradient>}, tensor<f32> {mp.name = "w.2", mp.role = #mp.role<gradient>})
// UNKNOWN: error: 'v' names no float argument; there are: 'x', 'w.1', 'w.2'
// SYNTAX: error: 'w(' is no regular expression
func.func @f(%x: tensor<f32> {mp.name = "x", mp.role = #mp.role<input>},
             %i: tensor<i64> {mp.name = "i", mp.role = #mp.role<input>},
             %w1: tensor<f32> {mp.name = "w.1", mp.role = #mp.role<parameter>},
             %w2: tensor<f32> {mp.name = "w.2", mp.role = #mp.role<parameter>})
    -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}) {
  %0 = nn.mul %x, %w1 : tensor<f32>, tensor<f32>
  %1 = nn.mul %0, %w2 : tensor<f32>, tensor<f32>
  return %1 : tensor<f32>
}
