// RUN: mpt-opt %s "--mpt-lower-to-cpu=stage=loops mcpu=x86-64-v3" | FileCheck %s --check-prefix=LOOPS
// RUN: mpt-opt %s "--mpt-lower-to-cpu=mcpu=x86-64-v3" | FileCheck %s
// RUN: not mpt-opt %s "--mpt-lower-to-cpu=stage=nothing" 2>&1 | FileCheck %s --check-prefix=ERROR

// ERROR: stage should be 'loops' or 'llvm'

// Two functions of the same kernel: one module. FP32 inside, 16 bits in memory; no flag but contract.
// LOOPS-LABEL: module @kernel_0
// LOOPS: func.func private @kernel_0_0_body(%{{.*}}: memref<1024xf16> {{.*}}, %{{.*}}: memref<1024xf16> {{.*}}, %{{.*}}: index, %{{.*}}: index)
// LOOPS: scf.for
// LOOPS: vector.load {{.*}} : memref<1024xf16>, vector<16xf16>
// LOOPS: arith.extf {{.*}} : vector<16xf16> to vector<16xf32>
// LOOPS: arith.mulf {{.*}} fastmath<contract> : vector<16xf32>
// LOOPS: arith.truncf {{.*}} : vector<16xf32> to vector<16xf16>
// LOOPS: vector.store
// LOOPS-NOT: module @kernel_1

// CHECK-NOT: nn.kernel
// CHECK: llvm.func @kernel_0_0(%{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64)
// CHECK: llvm.call @kernel_0_0_body
func.func @a(%x: tensor<32x32xf16>) -> tensor<32x32xf16> {
  %0 = nn.mul %x, %x : tensor<32x32xf16>, tensor<32x32xf16>
  return %0 : tensor<32x32xf16>
}
func.func @b(%y: tensor<32x32xf16>) -> tensor<32x32xf16> {
  %0 = nn.mul %y, %y : tensor<32x32xf16>, tensor<32x32xf16>
  return %0 : tensor<32x32xf16>
}
