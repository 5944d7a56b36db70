//===- FormKernels.cpp - mpt-form-kernels ---------------------------------===//

#include "mpt/Conversion/Passes.h"
#include "mpt/Conversion/Pointwise.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/MP/IR/StepAttributes.h"

#include "llvm/ADT/IntEqClasses.h"
#include "llvm/ADT/MapVector.h"

namespace mpt {
#define GEN_PASS_DEF_FORMKERNELSPASS
#include "mpt/Conversion/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;
using namespace mpt::conversion;

/// The kind of the kernel an operation is alone in; empty for operations that
/// cannot be lowered.
static StringRef getKind(Operation *op) {
  if (isPointwiseOp(op))
    return kPointwiseKind;
  if (isa<nn::MatMulOp>(op))
    return "contraction";
  if (isa<nn::ConvOp, nn::ConvTransposeOp, nn::ConvFilterGradOp>(op))
    return "conv";
  if (isa<nn::MaxPoolOp, nn::MaxPoolGradOp, nn::AvgPoolOp, nn::AvgPoolGradOp>(
          op))
    return "pool";
  if (isa<nn::SoftmaxOp, nn::SoftmaxGradOp, nn::LogSoftmaxOp,
          nn::LogSoftmaxGradOp>(op))
    return "softmax";
  if (isa<nn::BatchNormInferenceOp, nn::BatchNormTrainingOp,
          nn::BatchNormGradOp, nn::LayerNormOp, nn::LayerNormGradOp,
          nn::RMSNormOp, nn::RMSNormGradOp, nn::GroupNormOp,
          nn::GroupNormGradOp>(op))
    return "norm";
  if (isa<nn::ReduceSumOp, nn::ReduceMeanOp, nn::ReduceMaxOp, nn::ReduceMinOp,
          nn::ReduceProdOp, nn::ArgMaxOp, nn::ArgMinOp, nn::CumSumOp>(op))
    return "reduce";
  if (isa<nn::SoftmaxCrossEntropyOp, nn::SoftmaxCrossEntropyGradOp,
          nn::CTCLossOp, nn::CTCLossGradOp, nn::MSELossOp, nn::L1LossOp,
          nn::BCEWithLogitsLossOp>(op))
    return "loss";
  if (isa<nn::TransposeOp, nn::ConcatOp, nn::SplitOp, nn::SliceOp,
          nn::SliceGradOp, nn::PadOp, nn::PadGradOp>(op))
    return "shape";
  if (isa<nn::GatherOp, nn::GatherGradOp, nn::GatherElementsOp,
          nn::GatherElementsGradOp, nn::GatherNDOp, nn::GatherNDGradOp,
          nn::TopKOp>(op))
    return "gather";
  if (isa<mp::AllFiniteOp>(op))
    return "finite";
  return "";
}

static ArrayRef<int64_t> getShape(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape();
}

static bool isSplatConstant(Value value) {
  auto constant = value.getDefiningOp<nn::ConstantOp>();
  if (!constant)
    return false;
  auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
  return elements && elements.isSplat();
}

namespace {

/// The clusters of one block. Cluster numbers are joined like disjoint sets.
class Clusters {
public:
  explicit Clusters(int64_t maxOps) : maxOps(maxOps) {}

  void addPointwise(Operation *op) {
    ArrayRef<int64_t> shape = getShape(op->getResult(0));
    // Clusters that `op` may join: of its producers and of operations that
    // read what it reads.
    int cluster = -1;
    auto consider = [&](int candidate) {
      if (candidate < 0)
        return;
      candidate = find(candidate);
      if (candidate == cluster || !canJoin(candidate, shape, 1))
        return;
      if (cluster < 0)
        cluster = candidate;
      else if (canJoin(candidate, shape, int64_t(members[cluster].size()) + 1))
        cluster = merge(cluster, candidate);
    };
    for (Value operand : op->getOperands())
      if (Operation *producer = operand.getDefiningOp())
        if (auto it = clusterOf.find(producer); it != clusterOf.end())
          consider(it->second);
    for (Value operand : op->getOperands())
      if (getShape(operand) == shape && !isSplatConstant(operand))
        if (auto it = readers.find(operand); it != readers.end())
          consider(it->second);
    closeProducers(op, cluster);
    if (cluster < 0) {
      cluster = parents.size();
      parents.push_back(cluster);
      open.push_back(true);
      members.emplace_back();
    }
    members[cluster].push_back(op);
    clusterOf[op] = cluster;
    for (Value operand : op->getOperands())
      readers[operand] = cluster;
  }

  /// An operation that stays alone: whatever it reads is final.
  void addOther(Operation *op) { closeProducers(op, -1); }

  SmallVector<SmallVector<Operation *>> take() {
    SmallVector<SmallVector<Operation *>> result;
    for (auto [number, parent] : llvm::enumerate(parents))
      if (parent == int(number))
        result.push_back(std::move(members[number]));
    return result;
  }

private:
  int find(int cluster) {
    while (parents[cluster] != cluster)
      cluster = parents[cluster] = parents[parents[cluster]];
    return cluster;
  }
  bool canJoin(int cluster, ArrayRef<int64_t> shape, int64_t more) {
    return open[cluster] && int64_t(members[cluster].size()) + more <= maxOps &&
           getShape(members[cluster].front()->getResult(0)) == shape;
  }
  int merge(int a, int b) {
    if (members[a].size() < members[b].size())
      std::swap(a, b);
    parents[b] = a;
    llvm::append_range(members[a], members[b]);
    members[b].clear();
    return a;
  }
  /// Clusters that `op` reads from without being their member end here: a
  /// later member would have to stand behind `op` as well as before it.
  void closeProducers(Operation *op, int own) {
    for (Value operand : op->getOperands()) {
      Operation *producer = operand.getDefiningOp();
      // A view stands for what it shows.
      while (producer && isa<nn::ReshapeOp>(producer))
        producer = producer->getOperand(0).getDefiningOp();
      if (!producer)
        continue;
      if (auto it = clusterOf.find(producer); it != clusterOf.end())
        if (int cluster = find(it->second); cluster != own)
          open[cluster] = false;
    }
  }

