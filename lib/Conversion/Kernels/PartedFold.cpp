//===- PartedFold.cpp - Sums by many threads ------------------------------===//

#include "PartedFold.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

void PartedFold::emitParts(
    EmitContext &c, llvm::function_ref<Values(Value)> begin,
    llvm::function_ref<Values(Value, Value, ValueRange)> body,
    llvm::function_ref<void(Value, Value, ValueRange)> end) const {
  c.parallel(items(), [&](Value item) {
    Value section = item, part = c.index(0);
    if (parts > 1) {
      section = partsAreNeighbours ? c.div(item, parts) : c.rem(item, sections);
      part = partsAreNeighbours ? c.rem(item, parts) : c.div(item, sections);
    }
    Values init = begin(section);
    Values results = c.loop(part, c.index(size), c.index(parts), init,
                            [&](Value element, ValueRange carried) {
                              return body(section, element, carried);
                            });
    end(section, part, results);
  });
}

Value PartedFold::getSlot(EmitContext &c, Value section, Value part) const {
  return c.add(c.mul(part, sections), section);
}

PartedFold::Values PartedFold::combineParts(EmitContext &c, Value section,
                                            ValueRange init, Body body) const {
  return c.loop(parts, init, [&](Value part, ValueRange carried) {
    return body(getSlot(c, section, part), carried);
  });
}

KernelTensor conversion::viewShared(EmitContext &c, int64_t byteOffset,
                                    int64_t count, Type type) {
  return {RankedTensorType::get({count}, type),
          c.scratchView(c.sharedScratch, byteOffset, count, type),
          {1}};
}
