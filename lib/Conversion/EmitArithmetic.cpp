//===- EmitArithmetic.cpp - EmitContext: arithmetic -----------------------===//

#include "mpt/Conversion/KernelEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <cmath>

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

static bool isFloat(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

static Type withElementType(Type like, Type type) {
  if (auto vector = dyn_cast<VectorType>(like))
    return VectorType::get(vector.getShape(), type);
  return type;
}

Value EmitContext::constant(Type type, double value) {
  Type element = getElementTypeOrSelf(type);
  TypedAttr attr;
  if (auto floatType = dyn_cast<FloatType>(element))
    attr = b.getFloatAttr(floatType, value);
  else
    attr = b.getIntegerAttr(element, int64_t(value));
  if (auto vector = dyn_cast<VectorType>(type))
    attr = DenseElementsAttr::get(vector, Attribute(attr));
  return arith::ConstantOp::create(b, loc, attr);
}

Value EmitContext::addf(Value x, Value y) {
  return arith::AddFOp::create(b, loc, x, y, contract());
}
Value EmitContext::subf(Value x, Value y) {
  return arith::SubFOp::create(b, loc, x, y, contract());
}
Value EmitContext::mulf(Value x, Value y) {
  return arith::MulFOp::create(b, loc, x, y, contract());
}
Value EmitContext::divf(Value x, Value y) {
  return arith::DivFOp::create(b, loc, x, y, contract());
}

Value EmitContext::fma(Value x, Value y, Value z) {
  if (!target.hasFMA && !target.isGPU)
    return addf(mulf(x, y), z);
  return math::FmaOp::create(b, loc, x, y, z);
}

Value EmitContext::absf(Value x) { return math::AbsFOp::create(b, loc, x); }
Value EmitContext::sqrt(Value x) { return math::SqrtOp::create(b, loc, x); }

Value EmitContext::rsqrt(Value x) {
  return divf(constant(x.getType(), 1.0), sqrt(x));
}

Value EmitContext::cmpf(arith::CmpFPredicate predicate, Value x, Value y) {
  return arith::CmpFOp::create(b, loc, predicate, x, y);
}

Value EmitContext::addAny(Value x, Value y) {
  if (isFloat(x))
    return addf(x, y);
  return arith::AddIOp::create(b, loc, x, y);
}

Value EmitContext::mulAny(Value x, Value y) {
  if (isFloat(x))
    return mulf(x, y);
  return arith::MulIOp::create(b, loc, x, y);
}

// maximumf and minimumf would do, but x86 expands them to more than this.
Value EmitContext::maxAny(Value x, Value y) {
  if (!isFloat(x))
    return arith::MaxSIOp::create(b, loc, x, y);
  if (target.isGPU)
    return arith::MaximumFOp::create(b, loc, x, y);
  // x if x > y or x is NaN; else y, NaN included.
  Value greater = cmpf(arith::CmpFPredicate::UGT, x, y);
  Value isNaN = cmpf(arith::CmpFPredicate::UNO, y, y);
  return select(isNaN, y, select(greater, x, y));
}

Value EmitContext::minAny(Value x, Value y) {
  if (!isFloat(x))
    return arith::MinSIOp::create(b, loc, x, y);
  if (target.isGPU)
    return arith::MinimumFOp::create(b, loc, x, y);
  Value less = cmpf(arith::CmpFPredicate::ULT, x, y);
  Value isNaN = cmpf(arith::CmpFPredicate::UNO, y, y);
  return select(isNaN, y, select(less, x, y));
}

Value EmitContext::select(Value condition, Value x, Value y) {
  return arith::SelectOp::create(b, loc, condition, x, y);
}

Value EmitContext::convert(Value x, Type elementType, bool isUnsigned) {
  Type from = getElementTypeOrSelf(x.getType());
  elementType = getComputeType(elementType);
  Type to = withElementType(x.getType(), elementType);
  if (x.getType() == to)
    return x;
  const bool fromFloat = isa<FloatType>(from);
  if (elementType.isInteger(1)) {
    Value zero = constant(x.getType(), 0);
    if (fromFloat)
      return cmpf(arith::CmpFPredicate::UNE, x, zero);
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, x, zero);
  }
  if (fromFloat && isa<FloatType>(elementType)) {
    if (from.getIntOrFloatBitWidth() < elementType.getIntOrFloatBitWidth())
      return arith::ExtFOp::create(b, loc, to, x);
    return arith::TruncFOp::create(b, loc, to, x);
  }
  if (fromFloat) {
    // The plain conversion is undefined out of range: clamp, in a float type
    // that has the bounds (the upper one is the largest float below 2^n).
    const unsigned width = elementType.getIntOrFloatBitWidth();
    const unsigned valueBits = isUnsigned ? width : width - 1;
    const unsigned mantissa = from.isF64() ? 53 : 24;
    double high = std::ldexp(1.0, int(valueBits));
    double top = valueBits <= mantissa
                     ? high - 1.0
                     : high - std::ldexp(1.0, int(valueBits - mantissa));
    double low = isUnsigned ? 0.0 : -high;
    Value isNaN = cmpf(arith::CmpFPredicate::UNO, x, x);
    Value tooLow =
        cmpf(arith::CmpFPredicate::OLT, x, constant(x.getType(), low));
    Value tooHigh =
        cmpf(arith::CmpFPredicate::OGE, x, constant(x.getType(), high));
    Value clamped = select(isNaN, constant(x.getType(), 0.0), x);
    clamped = select(tooLow, constant(x.getType(), low), clamped);
    clamped = select(tooHigh, constant(x.getType(), top), clamped);
    Value result =
        isUnsigned ? arith::FPToUIOp::create(b, loc, to, clamped).getResult()
                   : arith::FPToSIOp::create(b, loc, to, clamped).getResult();
    // The largest integer lies above the largest float.
    APInt largest = isUnsigned ? APInt::getMaxValue(width)
                               : APInt::getSignedMaxValue(width);
    TypedAttr attr = b.getIntegerAttr(elementType, largest);
    if (auto vector = dyn_cast<VectorType>(to))
      attr = DenseElementsAttr::get(vector, Attribute(attr));
    return select(tooHigh, arith::ConstantOp::create(b, loc, attr), result);
  }
  if (isa<FloatType>(elementType)) {
    if (isUnsigned || from.isInteger(1))
      return arith::UIToFPOp::create(b, loc, to, x);
    return arith::SIToFPOp::create(b, loc, to, x);
  }
  if (from.getIntOrFloatBitWidth() > elementType.getIntOrFloatBitWidth())
    return arith::TruncIOp::create(b, loc, to, x);
  if (isUnsigned || from.isInteger(1))
    return arith::ExtUIOp::create(b, loc, to, x);
  return arith::ExtSIOp::create(b, loc, to, x);
}

Value EmitContext::splat(Value scalar, int64_t lanes) {
  return vector::BroadcastOp::create(
      b, loc, VectorType::get({lanes}, scalar.getType()), scalar);
}

Value EmitContext::sumLanes(Value vector) {
  // A tree: the order is fixed here, not by the backend.
  auto type = cast<VectorType>(vector.getType());
  int64_t lanes = type.getNumElements();
  while (lanes > 1 && lanes % 2 == 0) {
    const int64_t half = lanes / 2;
    SmallVector<int64_t> low, high;
    for (int64_t i = 0; i < half; ++i) {
      low.push_back(i);
      high.push_back(half + i);
    }
    Value x = vector::ShuffleOp::create(b, loc, vector, vector, low);
    Value y = vector::ShuffleOp::create(b, loc, vector, vector, high);
    vector = addAny(x, y);
    lanes = half;
  }
  Value sum = vector::ExtractOp::create(b, loc, vector, int64_t(0));
  for (int64_t i = 1; i < lanes; ++i)
    sum = addAny(sum, vector::ExtractOp::create(b, loc, vector, i));
  return sum;
}
