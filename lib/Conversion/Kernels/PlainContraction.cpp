//===- PlainContraction.cpp - Contractions, an element at a time ----------===//
//
// Every result is one sum, in the order of the contracted axes, without
// scratch: what a GPU runs (a thread per result) and what a CPU falls back to
// for f64 and for shapes the tiled templates leave.
//
// A filter gradient has few results, each a sum over the whole batch. On a GPU
// it is cut along the batch: phase 0 writes partial sums to shared scratch,
// phase 1 adds them up in a fixed order.
//
//===----------------------------------------------------------------------===//

#include "KernelOperands.h"
#include "Kernels.h"
#include "PlainWindow.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

namespace {

ArrayRef<int64_t> shapeOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

/// The type sums are taken in.
Type getSumType(Value value) {
  return getComputeType(getElementTypeOrSelf(value));
}

//===----------------------------------------------------------------------===//
// Matrix products
//===----------------------------------------------------------------------===//

class PlainMatMul : public KernelEmitter {
public:
  StringRef getName() const override { return "plain_matmul"; }

  bool match(nn::KernelOp kernel, const TargetDescription &) const override {
    return isa_and_nonnull<nn::MatMulOp>(getSingleOp(kernel));
  }

  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &) const override {
    auto op = cast<nn::MatMulOp>(getSingleOp(kernel));
    return KernelShape::parallel(op.getResult().getType().getNumElements());
  }

  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    auto op = cast<nn::MatMulOp>(getSingleOp(kernel));
    const KernelTensor &lhs = getInput(c, op.getLhs()),
                       &rhs = getInput(c, op.getRhs());
    const KernelTensor &result = *getOutput(c, kernel, op.getResult());
    ArrayRef<int64_t> left = lhs.type.getShape(), right = rhs.type.getShape(),
                      shape = result.type.getShape();
    const int64_t rows = shape[shape.size() - 2], columns = shape.back();
    const int64_t depth = left[left.size() - (op.getTransposeLhs() ? 2 : 1)];
    const bool transposeLhs = op.getTransposeLhs(),
               transposeRhs = op.getTransposeRhs();
    Type type = getSumType(op.getResult());
    c.parallel(result.numElements(), [&](Value i) {
      SmallVector<Value> at = c.delinearize(i, shape);
      ValueRange batch = ValueRange(at).drop_back(2);
      Value m = at[at.size() - 2], n = at.back();
      Value leftStart =
          c.add(c.mul(c.broadcastIndex(batch, left.drop_back(2)), rows * depth),
                transposeLhs ? m : c.mul(m, depth));
      Value rightStart = c.add(
          c.mul(c.broadcastIndex(batch, right.drop_back(2)), depth * columns),
          transposeRhs ? c.mul(n, depth) : n);
      Value init[] = {c.constant(type, 0.0)};
      SmallVector<Value> sum = c.loop(
          depth, init, [&](Value k, ValueRange carried) -> SmallVector<Value> {
            Value x =
                c.convert(c.load(lhs, c.add(leftStart,
                                            transposeLhs ? c.mul(k, rows) : k)),
                          type);
            Value y = c.convert(
                c.load(rhs,
                       c.add(rightStart, transposeRhs ? k : c.mul(k, columns))),
                type);
            return {c.fma(x, y, carried[0])};
          });
      c.store(result, i, sum[0]);
    });
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Convolutions
//===----------------------------------------------------------------------===//

/// x [N, C, X...] and y [N, F, Y...] with a filter [F, C/group, K...],
/// whichever of the three is computed.
struct Convolution : PlainWindow {
  int64_t batch, groups, channels, filters; // the last two per group

