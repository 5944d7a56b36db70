//===- RecomputePlan.cpp - What the backward pass computes again ----------===//

#include "RecomputePlan.h"

#include "mpt/Analysis/FlopCount.h"
#include "mpt/Analysis/MinCut.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Dialect/MP/IR/StepAttributes.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace mpt;

/// Operands, and what the operations inside read from outside.
template <typename Visit> static void forEachRead(Operation *op, Visit visit) {
  for (OpOperand &operand : op->getOpOperands())
    visit(operand);
  if (op->getNumRegions() == 0)
    return;
  for (Region &region : op->getRegions())
    region.walk([&](Operation *nested) {
      for (OpOperand &operand : nested->getOpOperands())
        if (!region.isAncestor(operand.get().getParentRegion()))
          visit(operand);
    });
}

static bool isRepeatable(Operation *op) {
  return op->getNumRegions() == 0 && isMemoryEffectFree(op) &&
         !isa<nn::OnnxNodeOp>(op);
}

static bool isView(Operation *op) { return isa<nn::ReshapeOp>(op); }

RecomputeProblem::RecomputeProblem(func::FuncOp function)
    : function(function),
      terminator(function.getBody().front().getTerminator()) {
  if (auto parts =
          function->getAttrOfType<IntegerAttr>(mp::kMicroBatchesAttrName))
    microBatches = std::max<int64_t>(parts.getInt(), 1);
  for (Operation &op : function.getBody().front().without_terminator()) {
    if (op.hasTrait<OpTrait::ConstantLike>())
      continue;
    numbers[&op] = nodes.size();
    nodes.push_back({&op, Pass::Backward, isRepeatable(&op), 0, 0});
  }
  classify();
  llvm::DenseSet<Value> seen;
  for (Node &node : nodes) {
    node.flops = countFlops(node.op);
    totalFlops += node.flops;
    if (!isView(node.op)) {
      for (Value operand : node.op->getOperands())
        node.traffic += bytesOf(operand);
      for (Value result : node.op->getResults())
        node.traffic += bytesOf(result);
    }
    if (node.pass == Pass::Backward)
      forEachRead(node.op, [&](OpOperand &read) {
        auto producer = producerOf(read.get());
        if (producer && nodes[*producer].pass != Pass::Backward &&
            seen.insert(read.get()).second)
          backwardReads.push_back(read.get());
      });
  }
}

/// What depends on the seed of the gradient or on the loss scale is the
/// backward pass. Of the rest, forward is what a result needs; the others only
/// serve the backward pass (casts of activations, cosines for a sine's
/// gradient).
void RecomputeProblem::classify() {
  auto isBackwardValue = [&](Value value) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      return argument.getOwner() == &function.getBody().front() &&
             mp::getArgRole(function, argument.getArgNumber()) ==
                 mp::Role::LossScale;
    auto producer = producerOf(value);
    return producer && nodes[*producer].pass == Pass::Backward;
  };
  for (Node &node : nodes) {
    bool isBackward = isa<mp::LossSeedOp>(node.op);
    forEachRead(node.op, [&](OpOperand &read) {
      isBackward |= isBackwardValue(read.get());
    });
    node.pass = isBackward ? Pass::Backward : Pass::ForBackward;
  }
  auto need = [&](Value value) {
    auto producer = producerOf(value);
    if (producer && nodes[*producer].pass == Pass::ForBackward)
      nodes[*producer].pass = Pass::Forward;
  };
  for (Value result : terminator->getOperands())
    need(result);
  for (Node &node : llvm::reverse(nodes))
    if (node.pass == Pass::Forward)
      forEachRead(node.op, [&](OpOperand &read) { need(read.get()); });
}

int64_t RecomputeProblem::bytesOf(Value value) const {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.hasStaticShape() || !type.getElementType().isIntOrFloat())
    return 0;
  constexpr int64_t kAlignment = 64;
  return llvm::alignTo(type.getNumElements() *
                           llvm::divideCeil(type.getElementTypeBitWidth(), 8),
                       kAlignment);
}

std::optional<RecomputeProblem::Number>
RecomputeProblem::producerOf(Value value) const {
  Operation *op = value.getDefiningOp();
  auto it = op ? numbers.find(op) : numbers.end();
  if (it == numbers.end())
    return std::nullopt;
  return it->second;
}

