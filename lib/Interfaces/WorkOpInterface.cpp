//===- WorkOpInterface.cpp - How much an op computes and reads ------------===//

#include "mpt/Interfaces/WorkOpInterface.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

int64_t mpt::countElements(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped)
    return 0;
  int64_t elements = 1;
  if (shaped.hasRank())
    for (int64_t extent : shaped.getShape())
      if (!ShapedType::isDynamic(extent) &&
          llvm::MulOverflow(elements, extent, elements))
        return int64_t(1) << 50; // no memory holds it
  return elements;
}

#include "mpt/Interfaces/WorkOpInterface.cpp.inc"
