//===- RunDriver.cpp - The driver behind mpt-run --------------------------===//

#include "RunDriver.h"
#include "CompareModels.h"
#include "Model.h"
#include "Profile.h"
#include "RangeCheck.h"
#include "TestData.h"

#include "mpt/Data/FileIO.h"
#include "mpt/Data/Npy.h"
#include "mpt/Support/CommandLine.h"
#include "mpt/Support/Diagnostics.h"
#include "mpt/Support/Version.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::run;
namespace cl = llvm::cl;

namespace {
enum class Target { Reference, CPU, CUDA };
enum class Compute { F32, F64 };

/// Built after LLVM's own options are gone, some of which have the same names.
struct CommandLine {
  cl::OptionCategory category{"Model and inputs"};
  cl::OptionCategory comparison{"Comparison and repair"};
  cl::OptionCategory statistics{"Ranges and profiles"};
  cl::OptionCategory tests{"ONNX backend tests"};
  cl::opt<std::string> inputFile{
      cl::Positional, cl::cat(category),
      cl::desc("<model: .onnx, .onnxtxt, .mlir, .mlirbc>")};
  cl::opt<Target, false, ValueParser<Target>> target{
      "target", cl::cat(category), cl::desc("What runs the model:"),
      cl::init(Target::Reference),
      cl::values(
          clEnumValN(Target::Reference, "reference",
                     "the interpreter, operation by operation (default)"),
          clEnumValN(Target::CPU, "cpu", "compiled kernels"),
          clEnumValN(Target::CUDA, "cuda", "a GPU (a later step)"))};
  cl::opt<Compute, false, ValueParser<Compute>> compute{
      "compute", cl::cat(category),
      cl::desc("How the reference interpreter rounds:"), cl::init(Compute::F32),
      cl::values(clEnumValN(Compute::F32, "f32",
                            "every result to its element type (default)"),
                 clEnumValN(Compute::F64, "f64", "nothing: all is in double"))};
  cl::opt<int> threads{
      "threads", cl::cat(category), cl::init(0),
      cl::desc("Threads of --target=cpu (default: one per processor)")};
  cl::list<std::string> inputs{
      "input", cl::cat(category),
      cl::desc("Value of an input (or of a parameter)"),
      cl::value_desc("name=file.npy")};
  cl::opt<std::string> outputDirectory{
      "output-dir", cl::cat(category), cl::value_desc("folder"),
      cl::desc("Write every output to <name>.npy there")};
  cl::opt<std::string> functionName{
      "function", cl::cat(category), cl::value_desc("name"),
      cl::desc("The function to run (default: the only one, or forward)")};
  cl::list<std::string> dims{"dim", cl::cat(category),
                             cl::value_desc("name=extent"),
                             cl::desc("Extent of a symbolic dimension")};
  cl::opt<std::string> testData{
      "test-data", cl::cat(tests), cl::value_desc("folder"),
      cl::desc("Run an ONNX backend test: a folder with model.onnx and "
               "test_data_set_0, or one data set")};
  cl::opt<std::string> testSuite{
      "test-suite", cl::cat(tests), cl::value_desc("folder"),
      cl::desc("Run all ONNX backend tests below it")};
  cl::opt<std::string> expectedFile{
      "expect", cl::cat(tests), cl::value_desc("file"),
      cl::desc("With --test-suite: names of the tests that must pass")};
  cl::opt<std::string> writeExpected{
      "write-passed", cl::cat(tests), cl::value_desc("file"),
      cl::desc("With --test-suite: write the names of the tests that passed")};
  cl::opt<bool> verbose{
      "verbose", cl::cat(category),
      cl::desc("With --test-suite: a line for every test; with "
               "--compare: for every tensor")};
  cl::opt<std::string> profile{
      "profile", cl::cat(statistics), cl::value_desc("file.json"),
      cl::desc("Run in the interpreter and write statistics of every tensor: "
               "range, zeros, subnormals, exponents")};
  cl::list<std::string> mergedProfiles{
      "profile-merge", cl::cat(statistics), cl::value_desc("file.json"),
      cl::desc("With --profile: add another profile; without a model, merge "
               "several")};
  cl::opt<std::string> data{
      "data", cl::cat(category), cl::value_desc("DATA"),
      cl::desc("Inputs and labels, as for mpt-train: the first batch, or with "
               "--profile or --check-ranges a run per batch")};
  cl::opt<int64_t> batches{
      "batches", cl::cat(statistics), cl::init(0), cl::value_desc("N"),
      cl::desc("With --data and --profile (default: all) or --check-ranges "
               "(default: 1): batches to run, a step's state being carried "
               "from one to the next")};
  cl::opt<std::string> compared{
      "compare", cl::cat(comparison), cl::value_desc("model"),
      cl::desc("Run this model, too, and say how far the other's outputs and "
               "gradients are from its, and which tensor departs first: "
               "--compare right.onnx judged.onnx")};
  cl::opt<double> tolerance{
      "tolerance", cl::cat(comparison), cl::init(1e-2),
      cl::desc("With --compare: |got - want| / |want| of a tensor, 2-norms "
               "(default: 1e-2)")};
  cl::opt<std::string> repaired{
      "repair", cl::cat(comparison), cl::value_desc("policy.yaml"),
      cl::desc("With --compare: write a policy that keeps the fewest nodes of "
               "the compared model in FP32 for the tolerance")};
  cl::opt<bool> checkRanges{
      "check-ranges", cl::cat(statistics),
      cl::desc("Infer the ranges of all values from the inputs' and check "
               "that every value of the run lies inside; also for tests")};
  cl::opt<int64_t> fuzz{
      "fuzz", cl::cat(statistics), cl::init(0), cl::value_desc("N"),
      cl::desc("With --check-ranges: N more runs with values drawn from the "
               "ranges of the inputs and parameters")};
  cl::opt<double> relativeTolerance{
      "rtol", cl::cat(tests), cl::init(1e-3),
      cl::desc("Relative tolerance of tests (default: 1e-3)")};
  cl::opt<double> absoluteTolerance{
      "atol", cl::cat(tests), cl::init(1e-7),
      cl::desc("Absolute tolerance of tests (default: 1e-7)")};
};
} // namespace

