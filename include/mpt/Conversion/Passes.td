//===- Passes.td - Passes from operations to kernels -------*- tablegen -*-===//

#ifndef MPT_CONVERSION_PASSES
#define MPT_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

def FormKernelsPass : Pass<"mpt-form-kernels", "::mlir::func::FuncOp"> {
  let summary = "Group operations into kernels";
  let description = [{
    Every operation of the function goes into an `nn.kernel`, except views (`nn.reshape`) and
    constants. Pointwise operations (elementwise arithmetic, casts, dropout, loss scaling,
    optimizers) of one result shape are clustered: producer and consumer, and operations that
    read the same operand. All others get a kernel of their own. Splat constants that a pointwise
    kernel reads move into it. Operations without an effect on a result are dropped.

    A cluster stands where its last member stood. It stops growing when an operation outside
    uses one of its results, so no cycle can come about; the pass is linear in the number of
    operations.
  }];
  let options = [
    Option<"maxOps", "max-ops", "int64_t", "64", "Operations a cluster has at most">
  ];
  let dependentDialects = ["::mpt::nn::NNDialect"];
}

def PlanMemoryPass : Pass<"mpt-plan-memory", "::mlir::func::FuncOp"> {
  let summary = "Give every value of a step a place in one arena";
  let description = [{
    The function consists of kernels (`mpt-form-kernels`). The arena holds, in this order, state,
    inputs, constants, and a transient region in which kernels' results share memory by
    their lifetimes. A pointwise kernel writes over an operand that dies there. The new
    value of a state argument is written to the argument's own place if the argument is not
    needed any more (pointwise: read and written element by element), else copied there by a
    kernel at the end.

    Results: `nn.offsets` on kernels (results, then scratch), `nn.offset` on constants and
    arguments, and on the function `nn.plan`: sizes in bytes (arena, state, inputs, constants,
    transient), `lower_bound` (largest sum of live transient bytes), `activations` (bytes made
    up to the loss and read after it, of values that depend on the batch) and `weight_copies` (the same of
    values made of parameters alone: their 16-bit copies).
  }];
  let options = [
    Option<"cpu", "mcpu", "std::string", "\"\"", "Processor (LLVM's name); the host by default">,
    Option<"threads", "threads", "int64_t", "1", "Threads that get scratch memory">
  ];
  let dependentDialects = ["::mpt::nn::NNDialect"];
}

def LowerKernelsToCPUPass : Pass<"mpt-lower-kernels-to-cpu", "::mlir::ModuleOp"> {
  let summary = "Lower every distinct kernel to a module of its own";
  let description = [{
    Replaces the functions of the module that hold kernels by one nested module per distinct
    kernel, in the form of `stage`: `loops` (scf, vector, arith, memref) or `llvm` (LLVM dialect,
    with the entry points the runtime calls).
  }];
  let options = [
    Option<"cpu", "mcpu", "std::string", "\"\"", "Processor (LLVM's name); the host by default">,
    Option<"stage", "stage", "std::string", "\"llvm\"", "`loops` or `llvm`">
  ];
  let dependentDialects = [
    "::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect",
    "::mlir::gpu::GPUDialect", "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect", "::mlir::ub::UBDialect"
  ];
}

def LowerToGPUPass : Pass<"mpt-lower-to-gpu", "::mlir::ModuleOp"> {
  let summary = "Turn every distinct kernel into PTX";
  let description = [{
    Every distinct `nn.kernel` of the module (`mpt-form-kernels`) becomes a `gpu.binary` that holds
    its PTX, one entry point per phase; the kernel refers to it by the attribute `nn.code`. An entry
    point's parameters are the addresses of the operands, of the results and of the scratch memory
    (if any). The table of kernels in `#gpu.object` says for every entry point how many work items
    it has (`work_items`; more threads than that have nothing to do); blocks have
    `block_size` threads. The object's property `scratch_bytes` is the size of the scratch memory,
    which the phases of a kernel share.

    The PTX needs no symbol from outside: mathematical functions are polynomials, and a kernel
    that would need a library is an error, as is a chip the PTX version does not have.
  }];
  let options = [
    Option<"chip", "chip", "std::string", "\"sm_80\"", "The GPU (LLVM's name: sm_80, sm_90a, ...)">,
    Option<"ptx", "ptx", "int64_t", "80", "The PTX version to write: 80 is PTX 8.0">,
    Option<"stage", "stage", "std::string", "\"ptx\"",
           "`loops` (scf, vector, arith, memref), `llvm` (LLVM dialect, NVVM) or `ptx`">,
    Option<"dumpDirectory", "dump-ptx", "std::string", "\"\"",
           "Folder to write one .ptx file per kernel to">
  ];
}

#endif // MPT_CONVERSION_PASSES
