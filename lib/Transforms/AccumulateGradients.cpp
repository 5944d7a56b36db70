//===- AccumulateGradients.cpp - A batch in micro-batches -----------------===//

#include "mpt/Transforms/Passes.h"

#include "StepFunction.h"
#include "mlir/IR/IRMapping.h"
#include "mpt/Dialect/MP/IR/StepAttributes.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "llvm/ADT/DenseSet.h"

namespace mpt {
#define GEN_PASS_DEF_ACCUMULATEGRADIENTSPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;

namespace {

/// Repeats the body of one function for every micro-batch.
class Accumulation {
public:
  Accumulation(func::FuncOp function, int64_t parts)
      : function(function), step(function), parts(parts),
        builder(function.getContext()) {}

  LogicalResult run();

private:
  LogicalResult collectBatchArguments();
  void separate();
  SmallVector<Value> sliceArguments(int64_t part);
  void repeatBody();
  Value getCopy(Value value, int64_t part) const {
    return part == 0 ? value : mappings[part].lookupOrDefault(value);
  }
  Value add(OpBuilder &at, Location loc, Value sum, Value value);
  Value meanOf(OpBuilder &at, Location loc, Value sum);
  void sumGradients();
  void averageLoss();

  func::FuncOp function;
  StepFunction step;
  int64_t parts;
  OpBuilder builder;
  SmallVector<BlockArgument> batchArguments;
  SmallVector<RankedTensorType> partTypes;
  int64_t batchSize = 0; // of a micro-batch
  SmallVector<Operation *> repeated;
  SmallVector<mp::GradientOp> gradients;
  /// What depends on the batch, or is drawn at random.
  llvm::DenseSet<Value> varying;
  SmallVector<IRMapping, 0> mappings; // by micro-batch; the first is empty
};

} // namespace

LogicalResult Accumulation::collectBatchArguments() {
  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    auto role = mp::getArgRole(function, index);
    if (role != mp::Role::Input && role != mp::Role::Label)
      continue;
    StringRef name = mp::getArgName(function, index);
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || type.getRank() == 0 || type.isDynamicDim(0))
      return emitError(function.getLoc())
             << "gradients are accumulated over the first axis of every input "
                "and label, but '"
             << name << "' is " << argument.getType()
             << "; give its dimensions with --dim, or make it a parameter";
    if (batchArguments.empty())
      batchSize = type.getDimSize(0);
    else if (type.getDimSize(0) != batchSize)
      return emitError(function.getLoc())
             << "gradients are accumulated over the first axis of every input "
                "and label: '"
             << name << "' has " << type.getDimSize(0) << " samples, '"
             << mp::getArgName(function, batchArguments.front().getArgNumber())
             << "' " << batchSize;
    batchArguments.push_back(argument);
  }
  if (batchArguments.empty())
    return emitError(function.getLoc())
           << "has no input to divide into micro-batches";
  return success();
}

/// Finds what is to be repeated. The marks of finished gradients move to the
/// end: they come once.
void Accumulation::separate() {
  varying.insert(batchArguments.begin(), batchArguments.end());
  Block &body = step.getBody();
  for (Operation &op : body.without_terminator()) {
    if (auto gradient = dyn_cast<mp::GradientOp>(op)) {
      gradients.push_back(gradient);
      continue;
    }
    // An operation with a region may read anything inside.
    bool varies = isa<nn::DropoutOp>(op) || op.getNumRegions() != 0 ||
                  !isMemoryEffectFree(&op) ||
                  llvm::any_of(op.getOperands(), [&](Value operand) {
                    return varying.contains(operand);
                  });
    if (!varies)
      continue;
    repeated.push_back(&op);
    varying.insert(op.result_begin(), op.result_end());
  }
  for (mp::GradientOp gradient : gradients)
    gradient->moveBefore(body.getTerminator());
}

/// The inputs and labels of one micro-batch, at the builder's place.
SmallVector<Value> Accumulation::sliceArguments(int64_t part) {
  SmallVector<Value> slices;
  for (auto [argument, type] : llvm::zip_equal(batchArguments, partTypes)) {
    SmallVector<int64_t> starts(type.getRank(), 0), steps(type.getRank(), 1);
    starts[0] = part * batchSize;
    slices.push_back(nn::SliceOp::create(builder, argument.getLoc(), type,
                                         argument, starts, steps));
  }
  return slices;
}

