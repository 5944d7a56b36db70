//===- ParameterPlaces.h - What a parameter is used as ----------*- C++ -*-===//

#ifndef MPT_LIB_TRANSFORMS_PARAMETERPLACES_H
#define MPT_LIB_TRANSFORMS_PARAMETERPLACES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace mpt {

/// Where a value stands, from the least to the most weight-like.
enum class Place {
  None,          // nowhere that a weight would stand
  Scalar,        // a number of a formula
  ScalarFactor,  // a number that an activation is multiplied with
  Preprocessing, // scales or shifts an input of the model
  ScoreTable,    // added to the scores that a softmax reads: masks, biases
  Factor,        // multiplied elementwise, more than a vector: rotary tables
  JoinedTable,   // stands beside activations: class, mask and prompt tokens
  AddedTable,    // added elementwise, more than a vector: position tables
  GatheredTable, // its rows are gathered: embeddings
  Vector,        // a vector added, multiplied, put in front or filled in
  Gate,          // a number whose exponential or the like is used
  NormAffine,    // scale or shift of a normalization
  Bias,          // bias of a convolution or matrix product
  Filter,        // filter of a convolution
  MatrixFactor,  // factor of a matrix product
};

/// In a weight's place, whatever the values are?
inline bool isWeightPlace(Place place) { return place >= Place::Vector; }

/// For people: "factor of a matrix product".
llvm::StringRef describePlace(Place place);

/// The most weight-like place of every parameter of a function, also behind
/// operations on parameters and constants alone (transposes, weight norm).
class ParameterPlaces {
public:
  explicit ParameterPlaces(mlir::func::FuncOp function);

  Place getPlace(mlir::Value parameter) const {
    return places.lookup(parameter);
  }
  /// The place that one operation gives an operand of its own.
  Place getPlaceOfUse(mlir::OpOperand &use) const;

private:
  /// Depends on parameters and constants alone.
  bool isStatic(mlir::Value value) const { return statics.contains(value); }
  Place placeIn(mlir::OpOperand &use) const;
  Place placeBesides(mlir::OpOperand &use, mlir::Value other) const;
  Place placeJoined(mlir::OpOperand &use) const;
  bool isBehindLayer(mlir::Value value) const;

  llvm::DenseSet<mlir::Value> statics, inputs;
  /// Computed from the variances of batch norms with fixed statistics.
  llvm::DenseSet<mlir::Value> deviations;
  llvm::DenseMap<mlir::Value, Place> places;
};

} // namespace mpt

#endif // MPT_LIB_TRANSFORMS_PARAMETERPLACES_H
