//===- TestData.h - ONNX backend tests --------------------------*- C++ -*-===//

#ifndef MPT_TOOLS_MPTRUN_TESTDATA_H
#define MPT_TOOLS_MPTRUN_TESTDATA_H

#include "Compare.h"
#include "Model.h"

#include <functional>

namespace mpt::run {

using Runner = std::function<mlir::FailureOr<std::vector<data::HostTensor>>(
    Model &, const Inputs &)>;

enum class Outcome { Pass, Mismatch, Unsupported, Failed };

/// Runs the data sets of a test case: a folder with model.onnx and
/// test_data_set_N, or one such data set (then the model stands beside it, or
/// is `modelPath`). `message` says in one line why it did not pass.
/// An input that a model needs to know (a shape, an axis) is imported as a
/// constant with the data set's value if the model cannot be run otherwise.
Outcome runTestCase(const std::string &directory, const std::string &modelPath,
                    const ImportOptions &options, Tolerance tolerance,
                    const Runner &runner, std::string &message);

struct SuiteOptions {
  std::string expected; // file with the names of cases that must pass
  std::string write;    // file to write such a list to
  bool verbose = false; // print a line for every case
};

/// Runs every case under a folder and prints a summary. Returns the exit code:
/// 1 if a result is wrong, or a case of the list does not pass.
int runTestSuite(const std::string &directory, const SuiteOptions &suite,
                 const ImportOptions &options, Tolerance tolerance,
                 const Runner &runner);

} // namespace mpt::run

#endif // MPT_TOOLS_MPTRUN_TESTDATA_H
