// RUN: mpt-opt %s --mpt-assign-precision --mpt-insert-casts | FileCheck %s
// RUN: mpt-opt %s --mpt-assign-precision=keep-io=false --mpt-insert-casts=widen-results=false | FileCheck %s --check-prefix=FREE

// Inputs and outputs keep their types, or become low where only low operations read and write them.
// Parameters are FP32 masters in both cases, cast once.

// CHECK: func.func @io(%{{.*}}: tensor<8x8xf32> {{.*}}, %{{.*}}: tensor<8x8xf32> {{.*}}) -> (tensor<8x8xf32> {{.*}}, tensor<8x8xf32>
// FREE: func.func @io(%[[X:.*]]: tensor<8x8xf16> {{.*}}, %[[W:.*]]: tensor<8x8xf32> {{.*}}) -> (tensor<8x8xf16> {{.*}}, tensor<8x8xf32>
// FREE-NEXT: %[[WH:.*]] = mp.cast %[[W]]
// FREE-NEXT: %[[Y:.*]] = nn.matmul %[[X]], %[[WH]]
// FREE-NEXT: %[[YF:.*]] = mp.cast %[[Y]]
// FREE-NEXT: %[[Z:.*]] = nn.exp %[[YF]]
// FREE-NEXT: return %[[Y]], %[[Z]]
func.func @io(%x: tensor<8x8xf32> {mp.role = #mp.role<input>, mp.name = "x"},
              %w: tensor<8x8xf32> {mp.role = #mp.role<parameter>, mp.name = "w"})
    -> (tensor<8x8xf32> {mp.role = #mp.role<output>, mp.name = "y"}, tensor<8x8xf32> {mp.role = #mp.role<output>, mp.name = "z"}) {
  %0 = nn.matmul %x, %w : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = nn.exp %0 : tensor<8x8xf32>
  return %0, %1 : tensor<8x8xf32>, tensor<8x8xf32>
}