/// Inputs and labels grow; the body works on the first slice of each, its
/// copies on the others.
void Accumulation::repeatBody() {
  for (BlockArgument argument : batchArguments) {
    partTypes.push_back(cast<RankedTensorType>(argument.getType()));
    SmallVector<int64_t> shape(partTypes.back().getShape());
    shape[0] *= parts;
    argument.setType(partTypes.back().clone(shape));
  }
  builder.setInsertionPointToStart(&step.getBody());
  SmallVector<Value> first = sliceArguments(0);
  for (auto [argument, slice] : llvm::zip_equal(batchArguments, first))
    argument.replaceAllUsesExcept(slice, slice.getDefiningOp());
  builder.setInsertionPoint(gradients.front());
  for (int64_t i = 0; i < parts; ++i) {
    if (i != 0)
      mappings[i].map(ValueRange(first), ValueRange(sliceArguments(i)));
    for (Operation *op : repeated) {
      Operation *copy = i == 0 ? op : builder.clone(*op, mappings[i]);
      if (isa<nn::DropoutOp>(copy))
        copy->setAttr(mp::kMicroBatchAttrName, builder.getI64IntegerAttr(i));
    }
  }
}

Value Accumulation::add(OpBuilder &at, Location loc, Value sum, Value value) {
  auto op = nn::AddOp::create(at, loc, sum, value);
  op->setAttr(mp::MPDialect::kPinAttrName,
              builder.getStringAttr("micro-batches are summed in FP32"));
  return op;
}

Value Accumulation::meanOf(OpBuilder &at, Location loc, Value sum) {
  auto op = nn::MulOp::create(
      at, loc, sum,
      nn::createScalar(at, loc, getElementTypeOrSelf(sum.getType()),
                       1.0 / parts));
  op->setAttr(mp::MPDialect::kPinAttrName,
              builder.getStringAttr("micro-batches are summed in FP32"));
  return op;
}

void Accumulation::sumGradients() {
  for (mp::GradientOp gradient : gradients) {
    Value first = gradient.getGradient();
    // A gradient that no sample has a part in is its own mean.
    if (!varying.contains(first))
      continue;
    Location loc = gradient.getLoc();
    Value sum = first;
    for (int64_t i = 1; i < parts; ++i) {
      Value value = getCopy(first, i);
      OpBuilder at(builder.getContext());
      at.setInsertionPointAfterValue(value);
      sum = add(at, loc, sum, value);
      sum.getDefiningOp()->setAttr(mp::kAccumulateAttrName,
                                   builder.getUnitAttr());
    }
    OpBuilder at(gradient);
    gradient.getGradientMutable().assign(meanOf(at, loc, sum));
  }
}

void Accumulation::averageLoss() {
  OpBuilder at(gradients.front());
  auto end = step.getReturn();
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    Value loss = end.getOperand(i);
    if (mp::getResultRole(function, i) != mp::Role::Loss ||
        !varying.contains(loss))
      continue;
    Value sum = loss;
    for (int64_t part = 1; part < parts; ++part)
      sum = add(at, loss.getLoc(), sum, getCopy(loss, part));
    end->setOperand(i, meanOf(at, loss.getLoc(), sum));
  }
}

LogicalResult Accumulation::run() {
  if (function->hasAttr(mp::kMicroBatchesAttrName))
    return success();
  if (failed(collectBatchArguments()))
    return failure();
  mappings.resize(parts);
  separate();
  if (gradients.empty())
    return emitError(function.getLoc())
           << "has results of role gradient, but no mp.gradient";
  repeatBody();
  sumGradients();
  averageLoss();
  step.eraseResults(mp::Role::Output);
  step.finish();
  function->setAttr(mp::kMicroBatchesAttrName,
                    builder.getI64IntegerAttr(parts));
  return success();
}

namespace {

struct AccumulateGradientsPass
    : mpt::impl::AccumulateGradientsPassBase<AccumulateGradientsPass> {
  using Base::Base;

  void runOnOperation() override {
    if (microBatches < 1) {
      emitError(getOperation().getLoc())
          << "micro-batches should be positive, is " << microBatches.getValue();
      return signalPassFailure();
    }
    SmallVector<func::FuncOp> functions;
    if (failed(collectFunctions(getOperation(), mp::Role::Gradient, functions)))
      return signalPassFailure();
    for (func::FuncOp function : functions)
      if (microBatches > 1 &&
          failed(Accumulation(function, microBatches).run()))
        return signalPassFailure();
  }
};

} // namespace
