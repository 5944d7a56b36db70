//===- Folding.cpp - Values that are known while importing ----------------===//
//
// Shape arithmetic must be evaluated to know the shapes it feeds. Integers and
// bools are replaced by their values, floats only where nothing is rounded
// (elements that are moved) or where a single number results; of other small
// floats the value is remembered, for what depends on it. Parameters are never
// known: training changes them.
//
//===----------------------------------------------------------------------===//

#include "GraphImporter.h"
#include "mpt/Reference/Interpreter.h"

using namespace mlir;

namespace mpt::importer {

/// Larger results are computed by the program.
static constexpr int64_t kMaxResultElements = 65536;
static constexpr int64_t kMaxOperandElements = 1 << 20;

DenseElementsAttr GraphImporter::getKnownValue(Value value) const {
  if (auto constant = value.getDefiningOp<nn::ConstantOp>())
    return dyn_cast<DenseElementsAttr>(constant.getValue());
  return knownFloats.lookup(value);
}

Value GraphImporter::createConstant(Location loc, DenseElementsAttr elements) {
  return nn::ConstantOp::create(builder, loc, elements.getType(), elements);
}

static bool movesElements(Operation *op) {
  return isa<nn::ReshapeOp, nn::TransposeOp, nn::ExpandOp, nn::ConcatOp,
             nn::SplitOp, nn::SliceOp, nn::PadOp, nn::GatherOp,
             nn::GatherElementsOp, nn::GatherNDOp, nn::WhereOp, nn::NegOp,
             nn::CastOp>(op);
}

static bool isSmall(Value value, int64_t limit) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.hasStaticShape() && type.getNumElements() <= limit;
}

bool GraphImporter::fold(Operation *op, SmallVectorImpl<Value> &results) {
  if (isa<nn::ConstantOp, nn::DropoutOp>(op) || op->getNumOperands() == 0 ||
      !reference::hasEvaluation(op->getName().getStringRef()))
    return true;
  for (Value result : results)
    if (!isSmall(result, kMaxResultElements))
      return true;
  SmallVector<DenseElementsAttr> known;
  for (Value operand : op->getOperands()) {
    DenseElementsAttr elements = isSmall(operand, kMaxOperandElements)
                                     ? getKnownValue(operand)
                                     : DenseElementsAttr();
    if (!elements)
      return true;
    known.push_back(elements);
  }
  SmallVector<reference::Tensor> operands;
  for (DenseElementsAttr elements : known) {
    auto tensor = reference::fromElements(elements, op->getLoc());
    if (failed(tensor))
      return false;
    operands.push_back(std::move(*tensor));
  }
  SmallVector<const reference::Tensor *> pointers;
  for (const reference::Tensor &operand : operands)
    pointers.push_back(&operand);
  auto values = reference::evaluateOp(op, pointers);
  if (failed(values))
    return false;
  bool isExact = movesElements(op) || llvm::all_of(results, [](Value result) {
                   return !isFloat(result) || isSmall(result, 1);
                 });
  for (auto [result, value] : llvm::zip_equal(results, *values)) {
    DenseElementsAttr elements = reference::toElements(value);
    if (isExact)
      result = createConstant(op->getLoc(), elements);
    else
      knownFloats[result] = elements;
  }
  if (isExact)
    op->erase();
  return true;
}

} // namespace mpt::importer
