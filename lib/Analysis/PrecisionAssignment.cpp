//===- PrecisionAssignment.cpp - Which operations run in 16 bits
//-----------===//

#include "mpt/Analysis/PrecisionAssignment.h"

#include "mpt/Analysis/FloatConstants.h"
#include "mpt/Analysis/LossScalePowers.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mpt;

//===----------------------------------------------------------------------===//
// Queries
//===----------------------------------------------------------------------===//

StringRef mpt::getNodeName(Location location) {
  while (true) {
    if (auto name = dyn_cast<NameLoc>(location))
      return name.getName();
    if (auto call = dyn_cast<CallSiteLoc>(location)) {
      location = call.getCallee();
      continue;
    }
    auto fused = dyn_cast<FusedLoc>(location);
    if (!fused || fused.getLocations().empty())
      return {};
    location = fused.getLocations().front();
  }
}

bool mpt::isFloatTensor(Type type) {
  auto tensor = dyn_cast<TensorType>(type);
  return tensor && isa<FloatType>(tensor.getElementType());
}

bool mpt::isF32Tensor(Type type) {
  auto tensor = dyn_cast<TensorType>(type);
  return tensor && tensor.getElementType().isF32();
}

bool mpt::takesPrecision(Operation *op) {
  if (isa<mp::CastOp>(op) || op->hasTrait<OpTrait::ConstantLike>() ||
      op->hasTrait<OpTrait::IsTerminator>())
    return false;
  return llvm::any_of(op->getOperandTypes(), isFloatTensor) ||
         llvm::any_of(op->getResultTypes(), isFloatTensor);
}

bool mpt::isFlexibleOperand(OpOperand &operand) {
  auto interface = dyn_cast<PrecisionOpInterface>(operand.getOwner());
  return interface && isFloatTensor(operand.get().getType()) &&
         !interface.isOperandPinned(operand.getOperandNumber());
}

bool mpt::isFlexibleResult(OpResult result) {
  auto interface = dyn_cast<PrecisionOpInterface>(result.getOwner());
  return interface && isFloatTensor(result.getType()) &&
         !interface.isResultPinned(result.getResultNumber());
}

static bool isConstant(Value value) {
  Operation *op = value.getDefiningOp();
  return op && op->hasTrait<OpTrait::ConstantLike>();
}

/// "nn.conv 'conv1'".
static std::string describe(Operation *op) {
  std::string text = op->getName().getStringRef().str();
  if (StringRef name = getNodeName(op->getLoc()); !name.empty())
    text += " '" + name.str() + "'";
  return text;
}

static int64_t countElements(Value value) {
  auto type = cast<ShapedType>(value.getType());
  int64_t elements = 1;
  if (type.hasRank())
    for (int64_t extent : type.getShape())
      elements *= ShapedType::isDynamic(extent) ? 1 : extent;
  return elements;
}

//===----------------------------------------------------------------------===//
// Operations whose precision is fixed
//===----------------------------------------------------------------------===//

PrecisionAssignment::Node *PrecisionAssignment::find(Operation *op) {
  auto it = index.find(op);
  return it == index.end() ? nullptr : &nodes[it->second];
}

void PrecisionAssignment::fix(Node &node, State state, std::string reason) {
  node.state = state;
  node.fixed = true;
  node.reason = std::move(reason);
}

void PrecisionAssignment::collect() {
  for (Block &block : function.getFunctionBody())
    for (Operation &op : block)
      if (takesPrecision(&op)) {
        index[&op] = nodes.size();
        nodes.emplace_back().op = &op;
      }
  for (Node &node : nodes)
    fixByOwnNature(node);
}

