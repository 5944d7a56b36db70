// RUN: mpt-opt %s --split-input-file --verify-diagnostics --mpt-verify-loss-scaling

// A step as mpt-scale-loss makes it, with momentum, a statistic and clipping by the norm: accepted.

func.func @accepted(%w: tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"},
    %m: tensor<4xf32> {mp.role = #mp.role<optimizer_state>, mp.name = "w.momentum"},
    %stat: tensor<4xf32> {mp.role = #mp.role<statistic>, mp.name = "mean"},
    %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"},
    %c: tensor<i64> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale.counter"},
    %b: tensor<i64> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale.budget"})
    -> (tensor<f32> {mp.role = #mp.role<loss>, mp.name = "loss"},
        tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"},
        tensor<4xf32> {mp.role = #mp.role<optimizer_state>, mp.name = "w.momentum"},
        tensor<4xf32> {mp.role = #mp.role<statistic>, mp.name = "mean"},
        tensor<f32> {mp.role = #mp.role<metric>, mp.name = "grad_norm"},
        tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"},
        tensor<i64> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale.counter"},
        tensor<i64> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale.budget"}) {
  %loss = nn.reduce_sum %w {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
  %half = mp.cast %w : tensor<4xf32> to tensor<4xf16>
  %wide = mp.cast %half : tensor<4xf16> to tensor<4xf32>
  %g0 = nn.mul %s, %wide : tensor<f32>, tensor<4xf32>
  // Zeros carry every power.
  %zero = nn.constant dense<0.0> : tensor<4xf32>
  %g = nn.add %g0, %zero : tensor<4xf32>, tensor<4xf32>
  %u = mp.unscale %g of "w" by %s : tensor<4xf32>, tensor<f32>
  %finite, %first = mp.all_finite %g : tensor<4xf32>
  %square = nn.mul %u, %u : tensor<4xf32>, tensor<4xf32>
  %sum = nn.reduce_sum %square {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
  %norm = nn.sqrt %sum : tensor<f32>
  %bound = nn.constant dense<1.0> : tensor<f32>
  %ratio = nn.div %bound, %norm : tensor<f32>, tensor<f32>
  %factor = nn.min %ratio, %bound : tensor<f32>, tensor<f32>
  %clipped = nn.mul %u, %factor : tensor<4xf32>, tensor<f32>
  %m1 = nn.add %m, %clipped : tensor<4xf32>, tensor<4xf32>
  %w1 = nn.sub %w, %m1 : tensor<4xf32>, tensor<4xf32>
  %w2 = mp.update %w to %w1 if %finite : tensor<4xf32>
  %m2 = mp.update %m to %m1 if %finite : tensor<4xf32>
  %stat2 = mp.update %stat to %w if %finite : tensor<4xf32>
  %s2, %c2, %b2 = mp.update_scale %s, %c, %b if %finite : tensor<f32>
  return %loss, %w2, %m2, %stat2, %norm, %s2, %c2, %b2 : tensor<f32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<f32>, tensor<i64>, tensor<i64>
}

// -----

// Two flags over half of the gradients each, joined: accepted. The bound of a norm clip may be
// scaled instead of the gradients.

func.func @joined_flags(%w: tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"},
    %v: tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "v"},
    %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"})
    -> (tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"},
        tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "v"}) {
  %g = nn.mul %s, %w : tensor<f32>, tensor<4xf32>
  %h0 = nn.mul %s, %v : tensor<f32>, tensor<4xf32>
  %bound = nn.constant dense<2.0> : tensor<f32>
  %scaled_bound = mp.scale %bound by %s : tensor<f32>, tensor<f32>
  %h = nn.min %h0, %scaled_bound : tensor<4xf32>, tensor<f32>
  %u = mp.unscale %g of "w" by %s : tensor<4xf32>, tensor<f32>
  %x = mp.unscale %h of "v" by %s : tensor<4xf32>, tensor<f32>
  %f0, %i0 = mp.all_finite %g : tensor<4xf32>
  %f1, %i1 = mp.all_finite %x : tensor<4xf32>
  %finite = arith.andi %f0, %f1 : tensor<i1>
  %w2 = mp.update %w to %u if %finite : tensor<4xf32>
  %v2 = mp.update %v to %x if %finite : tensor<4xf32>
  return %w2, %v2 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Without a loss scale there is nothing to guard.

func.func @unscaled_step(%w: tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"})
    -> (tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"}) {
  %seed = mp.loss_seed : tensor<f32>
  %g = nn.mul %seed, %w : tensor<f32>, tensor<4xf32>
  %u = mp.gradient %g of "w" : tensor<4xf32>
  %w1 = mp.update %w to %u : tensor<4xf32>
  return %w1 : tensor<4xf32>
}

// -----

func.func @unscaled_twice(%w: tensor<4xf32>, %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"}) -> tensor<4xf32> {
  // expected-note@+1 {{the loss scale enters here, power 1 of the loss scale}}
  %g = nn.mul %s, %w : tensor<f32>, tensor<4xf32>
  // expected-note@+1 {{'mp.unscale' takes it from power 1 to power 0}}
  %u = mp.unscale %g of "w" by %s : tensor<4xf32>, tensor<f32>
  // expected-error@+1 {{the gradient of 'w' carries power 0 of the loss scale, not power 1: it was never scaled, or unscaled before}}
  %v = mp.unscale %u of "w" by %s : tensor<4xf32>, tensor<f32>
  return %v : tensor<4xf32>
}

// -----

func.func @never_unscaled(%w: tensor<4xf32>, %lr: tensor<f32>, %step: tensor<i64>, %v: tensor<4xf32>,
    %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"}) -> (tensor<4xf32>, tensor<4xf32>) {
  // expected-note@+1 {{the loss scale enters here, power 1 of the loss scale}}
  %g = nn.mul %s, %w : tensor<f32>, tensor<4xf32>
  %h = nn.neg %g : tensor<4xf32>
  // expected-error@+1 {{operand #1 carries power 1 of the loss scale, but the operation is not linear in it}}
  %w1, %v1 = nn.sgd %w, %h, %v, %lr, %step : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i64>) -> (tensor<4xf32>, tensor<4xf32>)
  return %w1, %v1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// The gradient leaves the function scaled.

func.func @scaled_result(%w: tensor<4xf32>, %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"})
    -> (tensor<4xf32> {mp.role = #mp.role<gradient>, mp.name = "w"}) {
  // expected-error@+2 {{result 'w' (gradient) leaves the function with power 1 of the loss scale, not 0}}
  // expected-note@+1 {{the loss scale enters here}}
  %g = nn.mul %s, %w : tensor<f32>, tensor<4xf32>
  return %g : tensor<4xf32>
}

// -----

func.func @scaled_loss(%x: tensor<f32>, %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"})
    -> (tensor<f32> {mp.role = #mp.role<loss>, mp.name = "loss"}) {
  // expected-error@+2 {{result 'loss' (loss) leaves the function with power 1 of the loss scale, not 0}}
  // expected-note@+1 {{'mp.scale' takes it from power 0 to power 1}}
  %0 = mp.scale %x by %s : tensor<f32>, tensor<f32>
  return %0 : tensor<f32>
}

// -----

// The norm is that of the scaled gradients, the bound is not scaled: with every change of the
// scale another gradient would be clipped.

func.func @clip_before_unscale(%w: tensor<4xf32>, %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"}) -> tensor<4xf32> {
  // expected-note@+1 {{the loss scale enters here, power 1 of the loss scale}}
  %g = nn.mul %s, %w : tensor<f32>, tensor<4xf32>
  // expected-note@+1 {{'nn.mul' takes it from power 1 to power 2}}
  %square = nn.mul %g, %g : tensor<4xf32>, tensor<4xf32>
  %sum = nn.reduce_sum %square {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
  // expected-note@+1 {{'nn.sqrt' takes it from power 2 to power 1}}
  %norm = nn.sqrt %sum : tensor<f32>
  %bound = nn.constant dense<1.0> : tensor<f32>
  // expected-note@+1 {{'nn.div' takes it from power 1 to power -1}}
  %ratio = nn.div %bound, %norm : tensor<f32>, tensor<f32>
  // expected-error@+1 {{combines a value with power -1 of the loss scale and one with power 0 of the loss scale}}
  %factor = nn.min %ratio, %bound : tensor<f32>, tensor<f32>
  %clipped = nn.mul %g, %factor : tensor<4xf32>, tensor<f32>
  %u = mp.unscale %clipped of "w" by %s : tensor<4xf32>, tensor<f32>
  return %u : tensor<4xf32>
}

// -----

// Unscaled after clipping by value.

func.func @clip_by_value(%w: tensor<4xf32>, %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"}) -> tensor<4xf32> {
  // expected-note@+1 {{the loss scale enters here}}
  %g = nn.mul %s, %w : tensor<f32>, tensor<4xf32>
  // expected-error@+1 {{operand #0 carries power 1 of the loss scale, but the operation is not linear in it}}
  %clipped = nn.clip %g {min = -1.0 : f64, max = 1.0 : f64} : tensor<4xf32>
  %u = mp.unscale %clipped of "w" by %s : tensor<4xf32>, tensor<f32>
  return %u : tensor<4xf32>
}

// -----

func.func @norm_against_bound(%w: tensor<4xf32>, %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"}) -> tensor<i1> {
  // expected-note@+1 {{the loss scale enters here}}
  %g = nn.mul %s, %w : tensor<f32>, tensor<4xf32>
  %norm = nn.reduce_max %g {axes = array<i64: 0>} : (tensor<4xf32>) -> tensor<f32>
  %bound = nn.constant dense<1.0> : tensor<f32>
  // expected-error@+1 {{combines a value with power 1 of the loss scale and one with power 0 of the loss scale}}
  %too_large = nn.compare gt %norm, %bound : tensor<f32>, tensor<f32>
  return %too_large : tensor<i1>
}

// -----

func.func @odd_square_root(%w: tensor<4xf32>, %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"}) -> tensor<4xf32> {
  // expected-note@+1 {{the loss scale enters here}}
  %g = nn.mul %s, %w : tensor<f32>, tensor<4xf32>
  // expected-error@+1 {{takes the square root of a value with power 1 of the loss scale}}
  %r = nn.sqrt %g : tensor<4xf32>
  return %r : tensor<4xf32>
}

// -----

func.func @other_scale(%w: tensor<4xf32>, %t: tensor<f32>, %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"}) -> tensor<4xf32> {
  %g = nn.mul %s, %w : tensor<f32>, tensor<4xf32>
  // expected-error@+1 {{the scale operand carries power 0 of the loss scale: it is not the loss scale of this step}}
  %u = mp.unscale %g of "w" by %t : tensor<4xf32>, tensor<f32>
  return %u : tensor<4xf32>
}

// -----

func.func @unknown_operation(%w: tensor<4xf32>, %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"}) -> tensor<4xf32> {
  // expected-note@+1 {{the loss scale enters here}}
  %g = nn.mul %s, %w : tensor<f32>, tensor<4xf32>
  // expected-error@+1 {{operand #0 carries power 1 of the loss scale, but nothing is known about the operation}}
  %r = math.cbrt %g : tensor<4xf32>
  return %r : tensor<4xf32>
}

// -----

// A skipped step would still change the momentum.

func.func @moment_not_guarded(%w: tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"},
    %m: tensor<4xf32> {mp.role = #mp.role<optimizer_state>, mp.name = "w.momentum"},
    %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"})
    -> (tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"},
        tensor<4xf32> {mp.role = #mp.role<optimizer_state>, mp.name = "w.momentum"}) {
  %g = nn.mul %s, %w : tensor<f32>, tensor<4xf32>
  %u = mp.unscale %g of "w" by %s : tensor<4xf32>, tensor<f32>
  %finite, %first = mp.all_finite %g : tensor<4xf32>
  %w2 = mp.update %w to %u if %finite : tensor<4xf32>
  // expected-error@+1 {{of 'w.momentum' (optimizer_state) has no flag: a skipped step would change it}}
  %m2 = mp.update %m to %u : tensor<4xf32>
  return %w2, %m2 : tensor<4xf32>, tensor<4xf32>
}

// -----

// The step count is advanced outside of any update.

func.func @step_not_guarded(%w: tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"},
    %step: tensor<i64> {mp.role = #mp.role<step>, mp.name = "step"},
    %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"})
    -> (tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"},
        tensor<i64> {mp.role = #mp.role<step>, mp.name = "step"}) {
  %g = nn.mul %s, %w : tensor<f32>, tensor<4xf32>
  %u = mp.unscale %g of "w" by %s : tensor<4xf32>, tensor<f32>
  %finite, %first = mp.all_finite %g : tensor<4xf32>
  %w2 = mp.update %w to %u if %finite : tensor<4xf32>
  %one = nn.constant dense<1> : tensor<i64>
  // expected-error@+1 {{the new value of 'step' (step) is not defined by mp.update: a skipped step would change it}}
  %next = nn.add %step, %one : tensor<i64>, tensor<i64>
  return %w2, %next : tensor<4xf32>, tensor<i64>
}

// -----

// A statistic falls back to something else than its old value.

func.func @statistic_not_restored(%w: tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"},
    %mean: tensor<4xf32> {mp.role = #mp.role<statistic>, mp.name = "mean"},
    %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"})
    -> (tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"},
        tensor<4xf32> {mp.role = #mp.role<statistic>, mp.name = "mean"}) {
  %g = nn.mul %s, %w : tensor<f32>, tensor<4xf32>
  %u = mp.unscale %g of "w" by %s : tensor<4xf32>, tensor<f32>
  %finite, %first = mp.all_finite %g : tensor<4xf32>
  %w2 = mp.update %w to %u if %finite : tensor<4xf32>
  // expected-error@+1 {{of 'mean' falls back to another value than its old one}}
  %mean2 = mp.update %w to %mean if %finite : tensor<4xf32>
  return %w2, %mean2 : tensor<4xf32>, tensor<4xf32>
}

// -----

// One gradient is not checked.

func.func @flag_of_one_gradient(%w: tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"},
    %v: tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "v"},
    %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"})
    -> (tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"}) {
  %g = nn.mul %s, %w : tensor<f32>, tensor<4xf32>
  %h = nn.mul %s, %v : tensor<f32>, tensor<4xf32>
  %u = mp.unscale %g of "w" by %s : tensor<4xf32>, tensor<f32>
  // expected-note@+1 {{the gradient it leaves out}}
  %x = mp.unscale %h of "v" by %s : tensor<4xf32>, tensor<f32>
  // expected-note@+1 {{the flag comes from here}}
  %finite, %first = mp.all_finite %g : tensor<4xf32>
  %sum = nn.add %u, %x : tensor<4xf32>, tensor<4xf32>
  // expected-error@+1 {{is guarded by a flag that does not check the gradient of 'v'}}
  %w2 = mp.update %w to %sum if %finite : tensor<4xf32>
  return %w2 : tensor<4xf32>
}

// -----

func.func @foreign_flag(%w: tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"},
    // expected-note@+1 {{the flag comes from here}}
    %flag: tensor<i1>,
    %s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"})
    -> (tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"}) {
  %g = nn.mul %s, %w : tensor<f32>, tensor<4xf32>
  %u = mp.unscale %g of "w" by %s : tensor<4xf32>, tensor<f32>
  // expected-error@+1 {{is guarded by a flag that is not an mp.all_finite of the step's gradients}}
  %w2 = mp.update %w to %u if %flag : tensor<4xf32>
  return %w2 : tensor<4xf32>
}

// -----

// The scale itself follows another flag than the updates.

func.func @scale_not_updated(%s: tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"},
    %w: tensor<4xf32> {mp.role = #mp.role<parameter>, mp.name = "w"})
    -> (tensor<f32> {mp.role = #mp.role<loss_scale>, mp.name = "loss_scale"}) {
  %two = nn.constant dense<2.0> : tensor<f32>
  // expected-error@+1 {{the new value of 'loss_scale' (loss_scale) is not defined by mp.update_scale}}
  %s2 = nn.mul %s, %two : tensor<f32>, tensor<f32>
  return %s2 : tensor<f32>
}
