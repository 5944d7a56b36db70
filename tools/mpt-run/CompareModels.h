//===- CompareModels.h - One model's tensors against another's --*- C++ -*-===//

#ifndef MPT_TOOLS_MPTRUN_COMPAREMODELS_H
#define MPT_TOOLS_MPTRUN_COMPAREMODELS_H

#include "Model.h"

#include "llvm/ADT/StringMap.h"

namespace mpt::run {

/// How far a tensor is from what it should be.
struct TensorError {
  std::string name;  // as in a profile: "nn.matmul 'fc1'"
  double norm = 0;   // |got - want| / |want|, 2-norms over the tensor
  int64_t worst = 0; // the element with the largest |got - want|
  double got = 0, want = 0;
  std::vector<int64_t> shape;

  /// "error 0.012; worst element [3, 1]: got 7, should be 6".
  std::string describe() const;
};

/// The tensors of a run that others are compared with, in the order they were
/// computed. Gradients are known by their parameter, whatever marks them;
/// tensors of the backward graph are what they would be without loss scaling.
class ReferenceRun {
public:
  /// Runs the model in the interpreter; in double where `f64`. What it returns
  /// is kept, and all tensors between.
  static std::optional<ReferenceRun> make(Model &model, const Inputs &inputs,
                                          bool f64);

  /// Runs another model on the same inputs and compares what has a name in
  /// both: errors of tensors in the order of this run, of outputs and of
  /// gradients. False after an error, which is reported.
  struct Errors {
    std::vector<TensorError> tensors, outputs, gradients;
    /// The largest error of an output or gradient; infinite for a NaN or
    /// infinity that should not be there.
    double worst() const;
    /// The first tensor whose error exceeds the tolerance, or null.
    const TensorError *findDeparture(double tolerance) const;
  };
  std::optional<Errors> compare(Model &model, const Inputs &inputs) const;

private:
  struct Entry {
    size_t order;
    std::vector<int64_t> shape;
    std::vector<float> values;
  };
  llvm::StringMap<Entry> tensors, gradients;
  std::vector<std::string> names;
  std::vector<std::pair<std::string, data::HostTensor>> outputs;
  // Root mean squares of the norms of the gradients and of the tensors of the
  // backward graph.
  double gradientNorm = 0, backwardNorm = 0;
};

struct CompareOptions {
  double tolerance = 1e-2;
  bool f64 = false;     // of the model compared with
  std::string repair;   // policy file to write, or ""
  bool verbose = false; // print every tensor
};

/// Prints how `model` differs from `reference` on `inputs` of the latter, and
/// where it departs first; with `repair` pins operations of the reference until
/// its mixed-precision version is within the tolerance. Returns the exit code:
/// 1 if it is not.
int compareModels(Model &reference, Model &model, const Inputs &inputs,
                  const CompareOptions &options);

/// The inputs of another model of the same names. False, with a message, if one
/// is missing.
bool transferInputs(const Model &from, const Inputs &inputs, Model &to,
                    Inputs &result, std::string &error);

/// The fewest nodes (a minimal set: none can be left out) that keep the
/// mixed-precision version of `reference` within the tolerance when they are
/// FP32, as a policy. `low` is "f16" or "bf16". Returns the exit code.
int repair(Model &reference, const ReferenceRun &run, const Inputs &inputs,
           const std::string &low, const CompareOptions &options);

} // namespace mpt::run

#endif // MPT_TOOLS_MPTRUN_COMPAREMODELS_H
