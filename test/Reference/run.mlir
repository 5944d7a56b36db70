// RUN: mpt-run %s --function few | FileCheck %s --check-prefix=FEW
// RUN: mpt-run %s --function many | FileCheck %s --check-prefix=MANY
// RUN: mpt-run %s --function rounds | FileCheck %s --check-prefix=F32
// RUN: mpt-run %s --function rounds --compute=f64 | FileCheck %s --check-prefix=F64
// RUN: not mpt-run %s --function label 2>&1 | FileCheck %s --check-prefix=LABEL
// RUN: not mpt-run %s --function index 2>&1 | FileCheck %s --check-prefix=INDEX
// RUN: not mpt-run %s --function foreign 2>&1 | FileCheck %s --check-prefix=FOREIGN
// RUN: not mpt-run %s 2>&1 | FileCheck %s --check-prefix=SEVERAL
// RUN: not mpt-run %s --function none 2>&1 | FileCheck %s --check-prefix=NONE

// SEVERAL: run.mlir: has several functions: choose one of @few, @many, {{.*}} with --function
// NONE: run.mlir: has no function @none; it has @few, @many,

// FEW: y: 2x2 float32: 1 -2 0.5 -0.25
// FEW-NEXT: result1: scalar bool: 1
func.func @few() -> (tensor<2x2xf32> {mp.name = "y"}, tensor<i1>) {
  %0 = nn.constant dense<[[-1.0, 2.0], [-0.5, 0.25]]> : tensor<2x2xf32>
  %1 = nn.neg %0 : tensor<2x2xf32>
  %2 = nn.constant dense<true> : tensor<i1>
  return %1, %2 : tensor<2x2xf32>, tensor<i1>
}

// MANY: result0: 3x4 float32, from 2 to 2, mean 2
func.func @many() -> tensor<3x4xf32> {
  %0 = nn.constant dense<2.0> : tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// 1/3 to FP16 and back: 0x3555 = 0.333251953125.
// F32: result0: scalar float32: 0.333252
// F64: result0: scalar float64: 0.3333333
func.func @rounds() -> tensor<f32> {
  %0 = nn.constant dense<3.0> : tensor<f32>
  %1 = nn.reciprocal %0 : tensor<f32>
  %2 = mp.cast %1 : tensor<f32> to tensor<f16>
  %3 = mp.cast %2 : tensor<f16> to tensor<f32>
  return %3 : tensor<f32>
}

// LABEL: run.mlir:{{[0-9]+}}:{{[0-9]+}}: {{.*}}label 7 of sample 1, which is out of range for 3 classes
// LABEL-NOT: {{.}}
func.func @label() -> tensor<f32> {
  %0 = nn.constant dense<0.0> : tensor<2x3xf32>
  %1 = nn.constant dense<[1, 7]> : tensor<2xi64>
  %loss, %log_prob = nn.softmax_cross_entropy %0, %1 {axis = 1 : i64} : (tensor<2x3xf32>, tensor<2xi64>) -> (tensor<f32>, tensor<2x3xf32>)
  return %loss : tensor<f32>
}

// INDEX: run.mlir:{{[0-9]+}}:{{[0-9]+}}: {{.*}}index 5, which is out of range for an axis of extent 3
func.func @index() -> tensor<1xf32> {
  %0 = nn.constant dense<0.0> : tensor<3xf32>
  %1 = nn.constant dense<5> : tensor<1xi64>
  %2 = nn.gather %0, %1 {axis = 0 : i64} : tensor<3xf32>, tensor<1xi64>
  return %2 : tensor<1xf32>
}

// FOREIGN: run.mlir:{{[0-9]+}}:{{[0-9]+}}: {{.*}}the ONNX operator com.example.Fancy, which the reference interpreter cannot evaluate
func.func @foreign() -> tensor<3xf32> {
  %0 = nn.constant dense<0.0> : tensor<3xf32>
  %1 = nn.onnx_node "com.example" : "Fancy"(%0) {opset = 1 : i64, node = "", operand_names = ["x"]} : (tensor<3xf32>) -> tensor<3xf32>
  return %1 : tensor<3xf32>
}
