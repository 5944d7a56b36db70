//===- EmitControl.cpp - EmitContext: loops and index arithmetic ----------===//

#include "mpt/Conversion/KernelEmitter.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <functional>

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

EmitContext::Range EmitContext::share(int64_t total) {
  if (target.isGPU) {
    // Blocks of a one-dimensional grid.
    Value block = gpu::BlockIdOp::create(b, loc, gpu::Dimension::x);
    Value size = gpu::BlockDimOp::create(b, loc, gpu::Dimension::x);
    Value thread = gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x);
    Value blocks = gpu::GridDimOp::create(b, loc, gpu::Dimension::x);
    return {add(mul(block, size), thread), index(total), mul(blocks, size)};
  }
  // Chunk c of C: [c * ceil(T / C), min(T, (c + 1) * ceil(T / C))).
  Value size =
      arith::CeilDivUIOp::create(b, loc, index(total), chunks).getResult();
  Value begin = min(mul(chunk, size), index(total));
  Value end = min(add(begin, size), index(total));
  return {begin, end, index(1)};
}

void EmitContext::parallel(int64_t total,
                           llvm::function_ref<void(Value)> body) {
  Range range = share(total);
  loop(range.begin, range.end, range.step, body);
}

void EmitContext::loop(Value lower, Value upper, Value step,
                       llvm::function_ref<void(Value)> body) {
  loop(lower, upper, step, ValueRange(), [&](Value i, ValueRange) {
    body(i);
    return SmallVector<Value>();
  });
}

void EmitContext::loop(int64_t upper, llvm::function_ref<void(Value)> body) {
  loop(index(0), index(upper), index(1), body);
}

SmallVector<Value> EmitContext::loop(int64_t upper, ValueRange init,
                                     LoopBody body) {
  return loop(index(0), index(upper), index(1), init, body);
}

SmallVector<Value> EmitContext::loop(Value lower, Value upper, Value step,
                                     ValueRange init, LoopBody body) {
  auto forOp = scf::ForOp::create(b, loc, lower, upper, step, init);
  OpBuilder::InsertionGuard guard(b);
  Block *block = forOp.getBody();
  // Without carried values the builder has made the terminator already.
  if (init.empty())
    b.setInsertionPoint(block->getTerminator());
  else
    b.setInsertionPointToEnd(block);
  SmallVector<Value> next =
      body(forOp.getInductionVar(), forOp.getRegionIterArgs());
  if (!init.empty())
    scf::YieldOp::create(b, loc, next);
  return SmallVector<Value>(forOp.getResults());
}

SmallVector<Value> EmitContext::loopNest(ArrayRef<int64_t> extents,
                                         ValueRange init, NestBody body) {
  SmallVector<Value> coordinates;
  // As deep as a tensor's rank, not as a graph.
  std::function<SmallVector<Value>(unsigned, ValueRange)> build =
      [&](unsigned depth, ValueRange carried) -> SmallVector<Value> {
    if (depth == extents.size())
      return body(coordinates, carried);
    if (extents[depth] == 1) {
      coordinates.push_back(index(0));
      SmallVector<Value> result = build(depth + 1, carried);
      coordinates.pop_back();
      return result;
    }
    return loop(extents[depth], carried, [&](Value i, ValueRange inner) {
      coordinates.push_back(i);
      SmallVector<Value> result = build(depth + 1, inner);
      coordinates.pop_back();
      return result;
    });
  };
  return build(0, init);
}

void EmitContext::loopNest(ArrayRef<int64_t> extents,
                           llvm::function_ref<void(ValueRange)> body) {
  loopNest(extents, ValueRange(), [&](ValueRange coordinates, ValueRange) {
    body(coordinates);
    return SmallVector<Value>();
  });
}