  template <typename OpTy>
  Convolution(OpTy op, ArrayRef<int64_t> xShape, ArrayRef<int64_t> filterShape,
              ArrayRef<int64_t> yShape)
      : PlainWindow(op, xShape, yShape, filterShape.drop_front(2)),
        batch(xShape[0]), groups(op.getGroup()), channels(xShape[1] / groups),
        filters(yShape[1] / groups) {}
};

template <typename OpTy> class PlainConvolution : public KernelEmitter {
public:
  StringRef getName() const override {
    return std::is_same_v<OpTy, nn::ConvOp> ? "plain_conv"
                                            : "plain_conv_transpose";
  }

  bool match(nn::KernelOp kernel, const TargetDescription &) const override {
    return isa_and_nonnull<OpTy>(getSingleOp(kernel));
  }

  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &) const override {
    auto op = cast<OpTy>(getSingleOp(kernel));
    return KernelShape::parallel(op.getResult().getType().getNumElements());
  }

  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    constexpr bool isForward = std::is_same_v<OpTy, nn::ConvOp>;
    auto op = cast<OpTy>(getSingleOp(kernel));
    const KernelTensor &input = getInput(c, op.getInput()),
                       &filter = getInput(c, op.getFilter());
    const KernelTensor &result = *getOutput(c, kernel, op.getResult());
    const KernelTensor *bias = nullptr;
    if constexpr (isForward)
      if (op.getBias())
        bias = &getInput(c, op.getBias());
    ArrayRef<int64_t> inputShape = input.type.getShape(),
                      resultShape = result.type.getShape();
    const Convolution conv(op, isForward ? inputShape : resultShape,
                           filter.type.getShape(),
                           isForward ? resultShape : inputShape);
    // Of a group: what the result has, what is summed over.
    const int64_t own = isForward ? conv.filters : conv.channels;
    const int64_t summed = isForward ? conv.channels : conv.filters;
    const int64_t plane = isForward ? conv.inputPlane : conv.outputPlane;
    Type type = getSumType(op.getResult());
    SmallVector<int64_t> box(conv.kernel);
    box.insert(box.begin(), summed);
    SmallVector<int64_t> windowStrides = getRowMajorStrides(conv.kernel);
    c.parallel(result.numElements(), [&](Value i) {
      SmallVector<Value> at = c.delinearize(i, resultShape);
      Value group = c.div(at[1], own), number = c.rem(at[1], own);
      if (conv.groups == 1)
        group = c.index(0), number = at[1];
      // Planes of the input that are read, elements of the filter.
      Value inputStart =
          c.mul(c.add(c.mul(at[0], conv.groups * summed), c.mul(group, summed)),
                plane);
      Value filterStart = c.mul(group, own * summed * conv.taps);
      Value start =
          bias ? c.convert(c.load(*bias, at[1]), type) : c.constant(type, 0.0);
      SmallVector<Value> sum = c.loopNest(
          box, ValueRange(start),
          [&](ValueRange k, ValueRange carried) -> SmallVector<Value> {
            ValueRange tap = k.drop_front(1),
                       position = ValueRange(at).drop_front(2);
            auto [offset, inside] =
                isForward ? conv.getInputElement(c, position, tap)
                          : conv.getOutputElement(c, position, tap);
            Value row = isForward ? c.add(c.mul(number, summed), k[0])
                                  : c.add(c.mul(k[0], own), number);
            Value weight = c.add(c.add(filterStart, c.mul(row, conv.taps)),
                                 c.linearize(tap, windowStrides));
            Value element =
                c.add(c.add(inputStart, c.mul(k[0], plane)), offset);
            return emitWhere(c, inside, carried, [&] {
              return SmallVector<Value>{
                  c.fma(c.convert(c.load(input, element), type),
                        c.convert(c.load(filter, weight), type), carried[0])};
            });
          });
      c.store(result, i, sum[0]);
    });
    return success();
  }
};

class PlainFilterGrad : public KernelEmitter {
public:
  StringRef getName() const override { return "plain_conv_filter_grad"; }

