//===- ShapeTest.cpp - Moving and gathering elements ----------------------===//

#include "Evaluate.h"

using namespace mpt::reference;

namespace {
using ShapeTest = ReferenceTest;

TEST_F(ShapeTest, Transposes) {
  EXPECT_EQ(value({"tensor<2x1x3xi32>"}, "tensor<3x2x1xi32>",
                  "nn.transpose %0 {permutation = array<i64: 2, 0, 1>} : "
                  "tensor<2x1x3xi32>",
                  {{1, 2, 3, 4, 5, 6}}),
            Values({1, 4, 2, 5, 3, 6}));
}

TEST_F(ShapeTest, SlicesBackwards) {
  const std::string attributes =
      "{starts = array<i64: 1, 3>, steps = array<i64: -1, -2>}";
  EXPECT_EQ(value({"tensor<2x4xf32>"}, "tensor<2x2xf32>",
                  "nn.slice %0 " + attributes +
                      " : tensor<2x4xf32> to tensor<2x2xf32>",
                  {{0, 1, 2, 3, 4, 5, 6, 7}}),
            Values({7, 5, 3, 1}));
  EXPECT_EQ(value({"tensor<2x2xf32>"}, "tensor<2x4xf32>",
                  "nn.slice_grad %0 " + attributes +
                      " : tensor<2x2xf32> to tensor<2x4xf32>",
                  {{1, 2, 3, 4}}),
            Values({0, 4, 0, 3, 0, 2, 0, 1}));
}

TEST_F(ShapeTest, ConcatenatesAndSplits) {
  EXPECT_EQ(value({"tensor<2x1xf32>", "tensor<2x2xf32>"}, "tensor<2x3xf32>",
                  "nn.concat %0, %1 {axis = 1 : i64} : tensor<2x1xf32>, "
                  "tensor<2x2xf32>",
                  {{1, 2}, {3, 4, 5, 6}}),
            Values({1, 3, 4, 2, 5, 6}));
  auto parts = values(R"(
    func.func @f(%x: tensor<2x3xf32>) -> (tensor<2x1xf32>, tensor<2x2xf32>) {
      %0:2 = nn.split %x {axis = 1 : i64} : (tensor<2x3xf32>) -> (tensor<2x1xf32>, tensor<2x2xf32>)
      return %0#0, %0#1 : tensor<2x1xf32>, tensor<2x2xf32>
    })",
                      {{1, 3, 4, 2, 5, 6}});
  EXPECT_EQ(parts, (std::vector<Values>{{1, 2}, {3, 4, 5, 6}}));
}

TEST_F(ShapeTest, PadsInEveryMode) {
  auto pad = [&](const std::string &mode) {
    return value({"tensor<4xf32>"}, "tensor<9xf32>",
                 "nn.pad %0 {low = array<i64: 2>, high = array<i64: 3>, "
                 "value = 9.0, mode = #nn<pad_mode " +
                     mode + ">} : tensor<4xf32> to tensor<9xf32>",
                 {{1, 2, 3, 4}});
  };
  EXPECT_EQ(pad("constant"), Values({9, 9, 1, 2, 3, 4, 9, 9, 9}));
  EXPECT_EQ(pad("edge"), Values({1, 1, 1, 2, 3, 4, 4, 4, 4}));
  EXPECT_EQ(pad("reflect"), Values({3, 2, 1, 2, 3, 4, 3, 2, 1}));
  EXPECT_EQ(pad("wrap"), Values({3, 4, 1, 2, 3, 4, 1, 2, 3}));
}

TEST_F(ShapeTest, NegativePaddingCrops) {
  EXPECT_EQ(value({"tensor<4xi32>"}, "tensor<3xi32>",
                  "nn.pad %0 {low = array<i64: -2>, high = array<i64: 1>, "
                  "value = 5.0} : tensor<4xi32> to tensor<3xi32>",
                  {{1, 2, 3, 4}}),
            Values({3, 4, 5}));
}

TEST_F(ShapeTest, PadGradientAddsUpCopies) {
  auto grad = [&](const std::string &mode) {
    return value({"tensor<9xf32>"}, "tensor<4xf32>",
                 "nn.pad_grad %0 {low = array<i64: 2>, high = array<i64: 3>, "
                 "mode = #nn<pad_mode " +
                     mode + ">} : tensor<9xf32> to tensor<4xf32>",
                 {Values(9, 1.0)});
  };
  EXPECT_EQ(grad("constant"), Values({1, 1, 1, 1}));
  EXPECT_EQ(grad("edge"), Values({3, 1, 1, 4}));
  EXPECT_EQ(grad("reflect"), Values({2, 3, 3, 1}));
  EXPECT_EQ(grad("wrap"), Values({2, 2, 3, 2}));
}

