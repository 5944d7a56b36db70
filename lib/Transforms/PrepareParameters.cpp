//===- PrepareParameters.cpp - Choose and repair what is trained ----------===//
//
// The traps it undoes are those of exporters: merged initializers, tables that
// were tied and came out twice, parameters that look like constants.
//
//===----------------------------------------------------------------------===//

#include "mpt/Transforms/Passes.h"

#include "NameSelector.h"
#include "ParameterContents.h"
#include "ParameterPlaces.h"
#include "StepFunction.h"
#include "mlir/IR/SymbolTable.h"
#include "mpt/Dialect/NN/IR/NNDialect.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

namespace mpt {
#define GEN_PASS_DEF_PREPAREPARAMETERSPASS
#include "mpt/Transforms/Passes.h.inc"
} // namespace mpt

using namespace mlir;
using namespace mpt;

/// Weights of running statistics that inference-mode nodes do not carry: ONNX's
/// default.
static constexpr double kStatisticMomentum = 0.9;

namespace {

struct Parameter {
  BlockArgument argument;
  nn::ParameterOp op;
  std::string name;
};

/// The parameters of one function.
class Preparation {
public:
  Preparation(func::FuncOp function, SymbolTable &symbols, StringRef directory)
      : function(function), step(function), symbols(symbols),
        directory(directory) {}

  LogicalResult collect();
  void splitSplats();
  void tieTransposes();
  void chooseTrainable(NameSelector &trainable, NameSelector &freeze);
  void widenMasters();
  void convertBatchNorm(bool toTraining);
  void finish();

  std::vector<std::string> getNames() const {
    std::vector<std::string> names;
    for (const Parameter &parameter : parameters)
      names.push_back(parameter.name);
    return names;
  }

private:
  std::optional<ParameterData> load(Parameter &parameter);
  int64_t findUnmergedSize();
  int64_t getBatchSize();
  Parameter duplicate(Parameter &parameter, unsigned number);
  std::pair<bool, std::string> judge(Parameter &parameter, Place place);

  func::FuncOp function;
  StepFunction step;
  SymbolTable &symbols;
  StringRef directory;
  SmallVector<Parameter> parameters; // float ones, no statistics
  llvm::StringSet<> names;
  llvm::BitVector erased; // arguments
};

} // namespace

LogicalResult Preparation::collect() {
  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    auto symbol = function.getArgAttrOfType<FlatSymbolRefAttr>(
        index, nn::NNDialect::kParameterAttrName);
    names.insert(mp::getArgName(function, index));
    if (!symbol)
      continue;
    auto op = symbols.lookup<nn::ParameterOp>(symbol.getValue());
    if (!op)
      return emitError(function.getLoc())
             << "argument " << index << " refers to " << symbol
             << ", which is no nn.parameter of the module";
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || !isa<FloatType>(type.getElementType()) ||
        mp::getArgRole(function, index) != mp::Role::Parameter)
      continue;
    StringRef name = mp::getArgName(function, index);
    parameters.push_back(
        {argument, op, (name.empty() ? op.getSymName() : name).str()});
  }
  return success();
}

std::optional<ParameterData> Preparation::load(Parameter &parameter) {
  std::string problem;
  auto data = ParameterData::load(parameter.op, directory, problem);
  if (!data && parameter.op.getValueAttr())
    emitWarning(parameter.op.getLoc())
        << "cannot look into parameter '" << parameter.name << "': " << problem;
  return data;
}

//===----------------------------------------------------------------------===//
// Splats
//===----------------------------------------------------------------------===//

/// A copy of the parameter under a new name, as a new argument.
Parameter Preparation::duplicate(Parameter &parameter, unsigned number) {
  std::string name = parameter.name + "." + std::to_string(number);
  while (!names.insert(name).second)
    name += "_";
  auto op = cast<nn::ParameterOp>(parameter.op->clone());
  op.setSymName((parameter.op.getSymName() + "." + Twine(number)).str());
  StringAttr symbol =
      symbols.insert(op, std::next(parameter.op->getIterator()));
  OpBuilder builder(function.getContext());
  BlockArgument argument = step.addArgument(
      parameter.argument.getType(), mp::Role::Parameter, name, std::nullopt,
      builder.getNamedAttr(nn::NNDialect::kParameterAttrName,
                           FlatSymbolRefAttr::get(symbol)));
  return {argument, op, std::move(name)};
}

