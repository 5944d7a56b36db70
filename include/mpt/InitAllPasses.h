//===- InitAllPasses.h - Registration of every pass -------------*- C++ -*-===//
//
// For tools only.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_INITALLPASSES_H
#define MPT_INITALLPASSES_H

#include "mlir/InitAllPasses.h"
#include "mpt/Conversion/Passes.h"
#include "mpt/Pipelines/Pipelines.h"
#include "mpt/Transforms/Passes.h"

namespace mpt {

/// MPT's own passes and pipelines.
inline void registerPasses() {
  registerMPTConversionPasses();
  registerMPTTransformsPasses();
  registerPipelines();
}

/// MPT's passes and pipelines and everything upstream.
inline void registerAllPasses() {
  registerPasses();
  mlir::registerAllPasses();
}

} // namespace mpt

#endif // MPT_INITALLPASSES_H
