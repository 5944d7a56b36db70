//===- OptDriver.cpp - The driver behind mpt-opt --------------------------===//

#include "OptDriver.h"
#include "ModelDriver.h"
#include "PassHelp.h"

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
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;
using namespace mpt;

int mpt::reportError(const llvm::Twine &message) {
  llvm::errs() << message << '\n';
  return 1;
}

/// Produces into a stream. A full disk is an error to report here; the stream
/// itself would end the process when it is destroyed.
static int
writeStream(StringRef file, llvm::raw_fd_ostream &os,
            llvm::function_ref<LogicalResult(raw_ostream &)> produce) {
  LogicalResult produced = produce(os);
  os.flush();
  std::error_code code = os.error();
  os.clear_error();
  if (failed(produced))
    return 1;
  return code ? reportError(file + ": cannot write: " + code.message()) : 0;
}

int mpt::writeOutput(StringRef file,
                     llvm::function_ref<LogicalResult(raw_ostream &)> produce) {
  if (file == "-")
    return writeStream("<stdout>", llvm::outs(), produce);
  auto fail = [&](std::error_code code) {
    return reportError(file + ": cannot write: " + code.message());
  };
  // Something like /dev/null or a pipe is not replaced.
  if (llvm::sys::fs::exists(file) && !llvm::sys::fs::is_regular_file(file)) {
    std::error_code code;
    llvm::raw_fd_ostream os(file, code);
    return code ? fail(code) : writeStream(file, os, produce);
  }
  auto temporary = llvm::sys::fs::TempFile::create(file + ".tmp-%%%%%%%%");
  if (!temporary)
    return fail(llvm::errorToErrorCode(temporary.takeError()));
  int result;
  {
    llvm::raw_fd_ostream os(temporary->FD, /*shouldClose=*/false);
    result = writeStream(file, os, produce);
  }
  llvm::Error kept = result ? temporary->discard() : temporary->keep(file);
  std::error_code code = llvm::errorToErrorCode(std::move(kept));
  return result || !code ? result : fail(code);
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
  const StringRef about =
      "MPT: mixed-precision training compiler, pass driver\n\n"
      "  mpt-opt model.onnx --dim batch=64 --mpt-mixed-precision -o "
      "model.fp16.onnx\n"
      "  mpt-opt step.mlir --mpt-assign-precision --mpt-insert-casts\n";
  const std::string overview = registerCLIOptions(about, registry);
  llvm::cl::opt<std::string> input(llvm::cl::Positional,
                                   llvm::cl::desc("<input file>"),
                                   llvm::cl::init("-"));
  llvm::cl::opt<std::string> output("o", llvm::cl::desc("Output file"),
                                    llvm::cl::value_desc("file"),
                                    llvm::cl::init("-"));
  llvm::ArrayRef<const char *> arguments(argv, argc);
  if (llvm::any_of(arguments.drop_front(), [](StringRef argument) {
        return argument == "--help" || argument == "-help" || argument == "-h";
      })) {
    printOwnHelp(about);
    return 0;
  }
  std::string error;
  if (!parseCommandLine(argc, argv, overview))
    return 1;
  if (!checkPassOptions(arguments, error))
    return reportError("mpt-opt: " + error);

  if (printSupportedOps())
    return 0;
  auto config = MlirOptMainConfig::createFromCLOptions();
  if (config.shouldShowDialects() || config.shouldListPasses())
    return failed(MlirOptMain(argc, argv, input, output, registry));
  return touchesONNX(input, output) ? optimizeModel(input, output, registry)
                                    : optimizeMLIR(input, output, registry);
}
