// RUN: not mpt-opt %s --mpt-infer-ranges="inputs=x=5" 2>&1 | FileCheck %s --check-prefix=INPUT
// RUN: not mpt-opt %s --mpt-infer-ranges="inputs=x=5:1" 2>&1 | FileCheck %s --check-prefix=ORDER
// RUN: not mpt-opt %s --mpt-infer-ranges="parameters=maybe" 2>&1 | FileCheck %s --check-prefix=PARAMETERS
// RUN: not mpt-opt %s --mpt-infer-ranges="profile=%t.no-such.json" 2>&1 | FileCheck %s --check-prefix=PROFILE
// RUN: not mpt-opt %s --mpt-infer-ranges="profile=%s" 2>&1 | FileCheck %s --check-prefix=JSON

// INPUT: mpt-infer-ranges: inputs=x=5: should be name=lo:hi
// ORDER: mpt-infer-ranges: inputs=x=5:1: should be name=lo:hi
// PARAMETERS: mpt-infer-ranges: parameters=maybe: should be initial or unknown
// PROFILE: mpt-infer-ranges: {{.*}}no-such.json: No such file or directory
// JSON: mpt-infer-ranges: {{.*}}infer-ranges-invalid.mlir: is no JSON
func.func @f(%x: tensor<2xf32> {mp.name = "x"}) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}
