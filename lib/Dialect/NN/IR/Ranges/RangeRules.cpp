//===- RangeRules.cpp - What the transfer functions share -----------------===//

#include "RangeRules.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

int64_t nn::countElements(ArrayRef<int64_t> extents) {
  constexpr int64_t most = int64_t(1) << 62;
  int64_t count = 1;
  for (int64_t extent : extents)
    if (ShapedType::isDynamic(extent) ||
        llvm::MulOverflow(count, extent, count) || count > most)
      return most;
  return count;
}

int64_t nn::countElements(ArrayRef<int64_t> shape, ArrayRef<int64_t> axes) {
  SmallVector<int64_t> extents;
  for (int64_t axis : axes)
    extents.push_back(shape[axis]);
  return countElements(extents);
}

Value nn::skipCasts(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    // The compiler's casts belong to a dialect that this one does not know.
    if (op->getName().stripDialect() != "cast" || op->getNumOperands() != 1 ||
        !isFloat(op->getOperand(0)) || !isFloat(value))
      break;
    value = op->getOperand(0);
  }
  return value;
}

Value nn::skipViews(Value value, ArrayRef<int64_t> &shape) {
  value = skipCasts(value);
  while (auto expand = value.getDefiningOp<ExpandOp>())
    value = skipCasts(expand.getInput());
  shape = shapeOf(value);
  while (auto reshape = value.getDefiningOp<ReshapeOp>())
    value = skipCasts(reshape.getInput());
  return value;
}

bool nn::broadcastsBack(ArrayRef<int64_t> shape, ArrayRef<int64_t> from,
                        ArrayRef<int64_t> axes) {
  if (axes.size() == from.size() &&
      llvm::all_of(shape, [](int64_t extent) { return extent == 1; }))
    return true;
  return ArrayRef<int64_t>(getReducedShape(from, axes, /*keepdims=*/true)) ==
         shape;
}
