//===- ParameterRanges.cpp - Ranges of parameters' initial values ---------===//

#include "mpt/Transforms/ParameterRanges.h"

#include "ParameterData.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

using namespace mlir;
using namespace mpt;

/// Does a step give the parameter a new value?
static bool isReplaced(FunctionOpInterface function, unsigned index) {
  StringRef name = mp::getArgName(function, index);
  std::optional<mp::Role> role = mp::getArgRole(function, index);
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (mp::getResultRole(function, i) == role &&
        mp::getResultName(function, i) == name)
      return true;
  return false;
}

RangeSeeds mpt::seedFromParameters(FunctionOpInterface function,
                                   const ParameterRangeOptions &options) {
  // One table for all arguments: a look-up per symbol.
  auto symbols = std::make_shared<SymbolTable>(
      SymbolTable::getNearestSymbolTable(function));
  RangeSeeds seeds;
  seeds.argument = [symbols,
                    options](FunctionOpInterface function,
                             unsigned index) -> std::optional<NumericRange> {
    auto symbol = function.getArgAttrOfType<FlatSymbolRefAttr>(
        index, nn::NNDialect::kParameterAttrName);
    auto parameter = symbol
                         ? symbols->lookup<nn::ParameterOp>(symbol.getValue())
                         : nn::ParameterOp();
    if (!parameter)
      return std::nullopt;
    if (options.trainedBound > 0 && isReplaced(function, index))
      return NumericRange::between(-options.trainedBound, options.trainedBound);
    std::string problem;
    std::optional<ParameterData> data =
        ParameterData::load(parameter, options.directory, problem);
    if (!data || data->getType().getElementType().isInteger(1))
      return std::nullopt;
    return rangeOfBytes(data->getType().getElementType(), data->getBytes());
  };
  return seeds;
}
