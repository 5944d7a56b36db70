// RUN: mpt-opt %s --split-input-file --mpt-prepare-parameters -o /dev/null 2>%t.remarks
// RUN: FileCheck %s --input-file=%t.remarks --check-prefix=REMARK --implicit-check-not=warning

// What a fresh model holds of one value, or of a formula: tokens, tables, factors and numbers that are trained, beside what
// looks like them and is not.

// REMARK-DAG: remark: trained: 'class_token' (put beside activations, like a class or mask token)
// REMARK-DAG: remark: trained: 'mask_token' (put beside activations, like a class or mask token)
// REMARK-DAG: remark: trained: 'prompt' (put beside activations, like a class or mask token)
// REMARK-DAG: remark: frozen: 'state' (of one value, with a row for each sample)
// REMARK-DAG: remark: frozen: 'padding' (not in a weight's place)
// REMARK-DAG: remark: trained: 'scattered' (put beside activations, like a class or mask token)
nn.parameter @class_token : tensor<1x1x4xf32> = dense<0.0> : tensor<1x1x4xf32>
nn.parameter @mask_token : tensor<4xf32> = dense<0.0> : tensor<4xf32>
nn.parameter @prompt : tensor<1x2x4xf32> = dense<0.0> : tensor<1x2x4xf32>
nn.parameter @state : tensor<2x1x4xf32> = dense<0.0> : tensor<2x1x4xf32>
nn.parameter @padding : tensor<1xf32> = dense<0.0> : tensor<1xf32>
nn.parameter @scattered : tensor<4xf32> = dense<0.0> : tensor<4xf32>
func.func @forward(%x: tensor<2x3x4xf32> {mp.name = "x", mp.role = #mp.role<input>},
    %hidden: tensor<2x3x4xi1> {mp.name = "hidden", mp.role = #mp.role<input>},
    %places: tensor<2x2xi64> {mp.name = "places", mp.role = #mp.role<input>},
    %class_token: tensor<1x1x4xf32> {mp.name = "class_token", mp.role = #mp.role<parameter>, nn.parameter = @class_token},
    %mask_token: tensor<4xf32> {mp.name = "mask_token", mp.role = #mp.role<parameter>, nn.parameter = @mask_token},
    %prompt: tensor<1x2x4xf32> {mp.name = "prompt", mp.role = #mp.role<parameter>, nn.parameter = @prompt},
    %state: tensor<2x1x4xf32> {mp.name = "state", mp.role = #mp.role<parameter>, nn.parameter = @state},
    %padding: tensor<1xf32> {mp.name = "padding", mp.role = #mp.role<parameter>, nn.parameter = @padding},
    %scattered: tensor<4xf32> {mp.name = "scattered", mp.role = #mp.role<parameter>, nn.parameter = @scattered})
    -> (tensor<2x7x4xf32> {mp.name = "y", mp.role = #mp.role<output>}) {
  // Expanded to the batch, in front of the patches.
  %class = nn.expand %class_token : tensor<1x1x4xf32> to tensor<2x1x4xf32>
  %prompts = nn.expand %prompt : tensor<1x2x4xf32> to tensor<2x2x4xf32>
  // Instead of what is masked.
  %mask = nn.expand %mask_token : tensor<4xf32> to tensor<2x3x4xf32>
  %0 = nn.where %hidden, %mask, %x : tensor<2x3x4xi1>, tensor<2x3x4xf32>, tensor<2x3x4xf32>
  %1 = nn.where %hidden, %padding, %0 : tensor<2x3x4xi1>, tensor<1xf32>, tensor<2x3x4xf32>
  %rows = nn.expand %scattered : tensor<4xf32> to tensor<2x4xf32>
  %written = nn.gather_nd_grad %rows, %places : (tensor<2x4xf32>, tensor<2x2xi64>) -> tensor<2x3x4xf32>
  %2 = nn.add %1, %written : tensor<2x3x4xf32>, tensor<2x3x4xf32>
  %3 = nn.concat %class, %prompts, %state, %2 {axis = 1 : i64} : tensor<2x1x4xf32>, tensor<2x2x4xf32>, tensor<2x1x4xf32>, tensor<2x3x4xf32>
  return %3 : tensor<2x7x4xf32>
}

// -----

// REMARK-DAG: remark: trained: 'zeros' (table that is added)
// REMARK-DAG: remark: frozen: 'samples' (of one value, with a row for each sample)
// REMARK-DAG: remark: frozen: 'unmasked' (added to the scores of a softmax and of one value, like a mask that hides nothing)
// REMARK-DAG: remark: frozen: 'row' (added to the scores of a softmax and of one value, like a mask that hides nothing)
// REMARK-DAG: remark: trained: 'relative' (added to the scores of a softmax)
// REMARK-DAG: remark: frozen: 'alibi' (a fixed table: sine waves or straight lines along an axis)
// REMARK-DAG: remark: trained: 'bias' (bias)
// REMARK-DAG: remark: trained: 'weight' (factor of a matrix product)
nn.parameter @zeros : tensor<1x4x4xf32> = dense<0.0> : tensor<1x4x4xf32>
nn.parameter @samples : tensor<2x4x4xf32> = dense<0.0> : tensor<2x4x4xf32>
nn.parameter @unmasked : tensor<4x4xf32> = dense<0.0> : tensor<4x4xf32>
nn.parameter @row : tensor<1x1x4xf32> = dense<0.0> : tensor<1x1x4xf32>
nn.parameter @relative : tensor<4x4xf32> = dense<[[0.3000000, -0.2000000, 0.5000000, 0.1000000], [0.2000000, 0.7000000, -0.4000000, 0.6000000], [-0.1000000, 0.3000000, 0.2000000, 0.9000000], [0.5000000, -0.6000000, 0.1000000, 0.2000000]]> : tensor<4x4xf32>
nn.parameter @alibi : tensor<4x4xf32> = dense<[[-0.7500000, -0.5000000, -0.2500000, 0.0000000], [-1.5000000, -1.0000000, -0.5000000, 0.0000000], [-3.0000000, -2.0000000, -1.0000000, 0.0000000], [-6.0000000, -4.0000000, -2.0000000, 0.0000000]]> : tensor<4x4xf32>
nn.parameter @bias : tensor<4xf32> = dense<0.0> : tensor<4xf32>
nn.parameter @weight : tensor<4x4xf32>
func.func @forward(%x: tensor<2x4x4xf32> {mp.name = "x", mp.role = #mp.role<input>},
    %zeros: tensor<1x4x4xf32> {mp.name = "zeros", mp.role = #mp.role<parameter>, nn.parameter = @zeros},
    %samples: tensor<2x4x4xf32> {mp.name = "samples", mp.role = #mp.role<parameter>, nn.parameter = @samples},
    %unmasked: tensor<4x4xf32> {mp.name = "unmasked", mp.role = #mp.role<parameter>, nn.parameter = @unmasked},
    %row: tensor<1x1x4xf32> {mp.name = "row", mp.role = #mp.role<parameter>, nn.parameter = @row},
    %relative: tensor<4x4xf32> {mp.name = "relative", mp.role = #mp.role<parameter>, nn.parameter = @relative},
    %alibi: tensor<4x4xf32> {mp.name = "alibi", mp.role = #mp.role<parameter>, nn.parameter = @alibi},
    %bias: tensor<4xf32> {mp.name = "bias", mp.role = #mp.role<parameter>, nn.parameter = @bias},
    %weight: tensor<4x4xf32> {mp.name = "weight", mp.role = #mp.role<parameter>, nn.parameter = @weight})
    -> (tensor<2x4x4xf32> {mp.name = "y", mp.role = #mp.role<output>}) {
  // Positions of a fresh model; what belongs to these samples is no weight.
  %0 = nn.add %x, %zeros : tensor<2x4x4xf32>, tensor<1x4x4xf32>
  %1 = nn.add %0, %samples : tensor<2x4x4xf32>, tensor<2x4x4xf32>
  %2 = nn.matmul %1, %1 {transpose_rhs = true} : (tensor<2x4x4xf32>, tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %3 = nn.add %2, %unmasked : tensor<2x4x4xf32>, tensor<4x4xf32>
  %4 = nn.add %3, %relative : tensor<2x4x4xf32>, tensor<4x4xf32>
  %5 = nn.add %4, %row : tensor<2x4x4xf32>, tensor<1x1x4xf32>
  %6 = nn.add %5, %alibi : tensor<2x4x4xf32>, tensor<4x4xf32>
  %7 = nn.softmax %6 {axis = 2 : i64} : tensor<2x4x4xf32>
  // The bias of a layer may stand in front of a softmax.
  %8 = nn.matmul %7, %weight : (tensor<2x4x4xf32>, tensor<4x4xf32>) -> tensor<2x4x4xf32>
  %9 = nn.add %8, %bias : tensor<2x4x4xf32>, tensor<4xf32>
  %10 = nn.softmax %9 {axis = 2 : i64} : tensor<2x4x4xf32>
  return %10 : tensor<2x4x4xf32>
}

// -----

// REMARK-DAG: remark: trained: 'decay' (table that is multiplied elementwise)
// REMARK-DAG: remark: trained: 'ones' (table that is multiplied elementwise)
// REMARK-DAG: remark: frozen: 'cosines' (a fixed table: sine waves or straight lines along an axis)
// REMARK-DAG: remark: frozen: 'grid_cosines' (multiplied elementwise, like a rotary table)
// REMARK-DAG: remark: frozen: 'causal' (multiplied elementwise, like a mask)
// REMARK-DAG: remark: frozen: 'frequencies' (not in a weight's place)
// REMARK-DAG: remark: frozen: 'window' (scales or shifts an input of the model)
// REMARK-DAG: remark: frozen: 'coordinates' (a fixed table: the coordinates of a grid)
// REMARK-DAG: remark: trained: 'hidden' (table whose rows are gathered)
nn.parameter @decay : tensor<4x4xf32> = dense<[[0.0000000, 0.6931472, 1.0986123, 1.3862944], [0.0000000, 0.6931472, 1.0986123, 1.3862944], [0.0000000, 0.6931472, 1.0986123, 1.3862944], [0.0000000, 0.6931472, 1.0986123, 1.3862944]]> : tensor<4x4xf32>
nn.parameter @ones : tensor<4x4xf32> = dense<1.0> : tensor<4x4xf32>
nn.parameter @cosines : tensor<4x4xf32> = dense<[[-1.4849887, 1.4330047, -1.4849887, 1.4330047], [-0.9804654, 1.3815915, -0.9804654, 1.3815915], [0.4254933, 1.3163738, 0.4254933, 1.3163738], [1.4402554, 1.2380034, 1.4402554, 1.2380034]]> : tensor<4x4xf32>
nn.parameter @grid_cosines : tensor<4x4xf32> = dense<[[1.0000000, 1.0000000, 1.0000000, 1.0000000], [1.0000000, 0.5403023, 1.0000000, 0.5403023], [0.5403023, 1.0000000, 0.5403023, 1.0000000], [0.5403023, 0.5403023, 0.5403023, 0.5403023]]> : tensor<4x4xf32>
nn.parameter @causal : tensor<4x4xf32> = dense<[[1.0000000, 0.0000000, 0.0000000, 0.0000000], [0.5000000, 1.0000000, 0.0000000, 0.0000000], [0.2500000, 0.5000000, 1.0000000, 0.0000000], [0.1250000, 0.2500000, 0.5000000, 1.0000000]]> : tensor<4x4xf32>
nn.parameter @frequencies : tensor<4xf32> = dense<[1.0, 0.1, 0.01, 0.001]> : tensor<4xf32>
nn.parameter @window : tensor<4xf32> = dense<[0.0, 0.5, 1.0, 0.5]> : tensor<4xf32>
nn.parameter @coordinates : tensor<3x3x2xf32> = dense<[[[-1.0000000, -1.0000000], [-1.0000000, 0.2000000], [-1.0000000, 1.0000000]], [[0.2000000, -1.0000000], [0.2000000, 0.2000000], [0.2000000, 1.0000000]], [[1.0000000, -1.0000000], [1.0000000, 0.2000000], [1.0000000, 1.0000000]]]> : tensor<3x3x2xf32>
nn.parameter @hidden : tensor<2x4xf32> = dense<[[0.1000000, 0.7000000, -0.3000000, 0.2000000], [0.4000000, -0.2000000, 0.6000000, 0.3000000]]> : tensor<2x4xf32>
func.func @forward(%x: tensor<2x4x4xf32> {mp.name = "x", mp.role = #mp.role<input>},
    %index: tensor<4xi64> {mp.name = "index", mp.role = #mp.role<input>},
    %decay: tensor<4x4xf32> {mp.name = "decay", mp.role = #mp.role<parameter>, nn.parameter = @decay},
    %ones: tensor<4x4xf32> {mp.name = "ones", mp.role = #mp.role<parameter>, nn.parameter = @ones},
    %cosines: tensor<4x4xf32> {mp.name = "cosines", mp.role = #mp.role<parameter>, nn.parameter = @cosines},
    %grid_cosines: tensor<4x4xf32> {mp.name = "grid_cosines", mp.role = #mp.role<parameter>, nn.parameter = @grid_cosines},
    %causal: tensor<4x4xf32> {mp.name = "causal", mp.role = #mp.role<parameter>, nn.parameter = @causal},
    %frequencies: tensor<4xf32> {mp.name = "frequencies", mp.role = #mp.role<parameter>, nn.parameter = @frequencies},
    %window: tensor<4xf32> {mp.name = "window", mp.role = #mp.role<parameter>, nn.parameter = @window},
    %coordinates: tensor<3x3x2xf32> {mp.name = "coordinates", mp.role = #mp.role<parameter>, nn.parameter = @coordinates},
    %hidden: tensor<2x4xf32> {mp.name = "hidden", mp.role = #mp.role<parameter>, nn.parameter = @hidden})
    -> (tensor<2x4x4xf32> {mp.name = "y", mp.role = #mp.role<output>}) {
  %frames = nn.reshape %x : tensor<2x4x4xf32> to tensor<8x4xf32>
  %windowed = nn.mul %frames, %window : tensor<8x4xf32>, tensor<4xf32>
  %0 = nn.reshape %windowed : tensor<8x4xf32> to tensor<2x4x4xf32>
  // A state-space model: exp(dt * -exp(log of the decay)).
  %exponential = nn.exp %decay : tensor<4x4xf32>
  %negated = nn.neg %exponential : tensor<4x4xf32>
  %1 = nn.mul %0, %negated : tensor<2x4x4xf32>, tensor<4x4xf32>
  %2 = nn.mul %1, %ones : tensor<2x4x4xf32>, tensor<4x4xf32>
  %3 = nn.mul %2, %cosines : tensor<2x4x4xf32>, tensor<4x4xf32>
  %4 = nn.mul %3, %grid_cosines : tensor<2x4x4xf32>, tensor<4x4xf32>
  %5 = nn.mul %4, %causal : tensor<2x4x4xf32>, tensor<4x4xf32>
  %angles = nn.cos %frequencies : tensor<4xf32>
  %6 = nn.mul %5, %angles : tensor<2x4x4xf32>, tensor<4xf32>
  // A bias that a small network computes from the distances in a window.
  %biases = nn.matmul %coordinates, %hidden : (tensor<3x3x2xf32>, tensor<2x4xf32>) -> tensor<3x3x4xf32>
  %table = nn.reshape %biases : tensor<3x3x4xf32> to tensor<9x4xf32>
  %7 = nn.gather %table, %index {axis = 0 : i64} : tensor<9x4xf32>, tensor<4xi64>
  %8 = nn.add %6, %7 : tensor<2x4x4xf32>, tensor<4x4xf32>
  return %8 : tensor<2x4x4xf32>
}

// -----

// REMARK-DAG: remark: trained: 'temperature' (number that a function makes a factor or slope of)
// REMARK-DAG: remark: trained: 'slope' (number that a function makes a factor or slope of)
// REMARK-DAG: remark: trained: 'closed' (a factor that starts at zero)
// REMARK-DAG: remark: frozen: 'scale' (a scalar factor)
// REMARK-DAG: remark: frozen: 'variance' (not in a weight's place)
// REMARK-DAG: remark: frozen: 'frozen_scale' (not in a weight's place)
// REMARK-DAG: remark: frozen: 'frozen_mean' (not in a weight's place)
// REMARK-DAG: remark: frozen: 'frozen_shift' (not in a weight's place)
// REMARK-DAG: remark: trained: 'gamma' (vector that is added, multiplied or filled in)
nn.parameter @temperature : tensor<f32> = dense<2.659> : tensor<f32>
nn.parameter @slope : tensor<1xf32> = dense<0.25> : tensor<1xf32>
nn.parameter @closed : tensor<1xf32> = dense<0.0> : tensor<1xf32>
nn.parameter @scale : tensor<1xf32> = dense<5.65> : tensor<1xf32>
nn.parameter @variance : tensor<4xf32> = dense<1.0> : tensor<4xf32>
nn.parameter @frozen_scale : tensor<4xf32> = dense<1.0> : tensor<4xf32>
nn.parameter @frozen_mean : tensor<4xf32> = dense<0.0> : tensor<4xf32>
nn.parameter @frozen_shift : tensor<4xf32> = dense<0.0> : tensor<4xf32>
nn.parameter @gamma : tensor<4xf32> = dense<1.000000e-05> : tensor<4xf32>
func.func @forward(%x: tensor<2x3x4xf32> {mp.name = "x", mp.role = #mp.role<input>},
    %temperature: tensor<f32> {mp.name = "temperature", mp.role = #mp.role<parameter>, nn.parameter = @temperature},
    %slope: tensor<1xf32> {mp.name = "slope", mp.role = #mp.role<parameter>, nn.parameter = @slope},
    %closed: tensor<1xf32> {mp.name = "closed", mp.role = #mp.role<parameter>, nn.parameter = @closed},
    %scale: tensor<1xf32> {mp.name = "scale", mp.role = #mp.role<parameter>, nn.parameter = @scale},
    %variance: tensor<4xf32> {mp.name = "variance", mp.role = #mp.role<parameter>, nn.parameter = @variance},
    %frozen_scale: tensor<4xf32> {mp.name = "frozen_scale", mp.role = #mp.role<parameter>, nn.parameter = @frozen_scale},
    %frozen_mean: tensor<4xf32> {mp.name = "frozen_mean", mp.role = #mp.role<parameter>, nn.parameter = @frozen_mean},
    %frozen_shift: tensor<4xf32> {mp.name = "frozen_shift", mp.role = #mp.role<parameter>, nn.parameter = @frozen_shift},
    %gamma: tensor<4xf32> {mp.name = "gamma", mp.role = #mp.role<parameter>, nn.parameter = @gamma})
    -> (tensor<2x3x4xf32> {mp.name = "y", mp.role = #mp.role<output>}) {
  %exponential = nn.exp %temperature : tensor<f32>
  %0 = nn.mul %x, %exponential : tensor<2x3x4xf32>, tensor<f32>
  %zero = nn.constant dense<0.0> : tensor<f32>
  %positive = nn.compare ge %0, %zero : tensor<2x3x4xf32>, tensor<f32>
  %negative = nn.mul %0, %slope : tensor<2x3x4xf32>, tensor<1xf32>
  %1 = nn.where %positive, %0, %negative : tensor<2x3x4xi1>, tensor<2x3x4xf32>, tensor<2x3x4xf32>
  %2 = nn.mul %1, %closed : tensor<2x3x4xf32>, tensor<1xf32>
  %3 = nn.mul %2, %scale : tensor<2x3x4xf32>, tensor<1xf32>
  // A batch norm all of whose tensors are fixed, as detectors have them.
  %epsilon = nn.constant dense<1.0e-05> : tensor<f32>
  %4 = nn.add %variance, %epsilon : tensor<4xf32>, tensor<f32>
  %5 = nn.sqrt %4 : tensor<4xf32>
  %6 = nn.reciprocal %5 : tensor<4xf32>
  %7 = nn.mul %frozen_scale, %6 : tensor<4xf32>, tensor<4xf32>
  %8 = nn.mul %frozen_mean, %7 : tensor<4xf32>, tensor<4xf32>
  %9 = nn.sub %frozen_shift, %8 : tensor<4xf32>, tensor<4xf32>
  %10 = nn.mul %3, %7 : tensor<2x3x4xf32>, tensor<4xf32>
  %11 = nn.add %10, %9 : tensor<2x3x4xf32>, tensor<4xf32>
  %12 = nn.mul %11, %gamma : tensor<2x3x4xf32>, tensor<4xf32>
  return %12 : tensor<2x3x4xf32>
}
