// RUN: mpt-opt %s --mpt-prepare-parameters 2>%t.remarks | FileCheck %s --check-prefix=KEEP
// RUN: FileCheck %s --check-prefix=WANTED --input-file=%t.remarks
// RUN: mpt-opt %s --mpt-prepare-parameters=batch-norm=training 2>%t.remarks | FileCheck %s --check-prefix=TRAIN
// RUN: FileCheck %s --check-prefix=DONE --input-file=%t.remarks
// RUN: not mpt-opt %s --mpt-prepare-parameters=batch-norm=sometimes 2>&1 | FileCheck %s --check-prefix=OPTION
// OPTION: error: batch-norm should be keep or training, is 'sometimes'

// KEEP: nn.batch_norm_inference
// WANTED: remark: 1 batch norms with trained scales use fixed statistics (the model was exported for inference); batch-norm=training makes them follow the batch
// TRAIN: %[[Y:.*]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} = nn.batch_norm_training %{{.*}} {epsilon = 1.000000e-03 : f64}
// TRAIN: return %[[Y]]
// DONE: remark: 1 batch norms normalize with the batch's statistics now
// DONE-NOT: use fixed statistics
nn.parameter @s : tensor<4xf32>
nn.parameter @m : tensor<4xf32>
// Running statistics are never trained.
// KEEP-NOT: nn.parameter @m trainable
func.func @forward(%x: tensor<2x4xf32> {mp.name = "x", mp.role = #mp.role<input>},
    %s: tensor<4xf32> {mp.name = "s", mp.role = #mp.role<parameter>, nn.parameter = @s},
    %m: tensor<4xf32> {mp.name = "m", mp.role = #mp.role<statistic>, nn.parameter = @m})
    -> (tensor<2x4xf32> {mp.name = "y", mp.role = #mp.role<output>}) {
  %0 = nn.batch_norm_inference %x, %s, %s, %m, %m {epsilon = 1.0e-3} : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}
