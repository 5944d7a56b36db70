//===- Losses.cpp - Losses that are ONNX operators ------------------------===//

#include "Node.h"

using namespace mlir;

namespace mpt::importer {

void registerLosses(Registry &registry) {}

} // namespace mpt::importer
