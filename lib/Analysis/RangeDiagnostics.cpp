//===- RangeDiagnostics.cpp - Remarks on values that FP16 cannot hold -----===//

#include "mpt/Analysis/FloatConstants.h"
#include "mpt/Analysis/PrecisionAssignment.h"
#include "mpt/Analysis/ValueRanges.h"
#include "mpt/Interfaces/PrecisionOpInterface.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using namespace mpt;

static constexpr double kLargest = 65504;  // of FP16
static constexpr double kNormal = 0x1p-14; // its smallest normal number

static std::string number(double value) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.6g", value);
  return text;
}

/// "nn.add 'mask'" of the first user, or "nothing".
static std::string describeUser(Operation *op) {
  if (op->use_empty())
    return "nothing";
  Operation *user = *op->getUsers().begin();
  std::string text = user->getName().getStringRef().str();
  if (StringRef name = getNodeName(user->getLoc()); !name.empty())
    text += " '" + name.str() + "'";
  return text;
}

/// Does the constant keep something away from zero: added, or compared by max,
/// under a root or in a divisor?
static bool isEpsilon(Operation *constant) {
  return llvm::any_of(constant->getUsers(), [](Operation *user) {
    StringRef name = user->getName().stripDialect();
    if (name != "add" && name != "max" && name != "addf" && name != "maximumf")
      return false;
    return llvm::any_of(user->getUsers(), [&](Operation *reader) {
      StringRef reading = reader->getName().stripDialect();
      if (reading == "div" || reading == "divf")
        return reader->getOperand(1) == user->getResult(0);
      return llvm::is_contained({"sqrt", "rsqrt", "reciprocal", "log", "pow"},
                                reading);
    });
  });
}

static void remarkOnConstant(Operation *op, const NumericRange &range) {
  const double largest = range.absMax();
  if (range.hasFinite() && range.lo < -kLargest) {
    op->emitRemark() << "holds " << number(range.lo)
                     << ", below FP16's -65504, and is read by "
                     << describeUser(op)
                     << ": in FP16 it would be -inf. mpt-normalize-masks "
                        "writes infinities where a softmax reads the mask and "
                        "no row is masked completely; elsewhere it stays FP32";
    return;
  }
  if (largest > kLargest) {
    op->emitRemark() << "holds " << number(range.hi)
                     << ", above FP16's 65504: what reads it, "
                     << describeUser(op) << ", stays FP32";
    return;
  }
  if (largest == 0 || largest >= kNormal)
    return;
  const double rounded = nearestIn(Float16Type::get(op->getContext()), largest);
  const char *fate = rounded == 0 ? "becomes 0" : "loses bits";
  if (isEpsilon(op))
    op->emitRemark() << "is the epsilon " << number(largest)
                     << ", which in FP16 " << fate << ": what reads it, "
                     << describeUser(op) << ", stays FP32";
  else if (rounded == 0)
    op->emitRemark() << "loses all its bits in FP16: its largest magnitude is "
                     << number(largest);
}

/// An operation that may be low, whose operands fit FP16 and whose result does
/// not: a sum of many terms, a square.
static void remarkOnGrowth(Operation *op, const ValueRanges &ranges) {
  auto interface = dyn_cast<PrecisionOpInterface>(op);
  if (!interface || op->getNumOperands() == 0 || op->getNumResults() == 0 ||
      interface.getPrecisionClass() == PrecisionClass::FP32)
    return;
  // Statistics, the further results of normalizations, are FP32 anyway.
  Value result = op->getResult(0);
  FloatType f16 = Float16Type::get(op->getContext());
  if (!isFloatTensor(result.getType()) || ranges.fits(result, f16))
    return;
  for (Value operand : op->getOperands())
    if (isFloatTensor(operand.getType()) && !ranges.fits(operand, f16))
      return;
  const std::string most = number(ranges.lookup(result).absMax());
  if (interface.getAccumulatorType())
    op->emitRemark() << "sums terms that fit FP16 to up to " << most
                     << ", above its 65504: the sum is kept in FP32";
  else
    op->emitRemark() << "can reach " << most
                     << ", above FP16's 65504, although its operands fit";
}

void mpt::remarkOnRanges(FunctionOpInterface function,
                         const ValueRanges &ranges) {
  function.getFunctionBody().walk([&](Operation *op) {
    if (getFloatConstant(op))
      remarkOnConstant(op, ranges.lookup(op->getResult(0)));
    else
      remarkOnGrowth(op, ranges);
  });
}
