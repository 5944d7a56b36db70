//===- LinalgModels.cpp - Models of structured operations -----------------===//
//
// Named and generic operations alike say in their body what they compute, so
// one model serves all of them: the class is that of the worst operation in the
// body, a sum over products is a contraction, and any other reduction is what
// its combiner is.
//
//===----------------------------------------------------------------------===//

#include "UpstreamModels.h"

#include "mpt/Interfaces/WorkOpInterface.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::upstream;

static constexpr char kTypedScalar[] = "it takes a scalar of the element type";

namespace {
enum class Kind {
  Contraction, // sum of products
  Sum,         // any other reduction that computes new values
  Extremum,    // a reduction that picks one of its elements
  Elementwise,
};
} // namespace

/// The operations by which a body folds an element into its accumulator.
static Kind classify(linalg::LinalgOp op) {
  if (op.getNumReductionLoops() == 0)
    return Kind::Elementwise;
  bool isExtremum = true, adds = false, multiplies = false;
  for (Operation &inner : op.getBlock()->without_terminator()) {
    adds |= isa<arith::AddFOp>(inner);
    multiplies |= isa<arith::MulFOp>(inner);
    isExtremum &= isa<arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp,
                      arith::MinNumFOp>(inner);
  }
  const bool isSimple = llvm::hasSingleElement(op.getDpsInits());
  if (adds && multiplies && isSimple && op.getNumDpsInputs() >= 2)
    return Kind::Contraction;
  return isExtremum ? Kind::Extremum : Kind::Sum;
}

/// The strictest class among the operations of a body, with its reason.
static std::pair<PrecisionClass, StringRef> classifyBody(linalg::LinalgOp op) {
  std::pair<PrecisionClass, StringRef> result = {PrecisionClass::Transparent,
                                                 kMoves};
  for (Operation &inner : op.getBlock()->without_terminator()) {
    if (llvm::none_of(inner.getResultTypes(), llvm::IsaPred<FloatType>))
      continue;
    // A width that the author chose inside a body is not ours to change, and
    // costs nothing: it happens in registers.
    if (inner.hasTrait<OpTrait::ConstantLike>() ||
        isa<arith::ExtFOp, arith::TruncFOp>(inner))
      continue;
    auto interface = dyn_cast<PrecisionOpInterface>(&inner);
    if (!interface)
      return {PrecisionClass::FP32, "its body holds an unknown operation"};
    switch (interface.getPrecisionClass()) {
    case PrecisionClass::FP32:
      return {PrecisionClass::FP32, interface.getPrecisionReason()};
    case PrecisionClass::Transparent:
      break;
    default:
      result = {PrecisionClass::Follow, interface.getPrecisionReason()};
    }
  }
  return result;
}

