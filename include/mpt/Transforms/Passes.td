//===- Passes.td - Passes on networks and training steps ---*- tablegen -*-===//

#ifndef MPT_TRANSFORMS_PASSES
#define MPT_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// From a forward function to a training step
//===----------------------------------------------------------------------===//

def PrepareParametersPass : Pass<"mpt-prepare-parameters", "::mlir::ModuleOp"> {
  let summary = "Choose what is trained and undo what exporters do to parameters";
  let description = [{
    A model file does not say what is a parameter: scalars, masks and tables of positions are
    initializers like any weight. This pass decides, and gives every decision as a remark with
    its reason:

    1. **Splats are split.** Exporters replace equal initializers by one, so that in a fresh
       model every zero bias and every unit scale are one tensor. A parameter whose elements
       are all equal and that several operations use becomes one parameter per use
       (`<name>`, `<name>.1`, ...). A parameter with content that several operations use is a
       real tie and stays one, and so is one whose elements are all equal in a file that has two
       equal ones of its size or less: nothing merged them, so the model itself uses it twice.
    2. **A table and its transpose are tied.** Where one parameter is bit for bit the transpose
       of another, it is replaced by an `nn.transpose` of it.
    3. **Trainable is what stands in a weight's place:** factors of matrix products and filters,
       scales and shifts of normalizations, biases, tables that are gathered from, added or multiplied, tokens that are put beside or
       instead of activations (also through an expansion), slopes, and numbers that only a function makes a factor of (`exp`
       of a temperature). Numbers of formulas, masks (with an infinity or a huge constant inside) and integers stay frozen, and so do tables
       with the contents of a formula: sine waves, straight lines, coordinates of a grid, triangles. Of a tensor of *equal* elements the
       use decides alone, as a fresh model has them anywhere: nobody adds a table of zeros or multiplies with zero that is not
       trained, except what is added to the scores of a softmax (a mask that hides nothing) or has a row for each sample
       (its first extent is the inputs').
    4. **Masters.** A trained parameter stored in 16 bits becomes f32, cast to its type for the model.
    5. **Batch norm.** An `nn.batch_norm_inference` stays as it is; `batch-norm=training` makes it
       `nn.batch_norm_training`, and a remark says when that looks wanted (its scale is trained).

    `trainable` and `freeze` are comma-separated parameter names or regular expressions that must
    match a whole name; they override the choice, and one that matches nothing is an error. Where both
    match, `freeze` wins. A `!` takes names out of a list again (the last entry that matches counts), so
    `freeze='.*,!head.*'` trains the head alone. External values are read by mapping the file, relative to `directory`. Running the pass
    twice changes nothing.

    ```mlir
    nn.parameter @w : tensor<4x8xf32>            nn.parameter @w trainable = true : tensor<4x8xf32>
    // @forward: nn.matmul %x, %w          ==>   // remark: trained: factor of a matrix product
    ```
  }];
  let options = [
    Option<"trainable", "trainable", "std::string", "\"\"", "names or regexes of parameters to train in any case">,
    Option<"freeze", "freeze", "std::string", "\"\"", "names or regexes of parameters not to train">,
    Option<"batchNorm", "batch-norm", "std::string", "\"keep\"", "keep, or training: inference-mode batch norm becomes training-mode">,
    Option<"directory", "directory", "std::string", "\"\"", "folder that relative paths of external values start from">,
    Option<"split", "split-splats", "bool", "true", "split parameters of equal elements per use">,
    Option<"tie", "tie-transposes", "bool", "true", "tie tables that are each other's transpose">,
  ];
  let dependentDialects = ["::mpt::nn::NNDialect", "::mpt::mp::MPDialect"];
}

def LoadParametersPass : Pass<"mpt-load-parameters", "::mlir::ModuleOp"> {
  let summary = "Give the parameters the values of a safetensors file";
  let description = [{
    The values that `mpt-train --save` or a checkpoint holds take the place of the initial ones, by
    parameter name, running statistics of batch norm included; with `average` those of the moving
    average (`--ema`) where the file has one. The bytes stay in the file.

    A training may have split or tied parameters of the model file, so this pass stands behind
    `mpt-prepare-parameters` with the options of the training. A parameter that the file does not
    have keeps its value, with a warning; another shape or element type is an error, and so is a
    file that has none of the parameters.

    ```mlir
    nn.parameter @w : tensor<4x8xf32> = dense<0.0> : tensor<4x8xf32>
    ```
    with `file=trained.safetensors` becomes
    ```mlir
    nn.parameter @w : tensor<4x8xf32> = #nn.external<"trained.safetensors", 256, 128>
    ```
  }];
  let options = [
    Option<"file", "file", "std::string", "\"\"", "the safetensors file">,
    Option<"average", "average", "bool", "false", "take the moving averages of the parameters">,
  ];
  let dependentDialects = ["::mpt::nn::NNDialect", "::mpt::mp::MPDialect"];
}

def AttachLossPass : Pass<"mpt-attach-loss", "::mlir::ModuleOp"> {
  let summary = "Compute a loss from the outputs and new label arguments";
  let description = [{
    Adds to the forward function the arguments the loss needs (role `label`, behind the inputs)
    and the loss as its first result (role `loss`, a scalar f32). `loss` is an expression over
    names of outputs and names of the data the labels come from:

        cross_entropy(logits, labels, axis=-1, ignore_index=-100, weights=none, reduction=mean)
        mse(output, target, reduction=mean)     l1(...)     bce_with_logits(...)
        ctc(logits, labels, logit_lengths, label_lengths, blank=0, reduction=mean, zero_infinity=false)
        cross_entropy(logits, labels) + 0.4*cross_entropy(aux_logits, labels)
        loss                      the name of an output that is the loss already

    Labels of `cross_entropy` are i64 in the output's shape without the class axis, other labels
    have the output's shape in f32. `ctc` takes logits [N, T, C] and i64 labels [N, S] with lengths
    [N]; S is what `label-lengths` says, or T (no more labels than frames can be aligned). A label that is an input of the model already is used. Losses
    are computed in f32 (f64 outputs: in f64 and rounded at the end). `reduction` is mean or sum. A
    factor that is no FP32 number (0.4) is the sum of two that are, so that evaluation in double
    has it to 48 bits.

    ```mlir
    func.func @forward(%x: tensor<8x4xf32> {mp.name = "x", mp.role = #mp.role<input>})
        -> (tensor<8x3xf32> {mp.name = "logits", mp.role = #mp.role<output>})
    ```
    with `loss="cross_entropy(logits, labels)"` becomes
    ```mlir
    func.func @forward(%x: tensor<8x4xf32> {...},
                       %labels: tensor<8xi64> {mp.name = "labels", mp.role = #mp.role<label>})
        -> (tensor<f32> {mp.name = "loss", mp.role = #mp.role<loss>}, tensor<8x3xf32> {...})
    ```
    Works on the function that has outputs and no loss; `function` names it where there are
    several.
  }];
  let options = [
    Option<"loss", "loss", "std::string", "\"\"", "the loss, as an expression over output and label names">,
    ListOption<"labelLengths", "label-lengths", "std::string",
      "name=count: labels of a sample where the logits do not say it (ctc)">,
    Option<"function", "function", "std::string", "\"\"", "the function to work on">,
  ];
  let dependentDialects = ["::mpt::nn::NNDialect", "::mpt::mp::MPDialect"];
}

def FuseActivationsPass : Pass<"mpt-fuse-activations", "::mlir::func::FuncOp"> {
  let summary = "Make one operation of an activation that is spelled out";
  let description = [{
    Exporters write `gelu` and `silu` in elementary operations. Every step of them is a tensor that the
    backward pass reads, and a power or an exponential among them stays FP32. What is equal to

        x/2 (1 + erf(x/sqrt(2)))                             becomes  nn.gelu
        x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))        becomes  nn.gelu {tanh}
        x sigmoid(x)                                         becomes  nn.silu

    whatever the order of products and sums: the expression is read as a polynomial in `x` and the
    transcendental function. A coefficient may differ from the formula by what rounding to FP32 makes of
    it (1e-6 relative). Values inside that are read elsewhere as well keep the expression as it is.

    ```mlir
    %1 = nn.mul %x, %c0       // 0.707107
    %2 = nn.erf %1
    %3 = nn.add %2, %c1       // 1.0                 ==>  %5 = nn.gelu %x
    %4 = nn.mul %x, %3
    %5 = nn.mul %4, %c2       // 0.5
    ```
  }];
  let dependentDialects = ["::mpt::nn::NNDialect"];
}

