//===- NNBase.td - The network dialect: base definitions ---*- tablegen -*-===//

#ifndef MPT_DIALECT_NN_IR_NNBASE
#define MPT_DIALECT_NN_IR_NNBASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mpt/Interfaces/DifferentiableOpInterface.td"
include "mpt/Interfaces/LossScaleOpInterface.td"
include "mpt/Interfaces/PrecisionOpInterface.td"

def NN_Dialect : Dialect {
  let name = "nn";
  let cppNamespace = "::mpt::nn";
  let summary = "Neural-network operations on tensors, forward and backward";
  let description = [{
    Tensor-level operations with the semantics of the newest ONNX opset, one operation per
    concept; differences between opsets end in the importer. All operations are pure; shapes
    are static once the importer has fixed the symbolic dimensions.

    Every operation states, where it is defined, its precision class
    (`PrecisionOpInterface`), how the loss scale passes through it (`LossScaleOpInterface`)
    and whether it has a derivative (`DifferentiableOpInterface`, or `NonDifferentiable`).

    Axes in attributes are non-negative; the importer normalizes negative ones.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let extraClassDeclaration = [{
    /// On a function argument: the nn.parameter the argument stands for.
    static constexpr llvm::StringLiteral kParameterAttrName = "nn.parameter";

  private:
    void registerElementwiseOps();
    void registerContractionOps();
    void registerPoolingOps();
    void registerNormalizationOps();
    void registerReductionOps();
    void registerShapeOps();
    void registerTrainingOps();
    void registerStructureOps();

  public:
  }];
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

def NN_FloatElement : AnyTypeOf<[F16, BF16, F32, F64]>;
def NN_Tensor : RankedTensorOf<[AnyType]>;
def NN_FloatTensor : RankedTensorOf<[F16, BF16, F32, F64]>;
def NN_NumberTensor : RankedTensorOf<[F16, BF16, F32, F64, AnySignlessInteger, AnyUnsignedInteger]>;
def NN_IndexTensor : RankedTensorOf<[I32, I64]>;
def NN_BoolTensor : RankedTensorOf<[I1]>;
def NN_ScalarFloat : 0DTensorOf<[F16, BF16, F32, F64]>;
def NN_ScalarCounter : 0DTensorOf<[I64]>,
  BuildableType<"::mlir::RankedTensorType::get({}, $_builder.getI64Type())">;

def NN_OnnxType : TypeDef<NN_Dialect, "Onnx"> {
  let mnemonic = "onnx_type";
  let summary = "A type that only ONNX knows (sequence, optional, map, string tensor)";
  let parameters = (ins StringRefParameter<"ONNX type, as ONNX prints it">:$name);
  let assemblyFormat = "`<` $name `>`";
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

def NN_ExternalAttr : AttrDef<NN_Dialect, "External"> {
  let mnemonic = "external";
  let summary = "Bytes of a tensor that stay in a file";
  let description = [{
    Little-endian, row-major bytes of a parameter at `offset` of `file` (an ONNX external-data
    file, or the `.onnx` file itself), mapped when they are needed.
    Example: `#nn.external<"model.onnx", 4096, 128>`.
  }];
  let parameters = (ins StringRefParameter<"path of the file">:$file, "uint64_t":$offset, "uint64_t":$length);
  let assemblyFormat = "`<` $file `,` $offset `,` $length `>`";
}

class NN_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::mpt::nn";
  let genSpecializedAttr = 0;
}
def NN_CompareEnum : NN_Enum<"ComparePredicate", "comparison", [
  I32EnumAttrCase<"EQ", 0, "eq">, I32EnumAttrCase<"NE", 1, "ne">, I32EnumAttrCase<"LT", 2, "lt">,
  I32EnumAttrCase<"LE", 3, "le">, I32EnumAttrCase<"GT", 4, "gt">, I32EnumAttrCase<"GE", 5, "ge">]>;
def NN_CompareAttr : EnumAttr<NN_Dialect, NN_CompareEnum, "compare_predicate"> { let assemblyFormat = "$value"; }
def NN_LossReductionEnum : NN_Enum<"LossReduction", "how a loss is reduced over its samples", [
  I32EnumAttrCase<"None", 0, "none">, I32EnumAttrCase<"Mean", 1, "mean">, I32EnumAttrCase<"Sum", 2, "sum">]>;
def NN_LossReductionAttr : EnumAttr<NN_Dialect, NN_LossReductionEnum, "loss_reduction"> { let assemblyFormat = "$value"; }
def NN_PadModeEnum : NN_Enum<"PadMode", "what a padded border holds", [
  I32EnumAttrCase<"Constant", 0, "constant">, I32EnumAttrCase<"Reflect", 1, "reflect">,
  I32EnumAttrCase<"Edge", 2, "edge">, I32EnumAttrCase<"Wrap", 3, "wrap">]>;
def NN_PadModeAttr : EnumAttr<NN_Dialect, NN_PadModeEnum, "pad_mode"> { let assemblyFormat = "$value"; }

//===----------------------------------------------------------------------===//
// Precision and scale of an operation, stated where it is defined
//===----------------------------------------------------------------------===//

// class: Low | Follow | Transparent | FP32. Pinned operands and results are FP32 whatever
// the operation's precision; widenable results may be FP32 although the operands are low.
class NN_Precision<string cls, string why, list<int> pinnedOps = [], list<int> pinnedRes = [],
                   list<int> widenableRes = [], string kind = "Unsafe", bit sums = 0> {
  string precisionClass = cls;
  string reason = why;
  string reasonKind = kind;
  list<int> pinnedOperands = pinnedOps;
  list<int> pinnedResults = pinnedRes;
  list<int> widenableResults = widenableRes;
  bit accumulates = sums;
}

class NN_Scale<string kind, list<int> scaledOps = []> {
  string behavior = kind;
  list<int> operands = scaledOps;   // empty: all
}

class NN_AnyOf<list<int> values> {
  string expr = !if(!empty(values), "false",
    !foldl("false", values, acc, v, acc # " || index == " # v));
}

class NN_Op<string mnemonic, NN_Precision precision, NN_Scale scale, list<Trait> traits = []>
    : Op<NN_Dialect, mnemonic, !listconcat(traits, [Pure,
        DeclareOpInterfaceMethods<PrecisionOpInterface,
          ["getPrecisionReasonKind", "isOperandPinned", "isResultPinned", "isResultWidenable", "getAccumulatorType"]>,
        DeclareOpInterfaceMethods<LossScaleOpInterface, ["isScaledOperand"]>])> {
  let extraClassDefinition =
    "::mpt::PrecisionClass $cppClass::getPrecisionClass() { return ::mpt::PrecisionClass::" # precision.precisionClass # "; }\n" #
    "::llvm::StringRef $cppClass::getPrecisionReason() { return \"" # precision.reason # "\"; }\n" #
    "::mpt::PrecisionReasonKind $cppClass::getPrecisionReasonKind() { return ::mpt::PrecisionReasonKind::" # precision.reasonKind # "; }\n" #
    "bool $cppClass::isOperandPinned(unsigned index) { return " # NN_AnyOf<precision.pinnedOperands>.expr # "; }\n" #
    "bool $cppClass::isResultPinned(unsigned index) { return " # NN_AnyOf<precision.pinnedResults>.expr # "; }\n" #
    "bool $cppClass::isResultWidenable(unsigned index) { return " # NN_AnyOf<precision.widenableResults>.expr # "; }\n" #
    "::mlir::Type $cppClass::getAccumulatorType() { return " #
      !if(precision.accumulates, "::mlir::Float32Type::get(getContext())", "::mlir::Type()") # "; }\n" #
    "::mpt::ScaleBehavior $cppClass::getScaleBehavior() { return ::mpt::ScaleBehavior::" # scale.behavior # "; }\n" #
    "bool $cppClass::isScaledOperand(unsigned index) { return " #
      !if(!empty(scale.operands), "true", NN_AnyOf<scale.operands>.expr) # "; }\n";
}

// The usual classes.
def NN_Follows : NN_Precision<"Follow", "safe in 16 bits, takes its neighbours' precision">;
def NN_Moves : NN_Precision<"Transparent", "moves or compares values without computing new ones">;
class NN_StaysFP32<string why> : NN_Precision<"FP32", why>;

// The usual trait lists.
defvar NN_Differentiable = [DeclareOpInterfaceMethods<DifferentiableOpInterface>];
def NN_NonDifferentiable : NativeOpTrait<"NonDifferentiable"> { let cppNamespace = "::mpt"; }
defvar NN_Infer = [DeclareOpInterfaceMethods<InferTypeOpInterface, ["inferReturnTypes"]>];

#endif // MPT_DIALECT_NN_IR_NNBASE
