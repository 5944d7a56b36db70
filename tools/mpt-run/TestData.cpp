//===- TestData.cpp - ONNX backend tests ----------------------------------===//

#include "TestData.h"

#include "mlir/IR/TypeUtilities.h"
#include "mpt/Data/FileIO.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <map>

using namespace mlir;

namespace mpt::run {

namespace {
/// The tensors of one test_data_set.
struct DataSet {
  std::vector<NamedTensor> inputs, outputs;
};
} // namespace

/// input_0.pb, input_1.pb, ... or output_0.pb, ...
static bool readTensors(const std::string &directory, const char *prefix,
                        std::vector<NamedTensor> &tensors, std::string &error) {
  for (int i = 0;; ++i) {
    const std::string path =
        directory + "/" + prefix + std::to_string(i) + ".pb";
    if (!data::fileExists(path))
      return true;
    std::optional<NamedTensor> tensor = readTensorProto(path, error);
    if (!tensor)
      return false;
    tensors.push_back(std::move(*tensor));
  }
}

/// An input whose value may decide shapes: imported as a constant when a model
/// cannot be run otherwise.
static bool isSetting(const data::HostTensor &tensor, int level) {
  if (level == 0)
    return false;
  const bool small = tensor.numElements() <= 64;
  return small && (!data::isFloat(tensor.dtype) ||
                   (level == 2 && tensor.numElements() <= 1));
}

/// The suite stores bfloat16 as its bits in uint16, numpy having no such type.
static void restoreBFloat16(data::HostTensor &tensor, Type type) {
  if (!getElementTypeOrSelf(type).isBF16() || data::isFloat(tensor.dtype))
    return;
  data::HostTensor restored(data::DType::BF16, tensor.shape);
  const data::HostTensor bits = data::convert(tensor, data::DType::I16);
  restored.bytes = bits.bytes;
  tensor = std::move(restored);
}

/// Does the result depend on a random generator, which ONNX leaves open?
static bool isRandom(const Model &model) {
  return func::FuncOp(model.function)
      .walk([](nn::DropoutOp) { return WalkResult::interrupt(); })
      .wasInterrupted();
}

static Outcome runDataSet(const std::string &modelPath, const DataSet &set,
                          const ImportOptions &base, int level,
                          Tolerance tolerance, const Runner &runner,
                          std::string &message) {
  // One context per case: nothing is kept between cases.
  MLIRContext context(MLIRContext::Threading::DISABLED);
  loadDialects(context);
  message.clear();
  context.getDiagEngine().registerHandler([&](Diagnostic &diag) {
    if (diag.getSeverity() == DiagnosticSeverity::Error && message.empty())
      message = diag.str();
    return success();
  });
  ImportOptions options = base;
  for (const NamedTensor &input : set.inputs)
    if (isSetting(input.tensor, level))
      options.constants[input.name] = input.tensor;
  std::optional<Model> model = loadModel(context, modelPath, "", options);
  if (!model)
    return Outcome::Failed;
  if (std::optional<std::string> foreign = model->findForeignOperator()) {
    message = "the operator " + *foreign + " has no evaluation";
    return Outcome::Unsupported;
  }
  Inputs inputs(model->arguments.size());
  size_t next = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (model->isParameter[i])
      continue;
    while (next < set.inputs.size() &&
           options.constants.contains(set.inputs[next].name))
      ++next;
    if (next == set.inputs.size()) {
      message = "has no data for input '" + model->arguments[i] + "'";
      return Outcome::Failed;
    }
    inputs[i] = set.inputs[next++].tensor;
    const Type type = model->function.getArgumentTypes()[i];
    restoreBFloat16(*inputs[i], type);
    // Data for an input that is only an example of a type (CastLike) need not
    // have the shape that the model declares.
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (model->function.getArgument(i).use_empty() && tensor)
      inputs[i] = data::HostTensor(inputs[i]->dtype, tensor.getShape().vec());
  }
  FailureOr<std::vector<data::HostTensor>> results = runner(*model, inputs);
  if (failed(results))
    return Outcome::Failed;
  if (results->size() < set.outputs.size()) {
    message = "has " + std::to_string(results->size()) + " outputs, not " +
              std::to_string(set.outputs.size());
    return Outcome::Mismatch;
  }
  for (size_t i = 0; i < set.outputs.size(); ++i) {
    std::string difference;
    data::HostTensor want = set.outputs[i].tensor;
    restoreBFloat16(want, model->function.getResultTypes()[i]);
    // The suite of ONNX 1.12 truncates to bfloat16 instead of rounding.
    Tolerance allowed = tolerance;
    if (getElementTypeOrSelf(model->function.getResultTypes()[i]).isBF16())
      allowed.relative = std::max(allowed.relative, 0x1p-7);
    if (compare((*results)[i], want, allowed, difference))
      continue;
    if (isRandom(*model)) {
      message = "the result depends on the random generator";
      return Outcome::Unsupported;
    }
    message = "output '" + model->results[i] + "': " + difference;
    return Outcome::Mismatch;
  }
  return Outcome::Pass;
}

static bool startsWithDataSet(const std::string &name) {
  return llvm::StringRef(name).starts_with("test_data_set_");
}

