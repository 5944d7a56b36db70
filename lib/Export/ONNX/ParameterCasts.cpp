//===- ParameterCasts.cpp - Casts of values that the file knows -----------===//
//
// What is computed from parameters alone (the norm of a weight) has one value
// in a file of fixed weights. Where the compiler casts it to 16 bits, the file
// holds the result of the cast, and what only led there is left out.
//
//===----------------------------------------------------------------------===//

#include "Exporter.h"
#include "mpt/Reference/Interpreter.h"

using namespace mlir;

namespace mpt::exporter {

/// Larger values stay casts: the interpreter takes eight bytes an element.
static constexpr int64_t kMostElements = 1 << 24;

static bool isSmall(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.hasStaticShape() &&
         type.getNumElements() <= kMostElements &&
         reference::isSupportedElementType(type.getElementType());
}

/// A cast of the compiler to 16 bits of something that is computed.
static bool isFoldable(Operation &op) {
  auto cast = dyn_cast<mp::CastOp>(op);
  return cast && cast.getInput().getDefiningOp() &&
         elementOf(cast.getInput()).isF32() &&
         (elementOf(cast.getResult()).isF16() ||
          elementOf(cast.getResult()).isBF16()) &&
         llvm::none_of(cast->getUsers(), [](Operation *user) {
           return user->hasTrait<OpTrait::IsTerminator>();
         });
}

LogicalResult Exporter::foldParameterCasts() {
  Block &body = function.front();
  SymbolTable symbols(module);
  llvm::DenseSet<Value> known;
  for (BlockArgument argument : function.getArguments()) {
    auto symbol = function.getArgAttrOfType<FlatSymbolRefAttr>(
        argument.getArgNumber(), nn::NNDialect::kParameterAttrName);
    auto parameter =
        symbol ? symbols.lookup<nn::ParameterOp>(symbol.getValue()) : nullptr;
    if (parameter && parameter.getValue() && isSmall(argument))
      known.insert(argument);
  }
  llvm::DenseSet<Operation *> wanted;
  for (Operation &op : body.without_terminator())
    // What stands in regions reads more than the operands.
    if (op.getNumRegions() == 0 && isMemoryEffectFree(&op) &&
        !isa<nn::DropoutOp>(op) &&
        (isa<nn::ConstantOp>(op) ||
         (op.getNumOperands() != 0 &&
          reference::hasEvaluation(op.getName().getStringRef()))) &&
        llvm::all_of(op.getOperands(),
                     [&](Value value) { return known.contains(value); }) &&
        llvm::all_of(op.getResults(), isSmall)) {
      known.insert(op.result_begin(), op.result_end());
      if (isFoldable(op))
        wanted.insert(&op);
    }
  if (wanted.empty())
    return success();

  // From the casts back to what they are computed from, then forwards.
  llvm::DenseSet<Operation *> slice(wanted.begin(), wanted.end());
  for (Operation &op : llvm::reverse(body.without_terminator()))
    if (slice.contains(&op))
      for (Value operand : op.getOperands())
        if (Operation *producer = operand.getDefiningOp())
          slice.insert(producer);
  reference::ParameterLoader loader;
  llvm::DenseMap<Value, reference::Tensor> values;
  for (Operation &op : body.without_terminator()) {
    if (!slice.contains(&op))
      continue;
    SmallVector<const reference::Tensor *> operands;
    for (Value operand : op.getOperands())
      if (auto argument = dyn_cast<BlockArgument>(operand);
          argument && !values.count(argument)) {
        auto loaded = loader.loadArgument(function, argument.getArgNumber());
        if (failed(loaded) || !*loaded)
          return failure();
        values[argument] = std::move(**loaded);
      }
    for (Value operand : op.getOperands())
      operands.push_back(&values.find(operand)->second);
    auto results = reference::evaluateOp(&op, operands);
    if (failed(results))
      return failure();
    for (auto [result, value] : llvm::zip_equal(op.getResults(), *results)) {
      if (wanted.contains(&op))
        folded[result] = reference::toElements(value);
      values[result] = std::move(value);
    }
  }
  for (Operation &op : llvm::reverse(body.without_terminator()))
    if (wanted.contains(&op) ||
        (slice.contains(&op) &&
         llvm::all_of(op.getUsers(),
                      [&](Operation *user) { return dead.contains(user); })))
      dead.insert(&op);
  return success();
}

} // namespace mpt::exporter
