//===- Contraction.cpp - Matrix products and convolutions -----------------===//

#include "Windows.h"

using namespace mlir;

namespace mpt::importer {

/// NumPy's matmul: vectors are matrices of one row or column meanwhile.
static Outcome importMatMul(Node &node) {
  Value lhs = node.in(0), rhs = node.in(1);
  if (!isFloat(lhs) || !isFloat(rhs))
    return Outcome::Keep;
  int64_t lhsRank = rankOf(lhs), rhsRank = rankOf(rhs);
  if (lhsRank == 0 || rhsRank == 0)
    return node.fail("needs operands of at least one axis");
  if (lhsRank == 1)
    lhs = node.reshape(lhs, {1, dimOf(lhs, 0)});
  if (rhsRank == 1)
    rhs = node.reshape(rhs, {dimOf(rhs, 0), 1});
  Value product = node.matmul(lhs, rhs);
  Shape shape = shapeOf(product);
  if (shape.size() >= 2 && rhsRank == 1)
    shape.pop_back();
  if (!shape.empty() && lhsRank == 1)
    shape.erase(shape.end() - (rhsRank == 1 ? 1 : 2));
  return node.done(node.reshape(product, shape));
}

static Value scaleBy(Node &node, Value value, double factor) {
  return factor == 1
             ? value
             : node.create<nn::MulOp>({value, node.scalar(value, factor)});
}

/// alpha A' B' + beta C.
static Outcome importGemm(Node &node) {
  if (!isFloat(node.in(0)))
    return Outcome::Keep;
  if (node.rank(0) != 2 || node.rank(1) != 2)
    return node.fail("needs matrices");
  Value result =
      node.matmul(node.in(0), node.in(1), node.intOf("transA", 0) != 0,
                  node.intOf("transB", 0) != 0);
  result = scaleBy(node, result, node.floatOf("alpha", 1));
  double beta = node.floatOf("beta", 1);
  if (node.has(2) && beta != 0) {
    Value added = scaleBy(node, node.in(2), beta);
    result = node.create<nn::AddOp>({result, added});
  }
  return node.done(result);
}

static Outcome importFusedMatMul(Node &node) {
  if (!node.has(0) || !node.has(1))
    return node.fail("needs two matrices");
  if (node.intOf("transBatchA", 0) || node.intOf("transBatchB", 0) ||
      node.rank(0) < 2 || node.rank(1) < 2)
    return Outcome::Keep;
  Value result =
      node.matmul(node.in(0), node.in(1), node.intOf("transA", 0) != 0,
                  node.intOf("transB", 0) != 0);
  return node.done(scaleBy(node, result, node.floatOf("alpha", 1)));
}

static Outcome importConv(Node &node) {
  if (node.rank(0) < 3 || node.rank(1) != node.rank(0))
    return node.fail("needs an input and a filter of one rank, at least 3");
  auto window = readWindow(node, node.shape(0).drop_front(2),
                           node.shape(1).drop_front(2));
  if (!window)
    return Outcome::Failed;
  for (int64_t &pad : window->pads)
    if (pad < 0)
      return Outcome::Keep;
  Shape shape = {node.shape(0)[0], node.shape(1)[0]};
  shape.append(window->pooled);
  SmallVector<Value> operands = {node.in(0), node.in(1)};
  if (node.has(2))
    operands.push_back(node.in(2));
  return node.done(node.create<nn::ConvOp>(
      operands,
      {node.i64s("strides", window->strides), node.i64s("pads", window->pads),
       node.i64s("dilations", window->dilations),
       node.i64("group", node.intOf("group", 1))},
      RankedTensorType::get(shape, node.type(0).getElementType())));
}

/// Pads of a transposed convolution, and its extents (ONNX ConvTranspose).
/// False where output_padding or output_shape are no extents.
static bool padTransposed(Node &node, Window &window,
                          ArrayRef<int64_t> spatial) {
  size_t count = spatial.size();
  Shape extra = node.intsOf("output_padding").value_or(Shape(count, 0));
  auto wanted = node.intsOf("output_shape");
  if (wanted && wanted->size() == count + 2)
    wanted->erase(wanted->begin(), wanted->begin() + 2);
  std::string automatic = node.stringOf("auto_pad", "NOTSET");
  bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  extra.resize(count, 0);
  auto isExtent = [](int64_t value) {
    return value >= 0 && value <= kLargestTensor;
  };
  if (!llvm::all_of(extra, isExtent) ||
      (wanted && !llvm::all_of(*wanted, isExtent)))
    return false;
  window.pooled.clear();
  for (size_t i = 0; i < count; ++i) {
    int64_t stride = window.strides[i];
    int64_t full = stride * (spatial[i] - 1) + extra[i] +
                   window.dilations[i] * (window.kernel[i] - 1) + 1;
    if (!wanted && !same) {
      window.pooled.push_back(full - window.pads[i] - window.pads[i + count]);
      continue;
    }
    int64_t extent =
        wanted && i < wanted->size() ? (*wanted)[i] : spatial[i] * stride;
    int64_t total = std::max<int64_t>(0, full - extent);
    window.pads[i] = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
    window.pads[i + count] = total - window.pads[i];
    window.pooled.push_back(extent);
  }
  return true;
}

static Outcome importConvTranspose(Node &node) {
  if (node.rank(0) < 3 || node.rank(1) != node.rank(0))
    return node.fail("needs an input and a filter of one rank, at least 3");
  auto spatial = node.shape(0).drop_front(2);
  auto window = readWindow(node, spatial, node.shape(1).drop_front(2));
  if (!window)
    return Outcome::Failed;
  int64_t group = node.intOf("group", 1);
  if (!padTransposed(node, *window, spatial) || group < 1 ||
      group >= (int64_t(1) << 22))
    return node.fail("its output_padding, output_shape or group is out of "
                     "range");
  Shape shape = {node.shape(0)[0], node.shape(1)[1] * group};
  for (size_t i = 0, count = spatial.size(); i < count; ++i) {
    // nn.conv_transpose gives what a convolution would take.
    if (window->pads[i] < 0 || window->pads[i + count] < 0 ||
        window->pooled[i] <= 0 ||
        nn::getWindowedExtent(window->pooled[i], window->kernel[i],
                              window->strides[i], window->pads[i],
                              window->pads[i + count],
                              window->dilations[i]) != spatial[i])
      return Outcome::Keep;
    shape.push_back(window->pooled[i]);
  }
  Value result = node.create<nn::ConvTransposeOp>(
      {node.in(0), node.in(1)},
      {node.i64s("strides", window->strides), node.i64s("pads", window->pads),
       node.i64s("dilations", window->dilations), node.i64("group", group)},
      RankedTensorType::get(shape, node.type(0).getElementType()));
  if (node.has(2)) {
    Shape channels(shape.size(), 1);
    channels[1] = shape[1];
    result =
        node.create<nn::AddOp>({result, node.reshape(node.in(2), channels)});
  }
  return node.done(result);
}

void registerContractions(Registry &registry) {
  registry.add("MatMul", 1, "nn.matmul", importMatMul);
  registry.add("Gemm", 1, "nn.matmul, nn.mul, nn.add", importGemm);
  registry.add("Conv", 1, "nn.conv", importConv);
  registry.add("ConvTranspose", 1, "nn.conv_transpose, nn.add",
               importConvTranspose);
  registry.add("FusedMatMul", 1, "nn.matmul, nn.mul", importFusedMatMul,
               Needs::StaticTensors, "com.microsoft");
}

} // namespace mpt::importer
