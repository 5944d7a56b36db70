//===- Passes.td - Passes on networks and training steps ------*- tablegen -*-===//

#ifndef MPT_TRANSFORMS_PASSES
#define MPT_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

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

    The defaults are those of PyTorch's GradScaler, with the bounds 1 and 2^24 of Apex and
    ONNX Runtime (Micikevicius et al. 2018 describe the method). With a power of two as the
    scale, scaling is exact wherever no value is subnormal or overflows.
  }];
  let options = [
    Option<"mode", "mode", "std::string", "\"dynamic\"", "dynamic, static or off">,
    Option<"initScale", "init-scale", "double", "65536.0", "the scale of the first step">,
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

#endif // MPT_TRANSFORMS_PASSES
