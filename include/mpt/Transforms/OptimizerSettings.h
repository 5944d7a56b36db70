//===- OptimizerSettings.h - Optimizer and parameter groups -----*- C++ -*-===//
//
// The strings that mpt-attach-optimizer and mpt-train share:
//
//   adamw(lr=1e-3, weight_decay=0.05)                 the optimizer
//   @norm,@bias:weight_decay=0; layer0.*:lr_scale=0.1  parameter groups
//
//===----------------------------------------------------------------------===//

#ifndef MPT_TRANSFORMS_OPTIMIZERSETTINGS_H
#define MPT_TRANSFORMS_OPTIMIZERSETTINGS_H

#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>
#include <vector>

namespace mpt {

/// What an optimizer expression says; the defaults are PyTorch's.
struct OptimizerSettings {
  enum class Kind { SGD, Adam } kind = Kind::SGD;
  double learningRate = 0;
  double learningRateScale = 1; // of a parameter group
  double weightDecay = 0;
  double momentum = 0, dampening = 0;
  bool nesterov = false;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  bool decoupled = false;

  /// `sgd(...)`, `adam(...)` or `adamw(...)`. `lr` may be left out where
  /// PyTorch has a default (1e-3 for adam and adamw). On failure a line in
  /// `error`.
  static std::optional<OptimizerSettings> parse(llvm::StringRef text,
                                                std::string &error);
};

/// Parameters with settings of their own.
struct ParameterGroup {
  std::string text;  // as the user wrote it
  std::string names; // names and regexes, comma-separated
  /// What the parameter is in the graph, whatever its name.
  bool norms = false, biases = false, embeddings = false, weights = false;
  OptimizerSettings settings;
};

/// Parses `names:settings` groups separated by semicolons. `names` is a list of
/// names and regexes of parameters, and of
///   @norm       scales and shifts of normalizations
///   @bias       biases
///   @embedding  tables whose rows are gathered or added
///   @weight     filters and factors of matrix products
/// `settings` are keyword arguments of the optimizer other than `lr`, and
/// `lr_scale`, a factor of the learning rate. What a group does not say is as
/// in `optimizer`. On failure nullopt and a line in `error`.
std::optional<std::vector<ParameterGroup>>
parseParameterGroups(llvm::StringRef groups, llvm::StringRef optimizer,
                     std::string &error);

} // namespace mpt

#endif // MPT_TRANSFORMS_OPTIMIZERSETTINGS_H
