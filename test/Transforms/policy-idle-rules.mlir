// A rule that matches nothing is warned of, with its line; one that matches, a type that only is not in this function, and
// a preset are not.
// RUN: rm -rf %t && split-file %s %t
// RUN: mpt-opt %t/f.mlir --mpt-assign-precision=policy=%t/idle.yaml -o /dev/null 2> %t/idle.txt
// RUN: FileCheck %s --check-prefix=IDLE < %t/idle.txt
// IDLE-DAG: idle.yaml:2: 'sofmax' matches no operation of @f
// IDLE-DAG: idle.yaml:4: 'secnd*' matches no node of @f
// IDLE-DAG: idle.yaml:7: 'logitz' matches no tensor of @f
// RUN: count 3 < %t/idle.txt
// RUN: mpt-opt %t/f.mlir --mpt-assign-precision=fp32-ops=sofmax -o /dev/null 2>&1 | FileCheck %s --check-prefix=OPTION
// OPTION: fp32-ops: 'sofmax' matches no operation and no node of @f
// RUN: mpt-opt %t/f.mlir --mpt-assign-precision="policy=%t/good.yaml fp32-ops=second,gelu" -o /dev/null 2>&1 | count 0
// RUN: mpt-opt %t/f.mlir --mpt-assign-precision=policy=aggressive -o /dev/null 2>&1 | count 0
// RUN: mpt-opt %t/f.mlir --mpt-assign-precision=policy=conservative -o /dev/null 2>&1 | count 0

//--- f.mlir
func.func @f(%x: tensor<4x4xf32> {mp.name = "x", mp.role = #mp.role<input>}) -> (tensor<4x4xf32> {mp.name = "logits", mp.role = #mp.role<output>}) {
  %0 = nn.matmul %x, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32> loc("first")
  %1 = nn.softmax %0 {axis = 1 : i64} : tensor<4x4xf32> loc("second")
  return %1 : tensor<4x4xf32>
}
//--- idle.yaml
ops:
  sofmax: fp32
nodes:
  - match: "secnd*"
    class: fp32
fp32_tensors:
  - logitz
//--- good.yaml
preset: conservative
ops:
  gelu: fp32
nodes:
  - match: "secon*"
    class: fp32
fp32_tensors:
  - logits
  - x
