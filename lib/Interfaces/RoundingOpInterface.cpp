//===- RoundingOpInterface.cpp - How rounding errors travel ---------------===//

#include "mpt/Interfaces/RoundingOpInterface.h"

using namespace mlir;

#include "mpt/Interfaces/RoundingOpInterface.cpp.inc"
