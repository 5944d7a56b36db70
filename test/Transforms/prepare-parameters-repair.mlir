// RUN: mpt-opt %s --mpt-prepare-parameters 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t.remarks
// RUN: mpt-opt %s --mpt-prepare-parameters="split-splats=false tie-transposes=false" 2>%t.remarks | FileCheck %s --check-prefix=KEEP
// RUN: FileCheck %s --check-prefix=QUIET --input-file=%t.remarks
// RUN: mpt-opt %s --mpt-prepare-parameters="freeze='.*,!zero.*' trainable='zero|shared'" 2>%t.remarks | FileCheck %s --check-prefix=SELECT
// RUN: FileCheck %s --check-prefix=WINS --input-file=%t.remarks
// RUN: not mpt-opt %s --mpt-prepare-parameters="freeze=nobody" 2>&1 | FileCheck %s --check-prefix=NOBODY

// A splat with two users becomes two parameters; a shared table with content stays one; the
// transposed copy of the embedding is tied to it.

// CHECK-DAG: nn.parameter @zero trainable = true : tensor<2xf32> = dense<0.000000e+00>
// CHECK-DAG: nn.parameter @zero.1 trainable = true : tensor<2xf32> = dense<0.000000e+00>
// CHECK-DAG: nn.parameter @shared trainable = true
// CHECK-DAG: nn.parameter @embedding trainable = true
// CHECK-NOT: nn.parameter @val_47
// CHECK: func.func @forward(
// CHECK-SAME: %[[ZERO:[a-z0-9]+]]: tensor<2xf32> {mp.name = "zero"
// CHECK-SAME: %[[SHARED:[a-z0-9]+]]: tensor<2x2xf32> {mp.name = "shared"
// CHECK-NOT: val_47
// CHECK-SAME: %[[TABLE:[a-z0-9]+]]: tensor<3x2xf32> {mp.name = "embedding"
// CHECK-SAME: %[[ZERO1:[a-z0-9]+]]: tensor<2xf32> {mp.name = "zero.1", mp.role = #mp.role<parameter>, nn.parameter = @zero.1}
// CHECK: %[[TIED:.*]] = nn.transpose %[[TABLE]] {permutation = array<i64: 1, 0>}
// CHECK: nn.gather %[[TABLE]]
// CHECK: nn.matmul %{{.*}}, %[[SHARED]]
// CHECK: nn.add %{{.*}}, %[[ZERO]]
// CHECK: nn.matmul %{{.*}}, %[[SHARED]]
// CHECK: nn.add %{{.*}}, %[[ZERO1]]
// CHECK: nn.matmul %{{.*}}, %[[TIED]]
// REMARK-DAG: remark: parameter 'zero' holds one value and has 2 users: an exporter merged equal initializers (torch.onnx.export(optimize=False) keeps them apart); split into one parameter per use (split-splats=false keeps it)
// REMARK-DAG: remark: parameter 'val_47' is bit for bit the transpose of 'embedding': tied to it (tie-transposes=false keeps both)
// KEEP-DAG: nn.parameter @zero trainable = true
// KEEP-DAG: nn.parameter @val_47 trainable = true
// KEEP-NOT: nn.parameter @zero.1
// QUIET-NOT: remark: parameter
// QUIET: remark: trained: 'zero'
// SELECT-DAG: nn.parameter @zero trainable = true
// SELECT-DAG: nn.parameter @zero.1 trainable = true
// SELECT-DAG: nn.parameter @shared : tensor
// SELECT-DAG: nn.parameter @embedding : tensor
// WINS-DAG: remark: trained: 'zero' (named by 'trainable')
// WINS-DAG: remark: frozen: 'shared' (named by 'freeze', which wins over 'trainable')
// WINS-DAG: remark: frozen: 'embedding' (named by 'freeze')
// NOBODY: error: 'nobody' names no float parameter; there are: 'zero', 'shared', 'embedding', 'zero.1'
nn.parameter @zero : tensor<2xf32> = dense<0.0> : tensor<2xf32>
nn.parameter @shared : tensor<2x2xf32> = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
nn.parameter @val_47 : tensor<2x3xf32> = dense<[[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]> : tensor<2x3xf32>
nn.parameter @embedding : tensor<3x2xf32> = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
func.func @forward(%ids: tensor<4xi64> {mp.name = "ids", mp.role = #mp.role<input>},
    %zero: tensor<2xf32> {mp.name = "zero", mp.role = #mp.role<parameter>, nn.parameter = @zero},
    %shared: tensor<2x2xf32> {mp.name = "shared", mp.role = #mp.role<parameter>, nn.parameter = @shared},
    %output: tensor<2x3xf32> {mp.name = "val_47", mp.role = #mp.role<parameter>, nn.parameter = @val_47},
    %table: tensor<3x2xf32> {mp.name = "embedding", mp.role = #mp.role<parameter>, nn.parameter = @embedding})
    -> (tensor<4x3xf32> {mp.name = "y", mp.role = #mp.role<output>}) {
  %0 = nn.gather %table, %ids {axis = 0 : i64} : tensor<3x2xf32>, tensor<4xi64>
  %1 = nn.matmul %0, %shared : (tensor<4x2xf32>, tensor<2x2xf32>) -> tensor<4x2xf32>
  %2 = nn.add %1, %zero : tensor<4x2xf32>, tensor<2xf32>
  %3 = nn.matmul %2, %shared : (tensor<4x2xf32>, tensor<2x2xf32>) -> tensor<4x2xf32>
  %4 = nn.add %3, %zero : tensor<4x2xf32>, tensor<2xf32>
  %5 = nn.matmul %4, %output : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return %5 : tensor<4x3xf32>
}
