//===- ModelDriver.cpp - mpt-opt with ONNX at an end ----------------------===//

#include "ModelDriver.h"
#include "OptDriver.h"

#include "mpt/Export/ONNX/ExportONNX.h"
#include "mpt/Import/ONNX/ImportONNX.h"
#include "mpt/Support/Diagnostics.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/BuryPointer.h"
#include "llvm/Support/CommandLine.h"

using namespace mlir;
using namespace mpt;

namespace {
struct ModelOptions {
  llvm::cl::list<std::string> dims{
      "dim", llvm::cl::value_desc("name=extent"),
      llvm::cl::desc("Fix a symbolic dimension of an ONNX model")};
  llvm::cl::opt<std::string> emit{
      "emit", llvm::cl::value_desc("onnx"),
      llvm::cl::desc("Write the forward function as ONNX (also chosen by an "
                     "output that ends in .onnx)")};
  llvm::cl::opt<std::string> exportFunction{
      "export-function", llvm::cl::value_desc("name"),
      llvm::cl::desc("The function to write as ONNX (default: forward)")};
  llvm::cl::opt<bool> remarks{
      "remarks",
      llvm::cl::desc("Print the remarks of passes on an ONNX model")};
  llvm::cl::opt<bool> listOps{
      "list-onnx-ops",
      llvm::cl::desc("List the ONNX operators that are imported as nn "
                     "operations, as a Markdown table")};
};
} // namespace

static ModelOptions &getOptions() {
  static ModelOptions options;
  return options;
}

void mpt::registerModelOptions() { (void)getOptions(); }

bool mpt::touchesONNX(StringRef input, StringRef output) {
  return isONNXFile(input) || isONNXFile(output) || !getOptions().emit.empty();
}

bool mpt::printSupportedOps() {
  if (!getOptions().listOps)
    return false;
  llvm::outs() << "# Supported ONNX operators\n\n"
                  "Written by `mpt-opt --list-onnx-ops`. Opsets up to 27 are "
                  "read; operators that are not in the table, and uses of them "
                  "that an `nn` operation cannot express, become "
                  "`nn.onnx_node` and are exported unchanged.\n\n"
                  "| domain | operator | since opset | imported as |\n"
                  "|---|---|---|---|\n";
  for (const SupportedONNXOp &op : listSupportedONNXOps())
    llvm::outs() << "| " << (op.domain.empty() ? "ai.onnx" : op.domain) << " | "
                 << op.name << " | " << op.sinceVersion << " | " << op.note
                 << " |\n";
  return true;
}

static OwningOpRef<ModuleOp> readModule(StringRef path, MLIRContext &context) {
  if (!isONNXFile(path))
    return parseSourceFile<ModuleOp>(path, &context);
  ImportOptions options;
  std::string error;
  for (const std::string &dim : getOptions().dims)
    if (!parseDim(dim, options, error)) {
      reportError(error);
      return {};
    }
  return importONNX(context, path, options);
}

static LogicalResult runPasses(ModuleOp module,
                               const MlirOptMainConfig &config) {
  DefaultTimingManager timing;
  applyDefaultTimingManagerCLOptions(timing);
  TimingScope scope = timing.getRootScope();
  PassManager manager(module->getName(), PassManager::Nesting::Implicit);
  manager.enableVerifier(config.shouldVerifyPasses());
  manager.enableTiming(scope);
  if (failed(applyPassManagerCLOptions(manager)) ||
      failed(config.setupPassPipeline(manager)))
    return failure();
  return manager.run(module);
}

int mpt::optimizeModel(StringRef input, StringRef output,
                       const DialectRegistry &registry) {
  ModelOptions &options = getOptions();
  bool toONNX = options.emit == "onnx" || isONNXFile(output);
  if (!options.emit.empty() && options.emit != "onnx")
    return reportError("--emit=" + options.emit + ": should be onnx");
  MlirOptMainConfig config = createConfig();
  // The process ends behind this function: the operating system takes a large
  // module's memory back at once, freeing it operation by operation costs a
  // tenth of the run.
  auto owner = std::make_unique<MLIRContext>(registry);
  MLIRContext &context = *owner;
  llvm::BuryPointer(std::move(owner));
  context.allowUnregisteredDialects(config.shouldAllowUnregisteredDialects());
  OneLineDiagnostics diagnostics(context, options.remarks, input.str());

  ModuleOp module = readModule(input, context).release();
  if (module)
    llvm::BuryPointer(module.getOperation());
  if (!module || failed(runPasses(module, config)))
    return 1;
  if (toONNX)
    return failed(
        exportONNX(module, options.exportFunction,
                   output == "-" ? StringRef("/dev/stdout") : output));
  return writeOutput(output, [&](raw_ostream &os) -> LogicalResult {
    if (config.shouldEmitBytecode())
      return writeBytecodeToFile(module, os);
    module.print(os);
    os << '\n';
    return success();
  });
}
