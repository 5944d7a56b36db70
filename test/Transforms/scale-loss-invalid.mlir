// RUN: mpt-opt %s --split-input-file --verify-diagnostics --mpt-scale-loss
// RUN: not mpt-opt %s --split-input-file --mpt-scale-loss=mode=fast 2>&1 | FileCheck %s --check-prefix=MODE
// RUN: not mpt-opt %s --split-input-file --mpt-scale-loss=init-scale=1e9 2>&1 | FileCheck %s --check-prefix=RANGE
// RUN: not mpt-opt %s --split-input-file --mpt-scale-loss=backoff=1.5 2>&1 | FileCheck %s --check-prefix=BACKOFF
// RUN: not mpt-opt %s --split-input-file --mpt-scale-loss=init-scale=nan 2>&1 | FileCheck %s --check-prefix=NAN
// MODE: error: mpt-scale-loss: unknown mode 'fast', use dynamic, static, auto or off
// RANGE: error: mpt-scale-loss: needs min <= init-scale <= max
// BACKOFF: error: mpt-scale-loss: needs growth >= 1 and backoff < 1
// NAN: error: mpt-scale-loss: scales and factors must be positive and finite

// expected-error@+1 {{cannot scale the loss of 'no_seed': it has no mp.loss_seed}}
func.func @no_seed(%g: tensor<4xf32>) -> tensor<4xf32> {
  %0 = mp.gradient %g of "w" : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// expected-error@+1 {{cannot scale the loss of 'no_gradient': it has no mp.gradient}}
func.func @no_gradient() -> tensor<f32> {
  %0 = mp.loss_seed : tensor<f32>
  return %0 : tensor<f32>
}

// -----

func.func @half_seed(%w: tensor<f16>) -> tensor<f16> {
  // expected-error@+1 {{must be f32 or f64 to be scaled: a 16-bit float cannot hold the loss scale}}
  %0 = mp.loss_seed : tensor<f16>
  %1 = mp.gradient %0 of "w" : tensor<f16>
  return %1 : tensor<f16>
}

// -----

func.func @vector_seed(%w: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{must be a scalar to be scaled}}
  %0 = mp.loss_seed : tensor<4xf32>
  %1 = mp.gradient %0 of "w" : tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

func.func @guarded(%w: tensor<f32>, %flag: tensor<i1>) -> tensor<f32> {
  %0 = mp.loss_seed : tensor<f32>
  %1 = mp.gradient %0 of "w" : tensor<f32>
  // expected-error@+1 {{is guarded already: the step was scaled before}}
  %2 = mp.update %w to %1 if %flag : tensor<f32>
  return %2 : tensor<f32>
}

// -----

func.func @cycle(%w: tensor<f32>) -> tensor<f32> {
  %seed = mp.loss_seed : tensor<f32>
  %0 = mp.update %w to %seed : tensor<f32>
  // expected-error@-3 {{depends on an update that it would guard}}
  %1 = mp.gradient %0 of "w" : tensor<f32>
  return %1 : tensor<f32>
}
