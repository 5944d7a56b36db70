// RUN: not mpt-opt %s --mpt-attach-optimizer="optimizer=lion" 2>&1 | FileCheck %s --check-prefix=NAME
// NAME: error: there is no optimizer 'lion'; use sgd, adam or adamw
// RUN: not mpt-opt %s --mpt-attach-optimizer="optimizer=sgd" 2>&1 | FileCheck %s --check-prefix=RATE
// RATE: error: {{.*}}lr
// RUN: not mpt-opt %s --mpt-attach-optimizer="optimizer=sgd(lr=-1)" 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// NEGATIVE: error: {{.*}}lr must not be negative
// RUN: not mpt-opt %s --mpt-attach-optimizer="optimizer='sgd(lr=1, nesterov=true)'" 2>&1 | FileCheck %s --check-prefix=NESTEROV
// NESTEROV: error: {{.*}}nesterov needs a momentum and no dampening
// RUN: not mpt-opt %s --mpt-attach-optimizer="optimizer='sgd(lr=1, momentum=1.5)'" 2>&1 | FileCheck %s --check-prefix=MOMENTUM
// MOMENTUM: error: {{.*}}momentum must lie in [0, 1)
// RUN: not mpt-opt %s --mpt-attach-optimizer="optimizer='adam(betas=(0.9, 1))'" 2>&1 | FileCheck %s --check-prefix=BETAS
// BETAS: error: {{.*}}betas must lie in [0, 1)
// RUN: not mpt-opt %s --mpt-attach-optimizer="optimizer='adam + adam'" 2>&1 | FileCheck %s --check-prefix=SINGLE
// SINGLE: error: an optimizer is a single call
// RUN: not mpt-opt %s --mpt-attach-optimizer="optimizer=adam clip-norm=-1" 2>&1 | FileCheck %s --check-prefix=CLIP
// CLIP: error: clip-norm should be positive, or 0 for no clipping
// RUN: not mpt-opt %s --mpt-attach-optimizer="optimizer=adam" 2>&1 | FileCheck %s --check-prefix=STEP
// STEP: error: {{.*}}has a symbol of that name

func.func private @train_step()
func.func @forward(%w: tensor<4xf32> {mp.name = "w", mp.role = #mp.role<parameter>})
    -> (tensor<4xf32> {mp.name = "w", mp.role = #mp.role<gradient>}) {
  %0 = mp.gradient %w of "w" : tensor<4xf32>
  return %0 : tensor<4xf32>
}
