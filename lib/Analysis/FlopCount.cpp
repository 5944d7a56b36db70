//===- FlopCount.cpp - How much arithmetic a step does --------------------===//

#include "mpt/Analysis/FlopCount.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "mpt/Interfaces/PrecisionOpInterface.h"
#include "mpt/Interfaces/WorkOpInterface.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mpt;

bool mpt::isContraction(Operation *op) {
  auto interface = dyn_cast<PrecisionOpInterface>(op);
  return interface && interface.getPrecisionClass() == PrecisionClass::Low;
}

int64_t mpt::countFlops(Operation *op) {
  // What holds other operations is counted by them.
  if (op->getNumRegions() != 0 || op->hasTrait<OpTrait::ConstantLike>() ||
      op->hasTrait<OpTrait::IsTerminator>())
    return 0;
  if (auto work = dyn_cast<WorkOpInterface>(op))
    return static_cast<int64_t>(work.getFlops());
  return llvm::TypeSwitch<Operation *, int64_t>(op)
      .Case<nn::ReshapeOp, nn::TransposeOp, nn::SliceGradOp, nn::ConcatOp,
            nn::SplitOp, nn::PadOp, nn::PadGradOp, nn::ExpandOp,
            nn::GatherElementsOp, nn::GatherNDOp, nn::CastOp, mp::CastOp>(
          [](Operation *) { return 0; })
      .Default([](Operation *op) {
        int64_t most = 0;
        for (Value operand : op->getOperands())
          most = std::max(most, countElements(operand.getType()));
        for (Value result : op->getResults())
          most = std::max(most, countElements(result.getType()));
        return most;
      });
}

int64_t mpt::countAllFlops(FunctionOpInterface function) {
  int64_t total = 0;
  function.walk([&](Operation *op) {
    if (op != function.getOperation())
      total += countFlops(op);
  });
  return total;
}