  int64_t maxOps;
  SmallVector<int> parents;
  SmallVector<bool> open;
  SmallVector<SmallVector<Operation *>> members;
  DenseMap<Operation *, int> clusterOf;
  DenseMap<Value, int> readers; // the last cluster that reads a value
};

class FormKernels : public mpt::impl::FormKernelsPassBase<FormKernels> {
public:
  using FormKernelsPassBase::FormKernelsPassBase;

  void runOnOperation() override {
    func::FuncOp func = getOperation();
    if (func.isExternal())
      return;
    if (!func.getBody().hasOneBlock()) {
      func.emitError("kernels are formed in functions of one block");
      return signalPassFailure();
    }
    Block &block = func.getBody().front();
    dropDeadOps(block);
    if (failed(checkOps(block)))
      return signalPassFailure();

    Clusters clusters(maxOps);
    SmallVector<Operation *> others;
    for (Operation &op : block.without_terminator()) {
      if (isa<nn::KernelOp>(op)) {
        clusters.addOther(&op);
      } else if (isa<nn::ReshapeOp>(op)) {
        clusters.addOther(&op);
      } else if (isa<nn::ConstantOp>(op)) {
        continue;
      } else if (isPointwiseOp(&op) && !op.hasAttr(mp::kAccumulateAttrName)) {
        clusters.addPointwise(&op);
      } else {
        clusters.addOther(&op);
        others.push_back(&op);
      }
    }
    for (Operation *op : others)
      makeKernel({op}, getKind(op));
    for (SmallVector<Operation *> &cluster : clusters.take()) {
      llvm::sort(cluster, [](Operation *a, Operation *b) {
        return a->isBeforeInBlock(b);
      });
      makeKernel(cluster, kPointwiseKind);
    }
    dropDeadOps(block);
  }

private:
  static void dropDeadOps(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (isOpTriviallyDead(&op))
        op.erase();
  }

  static LogicalResult checkOps(Block &block) {
    for (Operation &op : block.without_terminator()) {
      if (isa<nn::KernelOp, nn::ReshapeOp, nn::ConstantOp>(op)) {
      } else if (auto node = dyn_cast<nn::OnnxNodeOp>(op)) {
        return node.emitError()
               << "no kernel for the ONNX operation " << node.getOpType()
               << (node.getDomain().empty() ? "" : " of domain ")
               << node.getDomain() << "; use --target=reference or remove it";
      } else if (getKind(&op).empty()) {
        return op.emitError()
               << "no kernel for '" << op.getName() << "' on this target";
      }
      for (Type type : op.getResultTypes()) {
        auto tensor = dyn_cast<RankedTensorType>(type);
        if (!tensor || !tensor.hasStaticShape() ||
            !tensor.getElementType().isIntOrFloat())
          return op.emitError() << "compiled steps need static shapes and "
                                   "number types, but this has "
                                << type;
      }
    }
    return success();
  }

  static void makeKernel(ArrayRef<Operation *> ops, StringRef kind) {
    Operation *last = ops.back();
    OpBuilder b(last->getContext());
    b.setInsertionPointAfter(last);
    llvm::SmallPtrSet<Operation *, 16> inside(ops.begin(), ops.end());
    SmallVector<Value> outputs;
    for (Operation *op : ops)
      for (Value result : op->getResults())
        if (kind != kPointwiseKind ||
            llvm::any_of(result.getUsers(), [&](Operation *user) {
              return !inside.contains(user);
            }))
          outputs.push_back(result);
    llvm::SetVector<Value> inputs;
    SmallVector<Value> constants;
    for (Operation *op : ops)
      for (Value operand : op->getOperands()) {
        if (Operation *producer = operand.getDefiningOp();
            producer && inside.contains(producer))
          continue;
        if (kind == kPointwiseKind && isSplatConstant(operand)) {
          if (!llvm::is_contained(constants, operand))
            constants.push_back(operand);
        } else {
          inputs.insert(operand);
        }
      }
    SmallVector<Location> locations;
    for (Operation *op : ops)
      locations.push_back(op->getLoc());
    Location loc = ops.size() == 1 ? ops[0]->getLoc()
                                   : FusedLoc::get(b.getContext(), locations);
    auto kernel =
        nn::KernelOp::create(b, loc, ValueRange(outputs).getTypes(),
                             inputs.getArrayRef(), b.getStringAttr(kind));
    Block *body = &kernel.getBody().emplaceBlock();
    DenseMap<Value, Value> mapping;
    for (Value input : inputs)
      mapping[input] = body->addArgument(input.getType(), input.getLoc());
    b.setInsertionPointToStart(body);
    for (Value constant : constants)
      mapping[constant] = b.clone(*constant.getDefiningOp())->getResult(0);
    // Uses outside go to the kernel's results.
    for (auto [output, result] : llvm::zip_equal(outputs, kernel.getResults()))
      output.replaceUsesWithIf(result, [&](OpOperand &use) {
        return !inside.contains(use.getOwner());
      });
    for (Operation *op : ops) {
      op->moveBefore(body, body->end());
      for (OpOperand &operand : op->getOpOperands())
        if (Value inner = mapping.lookup(operand.get()))
          operand.set(inner);
    }
    b.setInsertionPointToEnd(body);
    nn::YieldOp::create(b, loc, outputs);
  }
};

} // namespace
