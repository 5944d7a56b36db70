func.func @two_products(%x: tensor<4x8xf32>, %a: tensor<8x16xf32>, %b: tensor<16x2xf32>) -> tensor<4x2xf32> {
  %0 = nn.matmul %x, %a : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
  %1 = nn.relu %0 : tensor<4x16xf32>
  %2 = nn.matmul %1, %b : (tensor<4x16xf32>, tensor<16x2xf32>) -> tensor<4x2xf32>
  return %2 : tensor<4x2xf32>
}