void PrecisionAssignment::fixByOwnNature(Node &node) {
  Operation *op = node.op;
  // What an earlier run decided and carried out is no longer open.
  auto earlier =
      op->getAttrOfType<mp::DecisionAttr>(mp::MPDialect::kDecisionAttrName);
  if (earlier && function->hasAttr(mp::MPDialect::kCastsInsertedAttrName))
    return fix(node, earlier.getLow() ? State::Low : State::FP32,
               earlier.getReason().str());
  if (auto pin = op->getAttrOfType<StringAttr>(mp::MPDialect::kPinAttrName))
    return fix(node, State::FP32, "pinned: " + pin.str());
  auto interface = dyn_cast<PrecisionOpInterface>(op);
  if (!interface)
    return fix(node, State::FP32, "no kernel: nothing is known about it");
  if (policy.wantsFP32)
    if (std::string match = policy.wantsFP32(op); !match.empty())
      return fix(node, State::FP32, "the user wants '" + match + "' in FP32");

  std::string nature = interface.getPrecisionReason().str();
  bool narrows = false;
  auto isOther = [](Type type) { return !isF32Tensor(type); };
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isFlexibleOperand(operand))
      continue;
    if (isOther(operand.get().getType()))
      return fix(node, State::FP32, "the model chose another type than f32");
    narrows = true;
  }
  for (OpResult result : op->getResults()) {
    if (!isFlexibleResult(result))
      continue;
    if (isOther(result.getType()))
      return fix(node, State::FP32, "the model chose another type than f32");
    narrows = true;
  }
  if (!narrows)
    return fix(node, State::FP32, nature);

  bool scaling = isa<mp::MPDialect>(op->getDialect());
  std::string wanted = policy.wantsLow && !scaling ? policy.wantsLow(op) : "";
  PrecisionClass cls = interface.getPrecisionClass();
  if (wanted.empty() && cls == PrecisionClass::FP32)
    return fix(
        node, State::FP32,
        stringifyPrecisionReasonKind(interface.getPrecisionReasonKind()).str() +
            ": " + nature);
  if (wanted.empty() && fixByConstants(node))
    return;
  if (!wanted.empty())
    return fix(node, State::Low, "the user wants '" + wanted + "' low");
  if (cls == PrecisionClass::Low) {
    node.state = State::Low; // not fixed: the passes below may overrule it
    node.reason = nature;
  }
}

/// A constant that the low type cannot hold keeps its operation in FP32.
bool PrecisionAssignment::fixByConstants(Node &node) {
  for (OpOperand &operand : node.op->getOpOperands()) {
    if (!isFlexibleOperand(operand))
      continue;
    Operation *producer = operand.get().getDefiningOp();
    ElementsAttr value = getFloatConstant(producer);
    if (!value)
      continue;
    auto [known, isNew] = constants.insert({producer, ConstantFit::Fits});
    if (isNew)
      known->second = classifyConstant(value, policy.low);
    switch (known->second) {
    case ConstantFit::Fits:
      continue;
    case ConstantFit::Overflows:
      fix(node, State::FP32,
          "unsafe: a constant operand overflows the low type");
      // BF16 has the range of FP32 but for the last half of a step.
      node.masks =
          classifyConstant(value, BFloat16Type::get(value.getContext())) ==
          ConstantFit::Overflows;
      return true;
    case ConstantFit::Vanishes:
      fix(node, State::FP32,
          "unsafe: a constant operand vanishes in the low type");
      return true;
    case ConstantFit::Unknown:
      fix(node, State::FP32, "unsafe: a constant operand cannot be read");
      return true;
    }
  }
  return false;
}

/// A masking constant like -3.4e38 would become an infinity where its value is
/// cast, and a row that is masked completely a NaN. So what reads it stays
/// FP32, up to the first operation that sums (softmax).
void PrecisionAssignment::fixReadersOfMasks() {
  SmallVector<Operation *> pending;
  for (Node &node : nodes)
    if (node.masks)
      pending.push_back(node.op);
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val();
    for (OpResult result : op->getResults()) {
      if (!isFlexibleResult(result))
        continue;
      for (Operation *user : result.getUsers()) {
        Node *node = find(user);
        if (!node || node->state != State::Open)
          continue;
        fix(*node, State::FP32,
            "unsafe: reads a masking value that overflows the low type");
        if (!cast<PrecisionOpInterface>(user).getAccumulatorType())
          pending.push_back(user);
      }
    }
  }
}

