// RUN: mpt-opt %s --split-input-file --mpt-assign-precision --mpt-insert-casts | FileCheck %s
// RUN: mpt-opt %s --split-input-file --mpt-assign-precision --mpt-insert-casts > %t.once
// RUN: mpt-opt %t.once --split-input-file --mpt-assign-precision --mpt-insert-casts | diff %t.once -
// RUN: mpt-opt %s --split-input-file --mpt-assign-precision=fp32-ops=scf.for,scf.if,scf.while --mpt-insert-casts | FileCheck %s --check-prefix=PINNED
// RUN: mpt-opt %s --split-input-file --mpt-assign-precision --mpt-insert-casts --mpt-print-precision=details=true -o %t | FileCheck %s --check-prefix=WHY
// RUN: mpt-opt %s --split-input-file --mpt-assign-precision --mpt-insert-casts --mpt-explain-precision=output=- -o %t | FileCheck %s --check-prefix=EXPLAIN

// Initial value, argument, yielded value and result of a loop have one type. The cast of the initial value stands in
// front of the loop and that of the weight, too: they happen once.

// CHECK-LABEL: func.func @loop(
// CHECK-SAME: %[[X:.*]]: tensor<8x8xf32>, %[[W:.*]]: tensor<8x8xf32>
// CHECK-DAG: %[[XH:.*]] = mp.cast %[[X]]
// CHECK-DAG: %[[WH:.*]] = mp.cast %[[W]]
// CHECK: %[[R:.*]] = scf.for {{.*}} iter_args(%[[A:.*]] = %[[XH]]) -> (tensor<8x8xf16>)
// CHECK-NOT: mp.cast
// CHECK: %[[M:.*]] = nn.matmul %[[A]], %[[WH]] {{.*}} -> tensor<8x8xf16>
// CHECK-NEXT: %[[N:.*]] = nn.relu %[[M]] {{.*}} : tensor<8x8xf16>
// CHECK-NEXT: scf.yield %[[N]] : tensor<8x8xf16>
// CHECK: } {mp.carried = [#mp.decision<f16, low = true, "carried through a region, in one precision throughout <- nn.
// CHECK: mp.cast %[[R]] : tensor<8x8xf16> to tensor<8x8xf32>
// CHECK: return
// PINNED-LABEL: func.func @loop(
// PINNED: scf.for {{.*}} -> (tensor<8x8xf32>)
// PINNED: %[[AH:.*]] = mp.cast %{{.*}} : tensor<8x8xf32> to tensor<8x8xf16>
// PINNED: nn.matmul %[[AH]]
// PINNED: "the user wants 'scf.for' in FP32"
// WHY-LABEL: @loop: 3 ops low, 0 ops FP32
// WHY: scf.for, carried value 0: low: carried through a region, in one precision throughout <- nn.
// WHY: nn.matmul: low:
// WHY: nn.relu: low:
// EXPLAIN: f16 nn.matmul: profits from low precision
// EXPLAIN: f16 nn.relu: moves
// EXPLAIN-NEXT: <- nn.matmul: profits
// EXPLAIN: f16 scf.for: carried through a region, in one precision throughout (256 -> 128 bytes)
// EXPLAIN-NEXT: <- nn.matmul: profits
func.func @loop(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>, %n: index) -> tensor<8x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> (tensor<8x8xf32>) {
    %1 = nn.matmul %a, %w : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
    %2 = nn.relu %1 : tensor<8x8xf32>
    scf.yield %2 : tensor<8x8xf32>
  }
  return %0 : tensor<8x8xf32>
}

// -----

// Two values go around, each in its own precision: the running sum of exponentials stays FP32.

// CHECK-LABEL: func.func @two_chains(
// CHECK: scf.for {{.*}} -> (tensor<8x8xf16>, tensor<8x8xf32>)
// CHECK: %[[M:.*]] = nn.matmul {{.*}} -> tensor<8x8xf16>
// CHECK: %[[MF:.*]] = mp.cast %[[M]]
// CHECK: nn.exp %[[MF]] {{.*}} tensor<8x8xf32>
// CHECK: scf.yield %[[M]], %{{.*}} : tensor<8x8xf16>, tensor<8x8xf32>
// CHECK: mp.carried = [#mp.decision<f16, low = true,{{.*}}>, #mp.decision<f16, low = false, "slow: no low operation beside it">]
func.func @two_chains(%x: tensor<8x8xf32>, %s: tensor<8x8xf32>, %n: index) -> (tensor<8x8xf32>, tensor<8x8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %sum = %s) -> (tensor<8x8xf32>, tensor<8x8xf32>) {
    %1 = nn.matmul %a, %a : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
    %2 = nn.exp %1 : tensor<8x8xf32>
    %3 = nn.add %sum, %2 : tensor<8x8xf32>, tensor<8x8xf32>
    scf.yield %1, %3 : tensor<8x8xf32>, tensor<8x8xf32>
  }
  return %0#0, %0#1 : tensor<8x8xf32>, tensor<8x8xf32>
}

// -----

// Both branches give one type. A user's own cast inside of a branch stays.

