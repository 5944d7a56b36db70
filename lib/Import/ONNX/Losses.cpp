//===- Losses.cpp - Losses that are ONNX operators ------------------------===//

#include "Node.h"

using namespace mlir;

namespace mpt::importer {

/// The reduction attribute; nothing for a name that ONNX does not have.
static std::optional<nn::LossReduction> reductionOf(const Node &node) {
  return nn::symbolizeLossReduction(node.stringOf("reduction", "mean"));
}

/// Do the inputs have the shapes that both operators ask for: scores [N, C,
/// d...], labels [N, d...], weights [C]?
static bool fits(Node &node) {
  if (node.rank(0) < 2 || node.rank(1) != node.rank(0) - 1)
    return false;
  Shape labels(node.shape(0));
  labels.erase(labels.begin() + 1);
  return ArrayRef<int64_t>(labels) == node.shape(1) &&
         (!node.has(2) || node.shape(2) == node.shape(0).slice(1, 1));
}

static Outcome importSoftmaxCrossEntropy(Node &node) {
  auto reduction = reductionOf(node);
  if (!reduction || !fits(node))
    return node.fail("its labels, weights or reduction do not fit its scores");
  SmallVector<Value> operands = {node.in(0), node.in(1)};
  if (node.has(2))
    operands.push_back(node.in(2));
  SmallVector<NamedAttribute> attributes = {
      node.i64("axis", 1),
      node.attr("reduction",
                nn::LossReductionAttr::get(node.context(), *reduction))};
  if (node.hasAttribute("ignore_index"))
    attributes.push_back(
        node.i64("ignore_index", node.intOf("ignore_index", 0)));
  ArrayRef<int64_t> shape;
  if (*reduction == nn::LossReduction::None)
    shape = node.shape(1);
  auto results = node.createMany<nn::SoftmaxCrossEntropyOp>(
      2, operands, attributes,
      {RankedTensorType::get(shape, node.type(0).getElementType()),
       node.type(0)});
  node.set(0, results[0]);
  node.set(1, results[1]);
  return Outcome::Done;
}

/// -w[label] * x[label] of log-probabilities x; an ignored label has weight 0.
static Outcome importNegativeLogLikelihood(Node &node) {
  auto reduction = reductionOf(node);
  if (!reduction || !fits(node))
    return node.fail("its labels, weights or reduction do not fit its scores");
  Value x = node.in(0), labels = node.in(1);
  Shape shape(node.shape(1)), column(shape);
  column.insert(column.begin() + 1, 1);
  Value ignored;
  if (node.hasAttribute("ignore_index")) {
    // An ignored label need not be a class: it reads class 0 instead.
    ignored = node.compare(nn::ComparePredicate::EQ, labels,
                           node.scalar(labels, static_cast<double>(node.intOf(
                                                   "ignore_index", 0))));
    labels = node.where(ignored, node.scalar(labels, 0), labels);
  }
  Value term = node.create<nn::GatherElementsOp>(
      {x, node.reshape(labels, column)}, {node.i64("axis", 1)},
      RankedTensorType::get(column, elementOf(x)));
  term = node.create<nn::NegOp>({node.reshape(term, shape)});
  Value weight;
  if (node.has(2))
    weight =
        node.create<nn::GatherOp>({node.in(2), labels}, {node.i64("axis", 0)});
  else if (ignored || *reduction == nn::LossReduction::Mean)
    weight = node.expand(node.scalar(x, 1), shape);
  if (ignored)
    weight = node.where(ignored, node.scalar(x, 0), weight);
  if (weight)
    term = node.create<nn::MulOp>({term, weight});
  if (ignored) // whatever stands there, infinities included
    term = node.where(ignored, node.scalar(x, 0), term);
  if (*reduction == nn::LossReduction::None)
    return node.done(term);
  Value sum = node.reduce<nn::ReduceSumOp>(term, iota(shape.size()),
                                           /*keepdims=*/false);
  if (*reduction == nn::LossReduction::Sum)
    return node.done(sum);
  Value total = node.reduce<nn::ReduceSumOp>(weight, iota(shape.size()),
                                             /*keepdims=*/false);
  return node.done(node.create<nn::DivOp>({sum, total}));
}

void registerLosses(Registry &registry) {
  registry.add("SoftmaxCrossEntropyLoss", 12, "nn.softmax_cross_entropy",
               importSoftmaxCrossEntropy);
  registry.add("NegativeLogLikelihoodLoss", 12,
               "nn.gather_elements, nn.reduce_sum, nn.div",
               importNegativeLogLikelihood);
}

} // namespace mpt::importer
