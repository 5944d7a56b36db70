//===- Section.cpp - Folds over parts of a tensor -------------------------===//

#include "Section.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;

namespace mpt::conversion {

Value loadElements(EmitContext &c, const KernelTensor &tensor, Value linear,
                   int64_t width) {
  return width == 1 ? c.load(tensor, linear)
                    : c.loadVector(tensor, linear, width);
}

void storeElements(EmitContext &c, const KernelTensor &tensor, Value linear,
                   int64_t width, Value value) {
  if (width == 1)
    c.store(tensor, linear, value);
  else
    c.storeVector(tensor, linear, value);
}

Value constantElements(EmitContext &c, double value, int64_t width) {
  Type type = c.b.getF32Type();
  if (width > 1)
    type = VectorType::get({width}, type);
  return c.constant(type, value);
}

int64_t getLaneBlocks(const TargetDescription &target, int64_t extent) {
  const int64_t lanes = target.lanes();
  return (extent + lanes - 1) / lanes;
}

void forLaneBlock(EmitContext &c, int64_t extent, Value block,
                  function_ref<void(Value, int64_t)> body) {
  const int64_t lanes = c.target.lanes();
  Value first = c.mul(block, lanes);
  if (extent % lanes == 0) {
    body(first, lanes);
    return;
  }
  auto single = [&] {
    c.loop(first, c.index(extent), c.index(1),
           [&](Value section) { body(section, 1); });
    return SmallVector<Value>();
  };
  if (extent < lanes) {
    single();
    return;
  }
  c.ifElse(
      c.cmp(arith::CmpIPredicate::sle, first, c.index(extent - lanes)), {},
      [&] {
        body(first, lanes);
        return SmallVector<Value>();
      },
      single);
}

Section Section::along(EmitContext &c, Value base, ArrayRef<Axis> axes,
                       int64_t run) {
  Section section(c);
  section.base = base;
  section.axes.assign(axes.begin(), axes.end());
  section.run = run;
  return section;
}

Section Section::across(EmitContext &c, Value base, ArrayRef<Axis> axes,
                        int64_t lanes) {
  Section section(c);
  section.base = base;
  section.axes.assign(axes.begin(), axes.end());
  section.isAlong = false;
  section.lanes = lanes;
  return section;
}

int64_t Section::size() const {
  int64_t result = isAlong ? run : 1;
  for (const Axis &axis : axes)
    result *= axis.first;
  return result;
}

SmallVector<std::pair<int64_t, int64_t>> Section::getPieces() const {
  if (!isAlong)
    return {{lanes, lanes}};
  // Four vectors at a time hide the latency of an addition.
  SmallVector<std::pair<int64_t, int64_t>> pieces;
  int64_t rest = run;
  for (int64_t width : {4 * c.target.lanes(), c.target.lanes(), int64_t(1)}) {
    const int64_t covered = rest / width * width;
    if (covered > 0)
      pieces.push_back({width, covered});
    rest -= covered;
  }
  return pieces;
}

void Section::forEach(Visit visit) const {
  SmallVector<int64_t> extents, strides;
  for (const Axis &axis : axes) {
    extents.push_back(axis.first);
    strides.push_back(axis.second);
  }
  c.loopNest(extents, [&](ValueRange at) {
    Value offset = c.linearize(at, strides);
    for (auto [width, covered] : getPieces()) {
      if (covered == width)
        visit(offset, width);
      else
        c.loop(c.index(0), c.index(covered), c.index(width),
               [&, width = width](Value j) { visit(c.add(offset, j), width); });
      offset = c.add(offset, covered);
    }
  });
}

SmallVector<Value> Section::fold(unsigned count, double identity, Fold fold,
                                 Combine combine) const {
  auto pieces = getPieces();
  SmallVector<Value> carried;
  for (auto [width, covered] : pieces)
    carried.append(count, constantElements(c, identity, width));
  SmallVector<int64_t> extents, strides;
  for (const Axis &axis : axes) {
    extents.push_back(axis.first);
    strides.push_back(axis.second);
  }
  carried = c.loopNest(extents, carried, [&](ValueRange at, ValueRange values) {
    Value offset = c.linearize(at, strides);
    SmallVector<Value> next;
    for (auto [i, piece] : llvm::enumerate(pieces)) {
      auto [width, covered] = piece;
      SmallVector<Value> part(values.slice(i * count, count));
      if (covered == width)
        fold(offset, width, part);
      else
        part = c.loop(c.index(0), c.index(covered), c.index(width), part,
                      [&, width = width](Value j, ValueRange inner) {
                        SmallVector<Value> accumulators(inner);
                        fold(c.add(offset, j), width, accumulators);
                        return accumulators;
                      });
      next.append(part);
      offset = c.add(offset, covered);
    }
    return next;
  });
  if (!isAlong)
    return carried;
  // Lanes: halves are combined until one is left; then the pieces.
  SmallVector<Value> results;
  for (unsigned i = 0; i < count; ++i) {
    Value result;
    for (auto [number, piece] : llvm::enumerate(pieces)) {
      Value value = carried[number * count + i];
      for (int64_t width = piece.first; width > 1; width /= 2) {
        SmallVector<int64_t> low, high;
        for (int64_t lane = 0; lane < width / 2; ++lane) {
          low.push_back(lane);
          high.push_back(width / 2 + lane);
        }
        value =
            combine(vector::ShuffleOp::create(c.b, c.loc, value, value, low),
                    vector::ShuffleOp::create(c.b, c.loc, value, value, high));
      }
      if (isa<VectorType>(value.getType()))
        value = vector::ExtractOp::create(c.b, c.loc, value, int64_t(0));
      result = result ? combine(result, value) : value;
    }
    results.push_back(result ? result : constantElements(c, identity, 1));
  }
  return results;
}

SmallVector<Value> Section::sum(unsigned count, Fold body) const {
  return fold(count, 0, body, [&](Value a, Value b) { return c.addf(a, b); });
}

Value Section::sumOf(function_ref<Value(Value, int64_t)> term) const {
  return sum(1,
             [&](Value offset, int64_t width, MutableArrayRef<Value> acc) {
               acc[0] = c.addf(acc[0], term(offset, width));
             })
      .front();
}

Value Section::maxOf(function_ref<Value(Value, int64_t)> term) const {
  return fold(
             1, -std::numeric_limits<double>::infinity(),
             [&](Value offset, int64_t width, MutableArrayRef<Value> acc) {
               acc[0] = c.maxAny(acc[0], term(offset, width));
             },
             [&](Value a, Value b) { return c.maxAny(a, b); })
      .front();
}

Value Section::spread(Value value, int64_t width) const {
  return isAlong && width > 1 ? c.splat(value, width) : value;
}

Value Section::load(const KernelTensor &tensor, Value offset,
                    int64_t width) const {
  return loadElements(c, tensor, c.add(base, offset), width);
}

void Section::store(const KernelTensor &tensor, Value offset, int64_t width,
                    Value value) const {
  storeElements(c, tensor, c.add(base, offset), width, value);
}

Value Section::loadValue(const KernelTensor &tensor, Value linear) const {
  return loadElements(c, tensor, linear, valueLanes());
}

void Section::storeValue(const KernelTensor &tensor, Value linear,
                         Value value) const {
  storeElements(c, tensor, linear, valueLanes(), value);
}

} // namespace mpt::conversion