/// The number of elements of the smallest two parameters that are equal and of
/// one value: what merges equal initializers of that size has not seen the
/// file. (Exporters leave large ones alone.)
int64_t Preparation::findUnmergedSize() {
  int64_t smallest = std::numeric_limits<int64_t>::max();
  llvm::DenseSet<std::pair<Type, StringRef>> seen;
  SmallVector<ParameterData> contents; // `seen` refers to them
  for (Parameter &parameter : parameters) {
    auto type = cast<RankedTensorType>(parameter.argument.getType());
    if (type.getRank() == 0 || type.getNumElements() >= smallest ||
        parameter.argument.use_empty())
      continue;
    auto data = load(parameter);
    if (!data || !data->isSplat())
      continue;
    StringRef element(data->getBytes().data(),
                      type.getElementTypeBitWidth() / 8);
    if (seen.insert({type, element}).second)
      contents.push_back(std::move(*data));
    else
      smallest = type.getNumElements();
  }
  return smallest;
}

void Preparation::splitSplats() {
  ParameterPlaces places(function);
  std::optional<int64_t> unmerged;
  SmallVector<Parameter> added;
  for (Parameter &parameter : parameters) {
    auto type = cast<RankedTensorType>(parameter.argument.getType());
    if (type.getRank() == 0 ||
        !isWeightPlace(places.getPlace(parameter.argument)))
      continue;
    llvm::SetVector<Operation *> users;
    for (OpOperand &use : parameter.argument.getUses())
      users.insert(use.getOwner());
    if (users.size() < 2)
      continue;
    auto data = load(parameter);
    if (!data || !data->isSplat())
      continue;
    if (!unmerged)
      unmerged = findUnmergedSize();
    if (type.getNumElements() >= *unmerged) {
      emitRemark(parameter.op.getLoc())
          << "parameter '" << parameter.name << "' holds one value and has "
          << users.size()
          << " users: tied in the model, as other equal initializers of the "
             "file are apart";
      continue;
    }
    emitRemark(parameter.op.getLoc())
        << "parameter '" << parameter.name << "' holds one value and has "
        << users.size()
        << " users: an exporter merged equal initializers "
           "(torch.onnx.export(optimize=False) keeps them apart); split into "
           "one "
           "parameter per use (split-splats=false keeps it)";
    // The use list is in no order of the program.
    SmallVector<Operation *> ordered(users.begin(), users.end());
    llvm::sort(ordered, [](Operation *a, Operation *b) {
      return a->isBeforeInBlock(b);
    });
    for (auto [i, user] : llvm::enumerate(llvm::drop_begin(ordered))) {
      Parameter copy = duplicate(parameter, i + 1);
      user->replaceUsesOfWith(parameter.argument, copy.argument);
      added.push_back(std::move(copy));
    }
  }
  parameters.append(added.begin(), added.end());
  step.finish();
}

//===----------------------------------------------------------------------===//
// Tables and their transposes
//===----------------------------------------------------------------------===//

