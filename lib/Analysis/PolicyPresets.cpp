//===- PolicyPresets.cpp - Policies known by name -------------------------===//

#include "mpt/Analysis/PolicyFile.h"

// What PyTorch's autocast keeps in FP32 beside what is FP32 by class here.
static const char kConservative[] = R"(
ops:
  softmax: fp32
  softmax_grad: fp32
  layer_norm: fp32
  layer_norm_grad: fp32
  group_norm: fp32
  group_norm_grad: fp32
  rms_norm: fp32
  rms_norm_grad: fp32
  reduce_sum: fp32
  reduce_mean: fp32
  avg_pool: fp32
  avg_pool_grad: fp32
)";

static const char kDefault[] = "{}";

// Everything that a kernel computes in FP32 inside may read and write 16 bits.
static const char kAggressive[] = R"(
ops:
  exp: follow
  log: follow
  sqrt: follow
  reciprocal: follow
  pow: follow
  sin: follow
  cos: follow
  tan: follow
  asin: follow
  acos: follow
  sinh: follow
  cosh: follow
  acosh: follow
  atanh: follow
  softplus: follow
  mish: follow
  log_softmax: follow
  reduce_prod: follow
  cum_sum: follow
thresholds:
  constants_may_vanish: true
)";

// BF16 has the range of FP32; what is left is that it keeps three digits.
static const char kBF16[] = R"(
low: bf16
ops:
  exp: follow
  log: follow
  sqrt: follow
  reciprocal: follow
  pow: follow
  sinh: follow
  cosh: follow
  softplus: follow
  mish: follow
)";

const char *mpt::getPolicyPreset(const std::string &name) {
  if (name == "conservative")
    return kConservative;
  if (name == "default")
    return kDefault;
  if (name == "aggressive")
    return kAggressive;
  return name == "bf16" ? kBF16 : nullptr;
}
