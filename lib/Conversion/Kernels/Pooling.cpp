//===- Pooling.cpp - Pooling over one or two axes on a CPU ----------------===//
//
// Vectors lie along a row of the result where all taps are inside the input;
// the positions at its ends are computed one by one. The gradients gather:
// every element of dx adds up what reaches it, so that chunks never collide.
// Along each axis dx is split by phase (x = stride * q + phase), where the taps
// that reach it are known.
//
//===----------------------------------------------------------------------===//

#include "KernelOperands.h"
#include "Kernels.h"
#include "Tile.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;

namespace mpt::conversion {

namespace {
/// One axis of a pooling.
struct PoolAxis {
  int64_t in, out, kernel, stride, pad, dilation;
  /// Results whose taps all lie inside the input: [first, second).
  std::pair<int64_t, int64_t> getInterior() const {
    int64_t low = ceilDiv(pad, stride);
    int64_t reach = in - 1 - dilation * (kernel - 1) + pad;
    int64_t high = reach < 0 ? 0 : std::min(out, reach / stride + 1);
    return {std::min(low, high), high};
  }
  bool isInterior() const {
    return getInterior() == std::pair(int64_t(0), out);
  }
};

struct PoolShape {
  int64_t planes;
  PoolAxis y, x;
  int64_t inSize() const { return y.in * x.in; }
  int64_t outSize() const { return y.out * x.out; }
};
} // namespace

/// Of one or two spatial axes; nothing otherwise.
template <typename Op>
static std::optional<PoolShape> getPoolShape(Op op, Value unpooled,
                                             Value pooled) {
  auto in = cast<RankedTensorType>(unpooled.getType()).getShape();
  auto out = cast<RankedTensorType>(pooled.getType()).getShape();
  const size_t axes = in.size() - 2;
  if (axes > 2)
    return std::nullopt;
  auto axis = [&](size_t i) {
    return PoolAxis{in[i + 2],          out[i + 2],      op.getKernel()[i],
                    op.getStrides()[i], op.getPads()[i], op.getDilations()[i]};
  };
  PoolAxis one{1, 1, 1, 1, 0, 1};
  return PoolShape{in[0] * in[1], axes == 2 ? axis(0) : one, axis(axes - 1)};
}

/// Runs emit(position, width, isInterior) over [0, extent): one by one outside
/// of the interior.
static void forPositions(EmitContext &c, int64_t extent,
                         std::pair<int64_t, int64_t> interior, bool vectors,
                         function_ref<void(Value, int64_t, bool)> emit) {
  int64_t low = interior.first, high = interior.second;
  if (low >= high)
    low = high = extent;
  auto single = [&](int64_t begin, int64_t end, bool inside) {
    if (begin < end)
      c.loop(c.index(begin), c.index(end), c.index(1),
             [&](Value at) { emit(at, 1, inside); });
  };
  single(0, low, false);
  if (vectors)
    vectorRun(c, high - low, [&](Value j, int64_t width) {
      emit(c.add(j, low), width, true);
    });
  else
    single(low, high, true);
  single(high, extent, false);
}

//===----------------------------------------------------------------------===//
// Forward
//===----------------------------------------------------------------------===//

/// Visits the taps of results (oy, ox ...) with the elements they meet,
/// carrying values; taps outside of the input are skipped.
static SmallVector<Value>
forTaps(EmitContext &c, const PoolShape &shape, const KernelTensor &in,
        Value plane, Value oy, Value ox, int64_t width, bool insideX,
        SmallVector<Value> carried,
        function_ref<SmallVector<Value>(int64_t tap, Value element, ValueRange)>
            body) {
  SmallVector<Type> types;
  for (Value value : carried)
    types.push_back(value.getType());
  const bool insideY = shape.y.isInterior();
  Value iy0 = c.sub(c.mul(oy, shape.y.stride), c.index(shape.y.pad));
  Value ix0 = c.sub(c.mul(ox, shape.x.stride), c.index(shape.x.pad));
  for (int64_t ky = 0; ky < shape.y.kernel; ++ky) {
    Value iy = c.add(iy0, ky * shape.y.dilation);
    auto row = [&] {
      SmallVector<Value> values = carried;
      for (int64_t kx = 0; kx < shape.x.kernel; ++kx) {
        Value ix = c.add(ix0, kx * shape.x.dilation);
        auto visit = [&] {
          Value linear = c.add(plane, c.add(c.mul(iy, shape.x.in), ix));
          Value element = loadStrided(c, in, linear, width, shape.x.stride);
          return body(ky * shape.x.kernel + kx, element, values);
        };
        if (insideX)
          values = visit();
        else
          values = c.ifElse(c.isInside(ix, shape.x.in), types, visit,
                            [&] { return values; });
      }
      return values;
    };
    if (insideY)
      carried = row();
    else
      carried = c.ifElse(c.isInside(iy, shape.y.in), types, row,
                         [&] { return carried; });
  }
  return carried;
}

static void storeLanesOf(EmitContext &c, const KernelTensor &to, Value linear,
                         Value value, int64_t width) {
  if (width == 1)
    c.store(to, linear, value);
  else
    c.storeVector(to, linear, value);
}

static Type getElementsType(Type element, int64_t width) {
  return width == 1 ? element : Type(VectorType::get({width}, element));
}

/// Rows of the pooled tensor in parallel; emit(plane, row, ...) for its pieces.
static void
forPooledRows(EmitContext &c, const PoolShape &shape,
              function_ref<void(Value inPlane, Value oy, Value ox,
                                Value outLinear, int64_t width, bool insideX)>
                  emit) {
  c.parallel(shape.planes, [&](Value plane) {
    Value inPlane = c.mul(plane, shape.inSize());
    Value outPlane = c.mul(plane, shape.outSize());
    c.loop(shape.y.out, [&](Value oy) {
      Value outRow = c.add(outPlane, c.mul(oy, shape.x.out));
      forPositions(c, shape.x.out, shape.x.getInterior(), shape.x.stride <= 2,
                   [&](Value ox, int64_t width, bool inside) {
                     emit(inPlane, oy, ox, c.add(outRow, ox), width, inside);
                   });
    });
  });
}

static void emitOp(EmitContext &c, nn::KernelOp kernel, nn::MaxPoolOp op) {
  PoolShape shape = *getPoolShape(op, op.getInput(), op.getResult());
  const KernelTensor &in = getInput(c, op.getInput());
  const KernelTensor *result = getOutput(c, kernel, op.getResult());
  const KernelTensor *taps = getOutput(c, kernel, op.getTaps());
  Type tapType = getElementTypeOrSelf(op.getTaps());
  const bool allInside = shape.y.isInterior();
  forPooledRows(
      c, shape,
      [&](Value inPlane, Value oy, Value ox, Value outLinear, int64_t width,
          bool insideX) {
        Value best = c.constant(getElementsType(c.b.getF32Type(), width),
                                -std::numeric_limits<double>::infinity());
        Value taken = c.constant(getElementsType(c.b.getI32Type(), width), -1);
        Value zero = c.constant(taken.getType(), 0);
        auto values = forTaps(
            c, shape, in, inPlane, oy, ox, width, insideX, {best, taken},
            [&](int64_t tap, Value element, ValueRange carried) {
              Value number = c.constant(taken.getType(), double(tap));
              if (tap == 0 && allInside && insideX)
                return SmallVector<Value>{element, number};
              // Greater, or the first NaN; or the first of all.
              auto compare = [&](arith::CmpFPredicate predicate, Value a,
                                 Value b) {
                return arith::CmpFOp::create(c.b, c.loc, predicate, a, b)
                    .getResult();
              };
              Value better = c.logicalAnd(
                  compare(arith::CmpFPredicate::UGT, element, carried[0]),
                  compare(arith::CmpFPredicate::ORD, carried[0], carried[0]));
              if (!(allInside && insideX))
                better = arith::OrIOp::create(
                    c.b, c.loc, better,
                    arith::CmpIOp::create(c.b, c.loc, arith::CmpIPredicate::slt,
                                          carried[1], zero));
              return SmallVector<Value>{c.select(better, element, carried[0]),
                                        c.select(better, number, carried[1])};
            });
        if (result)
          storeLanesOf(c, *result, outLinear, values[0], width);
        if (!taps)
          return;
        // A window that lies in the padding has tap 0.
        Value number = arith::MaxSIOp::create(c.b, c.loc, values[1], zero);
        if (!tapType.isInteger(32))
          number = arith::TruncIOp::create(
              c.b, c.loc, getElementsType(tapType, width), number);
        storeLanesOf(c, *taps, outLinear, number, width);
      });
}

static void emitOp(EmitContext &c, nn::KernelOp, nn::AvgPoolOp op) {
  PoolShape shape = *getPoolShape(op, op.getInput(), op.getResult());
  const KernelTensor &in = getInput(c, op.getInput());
  const double taps = double(shape.y.kernel * shape.x.kernel);
  forPooledRows(c, shape,
                [&](Value inPlane, Value oy, Value ox, Value outLinear,
                    int64_t width, bool insideX) {
                  Type type = getElementsType(c.b.getF32Type(), width);
                  auto sum = forTaps(
                      c, shape, in, inPlane, oy, ox, width, insideX,
                      {c.constant(type, 0)},
                      [&](int64_t, Value element, ValueRange carried) {
                        return SmallVector<Value>{c.addf(carried[0], element)};
                      });
                  storeLanesOf(c, c.outputs[0], outLinear,
                               c.divf(sum[0], c.constant(type, taps)), width);
                });
}

//===----------------------------------------------------------------------===//
// Backward
//===----------------------------------------------------------------------===//

namespace {
/// A tap that reaches the elements of a phase, from result q + shift.
struct Reach {
  int64_t tap, shift;
};
} // namespace

static SmallVector<Reach> getReaches(const PoolAxis &axis, int64_t phase) {
  SmallVector<Reach> result;
  for (int64_t k = 0; k < axis.kernel; ++k) {
    int64_t distance = phase + axis.pad - k * axis.dilation;
    if (distance % axis.stride == 0)
      result.push_back({k, distance / axis.stride});
  }
  return result;
}

/// dx of the elements stride * q + phase of row iy, `width` consecutive q;
/// term(linear number in the pooled tensor, tap, width) is what a tap adds.
static Value gatherPhase(
    EmitContext &c, const PoolShape &shape, Value outPlane, Value qy,
    ArrayRef<Reach> rows, Value qx, ArrayRef<Reach> columns, int64_t width,
    bool insideX,
    function_ref<Value(Value linear, int64_t tap, int64_t width)> term) {
  Value sum = c.constant(getElementsType(c.b.getF32Type(), width), 0);
  for (const Reach &row : rows) {
    Value oy = c.add(qy, row.shift);
    auto addRow = [&]() -> SmallVector<Value> {
      Value value = sum;
      for (const Reach &column : columns) {
        Value ox = c.add(qx, column.shift);
        auto add = [&] {
          Value linear = c.add(outPlane, c.add(c.mul(oy, shape.x.out), ox));
          return SmallVector<Value>{
              c.addf(value, term(linear, row.tap * shape.x.kernel + column.tap,
                                 width))};
        };
        if (insideX)
          value = add().front();
        else
          value =
              c.ifElse(c.isInside(ox, shape.x.out), value.getType(), add, [&] {
                 return SmallVector<Value>{value};
               }).front();
      }
      return {value};
    };
    sum = c.ifElse(c.isInside(oy, shape.y.out), sum.getType(), addRow, [&] {
             return SmallVector<Value>{sum};
           }).front();
  }
  return sum;
}

static void emitPoolGrad(
    EmitContext &c, const PoolShape &shape, const KernelTensor &dx,
    function_ref<Value(Value linear, int64_t tap, int64_t width)> term) {
  const PoolAxis &x = shape.x, &y = shape.y;
  SmallVector<SmallVector<Reach>> columns;
  // Positions q at which all phases exist and all their taps are results.
  int64_t low = 0, high = x.in / x.stride;
  for (int64_t phase = 0; phase < x.stride; ++phase) {
    columns.push_back(getReaches(x, phase));
    for (const Reach &reach : columns.back()) {
      low = std::max(low, -reach.shift);
      high = std::min(high, x.out - reach.shift);
    }
  }
  const int64_t positions = ceilDiv(x.in, x.stride);
  low = std::min(low, positions);
  high = std::max(high, low);
  c.parallel(shape.planes, [&](Value plane) {
    Value inPlane = c.mul(plane, shape.inSize());
    Value outPlane = c.mul(plane, shape.outSize());
    for (int64_t phaseY = 0; phaseY < std::min(y.stride, y.in); ++phaseY) {
      SmallVector<Reach> rows = getReaches(y, phaseY);
      c.loop(ceilDiv(y.in - phaseY, y.stride), [&](Value qy) {
        Value row =
            c.add(inPlane, c.mul(c.add(c.mul(qy, y.stride), phaseY), x.in));
        forPositions(
            c, positions, {low, high}, x.stride <= 2,
            [&](Value qx, int64_t width, bool inside) {
              SmallVector<Value> phases;
              Value first = c.add(row, c.mul(qx, x.stride));
              if (width == 1) {
                for (int64_t phase = 0; phase < x.stride; ++phase) {
                  auto store = [&] {
                    Value sum = gatherPhase(c, shape, outPlane, qy, rows, qx,
                                            columns[phase], 1, inside, term);
                    c.store(dx, c.add(first, phase), sum);
                  };
                  if (inside || x.in % x.stride == 0) {
                    store();
                    continue;
                  }
                  Value position = c.add(c.mul(qx, x.stride), phase);
                  c.ifThen(c.isInside(position, x.in), store);
                }
                return;
              }
              for (int64_t phase = 0; phase < x.stride; ++phase)
                phases.push_back(gatherPhase(c, shape, outPlane, qy, rows, qx,
                                             columns[phase], width, true,
                                             term));
              if (x.stride == 1) {
                c.storeVector(dx, first, phases[0]);
                return;
              }
              // Even and odd elements take turns.
              for (int64_t half : {0, 1}) {
                SmallVector<int64_t> lanes;
                for (int64_t lane = 0; lane < width; ++lane)
                  lanes.push_back((half * width + lane) / 2 +
                                  (lane % 2) * width);
                c.storeVector(dx, c.add(first, half * width),
                              vector::ShuffleOp::create(c.b, c.loc, phases[0],
                                                        phases[1], lanes));
              }
            });
      });
    }
  });
}

static void emitOp(EmitContext &c, nn::KernelOp, nn::MaxPoolGradOp op) {
  const KernelTensor &dy = getInput(c, op.getDy());
  const KernelTensor &taps = getInput(c, op.getTaps());
  emitPoolGrad(
      c, *getPoolShape(op, op.getResult(), op.getDy()), c.outputs[0],
      [&](Value linear, int64_t tap, int64_t width) {
        auto load = [&](const KernelTensor &tensor) {
          return width == 1 ? c.load(tensor, linear)
                            : c.loadVector(tensor, linear, width);
        };
        Value taken = load(taps), slope = load(dy);
        Value isTaken =
            arith::CmpIOp::create(c.b, c.loc, arith::CmpIPredicate::eq, taken,
                                  c.constant(taken.getType(), double(tap)));
        return c.select(isTaken, slope, c.constant(slope.getType(), 0));
      });
}

static void emitOp(EmitContext &c, nn::KernelOp, nn::AvgPoolGradOp op) {
  const KernelTensor &dy = getInput(c, op.getDy());
  PoolShape shape = *getPoolShape(op, op.getResult(), op.getDy());
  const double taps = double(shape.y.kernel * shape.x.kernel);
  emitPoolGrad(c, shape, c.outputs[0],
               [&](Value linear, int64_t, int64_t width) {
                 Value slope = width == 1 ? c.load(dy, linear)
                                          : c.loadVector(dy, linear, width);
                 return c.divf(slope, c.constant(slope.getType(), taps));
               });
}

//===----------------------------------------------------------------------===//
// The templates
//===----------------------------------------------------------------------===//

namespace {
template <typename Op> class PoolEmitter : public KernelEmitter {
public:
  static constexpr bool isGrad = std::is_same_v<Op, nn::MaxPoolGradOp> ||
                                 std::is_same_v<Op, nn::AvgPoolGradOp>;
  static constexpr bool isMean = std::is_same_v<Op, nn::AvgPoolOp> ||
                                 std::is_same_v<Op, nn::AvgPoolGradOp>;

  static std::optional<PoolShape> getShapeOf(Op op) {
    if constexpr (isGrad)
      return getPoolShape(op, op.getResult(), op.getDy());
    else
      return getPoolShape(op, op.getInput(), op.getResult());
  }
  /// Does every mean divide by the same number?
  static bool hasOneDivisor(Op op, const PoolShape &shape) {
    if constexpr (isMean) {
      if (shape.y.isInterior() && shape.x.isInterior())
        return true;
      if (!op.getCountIncludePad())
        return false;
      // With the padding the input must hold all windows (no ceil_mode excess).
      const size_t axes = op.getKernel().size();
      auto holds = [&](const PoolAxis &axis, int64_t endPad) {
        return (axis.out - 1) * axis.stride +
                   axis.dilation * (axis.kernel - 1) <
               axis.in + axis.pad + endPad;
      };
      return holds(shape.x, op.getPads().back()) &&
             (axes == 1 || holds(shape.y, op.getPads()[axes]));
    }
    return true;
  }

  StringRef getName() const override {
    return Op::getOperationName().drop_front(3);
  }
  bool match(nn::KernelOp kernel,
             const TargetDescription &target) const override {
    auto op = dyn_cast_or_null<Op>(getSingleOp(kernel));
    if (!op || target.isGPU)
      return false;
    auto type = cast<RankedTensorType>(op->getOperand(0).getType());
    auto result = cast<RankedTensorType>(op->getResult(0).getType());
    if (!isa<FloatType>(type.getElementType()) ||
        type.getElementType().isF64() || type.getNumElements() == 0 ||
        result.getNumElements() == 0)
      return false;
    auto shape = getShapeOf(op);
    // Taps are unrolled.
    constexpr int64_t kMaxTaps = 49;
    return shape && shape->y.kernel * shape->x.kernel <= kMaxTaps &&
           shape->x.stride * shape->y.stride <= 16 && hasOneDivisor(op, *shape);
  }
  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &) const override {
    return KernelShape::parallel(
        getShapeOf(cast<Op>(getSingleOp(kernel)))->planes);
  }
  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override {
    emitOp(c, kernel, cast<Op>(getSingleOp(kernel)));
    return success();
  }
};
} // namespace

void addPoolingKernels(KernelRegistry &registry) {
  registry.add(std::make_unique<PoolEmitter<nn::MaxPoolOp>>(), 10);
  registry.add(std::make_unique<PoolEmitter<nn::MaxPoolGradOp>>(), 10);
  registry.add(std::make_unique<PoolEmitter<nn::AvgPoolOp>>(), 10);
  registry.add(std::make_unique<PoolEmitter<nn::AvgPoolGradOp>>(), 10);
}

} // namespace mpt::conversion