void Preparation::tieTransposes() {
  // Only parameters whose shapes are each other's transposes are looked into.
  using Key = std::tuple<int64_t, int64_t, Type>;
  llvm::MapVector<Key, SmallVector<Parameter *>> groups;
  for (Parameter &parameter : parameters) {
    auto type = cast<RankedTensorType>(parameter.argument.getType());
    if (type.getRank() != 2 || !type.hasStaticShape() ||
        type.getNumElements() < 2 || parameter.argument.use_empty())
      continue;
    auto [low, high] = std::minmax(type.getDimSize(0), type.getDimSize(1));
    groups[{low, high, type.getElementType()}].push_back(&parameter);
  }
  erased.resize(step.getBody().getNumArguments());
  auto fingerprint = [](const ParameterData &data, bool transposed) {
    // Of the transpose's content: both of a pair give the same numbers.
    auto shape = data.getType().getShape();
    int64_t rows = shape[0], columns = shape[1];
    int64_t elementBytes = data.getBytes().size() / (rows * columns);
    llvm::hash_code hash = llvm::hash_value(rows * columns);
    int64_t count = std::min<int64_t>(rows * columns, 64);
    for (int64_t k = 0; k < count; ++k) {
      // The same places of both: counted along the rows of the one and down
      // the columns of the other.
      int64_t i = transposed ? (k % rows) * columns + k / rows : k;
      hash = llvm::hash_combine(
          hash,
          StringRef(data.getBytes().data() + i * elementBytes, elementBytes));
    }
    return static_cast<size_t>(hash);
  };
  for (auto &[key, group] : groups) {
    if (group.size() < 2)
      continue;
    // Later parameters look for an earlier one they are the transpose of.
    llvm::DenseMap<size_t, SmallVector<std::pair<Parameter *, ParameterData>>>
        byContent;
    for (Parameter *parameter : group) {
      auto data = load(*parameter);
      if (!data || data->isSplat())
        continue;
      Parameter *twin = nullptr;
      auto it = byContent.find(fingerprint(*data, /*transposed=*/true));
      if (it != byContent.end())
        for (auto &[earlier, content] : it->second)
          if (data->isTransposeOf(content)) {
            twin = earlier;
            break;
          }
      if (!twin) {
        byContent[fingerprint(*data, /*transposed=*/false)].emplace_back(
            parameter, std::move(*data));
        continue;
      }
      // The table that is gathered stays: it is the embedding.
      auto isGathered = [](Parameter *p) {
        return llvm::any_of(p->argument.getUsers(), [](Operation *user) {
          return isa<nn::GatherOp>(user);
        });
      };
      Parameter *kept = twin, *replaced = parameter;
      if (isGathered(replaced) && !isGathered(kept) &&
          !erased.test(kept->argument.getArgNumber()))
        std::swap(kept, replaced);
      emitRemark(replaced->op.getLoc())
          << "parameter '" << replaced->name
          << "' is bit for bit the transpose "
          << "of '" << kept->name
          << "': tied to it (tie-transposes=false keeps both)";
      OpBuilder builder(&step.getBody(), step.getBody().begin());
      Value transposed =
          nn::TransposeOp::create(builder, replaced->argument.getLoc(),
                                  kept->argument, ArrayRef<int64_t>{1, 0});
      replaced->argument.replaceAllUsesWith(transposed);
      erased.set(replaced->argument.getArgNumber());
    }
  }
  llvm::erase_if(parameters, [&](const Parameter &parameter) {
    return erased.test(parameter.argument.getArgNumber());
  });
}

//===----------------------------------------------------------------------===//
// The choice
//===----------------------------------------------------------------------===//

/// The extent that all inputs begin with; 0 where they differ.
int64_t Preparation::getBatchSize() {
  int64_t size = 0;
  for (BlockArgument argument : function.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (mp::getArgRole(function, argument.getArgNumber()) != mp::Role::Input ||
        !type || type.getRank() == 0)
      continue;
    if (size != 0 && size != type.getDimSize(0))
      return 0;
    size = type.getDimSize(0);
  }
  return size;
}

