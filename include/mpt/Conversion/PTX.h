//===- PTX.h - From LLVM dialect to PTX -------------------------*- C++ -*-===//

#ifndef MPT_CONVERSION_PTX_H
#define MPT_CONVERSION_PTX_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mpt/Conversion/TargetDescription.h"

#include <memory>
#include <string>

namespace mpt::conversion {

/// Threads of a block; kernels are compiled for this number alone.
inline constexpr int64_t kThreadsPerBlock = 256;

/// An NVIDIA GPU and the PTX version to write.
struct PTXTarget {
  std::string chip = "sm_80"; // LLVM's name
  int64_t version = 80;       // 80 is PTX 8.0

  std::string getFeatures() const { return "+ptx" + std::to_string(version); }
  TargetDescription getDescription() const {
    return TargetDescription::getGPU(chip, getFeatures());
  }
};

/// Checks that LLVM knows the chip and the version, and that they go together
/// (LLVM itself ends the process where they do not). `emitError` starts the
/// diagnostic.
mlir::LogicalResult
verifyPTXTarget(const PTXTarget &target,
                llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

/// Replaces block and thread numbers (gpu dialect) by special registers.
/// Kernels are launched with blocks of kThreadsPerBlock.
void lowerThreadNumbers(mlir::ModuleOp module);

/// Replaces the trigonometric and hyperbolic functions of f32, for which
/// EmitContext has no polynomial, by MLIR's approximations: some 1e-6 of the
/// result, or of 1 near a zero of the function.
void approximateMath(mlir::ModuleOp module);

/// Makes a function of the LLVM dialect an entry point of PTX.
void markAsEntryPoint(mlir::Operation *function);

/// Writes PTX. One per thread and target; keeps LLVM's target machine.
class PTXWriter {
public:
  /// The target has been verified.
  explicit PTXWriter(const PTXTarget &target);
  ~PTXWriter();

  /// PTX of a module in the LLVM dialect (which it does not change). Reports
  /// through `emitError`, among others where the code would need a symbol that
  /// the module does not define.
  mlir::FailureOr<std::string>
  write(mlir::ModuleOp module,
        llvm::function_ref<mlir::InFlightDiagnostic()> emitError);

private:
  struct State;
  std::unique_ptr<State> state;
};

/// Translations that PTXWriter needs.
void registerPTXTranslations(mlir::DialectRegistry &registry);

} // namespace mpt::conversion

#endif // MPT_CONVERSION_PTX_H
