//===- Softmax.h - Normalizer of a softmax ----------------------*- C++ -*-===//

#ifndef MPT_LIB_REFERENCE_SOFTMAX_H
#define MPT_LIB_REFERENCE_SOFTMAX_H

#include "Evaluation.h"

namespace mpt::reference {

/// log(sum(exp(x))) = max + log(sum), where sum adds exp(x - max). NaN for a
/// line of which every element is -inf, as in PyTorch.
struct LogSumExp {
  double max, sum;
};
LogSumExp logSumExp(const double *x, int64_t count, int64_t stride);

} // namespace mpt::reference

#endif // MPT_LIB_REFERENCE_SOFTMAX_H
