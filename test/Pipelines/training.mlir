// RUN: mpt-opt %s --mpt-training="loss=cross_entropy(logits,labels) optimizer=sgd(lr=0.1,momentum=0.9) clip-norm=1.0" | FileCheck %s
// RUN: mpt-opt %s --mpt-training="loss=cross_entropy(logits,labels) optimizer=sgd(lr=0.1,momentum=0.9) clip-norm=1.0" --mpt-print-precision -o %t | FileCheck %s --check-prefix=SUMMARY
// RUN: mpt-opt %s --mpt-training="loss=cross_entropy(logits,labels) precision=bf16 loss-scale=off" | FileCheck %s --check-prefix=BF16
// RUN: mpt-opt %s --mpt-training="loss=cross_entropy(logits,labels) precision=fp32 loss-scale=static init-scale=1024" | FileCheck %s --check-prefix=FP32
// The proof holds for the step with casts, too.
// RUN: mpt-opt %s --mpt-training="loss=cross_entropy(logits,labels) optimizer=adamw(lr=0.1) clip-norm=1.0" --mpt-verify-loss-scaling | FileCheck %s --check-prefix=ADAM
// ADAM: nn.adam
// RUN: not mpt-opt %s --mpt-training="loss=cross_entropy(logits,labels) precision=fp8" 2>&1 | FileCheck %s --check-prefix=TYPE
// TYPE: unknown low type 'fp8'
// RUN: mpt-opt %s --mpt-training="loss=cross_entropy(logits,labels) keep-outputs=true" | FileCheck %s --check-prefix=OUTPUTS
// OUTPUTS: func.func @train_step({{.*}} -> {{.*}}tensor<32x10xf32> {mp.name = "logits", mp.role = #mp.role<output>}

// Forward and backward of a small residual network: every activation and every activation gradient
// is 16 bits wide, but for the logits and their gradient. Four casts of arguments (input and
// weights, once per step) and one of the loss gradient; the input is cast a second time where the backward pass
// reads it, so that its copy need not live that long. Its outputs are no results of a step.

// SUMMARY: @train_step: 18 ops low, {{[0-9]+}} ops FP32, 6 casts

// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<32x1x12x12xf32>
// CHECK-NOT: #mp.role<output>
// CHECK-SAME: %[[SCALE:[a-z0-9]+]]: tensor<f32> {mp.donate, mp.initial = 6.553600e+04 : f32, mp.name = "loss_scale"
// CHECK-COUNT-4: mp.cast
// CHECK: nn.conv {{.*}} -> tensor<32x8x10x10xf16>
// CHECK: nn.batch_norm_training {{.*}} -> (tensor<32x8x10x10xf16>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>)
// CHECK: nn.relu {{.*}}xf16>
// CHECK: nn.conv {{.*}} -> tensor<32x8x10x10xf16>
// CHECK: nn.add {{.*}} : tensor<32x8x10x10xf16>, tensor<32x8x10x10xf16>
// CHECK: nn.max_pool {{.*}} (tensor<32x8x10x10xf16>) -> (tensor<32x8x5x5xf16>, tensor<32x8x5x5xi8>)
// CHECK: nn.matmul {{.*}} -> tensor<32x10xf32>
// CHECK: nn.add {{.*}} : tensor<32x10xf32>, tensor<10xf32>
// The scale is the seed: it is never cast.
// CHECK: %[[DY:.*]] = nn.softmax_cross_entropy_grad %[[SCALE]]
// CHECK-NEXT: mp.cast %[[DY]]
// CHECK-NOT: mp.cast
// CHECK: nn.conv_transpose {{.*}} -> tensor<32x8x10x10xf16>
// CHECK: nn.conv_filter_grad {{.*}} -> tensor<8x8x3x3xf32>
// CHECK: nn.relu_grad {{.*}} : tensor<32x8x10x10xf16>
// CHECK: nn.batch_norm_grad {{.*}} -> (tensor<32x8x10x10xf16>, tensor<8xf32>, tensor<8xf32>)
// CHECK: %[[AGAIN:.*]] = mp.cast %[[X]] {mp.recomputed}
// CHECK: nn.conv_filter_grad %[[AGAIN]], {{.*}} -> tensor<8x1x3x3xf32>
// CHECK: mp.unscale
// CHECK: mp.all_finite
// CHECK-COUNT-15: mp.update {{.*}} if %
// CHECK: mp.update_scale

