// RUN: mpt-opt %s "--mpt-lower-to-cpu=stage=plan mcpu=x86-64-v3" --split-input-file | FileCheck %s

// Three values that live one after the other: the second is written over the first, and a buffer that has died is used again.
// CHECK-LABEL: func.func @chain
// CHECK-SAME: nn.offset = 0 : i64
// CHECK-SAME: nn.plan = {activations = 0 : i64, arena = 12288 : i64, constants = 0 : i64, inputs = 4096 : i64, lower_bound = 8192 : i64, state = 0 : i64, transient = 8192 : i64, weight_copies = 0 : i64}
// CHECK: nn.kernel "pointwise"(%arg0) attributes {nn.offsets = array<i64: [[A:[0-9]+]]>}
// CHECK: nn.kernel "shape"{{.*}}nn.offsets = array<i64: [[B:[0-9]+]]>
// CHECK: nn.kernel "pointwise"{{.*}}nn.offsets = array<i64: [[B]]>
// CHECK: nn.kernel "shape"{{.*}}nn.offsets = array<i64: [[A]]>
func.func @chain(%x: tensor<32x32xf32>) -> tensor<32x32xf32> {
  %0 = nn.exp %x : tensor<32x32xf32>
  %1 = nn.transpose %0 {permutation = array<i64: 1, 0>} : tensor<32x32xf32>
  %2 = nn.neg %1 : tensor<32x32xf32>
  %3 = nn.transpose %2 {permutation = array<i64: 1, 0>} : tensor<32x32xf32>
  return %3 : tensor<32x32xf32>
}

// -----

// The new parameter goes where the old one lies; the momentum, which is read later, is copied there at the end.
// CHECK-LABEL: func.func @donation
// CHECK-SAME: %arg0: tensor<16xf32> {mp.donate, mp.name = "w", mp.role = #mp.role<parameter>, nn.offset = 0 : i64}
// CHECK-SAME: %arg1: tensor<16xf32> {mp.donate, mp.name = "w.momentum", mp.role = #mp.role<optimizer_state>, nn.offset = 64 : i64}
// CHECK-SAME: state = 128 : i64
// CHECK: %[[W:.*]] = nn.kernel "pointwise"{{.*}}nn.offsets = array<i64: 0>
// CHECK: %[[M:.*]] = nn.kernel "shape"
// CHECK: nn.kernel "pointwise"(%arg1
// CHECK: %[[C:.*]] = nn.kernel "pointwise"(%[[M]]) attributes {nn.offsets = array<i64: 64>}
// CHECK: return %[[W]], %[[C]]
func.func @donation(%w: tensor<16xf32> {mp.role = #mp.role<parameter>, mp.name = "w", mp.donate},
    %m: tensor<16xf32> {mp.role = #mp.role<optimizer_state>, mp.name = "w.momentum", mp.donate}, %g: tensor<16xf32>)
    -> (tensor<16xf32> {mp.role = #mp.role<parameter>, mp.name = "w"},
        tensor<16xf32> {mp.role = #mp.role<optimizer_state>, mp.name = "w.momentum"}, tensor<16xf32>) {
  %0 = nn.sub %w, %g : tensor<16xf32>, tensor<16xf32>
  %1 = nn.slice %m {starts = array<i64: 15>, steps = array<i64: -1>} : tensor<16xf32> to tensor<16xf32>
  %2 = nn.exp %m : tensor<16xf32>
  return %0, %1, %2 : tensor<16xf32>, tensor<16xf32>, tensor<16xf32>
}
