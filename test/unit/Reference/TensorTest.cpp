//===- TensorTest.cpp - Rounding and conversions of tensors ---------------===//

#include "Evaluate.h"
#include "mlir/IR/Builders.h"

#include <cmath>
#include <limits>

using namespace mpt::reference;

namespace {
class TensorTest : public ReferenceTest {
protected:
  mlir::Builder builder{&context};
  mlir::Location loc = builder.getUnknownLoc();
  mlir::IntegerType i8 = builder.getIntegerType(8);
  mlir::IntegerType ui8 = builder.getIntegerType(8, false);
  mlir::IntegerType i1 = builder.getI1Type();
};

TEST_F(TensorTest, RoundsOnceToTheElementType) {
  EXPECT_EQ(roundToType(3.14159, builder.getF16Type()), 3.140625);
  EXPECT_EQ(roundToType(65520, builder.getF16Type()),
            std::numeric_limits<double>::infinity());
  EXPECT_EQ(roundToType(65519.999, builder.getF16Type()), 65504);
  EXPECT_EQ(roundToType(0x1p-25, builder.getF16Type()), 0); // a tie, to even
  EXPECT_EQ(roundToType(0x1.8p-25, builder.getF16Type()), 0x1p-24);
  EXPECT_EQ(roundToType(0.1, builder.getF32Type()), 0.1f);
  EXPECT_EQ(roundToType(0.1, builder.getF64Type()), 0.1);
  // To f32 first this would become a tie and then an even number: one rounding
  // gives the upper neighbour of 1.
  EXPECT_EQ(roundToType(1 + 0x1p-8 + 0x1p-40, builder.getBF16Type()),
            1 + 0x1p-7);
}

TEST_F(TensorTest, WrapsIntegers) {
  EXPECT_EQ(wrapToType(128, i8), -128);
  EXPECT_EQ(wrapToType(-1, ui8), 255);
  EXPECT_EQ(wrapToType(256 + 7, ui8), 7);
  EXPECT_EQ(wrapToType(3, i1), 1);
  EXPECT_EQ(wrapToType(int64_t(1) << 31, builder.getI32Type()),
            std::numeric_limits<int32_t>::min());
}

TEST_F(TensorTest, TruncatesFloatsToIntegers) {
  EXPECT_EQ(truncateToType(-2.9, i8), -2);
  EXPECT_EQ(truncateToType(300, i8), 127);
  EXPECT_EQ(truncateToType(-300, i8), -128);
  EXPECT_EQ(truncateToType(300, ui8), 255);
  EXPECT_EQ(truncateToType(-1, ui8), 0);
  EXPECT_EQ(truncateToType(NAN, builder.getI64Type()), 0);
  EXPECT_EQ(truncateToType(1e30, builder.getI64Type()),
            std::numeric_limits<int64_t>::max());
  EXPECT_EQ(truncateToType(-0x1p63, builder.getI64Type()),
            std::numeric_limits<int64_t>::min());
  EXPECT_EQ(truncateToType(0.25, i1), 1);
}

TEST_F(TensorTest, ElementsRoundTrip) {
  for (mlir::Type type :
       {mlir::Type(builder.getF16Type()), mlir::Type(builder.getBF16Type()),
        mlir::Type(builder.getF32Type()), mlir::Type(builder.getF64Type()),
        mlir::Type(i8), mlir::Type(ui8), mlir::Type(i1),
        mlir::Type(builder.getI64Type())}) {
    for (const std::vector<int64_t> &shape :
         {std::vector<int64_t>{}, std::vector<int64_t>{3, 2}}) {
      Tensor tensor(shape, type);
      for (int64_t i = 0; i < tensor.numElements(); ++i)
        if (tensor.isFloat())
          tensor.floats[i] = 0.5 * static_cast<double>(i);
        else
          tensor.ints[i] = i % 2;
      auto back = fromElements(toElements(tensor), loc);
      ASSERT_TRUE(succeeded(back));
      EXPECT_EQ(back->getType(), tensor.getType());
      EXPECT_EQ(back->floats, tensor.floats);
      EXPECT_EQ(back->ints, tensor.ints);
    }
  }
}

TEST_F(TensorTest, ReadsSplats) {
  auto type = mlir::RankedTensorType::get({4}, builder.getF16Type());
  auto splat = mlir::DenseElementsAttr::get(
      type, llvm::APFloat(llvm::APFloat::IEEEhalf(), "1.5"));
  auto tensor = fromElements(splat, loc);
  ASSERT_TRUE(succeeded(tensor));
  EXPECT_EQ(tensor->floats, Values({1.5, 1.5, 1.5, 1.5}));
}

TEST_F(TensorTest, HostTensorsRoundTrip) {
  Tensor tensor({2}, builder.getBF16Type());
  tensor.floats = {1.5, -0x1p-126};
  mpt::data::HostTensor host = toHost(tensor);
  EXPECT_EQ(host.dtype, mpt::data::DType::BF16);
  auto back = fromHost(host, tensor.elementType, false, loc);
  ASSERT_TRUE(succeeded(back));
  EXPECT_EQ(back->floats, tensor.floats);
  EXPECT_EQ(toHost(tensor, /*exact=*/true).dtype, mpt::data::DType::F64);
}

TEST_F(TensorTest, HostTensorsKeepDoublesWhenExact) {
  mpt::data::HostTensor host(mpt::data::DType::F64, {1});
  host.data<double>()[0] = 0.1;
  EXPECT_EQ(fromHost(host, builder.getF32Type(), true, loc)->floats[0], 0.1);
  EXPECT_EQ(fromHost(host, builder.getF32Type(), false, loc)->floats[0], 0.1f);
}

TEST_F(TensorTest, HostTensorsThatDoNotFitAreErrors) {
  mpt::data::HostTensor large(mpt::data::DType::I64, {1});
  large.data<int64_t>()[0] = 300;
  EXPECT_TRUE(failed(fromHost(large, i8, false, loc)));
  EXPECT_NE(messages.find("300"), std::string::npos) << messages;
  mpt::data::HostTensor real(mpt::data::DType::F32, {1});
  EXPECT_TRUE(failed(fromHost(real, i8, false, loc)));
}

TEST_F(TensorTest, WrongSizesAreErrors) {
  auto type = mlir::RankedTensorType::get({4}, builder.getF32Type());
  std::vector<char> bytes(15);
  EXPECT_TRUE(failed(fromBytes(type, bytes, loc)));
  EXPECT_NE(messages.find("15 bytes"), std::string::npos) << messages;
}
} // namespace
