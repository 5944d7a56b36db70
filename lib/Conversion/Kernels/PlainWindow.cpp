//===- PlainWindow.cpp - Sliding windows, a position at a time ------------===//

#include "PlainWindow.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

static Value both(EmitContext &c, Value a, Value b) {
  return a ? c.logicalAnd(a, b) : b;
}

std::pair<Value, Value> PlainWindow::getInputElement(EmitContext &c,
                                                     ValueRange at,
                                                     ValueRange k) const {
  SmallVector<Value> position;
  Value inside;
  for (size_t axis = 0; axis < x.size(); ++axis) {
    Value p = c.add(
        c.add(c.mul(at[axis], strides[axis]), c.mul(k[axis], dilations[axis])),
        -pads[axis]);
    position.push_back(p);
    const int64_t last = (y[axis] - 1) * strides[axis] +
                         (kernel[axis] - 1) * dilations[axis] - pads[axis];
    if (pads[axis] > 0 || last >= x[axis])
      inside = both(c, inside, c.isInside(p, x[axis]));
  }
  return {c.linearize(position, getRowMajorStrides(x)), inside};
}

std::pair<Value, Value> PlainWindow::getOutputElement(EmitContext &c,
                                                      ValueRange at,
                                                      ValueRange k) const {
  SmallVector<Value> position;
  Value inside;
  for (size_t axis = 0; axis < x.size(); ++axis) {
    // o * stride = x + pad - k * dilation. A multiple of the stride makes the
    // numerator non-negative for the division, and is taken off the quotient.
    const int64_t reach = (kernel[axis] - 1) * dilations[axis];
    const int64_t shift = llvm::divideCeil(reach, strides[axis]);
    Value numerator = c.sub(c.add(at[axis], pads[axis] + shift * strides[axis]),
                            c.mul(k[axis], dilations[axis]));
    Value o = c.add(c.div(numerator, strides[axis]), -shift);
    if (strides[axis] > 1)
      inside = both(c, inside,
                    c.cmp(arith::CmpIPredicate::eq,
                          c.rem(numerator, strides[axis]), c.index(0)));
    inside = both(c, inside, c.isInside(o, y[axis]));
    position.push_back(o);
  }
  return {c.linearize(position, getRowMajorStrides(y)), inside};
}

SmallVector<Value>
conversion::emitWhere(EmitContext &c, Value inside, ValueRange otherwise,
                      llvm::function_ref<SmallVector<Value>()> then) {
  if (!inside)
    return then();
  return c.ifElse(inside, otherwise.getTypes(), then,
                  [&] { return SmallVector<Value>(otherwise); });
}
