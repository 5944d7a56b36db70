func.func @net(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>, %b: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %0 = nn.matmul %x, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32> loc("fc")
  %1 = nn.add %0, %b : tensor<64x64xf32>, tensor<64x64xf32> loc("bias")
  %2 = nn.relu %1 : tensor<64x64xf32> loc("act")
  %3 = nn.exp %2 : tensor<64x64xf32> loc("</script>exp")
  return %3 : tensor<64x64xf32>
}
