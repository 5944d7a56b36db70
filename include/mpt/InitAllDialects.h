//===- InitAllDialects.h - Registration of every dialect --------*- C++ -*-===//
//
// For tools only: libraries name the dialects they need.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_INITALLDIALECTS_H
#define MPT_INITALLDIALECTS_H

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Interfaces/UpstreamModels.h"

namespace mpt {

/// MPT's own dialects, and its interfaces on upstream operations.
inline void registerDialects(mlir::DialectRegistry &registry) {
  registry.insert<mp::MPDialect, nn::NNDialect>();
  registerUpstreamModels(registry);
}

/// MPT's dialects and everything upstream, with its extensions.
inline void registerAllDialects(mlir::DialectRegistry &registry) {
  registerDialects(registry);
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
}

} // namespace mpt

#endif // MPT_INITALLDIALECTS_H
