// RUN: mpt-opt %s --mpt-prepare-parameters 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t.remarks
// RUN: mpt-opt %s --mpt-prepare-parameters --mpt-prepare-parameters 2>%t.remarks | FileCheck %s
// RUN: mpt-opt %s --mpt-prepare-parameters --mpt-attach-loss="loss='mse(y, t)'" --mpt-differentiate --mpt-attach-optimizer="optimizer=sgd(lr=1)" 2>%t.remarks | FileCheck %s --check-prefix=STEP

// A 16-bit parameter that is trained gets an f32 master; one that is frozen stays.

// CHECK: nn.parameter @w trainable = true : tensor<2x2xf32> = dense<{{\[\[}}1.000000e+00, 5.000000e-01], [-2.000000e+00, 0.0999755859]]> : tensor<2x2xf32>
// CHECK: nn.parameter @frozen : tensor<2x2xf16>
// CHECK: func.func @forward(
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<2x2xf32> {mp.name = "w"
// CHECK-COUNT-1: nn.cast
// CHECK-NOT: nn.cast
// CHECK: nn.matmul
// REMARK: remark: parameter 'w' is stored as 'f16': trained from an f32 master
// STEP: %[[LOW:.*]] = nn.cast %{{.*}} : tensor<2x2xf32> to tensor<2x2xf16>
// STEP: nn.matmul %{{.*}}, %[[LOW]]
// STEP: %[[DW:.*]] = nn.matmul %{{.*}} {transpose_lhs = true} : (tensor<2x2xf16>, tensor<2x2xf16>) -> tensor<2x2xf16>
// STEP: %[[WIDE:.*]] = nn.cast %[[DW]] : tensor<2x2xf16> to tensor<2x2xf32>
// STEP: mp.gradient %[[WIDE]] of "w" : tensor<2x2xf32>
nn.parameter @w : tensor<2x2xf16> = dense<[[1.0, 0.5], [-2.0, 0.1]]> : tensor<2x2xf16>
nn.parameter @frozen : tensor<2x2xf16>
func.func @forward(%x: tensor<2x2xf16> {mp.name = "x", mp.role = #mp.role<input>},
    %w: tensor<2x2xf16> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w},
    %f: tensor<2x2xf16> {mp.name = "frozen", mp.role = #mp.role<parameter>, nn.parameter = @frozen})
    -> (tensor<2x2xf16> {mp.name = "y", mp.role = #mp.role<output>}) {
  %0 = nn.matmul %x, %w : (tensor<2x2xf16>, tensor<2x2xf16>) -> tensor<2x2xf16>
  %1 = nn.mul %0, %f : tensor<2x2xf16>, tensor<2x2xf16>
  return %1 : tensor<2x2xf16>
}
