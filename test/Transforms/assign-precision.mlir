// RUN: mpt-opt %s --split-input-file --mpt-assign-precision | FileCheck %s
// RUN: mpt-opt %s --split-input-file --mpt-assign-precision=low=bf16 | FileCheck %s --check-prefix=BF16
// RUN: mpt-opt %s --split-input-file --mpt-assign-precision --mpt-print-precision=details=true -o %t | FileCheck %s --check-prefix=WHY
// The pair of passes, once and twice, on every function below.
// RUN: mpt-opt %s --split-input-file --mpt-assign-precision --mpt-insert-casts > %t.once
// RUN: mpt-opt %t.once --split-input-file --mpt-assign-precision --mpt-insert-casts --mpt-assign-precision --mpt-insert-casts > %t.twice
// RUN: diff %t.once %t.twice

// What lies between convolutions and a matrix product is low: batch norm, residual add, relu,
// pooling. The bias of the logits stays in FP32 with the loss: in FP16 it would need one cast more.

// CHECK-LABEL: func.func @network
// CHECK: nn.conv {{.*}}low = true
// CHECK: nn.batch_norm_training {{.*}}low = true
// CHECK: nn.relu {{.*}}low = true
// CHECK: nn.conv {{.*}}low = true
// CHECK: nn.add {{.*}}low = true
// CHECK: nn.max_pool {{.*}}low = true
// CHECK: nn.reshape {{.*}}low = true
// CHECK: nn.matmul {{.*}}low = true
// CHECK: nn.add {{.*}}low = false
// CHECK: nn.softmax_cross_entropy {{.*}}low = false
// The types are not touched.
// CHECK-NOT: f16>{{[^,]}}
// BF16: nn.conv {{.*}}#mp.decision<bf16, low = true
// WHY-LABEL: @network: 8 ops low, 2 ops FP32, 0 casts
// WHY-NEXT: nn.conv 'conv1': low: profits from low precision, sums in FP32
// WHY-NEXT: nn.batch_norm_training 'bn1': low: safe in 16 bits: statistics, scale and shift are FP32 <- nn.conv 'conv1'
// WHY: nn.add: fp32: slow: in the low type it would need more casts
// WHY-NEXT: nn.softmax_cross_entropy: fp32: unsafe: a loss and its gradient are FP32
func.func @network(%x: tensor<8x1x12x12xf32>, %labels: tensor<8xi64>,
    %w: tensor<4x1x3x3xf32>, %w2: tensor<4x4x1x1xf32>, %c: tensor<4xf32>,
    %fc: tensor<100x10xf32>, %fcb: tensor<10xf32>) -> (tensor<f32> {mp.role = #mp.role<loss>, mp.name = "loss"}) {
  %0 = nn.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<8x1x12x12xf32>, tensor<4x1x3x3xf32>) -> tensor<8x4x10x10xf32> loc("conv1")
  %y, %nm, %nv, %sm, %sr = nn.batch_norm_training %0, %c, %c, %c, %c : (tensor<8x4x10x10xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<8x4x10x10xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) loc("bn1")
  %1 = nn.relu %y : tensor<8x4x10x10xf32>
  %2 = nn.conv %1, %w2 {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<8x4x10x10xf32>, tensor<4x4x1x1xf32>) -> tensor<8x4x10x10xf32>
  %3 = nn.add %2, %1 : tensor<8x4x10x10xf32>, tensor<8x4x10x10xf32>
  %4, %taps = nn.max_pool %3 {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<8x4x10x10xf32>) -> (tensor<8x4x5x5xf32>, tensor<8x4x5x5xi8>)
  %5 = nn.reshape %4 : tensor<8x4x5x5xf32> to tensor<8x100xf32>
  %6 = nn.matmul %5, %fc : (tensor<8x100xf32>, tensor<100x10xf32>) -> tensor<8x10xf32>
  %7 = nn.add %6, %fcb : tensor<8x10xf32>, tensor<10xf32>
  %loss, %lp = nn.softmax_cross_entropy %7, %labels {axis = 1} : (tensor<8x10xf32>, tensor<8xi64>) -> (tensor<f32>, tensor<8x10xf32>)
  return %loss : tensor<f32>
}