/// Everything that depends on a finished gradient.
void PrecisionAssignment::fixBehindGradients() {
  SmallVector<Operation *> pending;
  llvm::DenseSet<Operation *> seen;
  for (Node &node : nodes)
    if (isa<mp::GradientOp, mp::UnscaleOp>(node.op) &&
        seen.insert(node.op).second)
      pending.push_back(node.op);
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val();
    for (Operation *user : op->getUsers()) {
      if (!seen.insert(user).second)
        continue;
      pending.push_back(user);
      if (Node *node = find(user); node && !node->fixed)
        fix(*node, State::FP32, "unsafe: behind a finished gradient");
    }
  }
}

/// The seed of the backward graph is the loss scale, up to 2^24: no FP16
/// number. Neither is what is computed from it and constants alone.
void PrecisionAssignment::fixReadersOfTheSeed() {
  SmallVector<Value> pending;
  llvm::DenseSet<Value> seeds;
  auto add = [&](Value value) {
    if (isFloatTensor(value.getType()) && seeds.insert(value).second)
      pending.push_back(value);
  };
  if (Value scale = getLossScaleArgument(function))
    add(scale);
  for (Node &node : nodes)
    if (isa<mp::LossSeedOp>(node.op))
      add(node.op->getResult(0));
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    for (Operation *user : value.getUsers()) {
      Node *node = find(user);
      bool cast = isa<mp::CastOp>(user);
      if (!node && !cast)
        continue;
      // Not even where the user wants it low.
      if (node && node->state != State::FP32)
        fix(*node, State::FP32, "unsafe: reads the loss scale");
      bool onlySeeds = llvm::all_of(user->getOperands(), [&](Value operand) {
        return !isFloatTensor(operand.getType()) || isConstant(operand) ||
               seeds.contains(operand);
      });
      if (onlySeeds)
        for (Value result : user->getResults())
          add(result);
    }
  }
}

/// What leads from the last low or FP32 operation to the loss computes the
/// loss.
void PrecisionAssignment::fixLoss() {
  SmallVector<Value> pending;
  for (Block &block : function.getFunctionBody()) {
    Operation *terminator = &block.back();
    if (!terminator->hasTrait<OpTrait::ReturnLike>())
      continue;
    for (auto [number, value] : llvm::enumerate(terminator->getOperands()))
      if (mp::getResultRole(function, number) == mp::Role::Loss)
        pending.push_back(value);
  }
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val().getDefiningOp();
    Node *node = op ? find(op) : nullptr;
    if (!node || node->state != State::Open)
      continue;
    fix(*node, State::FP32, "unsafe: computes the loss");
    for (Value operand : op->getOperands())
      pending.push_back(operand);
  }
}

//===----------------------------------------------------------------------===//
// Operations that follow
//===----------------------------------------------------------------------===//

/// Low regions grow over open operations, along values neither end pins.
void PrecisionAssignment::growLowRegions() {
  std::vector<unsigned> pending;
  for (auto [number, node] : llvm::enumerate(nodes))
    if (node.state == State::Low)
      pending.push_back(number);
  auto reach = [&](Operation *op, Node &from) {
    Node *node = op ? find(op) : nullptr;
    if (!node || node->state != State::Open)
      return;
    node->state = State::Low;
    node->because = from.op;
    pending.push_back(index[op]);
  };
  // In the order found: a reason names the nearest low neighbour.
  for (size_t next = 0; next < pending.size(); ++next) {
    Node &node = nodes[pending[next]];
    for (OpOperand &operand : node.op->getOpOperands())
      if (isFlexibleOperand(operand))
        if (auto result = dyn_cast<OpResult>(operand.get());
            result && isFlexibleResult(result))
          reach(result.getOwner(), node);
    for (OpResult result : node.op->getResults())
      if (isFlexibleResult(result))
        for (OpOperand &use : result.getUses())
          if (isFlexibleOperand(use))
            reach(use.getOwner(), node);
  }
  for (Node &node : nodes)
    if (node.state == State::Open) {
      node.state = State::FP32;
      node.reason = "slow: no low operation beside it";
      node.fixed = true;
    }
}

bool PrecisionAssignment::isLowUse(OpOperand &use) {
  Node *node = find(use.getOwner());
  return node && node->state == State::Low && isFlexibleOperand(use);
}

