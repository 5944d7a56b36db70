//===- Repair.cpp - The fewest operations to keep in FP32 -----------------===//
//
// Nodes are ranked by the error they add to that of their operands. Bisection
// finds how many of the worst must be FP32 for the whole to be within the
// tolerance; halves of these are then left out as long as that stays so (delta
// debugging, Zeller and Hildebrandt 2002), until none can be.
//
//===----------------------------------------------------------------------===//

#include "CompareModels.h"

#include "mpt/Analysis/PrecisionAssignment.h"
#include "mpt/Analysis/TensorProfile.h"
#include "mpt/Data/FileIO.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Pipelines/Pipelines.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Regex.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace mlir;

namespace mpt::run {

namespace {
class Search {
public:
  Search(Model &reference, const ReferenceRun &run, const Inputs &inputs,
         std::string low, double tolerance)
      : reference(reference), run(run), inputs(inputs), low(std::move(low)),
        tolerance(tolerance) {}

  /// Errors with these nodes in FP32; nullopt after an error.
  std::optional<ReferenceRun::Errors> measure(ArrayRef<std::string> nodes);
  /// Low nodes of the version without pins, worst first.
  std::vector<std::string> rank(const ReferenceRun::Errors &errors);
  std::optional<bool> isGood(ArrayRef<std::string> nodes);
  std::optional<std::vector<std::string>>
  findMinimal(std::vector<std::string> ranked);
  int64_t getRuns() const { return runs; }

private:
  bool build(ArrayRef<std::string> nodes, Model &mixed);

