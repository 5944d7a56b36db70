//===- Interfaces.cpp - Definitions of MPT's op interfaces ----------------===//

#include "mpt/Interfaces/DifferentiableOpInterface.h"
#include "mpt/Interfaces/LossScaleOpInterface.h"
#include "mpt/Interfaces/PrecisionOpInterface.h"
#include "mpt/Interfaces/SliceFlowOpInterface.h"
#include "mpt/Interfaces/ValueRangeOpInterface.h"

using namespace mpt;

llvm::StringRef mpt::stringifyPrecisionClass(PrecisionClass value) {
  switch (value) {
  case PrecisionClass::Low:
    return "low";
  case PrecisionClass::Follow:
    return "follow";
  case PrecisionClass::Transparent:
    return "transparent";
  case PrecisionClass::FP32:
    return "fp32";
  }
  return "";
}

llvm::StringRef mpt::stringifyPrecisionReasonKind(PrecisionReasonKind value) {
  switch (value) {
  case PrecisionReasonKind::Unsafe:
    return "unsafe";
  case PrecisionReasonKind::Slow:
    return "slow";
  case PrecisionReasonKind::NoKernel:
    return "no kernel";
  }
  return "";
}

#include "mpt/Interfaces/DifferentiableOpInterface.cpp.inc"
#include "mpt/Interfaces/LossScaleOpInterface.cpp.inc"
#include "mpt/Interfaces/PrecisionOpInterface.cpp.inc"
#include "mpt/Interfaces/SliceFlowOpInterface.cpp.inc"
#include "mpt/Interfaces/ValueRangeOpInterface.cpp.inc"
