//===- ParameterContents.h - Tables that are no weights ---------*- C++ -*-===//

#ifndef MPT_LIB_TRANSFORMS_PARAMETERCONTENTS_H
#define MPT_LIB_TRANSFORMS_PARAMETERCONTENTS_H

#include "ParameterData.h"

namespace mpt {

/// Holds an infinity or a huge constant.
bool isMask(const ParameterData &data);

/// What a table that has the contents of a formula is: "a fixed table of
/// positions: its rows are sines and cosines"; empty for what may be a weight.
/// Random and constant initial values match none of the formulas.
llvm::StringRef describeFixedTable(const ParameterData &data);

/// The same for tables that are multiplied elementwise: also rotary tables of
/// any kind and masks that multiply.
llvm::StringRef describeFixedFactor(const ParameterData &data);

} // namespace mpt

#endif // MPT_LIB_TRANSFORMS_PARAMETERCONTENTS_H
