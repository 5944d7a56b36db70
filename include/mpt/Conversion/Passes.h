//===- Passes.h - Passes from operations to kernels -------------*- C++ -*-===//

#ifndef MPT_CONVERSION_PASSES_H
#define MPT_CONVERSION_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"
#include "mpt/Conversion/KernelEmitter.h"

namespace mpt {

#define GEN_PASS_DECL
#include "mpt/Conversion/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "mpt/Conversion/Passes.h.inc"

namespace conversion {

/// `mpt-plan-memory` as a function.
mlir::LogicalResult planMemory(mlir::func::FuncOp func,
                               const TargetDescription &target);

/// What mpt-plan-memory writes.
inline constexpr llvm::StringLiteral kOffsetsAttrName = "nn.offsets";
inline constexpr llvm::StringLiteral kOffsetAttrName = "nn.offset";
inline constexpr llvm::StringLiteral kPlanAttrName = "nn.plan";

/// What mpt-lower-to-gpu writes on kernels: the symbol of their code.
inline constexpr llvm::StringLiteral kCodeAttrName = "nn.code";

/// For every argument the number of the result that replaces it (same state
/// role, same name), or -1.
llvm::SmallVector<int64_t> getReplacingResults(mlir::func::FuncOp func);

} // namespace conversion
} // namespace mpt

#endif // MPT_CONVERSION_PASSES_H
