//===- Contraction.cpp - Products, convolutions, pooling as ONNX nodes ----===//

#include "Exporter.h"

using namespace mlir;

namespace mpt::exporter {

static std::string transposed(Exporter &exporter, Value value) {
  SmallVector<int64_t> permutation;
  int64_t rank = shapeOf(value).size();
  for (int64_t i = 0; i < rank; ++i)
    permutation.push_back(i);
  std::swap(permutation[rank - 1], permutation[rank - 2]);
  return exporter.emit("Transpose", {exporter.nameOf(value)},
                       {intsAttr("perm", permutation)});
}

static LogicalResult emitMatMul(Exporter &exporter, nn::MatMulOp op) {
  Value lhs = op.getLhs(), rhs = op.getRhs();
  Type element = elementOf(lhs);
  bool transposes = op.getTransposeLhs() || op.getTransposeRhs();
  if (transposes && shapeOf(lhs).size() == 2 && shapeOf(rhs).size() == 2) {
    exporter.emitAs(op.getResult(), "Gemm",
                    {exporter.nameOf(lhs), exporter.nameOf(rhs)},
                    {intAttr("transA", op.getTransposeLhs()),
                     intAttr("transB", op.getTransposeRhs())},
                    element);
    return success();
  }
  std::string left =
      op.getTransposeLhs() ? transposed(exporter, lhs) : exporter.nameOf(lhs);
  std::string right =
      op.getTransposeRhs() ? transposed(exporter, rhs) : exporter.nameOf(rhs);
  exporter.emitAs(op.getResult(), "MatMul", {left, right}, {}, element);
  return success();
}

static LogicalResult emitConv(Exporter &exporter, nn::ConvOp op) {
  Names inputs = {exporter.nameOf(op.getInput()),
                  exporter.nameOf(op.getFilter())};
  if (op.getBias())
    inputs.push_back(exporter.nameOf(op.getBias()));
  exporter.emitAs(
      op.getResult(), "Conv", inputs,
      {intsAttr("kernel_shape", shapeOf(op.getFilter()).drop_front(2)),
       intsAttr("strides", op.getStrides()), intsAttr("pads", op.getPads()),
       intsAttr("dilations", op.getDilations()),
       intAttr("group", op.getGroup())},
      elementOf(op.getInput()));
  return success();
}

static LogicalResult emitConvTranspose(Exporter &exporter,
                                       nn::ConvTransposeOp op) {
  auto input = shapeOf(op.getInput()).drop_front(2),
       kernel = shapeOf(op.getFilter()).drop_front(2),
       result = shapeOf(op.getResult()).drop_front(2);
  SmallVector<int64_t> extra;
  for (size_t i = 0, count = input.size(); i < count; ++i)
    extra.push_back(result[i] - (op.getStrides()[i] * (input[i] - 1) +
                                 op.getDilations()[i] * (kernel[i] - 1) + 1 -
                                 op.getPads()[i] - op.getPads()[i + count]));
  exporter.emitAs(
      op.getResult(), "ConvTranspose",
      {exporter.nameOf(op.getInput()), exporter.nameOf(op.getFilter())},
      {intsAttr("kernel_shape", kernel), intsAttr("strides", op.getStrides()),
       intsAttr("pads", op.getPads()), intsAttr("dilations", op.getDilations()),
       intsAttr("output_padding", extra), intAttr("group", op.getGroup())},
      elementOf(op.getInput()));
  return success();
}

template <typename OpTy> static Attributes poolAttributes(OpTy op) {
  auto input = shapeOf(op.getInput()).drop_front(2),
       result = shapeOf(op.getResult()).drop_front(2);
  bool ceil = false;
  for (size_t i = 0, count = input.size(); i < count; ++i)
    ceil |= result[i] != nn::getWindowedExtent(
                             input[i], op.getKernel()[i], op.getStrides()[i],
                             op.getPads()[i], op.getPads()[i + count],
                             op.getDilations()[i]);
  Attributes attributes = {intsAttr("kernel_shape", op.getKernel()),
                           intsAttr("strides", op.getStrides()),
                           intsAttr("pads", op.getPads())};
  if (ceil)
    attributes.push_back(intAttr("ceil_mode", 1));
  if (llvm::any_of(op.getDilations(), [](int64_t d) { return d != 1; }))
    attributes.push_back(intsAttr("dilations", op.getDilations()));
  return attributes;
}

static LogicalResult emitMaxPool(Exporter &exporter, nn::MaxPoolOp op) {
  if (!op.getTaps().use_empty())
    return op.emitOpError("cannot be exported with its taps: ONNX counts "
                          "positions in the whole tensor");
  exporter.emitAs(op.getResult(), "MaxPool", {exporter.nameOf(op.getInput())},
                  poolAttributes(op));
  return success();
}

static LogicalResult emitAvgPool(Exporter &exporter, nn::AvgPoolOp op) {
  Attributes attributes = poolAttributes(op);
  if (op.getCountIncludePad())
    attributes.push_back(intAttr("count_include_pad", 1));
  exporter.emitAs(op.getResult(), "AveragePool",
                  {exporter.nameOf(op.getInput())}, attributes);
  return success();
}

void registerContractions(Registry &registry) {
  registry.add<nn::MatMulOp>(emitMatMul);
  registry.add<nn::ConvOp>(emitConv);
  registry.add<nn::ConvTransposeOp>(emitConvTranspose);
  registry.add<nn::MaxPoolOp>(emitMaxPool);
  registry.add<nn::AvgPoolOp>(emitAvgPool);
}

} // namespace mpt::exporter