/// Trained or not, and why. What equal elements are cannot be seen from them:
/// nobody adds a table of zeros, so one that is added is a weight that starts
/// so, unless it may be a mask that hides nothing or belongs to the samples of
/// this batch.
std::pair<bool, std::string> Preparation::judge(Parameter &parameter,
                                                Place place) {
  std::string description = describePlace(place).str();
  if (parameter.argument.use_empty())
    return {false, "unused"};
  if (place < Place::ScoreTable && place != Place::ScalarFactor)
    return {false, description};
  bool isFactor = place == Place::Factor, isVector = place == Place::Vector;
  bool isAnyWeight = isWeightPlace(place) && !isVector;
  auto type = cast<RankedTensorType>(parameter.argument.getType());
  int64_t extents =
      llvm::count_if(type.getShape(), [](int64_t e) { return e != 1; });
  bool mayBeOfSamples =
      place != Place::Filter && extents > 1 &&
      type.getRank() > (place >= Place::GatheredTable ? 2 : 1) &&
      type.getDimSize(0) > 1 && type.getDimSize(0) == getBatchSize();
  if (isAnyWeight && !mayBeOfSamples)
    return {true, description};
  auto data = load(parameter);
  if (place == Place::ScalarFactor)
    return data && data->at(0) == 0
               ? std::pair(true, std::string("a factor that starts at zero"))
               : std::pair(false, description);
  if (!data) // A factor is a weight less often than a rotary table.
    return {!isFactor, description};
  if (mayBeOfSamples && data->isSplat())
    return {false, "of one value, with a row for each sample"};
  if (isAnyWeight)
    return {true, description};
  if (isMask(*data))
    return {false, "a mask: it holds an infinity or a huge constant"};
  if (data->isSplat())
    return place == Place::ScoreTable
               ? std::pair(false, std::string("added to the scores of a "
                                              "softmax and of one value, like "
                                              "a mask that hides nothing"))
               : std::pair(true, description);
  StringRef formula = isFactor   ? describeFixedFactor(*data)
                      : isVector ? StringRef()
                                 : describeFixedTable(*data);
  return formula.empty() ? std::pair(true, description)
                         : std::pair(false, formula.str());
}

void Preparation::chooseTrainable(NameSelector &trainable,
                                  NameSelector &freeze) {
  ParameterPlaces places(function);
  for (Parameter &parameter : parameters) {
    bool forced = trainable.matches(parameter.name);
    bool frozen = freeze.matches(parameter.name);
    auto [isTrained, reason] =
        frozen ? std::pair(false,
                           std::string(forced ? "named by 'freeze', which wins "
                                                "over 'trainable'"
                                              : "named by 'freeze'"))
        : forced ? std::pair(true, std::string("named by 'trainable'"))
                 : judge(parameter, places.getPlace(parameter.argument));
    parameter.op.setTrainable(isTrained);
    emitRemark(parameter.op.getLoc())
        << (isTrained ? "trained" : "frozen") << ": '" << parameter.name
        << "' (" << reason << ")";
  }
}

//===----------------------------------------------------------------------===//
// Masters
//===----------------------------------------------------------------------===//

/// The value of a 16-bit parameter in f32; null when there is none.
static Attribute widen(const ParameterData &data, RankedTensorType type) {
  SmallVector<float> values;
  bool isSplat = data.isSplat();
  data.forEach([&](int64_t, double value) {
    values.push_back(static_cast<float>(value));
    return !isSplat;
  });
  return DenseElementsAttr::get(type, ArrayRef<float>(values));
}

/// A trained parameter of 16 bits gets an f32 master: small updates would be
/// rounded away. The model goes on with the 16-bit value.
void Preparation::widenMasters() {
  for (Parameter &parameter : parameters) {
    auto type = cast<RankedTensorType>(parameter.argument.getType());
    if (!parameter.op.getTrainable() || type.getElementTypeBitWidth() != 16)
      continue;
    OpBuilder builder(&step.getBody(), step.getBody().begin());
    auto master = RankedTensorType::get(type.getShape(), builder.getF32Type());
    if (parameter.op.getType() != master) {
      if (parameter.op.getValueAttr()) {
        auto data = load(parameter);
        if (!data)
          continue;
        parameter.op.setValueAttr(widen(*data, master));
      }
      parameter.op.setTypeAttr(TypeAttr::get(master));
      emitRemark(parameter.op.getLoc())
          << "parameter '" << parameter.name << "' is stored as "
          << type.getElementType() << ": trained from an f32 master";
    }
    parameter.argument.setType(master);
    auto cast = nn::CastOp::create(builder, parameter.argument.getLoc(), type,
                                   parameter.argument);
    parameter.argument.replaceAllUsesExcept(cast.getResult(), cast);
  }
}

