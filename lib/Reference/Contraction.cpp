//===- Contraction.cpp - Matrix products and convolutions -----------------===//

#include "Evaluation.h"
#include "Gemm.h"
#include "Window.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

using namespace mlir;

namespace mpt::reference {

static void evaluateMatMul(nn::MatMulOp op, Evaluation &e) {
  const Tensor &lhs = e.operand(0), &rhs = e.operand(1);
  Tensor &result = e.result();
  const ArrayRef<int64_t> l = lhs.shape, r = rhs.shape, o = result.shape;
  const int64_t m = o[o.size() - 2], n = o.back();
  const int64_t k = l[l.size() - (op.getTransposeLhs() ? 2 : 1)];
  // The batches: whole matrices, broadcast.
  auto batches = [&](ArrayRef<int64_t> shape, int64_t size) {
    View view = broadcast(shape.drop_back(2), o.drop_back(2));
    for (int64_t &stride : view.strides)
      stride *= size;
    return view;
  };
  forEachElement<3>(
      o.drop_back(2), {batches(l, m * k), batches(r, k * n), batches(o, m * n)},
      [&](int64_t a, int64_t b, int64_t c) {
        const double *left = lhs.floats.data() + a;
        const double *right = rhs.floats.data() + b;
        addProduct(
            m, n, k,
            op.getTransposeLhs() ? Matrix{left, 1, m} : Matrix{left, k, 1},
            op.getTransposeRhs() ? Matrix{right, 1, k} : Matrix{right, n, 1},
            result.floats.data() + c);
      });
}

namespace {
/// A convolution between x [N, C, X...] and y [N, F, Y...] with a filter
/// [F, C/group, K...], whichever of the three is computed.
struct Convolution {
  SmallVector<Tap> taps;
  int64_t batch, groups;
  int64_t channels, filters; // per group
  int64_t inputPlane, outputPlane;

  template <typename OpTy>
  Convolution(OpTy op, const Tensor &x, const Tensor &filter, const Tensor &y)
      : taps(makeTaps(spatial(x), spatial(y), spatial(filter), op.getStrides(),
                      op.getPads(), op.getDilations())),
        batch(x.shape[0]), groups(op.getGroup()), channels(x.shape[1] / groups),
        filters(y.shape[1] / groups), inputPlane(product(spatial(x))),
        outputPlane(product(spatial(y))) {}

  int64_t rows() const { return channels * static_cast<int64_t>(taps.size()); }
  int64_t inputOffset(int64_t sample, int64_t group) const {
    return (sample * groups + group) * channels * inputPlane;
  }
  int64_t outputOffset(int64_t sample, int64_t group) const {
    return (sample * groups + group) * filters * outputPlane;
  }
  /// The filters of a group: a matrix [filters, rows()].
  int64_t filterOffset(int64_t group) const { return group * filters * rows(); }

  /// `fn(x offset, columns offset)` for all elements of the matrix
  /// [rows(), outputPlane] in which column y holds the window at y; what a
  /// window reads from the padding is left out.
  template <typename Fn>
  void forEachColumnElement(int64_t sample, int64_t group, Fn fn) const {
    int64_t row = 0;
    for (int64_t channel = 0; channel < channels; ++channel)
      for (const Tap &tap : taps)
        forEachPosition(tap, inputOffset(sample, group) + channel * inputPlane,
                        row++ * outputPlane, fn);
  }
  template <typename Fn> void forEachSampleAndGroup(Fn fn) const {
    for (int64_t sample = 0; sample < batch; ++sample)
      for (int64_t group = 0; group < groups; ++group)
        fn(sample, group);
  }
  std::vector<double> makeColumns() const {
    return std::vector<double>(rows() * outputPlane, 0.0);
  }
};
} // namespace

static void evaluateConv(nn::ConvOp op, Evaluation &e) {
  const Tensor &x = e.operand(0), &filter = e.operand(1);
  const Tensor *bias = e.optionalOperand(2);
  Tensor &y = e.result();
  const Convolution conv(op, x, filter, y);
  std::vector<double> columns = conv.makeColumns();
  conv.forEachSampleAndGroup([&](int64_t sample, int64_t group) {
    conv.forEachColumnElement(sample, group, [&](int64_t i, int64_t column) {
      columns[column] = x.floats[i];
    });
    double *out = y.floats.data() + conv.outputOffset(sample, group);
    if (bias)
      for (int64_t f = 0; f < conv.filters; ++f)
        std::fill_n(out + f * conv.outputPlane, conv.outputPlane,
                    bias->floats[group * conv.filters + f]);
    addProduct(
        conv.filters, conv.outputPlane, conv.rows(),
        {filter.floats.data() + conv.filterOffset(group), conv.rows(), 1},
        {columns.data(), conv.outputPlane, 1}, out);
  });
}

static void evaluateConvTranspose(nn::ConvTransposeOp op, Evaluation &e) {
  const Tensor &y = e.operand(0), &filter = e.operand(1);
  Tensor &x = e.result();
  const Convolution conv(op, x, filter, y);
  std::vector<double> columns = conv.makeColumns();
  conv.forEachSampleAndGroup([&](int64_t sample, int64_t group) {
    std::fill(columns.begin(), columns.end(), 0.0);
    addProduct(
        conv.rows(), conv.outputPlane, conv.filters,
        {filter.floats.data() + conv.filterOffset(group), 1, conv.rows()},
        {y.floats.data() + conv.outputOffset(sample, group), conv.outputPlane,
         1},
        columns.data());
    conv.forEachColumnElement(sample, group, [&](int64_t i, int64_t column) {
      x.floats[i] += columns[column];
    });
  });
}

static void evaluateConvFilterGrad(nn::ConvFilterGradOp op, Evaluation &e) {
  const Tensor &x = e.operand(0), &dy = e.operand(1);
  Tensor &filter = e.result();
  const Convolution conv(op, x, filter, dy);
  std::vector<double> columns = conv.makeColumns();
  conv.forEachSampleAndGroup([&](int64_t sample, int64_t group) {
    conv.forEachColumnElement(sample, group, [&](int64_t i, int64_t column) {
      columns[column] = x.floats[i];
    });
    addProduct(conv.filters, conv.rows(), conv.outputPlane,
               {dy.floats.data() + conv.outputOffset(sample, group),
                conv.outputPlane, 1},
               {columns.data(), 1, conv.outputPlane},
               filter.floats.data() + conv.filterOffset(group));
  });
}

void addContractionEvaluations(Registry &registry) {
  registry.add<nn::MatMulOp>(evaluateMatMul);
  registry.add<nn::ConvOp>(evaluateConv);
  registry.add<nn::ConvTransposeOp>(evaluateConvTranspose);
  registry.add<nn::ConvFilterGradOp>(evaluateConvFilterGrad);
}

} // namespace mpt::reference