namespace {
template <typename Op>
struct StructuredModel
    : PrecisionOpInterface::ExternalModel<StructuredModel<Op>, Op> {
  PrecisionClass getPrecisionClass(Operation *op) const {
    return describe(op).first;
  }
  StringRef getPrecisionReason(Operation *op) const {
    return describe(op).second;
  }
  PrecisionReasonKind getPrecisionReasonKind(Operation *op) const {
    return isa<linalg::FillOp>(op) ? PrecisionReasonKind::NoKernel
                                   : PrecisionReasonKind::Unsafe;
  }
  /// An accumulator (`outs`) and its result are FP32.
  bool isOperandPinned(Operation *op, unsigned index) const {
    auto structured = cast<linalg::LinalgOp>(op);
    return structured.isDpsInit(&op->getOpOperand(index)) &&
           accumulates(structured);
  }
  bool isResultPinned(Operation *op, unsigned) const {
    return accumulates(cast<linalg::LinalgOp>(op));
  }
  Type getAccumulatorType(Operation *op) const {
    return accumulates(cast<linalg::LinalgOp>(op))
               ? Type(Float32Type::get(op->getContext()))
               : Type();
  }

private:
  static bool accumulates(linalg::LinalgOp op) {
    const Kind kind = classify(op);
    return kind == Kind::Contraction || kind == Kind::Sum;
  }
  static std::pair<PrecisionClass, StringRef> describe(Operation *op) {
    // What is filled is mostly an accumulator, which is FP32.
    if (isa<linalg::FillOp>(op))
      return {PrecisionClass::FP32, kTypedScalar};
    auto structured = cast<linalg::LinalgOp>(op);
    auto body = classifyBody(structured);
    switch (classify(structured)) {
    case Kind::Contraction:
      // A product of exponentials, say, is not one to narrow.
      if (body.first == PrecisionClass::FP32)
        return body;
      return {PrecisionClass::Low, kContracts};
    case Kind::Sum:
      return {PrecisionClass::FP32, kSums};
    case Kind::Extremum:
      return {PrecisionClass::Transparent, kMoves};
    case Kind::Elementwise:
      return body;
    }
    return body;
  }
};

/// Contractions are products and one operation alone is what it is; of longer
/// bodies nothing is known.
template <typename Op>
struct StructuredScaleModel
    : LossScaleOpInterface::ExternalModel<StructuredScaleModel<Op>, Op> {
  ScaleBehavior getScaleBehavior(Operation *op) const {
    auto structured = cast<linalg::LinalgOp>(op);
    const Kind kind = classify(structured);
    if (kind != Kind::Elementwise && !startsAtZero(structured))
      return ScaleBehavior::NonLinear;
    if (kind == Kind::Contraction)
      return ScaleBehavior::Product;
    auto body = structured.getBlock()->without_terminator();
    if (body.empty())
      return ScaleBehavior::Homogeneous; // copies
    if (!llvm::hasSingleElement(body))
      return ScaleBehavior::NonLinear;
    if (kind == Kind::Sum && isa<arith::AddFOp>(*body.begin()))
      return ScaleBehavior::Homogeneous;
    auto interface = dyn_cast<LossScaleOpInterface>(&*body.begin());
    return kind == Kind::Elementwise && interface ? interface.getScaleBehavior()
                                                  : ScaleBehavior::NonLinear;
  }
  bool isScaledOperand(Operation *op, unsigned index) const {
    return !cast<linalg::LinalgOp>(op).isDpsInit(&op->getOpOperand(index));
  }

private:
  /// Otherwise what is added to has a power of its own.
  static bool startsAtZero(linalg::LinalgOp op) {
    return llvm::all_of(op.getDpsInits(), [](Value init) {
      if (auto fill = init.getDefiningOp<linalg::FillOp>())
        init = fill.getInputs().front();
      return matchPattern(init, m_AnyZeroFloat());
    });
  }
};

/// Every operation of the body per point of the iteration space.
template <typename Op>
struct StructuredWork : WorkOpInterface::ExternalModel<StructuredWork<Op>, Op> {
  double getFlops(Operation *op) const {
    auto structured = cast<linalg::LinalgOp>(op);
    double points = 1;
    for (int64_t extent : structured.getStaticLoopRanges())
      points *= ShapedType::isDynamic(extent) ? 1 : extent;
    return points *
           llvm::range_size(structured.getBlock()->without_terminator());
  }
  /// A destination that the body does not look at is not read.
  int64_t getElementsRead(Operation *op, unsigned index) const {
    auto structured = cast<linalg::LinalgOp>(op);
    OpOperand &operand = op->getOpOperand(index);
    return structured.isDpsInit(&operand) &&
                   !structured.payloadUsesValueFromOperand(&operand)
               ? 0
               : countElements(operand.get().getType());
  }
};

template <typename... Ops> void attachStructured(MLIRContext *context) {
  (Ops::template attachInterface<
       StructuredModel<Ops>, StructuredScaleModel<Ops>, StructuredWork<Ops>>(
       *context),
   ...);
}
} // namespace

void upstream::registerLinalgModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, linalg::LinalgDialect *) {
    // What stands in bodies.
    context->loadDialect<arith::ArithDialect, math::MathDialect>();
    attachStructured<
#define GET_OP_LIST
#include "mlir/Dialect/Linalg/IR/LinalgStructuredOps.cpp.inc"
        >(context);
    attach<linalg::SoftmaxOp, PrecisionClass::FP32, kExponential>(context);
  });
}