static int fail(const llvm::Twine &message) {
  llvm::errs() << message << '\n';
  return 1;
}

/// The values that the command line gives to the model's arguments; those of
/// the data set's columns are left open.
static bool readInputs(const CommandLine &line, Model &model, Inputs &values,
                       std::optional<Batches> &batches) {
  for (const std::string &text : line.inputs) {
    auto [name, path] = StringRef(text).split('=');
    if (name.empty() || path.empty()) {
      fail("--input " + text + ": should be name=file.npy");
      return false;
    }
    std::optional<unsigned> number = model.findArgument(name);
    if (!number) {
      fail(model.path + ": has no input '" + name + "'; it has " +
           model.describeInputs());
      return false;
    }
    std::string error;
    values[*number] = data::readNpy(path.str(), error);
    if (!values[*number]) {
      fail(error);
      return false;
    }
  }
  fillInitialState(model, values);
  std::string error;
  if (!line.data.empty()) {
    batches = Batches::open(line.data, model, values, error);
    if (!batches) {
      fail(error);
      return false;
    }
    batches->fill(0, values);
  }
  for (size_t i = 0; i < values.size(); ++i)
    if (!values[i] && !model.isParameter[i]) {
      fail(model.path + ": input '" + model.arguments[i] +
           "' is missing: give it with --input " + model.arguments[i] +
           "=file.npy; the inputs are " + model.describeInputs());
      return false;
    }
  return true;
}

/// Runs the model given by --compare on the command line's inputs, and `judged`
/// on the same.
static int runComparison(const CommandLine &line, MLIRContext &context,
                         Model &judged, const ImportOptions &options) {
  std::optional<Model> reference =
      loadModel(context, line.compared, line.functionName, options);
  if (!reference)
    return 1;
  Inputs values(reference->arguments.size());
  std::optional<Batches> batches;
  if (!readInputs(line, *reference, values, batches))
    return 1;
  return compareModels(*reference, judged, values,
                       {line.tolerance, line.compute == Compute::F64,
                        line.repaired, line.verbose});
}

/// A name that can stand in a file's name.
static std::string fileName(std::string name) {
  for (char &c : name)
    if (c == '/' || c == '\\' || c == ':')
      c = '_';
  return name;
}

static int writeOutputs(const std::string &outputDirectory, const Model &model,
                        const std::vector<data::HostTensor> &outputs) {
  if (outputDirectory.empty()) {
    for (size_t i = 0; i < outputs.size(); ++i)
      llvm::outs() << model.results[i] << ": " << summarize(outputs[i]) << '\n';
    return 0;
  }
  if (std::error_code code = llvm::sys::fs::create_directories(outputDirectory))
    return fail(outputDirectory + ": cannot be created: " + code.message());
  for (size_t i = 0; i < outputs.size(); ++i) {
    // numpy has no bfloat16; float32 holds it exactly.
    const data::HostTensor &output =
        outputs[i].dtype == data::DType::BF16
            ? data::convert(outputs[i], data::DType::F32)
            : outputs[i];
    std::string error;
    if (!data::writeNpy(outputDirectory + "/" + fileName(model.results[i]) +
                            ".npy",
                        output, error))
      return fail(error);
  }
  return 0;
}

