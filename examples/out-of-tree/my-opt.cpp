//===- my-opt.cpp - MPT's passes in a compiler of one's own ---------------===//
//
// An mlir-opt with MPT's dialects and passes, and a pipeline that has MPT's
// precision phase between two of MLIR's passes.
//
//===----------------------------------------------------------------------===//

#include "mpt/InitAllDialects.h"
#include "mpt/InitAllPasses.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mpt::registerDialects(registry);

  mlir::registerTransformsPasses();
  mpt::registerPasses();
  mlir::PassPipelineRegistration<> pipeline(
      "my-pipeline", "Common subexpressions, then mixed precision in BF16",
      [](mlir::OpPassManager &manager) {
        manager.addPass(mlir::createCSEPass());
        mpt::MixedPrecisionOptions options;
        options.low = "bf16";
        mpt::addPrecisionPhase(manager, options);
        manager.addPass(mlir::createCanonicalizerPass());
      });
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "My compiler\n", registry));
}
