// RUN: mpt-opt %s --mpt-fuse-activations | FileCheck %s
// RUN: mpt-opt %s --mpt-fuse-activations --mpt-fuse-activations | FileCheck %s

// As transformers' models are exported: the factor 1/2 behind the product.
// CHECK-LABEL: func.func @erf(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<4x8xf32>
// CHECK-NEXT: %[[Y:.*]] = nn.gelu %[[X]] : tensor<4x8xf32>
// CHECK-NEXT: return %[[Y]]
func.func @erf(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %root = nn.constant dense<1.41421354> : tensor<f32>
  %one = nn.constant dense<1.0> : tensor<f32>
  %half = nn.constant dense<0.5> : tensor<f32>
  %0 = nn.div %x, %root : tensor<4x8xf32>, tensor<f32>
  %1 = nn.erf %0 : tensor<4x8xf32>
  %2 = nn.add %1, %one : tensor<4x8xf32>, tensor<f32>
  %3 = nn.mul %x, %2 : tensor<4x8xf32>, tensor<4x8xf32>
  %4 = nn.mul %3, %half : tensor<4x8xf32>, tensor<f32>
  return %4 : tensor<4x8xf32>
}

// The factor in front, and the product multiplied out; x is itself a product.
// CHECK-LABEL: func.func @erf_distributed(
// CHECK: %[[X:.*]] = nn.mul %{{.*}}, %{{.*}} : tensor<4x8xf32>, tensor<f32>
// CHECK-NEXT: %[[Y:.*]] = nn.gelu %[[X]] : tensor<4x8xf32>
// CHECK-NEXT: return %[[Y]]
func.func @erf_distributed(%z: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %root = nn.constant dense<0.707106769> : tensor<f32>
  %half = nn.constant dense<0.5> : tensor<f32>
  %three = nn.constant dense<3.0> : tensor<f32>
  %x = nn.mul %z, %three : tensor<4x8xf32>, tensor<f32>
  %0 = nn.mul %x, %root : tensor<4x8xf32>, tensor<f32>
  %1 = nn.erf %0 : tensor<4x8xf32>
  %2 = nn.mul %x, %half : tensor<4x8xf32>, tensor<f32>
  %3 = nn.mul %2, %1 : tensor<4x8xf32>, tensor<4x8xf32>
  %4 = nn.add %2, %3 : tensor<4x8xf32>, tensor<4x8xf32>
  return %4 : tensor<4x8xf32>
}

// GPT-2's, with a power.
// CHECK-LABEL: func.func @tanh_power(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<8xf32>
// CHECK-NEXT: %[[Y:.*]] = nn.gelu %[[X]] {tanh = true} : tensor<8xf32>
// CHECK-NEXT: return %[[Y]]
func.func @tanh_power(%x: tensor<8xf32>) -> tensor<8xf32> {
  %three = nn.constant dense<3.0> : tensor<f32>
  %c = nn.constant dense<4.471500e-02> : tensor<f32>
  %k = nn.constant dense<0.797884583> : tensor<f32>
  %one = nn.constant dense<1.0> : tensor<f32>
  %half = nn.constant dense<0.5> : tensor<f32>
  %0 = nn.mul %x, %half : tensor<8xf32>, tensor<f32>
  %1 = nn.pow %x, %three : tensor<8xf32>, tensor<f32>
  %2 = nn.mul %1, %c : tensor<8xf32>, tensor<f32>
  %3 = nn.add %x, %2 : tensor<8xf32>, tensor<8xf32>
  %4 = nn.mul %3, %k : tensor<8xf32>, tensor<f32>
  %5 = nn.tanh %4 : tensor<8xf32>
  %6 = nn.add %5, %one : tensor<8xf32>, tensor<f32>
  %7 = nn.mul %0, %6 : tensor<8xf32>, tensor<8xf32>
  return %7 : tensor<8xf32>
}

// The fast form: k x (1 + c x x).
// CHECK-LABEL: func.func @tanh_horner(
// CHECK-NEXT: nn.gelu %{{.*}} {tanh = true}
// CHECK-NEXT: return
func.func @tanh_horner(%x: tensor<8xf32>) -> tensor<8xf32> {
  %c = nn.constant dense<4.471500e-02> : tensor<f32>
  %k = nn.constant dense<0.797884583> : tensor<f32>
  %one = nn.constant dense<1.0> : tensor<f32>
  %half = nn.constant dense<0.5> : tensor<f32>
  %0 = nn.mul %x, %c : tensor<8xf32>, tensor<f32>
  %1 = nn.mul %0, %x : tensor<8xf32>, tensor<8xf32>
  %2 = nn.add %one, %1 : tensor<f32>, tensor<8xf32>
  %3 = nn.mul %x, %k : tensor<8xf32>, tensor<f32>
  %4 = nn.mul %3, %2 : tensor<8xf32>, tensor<8xf32>
  %5 = nn.tanh %4 : tensor<8xf32>
  %6 = nn.add %one, %5 : tensor<f32>, tensor<8xf32>
  %7 = nn.mul %half, %x : tensor<f32>, tensor<8xf32>
  %8 = nn.mul %7, %6 : tensor<8xf32>, tensor<8xf32>
  return %8 : tensor<8xf32>
}

// CHECK-LABEL: func.func @silu(
// CHECK-NEXT: nn.silu
// CHECK-NEXT: return
func.func @silu(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = nn.sigmoid %x : tensor<8xf32>
  %1 = nn.mul %0, %x : tensor<8xf32>, tensor<8xf32>
  return %1 : tensor<8xf32>
}

// Another coefficient, another function, a gate of something else, a value inside that is an output: as they were.
// CHECK-LABEL: func.func @others(
// CHECK-NOT: {{nn.gelu|nn.silu}}
// CHECK: return
func.func @others(%x: tensor<8xf32>, %y: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
  %root = nn.constant dense<0.7071> : tensor<f32>
  %good = nn.constant dense<0.707106769> : tensor<f32>
  %one = nn.constant dense<1.0> : tensor<f32>
  %half = nn.constant dense<0.5> : tensor<f32>
  %0 = nn.mul %x, %root : tensor<8xf32>, tensor<f32>
  %1 = nn.erf %0 : tensor<8xf32>
  %2 = nn.add %1, %one : tensor<8xf32>, tensor<f32>
  %3 = nn.mul %x, %half : tensor<8xf32>, tensor<f32>
  %4 = nn.mul %3, %2 : tensor<8xf32>, tensor<8xf32>
  %5 = nn.mul %x, %good : tensor<8xf32>, tensor<f32>
  %6 = nn.erf %5 : tensor<8xf32>
  %7 = nn.add %6, %one : tensor<8xf32>, tensor<f32>
  %8 = nn.mul %3, %7 : tensor<8xf32>, tensor<8xf32>
  %9 = nn.sigmoid %y : tensor<8xf32>
  %10 = nn.mul %9, %x : tensor<8xf32>, tensor<8xf32>
  return %4, %7, %8, %10 : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
}
