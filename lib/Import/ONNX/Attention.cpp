//===- Attention.cpp - Attention and rotary embeddings --------------------===//

#include "Node.h"

using namespace mlir;

namespace mpt::importer {

void registerAttention(Registry &registry) {}

} // namespace mpt::importer
