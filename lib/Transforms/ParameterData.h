//===- ParameterData.h - The bytes of a parameter ---------------*- C++ -*-===//

#ifndef MPT_LIB_TRANSFORMS_PARAMETERDATA_H
#define MPT_LIB_TRANSFORMS_PARAMETERDATA_H

#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>
#include <optional>

namespace mpt {

/// Row-major little-endian elements of a parameter, mapped from its file or
/// borrowed from its attribute.
class ParameterData {
public:
  /// nullopt for a parameter without a value, or whose file cannot be read;
  /// `problem` then says why. A relative path that does not exist from the
  /// current folder is looked for in `directory`.
  static std::optional<ParameterData> load(nn::ParameterOp parameter,
                                           llvm::StringRef directory,
                                           std::string &problem);

  mlir::RankedTensorType getType() const { return type; }
  /// One element for a splat attribute, else all.
  llvm::ArrayRef<char> getBytes() const { return bytes; }
  /// All elements equal, bit for bit.
  bool isSplat() const;
  /// The elements of an f16, bf16, f32 or f64 parameter, one by one, until
  /// `visit` returns false. Returns false for other types.
  bool forEach(llvm::function_ref<bool(int64_t, double)> visit) const;
  /// One element of an f16, bf16, f32 or f64 parameter; 0 of other types.
  double at(int64_t i) const;
  /// Is `other` [N, M] bit for bit the transpose of this [M, N]?
  bool isTransposeOf(const ParameterData &other) const;

private:
  bool hasReadableType() const;

  mlir::RankedTensorType type;
  int64_t elementBytes = 0;
  bool isSplatAttr = false;
  llvm::ArrayRef<char> bytes;
  std::shared_ptr<llvm::MemoryBuffer> buffer;
};

} // namespace mpt

#endif // MPT_LIB_TRANSFORMS_PARAMETERDATA_H
