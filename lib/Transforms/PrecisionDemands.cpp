//===- PrecisionDemands.cpp - What the user demands of operations ---------===//

#include "PrecisionDemands.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "llvm/ADT/StringSet.h"

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
                               std::string &error, StringRef where) {
  NodeRule rule;
  rule.name.where = where.str();
  rule.demand = demand;
  rule.fp32Operands = llvm::to_vector(fp32Operands);
  if (!compile(text, regex, rule.name, error))
    return false;
  nodes.push_back(std::move(rule));
  return true;
}

bool PrecisionDemands::addTensor(StringRef text, StringRef regex,
                                 std::string &error, StringRef where) {
  NamePattern pattern;
  pattern.where = where.str();
  if (!compile(text, regex, pattern, error))
    return false;
  tensors.push_back(std::move(pattern));
  return true;
}

void PrecisionDemands::addType(StringRef text, PrecisionDemand demand,
                               ArrayRef<unsigned> fp32Operands,
                               StringRef where) {
  TypeRule &rule = types[text];
  rule.demand = demand;
  rule.fp32Operands = llvm::to_vector(fp32Operands);
  rule.where = where.str();
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

void PrecisionDemands::warnOfIdleRules(func::FuncOp function) const {
  SmallVector<const NamePattern *> idle;
  for (const NodeRule &rule : nodes)
    if (!rule.name.where.empty())
      idle.push_back(&rule.name);
  SmallVector<const NamePattern *> idleTensors;
  for (const NamePattern &pattern : tensors)
    if (!pattern.where.empty())
      idleTensors.push_back(&pattern);
  auto drop = [](SmallVector<const NamePattern *> &patterns, StringRef name) {
    if (!name.empty())
      llvm::erase_if(patterns, [&](const NamePattern *pattern) {
        return pattern->regex.match(name);
      });
  };
  for (unsigned i = 0, e = function.getNumArguments(); i < e; ++i)
    drop(idleTensors, mp::getArgName(function, i));
  for (unsigned i = 0, e = function.getNumResults(); i < e; ++i)
    drop(idleTensors, mp::getResultName(function, i));
  function.walk([&](Operation *op) {
    if (idle.empty() && idleTensors.empty())
      return WalkResult::interrupt();
    StringRef name = getNodeName(op->getLoc());
    drop(idle, name);
    drop(idleTensors, name);
    return WalkResult::advance();
  });

  auto warn = [&](StringRef where, StringRef text, StringRef what) {
    emitWarning(UnknownLoc::get(function.getContext()))
        << where << ": '" << text << "' matches no " << what << " of @"
        << function.getName();
  };
  llvm::StringSet<> registered;
  auto isType = [&](StringRef name) {
    if (registered.empty())
      for (RegisteredOperationName known :
           function.getContext()->getRegisteredOperations()) {
        registered.insert(known.getStringRef());
        registered.insert(known.stripDialect());
      }
    return registered.contains(name);
  };
  for (const NamePattern *pattern : idle)
    // Options of the pass name types and nodes alike.
    if (auto type = types.find(pattern->text);
        type == types.end() || type->second.where != pattern->where)
      warn(pattern->where, pattern->text, "node");
    else if (!isType(pattern->text))
      warn(pattern->where, pattern->text, "operation and no node");
  for (const NamePattern *pattern : idleTensors)
    warn(pattern->where, pattern->text, "tensor");
  llvm::StringSet<> namedNodes;
  for (const NodeRule &rule : nodes)
    namedNodes.insert(rule.name.text);
  for (const auto &rule : types)
    if (!rule.second.where.empty() && !namedNodes.contains(rule.first()) &&
        !isType(rule.first()))
      warn(rule.second.where, rule.first(), "operation");
}