// BF16-LABEL: func.func @train_step(
// BF16-NOT: loss_scale
// BF16: nn.conv {{.*}} -> tensor<32x8x10x10xbf16>
// BF16: mp.gradient

// FP32-LABEL: func.func @train_step(
// FP32-SAME: mp.initial = 1.024000e+03 : f32, mp.name = "loss_scale"
// FP32-NOT: {{mp.cast|f16|mp.decision|mp.update_scale}}
// FP32: return
nn.parameter @conv.w trainable = true : tensor<8x1x3x3xf32>
nn.parameter @bn.scale trainable = true : tensor<8xf32>
nn.parameter @bn.bias trainable = true : tensor<8xf32>
nn.parameter @bn.mean : tensor<8xf32>
nn.parameter @bn.var : tensor<8xf32>
nn.parameter @conv2.w trainable = true : tensor<8x8x3x3xf32>
nn.parameter @fc.w trainable = true : tensor<200x10xf32>
nn.parameter @fc.b trainable = true : tensor<10xf32>
func.func @forward(%x: tensor<32x1x12x12xf32> {mp.role = #mp.role<input>, mp.name = "x"},
    %w: tensor<8x1x3x3xf32> {mp.role = #mp.role<parameter>, mp.name = "conv.w", nn.parameter = @conv.w},
    %scale: tensor<8xf32> {mp.role = #mp.role<parameter>, mp.name = "bn.scale", nn.parameter = @bn.scale},
    %bias: tensor<8xf32> {mp.role = #mp.role<parameter>, mp.name = "bn.bias", nn.parameter = @bn.bias},
    %mean: tensor<8xf32> {mp.role = #mp.role<statistic>, mp.name = "bn.mean", nn.parameter = @bn.mean},
    %var: tensor<8xf32> {mp.role = #mp.role<statistic>, mp.name = "bn.var", nn.parameter = @bn.var},
    %w2: tensor<8x8x3x3xf32> {mp.role = #mp.role<parameter>, mp.name = "conv2.w", nn.parameter = @conv2.w},
    %fc: tensor<200x10xf32> {mp.role = #mp.role<parameter>, mp.name = "fc.w", nn.parameter = @fc.w},
    %fcb: tensor<10xf32> {mp.role = #mp.role<parameter>, mp.name = "fc.b", nn.parameter = @fc.b}) -> (tensor<32x10xf32> {mp.role = #mp.role<output>, mp.name = "logits"}) {
  %0 = nn.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<32x1x12x12xf32>, tensor<8x1x3x3xf32>) -> tensor<32x8x10x10xf32> loc("conv1")
  %y, %nm, %nv, %sm, %sr = nn.batch_norm_training %0, %scale, %bias, %mean, %var : (tensor<32x8x10x10xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<32x8x10x10xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) loc("bn1")
  %1 = nn.relu %y : tensor<32x8x10x10xf32> loc("relu1")
  %c2 = nn.conv %1, %w2 {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<32x8x10x10xf32>, tensor<8x8x3x3xf32>) -> tensor<32x8x10x10xf32> loc("conv2")
  %r2 = nn.add %c2, %1 : tensor<32x8x10x10xf32>, tensor<32x8x10x10xf32> loc("residual")
  %2, %taps = nn.max_pool %r2 {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<32x8x10x10xf32>) -> (tensor<32x8x5x5xf32>, tensor<32x8x5x5xi8>) loc("pool1")
  %3 = nn.reshape %2 : tensor<32x8x5x5xf32> to tensor<32x200xf32>
  %4 = nn.matmul %3, %fc : (tensor<32x200xf32>, tensor<200x10xf32>) -> tensor<32x10xf32> loc("fc")
  %5 = nn.add %4, %fcb : tensor<32x10xf32>, tensor<10xf32> loc("fc.bias")
  return %5 : tensor<32x10xf32>
}