  bool match(nn::KernelOp kernel, const TargetDescription &) const override {
    return isa_and_nonnull<nn::ConvFilterGradOp>(getSingleOp(kernel));
  }

  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &target) const override {
    auto op = cast<nn::ConvFilterGradOp>(getSingleOp(kernel));
    const int64_t results = op.getResult().getType().getNumElements();
    const int64_t parts = getParts(op, target);
    if (parts == 1)
      return KernelShape::parallel(results);
    KernelShape shape;
    shape.phases.push_back({results * parts, SmallVector<unsigned>()});
    shape.phases.push_back({results, std::nullopt});
    shape.sharedScratchBytes =
        results * parts * getElementBytes(getSumType(op.getResult()));
    return shape;
  }

  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    auto op = cast<nn::ConvFilterGradOp>(getSingleOp(kernel));
    const KernelTensor &result = *getOutput(c, kernel, op.getResult());
    const int64_t parts = getParts(op, c.target);
    Type type = getSumType(op.getResult());
    KernelTensor partial;
    if (parts > 1) {
      const int64_t count = parts * result.numElements();
      partial.type = RankedTensorType::get({count}, type);
      partial.memref = c.scratchView(c.sharedScratch, 0, count, type);
      partial.strides = {1};
    }
    if (c.phase == 1) {
      c.parallel(result.numElements(), [&](Value i) {
        Value init[] = {c.constant(type, 0.0)};
        SmallVector<Value> sum =
            c.loop(parts, init,
                   [&](Value part, ValueRange carried) -> SmallVector<Value> {
                     Value linear = c.add(c.mul(part, result.numElements()), i);
                     return {c.addf(carried[0], c.load(partial, linear))};
                   });
        c.store(result, i, sum[0]);
      });
      return success();
    }
    // Item = (images of a part) x (result).
    c.parallel(parts * result.numElements(), [&](Value item) {
      Value i = parts == 1 ? item : c.rem(item, result.numElements());
      Value part = parts == 1 ? c.index(0) : c.div(item, result.numElements());
      Value sum = emitSum(c, op, i, part, parts);
      if (parts == 1)
        c.store(result, i, sum);
      else
        c.store(partial, item, sum);
    });
    return success();
  }

private:
  /// Into how many parts the batch is cut: about as many items as a large GPU
  /// has threads.
  static int64_t getParts(nn::ConvFilterGradOp op,
                          const TargetDescription &target) {
    if (!target.isGPU)
      return 1;
    constexpr int64_t kItems = 1 << 17;
    const int64_t results = op.getResult().getType().getNumElements();
    const int64_t batch = shapeOf(op.getInput())[0];
    return std::clamp<int64_t>(kItems / std::max<int64_t>(1, results), 1,
                               std::max<int64_t>(1, batch));
  }

  /// The sum of result `i` over the images part, part + parts, ...
  static Value emitSum(EmitContext &c, nn::ConvFilterGradOp op, Value i,
                       Value part, int64_t parts) {
    const KernelTensor &x = getInput(c, op.getInput()),
                       &dy = getInput(c, op.getDy());
    ArrayRef<int64_t> shape = shapeOf(op.getResult());
    const Convolution conv(op, x.type.getShape(), shape, dy.type.getShape());
    Type type = getSumType(op.getResult());
    SmallVector<Value> at = c.delinearize(i, shape); // filter, channel, tap
    Value channel = at[1];
    if (conv.groups > 1)
      channel = c.add(c.mul(c.div(at[0], conv.filters), conv.channels), at[1]);
    SmallVector<int64_t> planeStrides = getRowMajorStrides(conv.y);
    Value init[] = {c.constant(type, 0.0)};
    return c
        .loop(part, c.index(conv.batch), c.index(parts), init,
              [&](Value image, ValueRange carried) {
                Value xStart = c.mul(
                    c.add(c.mul(image, conv.groups * conv.channels), channel),
                    conv.inputPlane);
                Value dyStart = c.mul(
                    c.add(c.mul(image, conv.groups * conv.filters), at[0]),
                    conv.outputPlane);
                return c.loopNest(
                    conv.y, carried,
                    [&](ValueRange position,
                        ValueRange sum) -> SmallVector<Value> {
                      auto [offset, inside] = conv.getInputElement(
                          c, position, ValueRange(at).drop_front(2));
                      Value element = c.add(xStart, offset);
                      Value gradient =
                          c.add(dyStart, c.linearize(position, planeStrides));
                      return emitWhere(c, inside, sum, [&] {
                        return SmallVector<Value>{c.fma(
                            c.convert(c.load(x, element), type),
                            c.convert(c.load(dy, gradient), type), sum[0])};
                      });
                    });
              })
        .front();
  }
};

} // namespace

void conversion::addPlainContractionKernels(KernelRegistry &registry) {
  registry.add(std::make_unique<PlainMatMul>(), 1);
  registry.add(std::make_unique<PlainConvolution<nn::ConvOp>>(), 1);
  registry.add(std::make_unique<PlainConvolution<nn::ConvTransposeOp>>(), 1);
  registry.add(std::make_unique<PlainFilterGrad>(), 1);
}
