// RUN: mpt-opt %s -split-input-file -verify-diagnostics

func.func @backoff(%s: tensor<f32>, %n: tensor<i64>, %f: tensor<i1>) {
  // expected-error @+1 {{backoff must lie between 0 and 1}}
  %0:3 = mp.update_scale %s, %n, %n if %f {backoff = 1.0} : tensor<f32>
  return
}
// -----
func.func @limits(%s: tensor<f32>, %n: tensor<i64>, %f: tensor<i1>) {
  // expected-error @+1 {{needs 0 < minimum <= maximum}}
  %0:3 = mp.update_scale %s, %n, %n if %f {minimum = 4.0, maximum = 2.0} : tensor<f32>
  return
}
// -----
func.func @interval(%s: tensor<f32>, %n: tensor<i64>, %f: tensor<i1>) {
  // expected-error @+1 {{growthInterval and hysteresis must be positive}}
  %0:3 = mp.update_scale %s, %n, %n if %f {growthInterval = 0 : i64} : tensor<f32>
  return
}
