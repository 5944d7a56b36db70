//===- ParameterPlaces.cpp - What a parameter is used as ------------------===//

#include "ParameterPlaces.h"

#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mpt;

StringRef mpt::describePlace(Place place) {
  switch (place) {
  case Place::None:
    return "not in a weight's place";
  case Place::Scalar:
    return "a scalar";
  case Place::Preprocessing:
    return "scales or shifts an input of the model";
  case Place::Factor:
    return "multiplied elementwise, like a rotary table";
  case Place::AddedTable:
    return "table that is added";
  case Place::GatheredTable:
    return "table whose rows are gathered";
  case Place::Vector:
    return "vector that is added, multiplied or filled in";
  case Place::NormAffine:
    return "scale or shift of a normalization";
  case Place::Bias:
    return "bias";
  case Place::Filter:
    return "filter of a convolution";
  case Place::MatrixFactor:
    return "factor of a matrix product";
  }
  return "";
}

static RankedTensorType tensorOf(Value value) {
  return dyn_cast<RankedTensorType>(value.getType());
}

/// More than one element, along one axis.
static bool isVector(RankedTensorType type) {
  return llvm::count_if(type.getShape(), [](int64_t e) { return e != 1; }) == 1;
}

/// The operation that computed the value, behind changes of shape.
static Operation *producerOf(Value value) {
  Operation *op = value.getDefiningOp();
  while (isa_and_nonnull<nn::ReshapeOp, nn::TransposeOp>(op))
    op = op->getOperand(0).getDefiningOp();
  return op;
}

ParameterPlaces::ParameterPlaces(func::FuncOp function) {
  for (BlockArgument argument : function.getArguments()) {
    auto role = mp::getArgRole(function, argument.getArgNumber());
    if (role == mp::Role::Parameter || role == mp::Role::Statistic)
      statics.insert(argument);
    else
      inputs.insert(argument);
  }
  Block &body = function.getBody().front();
  for (Operation &op : body)
    if (op.getNumRegions() == 0 && isMemoryEffectFree(&op) &&
        llvm::all_of(op.getOperands(), [&](Value v) { return isStatic(v); }))
      statics.insert(op.result_begin(), op.result_end());
  // Users come first on the way back: a static result's place is known when
  // its operands are looked at.
  for (Operation &op : llvm::reverse(body))
    for (OpOperand &operand : op.getOpOperands())
      if (isStatic(operand.get())) {
        Place &place = places[operand.get()];
        place = std::max(place, getPlaceOfUse(operand));
      }
}

Place ParameterPlaces::getPlaceOfUse(OpOperand &use) const {
  Place place = placeIn(use);
  // Part of a weight that is computed from parameters.
  for (Value result : use.getOwner()->getResults())
    if (isStatic(result))
      place = std::max(place, places.lookup(result));
  return place;
}

/// The other operand of an addition or multiplication decides. Beside what is
/// no activation the result's place counts alone: weights are computed so, and
/// so are the angles of a rotary table, from frequencies and positions.
Place ParameterPlaces::placeBesides(OpOperand &use, Value other) const {
  if (isStatic(other))
    return Place::None;
  auto type = tensorOf(use.get());
  bool adds = isa<nn::AddOp>(use.getOwner());
  Operation *producer = producerOf(other);
  bool behindProduct =
      isa_and_nonnull<nn::MatMulOp, nn::ConvOp, nn::ConvTransposeOp>(producer);
  if (type.getNumElements() == 1) {
    // The bias of a layer with one output.
    bool isBias = adds && behindProduct && type.getRank() > 0 &&
                  tensorOf(other).getShape().back() == 1;
    return isBias ? Place::Bias : Place::Scalar;
  }
  if (!adds && inputs.contains(other))
    return Place::Preprocessing;
  if (isVector(type))
    return adds && behindProduct ? Place::Bias : Place::Vector;
  return adds ? Place::AddedTable : Place::Factor;
}

Place ParameterPlaces::placeIn(OpOperand &use) const {
  unsigned index = use.getOperandNumber();
  auto type = tensorOf(use.get());
  if (!type || !isa<FloatType>(type.getElementType()))
    return Place::None;
  return llvm::TypeSwitch<Operation *, Place>(use.getOwner())
      .Case([&](nn::MatMulOp op) {
        if (isStatic(op->getOperand(1 - index)))
          return Place::None;
        // An outer product makes angles of frequencies and positions.
        auto shape = type.getShape();
        bool transposed =
            index == 0 ? op.getTransposeLhs() : !op.getTransposeRhs();
        int64_t contracted = shape[shape.size() - (transposed ? 2 : 1)];
        return contracted == 1 && type.getNumElements() > 1 &&
                       tensorOf(op.getResult()).getNumElements() > 1 &&
                       shape.size() > 2
                   ? Place::None
                   : Place::MatrixFactor;
      })
      .Case([&](nn::ConvOp) {
        return index == 1   ? Place::Filter
               : index == 2 ? Place::Bias
                            : Place::None;
      })
      .Case([&](nn::ConvTransposeOp) {
        return index == 1 ? Place::Filter : Place::None;
      })
      .Case<nn::BatchNormInferenceOp, nn::BatchNormTrainingOp, nn::LayerNormOp,
            nn::RMSNormOp, nn::GroupNormOp>([&](Operation *) {
        return index == 1 || index == 2 ? Place::NormAffine : Place::None;
      })
      .Case<nn::GatherOp, nn::GatherNDOp>([&](Operation *) {
        return index == 0 && type.getRank() >= 2 ? Place::GatheredTable
                                                 : Place::None;
      })
      .Case<nn::AddOp, nn::MulOp>([&](Operation *op) {
        return placeBesides(use, op->getOperand(1 - index));
      })
      .Case<nn::SubOp, nn::DivOp, nn::PowOp, nn::ClipOp>([&](Operation *) {
        return type.getNumElements() == 1 ? Place::Scalar : Place::None;
      })
      .Case([&](nn::ConcatOp) {
        return isVector(type) ? Place::Vector : Place::None;
      })
      .Case([&](nn::WhereOp) {
        return isVector(type) ? Place::Vector : Place::None;
      })
      .Default([](Operation *) { return Place::None; });
}
