//===- Attention.cpp - Attention and rotary embeddings --------------------===//
//
// Decomposed as ONNX defines them: query and key are scaled by the square root
// of the scale each, which keeps the product inside FP16; a mask is -inf, never
// a large finite number.
//
//===----------------------------------------------------------------------===//

#include "Node.h"

#include <cmath>

using namespace mlir;

namespace mpt::importer {

/// [B, S, heads * D] as [B, heads, S, D].
static Value splitHeads(Node &node, Value value, int64_t heads) {
  if (rankOf(value) == 4 || heads <= 0 || dimOf(value, 2) % heads != 0)
    return value;
  value = node.reshape(value, {dimOf(value, 0), dimOf(value, 1), heads,
                               dimOf(value, 2) / heads});
  return node.transpose(value, {0, 2, 1, 3});
}

/// Every head of keys and values serves several heads of queries.
static Value repeatHeads(Node &node, Value value, int64_t heads) {
  Shape shape = shapeOf(value);
  if (shape.size() != 4 || shape[1] == heads || shape[1] == 0 ||
      heads % shape[1] != 0)
    return value;
  int64_t group = heads / shape[1];
  value = node.reshape(value, {shape[0], shape[1], 1, shape[2], shape[3]});
  value = node.expand(value, {shape[0], shape[1], group, shape[2], shape[3]});
  return node.reshape(value, {shape[0], heads, shape[2], shape[3]});
}

static Value scaleBy(Node &node, Value value, double factor) {
  return node.create<nn::MulOp>({value, node.scalar(value, factor)});
}

/// Which keys a query may see: those before it and itself.
static Value causalMask(Node &node, int64_t queries, int64_t keys,
                        int64_t past) {
  Shape last = iota(queries);
  for (int64_t &position : last)
    position += past;
  return node.compare(nn::ComparePredicate::LE, node.vector(iota(keys)),
                      node.reshape(node.vector(last), {queries, 1}));
}

static Value minusInfinity(Node &node, Value like) {
  return node.scalar(like, -std::numeric_limits<double>::infinity());
}

/// Scores with the node's mask, padded on the right where it is shorter.
static Value applyMask(Node &node, Value scores, int64_t keys) {
  Value mask = node.in(3);
  bool isBool = elementOf(mask).isInteger(1);
  int64_t rank = rankOf(mask);
  int64_t missing = keys - dimOf(mask, rank - 1);
  if (missing > 0 && rank > 0) {
    Shape low(rank, 0), high(rank, 0), shape = shapeOf(mask);
    high.back() = missing;
    shape.back() += missing;
    double value = isBool ? 0 : -std::numeric_limits<double>::infinity();
    mask =
        node.create<nn::PadOp>(mask,
                               {node.i64s("low", low), node.i64s("high", high),
                                node.f64("value", value)},
                               RankedTensorType::get(shape, elementOf(mask)));
  }
  if (isBool)
    return node.where(mask, scores, minusInfinity(node, scores));
  return node.create<nn::AddOp>({scores, mask});
}

static Outcome importAttention(Node &node) {
  if (node.has(6) || node.isUsed(3))
    return Outcome::Keep;
  Value query = node.in(0), key = node.in(1), value = node.in(2);
  bool isFlat = rankOf(query) == 3;
  int64_t queryHeads = node.intOf("q_num_heads", 0),
          keyHeads = node.intOf("kv_num_heads", queryHeads);
  query = splitHeads(node, query, queryHeads);
  key = splitHeads(node, key, keyHeads);
  value = splitHeads(node, value, keyHeads);
  if (rankOf(query) != 4 || rankOf(key) != 4 || rankOf(value) != 4)
    return node.fail("needs [B, heads, S, D], or [B, S, heads * D] with "
                     "q_num_heads and kv_num_heads");
  int64_t past = 0;
  if (node.has(4) && node.has(5)) {
    past = node.shape(4)[2];
    key = node.create<nn::ConcatOp>({node.in(4), key}, {node.i64("axis", 2)});
    value =
        node.create<nn::ConcatOp>({node.in(5), value}, {node.i64("axis", 2)});
  }
  node.set(1, key);
  node.set(2, value);
  int64_t heads = dimOf(query, 1), queries = dimOf(query, 2),
          keys = dimOf(key, 2);
  key = repeatHeads(node, key, heads);
  value = repeatHeads(node, value, heads);
  double scale = node.floatOf(
      "scale", 1 / std::sqrt(static_cast<double>(dimOf(query, 3))));
  if (scale < 0)
    return Outcome::Keep;
  Value scores = node.matmul(scaleBy(node, query, std::sqrt(scale)),
                             scaleBy(node, key, std::sqrt(scale)), false, true);
  if (double cap = node.floatOf("softcap", 0); cap != 0)
    scores = scaleBy(
        node, node.create<nn::TanhOp>(scaleBy(node, scores, 1 / cap)), cap);
  if (node.has(3))
    scores = applyMask(node, scores, keys);
  if (node.intOf("is_causal", 0))
    scores = node.where(causalMask(node, queries, keys, past), scores,
                        minusInfinity(node, scores));
  if (!scores)
    return Outcome::Failed;
  Value weights = node.create<nn::SoftmaxOp>(scores, {node.i64("axis", 3)},
                                             scores.getType());
  Value result = node.matmul(weights, value);
  if (isFlat) {
    result = node.transpose(result, {0, 2, 1, 3});
    result = node.reshape(result,
                          {dimOf(result, 0), queries, heads * dimOf(value, 3)});
  }
  return node.done(result);
}

/// The caches with an axis for the heads.
static Value rotaryCache(Node &node, size_t input) {
  Value cache = node.in(input);
  if (node.has(3))
    cache =
        node.create<nn::GatherOp>({cache, node.in(3)}, {node.i64("axis", 0)});
  Shape shape = shapeOf(cache);
  if (shape.size() != 3)
    return {};
  return node.reshape(cache, {shape[0], 1, shape[1], shape[2]});
}

/// Pairs of elements of every head are rotated by the angle of the position.
static Outcome importRotaryEmbedding(Node &node) {
  Value x = node.in(0);
  bool isFlat = rankOf(x) == 3;
  Shape original = shapeOf(x);
  int64_t heads = node.intOf("num_heads", 0);
  if (isFlat && (heads <= 0 || dimOf(x, 2) % heads != 0))
    return node.fail("needs num_heads for an input of three axes");
  x = splitHeads(node, x, heads);
  Shape shape = shapeOf(x); // [B, heads, S, D]
  if (shape.size() != 4)
    return node.fail("needs an input of three or four axes");
  int64_t rotated = node.intOf("rotary_embedding_dim", 0);
  if (rotated == 0)
    rotated = shape[3];
  if (rotated % 2 != 0 || rotated > shape[3])
    return node.fail("rotates more elements than a head has");
  bool interleaved = node.intOf("interleaved", 0) != 0;
  Value cosine = rotaryCache(node, 1), sine = rotaryCache(node, 2);
  Shape half = {shape[0], shape[1], shape[2], rotated / 2};
  auto part = [&](int64_t start) {
    return node.slice(x, {0, 0, 0, interleaved ? start : start * rotated / 2},
                      half, {1, 1, 1, interleaved ? 2 : 1});
  };
  Value first = part(0), second = part(1);
  auto mul = [&](Value a, Value b) { return node.create<nn::MulOp>({a, b}); };
  Value real = node.create<nn::SubOp>({mul(cosine, first), mul(sine, second)});
  Value imaginary =
      node.create<nn::AddOp>({mul(sine, first), mul(cosine, second)});
  Value result;
  if (interleaved) {
    Shape pair = half;
    pair.push_back(1);
    result = node.create<nn::ConcatOp>(
        {node.reshape(real, pair), node.reshape(imaginary, pair)},
        {node.i64("axis", 4)});
    result = node.reshape(result, {shape[0], shape[1], shape[2], rotated});
  } else {
    result =
        node.create<nn::ConcatOp>({real, imaginary}, {node.i64("axis", 3)});
  }
  if (rotated < shape[3]) {
    Value rest = node.slice(x, {0, 0, 0, rotated},
                            {shape[0], shape[1], shape[2], shape[3] - rotated},
                            {1, 1, 1, 1});
    result = node.create<nn::ConcatOp>({result, rest}, {node.i64("axis", 3)});
  }
  if (isFlat)
    result = node.transpose(result, {0, 2, 1, 3});
  return node.done(node.reshape(result, original));
}

void registerAttention(Registry &registry) {
  registry.add("Attention", 23,
               "nn.matmul, nn.mul, nn.where, nn.softmax, nn.matmul",
               importAttention);
  registry.add("RotaryEmbedding", 23, "nn.mul, nn.sub, nn.add, nn.concat",
               importRotaryEmbedding);
}

} // namespace mpt::importer