//===----------------------------------------------------------------------===//
// Batch norm
//===----------------------------------------------------------------------===//

void Preparation::convertBatchNorm(bool toTraining) {
  SmallVector<nn::BatchNormInferenceOp> norms(
      step.getBody().getOps<nn::BatchNormInferenceOp>());
  llvm::DenseMap<Value, nn::ParameterOp> trained;
  for (Parameter &parameter : parameters)
    if (parameter.op.getTrainable())
      trained[parameter.argument] = parameter.op;
  unsigned wanted = 0;
  for (nn::BatchNormInferenceOp norm : norms) {
    if (!toTraining) {
      wanted += trained.contains(norm.getScale());
      continue;
    }
    OpBuilder builder(norm);
    auto training = nn::BatchNormTrainingOp::create(
        builder, norm.getLoc(), norm.getInput(), norm.getScale(),
        norm.getBias(), norm.getMean(), norm.getVariance(),
        norm.getEpsilonAttr(), builder.getF64FloatAttr(kStatisticMomentum));
    norm.getResult().replaceAllUsesWith(training.getResult());
    norm.erase();
  }
  if (toTraining && !norms.empty())
    emitRemark(function.getLoc()) << norms.size()
                                  << " batch norms normalize with the batch's "
                                     "statistics now, running averages keep "
                                  << kStatisticMomentum << " of the old value";
  if (wanted != 0)
    emitRemark(function.getLoc())
        << wanted
        << " batch norms with trained scales use fixed statistics (the model "
           "was exported for inference); batch-norm=training makes them "
           "follow the batch";
}

void Preparation::finish() {
  step.eraseArguments(erased);
  step.finish();
}

namespace {

struct PrepareParametersPass
    : mpt::impl::PrepareParametersPassBase<PrepareParametersPass> {
  using Base::Base;

  void runOnOperation() override;

private:
  void eraseUnusedParameters();
};

} // namespace

/// Parameters that only tied arguments referred to.
void PrepareParametersPass::eraseUnusedParameters() {
  llvm::DenseSet<StringAttr> used;
  getOperation().walk([&](func::FuncOp function) {
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (auto symbol = function.getArgAttrOfType<FlatSymbolRefAttr>(
              i, nn::NNDialect::kParameterAttrName))
        used.insert(symbol.getAttr());
  });
  for (auto parameter :
       llvm::make_early_inc_range(getOperation().getOps<nn::ParameterOp>()))
    if (!used.contains(parameter.getSymNameAttr()))
      parameter.erase();
}

void PrepareParametersPass::runOnOperation() {
  Location loc = getOperation().getLoc();
  auto toTrain = NameSelector::parse(trainable, loc);
  auto toFreeze = NameSelector::parse(freeze, loc);
  if (!toTrain || !toFreeze)
    return signalPassFailure();
  if (batchNorm != "keep" && batchNorm != "training") {
    emitError(loc) << "batch-norm should be keep or training, is '"
                   << batchNorm.getValue() << "'";
    return signalPassFailure();
  }
  SmallVector<func::FuncOp> functions;
  if (failed(collectFunctions(getOperation(), mp::Role::Output, functions)))
    return signalPassFailure();
  SymbolTable symbols(getOperation());
  std::vector<std::string> known;
  bool tied = false;
  for (func::FuncOp function : functions) {
    unsigned arguments = function.getNumArguments();
    Preparation preparation(function, symbols, directory);
    if (failed(preparation.collect()))
      return signalPassFailure();
    if (split)
      preparation.splitSplats();
    if (tie)
      preparation.tieTransposes();
    preparation.chooseTrainable(*toTrain, *toFreeze);
    preparation.widenMasters();
    preparation.convertBatchNorm(batchNorm == "training");
    llvm::append_range(known, preparation.getNames());
    preparation.finish();
    tied |= arguments != function.getNumArguments();
  }
  if (tied)
    eraseUnusedParameters();
  if (failed(toTrain->checkAllUsed(loc, "float parameter", known)) ||
      failed(toFreeze->checkAllUsed(loc, "float parameter", known)))
    signalPassFailure();
}
