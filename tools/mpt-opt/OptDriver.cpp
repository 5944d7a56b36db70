//===- OptDriver.cpp - The driver behind mpt-opt
//----------------------------===//

#include "OptDriver.h"

#include "mpt/Export/ONNX/ExportONNX.h"
#include "mpt/Import/ONNX/ImportONNX.h"
#include "mpt/InitAllDialects.h"
#include "mpt/InitAllPasses.h"
#include "mpt/Support/Version.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mpt;

namespace {
/// What the user asked for beyond mlir-opt's own options.
struct Invocation {
  std::string input;
  std::string output;
};
} // namespace

static int reportError(const llvm::Twine &message) {
  llvm::errs() << message << '\n';
  return 1;
}

/// Writes what `produce` makes, to stdout or atomically to a file. A failure
/// of `produce` (already reported) leaves no file behind.
static int
writeOutput(StringRef file,
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

static llvm::cl::list<std::string>
    dims("dim", llvm::cl::value_desc("name=extent"),
         llvm::cl::desc("Fix a symbolic dimension of an ONNX model"));
static llvm::cl::opt<bool>
    listONNXOps("list-onnx-ops",
                llvm::cl::desc("List the ONNX operators that are imported as "
                               "nn operations, as a Markdown table"));

/// Imports an ONNX model, as bytecode for the driver of MLIR modules.
static std::unique_ptr<llvm::MemoryBuffer>
importToBytecode(StringRef path, const DialectRegistry &registry) {
  ImportOptions options;
  std::string error;
  for (const std::string &dim : dims)
    if (!parseDim(dim, options, error)) {
      reportError(error);
      return nullptr;
    }
  MLIRContext context(registry);
  ScopedDiagnosticHandler handler(&context, [](Diagnostic &diagnostic) {
    llvm::errs() << diagnostic.str() << '\n';
    return success();
  });
  OwningOpRef<ModuleOp> module = importONNX(context, path, options);
  if (!module)
    return nullptr;
  std::string bytes;
  llvm::raw_string_ostream stream(bytes);
  if (failed(writeBytecodeToFile(*module, stream))) {
    reportError(path + ": cannot be written as bytecode");
    return nullptr;
  }
  return llvm::MemoryBuffer::getMemBufferCopy(bytes, path);
}

static llvm::cl::opt<std::string>
    emitFormat("emit", llvm::cl::value_desc("onnx"),
               llvm::cl::desc("Write the forward function as ONNX (also "
                              "chosen by an output that ends in .onnx)"));
static llvm::cl::opt<std::string> exportFunction(
    "export-function", llvm::cl::value_desc("name"),
    llvm::cl::desc("The function to write as ONNX (default: forward)"));

/// Runs the passes and writes the result as ONNX.
static int optimizeToONNX(const Invocation &invocation,
                          std::unique_ptr<llvm::MemoryBuffer> buffer,
                          DialectRegistry &registry) {
  std::string bytes;
  llvm::raw_string_ostream stream(bytes);
  // Bytecode keeps the locations, which name the nodes.
  auto config = MlirOptMainConfig::createFromCLOptions().emitBytecode(true);
  if (failed(MlirOptMain(stream, std::move(buffer), registry, config)))
    return 1;
  MLIRContext context(registry);
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler handler(sources, &context);
  sources.AddNewSourceBuffer(
      llvm::MemoryBuffer::getMemBufferCopy(bytes, invocation.input), {});
  auto module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module)
    return 1;
  std::string output =
      invocation.output == "-" ? "/dev/stdout" : invocation.output;
  return failed(exportONNX(*module, exportFunction, output));
}

/// The table of docs/SupportedONNXOps.md.
static int printSupportedOps() {
  llvm::outs() << "| domain | operator | since opset | imported as |\n"
                  "|---|---|---|---|\n";
  for (const SupportedONNXOp &op : listSupportedONNXOps())
    llvm::outs() << "| " << (op.domain.empty() ? "ai.onnx" : op.domain) << " | "
                 << op.name << " | " << op.sinceVersion << " | " << op.note
                 << " |\n";
  return 0;
}

static int optimizeMLIR(const Invocation &invocation,
                        DialectRegistry &registry) {
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> buffer;
  if (isONNXFile(invocation.input)) {
    buffer = importToBytecode(invocation.input, registry);
    if (!buffer)
      return 1;
  } else {
    buffer = openInputFile(invocation.input, &message);
    if (!buffer)
      return reportError(message);
  }
  if (emitFormat == "onnx" || isONNXFile(invocation.output))
    return optimizeToONNX(invocation, std::move(buffer), registry);
  if (!emitFormat.empty())
    return reportError("--emit=" + emitFormat + ": should be onnx");
  auto config = MlirOptMainConfig::createFromCLOptions();
  return writeOutput(invocation.output, [&](raw_ostream &os) {
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
  Invocation invocation;
  std::tie(invocation.input, invocation.output) = registerAndParseCLIOptions(
      argc, argv, "MPT: mixed-precision training compiler, pass driver\n",
      registry);

  if (listONNXOps)
    return printSupportedOps();
  auto config = MlirOptMainConfig::createFromCLOptions();
  if (config.shouldShowDialects() || config.shouldListPasses())
    return failed(
        MlirOptMain(argc, argv, invocation.input, invocation.output, registry));
  return optimizeMLIR(invocation, registry);
}