bool RecomputeProblem::runsAgain(const std::vector<bool> &again,
                                 Value value) const {
  auto producer = producerOf(value);
  return producer && again[*producer];
}

//===----------------------------------------------------------------------===//
// The cut
//===----------------------------------------------------------------------===//

RecomputePlan RecomputeProblem::solve(const RecomputePrices &prices) const {
  // Capacities are bytes; infinity is more than all of them together.
  constexpr double kMostFinite = 1LL << 40;
  auto capacity = [&](double bytes) {
    return static_cast<MinCut::Capacity>(
        std::ceil(std::min(bytes, kMostFinite)));
  };
  auto price = [&](const Node &node) -> std::optional<MinCut::Capacity> {
    bool contracts = isContraction(node.op);
    if (!node.repeatable || (contracts && !prices.flop))
      return std::nullopt;
    // It runs once in any case.
    if (node.pass == Pass::ForBackward)
      return 0;
    return capacity(
        prices.byteMoved * static_cast<double>(node.traffic) +
        (contracts ? *prices.flop * static_cast<double>(node.flops) : 0));
  };

  // Only what the backward pass may reach has nodes. An operation that must
  // not run again is the sink itself.
  MinCut cut;
  llvm::DenseMap<Value, uint32_t> valueNodes;
  llvm::DenseMap<Number, uint32_t> opNodes;
  std::vector<Value> pending;
  struct Arc {
    uint32_t from, to;
  };
  std::vector<Arc> infinite;
  MinCut::Capacity finite = 0;
  auto nodeOf = [&](Value value) {
    auto [it, isNew] = valueNodes.try_emplace(value, 0);
    if (isNew) {
      it->second = cut.addNode();
      pending.push_back(value);
    }
    return it->second;
  };
  std::vector<uint32_t> needed;
  for (Value value : backwardReads)
    needed.push_back(nodeOf(value));
  while (!pending.empty()) {
    Value value = pending.back();
    pending.pop_back();
    uint32_t valueNode = valueNodes.lookup(value);
    Number number = *producerOf(value);
    const Node &node = nodes[number];
    MinCut::Capacity keep = bytesOf(value);
    finite += keep;
    std::optional<MinCut::Capacity> repeat = price(node);
    if (!repeat) {
      cut.addTerminals(valueNode, 0, keep);
      continue;
    }
    auto [it, isNew] = opNodes.try_emplace(number, 0);
    if (isNew) {
      it->second = cut.addNode();
      cut.addTerminals(it->second, 0, *repeat);
      finite += *repeat;
      for (Value operand : node.op->getOperands())
        if (producerOf(operand))
          infinite.push_back({it->second, nodeOf(operand)});
    }
    cut.addArc(valueNode, opNodes.lookup(number), keep);
  }
  const MinCut::Capacity infinity = finite + 1;
  for (uint32_t node : needed)
    cut.addTerminals(node, infinity, 0);
  for (Arc arc : infinite)
    cut.addArc(arc.from, arc.to, infinity);

  MinCut::Result result = cut.solve();
  RecomputePlan plan;
  plan.again.assign(nodes.size(), false);
  for (auto [number, node] : opNodes)
    plan.again[number] = result.onSourceSide[node];
  measure(plan, schedule(plan.again));
  return plan;
}

//===----------------------------------------------------------------------===//
// The order of execution
//===----------------------------------------------------------------------===//

