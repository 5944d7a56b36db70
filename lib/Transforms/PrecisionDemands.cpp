//===- PrecisionDemands.cpp - What the user demands of operations ---------===//

#include "PrecisionDemands.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"

using namespace mlir;
using namespace mpt;

bool PrecisionDemands::compile(StringRef text, StringRef regex,
                               NamePattern &pattern, std::string &error) {
  pattern.text = text.str();
  pattern.regex = llvm::Regex(("^(" + regex + ")$").str());
  return pattern.regex.isValid(error);
}

bool PrecisionDemands::addNode(StringRef text, StringRef regex,
                               PrecisionDemand demand,
                               ArrayRef<unsigned> fp32Operands,
                               std::string &error) {
  NodeRule rule;
  rule.demand = demand;
  rule.fp32Operands = llvm::to_vector(fp32Operands);
  if (!compile(text, regex, rule.name, error))
    return false;
  nodes.push_back(std::move(rule));
  return true;
}

bool PrecisionDemands::addTensor(StringRef text, StringRef regex,
                                 std::string &error) {
  NamePattern pattern;
  if (!compile(text, regex, pattern, error))
    return false;
  tensors.push_back(std::move(pattern));
  return true;
}

void PrecisionDemands::addType(StringRef text, PrecisionDemand demand,
                               ArrayRef<unsigned> fp32Operands) {
  types[text] = {demand, llvm::to_vector(fp32Operands)};
}

/// An operation reads all its flexible operands in one type, so one that must
/// not be rounded keeps it in FP32.
PrecisionDemand PrecisionDemands::apply(Operation *op, const TypeRule &rule,
                                        StringRef name, std::string &text) {
  text = name.str();
  for (unsigned number : rule.fp32Operands)
    if (number < op->getNumOperands() &&
        isFlexibleOperand(op->getOpOperand(number))) {
      text = "operand " + std::to_string(number) + " of " + text;
      return PrecisionDemand::FP32;
    }
  return rule.demand;
}

PrecisionDemand PrecisionDemands::find(Operation *op, std::string &text) const {
  if (StringRef node = getNodeName(op->getLoc()); !node.empty())
    for (const NodeRule &rule : llvm::reverse(nodes))
      if (rule.name.regex.match(node))
        return apply(op, rule, rule.name.text, text);
  for (StringRef name :
       {op->getName().getStringRef(), op->getName().stripDialect()})
    if (auto it = types.find(name); it != types.end())
      return apply(op, it->second, name, text);
  return PrecisionDemand::None;
}

std::string PrecisionDemands::findTensor(Value value,
                                         func::FuncOp function) const {
  auto match = [&](StringRef name) -> std::string {
    if (!name.empty())
      for (const NamePattern &pattern : tensors)
        if (pattern.regex.match(name))
          return pattern.text;
    return "";
  };
  if (auto argument = dyn_cast<BlockArgument>(value))
    return argument.getOwner() == &function.getBody().front()
               ? match(mp::getArgName(function, argument.getArgNumber()))
               : "";
  if (std::string text = match(getNodeName(value.getDefiningOp()->getLoc()));
      !text.empty())
    return text;
  for (OpOperand &use : value.getUses())
    if (use.getOwner()->hasTrait<OpTrait::ReturnLike>() &&
        use.getOwner()->getParentOp() == function)
      if (std::string text =
              match(mp::getResultName(function, use.getOperandNumber()));
          !text.empty())
        return text;
  return "";
}