def DifferentiatePass : Pass<"mpt-differentiate", "::mlir::ModuleOp"> {
  let summary = "Append the gradient of the loss for every trained parameter";
  let description = [{
    Reverse-mode differentiation on tensor operations. Every function with a loss and without
    gradients gets one more result per trained parameter (role `gradient`, named after it), in the
    order of the arguments. The backward graph starts at `mp.loss_seed` and ends in one
    `mp.gradient` per parameter.

    Operations bring their rules with `DifferentiableOpInterface`; the trait `NonDifferentiable`
    ends a path; anything else between a trained parameter and the loss is an error that names
    operation and ONNX node. Only paths from trained parameters to the loss are followed. A value
    used n times takes n-1 `nn.add`; gradients in a broadcast shape are summed down here, once for
    all operations. A trained parameter that the loss does not depend on gets a warning and a zero
    gradient.

    `wrt` names what to differentiate by (names or regexes, comma-separated, parameters and float
    inputs alike); by default the arguments whose `nn.parameter` is trainable.

    ```mlir
    %0 = nn.mul %w, %w : ...                 %0 = nn.mul %w, %w : ...
    return %loss                             %1 = mp.loss_seed : tensor<f32>
                                      ==>    %2 = nn.mul %1, %w : ...
                                             %3 = nn.mul %1, %w : ...
                                             %4 = nn.add %2, %3 : ...
                                             %5 = mp.gradient %4 of "w" : tensor<f32>
                                             return %loss, %5
    ```
  }];
  let options = [
    Option<"wrt", "wrt", "std::string", "\"\"", "names or regexes of arguments; default: the trained parameters">,
  ];
  let dependentDialects = ["::mpt::nn::NNDialect", "::mpt::mp::MPDialect"];
}

