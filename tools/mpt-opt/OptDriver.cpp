//===- OptDriver.cpp - The driver behind mpt-opt --------------------------===//

#include "OptDriver.h"
#include "ModelDriver.h"

#include "mpt/InitAllDialects.h"
#include "mpt/InitAllPasses.h"
#include "mpt/Support/CommandLine.h"
#include "mpt/Support/Version.h"
#include "mpt/Transforms/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;
using namespace mpt;

int mpt::reportError(const llvm::Twine &message) {
  llvm::errs() << message << '\n';
  return 1;
}

int mpt::writeOutput(StringRef file,
                     llvm::function_ref<LogicalResult(raw_ostream &)> produce) {
  bool reported = false;
  llvm::Error error =
      llvm::writeToOutput(file, [&](raw_ostream &os) -> llvm::Error {
        if (failed(produce(os))) {
          reported = true;
          return llvm::createStringError("");
        }
        os.flush();
        return llvm::Error::success();
      });
  std::string text = llvm::toString(std::move(error));
  if (reported)
    return 1;
  return text.empty() ? 0 : reportError(file + ": cannot write: " + text);
}

static llvm::cl::opt<std::string> &getExplainOption() {
  static llvm::cl::opt<std::string> option{
      "explain", llvm::cl::value_desc("file"),
      llvm::cl::desc("Write why every operation runs in its precision: .txt, "
                     ".json or .html")};
  return option;
}

MlirOptMainConfig mpt::createConfig() {
  auto config = MlirOptMainConfig::createFromCLOptions();
  if (getExplainOption().empty())
    return config;
  config.setPassPipelineSetupFn([config](PassManager &manager) {
    if (failed(config.setupPassPipeline(manager)))
      return failure();
    ExplainPrecisionPassOptions options;
    options.output = getExplainOption();
    manager.addPass(createExplainPrecisionPass(options));
    return success();
  });
  return config;
}

/// MLIR in, MLIR out: upstream's driver, with its diagnostics and splitting.
static int optimizeMLIR(StringRef input, StringRef output,
                        DialectRegistry &registry) {
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(input, &message);
  if (!buffer)
    return reportError(message);
  MlirOptMainConfig config = createConfig();
  return writeOutput(output, [&](raw_ostream &os) {
    return MlirOptMain(os, std::move(buffer), registry, config);
  });
}

int mpt::runOpt(int argc, char **argv) {
  llvm::cl::SetVersionPrinter([](raw_ostream &os) {
    os << "mpt-opt " MPT_VERSION_STRING " (LLVM " MPT_LLVM_VERSION_STRING ")\n";
  });
  DialectRegistry registry;
  mpt::registerAllDialects(registry);
  mpt::registerAllPasses();
  registerModelOptions();
  (void)getExplainOption();
  const std::string overview = registerCLIOptions(
      "MPT: mixed-precision training compiler, pass driver\n\n"
      "  mpt-opt model.onnx --dim batch=64 --mpt-mixed-precision -o "
      "model.fp16.onnx\n"
      "  mpt-opt step.mlir --mpt-assign-precision --mpt-insert-casts\n",
      registry);
  llvm::cl::opt<std::string> input(llvm::cl::Positional,
                                   llvm::cl::desc("<input file>"),
                                   llvm::cl::init("-"));
  llvm::cl::opt<std::string> output("o", llvm::cl::desc("Output file"),
                                    llvm::cl::value_desc("file"),
                                    llvm::cl::init("-"));
  if (!parseCommandLine(argc, argv, overview))
    return 1;

  if (printSupportedOps())
    return 0;
  auto config = MlirOptMainConfig::createFromCLOptions();
  if (config.shouldShowDialects() || config.shouldListPasses())
    return failed(MlirOptMain(argc, argv, input, output, registry));
  return touchesONNX(input, output) ? optimizeModel(input, output, registry)
                                    : optimizeMLIR(input, output, registry);
}
