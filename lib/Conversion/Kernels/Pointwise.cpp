//===- Pointwise.cpp - Clusters of elementwise operations -----------------===//
//
// All operations of the cluster have one iteration shape; operands broadcast to
// it. Adjacent axes that every operand treats alike are joined, so that most
// clusters become one loop, and the rest rows of contiguous vectors:
//
//   for every row (share of this chunk)
//     for every block of the row: vectors, then single elements
//
// 16-bit values are f32 inside; all loads of an iteration come before its
// stores, so that an output may take an operand's place.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "PointwiseOps.h"

#include "mpt/Conversion/Pointwise.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

namespace {

/// Elements a work item has at most (CPU): some microseconds of work.
constexpr int64_t kBlock = 4096;

/// The iteration space after joining axes: outer axes and a row.
struct Space {
  SmallVector<int64_t> shape; // the iteration shape
  SmallVector<int64_t> axes;  // joined extents, the last one is the row
  /// Per kernel operand: its stride (in elements) along every joined axis; the
  /// row's is 0 or 1.
  SmallVector<SmallVector<int64_t>> strides;
  int64_t row() const { return axes.back(); }
  int64_t rows() const {
    int64_t result = 1;
    for (int64_t extent : ArrayRef(axes).drop_back())
      result *= extent;
    return result;
  }
};

/// Shape of a kernel operand padded with ones to the iteration rank.
SmallVector<int64_t> padShape(ArrayRef<int64_t> shape, size_t rank) {
  SmallVector<int64_t> padded(rank - std::min(rank, shape.size()), 1);
  llvm::append_range(padded, shape);
  return padded;
}

Space getSpace(nn::KernelOp kernel) {
  Space space;
  space.shape = llvm::to_vector(getIterationShape(kernel));
  const size_t rank = space.shape.size();
  SmallVector<SmallVector<int64_t>> shapes, strides;
  for (Type type : kernel.getOperandTypes()) {
    auto tensor = cast<RankedTensorType>(type);
    // One element, whatever the rank, has stride 0 everywhere.
    if (tensor.getNumElements() == 1)
      shapes.push_back(SmallVector<int64_t>(rank, 1));
    else
      shapes.push_back(padShape(tensor.getShape(), rank));
    strides.push_back(getRowMajorStrides(shapes.back()));
  }
  space.strides.resize(shapes.size());
  for (size_t axis = 0; axis < rank; ++axis) {
    const int64_t extent = space.shape[axis];
    if (extent == 1)
      continue;
    SmallVector<int64_t> axisStrides;
    for (size_t i = 0; i < shapes.size(); ++i)
      axisStrides.push_back(shapes[i][axis] == 1 ? 0 : strides[i][axis]);
    // Joins the axis before if every operand steps through both alike.
    bool joins = !space.axes.empty();
    for (size_t i = 0; i < shapes.size() && joins; ++i)
      joins = space.strides[i].back() == axisStrides[i] * extent;
    if (joins) {
      space.axes.back() *= extent;
      for (size_t i = 0; i < shapes.size(); ++i)
        space.strides[i].back() = axisStrides[i];
      continue;
    }
    space.axes.push_back(extent);
    for (size_t i = 0; i < shapes.size(); ++i)
      space.strides[i].push_back(axisStrides[i]);
  }
  if (space.axes.empty()) {
    space.axes.push_back(1);
    for (auto &operandStrides : space.strides)
      operandStrides.push_back(0);
  }
  return space;
}

/// Elements per vector: two registers of f32 where there is room for it; on a
/// GPU what makes 16-byte accesses of the narrowest type.
int64_t getLanes(nn::KernelOp kernel, const TargetDescription &target) {
  if (!target.isGPU) {
    int64_t numOps = 0;
    for (Operation &op : kernel.getBody().front())
      numOps += !isa<nn::ConstantOp>(op);
    return numOps <= 12 ? 2 * target.lanes() : target.lanes();
  }
  int64_t bytes = 4;
  auto look = [&](TypeRange types) {
    for (Type type : types) {
      auto tensor = cast<RankedTensorType>(type);
      if (tensor.getNumElements() > 1 &&
          isa<FloatType>(tensor.getElementType()))
        bytes = std::min(bytes, getElementBytes(tensor.getElementType()));
    }
  };
  look(kernel.getOperandTypes());
  look(kernel.getResultTypes());
  return 16 / bytes;
}

class PointwiseEmitter : public KernelEmitter {
public:
  StringRef getName() const override { return "pointwise"; }

