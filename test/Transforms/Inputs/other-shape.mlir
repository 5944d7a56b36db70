nn.parameter @conv1.weight : tensor<3x3xf32>
func.func @forward(%x: tensor<3x3xf32>, %w: tensor<3x3xf32> {nn.parameter = @conv1.weight}) -> tensor<3x3xf32> {
  %0 = nn.add %x, %w : tensor<3x3xf32>, tensor<3x3xf32>
  return %0 : tensor<3x3xf32>
}
