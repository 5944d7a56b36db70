//===- TensorProfile.h - What was measured of a function's values ---------===//
//
// Statistics per tensor over runs on a user's data: what mpt-run --profile
// writes, mpt-infer-ranges and mpt-scale-loss read, and mpt-train watches.
//
// A tensor is known by the operation it comes from: "nn.matmul 'fc1'", with
// "#1" for a second result and "@2" for the second operation of that name and
// node, counted in the order of the function. So a profile of the forward
// function serves the training step, whose backward operations stand behind.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_ANALYSIS_TENSORPROFILE_H
#define MPT_ANALYSIS_TENSORPROFILE_H

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mpt/Interfaces/NumericRange.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mpt {

/// Elements of one tensor over all runs.
struct TensorStatistics {
  int64_t elements = 0;
  int64_t zeros = 0;
  int64_t subnormal = 0; // below 2^-14, FP16's smallest normal number; not zero
  int64_t vanishing = 0; // of these: they become zero in FP16 (2^-25 or less)
  int64_t overflowing = 0; // finite, but an infinity in FP16 (65520 or more)
  int64_t infinite = 0, nans = 0;
  /// Of the finite elements; min > max: there was none.
  double min = NumericRange::kInfinity, max = -NumericRange::kInfinity;
  double smallest = NumericRange::kInfinity; // magnitude of what is not zero
  /// Elements by floor(log2 |x|).
  std::map<int, int64_t> exponents;
  /// The tensor belongs to the backward graph: it carries the loss scale.
  bool backward = false;
  /// Its elements are stored in 16 bits.
  bool narrow = false;

  void add(llvm::ArrayRef<double> values);
  void merge(const TensorStatistics &other);
  double absMax() const;
  NumericRange getRange() const;
};

struct TensorProfile {
  int64_t runs = 0;
  /// The loss scale of the runs (the largest): what backward tensors were
  /// multiplied by.
  double lossScale = 1;
  std::map<std::string, TensorStatistics> tensors;

  void merge(const TensorProfile &other);
  /// The largest magnitude of a backward tensor without loss scale, and whose
  /// it is: of those in 16 bits, if there are any (a sum in FP32 sets no
  /// bound). nullopt where no backward tensor was seen.
  std::optional<std::pair<double, std::string>> largestGradient() const;

  std::string toJSON() const;
  /// `error` is one line that names `path`.
  static std::optional<TensorProfile> read(const std::string &path,
                                           std::string &error);
};

/// The name of every tensor of numbers in the function's order: arguments
/// ("argument 'x'"), then results of operations, bodies included.
llvm::DenseMap<mlir::Value, std::string>
nameTensors(mlir::FunctionOpInterface function);

/// What RangeSeeds::measured gives for a profile: bounds `margin` times as far
/// from zero as what was measured.
std::function<std::optional<NumericRange>(mlir::Value)>
seedFromProfile(mlir::FunctionOpInterface function,
                const TensorProfile &profile, double margin);

/// The values that carry the loss scale: what depends on mp.loss_seed or the
/// loss-scale argument, up to mp.gradient and mp.unscale.
llvm::DenseSet<mlir::Value> findBackward(mlir::FunctionOpInterface function);

} // namespace mpt

#endif // MPT_ANALYSIS_TENSORPROFILE_H
