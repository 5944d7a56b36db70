//===- PrecisionSummary.cpp - What runs in which precision ----------------===//

#include "mpt/Analysis/PrecisionSummary.h"

#include "mpt/Analysis/CarriedValues.h"
#include "mpt/Analysis/PrecisionAssignment.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"

using namespace mlir;
using namespace mpt;

static int64_t countBytes(Type type) {
  auto shaped = cast<ShapedType>(type);
  if (!shaped.hasStaticShape())
    return 0;
  return shaped.getNumElements() * (shaped.getElementTypeBitWidth() / 8);
}

static mp::DecisionAttr getDecision(Operation *op) {
  return op->getAttrOfType<mp::DecisionAttr>(mp::MPDialect::kDecisionAttrName);
}

static bool isAnyLow(ArrayRef<mp::DecisionAttr> decisions) {
  return llvm::any_of(decisions, [](mp::DecisionAttr decision) {
    return decision && decision.getLow();
  });
}

PrecisionSummary mpt::summarizePrecision(FunctionOpInterface function) {
  PrecisionSummary summary;
  function.walk([&](Operation *op) {
    if (op == function.getOperation())
      return;
    if (auto cast = dyn_cast<mp::CastOp>(op)) {
      ++summary.casts;
      summary.castBytes += countBytes(cast.getInput().getType());
    }
    // An operation without a decision is as it came: FP32.
    auto decision = getDecision(op);
    SmallVector<mp::DecisionAttr> carried = getCarriedDecisions(op);
    if (!carried.empty())
      ++(isAnyLow(carried) ? summary.lowOps : summary.fp32Ops);
    else if (decision && decision.getLow())
      ++summary.lowOps;
    else if (decision || (isa<PrecisionOpInterface>(op) &&
                          !op->hasTrait<OpTrait::ConstantLike>() &&
                          llvm::any_of(op->getResultTypes(), isFloatTensor)))
      ++summary.fp32Ops;
    // Inside of a kernel or of a linalg operation results are no tensors in
    // memory; under control flow they are.
    for (Operation *parent = op->getParentOp();
         parent != function.getOperation(); parent = parent->getParentOp())
      if (!isa<RegionBranchOpInterface>(parent))
        return;
    for (Type type : op->getResultTypes())
      if (isFloatTensor(type)) {
        bool narrow = cast<ShapedType>(type).getElementTypeBitWidth() <= 16;
        (narrow ? summary.lowBytes : summary.fp32Bytes) += countBytes(type);
      }
  });
  return summary;
}

void mpt::printPrecision(FunctionOpInterface function, raw_ostream &os,
                         bool details) {
  PrecisionSummary summary = summarizePrecision(function);
  os << "@" << function.getName() << ": " << summary.lowOps << " ops low, "
     << summary.fp32Ops << " ops FP32, " << summary.casts << " casts of "
     << summary.castBytes << " bytes; results: " << summary.lowBytes
     << " bytes in 16 bits, " << summary.fp32Bytes << " bytes in FP32\n";
  if (!details)
    return;
  function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op == function.getOperation())
      return;
    auto print = [&](mp::DecisionAttr decision, StringRef what) {
      os << "  " << op->getName() << what;
      if (StringRef name = getNodeName(op->getLoc()); !name.empty())
        os << " '" << name << "'";
      os << ": " << (decision.getLow() ? "low" : "fp32") << ": "
         << decision.getReason() << '\n';
    };
    if (mp::DecisionAttr decision = getDecision(op))
      print(decision, "");
    for (auto [number, decision] : llvm::enumerate(getCarriedDecisions(op)))
      if (decision)
        print(decision, (", carried value " + Twine(number)).str());
  });
}
