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
  case Place::ScalarFactor:
    return "a scalar factor";
  case Place::Preprocessing:
    return "scales or shifts an input of the model";
  case Place::ScoreTable:
    return "added to the scores of a softmax";
  case Place::Factor:
    return "table that is multiplied elementwise";
  case Place::JoinedTable:
    return "put beside activations, like a class or mask token";
  case Place::AddedTable:
    return "table that is added";
  case Place::GatheredTable:
    return "table whose rows are gathered";
  case Place::Vector:
    return "vector that is added, multiplied or filled in";
  case Place::Gate:
    return "number that a function makes a factor or slope of";
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

/// Only changes shape, or takes elements.
static bool movesElements(Operation *op) {
  return isa<nn::ReshapeOp, nn::TransposeOp, nn::ExpandOp, nn::SliceOp,
             nn::SplitOp, nn::PadOp, nn::CastOp>(op);
}

/// Does the value become an argument of a softmax, behind what may stand
/// between scores and a softmax?
static bool reachesSoftmax(Value value) {
  constexpr unsigned kMaxVisited = 32;
  SmallVector<Value> worklist{value};
  for (unsigned i = 0; i < worklist.size() && i < kMaxVisited; ++i)
    for (Operation *user : worklist[i].getUsers()) {
      if (isa<nn::SoftmaxOp>(user))
        return true;
      if (movesElements(user) ||
          isa<nn::AddOp, nn::MulOp, nn::DivOp, nn::WhereOp>(user))
        llvm::append_range(worklist, user->getResults());
    }
  return false;
}

/// A function that nobody writes around a constant: 1-element parameters are
/// kept positive or bounded by it (the temperature of CLIP, gates, the
/// exponent of a generalized mean).
static bool reparametrizes(Operation *op) {
  return isa<nn::ExpOp, nn::SigmoidOp, nn::TanhOp, nn::SoftplusOp,
             nn::ReciprocalOp>(op);
}

/// 1 / sqrt(v + epsilon) of a vector v itself: the variance of a batch norm
/// whose statistics, scale and shift are all fixed (those of weight norm are
/// reductions of the weight).
static bool isDeviation(Operation *op) {
  if (!isa<nn::SqrtOp, nn::PowOp>(op))
    return false;
  auto add = op->getOperand(0).getDefiningOp<nn::AddOp>();
  if (!add)
    return false;
  for (unsigned index : {0, 1}) {
    Value variance = add->getOperand(index);
    auto type = tensorOf(variance);
    auto epsilon = tensorOf(add->getOperand(1 - index));
    while (Operation *producer = variance.getDefiningOp()) {
      if (!movesElements(producer))
        break;
      variance = producer->getOperand(0);
    }
    if (isa<BlockArgument>(variance) && type && isVector(type) && epsilon &&
        epsilon.getNumElements() == 1)
      return true;
  }
  return false;
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
  for (Operation &op : body) {
    if (movesElements(&op) && inputs.contains(op.getOperand(0)))
      inputs.insert(op.result_begin(), op.result_end());
    if (op.getNumRegions() != 0 || !isMemoryEffectFree(&op) ||
        !llvm::all_of(op.getOperands(), [&](Value v) { return isStatic(v); }))
      continue;
    statics.insert(op.result_begin(), op.result_end());
    if (isDeviation(&op) || llvm::any_of(op.getOperands(), [&](Value v) {
          return deviations.contains(v);
        }))
      deviations.insert(op.result_begin(), op.result_end());
  }
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
  Operation *op = use.getOwner();
  // What an angle is computed from is a frequency, no weight.
  if (isa<nn::SinOp, nn::CosOp>(op))
    return place;
  // Part of a weight that is computed from parameters.
  for (Value result : op->getResults()) {
    if (!isStatic(result) || deviations.contains(result))
      continue;
    Place inherited = places.lookup(result);
    if (reparametrizes(op) &&
        (inherited == Place::Scalar || inherited == Place::ScalarFactor))
      inherited = Place::Gate;
    place = std::max(place, inherited);
  }
  return place;
}

/// Result of a product or convolution with a weight?
bool ParameterPlaces::isBehindLayer(Value value) const {
  Operation *producer = producerOf(value);
  return isa_and_nonnull<nn::ConvOp, nn::ConvTransposeOp>(producer) ||
         (isa_and_nonnull<nn::MatMulOp>(producer) &&
          llvm::any_of(producer->getOperands(),
                       [&](Value v) { return isStatic(v); }));
}

/// The other operand of an addition or multiplication decides. Beside what is
/// no activation the result's place counts alone: weights are computed so, and
/// so are the angles of a rotary table, from frequencies and positions.
Place ParameterPlaces::placeBesides(OpOperand &use, Value other) const {
  if (isStatic(other))
    return Place::None;
  auto type = tensorOf(use.get());
  Operation *op = use.getOwner();
  bool adds = isa<nn::AddOp>(op);
  bool behindProduct =
      isa_and_nonnull<nn::MatMulOp, nn::ConvOp, nn::ConvTransposeOp>(
          producerOf(other));
  if (type.getNumElements() == 1) {
    // The bias of a layer with one output.
    if (adds)
      return behindProduct && type.getRank() > 0 &&
                     tensorOf(other).getShape().back() == 1
                 ? Place::Bias
                 : Place::Scalar;
    // where(x >= 0, x, slope x)
    bool isSlope = llvm::any_of(op->getUsers(), [&](Operation *user) {
      return isa<nn::WhereOp>(user) &&
             llvm::is_contained(user->getOperands(), other);
    });
    return isSlope ? Place::Gate : Place::ScalarFactor;
  }
  if (!adds && inputs.contains(other))
    return Place::Preprocessing;
  if (adds && !isBehindLayer(other) && reachesSoftmax(op->getResult(0)))
    return Place::ScoreTable;
  if (isVector(type))
    return adds && behindProduct ? Place::Bias : Place::Vector;
  return adds ? Place::AddedTable : Place::Factor;
}

/// Beside activations in a concatenation, or instead of them where a condition
/// holds. Numbers are padding or what is masked.
Place ParameterPlaces::placeJoined(OpOperand &use) const {
  auto type = tensorOf(use.get());
  if (type.getNumElements() == 1)
    return Place::None;
  if (isVector(type))
    return Place::Vector;
  bool besidesActivation =
      llvm::any_of(use.getOwner()->getOperands(), [&](Value value) {
        auto other = tensorOf(value);
        return other && isa<FloatType>(other.getElementType()) &&
               !isStatic(value);
      });
  return besidesActivation ? Place::JoinedTable : Place::None;
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
      .Case<nn::ConcatOp, nn::WhereOp>(
          [&](Operation *) { return placeJoined(use); })
      .Case<nn::GatherNDGradOp, nn::GatherElementsGradOp>([&](Operation *) {
        // What a scatter writes over activations.
        bool isTable =
            index == 0 && type.getNumElements() > 1 &&
            !llvm::all_of(use.getOwner()->getOperands(),
                          [&](Value value) { return isStatic(value); });
        return !isTable         ? Place::None
               : isVector(type) ? Place::Vector
                                : Place::JoinedTable;
      })
      .Default([](Operation *) { return Place::None; });
}
