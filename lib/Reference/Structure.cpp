//===- Structure.cpp - Constants and kernels ------------------------------===//

#include "Evaluation.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

using namespace mlir;

namespace mpt::reference {

static LogicalResult setResult(Evaluation &e, ElementsAttr value) {
  FailureOr<Tensor> tensor = fromElements(value, e.op->getLoc());
  if (failed(tensor))
    return failure();
  e.result() = std::move(*tensor);
  return success();
}

static LogicalResult evaluateConstant(nn::ConstantOp op, Evaluation &e) {
  return setResult(e, op.getValue());
}

static LogicalResult evaluateArithConstant(arith::ConstantOp op,
                                           Evaluation &e) {
  auto value = dyn_cast<ElementsAttr>(op.getValue());
  if (!value)
    return op.emitOpError("is not a tensor");
  return setResult(e, value);
}

static LogicalResult evaluateKernel(nn::KernelOp op, Evaluation &e) {
  FailureOr<SmallVector<Tensor>> results =
      evaluateBlock(op.getBody().front(), e.operands, e.options);
  if (failed(results))
    return failure();
  e.results = std::move(*results);
  return success();
}

void addStructureEvaluations(Registry &registry) {
  registry.add<nn::ConstantOp>(evaluateConstant);
  registry.add<arith::ConstantOp>(evaluateArithConstant);
  registry.add<nn::KernelOp>(evaluateKernel);
}

} // namespace mpt::reference