  bool match(nn::KernelOp kernel, const TargetDescription &) const override {
    return kernel.getKind() == kPointwiseKind;
  }

  KernelShape getShape(nn::KernelOp kernel,
                       const TargetDescription &target) const override {
    Space space = getSpace(kernel);
    KernelShape shape =
        KernelShape::parallel(getWorkItems(kernel, space, target));
    shape.inPlace = true;
    return shape;
  }

  LogicalResult emit(EmitContext &c, nn::KernelOp kernel) const override;

private:
  static int64_t getBlock(nn::KernelOp kernel,
                          const TargetDescription &target) {
    return target.isGPU ? getLanes(kernel, target) : kBlock;
  }
  static int64_t getWorkItems(nn::KernelOp kernel, const Space &space,
                              const TargetDescription &target) {
    return std::max<int64_t>(
        1,
        space.rows() * llvm::divideCeil(space.row(), getBlock(kernel, target)));
  }
};

/// The body of one emitted iteration, and what stays the same over all.
class ClusterWriter {
public:
  ClusterWriter(EmitContext &c, nn::KernelOp kernel, const Space &space)
      : c(c), kernel(kernel), space(space) {}

  /// Loads operands of one element and computes what depends on them alone.
  LogicalResult emitPrologue();
  /// One vector (or element, lanes = 0) at `position` of the row that starts at
  /// `offsets` (per operand) and at `rowStart` (of the iteration space).
  LogicalResult emitIteration(ArrayRef<Value> offsets, Value rowStart,
                              Value position, int64_t lanes, bool aligned);

private:
  int64_t alignmentOf(const KernelTensor &tensor, int64_t lanes) const {
    return std::min<int64_t>(
        16, llvm::bit_floor(
                uint64_t(lanes * getElementBytes(tensor.elementType()))));
  }
  Value getSplat(Value scalar, int64_t lanes) {
    return lanes ? c.splat(scalar, lanes) : scalar;
  }
  LogicalResult fail(Operation *op) {
    return kernel.emitError("'")
           << op->getName() << "' is not a pointwise operation";
  }

  EmitContext &c;
  nn::KernelOp kernel;
  const Space &space;
  llvm::DenseMap<Value, Value> scalars; // values of one element
  llvm::DenseMap<Operation *, SmallVector<Value>> uniforms;
};

} // namespace

LogicalResult ClusterWriter::emitPrologue() {
  Block &body = kernel.getBody().front();
  const bool scalarSpace = space.row() == 1 && space.rows() == 1;
  for (auto [argument, tensor] : llvm::zip_equal(body.getArguments(), c.inputs))
    if (tensor.numElements() == 1 && !scalarSpace)
      scalars[argument] = c.load(tensor, c.index(0));
  for (Operation &op : body.without_terminator()) {
    if (auto constant = dyn_cast<nn::ConstantOp>(op)) {
      auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
      if (!elements || !elements.isSplat())
        return kernel.emitError("a constant in a pointwise kernel is a splat");
      Type element = elements.getElementType();
      Type type = getComputeType(element);
      TypedAttr attr;
      if (isa<FloatType>(element)) {
        APFloat value = elements.getSplatValue<APFloat>();
        bool loses;
        value.convert(cast<FloatType>(type).getFloatSemantics(),
                      APFloat::rmNearestTiesToEven, &loses);
        attr = FloatAttr::get(type, value);
      } else {
        attr = IntegerAttr::get(type, elements.getSplatValue<APInt>());
      }
      scalars[constant.getResult()] =
          arith::ConstantOp::create(c.b, c.loc, attr);
      continue;
    }
    if (scalarSpace)
      continue;
    SmallVector<Value> operands;
    for (Value operand : op.getOperands())
      operands.push_back(scalars.lookup(operand));
    SmallVector<Value> values = emitUniforms(c, &op, operands);
    if (!values.empty())
      uniforms[&op] = std::move(values);
  }
  return success();
}