// -----

// Low even though the only consumer is FP32: the result takes half the bytes and a cast is
// needed anyway.

// CHECK-LABEL: func.func @before_loss
// CHECK: nn.conv {{.*}}low = true
// CHECK: nn.batch_norm_inference {{.*}}low = true
// CHECK: nn.relu {{.*}}low = true
// CHECK: nn.exp {{.*}}low = false, "unsafe: exp overflows FP16 above 11.09"
func.func @before_loss(%x: tensor<8x1x12x12xf32>, %w: tensor<4x1x3x3xf32>, %c: tensor<4xf32>) -> tensor<8x4x10x10xf32> {
  %0 = nn.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<8x1x12x12xf32>, tensor<4x1x3x3xf32>) -> tensor<8x4x10x10xf32>
  %1 = nn.batch_norm_inference %0, %c, %c, %c, %c : (tensor<8x4x10x10xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<8x4x10x10xf32>
  %2 = nn.relu %1 : tensor<8x4x10x10xf32>
  %3 = nn.exp %2 : tensor<8x4x10x10xf32>
  return %3 : tensor<8x4x10x10xf32>
}

// -----

// Between FP32 operations nothing becomes low; with one low neighbour among FP32 ones neither.

// CHECK-LABEL: func.func @fp32_island
// CHECK: nn.exp {{.*}}low = false
// CHECK: nn.neg {{.*}}low = false, "slow: no low operation beside it"
// CHECK: nn.matmul {{.*}}low = true
// CHECK: nn.mul {{.*}}low = false, "slow: in the low type it would need more casts, 256 bytes more than it saves"
// CHECK: nn.log {{.*}}low = false
func.func @fp32_island(%x: tensor<8x8xf32>) -> (tensor<8x8xf32>, tensor<8x8xf32>) {
  %0 = nn.exp %x : tensor<8x8xf32>
  %1 = nn.neg %0 : tensor<8x8xf32>
  %2 = nn.matmul %x, %x : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %3 = nn.mul %0, %2 : tensor<8x8xf32>, tensor<8x8xf32>
  %4 = nn.log %3 : tensor<8x8xf32>
  return %1, %4 : tensor<8x8xf32>, tensor<8x8xf32>
}

// -----

// Constants. An infinity stays one; what FP16 cannot hold keeps its operation in FP32. BF16 holds 1e5 and 1e-8.

// CHECK-LABEL: func.func @constants
// CHECK: nn.where {{.*}}low = true
// CHECK: nn.where {{.*}}low = false, "unsafe: a constant operand overflows the low type"
// CHECK: nn.mul {{.*}}low = false, "unsafe: a constant operand overflows the low type"
// CHECK: nn.add {{.*}}low = false, "unsafe: a constant operand vanishes in the low type"
// BF16-LABEL: func.func @constants
// BF16: nn.where {{.*}}low = true
// BF16: nn.where {{.*}}low = false
// BF16: nn.mul {{.*}}low = true
// BF16: nn.add {{.*}}low = true
func.func @constants(%x: tensor<8x8xf32>, %mask: tensor<8x8xi1>) -> (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>) {
  %inf = nn.constant dense<0xFF800000> : tensor<f32>
  %lowest = nn.constant dense<-3.40282347E+38> : tensor<f32>
  %big = nn.constant dense<1.0e5> : tensor<f32>
  %eps = nn.constant dense<1.0e-8> : tensor<f32>
  %m = nn.matmul %x, %x : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %0 = nn.where %mask, %m, %inf : tensor<8x8xi1>, tensor<8x8xf32>, tensor<f32>
  %1 = nn.where %mask, %m, %lowest : tensor<8x8xi1>, tensor<8x8xf32>, tensor<f32>
  %2 = nn.mul %m, %big : tensor<8x8xf32>, tensor<f32>
  %3 = nn.add %m, %eps : tensor<8x8xf32>, tensor<f32>
  %4 = nn.matmul %0, %1 : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %5 = nn.matmul %2, %3 : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  return %4, %5, %2, %3 : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>
}

