//===- NNControlFlowOps.td - Branches and loops ------------*- tablegen -*-===//

#ifndef MPT_DIALECT_NN_IR_NNCONTROLFLOWOPS
#define MPT_DIALECT_NN_IR_NNCONTROLFLOWOPS

include "mpt/Dialect/NN/IR/NNBase.td"
include "mpt/Interfaces/SliceFlowOpInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

def NN_ScalarFlag : 0DTensorOf<[I1]>,
  BuildableType<"::mlir::RankedTensorType::get({}, $_builder.getI1Type())">;

class NN_ControlFlowOp<string mnemonic, list<Trait> traits>
    : Op<NN_Dialect, mnemonic, !listconcat(traits, [SingleBlock, RecursiveMemoryEffects, RecursivelySpeculatable])> {
  let hasVerifier = 1;
}

def NN_IfOp : NN_ControlFlowOp<"if",
    [DeclareOpInterfaceMethods<RegionBranchOpInterface, ["getRegionInvocationBounds"]>]> {
  let summary = "One of two regions, by a condition that is known when it runs";
  let description = [{
    The results are what `nn.branch_yield` gives in the region that runs. Regions read values from
    outside directly.

    ```mlir
    %1 = nn.if %condition -> (tensor<4x16xf32>) {
      %2 = nn.exp %0 : tensor<4x16xf32>
      nn.branch_yield %2 : tensor<4x16xf32>
    } else {
      nn.branch_yield %0 : tensor<4x16xf32>
    }
    ```
    (C1) The regions have no arguments. (C2) Each ends in `nn.branch_yield` of the results' types.
  }];
  let arguments = (ins NN_ScalarFlag:$condition);
  let results = (outs Variadic<NN_Tensor>:$outputs);
  let regions = (region SizedRegion<1>:$then_branch, SizedRegion<1>:$else_branch);
  let assemblyFormat = "$condition (`->` `(` type($outputs)^ `)`)? $then_branch `else` $else_branch attr-dict";
}

def NN_LoopOp : NN_ControlFlowOp<"loop", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<RegionBranchOpInterface, ["getEntrySuccessorOperands", "getRegionInvocationBounds"]>,
    DeclareOpInterfaceMethods<SliceFlowOpInterface>]> {
  let summary = "A loop with carried values, a number of trips and a condition";
  let description = [{
    Runs while the number of trips is not reached and the condition holds; either may be absent.
    The region's arguments are the number of the trip, from 0, the condition and the carried
    values; `nn.next` gives the condition (not looked at when the loop has none), the carried
    values of the next trip and values to collect. The results are the last carried values and
    the collected ones, stacked along a new first axis.

    ```mlir
    %1 = nn.loop trips %count carried (%0) {
    ^bb0(%trip: tensor<i64>, %going: tensor<i1>, %a: tensor<4xf32>):
      %2 = nn.mul %a, %x : tensor<4xf32>, tensor<4xf32>
      nn.next while %going carried (%2 : tensor<4xf32>)
    } : (tensor<4xf32>) -> (tensor<4xf32>)
    ```
    (C1) The region takes an i64 scalar, an i1 scalar and the carried values' types. (C2) It ends
    in `nn.next` with a condition and values of the carried types. (C3) The results have the
    carried types, then those of the collected values behind a leading extent that is the same
    for all: the number of trips, which is known then.
  }];
  let arguments = (ins Optional<NN_ScalarCounter>:$max_trips, Optional<NN_ScalarFlag>:$condition,
    Variadic<NN_Tensor>:$carried);
  let results = (outs Variadic<NN_Tensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`trips` $max_trips^)? (`while` $condition^)? `carried` `(` $carried `)` $body attr-dict
    `:` functional-type($carried, $outputs)
  }];
}

def NN_ScanOp : NN_ControlFlowOp<"scan", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<RegionBranchOpInterface, ["getEntrySuccessorOperands", "getRegionInvocationBounds"]>,
    DeclareOpInterfaceMethods<SliceFlowOpInterface>]> {
  let summary = "A loop over the slices of tensors";
  let description = [{
    Runs once per slice of the scanned tensors. The region's arguments are the carried values and
    a slice of each scanned tensor along its axis in `axes` (from the end where `reversed`);
    `nn.next` gives the carried values of the next trip and values to collect. The results are the
    last carried values and the collected ones, stacked along `collected_axes` (from the end
    where `collected_reversed`).

    (C1) There is a scanned tensor; each has an axis, in range, and a direction. (C2) Their extents
    along the axes are the same. (C3) The region takes the carried values' types and those of
    the slices. (C4) It ends in `nn.next` without a condition, with values of the carried types.
    (C5) The results have the carried types, then those of the collected values with the number
    of trips inserted at the axis, in range; each has a direction.
  }];
  let arguments = (ins Variadic<NN_Tensor>:$carried, Variadic<NN_Tensor>:$scanned,
    DenseI64ArrayAttr:$axes, DenseBoolArrayAttr:$reversed,
    DenseI64ArrayAttr:$collected_axes, DenseBoolArrayAttr:$collected_reversed);
  let results = (outs Variadic<NN_Tensor>:$outputs);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `carried` `(` $carried `)` `over` `(` $scanned `)` $body attr-dict
    `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    /// The number of slices.
    int64_t getTrips();
  }];
}

def NN_BranchYieldOp : Op<NN_Dialect, "branch_yield", [Pure, Terminator, HasParent<"IfOp">, ReturnLike]> {
  let summary = "Ends a branch";
  let arguments = (ins Variadic<NN_Tensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

def NN_NextOp : Op<NN_Dialect, "next", [AttrSizedOperandSegments, Pure, Terminator,
    ParentOneOf<["LoopOp", "ScanOp"]>,
    DeclareOpInterfaceMethods<RegionBranchTerminatorOpInterface>]> {
  let summary = "Ends a trip of a loop";
  let arguments = (ins Optional<NN_ScalarFlag>:$condition, Variadic<NN_Tensor>:$carried,
    Variadic<NN_Tensor>:$collected);
  let assemblyFormat = [{
    (`while` $condition^)? (`carried` `(` $carried^ `:` type($carried) `)`)?
    (`collected` `(` $collected^ `:` type($collected) `)`)? attr-dict
  }];
}

#endif // MPT_DIALECT_NN_IR_NNCONTROLFLOWOPS
