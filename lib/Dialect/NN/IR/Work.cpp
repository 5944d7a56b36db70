//===- Work.cpp - How much the network's operations compute and read ------===//

#include "Work.h"

#include "Common.h"
#include "mpt/Interfaces/WorkOpInterface.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::nn;

static double countFlops(MatMulOp op) {
  auto lhs = shapeOf(op.getLhs());
  int64_t k = lhs[lhs.size() - (op.getTransposeLhs() ? 2 : 1)];
  return 2.0 * countElements(op.getResult().getType()) *
         (ShapedType::isDynamic(k) ? 1 : k);
}

/// Every element of `output` is a sum over the filter but for its first axis.
static double countConvFlops(Value output, Value filter) {
  auto type = tensorOf(filter);
  int64_t filters = type.getDimSize(0);
  double perOutput = countElements(type);
  if (filters > 0)
    perOutput /= filters;
  return 2.0 * countElements(output.getType()) * perOutput;
}
static double countFlops(ConvOp op) {
  return countConvFlops(op.getResult(), op.getFilter());
}
// The operand in the place of the convolution's output.
static double countFlops(ConvTransposeOp op) {
  return countConvFlops(op.getInput(), op.getFilter());
}
static double countFlops(ConvFilterGradOp op) {
  return countConvFlops(op.getDy(), op.getResult());
}

namespace {
template <typename Op>
struct ContractionWork
    : WorkOpInterface::ExternalModel<ContractionWork<Op>, Op> {
  double getFlops(Operation *op) const { return countFlops(cast<Op>(op)); }
};

/// Reads of its first operand what it returns.
template <typename Op>
struct SelectionWork : WorkOpInterface::ExternalModel<SelectionWork<Op>, Op> {
  double getFlops(Operation *) const { return 0; }
  int64_t getElementsRead(Operation *op, unsigned index) const {
    return countElements(index == 0 ? op->getResult(0).getType()
                                    : op->getOperand(index).getType());
  }
};
} // namespace

void mpt::nn::attachWorkModels(MLIRContext &context) {
  MatMulOp::attachInterface<ContractionWork<MatMulOp>>(context);
  ConvOp::attachInterface<ContractionWork<ConvOp>>(context);
  ConvTransposeOp::attachInterface<ContractionWork<ConvTransposeOp>>(context);
  ConvFilterGradOp::attachInterface<ContractionWork<ConvFilterGradOp>>(context);
  GatherOp::attachInterface<SelectionWork<GatherOp>>(context);
  SliceOp::attachInterface<SelectionWork<SliceOp>>(context);
}
