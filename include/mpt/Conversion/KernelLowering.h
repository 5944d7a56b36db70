//===- KernelLowering.h - From an nn.kernel to LLVM dialect -----*- C++ -*-===//

#ifndef MPT_CONVERSION_KERNELLOWERING_H
#define MPT_CONVERSION_KERNELLOWERING_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "mpt/Conversion/KernelEmitter.h"

#include <string>

namespace mpt::conversion {

/// Kernels with equal keys are the same code: operation names, attributes that
/// belong to the operations, types and the graph between them. Locations,
/// decisions and names do not count. Only valid within one MLIRContext.
std::string getKernelKey(nn::KernelOp kernel);

/// A readable name of a kernel for profiles and messages: "pointwise
/// adam+update+cast".
std::string describeKernel(nn::KernelOp kernel);

/// The symbol of a phase's entry point.
std::string getPhaseSymbol(llvm::StringRef symbol, unsigned phase);

/// A module with one function `<symbol>_<phase>_body` per phase, in scf,
/// vector, arith, math and memref. Its arguments are the operands, the results,
/// the shared scratch (if any) and, for a CPU, the chunk scratch (if any),
/// chunk and number of chunks. Reports at the kernel when no template matches
/// or a template cannot write the kernel.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
buildKernelModule(nn::KernelOp kernel, const KernelEmitter &emitter,
                  const KernelShape &shape, const TargetDescription &target,
                  llvm::StringRef symbol);

/// Passes from there to the LLVM dialect. For a GPU, convert-gpu-to-nvvm would
/// do the same in one pass, but sends math, square roots included, to
/// libdevice; here math becomes intrinsics that NVPTX selects instructions for.
void buildKernelLoweringPipeline(mlir::OpPassManager &pm, bool isGPU);

/// Adds, to a module lowered to the LLVM dialect, the functions the runtime
/// calls: `void <symbol>_<phase>(void **args, int64_t chunk, int64_t chunks)`.
/// `args` are the operands, the results, then the scratch (if any): the shared
/// part followed by the chunks' parts.
mlir::LogicalResult addEntryPoints(mlir::ModuleOp module, nn::KernelOp kernel,
                                   const KernelShape &shape,
                                   llvm::StringRef symbol);

/// Bytes of scratch a launch is given: shared, then `threads` chunk parts.
int64_t getScratchBytes(const KernelShape &shape,
                        const TargetDescription &target);

/// Dialects that lowering creates operations of.
void registerLoweringDialects(mlir::DialectRegistry &registry);

} // namespace mpt::conversion

#endif // MPT_CONVERSION_KERNELLOWERING_H