// -----

// The seed of the backward graph, what is computed from it alone and what reads that; everything
// behind a finished gradient; pins; operations without the interface; other types than f32.

// CHECK-LABEL: func.func @fixed
// CHECK: nn.mul {{.*}}low = false, "unsafe: reads the loss scale"
// CHECK: nn.expand {{.*}}low = false, "unsafe: reads the loss scale"
// CHECK: nn.mul {{.*}}low = false, "unsafe: reads the loss scale"
// CHECK: nn.matmul {{.*}}low = true
// CHECK: mp.unscale {{.*}}low = false
// CHECK: nn.matmul {{.*}}low = false, "unsafe: behind a finished gradient"
// CHECK: nn.matmul {{.*}}low = false, "pinned: by hand"
// CHECK: nn.onnx_node {{.*}}low = false, "no kernel: nothing is known about it"
// CHECK: nn.matmul {{.*}}low = false, "the model chose another type than f32"
func.func @fixed(%x: tensor<8x8xf32>, %d: tensor<8x8xf64>, %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"})
    -> (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf64>) {
  %n = nn.constant dense<0.015625> : tensor<f32>
  %0 = nn.mul %s, %n : tensor<f32>, tensor<f32>
  %1 = nn.expand %0 : tensor<f32> to tensor<8x8xf32>
  %2 = nn.mul %1, %x : tensor<8x8xf32>, tensor<8x8xf32>
  %3 = nn.matmul %2, %x : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %4 = mp.unscale %3 of "w" by %s : tensor<8x8xf32>, tensor<f32>
  %5 = nn.matmul %4, %4 : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %6 = nn.matmul %x, %x {mp.pin = "by hand"} : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %7 = nn.onnx_node "" : "Det"(%x) {node = "", opset = 22 : i64, operand_names = ["x"]} : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %8 = nn.matmul %d, %d : (tensor<8x8xf64>, tensor<8x8xf64>) -> tensor<8x8xf64>
  return %5, %6, %7, %8 : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf64>
}

// -----

// A loss of elementary operations is computed in FP32, back to the last low operation.

// CHECK-LABEL: func.func @composite_loss
// CHECK: nn.matmul {{.*}}low = true
// CHECK: nn.sub {{.*}}low = false, "unsafe: computes the loss"
// CHECK: nn.mul {{.*}}low = false, "unsafe: computes the loss"
// CHECK: nn.reduce_mean {{.*}}low = false, "unsafe: computes the loss"
func.func @composite_loss(%x: tensor<8x8xf32>, %t: tensor<8x8xf32>) -> (tensor<f32> {mp.role = #mp.role<loss>, mp.name = "loss"}) {
  %0 = nn.matmul %x, %x : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = nn.sub %0, %t : tensor<8x8xf32>, tensor<8x8xf32>
  %2 = nn.mul %1, %1 : tensor<8x8xf32>, tensor<8x8xf32>
  %3 = nn.reduce_mean %2 {axes = array<i64: 0, 1>} : (tensor<8x8xf32>) -> tensor<f32>
  return %3 : tensor<f32>
}

// -----

// Nothing to decide about integers and constants.

// CHECK-LABEL: func.func @nothing
// CHECK-NOT: mp.decision
func.func @nothing(%x: tensor<8xi64>) -> tensor<8xi64> {
  %0 = nn.add %x, %x : tensor<8xi64>, tensor<8xi64>
  %1 = nn.constant dense<1.0> : tensor<8xf32>
  return %0 : tensor<8xi64>
}