int mpt::runModel(int argc, char **argv) {
  cl::ResetCommandLineParser();
  CommandLine line;
  cl::HideUnrelatedOptions(
      {&line.category, &line.comparison, &line.statistics, &line.tests});
  cl::SetVersionPrinter([](raw_ostream &os) {
    os << "mpt-run " MPT_VERSION_STRING " (LLVM " MPT_LLVM_VERSION_STRING ")\n";
  });
  if (!parseCommandLine(
          argc, argv,
          "MPT: runs a model on given inputs, or ONNX backend tests\n\n"
          "  mpt-run model.onnx --dim batch=1 --input image=image.npy "
          "--output-dir out\n"
          "  mpt-run --test-data test_relu\n"))
    return 1;
  if (line.target == Target::CUDA)
    return fail("mpt-run: running on a card is a later step: use "
                "--target=reference or --target=cpu");
  if (line.compute == Compute::F64 && line.target != Target::Reference)
    return fail("mpt-run: --compute=f64 is for --target=reference: compiled "
                "kernels compute in the element types");
  if (line.threads < 0)
    return fail("mpt-run: --threads should not be negative");
  ImportOptions options;
  std::string error;
  for (const std::string &dim : line.dims)
    if (!parseDim(dim, options, error))
      return fail(error);
  const Tolerance tolerance{line.relativeTolerance, line.absoluteTolerance};
  if (line.checkRanges &&
      (line.target != Target::Reference || line.compute != Compute::F32))
    return fail("mpt-run: --check-ranges is for --target=reference and its "
                "default rounding");
  RangeStatistics ranges;
  const Runner runner = [&](Model &model, const Inputs &values) {
    if (line.checkRanges)
      return runCheckingRanges(model, values, line.fuzz, ranges);
    return line.target == Target::CPU
               ? runCompiled(model, values, line.threads)
               : runReference(model, values, line.compute == Compute::F64);
  };

  if (!line.testSuite.empty()) {
    const int code = runTestSuite(
        line.testSuite, {line.expectedFile, line.writeExpected, line.verbose},
        options, tolerance, runner);
    return line.checkRanges ? std::max(code, printRanges(ranges)) : code;
  }
  if (!line.testData.empty()) {
    std::string message;
    const Outcome outcome = runTestCase(line.testData, line.inputFile, options,
                                        tolerance, runner, message);
    if (outcome == Outcome::Pass) {
      llvm::outs() << line.testData << ": passed\n";
      return 0;
    }
    return fail(line.testData + ": " + message);
  }
  const ProfileOptions profiling{
      line.profile,
      {line.mergedProfiles.begin(), line.mergedProfiles.end()},
      line.batches};
  if (line.profile.empty() && !profiling.merged.empty())
    return fail("mpt-run: --profile-merge goes with --profile");
  if (line.batches < 0 ||
      (line.batches != 0 &&
       (line.data.empty() || (line.profile.empty() && !line.checkRanges))))
    return fail("mpt-run: --batches goes with --data, and with --profile or "
                "--check-ranges");
  if (line.fuzz < 0 || (line.fuzz != 0 && !line.checkRanges))
    return fail("mpt-run: --fuzz goes with --check-ranges");
  if (!line.profile.empty() &&
      (line.target != Target::Reference || line.compute != Compute::F32))
    return fail("mpt-run: --profile is for --target=reference and its default "
                "rounding");
  if (line.compared.empty() && !line.repaired.empty())
    return fail("mpt-run: --repair goes with --compare");
  if (!line.compared.empty() && line.target != Target::Reference)
    return fail("mpt-run: --compare is for --target=reference");
  if (line.inputFile.empty() && !profiling.merged.empty())
    return mergeProfiles(profiling);
  if (line.inputFile.empty())
    return fail("mpt-run: no model given; see mpt-run --help");
  options.ignoreUnknownDims = !line.compared.empty();
  MLIRContext context;
  loadDialects(context);
  OneLineDiagnostics diagnostics(context, /*printRemarks=*/false,
                                 line.inputFile);
  std::optional<Model> model =
      loadModel(context, line.inputFile, line.functionName, options);
  if (!model)
    return 1;
  if (!line.compared.empty())
    return runComparison(line, context, *model, options);
  Inputs values(model->arguments.size());
  std::optional<Batches> batches;
  if (!readInputs(line, *model, values, batches))
    return 1;
  if (!line.profile.empty())
    return writeProfile(*model, std::move(values),
                        batches ? &*batches : nullptr, profiling);
  FailureOr<std::vector<data::HostTensor>> outputs = runner(*model, values);
  if (failed(outputs))
    return 1;
  const int64_t runs =
      batches ? std::min(batches->count(), line.batches.getValue()) : 1;
  for (int64_t run = 1; line.checkRanges && run < runs; ++run) {
    carryState(*model, *outputs, values);
    batches->fill(run, values);
    outputs = runner(*model, values);
    if (failed(outputs))
      return 1;
  }
  if (line.checkRanges)
    return printRanges(ranges);
  return writeOutputs(line.outputDirectory, *model, *outputs);
}
