//===- MPDialect.td - The mixed-precision dialect ----------*- tablegen -*-===//

#ifndef MPT_DIALECT_MP_IR_MPDIALECT
#define MPT_DIALECT_MP_IR_MPDIALECT

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def MP_Dialect : Dialect {
  let name = "mp";
  let cppNamespace = "::mpt::mp";
  let summary = "Precision and loss scaling";
  let description = [{
    Casts that the compiler placed, the loss scale and its arithmetic, and the guarded update
    of training state. The dialect and its passes know no network operation: they see
    interfaces (`PrecisionOpInterface`, `LossScaleOpInterface`), so they also work on other
    dialects through external models.

    **Function signature.** Arguments and results of a step carry

    - `mp.role = #mp.role<...>`: what the value is (see the enum),
    - `mp.name = "fc1.weight"`: the name users know it by.

    A result with a state role (`parameter`, `statistic`, `optimizer_state`, `loss_scale`,
    `step`) is the new value of the argument with the same role and name.
    `mp.donate` (unit) on an argument lets the memory planner overwrite it; `mp.initial` is the
    value a state argument has in the first step, where that is neither zero nor a parameter's.

    **Pins.** The discardable attribute `mp.pin = "reason"` keeps an operation in FP32.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{
    /// Argument and result attributes of a step function.
    static constexpr llvm::StringLiteral kRoleAttrName = "mp.role";
    static constexpr llvm::StringLiteral kNameAttrName = "mp.name";
    static constexpr llvm::StringLiteral kDonateAttrName = "mp.donate";
    static constexpr llvm::StringLiteral kInitialAttrName = "mp.initial";
    /// Operation attributes.
    static constexpr llvm::StringLiteral kPinAttrName = "mp.pin";
    /// What assign-precision decided: #mp.decision<precision, "reason">.
    static constexpr llvm::StringLiteral kDecisionAttrName = "mp.decision";
    /// On a function: insert-casts has carried the decisions out.
    static constexpr llvm::StringLiteral kCastsInsertedAttrName = "mp.casts_inserted";
  }];
}

def MP_RoleEnum : I32EnumAttr<"Role", "what an argument or result of a step is", [
    I32EnumAttrCase<"Input", 0, "input">,
    I32EnumAttrCase<"Label", 1, "label">,
    I32EnumAttrCase<"Parameter", 2, "parameter">,
    I32EnumAttrCase<"Statistic", 3, "statistic">,
    I32EnumAttrCase<"OptimizerState", 4, "optimizer_state">,
    I32EnumAttrCase<"LossScale", 5, "loss_scale">,
    I32EnumAttrCase<"Step", 6, "step">,
    I32EnumAttrCase<"Hyperparameter", 7, "hyperparameter">,
    I32EnumAttrCase<"Output", 8, "output">,
    I32EnumAttrCase<"Loss", 9, "loss">,
    I32EnumAttrCase<"Gradient", 10, "gradient">,
    I32EnumAttrCase<"Metric", 11, "metric">
  ]> {
  let cppNamespace = "::mpt::mp";
  let genSpecializedAttr = 0;
}
def MP_RoleAttr : EnumAttr<MP_Dialect, MP_RoleEnum, "role"> {
  let assemblyFormat = "`<` $value `>`";
}

def MP_DecisionAttr : AttrDef<MP_Dialect, "Decision"> {
  let mnemonic = "decision";
  let summary = "The precision an operation was given, and why";
  let description = [{
    `low` tells whether the operation runs in the low type; `type` is that type (also kept when
    the operation stayed FP32); `reason` is the chain of reasons in words.
    Example: `#mp.decision<f16, low = true, "matmul profits from low precision">`.
  }];
  let parameters = (ins "::mlir::Type":$type, "bool":$low,
    StringRefParameter<"why">:$reason);
  let assemblyFormat = "`<` $type `,` `low` `=` $low `,` $reason `>`";
}

#endif // MPT_DIALECT_MP_IR_MPDIALECT
