// RUN: mpt-opt %s --mpt-infer-ranges="print=true remarks=false" -o /dev/null | FileCheck %s
// RUN: mpt-opt %s --mpt-infer-ranges="annotate=true remarks=false" | FileCheck %s --check-prefix=NOTE
// RUN: mpt-opt %s --mpt-infer-ranges="print=true remarks=false inputs=x=-2:2 parameters=unknown" -o /dev/null | FileCheck %s --check-prefix=SEED
// RUN: mpt-opt %s --mpt-infer-ranges="print=true remarks=false trained-bound=8" -o /dev/null | FileCheck %s --check-prefix=BOUND

nn.parameter @w trainable = true : tensor<4x2xf32> = dense<[[1.0, -2.0], [0.5, 0.0], [3.0, 1.0], [0.25, 1.0]]> : tensor<4x2xf32>

// Nothing is known of %x: softmax is bounded all the same, and so is what reads it. The finite part of
// a sum of four products of [0, 1] and [-2, 3] is known; the sum is as NaN as the softmax.

// CHECK-LABEL: @forward
// CHECK-NEXT: argument 0 'x': [-3.402823e+38, 3.402823e+38] or -inf or inf or nan
// CHECK-NEXT: argument 1 'w': [-2, 3]
// CHECK-NEXT: nn.softmax 'attention': [0, 1] or nan
// CHECK-NEXT: nn.matmul: [-8.000002, 12] or nan
// CHECK-NEXT: nn.relu: [0, 12] or nan
// CHECK-NEXT: values: 5, bounded: 4, proven to fit f16: 4
// NOTE-LABEL: func.func @forward(
// NOTE: nn.softmax {{.*}}mp.ranges = [{hi = 1.000000e+00 : f64, lo = 0.000000e+00 : f64, nan, smallest = {{.*}} : f64}]
// SEED-LABEL: @forward
// SEED: nn.softmax 'attention': [0.00457{{[0-9]*}}, 1]{{$}}
// SEED-NEXT: nn.matmul: [-3.402823e+38, 3.402823e+38] or -inf or inf or nan
// A parameter that the function does not replace has its initial values.
// BOUND-LABEL: @forward
// BOUND: argument 1 'w': [-2, 3]
func.func @forward(%x: tensor<3x4xf32> {mp.name = "x", mp.role = #mp.role<input>},
                   %w: tensor<4x2xf32> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w}) -> tensor<3x2xf32> {
  %0 = nn.softmax %x {axis = 1} : tensor<3x4xf32> loc("attention")
  %1 = nn.matmul %0, %w : (tensor<3x4xf32>, tensor<4x2xf32>) -> tensor<3x2xf32>
  %2 = nn.relu %1 : tensor<3x2xf32>
  return %2 : tensor<3x2xf32>
}

// A step trains its parameter: the initial values hold in the first step, a bound is assumed when asked for.

// CHECK-LABEL: @step
// CHECK: argument 0 'w': [-2, 3]
// CHECK: nn.mul: [0, 9]
// BOUND-LABEL: @step
// BOUND: argument 0 'w': [-8, 8]
// BOUND: nn.mul: [0, 64]
func.func @step(%w: tensor<4x2xf32> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w})
    -> (tensor<4x2xf32> {mp.name = "w", mp.role = #mp.role<parameter>}) {
  %0 = nn.mul %w, %w : tensor<4x2xf32>, tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}

// Branches and loops: the results hold what either branch gives; a range that grows from round to round
// becomes everything its type holds.

// CHECK-LABEL: @regions
// CHECK: scf.if: [-5, 7]
// CHECK: scf.for: [0, 3.402823e+38] or inf
func.func @regions(%c: i1, %n: index, %x: tensor<2xf32> {mp.name = "r", mp.range = array<f64: -5.0, 3.0>}) -> (tensor<2xf32>, tensor<2xf32>) {
  %one = arith.constant 1 : index
  %zero = arith.constant 0 : index
  %seven = nn.constant dense<7.0> : tensor<2xf32>
  %0 = scf.if %c -> (tensor<2xf32>) {
    scf.yield %x : tensor<2xf32>
  } else {
    scf.yield %seven : tensor<2xf32>
  }
  %start = nn.relu %x : tensor<2xf32>
  %1 = scf.for %i = %zero to %n step %one iter_args(%sum = %start) -> (tensor<2xf32>) {
    %next = nn.add %sum, %seven : tensor<2xf32>, tensor<2xf32>
    scf.yield %next : tensor<2xf32>
  }
  return %0, %1 : tensor<2xf32>, tensor<2xf32>
}
