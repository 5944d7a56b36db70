//===- WorkOpInterface.cpp - How much an op computes and reads ------------===//

#include "mpt/Interfaces/WorkOpInterface.h"

using namespace mlir;

int64_t mpt::countElements(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped)
    return 0;
  int64_t elements = 1;
  if (shaped.hasRank())
    for (int64_t extent : shaped.getShape())
      elements *= ShapedType::isDynamic(extent) ? 1 : extent;
  return elements;
}

#include "mpt/Interfaces/WorkOpInterface.cpp.inc"
