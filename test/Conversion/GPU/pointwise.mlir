// Pointwise kernels: 16-byte accesses, no fast-math but contraction, FP16 rounding by the hardware's conversion.
// RUN: rm -rf %t && mpt-opt %s --mpt-form-kernels --mpt-lower-to-gpu="chip=sm_80 ptx=80 dump-ptx=%t" -o %t.mlir
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: FileCheck %s --input-file=%t/kernel_0.ptx --check-prefix=PTX

// CHECK-LABEL: func.func @relu_add
// CHECK: nn.kernel "pointwise"
// CHECK-SAME: nn.code = @kernel_0
func.func @relu_add(%a: tensor<64x32x14x14xf16>, %b: tensor<64x32x14x14xf16>) -> tensor<64x32x14x14xf16> {
  %0 = nn.add %a, %b : tensor<64x32x14x14xf16>, tensor<64x32x14x14xf16>
  %1 = nn.relu %0 : tensor<64x32x14x14xf16>
  return %1 : tensor<64x32x14x14xf16>
}
// A kernel of equal code is not written twice.
// CHECK-LABEL: func.func @again
// CHECK: nn.code = @kernel_0
func.func @again(%a: tensor<64x32x14x14xf16>, %b: tensor<64x32x14x14xf16>) -> tensor<64x32x14x14xf16> {
  %0 = nn.add %a, %b : tensor<64x32x14x14xf16>, tensor<64x32x14x14xf16>
  %1 = nn.relu %0 : tensor<64x32x14x14xf16>
  return %1 : tensor<64x32x14x14xf16>
}
// CHECK: gpu.binary @kernel_0
// CHECK-SAME: #nvvm.target<chip = "sm_80", features = "+ptx80">
// CHECK-SAME: properties = {scratch_bytes = 0 : i64}
// CHECK-SAME: #gpu.kernel_metadata<"kernel_0_0", (!llvm.ptr, !llvm.ptr, !llvm.ptr) -> ()
// CHECK-SAME: block_size = 256 : i64, work_items = 50176 : i64
// CHECK-NOT: gpu.binary

// PTX: // pointwise add+relu tensor<64x32x14x14xf16>
// PTX: .version 8.0
// PTX: .target sm_80
// PTX-NOT: .extern
// PTX: .visible .entry kernel_0_0(
// PTX: .reqntid 256
// PTX: ld.global{{(.nc)?}}.v4.b32
// PTX-NOT: ld.global{{(.nc)?}}.b
// PTX: add.f32
// PTX: cvt.rn.f16{{.*}}.f32
// PTX: st.global.v4.b32