// CHECK-LABEL: func.func @branches(
// CHECK: %[[M:.*]] = nn.matmul {{.*}} -> tensor<8x8xf16>
// CHECK: %[[R:.*]] = scf.if %{{.*}} -> (tensor<8x8xf16>)
// CHECK: nn.gelu %[[M]] {{.*}} tensor<8x8xf16>
// CHECK: else
// CHECK: %[[U:.*]] = nn.cast {{.*}} : tensor<8x8xf32> to tensor<8x8xf16>
// CHECK: %[[V:.*]] = nn.cast %[[U]] {{.*}} : tensor<8x8xf16> to tensor<8x8xf32>
// CHECK: %[[VH:.*]] = mp.cast %[[V]]
// CHECK: scf.yield %[[VH]] : tensor<8x8xf16>
// CHECK: nn.matmul %[[R]], %{{.*}} -> tensor<8x8xf32>
func.func @branches(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>, %c: i1) -> tensor<8x8xf32> {
  %0 = nn.matmul %x, %w : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = scf.if %c -> tensor<8x8xf32> {
    %2 = nn.gelu %0 : tensor<8x8xf32>
    scf.yield %2 : tensor<8x8xf32>
  } else {
    %2 = nn.cast %0 : tensor<8x8xf32> to tensor<8x8xf16>
    %3 = nn.cast %2 : tensor<8x8xf16> to tensor<8x8xf32>
    scf.yield %3 : tensor<8x8xf32>
  }
  %4 = nn.matmul %1, %w : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  return %4 : tensor<8x8xf32>
}

// -----

// linalg and math inside of a while; what goes in and what comes out are two chains.

// CHECK-LABEL: func.func @while(
// CHECK: scf.while (%[[A:.*]] = %{{.*}}) : (tensor<8x8xf16>) -> tensor<8x8xf32>
// CHECK: linalg.matmul {{.*}} ins(%[[A]], %{{.*}} : tensor<8x8xf16>, tensor<8x8xf16>) outs(%{{.*}} : tensor<8x8xf32>)
// CHECK: scf.condition(%{{.*}}) %{{.*}} : tensor<8x8xf32>
// CHECK: ^bb0(%[[B:.*]]: tensor<8x8xf32>):
// CHECK: %[[Y:.*]] = math.exp %[[B]] {{.*}} : tensor<8x8xf32>
// CHECK-NEXT: %[[YH:.*]] = mp.cast %[[Y]]
// CHECK-NEXT: math.tanh %[[YH]] {{.*}} : tensor<8x8xf16>
// CHECK: scf.yield %{{.*}} : tensor<8x8xf16>
func.func @while(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>, %c: i1) -> tensor<8x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x8xf32>
  %r = scf.while (%a = %x) : (tensor<8x8xf32>) -> tensor<8x8xf32> {
    %i = linalg.fill ins(%zero : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
    %m = linalg.matmul ins(%a, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%i : tensor<8x8xf32>) -> tensor<8x8xf32>
    scf.condition(%c) %m : tensor<8x8xf32>
  } do {
  ^bb0(%b: tensor<8x8xf32>):
    %y = math.exp %b : tensor<8x8xf32>
    %z = math.tanh %y : tensor<8x8xf32>
    scf.yield %z : tensor<8x8xf32>
  }
  return %r : tensor<8x8xf32>
}

// -----

// Nothing in the loop profits: nothing changes.

// CHECK-LABEL: func.func @nothing(
// CHECK-NOT: mp.cast %
// CHECK: scf.for {{.*}} -> (tensor<8x8xf32>)
// CHECK: mp.carried = [#mp.decision<f16, low = false, "slow: no low operation beside it">]
// CHECK-NOT: mp.cast %
// CHECK: return
func.func @nothing(%x: tensor<8x8xf32>, %n: index) -> tensor<8x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> (tensor<8x8xf32>) {
    %1 = nn.add %a, %x : tensor<8x8xf32>, tensor<8x8xf32>
    scf.yield %1 : tensor<8x8xf32>
  }
  return %0 : tensor<8x8xf32>
}

// -----

// Values that are 16 bits wide in the model, and those of an operation whose regions are not understood, stay.

// CHECK-LABEL: func.func @others(
// CHECK: scf.for {{.*}} -> (tensor<8x8xf16>)
// CHECK: } {mp.carried = [#mp.decision<f16, low = false, "the model chose another type than f32">]}
// CHECK: scf.forall {{.*}} shared_outs(%{{.*}} = %{{.*}}) -> (tensor<8x8xf32>)
// CHECK: mp.carried = [#mp.decision<f16, low = false, "no kernel: nothing is known about it">]
func.func @others(%x: tensor<8x8xf32>, %h: tensor<8x8xf16>, %n: index) -> (tensor<8x8xf16>, tensor<8x8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %h) -> (tensor<8x8xf16>) {
    %1 = nn.relu %a : tensor<8x8xf16>
    scf.yield %1 : tensor<8x8xf16>
  }
  %m = nn.matmul %x, %x : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %2 = scf.forall (%i) in (8) shared_outs(%o = %m) -> (tensor<8x8xf32>) {
    %s = tensor.extract_slice %x[%i, 0] [1, 8] [1, 1] : tensor<8x8xf32> to tensor<1x8xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %s into %o[%i, 0] [1, 8] [1, 1] : tensor<1x8xf32> into tensor<8x8xf32>
    }
  }
  return %0, %2 : tensor<8x8xf16>, tensor<8x8xf32>
}
