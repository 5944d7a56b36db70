//===- InferRanges.cpp - Infer intervals of all values --------------------===//

#include "mpt/Transforms/Passes.h"

#include "mpt/Analysis/PrecisionAssignment.h"
#include "mpt/Analysis/TensorProfile.h"
#include "mpt/Analysis/ValueRanges.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"
#include "mpt/Transforms/ParameterRanges.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"

namespace mpt {
#define GEN_PASS_DEF_INFERRANGESPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;

/// "{hi, lo, inf, nan, smallest}" of one value, for later passes and for tools.
static DictionaryAttr toAttribute(Builder &builder, const NumericRange &range) {
  SmallVector<NamedAttribute> entries;
  auto add = [&](StringRef name, Attribute value) {
    entries.push_back(builder.getNamedAttr(name, value));
  };
  if (range.hasFinite()) {
    add("lo", builder.getF64FloatAttr(range.lo));
    add("hi", builder.getF64FloatAttr(range.hi));
    if (range.smallest < NumericRange::kInfinity)
      add("smallest", builder.getF64FloatAttr(range.smallest));
  }
  if (range.hasInf())
    add("inf", builder.getUnitAttr());
  if (range.nan)
    add("nan", builder.getUnitAttr());
  return builder.getDictionaryAttr(entries);
}

namespace {
struct InferRangesPass : mpt::impl::InferRangesPassBase<InferRangesPass> {
  using InferRangesPassBase::InferRangesPassBase;

  // On the module, not on each function: what it prints then has one order.
  void runOnOperation() override {
    if (!annotate)
      markAllAnalysesPreserved();
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && failed(infer(function)))
        return signalPassFailure();
  }

private:
  LogicalResult infer(func::FuncOp function) {
    llvm::StringMap<NumericRange> declared;
    if (failed(parseInputs(function, declared)))
      return failure();
    RangeSeeds seeds;
    if (parameters == "initial")
      seeds = seedFromParameters(function, {directory, trainedBound});
    addDeclared(seeds, declared);
    if (failed(addMeasured(function, seeds)))
      return failure();
    const ValueRanges ranges(function, seeds);
    if (remarks)
      remarkOnRanges(function, ranges);
    if (print)
      printRanges(function, ranges);
    if (annotate)
      annotateOperations(function, ranges);
    return success();
  }

  LogicalResult parseInputs(func::FuncOp function,
                            llvm::StringMap<NumericRange> &declared) {
    if (parameters != "initial" && parameters != "unknown")
      return function.emitError("mpt-infer-ranges: parameters=")
             << parameters << ": should be initial or unknown";
    for (const std::string &entry : inputs) {
      auto [name, bounds] = StringRef(entry).rsplit('=');
      auto [from, to] = bounds.split(':');
      double lo = 0, hi = 0;
      if (name.empty() || from.getAsDouble(lo) || to.getAsDouble(hi) ||
          !(lo <= hi))
        return function.emitError("mpt-infer-ranges: inputs=")
               << entry << ": should be name=lo:hi";
      bool known = false;
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        known |= mp::getArgName(function, i) == name;
      // A list for several functions: each takes the names it has.
      if (known)
        declared[name] = NumericRange::between(lo, hi);
    }
    return success();
  }

  static void addDeclared(RangeSeeds &seeds,
                          const llvm::StringMap<NumericRange> &declared) {
    auto others = seeds.argument;
    seeds.argument = [&declared,
                      others](FunctionOpInterface function,
                              unsigned index) -> std::optional<NumericRange> {
      auto it = declared.find(mp::getArgName(function, index));
      std::optional<NumericRange> range;
      if (others)
        range = others(function, index);
      if (it != declared.end())
        range = range ? range->meet(it->second) : it->second;
      return range;
    };
  }

  LogicalResult addMeasured(func::FuncOp function, RangeSeeds &seeds) {
    if (profile.empty())
      return success();
    std::string error;
    std::optional<TensorProfile> measured = TensorProfile::read(profile, error);
    if (!measured)
      return function.emitError("mpt-infer-ranges: ") << error;
    if (!(profileMargin >= 1))
      return function.emitError("mpt-infer-ranges: profile-margin should be at "
                                "least 1");
    seeds.measured = seedFromProfile(function, *measured, profileMargin);
    return success();
  }

  template <typename Visit>
  static void forEachFloat(func::FuncOp function, Visit visit) {
    for (Value argument : function.getArguments())
      if (isFloatTensor(argument.getType()))
        visit(argument);
    function.getBody().walk([&](Operation *op) {
      for (Value result : op->getResults())
        if (isFloatTensor(result.getType()))
          visit(result);
    });
  }

  void printRanges(func::FuncOp function, const ValueRanges &ranges) {
    int64_t values = 0, bounded = 0, fits = 0;
    FloatType f16 = Float16Type::get(&getContext());
    llvm::raw_ostream &os = llvm::outs();
    os << "@" << function.getSymName() << '\n';
    forEachFloat(function, [&](Value value) {
      if (auto result = dyn_cast<OpResult>(value)) {
        Operation *op = result.getOwner();
        os << "  " << op->getName();
        if (StringRef name = getNodeName(op->getLoc()); !name.empty())
          os << " '" << name << "'";
        if (op->getNumResults() > 1)
          os << " #" << result.getResultNumber();
      } else {
        const unsigned index = cast<BlockArgument>(value).getArgNumber();
        os << "  argument " << index;
        if (StringRef name = mp::getArgName(function, index); !name.empty())
          os << " '" << name << "'";
      }
      os << ": " << ranges.lookup(value).str() << '\n';
      ++values;
      bounded += ranges.isBounded(value);
      fits += ranges.fits(value, f16);
    });
    os << "  values: " << values << ", bounded: " << bounded
       << ", proven to fit f16: " << fits << '\n';
  }

  void annotateOperations(func::FuncOp function, const ValueRanges &ranges) {
    Builder builder(&getContext());
    function.getBody().walk([&](Operation *op) {
      if (llvm::none_of(op->getResultTypes(), isFloatTensor))
        return;
      SmallVector<Attribute> entries;
      for (Value result : op->getResults())
        entries.push_back(toAttribute(builder, ranges.lookup(result)));
      op->setAttr(kRangesAttrName, builder.getArrayAttr(entries));
    });
  }
};
} // namespace
