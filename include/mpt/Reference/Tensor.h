//===- Tensor.h - Tensors of the reference interpreter ----------*- C++ -*-===//
//
// The interpreter computes in double and rounds every float result once to its
// element type, so a tensor holds doubles whatever its float type is. Integers
// are held as 64-bit numbers: signless types sign-extended, unsigned types
// zero-extended (64-bit ones as their bits), i1 as 0 or 1.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_REFERENCE_TENSOR_H
#define MPT_REFERENCE_TENSOR_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mpt/Data/HostTensor.h"
#include "llvm/ADT/SmallVector.h"

#include <vector>

namespace mpt::reference {

struct Tensor {
  llvm::SmallVector<int64_t> shape;
  mlir::Type elementType;
  std::vector<double> floats; // row-major elements of a float type
  std::vector<int64_t> ints;  // row-major elements of an integer type or i1

  Tensor() = default;
  /// All zero. The shape is static; `elementType` has isSupportedElementType.
  Tensor(llvm::ArrayRef<int64_t> shape, mlir::Type elementType);

  bool isFloat() const { return llvm::isa<mlir::FloatType>(elementType); }
  int64_t numElements() const {
    return static_cast<int64_t>(isFloat() ? floats.size() : ints.size());
  }
  mlir::RankedTensorType getType() const {
    return mlir::RankedTensorType::get(shape, elementType);
  }

  /// A scalar; `value` must be representable.
  static Tensor scalar(double value, mlir::Type elementType);
};

/// f16, bf16, f32, f64 and integers of 1, 8, 16, 32 or 64 bits.
bool isSupportedElementType(mlir::Type type);

/// The nearest value of a float type, ties to even; overflow gives infinity.
double roundToType(double value, mlir::FloatType type);
/// The integer modulo 2^width, in the representation described above.
int64_t wrapToType(int64_t value, mlir::IntegerType type);
/// A float as an integer: towards zero, saturated, NaN as 0; to i1: not zero.
int64_t truncateToType(double value, mlir::IntegerType type);
/// An integer of `type` as a float (an unsigned 64-bit one is not negative).
double integerToDouble(int64_t value, mlir::IntegerType type);

/// Rounds every element to the element type (wraps integers).
void roundElements(Tensor &tensor);

//===----------------------------------------------------------------------===//
// Conversions. Errors are reported at `loc`.
//===----------------------------------------------------------------------===//

/// Elements from row-major little-endian bytes; an i1 takes a byte.
mlir::FailureOr<Tensor> fromBytes(mlir::RankedTensorType type,
                                  llvm::ArrayRef<char> bytes,
                                  mlir::Location loc);

/// Dense and resource attributes, splats included.
mlir::FailureOr<Tensor> fromElements(mlir::ElementsAttr attr,
                                     mlir::Location loc);
/// The tensor as a constant of its own element type (floats are rounded to it).
mlir::DenseElementsAttr toElements(const Tensor &tensor);

/// A tensor read from a file, as a tensor of `elementType`. With `exact`,
/// values are not rounded to a float type: the interpreter's f64 mode.
/// A float for an integer type, or an integer that does not fit, is an error.
mlir::FailureOr<Tensor> fromHost(const data::HostTensor &host,
                                 mlir::Type elementType, bool exact,
                                 mlir::Location loc);
/// In the type nearest to the element type; in f64 for floats with `exact`.
/// Unsigned types without a counterpart become wider signed ones.
data::HostTensor toHost(const Tensor &tensor, bool exact = false);

} // namespace mpt::reference

#endif // MPT_REFERENCE_TENSOR_H
