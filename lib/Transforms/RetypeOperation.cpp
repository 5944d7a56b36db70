//===- RetypeOperation.cpp - Bodies of operations with new types ----------===//

#include "RetypeOperation.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace mpt;

void mpt::retypeBody(Operation *op) {
  auto structured = dyn_cast<linalg::LinalgOp>(op);
  if (!structured)
    return;
  Block *body = structured.getBlock();
  OpBuilder builder(op->getContext());
  builder.setInsertionPointToStart(body);
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = structured.getMatchingBlockArgument(&operand);
    Type element = getElementTypeOrSelf(operand.get().getType());
    Type inside = argument.getType();
    if (element == inside || !isa<FloatType>(element))
      continue;
    argument.setType(element);
    if (argument.use_empty())
      continue;
    auto wide = arith::ExtFOp::create(builder, op->getLoc(), inside, argument);
    argument.replaceAllUsesExcept(wide.getResult(), wide);
  }
  Operation *yield = body->getTerminator();
  builder.setInsertionPoint(yield);
  for (auto [operand, result] :
       llvm::zip_equal(yield->getOpOperands(), op->getResultTypes())) {
    Type element = getElementTypeOrSelf(result);
    if (operand.get().getType() != element)
      operand.set(arith::TruncFOp::create(builder, op->getLoc(), element,
                                          operand.get()));
  }
}
