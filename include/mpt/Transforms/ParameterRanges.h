//===- ParameterRanges.h - Ranges of parameters' initial values -*- C++ -*-===//

#ifndef MPT_TRANSFORMS_PARAMETERRANGES_H
#define MPT_TRANSFORMS_PARAMETERRANGES_H

#include "mlir/IR/SymbolTable.h"
#include "mpt/Analysis/ValueRanges.h"

#include <memory>
#include <string>

namespace mpt {

struct ParameterRangeOptions {
  /// Where relative paths of external values are looked for, beside the current
  /// folder.
  std::string directory;
  /// Trained parameters are assumed in [-trainedBound, trainedBound]; 0: they
  /// are taken to have their initial values, which holds for the first step.
  double trainedBound = 0;
};

/// The seeds of a function whose arguments refer to nn.parameter symbols: each
/// value is read once. A value that cannot be read is unknown. The module must
/// outlive the result.
RangeSeeds seedFromParameters(mlir::FunctionOpInterface function,
                              const ParameterRangeOptions &options);

} // namespace mpt

#endif // MPT_TRANSFORMS_PARAMETERRANGES_H
