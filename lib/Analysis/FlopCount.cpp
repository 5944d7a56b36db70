//===- FlopCount.cpp - How much arithmetic a step does --------------------===//

#include "mpt/Analysis/FlopCount.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mpt;

static int64_t getExtent(int64_t extent) {
  return ShapedType::isDynamic(extent) ? 1 : extent;
}

static int64_t countElements(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return 1;
  int64_t count = 1;
  for (int64_t extent : type.getShape())
    count *= getExtent(extent);
  return count;
}

static ArrayRef<int64_t> getShape(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

bool mpt::isContraction(Operation *op) {
  return isa<nn::MatMulOp, nn::ConvOp, nn::ConvTransposeOp,
             nn::ConvFilterGradOp>(op);
}

/// Products of a convolution: `elements` of the tensor on the output side of
/// the filter, each with the filter's elements of one output channel, which is
/// the filter's first axis.
static int64_t countConvolution(int64_t elements, Value filter) {
  int64_t channels = getExtent(getShape(filter).front());
  return 2 * elements *
         (countElements(filter) / std::max<int64_t>(channels, 1));
}

int64_t mpt::countFlops(Operation *op) {
  // What holds other operations is counted by them.
  if (op->getNumRegions() != 0 || op->hasTrait<OpTrait::ConstantLike>() ||
      op->hasTrait<OpTrait::IsTerminator>())
    return 0;
  return llvm::TypeSwitch<Operation *, int64_t>(op)
      .Case([](nn::MatMulOp matmul) {
        ArrayRef<int64_t> lhs = getShape(matmul.getLhs());
        int64_t contracted =
            lhs[lhs.size() - (matmul.getTransposeLhs() ? 2 : 1)];
        return 2 * countElements(matmul.getResult()) * getExtent(contracted);
      })
      .Case([](nn::ConvOp conv) {
        return countConvolution(countElements(conv.getResult()),
                                conv.getFilter());
      })
      .Case([](nn::ConvTransposeOp conv) {
        return countConvolution(countElements(conv.getInput()),
                                conv.getFilter());
      })
      .Case([](nn::ConvFilterGradOp conv) {
        return countConvolution(countElements(conv.getDy()), conv.getResult());
      })
      .Case<nn::ReshapeOp, nn::TransposeOp, nn::SliceOp, nn::SliceGradOp,
            nn::ConcatOp, nn::SplitOp, nn::PadOp, nn::PadGradOp, nn::ExpandOp,
            nn::GatherOp, nn::GatherElementsOp, nn::GatherNDOp, nn::CastOp,
            mp::CastOp>([](Operation *) { return 0; })
      .Default([](Operation *op) {
        int64_t most = 0;
        for (Value operand : op->getOperands())
          most = std::max(most, countElements(operand));
        for (Value result : op->getResults())
          most = std::max(most, countElements(result));
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