def AccumulateGradientsPass : Pass<"mpt-accumulate-gradients", "::mlir::ModuleOp"> {
  let summary = "Compute the batch in micro-batches and add up their gradients";
  let description = [{
    Every function with gradients takes `micro-batches` N times as many samples: the inputs and labels
    grow along their first axis, and the body is repeated for each Nth of them, one after the other, so
    that the memory of one micro-batch's activations serves all. Gradients are summed in FP32 as soon
    as each is there (`nn.add` with `mp.accumulate`), and their mean goes to `mp.gradient`; so the loss scale,
    which enters before and leaves after, is one for all micro-batches, gradients are unscaled and
    checked once, and clipping and the optimizer see the sum. The loss is the mean of the micro-batches'
    losses; outputs stop being results. What depends on parameters alone is computed once. Running
    statistics of batch norm are updated by one micro-batch after the other, and dropout draws new bits
    in each.

    The step stays one function: there is no state between micro-batches, and a checkpoint always
    stands between steps. Run it behind `mpt-differentiate`. Equal to one batch of N times the size where
    the loss is a mean over samples (batch norm and means over tokens that are not ignored are means
    of each micro-batch).

    ```mlir
    func.func @forward(%x: tensor<8x4xf32>, ...)      func.func @forward(%x: tensor<16x4xf32>, ...)
      %1 = nn.matmul %x, %w                             %x0 = nn.slice %x {starts = [0, 0]} : ... to tensor<8x4xf32>
      ...                                        ==>    %1 = nn.matmul %x0, %w
      %g = mp.gradient %9 of "w"                        ...
                                                        %x1 = nn.slice %x {starts = [8, 0]}
                                                        ...
                                                        %s = nn.add %9, %19 {mp.accumulate}
                                                        %m = nn.mul %s, %half
                                                        %g = mp.gradient %m of "w"
    ```
  }];
  let options = [
    Option<"microBatches", "micro-batches", "int64_t", "1", "parts the batch is computed in">,
  ];
  let dependentDialects = ["::mpt::nn::NNDialect", "::mpt::mp::MPDialect"];
}

