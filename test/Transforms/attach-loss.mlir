// RUN: mpt-opt %s --split-input-file --mpt-attach-loss="loss='cross_entropy(logits, labels)'" | FileCheck %s --check-prefixes=CHECK,CE
// RUN: mpt-opt %s --split-input-file --mpt-attach-loss="loss='2*mse(logits, target) + 0.5*l1(logits, target, reduction=sum) - bce_with_logits(logits, other)'" | FileCheck %s --check-prefixes=CHECK,SUM
// RUN: mpt-opt %s --split-input-file --mpt-attach-loss="loss='cross_entropy(logits, labels, 0, ignore_index=7, weights=w, reduction=sum)'" | FileCheck %s --check-prefixes=CHECK,WEIGHTED
// RUN: mpt-opt %s --split-input-file --mpt-attach-loss="loss='cross_entropy(logits, labels)' function=forward" | FileCheck %s --check-prefixes=CHECK,CE

// Labels stand behind the inputs and before the parameters, the loss before the outputs.

// CHECK-LABEL: func.func @forward(
// CHECK-SAME: %{{.*}}: tensor<2x4xf32> {mp.name = "x", mp.role = #mp.role<input>},
// CE-SAME: %[[L:.*]]: tensor<2xi64> {mp.name = "labels", mp.role = #mp.role<label>}, %{{[a-z0-9]+}}: tensor<4x3xf32>
// SUM-SAME: %[[T:.*]]: tensor<2x3xf32> {mp.name = "target", mp.role = #mp.role<label>}, %[[O:.*]]: tensor<2x3xf32> {mp.name = "other", mp.role = #mp.role<label>}, %{{[a-z0-9]+}}: tensor<4x3xf32>
// WEIGHTED-SAME: %[[L:.*]]: tensor<3xi64> {mp.name = "labels", mp.role = #mp.role<label>}, %[[C:.*]]: tensor<2xf32> {mp.name = "w", mp.role = #mp.role<label>}, %{{[a-z0-9]+}}: tensor<4x3xf32>
// CHECK-SAME: -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}, tensor<2x3xf32> {mp.name = "logits", mp.role = #mp.role<output>})
// CHECK: %[[LOGITS:.*]] = nn.matmul
// CE: %[[LOSS:.*]], %{{.*}} = nn.softmax_cross_entropy %[[LOGITS]], %[[L]] {axis = 1 : i64, ignore_index = -100 : i64}
// CE: return %[[LOSS]], %[[LOGITS]]
// WEIGHTED: nn.softmax_cross_entropy %[[LOGITS]], %[[L]] weights %[[C]] {axis = 0 : i64, ignore_index = 7 : i64, reduction = #nn<loss_reduction sum>}
// SUM: %[[MSE:.*]] = nn.mse_loss %[[LOGITS]], %[[T]] : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<f32>
// SUM: %[[TWO:.*]] = nn.constant dense<2.0{{.*}}> : tensor<f32>
// SUM: %[[FIRST:.*]] = nn.mul %[[MSE]], %[[TWO]]
// SUM: %[[L1:.*]] = nn.l1_loss %[[LOGITS]], %[[T]] {reduction = #nn<loss_reduction sum>}
// SUM: %[[SECOND:.*]] = nn.mul %[[L1]], %{{.*}}
// SUM: %[[PAIR:.*]] = nn.add %[[FIRST]], %[[SECOND]]
// SUM: %[[BCE:.*]] = nn.bce_with_logits_loss %[[LOGITS]], %[[O]]
// SUM: %[[MINUS:.*]] = nn.constant dense<-1.0{{.*}}> : tensor<f32>
// SUM: %[[THIRD:.*]] = nn.mul %[[BCE]], %[[MINUS]]
// SUM: %[[LOSS:.*]] = nn.add %[[PAIR]], %[[THIRD]]
// SUM: return %[[LOSS]], %[[LOGITS]]
func.func @forward(%x: tensor<2x4xf32> {mp.name = "x", mp.role = #mp.role<input>},
                   %w: tensor<4x3xf32> {mp.name = "w", mp.role = #mp.role<parameter>, nn.parameter = @w})
    -> (tensor<2x3xf32> {mp.name = "logits", mp.role = #mp.role<output>}) {
  %0 = nn.matmul %x, %w : (tensor<2x4xf32>, tensor<4x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}