  Model &reference;
  const ReferenceRun &run;
  const Inputs &inputs;
  std::string low;
  double tolerance;
  int64_t runs = 0;
  /// Of the version without pins: node -> names of its tensors and of their
  /// operands.
  struct Tensors {
    std::vector<std::string> results, operands;
  };
  llvm::MapVector<StringRef, Tensors> lowNodes;
};
} // namespace

/// A regular expression for one name.
static std::string escape(StringRef name) { return llvm::Regex::escape(name); }

bool Search::build(ArrayRef<std::string> nodes, Model &mixed) {
  mixed.path = reference.path;
  mixed.module = cast<ModuleOp>(reference.module->getOperation()->clone());
  mixed.arguments = reference.arguments;
  mixed.results = reference.results;
  mixed.isParameter = reference.isParameter;
  mixed.function =
      mixed.module->lookupSymbol<func::FuncOp>(reference.function.getSymName());
  MixedPrecisionOptions options;
  options.low = low;
  // What mpt-training does; an inference graph is to be exported.
  options.widenResults =
      reference.function
          .walk([](mp::UpdateOp) { return WalkResult::interrupt(); })
          .wasInterrupted();
  for (const std::string &node : nodes)
    options.fp32Ops.push_back(escape(node));
  PassManager manager(mixed.module->getContext());
  addPrecisionPhase(manager, options);
  return mixed.function && succeeded(manager.run(*mixed.module));
}

std::optional<ReferenceRun::Errors>
Search::measure(ArrayRef<std::string> nodes) {
  Model mixed;
  if (!build(nodes, mixed))
    return std::nullopt;
  ++runs;
  if (lowNodes.empty()) {
    const auto names = nameTensors(mixed.function);
    mixed.function.walk([&](Operation *op) {
      auto decision =
          op->getAttrOfType<mp::DecisionAttr>(mp::MPDialect::kDecisionAttrName);
      StringRef node = getNodeName(op->getLoc());
      if (!decision || !decision.getLow() || node.empty())
        return;
      Tensors &tensors = lowNodes[node];
      for (Value result : op->getResults())
        tensors.results.push_back(names.lookup(result));
      for (Value operand : op->getOperands()) {
        while (auto cast = operand.getDefiningOp<mp::CastOp>())
          operand = cast.getInput();
        tensors.operands.push_back(names.lookup(operand));
      }
    });
  }
  return run.compare(mixed, inputs);
}

std::vector<std::string> Search::rank(const ReferenceRun::Errors &errors) {
  llvm::StringMap<double> known;
  for (const TensorError &error : errors.tensors)
    known[error.name] = error.norm;
  // Of equal errors the first in the order of the function comes first.
  std::vector<std::tuple<double, size_t, StringRef>> added;
  for (auto &[node, tensors] : lowNodes) {
    double before = 0, after = 0;
    for (const std::string &name : tensors.results)
      after = std::fmax(after, known.lookup(name));
    for (const std::string &name : tensors.operands)
      before = std::fmax(before, known.lookup(name));
    const bool passesOn = std::isinf(after) && std::isinf(before);
    added.emplace_back(passesOn ? 0 : before - after, added.size(), node);
  }
  llvm::sort(added);
  std::vector<std::string> nodes;
  for (auto &[error, order, node] : added)
    nodes.push_back(node.str());
  return nodes;
}

std::optional<bool> Search::isGood(ArrayRef<std::string> nodes) {
  std::optional<ReferenceRun::Errors> errors = measure(nodes);
  if (!errors)
    return std::nullopt;
  return errors->worst() <= tolerance;
}

std::optional<std::vector<std::string>>
Search::findMinimal(std::vector<std::string> ranked) {
  // The smallest prefix that is good, as far as more pins are never worse.
  size_t bad = 0, good = ranked.size();
  while (good - bad > 1) {
    const size_t middle = bad + (good - bad) / 2;
    std::optional<bool> result =
        isGood(ArrayRef<std::string>(ranked).take_front(middle));
    if (!result)
      return std::nullopt;
    (*result ? good : bad) = middle;
  }
  ranked.resize(good);
  // Parts that can be left out, halves first; single nodes until none can.
  size_t size = std::max<size_t>(ranked.size() / 2, 1);
  while (true) {
    const size_t before = ranked.size();
    for (size_t at = 0; at < ranked.size();) {
      std::vector<std::string> rest(ranked.begin(), ranked.begin() + at);
      rest.insert(rest.end(),
                  ranked.begin() + std::min(at + size, ranked.size()),
                  ranked.end());
      std::optional<bool> result = isGood(rest);
      if (!result)
        return std::nullopt;
      if (*result)
        ranked = std::move(rest);
      else
        at += size;
    }
    if (size == 1 && ranked.size() == before)
      return ranked;
    size = std::max<size_t>(size / 2, 1);
  }
}

static bool writePolicy(const std::string &path, ArrayRef<std::string> nodes,
                        const std::string &low, double error,
                        std::string &message) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "# Written by mpt-run --repair: error " << llvm::format("%.3g", error)
     << ".\nlow: " << low << '\n';
  if (!nodes.empty())
    os << "nodes:\n";
  for (const std::string &node : nodes) {
    // In single quotes YAML knows no escapes but a doubled quote.
    std::string quoted;
    for (char c : escape(node))
      quoted += c == '\'' ? "''" : std::string(1, c);
    os << "  - regex: '" << quoted << "'\n    class: fp32\n";
  }
  data::AtomicFileWriter writer;
  return writer.open(path, message) &&
         writer.write(text.data(), text.size(), message) &&
         writer.commit(message);
}

int repair(Model &reference, const ReferenceRun &run, const Inputs &inputs,
           const std::string &low, const CompareOptions &options) {
  Search search(reference, run, inputs, low, options.tolerance);
  std::optional<ReferenceRun::Errors> errors = search.measure({});
  if (!errors)
    return 1;
  std::vector<std::string> pinned;
  if (errors->worst() > options.tolerance) {
    std::vector<std::string> ranked = search.rank(*errors);
    std::optional<bool> possible = search.isGood(ranked);
    if (!possible)
      return 1;
    if (!*possible) {
      llvm::errs() << reference.path << ": is beyond the tolerance of "
                   << llvm::format("%g", options.tolerance)
                   << " even with every node in FP32: raise --tolerance\n";
      return 1;
    }
    auto minimal = search.findMinimal(std::move(ranked));
    if (!minimal)
      return 1;
    pinned = std::move(*minimal);
    errors = search.measure(pinned);
    if (!errors)
      return 1;
  }
  std::string message;
  if (!writePolicy(options.repair, pinned, low, errors->worst(), message)) {
    llvm::errs() << message << '\n';
    return 1;
  }
  llvm::outs() << options.repair << ": " << pinned.size()
               << " nodes in FP32, error "
               << llvm::format("%.3g", errors->worst()) << " after "
               << search.getRuns() << " runs\n";
  for (const std::string &node : pinned)
    llvm::outs() << "  '" << node << "'\n";
  return 0;
}

} // namespace mpt::run
