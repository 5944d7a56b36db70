//===- PrecisionQueries.cpp - What operations say about themselves --------===//

#include "mpt/Analysis/PrecisionAssignment.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"

using namespace mlir;
using namespace mpt;

StringRef mpt::getNodeName(Location location) {
  while (true) {
    if (auto name = dyn_cast<NameLoc>(location))
      return name.getName();
    if (auto call = dyn_cast<CallSiteLoc>(location)) {
      location = call.getCallee();
      continue;
    }
    auto fused = dyn_cast<FusedLoc>(location);
    if (!fused || fused.getLocations().empty())
      return {};
    location = fused.getLocations().front();
  }
}

bool mpt::isFloatTensor(Type type) {
  auto tensor = dyn_cast<TensorType>(type);
  return tensor && isa<FloatType>(tensor.getElementType());
}

bool mpt::isF32Tensor(Type type) {
  auto tensor = dyn_cast<TensorType>(type);
  return tensor && tensor.getElementType().isF32();
}

bool mpt::takesPrecision(Operation *op) {
  if (isa<mp::CastOp>(op) || op->hasTrait<OpTrait::ConstantLike>() ||
      op->hasTrait<OpTrait::IsTerminator>())
    return false;
  if (onlyCarriesFloats(op))
    return false;
  return llvm::any_of(op->getOperandTypes(), isFloatTensor) ||
         llvm::any_of(op->getResultTypes(), isFloatTensor);
}

bool mpt::isRangeTheDanger(PrecisionOpInterface op) {
  StringRef reason = op.getPrecisionReason();
  return op.getPrecisionReasonKind() == PrecisionReasonKind::Unsafe &&
         (reason.contains("overflow") || reason.contains("underflow") ||
          reason.contains("vanish"));
}

bool mpt::isFlexibleOperand(OpOperand &operand) {
  auto interface = dyn_cast<PrecisionOpInterface>(operand.getOwner());
  return interface && isFloatTensor(operand.get().getType()) &&
         !interface.isOperandPinned(operand.getOperandNumber());
}

bool mpt::isFlexibleResult(OpResult result) {
  auto interface = dyn_cast<PrecisionOpInterface>(result.getOwner());
  return interface && isFloatTensor(result.getType()) &&
         !interface.isResultPinned(result.getResultNumber());
}

std::string mpt::describeOperation(Operation *op) {
  std::string text = op->getName().getStringRef().str();
  if (StringRef name = getNodeName(op->getLoc()); !name.empty())
    text += " '" + name.str() + "'";
  return text;
}
