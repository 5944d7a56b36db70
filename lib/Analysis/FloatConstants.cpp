//===- FloatConstants.cpp - Constants in another floating-point type ------===//

#include "mpt/Analysis/FloatConstants.h"

#include "mpt/Interfaces/PrecisionOpInterface.h"
#include "mpt/Support/Half.h"

#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <cmath>

using namespace mlir;
using namespace mpt;

static uint16_t encode(float value, FloatType type) {
  return type.isF16() ? encodeSmallFloat<F16Format>(value)
                      : encodeSmallFloat<BF16Format>(value);
}

static double decode(uint16_t bits, FloatType type) {
  const llvm::fltSemantics &semantics = type.getFloatSemantics();
  APFloat value(semantics, APInt(16, bits));
  bool losesInfo;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                &losesInfo);
  return value.convertToDouble();
}

/// The f32 values of the attribute: one for a splat. False when they cannot be
/// read.
static bool readFloats(ElementsAttr value, SmallVectorImpl<float> &floats) {
  if (!value.getElementType().isF32())
    return false;
  if (auto dense = dyn_cast<DenseFPElementsAttr>(value)) {
    if (dense.isSplat()) {
      floats.push_back(dense.getSplatValue<float>());
      return true;
    }
    auto values = dense.getValues<float>();
    floats.assign(values.begin(), values.end());
    return true;
  }
  if (auto resource = dyn_cast<DenseF32ResourceElementsAttr>(value)) {
    std::optional<ArrayRef<float>> data = resource.tryGetAsArrayRef();
    if (!data)
      return false;
    floats.assign(data->begin(), data->end());
    return true;
  }
  return false;
}

ElementsAttr mpt::getFloatConstant(Operation *op) {
  Attribute value;
  if (!op || op->getNumResults() != 1 ||
      !isa<FloatType>(getElementTypeOrSelf(op->getResult(0).getType())) ||
      !matchPattern(op, m_Constant(&value)))
    return {};
  return dyn_cast<ElementsAttr>(value);
}

bool mpt::isMadeAnew(Operation *op) {
  auto interface = dyn_cast_or_null<PrecisionOpInterface>(op);
  return interface && op->getNumResults() == 1 && op->getNumRegions() == 0 &&
         interface.getPrecisionClass() == PrecisionClass::Transparent &&
         isMemoryEffectFree(op) &&
         llvm::none_of(op->getOperandTypes(), [](Type type) {
           return isa<FloatType>(getElementTypeOrSelf(type));
         });
}

ConstantFit mpt::classifyConstant(ElementsAttr value, FloatType type,
                                  std::optional<double> maxAbs) {
  SmallVector<float> floats;
  if (!readFloats(value, floats))
    return ConstantFit::Unknown;
  float largest = 0;
  for (float v : floats)
    if (std::isfinite(v))
      largest = std::max(largest, std::fabs(v));
  if (largest == 0)
    return ConstantFit::Fits;
  double rounded = decode(encode(largest, type), type);
  if (std::isinf(rounded) || (maxAbs && largest > *maxAbs))
    return ConstantFit::Overflows;
  // A subnormal with fewer than six bits has lost more than half of FP16's ten.
  if (std::fabs(rounded - largest) > largest / 64)
    return ConstantFit::Vanishes;
  return ConstantFit::Fits;
}

ElementsAttr mpt::convertConstant(ElementsAttr value, FloatType type,
                                  bool saturate) {
  SmallVector<float> floats;
  auto shaped = cast<ShapedType>(value.getType());
  if (!readFloats(value, floats))
    return {};
  SmallVector<uint16_t> bits;
  bits.reserve(floats.size());
  const double largest =
      APFloat::getLargest(type.getFloatSemantics()).convertToDouble();
  for (float v : floats) {
    uint16_t rounded = encode(v, type);
    if (saturate && std::isfinite(v) && std::isinf(decode(rounded, type)))
      rounded = encode(std::copysign(largest, v), type);
    bits.push_back(rounded);
  }
  auto newType = cast<ShapedType>(shaped.clone(type));
  ArrayRef<char> raw(reinterpret_cast<const char *>(bits.data()),
                     bits.size() * sizeof(uint16_t));
  if (isa<DenseResourceElementsAttr>(value))
    return DenseResourceElementsAttr::get(
        newType, "mpt_low_constant",
        HeapAsmResourceBlob::allocateAndCopyWithAlign(raw, alignof(uint64_t),
                                                      /*dataIsMutable=*/false));
  return DenseElementsAttr::getFromRawBuffer(newType, raw);
}