SmallVector<Value> EmitContext::ifElse(Value condition, TypeRange types,
                                       Branch then, Branch otherwise) {
  auto ifOp = scf::IfOp::create(b, loc, types, condition,
                                /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(b);
  auto fill = [&](Block *block, Branch branch) {
    b.setInsertionPointToEnd(block);
    SmallVector<Value> values = branch();
    b.setInsertionPointToEnd(block);
    if (block->empty() || !block->back().hasTrait<OpTrait::IsTerminator>())
      scf::YieldOp::create(b, loc, values);
  };
  fill(ifOp.thenBlock(), then);
  fill(ifOp.elseBlock(), otherwise);
  return SmallVector<Value>(ifOp.getResults());
}

void EmitContext::ifThen(Value condition, llvm::function_ref<void()> then) {
  auto ifOp = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(ifOp.thenBlock()->getTerminator());
  then();
}

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

Value EmitContext::index(int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}

Value EmitContext::add(Value x, Value y) {
  std::optional<int64_t> cx = getConstantIntValue(x),
                         cy = getConstantIntValue(y);
  if (cx && cy)
    return index(*cx + *cy);
  if (cx == 0)
    return y;
  if (cy == 0)
    return x;
  return arith::AddIOp::create(b, loc, x, y);
}

Value EmitContext::sub(Value x, Value y) {
  std::optional<int64_t> cx = getConstantIntValue(x),
                         cy = getConstantIntValue(y);
  if (cx && cy)
    return index(*cx - *cy);
  if (cy == 0)
    return x;
  return arith::SubIOp::create(b, loc, x, y);
}

Value EmitContext::mul(Value x, Value y) {
  std::optional<int64_t> cx = getConstantIntValue(x),
                         cy = getConstantIntValue(y);
  if (cx && cy)
    return index(*cx * *cy);
  if (cx == 0 || cy == 1)
    return x;
  if (cy == 0 || cx == 1)
    return y;
  return arith::MulIOp::create(b, loc, x, y);
}

Value EmitContext::div(Value x, int64_t c) {
  if (c == 1)
    return x;
  if (std::optional<int64_t> cx = getConstantIntValue(x); cx && c != 0)
    return index(*cx / c);
  return arith::DivUIOp::create(b, loc, x, index(c));
}

Value EmitContext::rem(Value x, int64_t c) {
  if (c == 1)
    return index(0);
  if (std::optional<int64_t> cx = getConstantIntValue(x); cx && c != 0)
    return index(*cx % c);
  return arith::RemUIOp::create(b, loc, x, index(c));
}

Value EmitContext::min(Value x, Value y) {
  std::optional<int64_t> cx = getConstantIntValue(x),
                         cy = getConstantIntValue(y);
  if (cx && cy)
    return index(std::min(*cx, *cy));
  return arith::MinSIOp::create(b, loc, x, y);
}

Value EmitContext::max(Value x, Value y) {
  std::optional<int64_t> cx = getConstantIntValue(x),
                         cy = getConstantIntValue(y);
  if (cx && cy)
    return index(std::max(*cx, *cy));
  return arith::MaxSIOp::create(b, loc, x, y);
}

Value EmitContext::cmp(arith::CmpIPredicate predicate, Value x, Value y) {
  return arith::CmpIOp::create(b, loc, predicate, x, y);
}

Value EmitContext::isInside(Value x, int64_t extent) {
  // A negative number is a large unsigned one.
  return cmp(arith::CmpIPredicate::ult, x, index(extent));
}

Value EmitContext::logicalAnd(Value x, Value y) {
  return arith::AndIOp::create(b, loc, x, y);
}

Value EmitContext::linearize(ValueRange coordinates,
                             ArrayRef<int64_t> strides) {
  Value result = index(0);
  for (auto [coordinate, stride] : llvm::zip_equal(coordinates, strides))
    result = add(result, mul(coordinate, stride));
  return result;
}

SmallVector<Value> EmitContext::delinearize(Value linear,
                                            ArrayRef<int64_t> shape) {
  SmallVector<Value> coordinates(shape.size());
  Value rest = linear;
  // The first axis longer than 1 needs no remainder.
  int64_t leading = 0;
  while (leading < int64_t(shape.size()) && shape[leading] == 1)
    ++leading;
  for (int64_t i = int64_t(shape.size()) - 1; i >= 0; --i) {
    if (i <= leading) {
      coordinates[i] = i == leading ? rest : index(0);
      continue;
    }
    // An empty axis has no elements to visit; the value is never used.
    const int64_t extent = std::max<int64_t>(shape[i], 1);
    coordinates[i] = rem(rest, extent);
    rest = div(rest, extent);
  }
  return coordinates;
}

Value EmitContext::broadcastIndex(ValueRange coordinates,
                                  ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides = getRowMajorStrides(shape);
  const size_t skip = coordinates.size() - shape.size();
  Value result = index(0);
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] != 1)
      result = add(result, mul(coordinates[skip + i], strides[i]));
  return result;
}
