// RUN: mpt-run %s --function branch | FileCheck %s --check-prefix=BRANCH
// RUN: mpt-run %s --function nested | FileCheck %s --check-prefix=NESTED
// RUN: mpt-run %s --function loop | FileCheck %s --check-prefix=LOOP
// RUN: mpt-run %s --function scan | FileCheck %s --check-prefix=SCAN
// RUN: not mpt-run %s --function wrong_count 2>&1 | FileCheck %s --check-prefix=WRONG
// RUN: not mpt-run %s --function forever 2>&1 | FileCheck %s --check-prefix=FOREVER

// BRANCH: result0: 2 float32: 3 4
// BRANCH-NEXT: result1: 2 float32: -3 -4
func.func @branch() -> (tensor<2xf32>, tensor<2xf32>) {
  %x = nn.constant dense<[3.0, 4.0]> : tensor<2xf32>
  %yes = nn.constant dense<true> : tensor<i1>
  %no = nn.constant dense<false> : tensor<i1>
  %0 = nn.if %yes -> (tensor<2xf32>) {
    nn.branch_yield %x : tensor<2xf32>
  } else {
    %1 = nn.neg %x : tensor<2xf32>
    nn.branch_yield %1 : tensor<2xf32>
  }
  %2 = nn.if %no -> (tensor<2xf32>) {
    nn.branch_yield %x : tensor<2xf32>
  } else {
    %1 = nn.neg %x : tensor<2xf32>
    nn.branch_yield %1 : tensor<2xf32>
  }
  return %0, %2 : tensor<2xf32>, tensor<2xf32>
}

// A branch in a loop reads the loop's values and the function's: ((1 + 1) * 10 + 1) * 10.
// NESTED: result0: 1 float32: 210
func.func @nested() -> tensor<1xf32> {
  %one = nn.constant dense<1.0> : tensor<1xf32>
  %ten = nn.constant dense<10.0> : tensor<1xf32>
  %n = nn.constant dense<4> : tensor<i64>
  %two = nn.constant dense<2> : tensor<i64>
  %zero = nn.constant dense<0> : tensor<i64>
  %0 = nn.loop trips %n carried(%one) {
  ^bb0(%i: tensor<i64>, %going: tensor<i1>, %a: tensor<1xf32>):
    %m = nn.mod %i, %two : tensor<i64>, tensor<i64>
    %even = nn.compare eq %m, %zero : tensor<i64>, tensor<i64>
    %1 = nn.if %even -> (tensor<1xf32>) {
      %2 = nn.add %a, %one : tensor<1xf32>, tensor<1xf32>
      nn.branch_yield %2 : tensor<1xf32>
    } else {
      %2 = nn.mul %a, %ten : tensor<1xf32>, tensor<1xf32>
      nn.branch_yield %2 : tensor<1xf32>
    }
    nn.next while %going carried(%1 : tensor<1xf32>)
  } : (tensor<1xf32>) -> tensor<1xf32>
  return %0 : tensor<1xf32>
}

// Doubles while less than 20, at most ten times; and collects the trips' numbers.
// LOOP: result0: 1 float32: 32
// LOOP-NEXT: result1: 3 int64: 0 1 2
func.func @loop() -> (tensor<1xf32>, tensor<3xi64>) {
  %x = nn.constant dense<1.0> : tensor<1xf32>
  %bound = nn.constant dense<20.0> : tensor<f32>
  %yes = nn.constant dense<true> : tensor<i1>
  %ten = nn.constant dense<10> : tensor<i64>
  %three = nn.constant dense<3> : tensor<i64>
  %0 = nn.loop trips %ten while %yes carried(%x) {
  ^bb0(%i: tensor<i64>, %going: tensor<i1>, %a: tensor<1xf32>):
    %1 = nn.add %a, %a : tensor<1xf32>, tensor<1xf32>
    %2 = nn.reshape %1 : tensor<1xf32> to tensor<f32>
    %3 = nn.compare lt %2, %bound : tensor<f32>, tensor<f32>
    nn.next while %3 carried(%1 : tensor<1xf32>)
  } : (tensor<1xf32>) -> tensor<1xf32>
  %4 = nn.loop trips %three carried() {
  ^bb0(%i: tensor<i64>, %going: tensor<i1>):
    nn.next while %going collected(%i : tensor<i64>)
  } : () -> tensor<3xi64>
  return %0, %4 : tensor<1xf32>, tensor<3xi64>
}

// Columns from the last to the first, collected as rows from the last to the first.
// SCAN: result0: 2 float32: 6 60
// SCAN-NEXT: result1: 3x2 float32: 6 60 5 50 3 30
func.func @scan() -> (tensor<2xf32>, tensor<3x2xf32>) {
  %zero = nn.constant dense<0.0> : tensor<2xf32>
  %x = nn.constant dense<[[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]> : tensor<2x3xf32>
  %0:2 = nn.scan carried(%zero) over(%x) {
  ^bb0(%a: tensor<2xf32>, %slice: tensor<2xf32>):
    %1 = nn.add %a, %slice : tensor<2xf32>, tensor<2xf32>
    nn.next carried(%1 : tensor<2xf32>) collected(%1 : tensor<2xf32>)
  } {axes = array<i64: 1>, reversed = array<i1: true>, collected_axes = array<i64: 0>, collected_reversed = array<i1: true>}
    : (tensor<2xf32>, tensor<2x3xf32>) -> (tensor<2xf32>, tensor<3x2xf32>)
  return %0#0, %0#1 : tensor<2xf32>, tensor<3x2xf32>
}

// WRONG: (C3) runs 2 trips, but its results hold 3
func.func @wrong_count() -> tensor<3xi64> {
  %two = nn.constant dense<2> : tensor<i64>
  %0 = nn.loop trips %two carried() {
  ^bb0(%i: tensor<i64>, %going: tensor<i1>):
    nn.next while %going collected(%i : tensor<i64>)
  } : () -> tensor<3xi64>
  return %0 : tensor<3xi64>
}

// FOREVER: has no number of trips and no condition: it would run forever
func.func @forever() -> tensor<1xf32> {
  %x = nn.constant dense<1.0> : tensor<1xf32>
  %0 = nn.loop carried(%x) {
  ^bb0(%i: tensor<i64>, %going: tensor<i1>, %a: tensor<1xf32>):
    nn.next while %going carried(%a : tensor<1xf32>)
  } : (tensor<1xf32>) -> tensor<1xf32>
  return %0 : tensor<1xf32>
}
