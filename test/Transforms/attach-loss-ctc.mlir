// RUN: mpt-opt %s --mpt-attach-loss="loss='ctc(logits, labels, frames, counts)'" | FileCheck %s --check-prefixes=CHECK,PLAIN
// RUN: mpt-opt %s --mpt-attach-loss="loss='0.4*ctc(logits, labels, frames, counts, blank=2, reduction=sum, zero_infinity=true)' label-lengths=labels=3" | FileCheck %s --check-prefixes=CHECK,GIVEN

// As many labels as frames, or as many as the option says.

// CHECK-LABEL: func.func @forward(
// PLAIN-SAME: %[[L:[a-z0-9]+]]: tensor<2x5xi64> {mp.name = "labels", mp.role = #mp.role<label>}
// GIVEN-SAME: %[[L:[a-z0-9]+]]: tensor<2x3xi64> {mp.name = "labels", mp.role = #mp.role<label>}
// CHECK-SAME: %[[T:[a-z0-9]+]]: tensor<2xi64> {mp.name = "frames", mp.role = #mp.role<label>}, %[[S:[a-z0-9]+]]: tensor<2xi64> {mp.name = "counts", mp.role = #mp.role<label>}
// PLAIN: nn.ctc_loss %{{.*}}, %[[L]], %[[T]], %[[S]] : (tensor<2x5x4xf32>, tensor<2x5xi64>, tensor<2xi64>, tensor<2xi64>) -> (tensor<f32>, tensor<2x5x4xf32>, tensor<2x5x11xf32>)
// GIVEN: %[[LOSS:[a-z]+]], %{{.*}}, %{{.*}} = nn.ctc_loss %{{.*}}, %[[L]], %[[T]], %[[S]] {blank = 2 : i64, reduction = #nn<loss_reduction sum>, zero_infinity = true}
// A factor that f32 does not hold comes in two parts.
// GIVEN: %[[HIGH:.*]] = nn.constant dense<4.000000e-01>
// GIVEN: %[[A:.*]] = nn.mul %[[LOSS]], %[[HIGH]]
// GIVEN: %[[LOW:.*]] = nn.constant dense<-5.96046{{[0-9]+}}E-9>
// GIVEN: %[[B:.*]] = nn.mul %[[LOSS]], %[[LOW]]
// GIVEN: %[[SUM:.*]] = nn.add %[[A]], %[[B]]
// GIVEN: return %[[SUM]]
func.func @forward(%x: tensor<2x5x4xf16> {mp.name = "x", mp.role = #mp.role<input>})
    -> (tensor<2x5x4xf16> {mp.name = "logits", mp.role = #mp.role<output>}) {
  return %x : tensor<2x5x4xf16>
}