std::vector<std::pair<RecomputeProblem::Number, bool>>
RecomputeProblem::schedule(const std::vector<bool> &again) const {
  // Operations that only serve the backward pass run early when their results
  // are kept, or when such an operation reads them.
  std::vector<bool> early(nodes.size(), false);
  for (Number n = nodes.size(); n-- > 0;) {
    const Node &node = nodes[n];
    if (node.pass == Pass::Backward)
      continue;
    early[n] = early[n] || node.pass == Pass::Forward || !again[n];
    if (early[n])
      forEachRead(node.op, [&](OpOperand &read) {
        if (auto producer = producerOf(read.get()))
          early[*producer] = true;
      });
  }
  // They run right behind the last operation they read.
  std::vector<Number> base(nodes.size());
  std::vector<std::vector<Number>> behind(nodes.size());
  for (Number n = 0; n < nodes.size(); ++n) {
    base[n] = n;
    if (nodes[n].pass != Pass::ForBackward || !early[n])
      continue;
    std::optional<Number> last;
    forEachRead(nodes[n].op, [&](OpOperand &read) {
      if (auto producer = producerOf(read.get()))
        last = std::max(last.value_or(0), base[*producer]);
    });
    if (last) {
      base[n] = *last;
      behind[*last].push_back(n);
    }
  }
  std::vector<std::pair<Number, bool>> order;
  order.reserve(nodes.size());
  std::vector<bool> copied(nodes.size(), false);
  std::vector<std::pair<Number, bool>> stack; // with: operands are there
  auto emitCopy = [&](Number number) {
    stack.push_back({number, false});
    while (!stack.empty()) {
      auto [n, ready] = stack.back();
      stack.pop_back();
      if (copied[n])
        continue;
      if (ready) {
        copied[n] = true;
        order.push_back({n, true});
        continue;
      }
      stack.push_back({n, true});
      for (Value operand : llvm::reverse(nodes[n].op->getOperands()))
        if (runsAgain(again, operand))
          stack.push_back({*producerOf(operand), false});
    }
  };
  for (Number n = 0; n < nodes.size(); ++n) {
    const Node &node = nodes[n];
    if (node.pass == Pass::Backward)
      forEachRead(node.op, [&](OpOperand &read) {
        if (runsAgain(again, read.get()))
          emitCopy(*producerOf(read.get()));
      });
    if (node.pass == Pass::ForBackward && (!early[n] || base[n] != n))
      continue;
    order.push_back({n, false});
    for (Number follower : behind[n])
      order.push_back({follower, false});
  }
  return order;
}

RecomputePlan RecomputeProblem::evaluateToday() const {
  RecomputePlan plan;
  plan.again.assign(nodes.size(), false);
  std::vector<std::pair<Number, bool>> order;
  for (Number n = 0; n < nodes.size(); ++n)
    order.push_back({n, false});
  measure(plan, order);
  return plan;
}

void RecomputeProblem::measure(RecomputePlan &plan,
                               ArrayRef<std::pair<Number, bool>> order) const {
  // Every execution makes buffers of its own, views apart.
  struct Buffer {
    int64_t bytes;
    size_t begin, end;
    bool isForward, isKept;
  };
  std::vector<Buffer> buffers;
  constexpr int64_t kNone = -1;
  llvm::DenseMap<Value, int64_t> originals, copies;
  auto bufferOf = [&](Value value, bool ofCopy) {
    const auto &map =
        ofCopy && runsAgain(plan.again, value) ? copies : originals;
    auto it = map.find(value);
    return it == map.end() ? kNone : it->second;
  };
  plan.flops = 0;
  bool inBackward = false;
  for (size_t time = 0; time < order.size(); ++time) {
    const bool isCopy = order[time].second;
    const Node &node = nodes[order[time].first];
    inBackward |= node.pass == Pass::Backward;
    plan.flops += node.flops;
    // What only serves the backward pass and stands there is part of it.
    bool isLate = isCopy || node.pass == Pass::Backward ||
                  (node.pass == Pass::ForBackward && inBackward);
    forEachRead(node.op, [&](OpOperand &read) {
      int64_t buffer =
          bufferOf(read.get(), isCopy || node.pass == Pass::Backward);
      if (buffer == kNone)
        return;
      buffers[buffer].end = time;
      buffers[buffer].isKept |= isLate && buffers[buffer].isForward;
    });
    auto &map = isCopy ? copies : originals;
    for (Value result : node.op->getResults()) {
      if (isView(node.op)) {
        map[result] = bufferOf(node.op->getOperand(0), isCopy);
        continue;
      }
      // New state lies in the place of the old, and what leads to it is fused
      // with it.
      bool isState = isa<mp::UpdateOp>(node.op) ||
                     node.op->hasAttr(mp::MPDialect::kPinAttrName);
      map[result] = buffers.size();
      buffers.push_back(
          {isState ? 0 : bytesOf(result), time, time, !isLate, false});
    }
  }
  for (Value result : terminator->getOperands())
    if (int64_t buffer = bufferOf(result, false); buffer != kNone)
      buffers[buffer].end = order.size();
  std::vector<int64_t> change(order.size() + 2, 0);
  plan.kept = 0;
  for (const Buffer &buffer : buffers) {
    change[buffer.begin] += buffer.bytes;
    change[buffer.end + 1] -= buffer.bytes;
    plan.kept += buffer.isKept ? buffer.bytes : 0;
  }
  plan.kept /= microBatches;
  int64_t live = 0;
  plan.peak = 0;
  for (int64_t difference : change) {
    live += difference;
    plan.peak = std::max(plan.peak, live);
  }
}