LogicalResult ClusterWriter::emitIteration(ArrayRef<Value> offsets,
                                           Value rowStart, Value position,
                                           int64_t lanes, bool aligned) {
  Block &body = kernel.getBody().front();
  llvm::DenseMap<Value, Value> values;
  for (auto [i, argument] : llvm::enumerate(body.getArguments())) {
    if (scalars.contains(argument))
      continue;
    const KernelTensor &tensor = c.inputs[i];
    const int64_t stride = space.strides[i].back();
    Value linear = c.add(offsets[i], c.mul(position, stride));
    if (!lanes)
      values[argument] = c.load(tensor, linear);
    else if (stride == 0)
      values[argument] = c.splat(c.load(tensor, linear), lanes);
    else
      values[argument] = c.loadVector(tensor, linear, lanes,
                                      aligned ? alignmentOf(tensor, lanes) : 0);
  }
  Value linear = c.add(rowStart, position);
  auto lookup = [&](Value value) -> Value {
    if (Value scalar = scalars.lookup(value)) {
      // A splat per use; CSE joins them.
      return getSplat(scalar, lanes);
    }
    return values.lookup(value);
  };
  for (Operation &op : body.without_terminator()) {
    if (isa<nn::ConstantOp>(op))
      continue;
    PointwiseOperands operands;
    operands.element = {linear, lanes};
    for (Value operand : op.getOperands())
      operands.values.push_back(lookup(operand));
    SmallVector<Value> own;
    if (auto it = uniforms.find(&op); it != uniforms.end())
      own = it->second;
    else
      own = emitUniforms(c, &op, operands.values);
    operands.uniforms = own;
    FailureOr<PointwiseResults> results = emitPointwise(c, &op, operands);
    if (failed(results) || results->size() != op.getNumResults())
      return fail(&op);
    for (auto [result, value] : llvm::zip_equal(op.getResults(), *results))
      values[result] = value;
  }
  Operation *yield = body.getTerminator();
  for (auto [i, operand] : llvm::enumerate(yield->getOperands())) {
    Value value = lookup(operand);
    if (lanes)
      c.storeVector(c.outputs[i], linear, value,
                    aligned ? alignmentOf(c.outputs[i], lanes) : 0);
    else
      c.store(c.outputs[i], linear, value);
  }
  return success();
}

LogicalResult PointwiseEmitter::emit(EmitContext &c,
                                     nn::KernelOp kernel) const {
  const Space space = getSpace(kernel);
  const int64_t row = space.row();
  const int64_t lanes = getLanes(kernel, c.target);
  const int64_t block = getBlock(kernel, c.target);
  const int64_t blocks = llvm::divideCeil(row, block);
  const bool aligned = space.rows() == 1 || row % lanes == 0;
  ClusterWriter writer(c, kernel, space);
  if (space.rows() * row == 0)
    return success();
  if (failed(writer.emitPrologue()))
    return failure();

  LogicalResult result = success();
  auto emitAt = [&](ArrayRef<Value> offsets, Value rowStart, Value position,
                    int64_t width) {
    if (failed(writer.emitIteration(offsets, rowStart, position, width,
                                    aligned && width)))
      result = failure();
  };
  c.parallel(space.rows() * blocks, [&](Value item) {
    Value rowNumber = c.div(item, blocks);
    Value start = c.mul(c.rem(item, blocks), block);
    SmallVector<Value> outer =
        c.delinearize(rowNumber, ArrayRef(space.axes).drop_back());
    SmallVector<Value> offsets;
    for (const auto &strides : space.strides)
      offsets.push_back(c.linearize(outer, ArrayRef(strides).drop_back()));
    Value rowStart = c.mul(rowNumber, row);
    // Vectors up to the last whole one of the row, then single elements.
    Value end = c.min(c.add(start, block), c.index(row));
    const int64_t whole = row / lanes * lanes;
    Value vectorEnd = c.min(end, c.index(whole));
    if (c.target.isGPU) {
      // A block is one vector.
      if (whole > 0)
        c.ifThen(c.cmp(arith::CmpIPredicate::slt, start, c.index(whole)),
                 [&] { emitAt(offsets, rowStart, start, lanes); });
    } else if (whole > 0) {
      c.loop(start, vectorEnd, c.index(lanes), [&](Value position) {
        emitAt(offsets, rowStart, position, lanes);
      });
    }
    if (whole < row)
      c.loop(c.max(start, c.index(whole)), end, c.index(1),
             [&](Value position) { emitAt(offsets, rowStart, position, 0); });
  });
  return result;
}

FailureOr<PointwiseResults>
conversion::emitPointwise(EmitContext &c, Operation *op,
                          const PointwiseOperands &operands) {
  for (auto emitFamily :
       {emitUnary, emitActivationGrad, emitBinary, emitTraining}) {
    PointwiseResults results = emitFamily(c, op, operands);
    if (!results.empty())
      return results;
  }
  return failure();
}

void conversion::addPointwiseKernels(KernelRegistry &registry) {
  registry.add(std::make_unique<PointwiseEmitter>(), 1);
}
