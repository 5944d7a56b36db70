//===- EmitMemory.cpp - EmitContext: loads, stores, conversions -----------===//

#include "mpt/Conversion/KernelEmitter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

Type conversion::getStorageType(Type elementType) {
  if (auto integer = dyn_cast<IntegerType>(elementType))
    return IntegerType::get(elementType.getContext(),
                            std::max(8u, integer.getWidth()));
  return elementType;
}

Type conversion::getComputeType(Type elementType) {
  if (elementType.isF16() || elementType.isBF16())
    return Float32Type::get(elementType.getContext());
  if (auto integer = dyn_cast<IntegerType>(elementType))
    return IntegerType::get(elementType.getContext(), integer.getWidth());
  return elementType;
}

int64_t conversion::getElementBytes(Type elementType) {
  return (elementType.getIntOrFloatBitWidth() + 7) / 8;
}

int64_t conversion::getTensorBytes(RankedTensorType type) {
  return type.getNumElements() * getElementBytes(type.getElementType());
}

SmallVector<int64_t> conversion::getRowMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t i = int64_t(shape.size()) - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

/// `type`, or a vector of it if `like` is a vector.
static Type cloneShape(Type like, Type type) {
  if (auto vector = dyn_cast<VectorType>(like))
    return VectorType::get(vector.getShape(), type);
  return type;
}

Value EmitContext::widen(Value stored, Type elementType) {
  Type compute = cloneShape(stored.getType(), getComputeType(elementType));
  if (stored.getType() == compute)
    return stored;
  if (elementType.isInteger(1)) {
    Value zero = constant(stored.getType(), 0);
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, stored,
                                 zero);
  }
  if (!elementType.isBF16() || target.isGPU)
    return arith::ExtFOp::create(b, loc, compute, stored);
  // On bits: LLVM would move arithmetic to the narrow side of an extension, and
  // x86 has none there (a call per lane).
  Type i32 = cloneShape(stored.getType(), b.getI32Type());
  Type i16 = cloneShape(stored.getType(), b.getI16Type());
  Value bits = arith::BitcastOp::create(b, loc, i16, stored);
  bits = arith::ExtUIOp::create(b, loc, i32, bits);
  bits = arith::ShLIOp::create(b, loc, bits, constant(i32, 16));
  return arith::BitcastOp::create(b, loc, compute, bits);
}

Value EmitContext::roundToNarrow(Value wide, Type elementType) {
  Type f32 = cloneShape(wide.getType(), b.getF32Type());
  Type i32 = cloneShape(wide.getType(), b.getI32Type());
  // f64 to f32 rounding to odd (Boldo and Melquiond 2008), so that the second
  // rounding sees everything that was lost.
  Value x = arith::TruncFOp::create(b, loc, f32, wide);
  Value back = arith::ExtFOp::create(b, loc, wide.getType(), x);
  Value inexact = cmpf(arith::CmpFPredicate::ONE, back, wide);
  Value away = cmpf(arith::CmpFPredicate::OGT, absf(back), absf(wide));
  Value bits = arith::BitcastOp::create(b, loc, i32, x);
  Value one = constant(i32, 1);
  bits = select(away, arith::SubIOp::create(b, loc, bits, one), bits);
  bits = select(inexact, arith::OrIOp::create(b, loc, bits, one), bits);
  Value odd = arith::BitcastOp::create(b, loc, f32, bits);
  return widen(narrow(odd, elementType), elementType);
}

Value EmitContext::narrow(Value computed, Type elementType) {
  Type storage = cloneShape(computed.getType(), getStorageType(elementType));
  if (computed.getType() == storage)
    return computed;
  if (elementType.isInteger(1))
    return arith::ExtUIOp::create(b, loc, storage, computed);
  if (!elementType.isBF16() || target.isGPU)
    return arith::TruncFOp::create(b, loc, storage, computed);
  // x86 has no vector truncation to bf16 (a call per lane): round to nearest
  // even on the bits, and choose the quiet NaN while they are 32 wide.
  Type i32 = cloneShape(computed.getType(), b.getI32Type());
  Type i16 = cloneShape(computed.getType(), b.getI16Type());
  auto bits = [&](int64_t value) { return constant(i32, double(value)); };
  Value x = arith::BitcastOp::create(b, loc, i32, computed);
  Value high = arith::ShRUIOp::create(b, loc, x, bits(16));
  Value odd = arith::AndIOp::create(b, loc, high, bits(1));
  Value rounded = arith::AddIOp::create(
      b, loc, x, arith::AddIOp::create(b, loc, odd, bits(0x7fff)));
  rounded = arith::ShRUIOp::create(b, loc, rounded, bits(16));
  Value quiet = arith::OrIOp::create(b, loc, high, bits(0x40));
  Value isNaN = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO,
                                      computed, computed);
  Value chosen = arith::SelectOp::create(b, loc, isNaN, quiet, rounded);
  return arith::BitcastOp::create(b, loc, storage,
                                  arith::TruncIOp::create(b, loc, i16, chosen));
}

Value EmitContext::load(const KernelTensor &tensor, Value linear) {
  Value stored = memref::LoadOp::create(b, loc, tensor.memref, linear);
  return widen(stored, tensor.elementType());
}

Value EmitContext::loadVector(const KernelTensor &tensor, Value linear,
                              int64_t lanes, int64_t alignment) {
  auto type = VectorType::get({lanes}, getStorageType(tensor.elementType()));
  auto aligned =
      alignment > 0 ? llvm::MaybeAlign(uint64_t(alignment)) : std::nullopt;
  Value stored =
      vector::LoadOp::create(b, loc, type, tensor.memref, ValueRange(linear),
                             /*nontemporal=*/false, aligned);
  return widen(stored, tensor.elementType());
}

void EmitContext::store(const KernelTensor &tensor, Value linear, Value value) {
  memref::StoreOp::create(b, loc, narrow(value, tensor.elementType()),
                          tensor.memref, linear);
}

void EmitContext::storeVector(const KernelTensor &tensor, Value linear,
                              Value value, int64_t alignment) {
  auto aligned =
      alignment > 0 ? llvm::MaybeAlign(uint64_t(alignment)) : std::nullopt;
  vector::StoreOp::create(b, loc, narrow(value, tensor.elementType()),
                          tensor.memref, ValueRange(linear),
                          /*nontemporal=*/false, aligned);
}

Value EmitContext::scratchView(Value scratch, int64_t byteOffset, int64_t count,
                               Type type) {
  return memref::ViewOp::create(b, loc, MemRefType::get({count}, type), scratch,
                                index(byteOffset), ValueRange());
}