bool PrecisionAssignment::isLowValue(Value value) {
  auto result = dyn_cast<OpResult>(value);
  Node *node = result ? find(result.getOwner()) : nullptr;
  return node && node->state == State::Low && isFlexibleResult(result);
}

void PrecisionAssignment::countUsers() {
  auto count = [&](Value value) {
    if (!isF32Tensor(value.getType()))
      return;
    Users &entry = users[value];
    for (OpOperand &use : value.getUses()) {
      if (isLowUse(use))
        ++entry.low;
      else if (!isa<mp::CastOp>(use.getOwner()))
        ++entry.fp32;
    }
  };
  for (Block &block : function.getFunctionBody()) {
    for (Value argument : block.getArguments())
      count(argument);
    for (Operation &op : block)
      for (Value result : op.getResults())
        count(result);
  }
}

int64_t PrecisionAssignment::extraCastsOfLow(Node &node) {
  int64_t low = 0, fp32 = 0;
  // Uses of each operand by this operation.
  llvm::SmallDenseMap<Value, int64_t, 8> mine;
  for (OpOperand &operand : node.op->getOpOperands())
    if (isFlexibleOperand(operand) && isF32Tensor(operand.get().getType()) &&
        !isConstant(operand.get()))
      ++mine[operand.get()];
  for (auto [value, uses] : mine) {
    Users others = users.lookup(value);
    others.low -= uses; // the node is low now
    int64_t elements = countElements(value);
    if (isLowValue(value)) {
      low += others.fp32 > 0 ? elements : 0;
      fp32 += elements;
    } else {
      low += elements;
      fp32 += others.low > 0 ? elements : 0;
    }
  }
  for (OpResult result : node.op->getResults()) {
    if (!isFlexibleResult(result) || !isF32Tensor(result.getType()))
      continue;
    Users entry = users.lookup(result);
    int64_t elements = countElements(result);
    low += entry.fp32 > 0 ? elements : 0;
    fp32 += entry.low > 0 ? elements : 0;
  }
  return low - fp32;
}

/// An operation that follows goes back to FP32 where that moves fewer elements
/// through casts; that may make a neighbour follow. Each goes back once.
void PrecisionAssignment::dropCostlyNodes() {
  std::vector<unsigned> pending;
  std::vector<bool> queued(nodes.size(), false);
  auto enqueue = [&](unsigned number) {
    Node &node = nodes[number];
    if (node.fixed || !node.because || node.state != State::Low ||
        queued[number])
      return;
    queued[number] = true;
    pending.push_back(number);
  };
  for (unsigned number = 0; number < nodes.size(); ++number)
    enqueue(number);
  for (size_t next = 0; next < pending.size(); ++next) {
    unsigned number = pending[next];
    queued[number] = false;
    Node &node = nodes[number];
    if (extraCastsOfLow(node) <= 0)
      continue;
    node.state = State::FP32;
    node.because = nullptr;
    node.fixed = true;
    node.reason = "slow: in the low type it would need more casts";
    for (OpOperand &operand : node.op->getOpOperands()) {
      if (!isFlexibleOperand(operand))
        continue;
      auto it = users.find(operand.get());
      if (it != users.end()) {
        --it->second.low;
        ++it->second.fp32;
      }
      if (Operation *producer = operand.get().getDefiningOp())
        if (auto known = index.find(producer); known != index.end())
          enqueue(known->second);
    }
    for (Value result : node.op->getResults())
      for (Operation *user : result.getUsers())
        if (auto known = index.find(user); known != index.end())
          enqueue(known->second);
  }
}

//===----------------------------------------------------------------------===//

std::vector<PrecisionAssignment::Decision> PrecisionAssignment::run() {
  collect();
  fixReadersOfMasks();
  fixBehindGradients();
  fixReadersOfTheSeed();
  fixLoss();
  growLowRegions();
  countUsers();
  dropCostlyNodes();

  std::vector<Decision> decisions;
  decisions.reserve(nodes.size());
  for (Node &node : nodes) {
    if (node.because)
      node.reason =
          cast<PrecisionOpInterface>(node.op).getPrecisionReason().str() +
          " <- " + describe(node.because);
    decisions.push_back(
        {node.op, node.state == State::Low, std::move(node.reason)});
  }
  return decisions;
}