TEST_F(ShapeTest, GathersWithNegativeIndices) {
  EXPECT_EQ(value({"tensor<2x3xf32>", "tensor<2xi64>"}, "tensor<2x2xf32>",
                  "nn.gather %0, %1 {axis = 1 : i64} : tensor<2x3xf32>, "
                  "tensor<2xi64>",
                  {{0, 1, 2, 3, 4, 5}, {-1, 0}}),
            Values({2, 0, 5, 3}));
  EXPECT_EQ(value({"tensor<3x2xf32>", "tensor<3xi64>"}, "tensor<4x2xf32>",
                  "nn.gather_grad %0, %1 {axis = 0 : i64} : (tensor<3x2xf32>, "
                  "tensor<3xi64>) -> tensor<4x2xf32>",
                  {{1, 2, 3, 4, 5, 6}, {1, -3, 3}}),
            Values({0, 0, 4, 6, 0, 0, 5, 6}));
}

TEST_F(ShapeTest, GathersElements) {
  EXPECT_EQ(value({"tensor<3x2xf32>", "tensor<2x2xi64>"}, "tensor<2x2xf32>",
                  "nn.gather_elements %0, %1 {axis = 0 : i64} : "
                  "(tensor<3x2xf32>, tensor<2x2xi64>) -> tensor<2x2xf32>",
                  {{0, 1, 2, 3, 4, 5}, {2, 0, -3, 1}}),
            Values({4, 1, 0, 3}));
  EXPECT_EQ(value({"tensor<2x2xf32>", "tensor<2x2xi64>"}, "tensor<3x2xf32>",
                  "nn.gather_elements_grad %0, %1 {axis = 0 : i64} : "
                  "(tensor<2x2xf32>, tensor<2x2xi64>) -> tensor<3x2xf32>",
                  {{1, 2, 3, 4}, {2, 0, 2, 1}}),
            Values({0, 2, 0, 4, 4, 0}));
}

TEST_F(ShapeTest, GathersTuples) {
  // ONNX's example 5: batch_dims = 1.
  EXPECT_EQ(value({"tensor<2x2x2xi32>", "tensor<2x1xi64>"}, "tensor<2x2xi32>",
                  "nn.gather_nd %0, %1 {batch_dims = 1 : i64} : "
                  "(tensor<2x2x2xi32>, tensor<2x1xi64>) -> tensor<2x2xi32>",
                  {{0, 1, 2, 3, 4, 5, 6, 7}, {1, 0}}),
            Values({2, 3, 4, 5}));
  EXPECT_EQ(value({"tensor<2x2xf32>", "tensor<3x2xi64>"}, "tensor<3xf32>",
                  "nn.gather_nd %0, %1 : (tensor<2x2xf32>, tensor<3x2xi64>) -> "
                  "tensor<3xf32>",
                  {{0, 1, 2, 3}, {0, 0, 1, -1, 1, 0}}),
            Values({0, 3, 2}));
  EXPECT_EQ(value({"tensor<3xf32>", "tensor<3x2xi64>"}, "tensor<2x2xf32>",
                  "nn.gather_nd_grad %0, %1 : (tensor<3xf32>, tensor<3x2xi64>) "
                  "-> tensor<2x2xf32>",
                  {{1, 2, 4}, {0, 0, 1, 1, 0, 0}}),
            Values({5, 0, 0, 2}));
}

TEST_F(ShapeTest, IndicesOutOfRangeAreErrors) {
  EXPECT_TRUE(run(function({"tensor<3xf32>", "tensor<1xi64>"}, "tensor<1xf32>",
                           "nn.gather %0, %1 {axis = 0 : i64} : tensor<3xf32>, "
                           "tensor<1xi64>"),
                  {{1, 2, 3}, {3}})
                  .empty());
  EXPECT_NE(messages.find("index 3"), std::string::npos) << messages;
  EXPECT_NE(messages.find("nn.gather"), std::string::npos) << messages;
}
} // namespace
