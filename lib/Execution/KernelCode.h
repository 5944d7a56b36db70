//===- KernelCode.h - Machine code of kernels -------------------*- C++ -*-===//

#ifndef MPT_LIB_EXECUTION_KERNELCODE_H
#define MPT_LIB_EXECUTION_KERNELCODE_H

#include "mpt/Conversion/KernelEmitter.h"
#include "mpt/Runtime/mpt_runtime.h"

#include <string>

namespace mpt::execution {

/// A kernel to be compiled: one per distinct key.
struct KernelJob {
  nn::KernelOp kernel;
  const conversion::KernelEmitter *emitter = nullptr;
  conversion::KernelShape shape;
  std::string symbol;
};

/// Compiled kernels, linked into this process.
class KernelCode {
public:
  ~KernelCode();

  /// Compiles all jobs for the target, on `threads` threads. Failures are
  /// reported at the kernels (or at `where`).
  static mlir::FailureOr<std::unique_ptr<KernelCode>>
  compile(mlir::Operation *where, llvm::ArrayRef<KernelJob> jobs,
          const conversion::TargetDescription &target, unsigned threads);

  /// The entry point of a phase of a job, or null.
  mpt_kernel_fn lookup(llvm::StringRef symbol, unsigned phase) const;

private:
  struct Implementation;
  explicit KernelCode(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation;
};

} // namespace mpt::execution

#endif // MPT_LIB_EXECUTION_KERNELCODE_H
