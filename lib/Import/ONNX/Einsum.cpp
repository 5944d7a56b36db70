//===- Einsum.cpp - Sums of products by letters ---------------------------===//
//
// Of one operand a reduction and a transposition, of two a batched matrix
// product between transpositions. Repeated letters in an operand (diagonals),
// ellipses and three operands are left to ONNX.
//
//===----------------------------------------------------------------------===//

#include "Node.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace mpt::importer {

namespace {
/// A tensor and the letter of every axis.
struct Term {
  Value value;
  std::string letters;
};
} // namespace

static bool contains(StringRef letters, char letter) {
  return letters.contains(letter);
}

/// Sums over the axes whose letters are not in `kept`.
static Term reduceTo(Node &node, Term term, StringRef kept) {
  Shape axes;
  std::string left;
  for (auto [i, letter] : llvm::enumerate(term.letters)) {
    if (contains(kept, letter))
      left.push_back(letter);
    else
      axes.push_back(i);
  }
  if (axes.empty())
    return term;
  return {node.reduce<nn::ReduceSumOp>(term.value, axes, false), left};
}

static Term reorder(Node &node, const Term &term, StringRef order) {
  Shape permutation;
  for (char letter : order)
    permutation.push_back(term.letters.find(letter));
  return {node.transpose(term.value, permutation), order.str()};
}

static Shape extentsOf(const Term &term, StringRef letters) {
  Shape shape = shapeOf(term.value), result;
  for (char letter : letters)
    result.push_back(shape[term.letters.find(letter)]);
  return result;
}

static Term multiply(Node &node, Term a, Term b, StringRef output) {
  a = reduceTo(node, a, output.str() + b.letters);
  b = reduceTo(node, b, output.str() + a.letters);
  if (!a.value || !b.value)
    return {};
  std::string batch, left, right, summed;
  for (char letter : a.letters) {
    bool shared = contains(b.letters, letter);
    (shared ? (contains(output, letter) ? batch : summed) : left) += letter;
  }
  for (char letter : b.letters)
    if (!contains(a.letters, letter))
      right += letter;
  Shape batchShape = extentsOf(a, batch), leftShape = extentsOf(a, left),
        rightShape = extentsOf(b, right), summedShape = extentsOf(a, summed);
  if (batchShape != extentsOf(b, batch) ||
      summedShape != extentsOf(b, summed)) {
    node.fail("its operands differ in the extent of a letter");
    return {};
  }
  int64_t batches = product(batchShape), terms = product(summedShape);
  Value lhs = node.reshape(reorder(node, a, batch + left + summed).value,
                           {batches, product(leftShape), terms});
  Value rhs = node.reshape(reorder(node, b, batch + summed + right).value,
                           {batches, terms, product(rightShape)});
  Shape shape = batchShape;
  shape.append(leftShape);
  shape.append(rightShape);
  return {node.reshape(node.matmul(lhs, rhs), shape), batch + left + right};
}

/// The letters of an operand of the given rank; nothing for what is not
/// imported.
static std::optional<std::string> lettersOf(StringRef text, int64_t rank) {
  std::string letters;
  for (char letter : text) {
    if (!llvm::isAlpha(letter) || contains(letters, letter))
      return std::nullopt;
    letters += letter;
  }
  if (static_cast<int64_t>(letters.size()) != rank)
    return std::nullopt;
  return letters;
}

static Outcome importEinsum(Node &node) {
  std::string equation;
  for (char letter : node.stringOf("equation", ""))
    if (letter != ' ')
      equation += letter;
  auto [inputs, output] = StringRef(equation).split("->");
  bool isImplicit = !StringRef(equation).contains("->");
  SmallVector<StringRef> texts;
  inputs.split(texts, ',');
  if (texts.size() != node.numInputs() || texts.size() > 2)
    return Outcome::Keep;
  SmallVector<Term> terms;
  for (auto [i, text] : llvm::enumerate(texts)) {
    auto letters = lettersOf(text, node.rank(i));
    if (!letters || !isFloat(node.in(i)))
      return Outcome::Keep;
    terms.push_back({node.in(i), *letters});
  }
  std::string result = output.str();
  if (isImplicit) { // letters that occur once, sorted
    for (char letter : inputs)
      if (llvm::isAlpha(letter) && inputs.count(letter) == 1)
        result += letter;
    llvm::sort(result);
  }
  for (auto [i, letter] : llvm::enumerate(result))
    if (!inputs.contains(letter) || result.find(letter) != i)
      return Outcome::Keep;
  Term term = terms.size() == 2 ? multiply(node, terms[0], terms[1], result)
                                : reduceTo(node, terms[0], result);
  if (!term.value)
    return Outcome::Failed;
  return node.done(reorder(node, term, result).value);
}

void registerEinsum(Registry &registry) {
  registry.add("Einsum", 12, "nn.transpose, nn.matmul, nn.reduce_sum",
               importEinsum);
}

} // namespace mpt::importer
