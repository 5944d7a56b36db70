//===- PolicyFile.h - A user's policy in YAML -------------------*- C++ -*-===//
//
// Reads the files docs/Policy.md describes. Knows no IR.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_ANALYSIS_POLICYFILE_H
#define MPT_ANALYSIS_POLICYFILE_H

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mpt {

/// What a policy says; what it does not say is empty.
struct PolicyFile {
  enum class Class { Default, FP32, Low, Follow };

  /// A rule for operations of a type, or for nodes by their names.
  struct Rule {
    std::string text;  // as it was written
    std::string regex; // matches whole names; of a type: empty
    Class wanted = Class::Default;
    std::vector<unsigned> fp32Operands; // the operation must not round these
    int line = 0;
  };
  struct Target {
    std::string name; // of a known one, which the numbers replace in part
    std::optional<double> bandwidth, flopsF32, flopsF16, flopsBF16,
        castOverhead;
    std::optional<bool> alwaysLow;
    int line = 0;
  };

  std::string path; // "" for a preset
  std::optional<std::string> low, strategy;
  std::optional<bool> keepIO;
  std::optional<Target> target;
  std::map<std::string, Rule> ops; // by type: "softmax" or "nn.softmax"
  std::vector<Rule> nodes;         // the last that matches decides
  std::vector<Rule> fp32Tensors;
  std::optional<bool> constantsMayVanish;
  std::optional<double> maxAbs;
};

/// Reads a preset (conservative, default, aggressive, bf16) or a file. nullopt,
/// and `error` "FILE:LINE: what is wrong", otherwise.
std::optional<PolicyFile> readPolicy(const std::string &nameOrPath,
                                     std::string &error);

/// The YAML text of a preset, or null.
const char *getPolicyPreset(const std::string &name);

} // namespace mpt

#endif // MPT_ANALYSIS_POLICYFILE_H