def AttachOptimizerPass : Pass<"mpt-attach-optimizer", "::mlir::ModuleOp"> {
  let summary = "Turn a function with gradients into a training step";
  let description = [{
    Every function with gradients is renamed to `@train_step`: its gradients stop being results
    and feed one optimizer operation per trained parameter.

        sgd(lr, momentum=0, dampening=0, nesterov=false, weight_decay=0)
        adam(lr=1e-3, betas=(0.9,0.999), eps=1e-8, weight_decay=0)
        adamw(lr=1e-3, betas=(0.9,0.999), eps=1e-8, weight_decay=0.01)

    with PyTorch's formulas and defaults. `param-groups` gives some parameters other settings: groups
    `names:settings`, separated by semicolons; the first that matches counts.

        @norm,@bias:weight_decay=0                 what recipes call no decay on norms and biases
        layer[0-3]\..*:lr_scale=0.1; head.*:weight_decay=0, lr_scale=10

    Names are names or regexes of parameters, or what a parameter is in the graph: `@norm` (scales and
    shifts of normalizations; vectors that something is multiplied by), `@bias` (also other vectors that are
    added), `@embedding` (tables gathered or added), `@weight` (filters, factors of matrix products).
    Settings are the optimizer's keywords but `lr`, and `lr_scale`, a factor of the learning rate. Each
    group is a remark with its counts and an attribute `mp.group` of its parameters.

    With `ema` D > 0 every trained parameter gets a state `<parameter>.ema`, which starts as its first
    value and becomes `ema + (1 - D) (parameter - ema)` in every step that is not skipped.

    New arguments: `step` (i64, steps applied so far),
    `learning_rate` (f32; `lr` is kept as its `mp.initial`) and the optimizer's state
    (`<parameter>.momentum`, or `.exp_avg` and `.exp_avg_sq`). New results, each an `mp.update`:
    trained parameters, state, running statistics of batch norm, step (which `nn.dropout` then reads); and `grad_norm` (metric), the
    global 2-norm of all gradients. With `clip-norm` C > 0 gradients are multiplied by
    min(1, C / (norm + 1e-6)) (PyTorch's clip_grad_norm_). State arguments carry `mp.donate`; every
    operation built carries `mp.pin`, so it stays FP32.

    ```mlir
    %g = mp.gradient %0 of "w" : tensor<4xf32>
    return %loss, %g
    ```
    becomes
    ```mlir
    %g = mp.gradient %0 of "w" : tensor<4xf32>
    %new, %v = nn.sgd %w, %g, %w.momentum, %learning_rate, %t {momentum = 0.9, mp.pin = "optimizer"} : ...
    %w.next = mp.update %w to %new : tensor<4xf32>
    ...
    return %loss, %w.next, %v.next, %step.next, %grad_norm
    ```
  }];
  let options = [
    Option<"optimizer", "optimizer", "std::string", "\"\"", "sgd(...), adam(...) or adamw(...)">,
    Option<"groups", "param-groups", "std::string", "\"\"", "names:settings groups, separated by semicolons">,
    Option<"clipNorm", "clip-norm", "double", "0.0", "bound of the global gradient norm; 0: none">,
    Option<"ema", "ema", "double", "0.0", "decay of the moving average of the parameters; 0: none">,
    Option<"keepOutputs", "keep-outputs", "bool", "true", "whether the outputs of the model stay results of the step">,
  ];
  let dependentDialects = ["::mpt::nn::NNDialect", "::mpt::mp::MPDialect"];
}

def InferenceModePass : Pass<"mpt-inference-mode", "::mlir::ModuleOp"> {
  let summary = "Add @eval: the forward function with batch norm and dropout in inference mode";
  let description = [{
    Clones every function with outputs that is no training step (run it before
    `mpt-differentiate`) as `@eval`, where `nn.batch_norm_training` becomes
    `nn.batch_norm_inference` on the running statistics and `nn.dropout` becomes its operand.
    The clone carries `mp.evaluation`; passes that build training steps leave it alone.

    ```mlir
    %0:5 = nn.batch_norm_training %x, %s, %b, %m, %v ==> %0 = nn.batch_norm_inference %x, %s, %b, %m, %v
    %1, %mask = nn.dropout %0 {...}                      // uses of %1 read %0
    ```
  }];
  let dependentDialects = ["::mpt::nn::NNDialect", "::mpt::mp::MPDialect"];
}

//===----------------------------------------------------------------------===//
// Loss scaling: these passes know the dialect mp and interfaces, no network operation
//===----------------------------------------------------------------------===//

def ScaleLossPass : Pass<"mpt-scale-loss", "::mlir::func::FuncOp"> {
  let summary = "Scale the loss, unscale and check the gradients, guard every update";
  let description = [{
    Works on any function with `mp.loss_seed`, `mp.gradient` and `mp.update`, wherever its
    backward graph comes from; leaves every other function alone.

    - `mp.loss_seed` becomes the new argument `loss_scale` (f32, role `loss_scale`).
    - Every `mp.gradient` becomes an `mp.unscale`; one `mp.all_finite` reads all *scaled*
      gradients, and every `mp.update` takes its flag.
    - New results: `finite` (i1) and `first_nonfinite` (i64), role `metric`.
    - `dynamic` adds the arguments `loss_scale.counter` and `loss_scale.budget` (i64) and
      `mp.update_scale`, whose results are the next step's scale state.

    The new arguments say their value in the first step (`mp.initial`). Mode `off` changes
    nothing: the seed stays 1.

    `auto` is `dynamic` with a first scale from `profile`, which `mpt-run --profile` wrote of a
    step (scaled or not): the largest power of two that leaves the largest element of the backward graph
    four doublings below FP16's 65504.

    The defaults are those of PyTorch's GradScaler, with the bounds 1 and 2^24 of Apex and
    ONNX Runtime (Micikevicius et al. 2018 describe the method). With a power of two as the
    scale, scaling is exact wherever no value is subnormal or overflows.
  }];
  let options = [
    Option<"mode", "mode", "std::string", "\"dynamic\"", "dynamic, static, auto or off">,
    Option<"initScale", "init-scale", "double", "65536.0", "the scale of the first step">,
    Option<"profile", "profile", "std::string", "\"\"", "auto: a profile of the backward graph">,
    Option<"growth", "growth", "double", "2.0", "factor after growth-interval finite steps">,
    Option<"backoff", "backoff", "double", "0.5", "factor after an overflow">,
    Option<"growthInterval", "growth-interval", "int64_t", "2000", "finite steps before the scale grows">,
    Option<"minimum", "min", "double", "1.0", "the scale never falls below">,
    Option<"maximum", "max", "double", "16777216.0", "the scale never grows above">,
    Option<"hysteresis", "hysteresis", "int64_t", "1", "overflows before the scale falls">,
  ];
  let dependentDialects = ["::mpt::mp::MPDialect"];
}

def VerifyLossScalingPass : Pass<"mpt-verify-loss-scaling", "::mlir::func::FuncOp"> {
  let summary = "Prove that the loss scale cancels out of every step";
  let description = [{
    Infers for every floating value of a function the power of the loss scale it carries
    (`LossScaleOpInterface`; a constant zero carries any) and rejects the function when

    - an operation combines values in a way no power fits (a norm of scaled gradients against
      an unscaled bound, a sum of a scaled and an unscaled value);
    - a non-linear operation, an optimizer or a result sees a power other than 0;
    - `mp.unscale` reads a gradient that carries no scale (unscaled twice, or never scaled);
    - in a scaled step, a state result is not defined by an `mp.update` whose flag is the
      `mp.all_finite` of all gradients.

    Notes show where the power came from. Changes nothing; linear in the size of the function.
  }];
}

//===----------------------------------------------------------------------===//
// Precision: these passes know the dialect mp and interfaces, no network operation
//===----------------------------------------------------------------------===//

def NormalizeMasksPass : Pass<"mpt-normalize-masks", "::mlir::func::FuncOp"> {
  let summary = "Write attention masks so that 16 bits hold them";
  let description = [{
    Constant masks: `softmax(x + mask)` with a constant mask whose huge negative values (below -65504, often
    -3.4e38 or -1e9) stand for "not this one": they become -inf, which every floating type has, where each row
    of the softmax keeps an element that is not masked. Both give the weight exp(-huge) = 0,
    so the result is the same for scores within 16000. A row masked completely stays as it
    is: there the finite value gives equal weights and the infinity a NaN.

    ```mlir
    %c = nn.constant dense<[[0.0, -3.4e38], [0.0, 0.0]]>  ==>  dense<[[0.0, -inf], [0.0, 0.0]]>
    %1 = nn.softmax (nn.add %x, %c) {axis = 1}
    ```

    Masks by a condition: a sum with zero or a number below -1e9 is a choice between the score and
    that number, since a score (below 32; any score, where the number is -3.4e38) is lost in it. A choice that only
    softmaxes read is marked: where it becomes 16 bits wide, a number below -65504 is the lowest finite number
    (mpt-assign-precision and mpt-insert-casts see to that), in FP32 it stays what it is. A row masked completely keeps
    equal weights; another one is the same while one of its scores is above -65400.

    ```mlir
    %m = nn.where %keep, %zero, %lowest
    %1 = nn.softmax (nn.add %x, %m) {axis = 1}
    ```
    becomes
    ```mlir
    %0 = nn.where %keep, %x, %lowest {mp.mask}
    %1 = nn.softmax %0 {axis = 1}
    ```

    Masks that are computed, `(1 - m) * huge`, where `m` holds whole numbers (or the difference comes from 1 and the
    number is below -1e17): they are zero or below -1e9 as well. The number is bounded in FP32, where the mask is
    still small. The same for a mask that is added to a bias first, `x + (bias + mask)`.

    ```mlir
    %m = nn.mul (nn.sub %one, %attend), %lowest
    %1 = nn.softmax (nn.add %x, %m) {axis = 1}
    ```
    becomes
    ```mlir
    %open = nn.compare eq %m, %zero
    %bounded = nn.clip %m {min = -65504.0, max = 65504.0, mp.pin = "bounds a mask for 16 bits"}
    %0 = nn.where %open, %x, %bounded
    %1 = nn.softmax %0 {axis = 1}
    ```
    What anything else than a softmax reads stays as it is.
  }];
  let dependentDialects = ["::mpt::nn::NNDialect", "::mpt::mp::MPDialect"];
}

def InferRangesPass : Pass<"mpt-infer-ranges", "::mlir::ModuleOp"> {
  let summary = "Infer sound intervals of all values, and remark on what FP16 cannot hold";
  let description = [{
    For every tensor an interval that holds all its finite elements, whether it may hold
    infinities and NaN, and the least magnitude of what is not zero (`ValueRangeOpInterface`;
    include/mpt/Analysis/ValueRanges.h). An operation without a transfer function may give anything.

    What is known at the start:

    - constants and, unless `parameters=unknown`, the initial values of parameters (external
      ones are mapped, relative to `directory`);
    - `mp.range = array<f64: lo, hi>` on an argument, and `inputs`, a list of `name=lo:hi`.
      Without either an input may be anything, infinities and NaN included;
    - `profile=FILE`, which `mpt-run --profile` wrote: every tensor is taken to stay within
      `profile-margin` times what was measured. Ranges are then no proof, but what data like these give;
    - a parameter that the function trains keeps its initial values only in the first step;
      `trained-bound=B` assumes that it stays in [-B, B].

    Remarks, with node names: masking constants below -65504, epsilons that vanish in FP16,
    constants that lose all their bits, sums and squares that leave FP16 although what they are made of does not.
    The function is not changed unless `annotate` is given:

    ```mlir
    %1 = nn.softmax %0 {axis = 1 : i64} : tensor<4x8xf32>
    ```
    becomes
    ```mlir
    %1 = nn.softmax %0 {axis = 1 : i64, mp.ranges = [ {hi = 1.0 : f64, lo = 0.0 : f64, nan} ]} : ...
    ```
    Linear in the size of the function and the bytes of its constants and parameters.
  }];
  let options = [
    ListOption<"inputs", "inputs", "std::string", "name=lo:hi: what an argument may hold">,
    Option<"parameters", "parameters", "std::string", "\"initial\"", "initial: parameters have their initial values; or unknown">,
    Option<"trainedBound", "trained-bound", "double", "0.0", "assume trained parameters in [-B, B]; 0: their initial values">,
    Option<"directory", "directory", "std::string", "\"\"", "folder that relative paths of external values start from">,
    Option<"profile", "profile", "std::string", "\"\"", "what was measured of the tensors">,
    Option<"profileMargin", "profile-margin", "double", "4.0", "factor by which values may leave what was measured">,
    Option<"annotate", "annotate", "bool", "false", "write mp.ranges on every operation">,
    Option<"print", "print", "bool", "false", "print one line per value to standard output">,
    Option<"remarks", "remarks", "bool", "true", "remark on what FP16 cannot hold">,
  ];
}

def AssignPrecisionPass : Pass<"mpt-assign-precision", "::mlir::func::FuncOp"> {
  let summary = "Decide which operations run in 16 bits, and say why";
  let description = [{
    Reads `PrecisionOpInterface` and writes `mp.decision` on every operation with floating
    tensors; changes nothing else. `mpt-insert-casts` carries the decisions out.

    1. FP32 is fixed for: operations of class FP32, without the interface, pinned (`mp.pin`),
       on other floats than f32, or with a constant that the low type cannot hold (and what reads
       a masking constant like -3.4e38, up to the softmax); everything
       behind `mp.gradient` and `mp.unscale`; what reads the loss seed or the loss scale (2^24
       is no FP16 number); what computes the loss after the last operation of class low; following
       and transparent operations that no operation of their classes connects to one of class low.
    2. Operations of class low are low (`target=generic`), or what costs less (any other target).
    3. The rest gets the assignment of least cost, forward and backward together: a minimum s-t
       cut, exact. An operation costs the longer of its arithmetic and its traffic in its
       precision on the `target`; a value costs 6 bytes of traffic per element for each direction
       it is cast in, however many operations read it; constants are re-typed, which is free, and so
       are parameters of a function that returns no new state. With any target but `generic` the
       modelled cost is never above that of all-FP32, so a small function may stay in FP32.

    ```mlir
    %0 = nn.matmul %x, %w : ...        %0 = nn.matmul %x, %w {mp.decision =
                                  ==>    #mp.decision<f16, low = true, "profits from low precision, sums in FP32">} : ...
    ```

    With `ranges` an operation that is FP32 only because it could overflow or underflow (its reason
    says so) is released to class follow where `ValueRanges` prove that rounding its operands makes no
    infinity and no NaN that were not there: exp(x - max(x)), a reciprocal of something in [1, 8].
    What is known at the start are constants and `mp.range` on arguments, and with `profile` what
    `mpt-run --profile` measured, times 4; then an operation whose measured results leave the low type
    stays FP32.

    `strategy=paint` replaces 2 and 3 by the painting of TensorFlow's auto_mixed_precision, to compare with.

    A decision that stands from an earlier run whose casts were inserted is kept.
    `fp32-ops` and `low-ops` hold operation names (`nn.softmax` or `softmax`) and regular
    expressions that match whole node names (the names in the locations). They win over the
    policy's rules.
  }];
  let options = [
    Option<"policyName", "policy", "std::string", "\"\"",
      "a policy file (docs/Policy.md), or conservative, default, aggressive or bf16">,
    Option<"low", "low", "std::string", "\"\"",
      "the low type: f16 or bf16, or f16/bf16 for forward/backward (the policy's, else f16)">,
    Option<"strategy", "strategy", "std::string", "\"\"", "cut, or paint (the policy's, else cut)">,
    Option<"target", "target", "std::string", "\"\"",
      "generic, h100, a100, cpu-avx2, cpu-avx512 or cpu-avx512-bf16 (the policy's, else generic)">,
    Option<"useRanges", "ranges", "bool", "true", "release operations that value ranges prove safe">,
    Option<"profile", "profile", "std::string", "\"\"", "what mpt-run --profile measured">,
    Option<"keepIO", "keep-io", "bool", "true", "keep the types of inputs and outputs">,
    Option<"widenResults", "widen-results", "bool", "true", "count on mpt-insert-casts to widen results">,
    ListOption<"fp32Ops", "fp32-ops", "std::string", "operations and nodes to keep in FP32">,
    ListOption<"lowOps", "low-ops", "std::string", "operations and nodes to run in the low type">,
  ];
  let dependentDialects = ["::mpt::mp::MPDialect"];
}

def InsertCastsPass : Pass<"mpt-insert-casts", "::mlir::func::FuncOp"> {
  let summary = "Carry out the precision decisions: retype operations, insert casts";
  let description = [{
    An operation whose `mp.decision` is low gets all floating operands and results in the low
    type, except those its interface pins. A result that may be wider (`isResultWidenable`) is
    f32 where every user wants f32. One `mp.cast` per value and direction, right behind the
    producer (at the start of the function for arguments), is shared by all users; constants are
    re-typed instead, rounded to nearest even.

    The function keeps its types unless mpt-assign-precision decided otherwise (`keep-io=false`).
    No cast of the user is touched. Linear in the size of the function; twice is once.
  }];
  let options = [
    Option<"widenResults", "widen-results", "bool", "true",
      "let results be f32 where the operands are low; ONNX cannot say that">,
  ];
  let dependentDialects = ["::mpt::mp::MPDialect", "::mlir::arith::ArithDialect"];
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

def RematerializePass : Pass<"mpt-rematerialize", "::mlir::func::FuncOp"> {
  let summary = "Compute cheap values again in the backward pass instead of keeping them";
  let description = [{
    Forward operations are those that the loss and the outputs need. For every value of theirs that the
    backward pass reads, the pass decides between keeping it and computing it again from what is
    kept: a minimum cut, where keeping costs the value's bytes (as the precision passes decided them) and
    computing costs a share of the bytes the operation moves. Copies carry `mp.recomputed` and stand in front of
    their first reader in the backward pass. What they compute is what the original computes, so gradients do
    not change; dropout draws the same bits.

    Without a budget, matrix products and convolutions are never repeated. `budget` bounds the peak of live
    bytes (parameters, state and inputs apart), in bytes (`64MiB`) or as a fraction of the peak without this
    pass (`0.5`): if cheap operations do not suffice, contractions are repeated too, those first that save the most
    bytes per flop (the cut is solved for a falling price of a flop), until the budget is met or the flops of the
    step would exceed `max-flops` times what they were; a remark says what was reached. Among the cuts
    tried, the one with the smallest peak counts, within the budget the one with the fewest flops.

    With `scope=inputs` only the 16-bit copies of inputs are made again, whatever the memory: an input is there
    in FP32 anyway, so that its copy need not live through the step.

    Run it last: canonicalization and CSE leave the copies alone, but there is nothing more to do. A
    function without a backward pass is left alone, and so is one in which the pass has run.

    ```mlir
    %1 = nn.matmul %x, %w                        %1 = nn.matmul %x, %w
    %2 = nn.gelu %1                              %2 = nn.gelu %1
    %3 = nn.matmul %2, %v                ==>     %3 = nn.matmul %2, %v
    ...                                          ...
    %8 = nn.matmul %2, %dy {transpose_lhs}       %2a = nn.gelu %1 {mp.recomputed}
                                                 %8 = nn.matmul %2a, %dy {transpose_lhs}
    ```
  }];
  let options = [
    Option<"budget", "budget", "std::string", "\"\"", "largest peak of live bytes, or a fraction of today's">,
    Option<"scope", "scope", "std::string", "\"all\"", "all, or inputs: casts of inputs alone">,
    Option<"maxFlops", "max-flops", "double", "1.35", "bound of the flops of the step, relative to today's">,
  ];
  let dependentDialects = ["::mpt::nn::NNDialect", "::mpt::mp::MPDialect"];
}

def PrintPrecisionPass : Pass<"mpt-print-precision", "::mlir::ModuleOp"> {
  let summary = "Print how many operations run in which precision, and the casts";
  let description = [{
    To standard output, one block per function, in the order of the module; with `details`, one line per operation with the reason.
  }];
  let options = [
    Option<"details", "details", "bool", "false", "list every operation with its reason">,
  ];
}

def ExplainPrecisionPass : Pass<"mpt-explain-precision", "::mlir::ModuleOp"> {
  let summary = "Write down why every operation runs in its precision";
  let description = [{
    Reads `mp.decision`, the types and the casts of every function that has decisions, before or
    after the casts were inserted, and writes per operation: its precision, the chain of reasons
    from neighbour to neighbour, what would change it, the bytes of its results in FP32 and as
    decided; and totals. `output` ends in `.txt`, `.json`, or `.html`: one page with the graph
    coloured by precision, which can be searched by node name. `mpt-opt --explain FILE` is this
    pass behind all others.
  }];
  let options = [
    Option<"output", "output", "std::string", "\"-\"", "the file: .txt, .json or .html; - is text to standard output">,
  ];
}

#endif // MPT_TRANSFORMS_PASSES