Outcome runTestCase(const std::string &directory, const std::string &modelPath,
                    const ImportOptions &options, Tolerance tolerance,
                    const Runner &runner, std::string &message) {
  std::string model = modelPath;
  std::vector<std::string> sets;
  std::optional<std::vector<std::string>> names =
      data::listDirectory(directory, message);
  if (!names)
    return Outcome::Failed;
  for (const std::string &name : *names)
    if (startsWithDataSet(name))
      sets.push_back(directory + "/" + name);
  if (sets.empty())
    sets.push_back(directory);
  if (model.empty())
    model = data::fileExists(directory + "/model.onnx")
                ? directory + "/model.onnx"
                : directory + "/../model.onnx";
  if (!data::fileExists(model)) {
    message = model + ": no such file";
    return Outcome::Failed;
  }
  for (const std::string &path : sets) {
    DataSet set;
    if (!readTensors(path, "input_", set.inputs, message) ||
        !readTensors(path, "output_", set.outputs, message))
      return Outcome::Unsupported;
    if (set.outputs.empty()) {
      message = path + ": has no output_0.pb to compare with";
      return Outcome::Failed;
    }
    Outcome outcome =
        runDataSet(model, set, options, 0, tolerance, runner, message);
    for (int level = 1; level < 3 && (outcome == Outcome::Unsupported ||
                                      outcome == Outcome::Failed);
         ++level) {
      std::string retryMessage;
      const Outcome retry = runDataSet(model, set, options, level, tolerance,
                                       runner, retryMessage);
      if (retry == Outcome::Pass || retry == Outcome::Mismatch) {
        outcome = retry;
        message = retryMessage;
      }
    }
    if (outcome != Outcome::Pass)
      return outcome;
    message.clear();
  }
  return Outcome::Pass;
}

/// The folders below `directory` that hold a model.onnx, relative to it.
static void findCases(const std::string &directory, const std::string &prefix,
                      std::vector<std::string> &cases) {
  std::string error;
  std::optional<std::vector<std::string>> names =
      data::listDirectory(directory + "/" + prefix, error);
  if (!names)
    return;
  for (const std::string &name : *names) {
    const std::string relative = prefix.empty() ? name : prefix + "/" + name;
    if (data::fileExists(directory + "/" + relative + "/model.onnx"))
      cases.push_back(relative);
    else if (data::isDirectory(directory + "/" + relative))
      findCases(directory, relative, cases);
  }
}

static bool readList(const std::string &path, llvm::StringSet<> &names) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer) {
    llvm::errs() << path << ": " << buffer.getError().message() << '\n';
    return false;
  }
  llvm::SmallVector<StringRef> lines;
  (*buffer)->getBuffer().split(lines, '\n', -1, /*KeepEmpty=*/false);
  for (StringRef line : lines)
    if (!line.starts_with("#"))
      names.insert(line.trim());
  return true;
}

int runTestSuite(const std::string &directory, const SuiteOptions &suite,
                 const ImportOptions &options, Tolerance tolerance,
                 const Runner &runner) {
  llvm::StringSet<> expected;
  if (!suite.expected.empty() && !readList(suite.expected, expected))
    return 1;
  std::vector<std::string> cases, passed;
  findCases(directory, "", cases);
  if (cases.empty()) {
    llvm::errs() << directory << ": has no folder with a model.onnx\n";
    return 1;
  }
  std::map<Outcome, int> counts;
  int lost = 0;
  for (const std::string &name : cases) {
    std::string message;
    const Outcome outcome = runTestCase(directory + "/" + name, "", options,
                                        tolerance, runner, message);
    ++counts[outcome];
    const char *label = outcome == Outcome::Pass          ? "pass"
                        : outcome == Outcome::Mismatch    ? "MISMATCH"
                        : outcome == Outcome::Unsupported ? "unsupported"
                                                          : "failed";
    const bool missed = expected.erase(name) && outcome != Outcome::Pass;
    lost += missed;
    if (outcome == Outcome::Pass)
      passed.push_back(name);
    if (suite.verbose || missed || outcome == Outcome::Mismatch)
      llvm::outs() << label << ": " << name
                   << (message.empty() ? "" : ": " + message) << '\n';
  }
  for (const auto &name : expected) {
    llvm::outs() << "missing: " << name.getKey() << '\n';
    ++lost;
  }
  llvm::outs() << "cases: " << cases.size()
               << ", passed: " << counts[Outcome::Pass]
               << ", wrong: " << counts[Outcome::Mismatch]
               << ", unsupported: " << counts[Outcome::Unsupported]
               << ", failed: " << counts[Outcome::Failed]
               << ", expected but not passed: " << lost << '\n';
  if (!suite.write.empty()) {
    std::string text, error;
    for (const std::string &name : passed)
      text += name + "\n";
    data::AtomicFileWriter writer;
    if (!writer.open(suite.write, error) ||
        !writer.write(text.data(), text.size(), error) ||
        !writer.commit(error)) {
      llvm::errs() << error << '\n';
      return 1;
    }
  }
  return lost || counts[Outcome::Mismatch] ? 1 : 0;
}

} // namespace mpt::run