//===----------------------------------------------------------------------===//
// Carrying it out
//===----------------------------------------------------------------------===//

int64_t RecomputeProblem::apply(const RecomputePlan &plan) {
  if (llvm::none_of(plan.again, [](bool again) { return again; }))
    return 0;
  IRMapping copies;
  std::vector<Operation *> waiting; // copies made, for the next reader
  OpBuilder builder(function.getContext());
  int64_t repeated = 0;
  Operation *lastForward = nullptr;
  std::vector<bool> stays(nodes.size(), false);
  for (auto [number, isCopy] : schedule(plan.again)) {
    Node &node = nodes[number];
    if (isCopy) {
      Operation *copy = node.op->clone();
      for (OpOperand &operand : copy->getOpOperands())
        if (runsAgain(plan.again, operand.get()))
          operand.set(copies.lookup(operand.get()));
      copy->setAttr(mp::kRecomputedAttrName, builder.getUnitAttr());
      copies.map(node.op->getResults(), copy->getResults());
      waiting.push_back(copy);
      repeated += node.pass == Pass::Forward;
      continue;
    }
    stays[number] = true;
    if (node.pass == Pass::Backward) {
      for (Operation *copy : waiting)
        node.op->getBlock()->getOperations().insert(node.op->getIterator(),
                                                    copy);
      waiting.clear();
      forEachRead(node.op, [&](OpOperand &read) {
        if (runsAgain(plan.again, read.get()))
          read.set(copies.lookup(read.get()));
      });
    } else if (node.pass == Pass::ForBackward && lastForward &&
               llvm::any_of(node.op->getOperands(), [&](Value operand) {
                 return producerOf(operand).has_value();
               })) {
      node.op->moveAfter(lastForward);
      for (Value operand : node.op->getOperands())
        if (Operation *constant = operand.getDefiningOp();
            constant && !producerOf(operand))
          constant->moveBefore(&node.op->getBlock()->front());
    }
    lastForward = node.op;
  }
  // What ran for the backward pass alone runs there now.
  for (Number n = nodes.size(); n-- > 0;)
    if (!stays[n] && nodes[n].op->use_empty())
      nodes[n].op->erase();
  return repeated;
}

/// A cast of an input or a label, which are there during the whole step.
static bool isInputCast(Operation *op, func::FuncOp function) {
  auto cast = dyn_cast<mp::CastOp>(op);
  auto argument =
      cast ? dyn_cast<BlockArgument>(cast.getInput()) : BlockArgument();
  if (!argument || argument.getOwner() != &function.getBody().front())
    return false;
  std::optional<mp::Role> role =
      mp::getArgRole(function, argument.getArgNumber());
  return role && (*role == mp::Role::Input || *role == mp::Role::Label);
}

int64_t RecomputeProblem::repeatInputCasts() {
  OpBuilder builder(function.getContext());
  int64_t repeated = 0;
  for (Node &node : nodes) {
    if (node.pass != Pass::Forward || !isInputCast(node.op, function))
      continue;
    std::optional<Number> first;
    SmallVector<OpOperand *> reads;
    for (OpOperand &use : node.op->getUses()) {
      auto reader = numbers.find(use.getOwner());
      if (reader == numbers.end() ||
          nodes[reader->second].pass != Pass::Backward)
        continue;
      reads.push_back(&use);
      first = std::min(first.value_or(reader->second), reader->second);
    }
    if (!first)
      continue;
    builder.setInsertionPoint(nodes[*first].op);
    Operation *copy = builder.clone(*node.op);
    copy->setAttr(mp::kRecomputedAttrName, builder.getUnitAttr());
    for (OpOperand *use : reads)
      use->set(copy->getResult(0));
    ++repeated;
  }
  return repeated;
}
