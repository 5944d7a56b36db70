// RUN: mpt-opt %s -split-input-file -verify-diagnostics

func.func @if_c1(%c: tensor<i1>, %x: tensor<4xf32>) {
  // expected-error @+1 {{(C1) a branch should have no arguments}}
  %0 = nn.if %c -> (tensor<4xf32>) {
  ^bb0(%a: tensor<4xf32>):
    nn.branch_yield %a : tensor<4xf32>
  } else {
    nn.branch_yield %x : tensor<4xf32>
  }
  return
}
// -----
func.func @if_c2(%c: tensor<i1>, %x: tensor<4xf32>, %y: tensor<5xf32>) {
  // expected-error @+1 {{(C2) a branch should end in nn.branch_yield of the results' types}}
  %0 = nn.if %c -> (tensor<4xf32>) {
    nn.branch_yield %x : tensor<4xf32>
  } else {
    nn.branch_yield %y : tensor<5xf32>
  }
  return
}
// -----
func.func @loop_c1(%n: tensor<i64>, %x: tensor<4xf32>) {
  // expected-error @+1 {{(C1) the region should take an i64 scalar, an i1 scalar and the carried values' types}}
  %0 = nn.loop trips %n carried(%x) {
  ^bb0(%i: tensor<i64>, %going: tensor<i1>):
    nn.next while %going carried(%x : tensor<4xf32>)
  } : (tensor<4xf32>) -> tensor<4xf32>
  return
}
// -----
func.func @loop_c2_type(%n: tensor<i64>, %x: tensor<4xf32>, %y: tensor<4xf16>) {
  // expected-error @+1 {{(C2) the region should end in nn.next with a condition and values of the carried types}}
  %0 = nn.loop trips %n carried(%x) {
  ^bb0(%i: tensor<i64>, %going: tensor<i1>, %a: tensor<4xf32>):
    nn.next while %going carried(%y : tensor<4xf16>)
  } : (tensor<4xf32>) -> tensor<4xf32>
  return
}
// -----
func.func @loop_c2_condition(%n: tensor<i64>, %x: tensor<4xf32>) {
  // expected-error @+1 {{(C2) the region should end in nn.next with a condition}}
  %0 = nn.loop trips %n carried(%x) {
  ^bb0(%i: tensor<i64>, %going: tensor<i1>, %a: tensor<4xf32>):
    nn.next carried(%a : tensor<4xf32>)
  } : (tensor<4xf32>) -> tensor<4xf32>
  return
}
// -----
func.func @loop_c3(%n: tensor<i64>, %x: tensor<4xf32>) {
  // expected-error @+1 {{(C3) the results should have the carried types, then those of the collected values behind the number of trips}}
  %0:2 = nn.loop trips %n carried() {
  ^bb0(%i: tensor<i64>, %going: tensor<i1>):
    nn.next while %going collected(%x, %x : tensor<4xf32>, tensor<4xf32>)
  } : () -> (tensor<3x4xf32>, tensor<2x4xf32>)
  return
}
// -----
func.func @scan_c1(%x: tensor<3x4xf32>) {
  // expected-error @+1 {{(C1) axis 2 is not in [0, 2)}}
  nn.scan carried() over(%x) {
  ^bb0(%slice: tensor<4xf32>):
    nn.next
  } {axes = array<i64: 2>, reversed = array<i1: false>, collected_axes = array<i64>, collected_reversed = array<i1>}
    : (tensor<3x4xf32>) -> ()
  return
}
// -----
func.func @scan_c2(%x: tensor<3x4xf32>) {
  // expected-error @+1 {{(C2) the scanned tensors have 4 and 3 slices}}
  nn.scan carried() over(%x, %x) {
  ^bb0(%a: tensor<4xf32>, %b: tensor<3xf32>):
    nn.next
  } {axes = array<i64: 0, 1>, reversed = array<i1: false, true>, collected_axes = array<i64>, collected_reversed = array<i1>}
    : (tensor<3x4xf32>, tensor<3x4xf32>) -> ()
  return
}
// -----
func.func @scan_c3(%x: tensor<3x4xf32>) {
  // expected-error @+1 {{(C3) the region should take the carried values' types and those of the slices}}
  nn.scan carried() over(%x) {
  ^bb0(%slice: tensor<3xf32>):
    nn.next
  } {axes = array<i64: 0>, reversed = array<i1: false>, collected_axes = array<i64>, collected_reversed = array<i1>}
    : (tensor<3x4xf32>) -> ()
  return
}
// -----
func.func @scan_c4(%s: tensor<4xf32>, %x: tensor<3x4xf32>) {
  // expected-error @+1 {{(C4) the region should end in nn.next without a condition, with values of the carried types}}
  %0 = nn.scan carried(%s) over(%x) {
  ^bb0(%a: tensor<4xf32>, %slice: tensor<4xf32>):
    nn.next
  } {axes = array<i64: 0>, reversed = array<i1: false>, collected_axes = array<i64>, collected_reversed = array<i1>}
    : (tensor<4xf32>, tensor<3x4xf32>) -> (tensor<4xf32>)
  return
}
// -----
func.func @scan_c5(%x: tensor<3x4xf32>) {
  // expected-error @+1 {{(C5) the results should have the carried types, then those of the collected values with the number of trips inserted}}
  %0 = nn.scan carried() over(%x) {
  ^bb0(%slice: tensor<4xf32>):
    nn.next collected(%slice : tensor<4xf32>)
  } {axes = array<i64: 0>, reversed = array<i1: false>, collected_axes = array<i64: 1>, collected_reversed = array<i1: false>}
    : (tensor<3x4xf32>) -> (tensor<3x4xf32>)
  return
}
// -----
func.func @next_alone() {
  // expected-error @+1 {{expects parent op to be one of 'nn.loop, nn.scan'}}
  nn.next
}
