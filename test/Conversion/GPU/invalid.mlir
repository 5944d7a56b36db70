// What LLVM would end the process for, or what would fail when the PTX is loaded, is an error here.
// RUN: split-file %s %t
// RUN: not mpt-opt %t/empty.mlir --mpt-lower-to-gpu="chip=sm_90a ptx=78" 2>&1 | FileCheck %s --check-prefix=PAIR
// RUN: not mpt-opt %t/empty.mlir --mpt-lower-to-gpu="chip=sm_80 ptx=60" 2>&1 | FileCheck %s --check-prefix=OLD
// RUN: not mpt-opt %t/empty.mlir --mpt-lower-to-gpu="chip=gfx90a" 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not mpt-opt %t/empty.mlir --mpt-lower-to-gpu="ptx=79" 2>&1 | FileCheck %s --check-prefix=VERSION
// RUN: not mpt-opt %t/empty.mlir --mpt-lower-to-gpu="stage=cubin" 2>&1 | FileCheck %s --check-prefix=STAGE
// RUN: not mpt-opt %t/empty.mlir --mpt-lower-to-gpu="dump-ptx=%t/empty.mlir/ptx" 2>&1 | FileCheck %s --check-prefix=FOLDER
// RUN: not mpt-opt %t/library.mlir --mpt-form-kernels --mpt-lower-to-gpu 2>&1 | FileCheck %s --check-prefix=LIBRARY
// RUN: not mpt-opt %t/unknown.mlir --mpt-lower-to-gpu 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: mpt-opt %t/empty.mlir --mpt-lower-to-gpu="chip=sm_90a ptx=80"

// PAIR: error: PTX version 78 has no sm_90a; it needs ptx=80 or newer
// OLD: error: PTX version 60 has no sm_80; it needs ptx=70 or newer
// CHIP: error: chip 'gfx90a' is not one of sm_70, {{.*}}sm_90a
// VERSION: error: there is no PTX version 79 (80 is PTX 8.0)
// STAGE: error: stage should be 'loops', 'llvm' or 'ptx'
// FOLDER: error: cannot create the folder '{{.*}}empty.mlir/ptx'
// LIBRARY: error: 'llvm.intr.exp' on {{.*}}f64{{.*}} has no GPU code without a library
// UNKNOWN: error: no template lowers this kernel of kind 'mystery' to a GPU

//--- empty.mlir
func.func @nothing() {
  return
}

//--- library.mlir
func.func @exp(%x: tensor<16xf64>) -> tensor<16xf64> {
  %0 = nn.exp %x : tensor<16xf64>
  return %0 : tensor<16xf64>
}

//--- unknown.mlir
func.func @unknown(%x: tensor<16xf32>) -> tensor<16xf32> {
  %0 = nn.kernel "mystery"(%x) {
  ^bb0(%a: tensor<16xf32>):
    %1 = nn.exp %a : tensor<16xf32>
    nn.yield %1 : tensor<16xf32>
  } : (tensor<16xf32>) -> tensor<16xf32>
  return %0 : tensor<16xf32>
}
