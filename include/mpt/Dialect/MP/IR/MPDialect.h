//===- MPDialect.h - The mixed-precision dialect ----------------*- C++ -*-===//

#ifndef MPT_DIALECT_MP_IR_MPDIALECT_H
#define MPT_DIALECT_MP_IR_MPDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mpt/Interfaces/LossScaleOpInterface.h"
#include "mpt/Interfaces/PrecisionOpInterface.h"

#include "mpt/Dialect/MP/IR/MPDialect.h.inc"
#include "mpt/Dialect/MP/IR/MPEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "mpt/Dialect/MP/IR/MPAttributes.h.inc"
#define GET_OP_CLASSES
#include "mpt/Dialect/MP/IR/MPOps.h.inc"

namespace mpt::mp {

/// The role / user-visible name of an argument or result of a step; nullopt /
/// "" when it has none.
std::optional<Role> getArgRole(mlir::FunctionOpInterface function,
                               unsigned index);
std::optional<Role> getResultRole(mlir::FunctionOpInterface function,
                                  unsigned index);
llvm::StringRef getArgName(mlir::FunctionOpInterface function, unsigned index);
llvm::StringRef getResultName(mlir::FunctionOpInterface function,
                              unsigned index);

/// The two attributes above as a dictionary, for building arguments and
/// results.
mlir::DictionaryAttr getRoleAttrs(mlir::MLIRContext *context, Role role,
                                  llvm::StringRef name);

/// True for the roles whose results are the next step's arguments.
bool isStateRole(Role role);

} // namespace mpt::mp

#endif // MPT_DIALECT_MP_IR_MPDIALECT_H
