//===- StepBuilder.cpp - From a model file to the functions of a run
//-------===//

#include "StepBuilder.h"

#include "mpt/Import/ONNX/ImportONNX.h"
#include "mpt/Support/CallExpression.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mpt;
using namespace mpt::training;

std::optional<LossScaling> training::getLossScaling(const TrainOptions &options,
                                                    std::string &error) {
  llvm::StringRef text = options.lossScale;
  if (text.empty())
    text = options.precision == Precision::FP16 ? "dynamic" : "off";
  if (text == "off")
    return LossScaling{"off", 1};
  if (text == "dynamic")
    return LossScaling{"dynamic", options.initialScale};
  double scale = 0;
  if (text.getAsDouble(scale) || !(scale > 0)) {
    error = "--loss-scale takes dynamic, off or a positive number, not '" +
            text.str() + "'";
    return std::nullopt;
  }
  return LossScaling{"static", scale};
}

std::optional<double> training::getLearningRate(const TrainOptions &options,
                                                std::string &error) {
  auto expression = CallExpression::parse(options.optimizer, error);
  if (!expression)
    return std::nullopt;
  const CallTerm &term = expression->terms.front();
  if (!term.positional.empty() &&
      term.positional.front().kind == CallValue::Kind::Number)
    return term.positional.front().number;
  for (const CallTerm::Keyword &keyword : term.keywords)
    if (keyword.key == "lr" && keyword.value.kind == CallValue::Kind::Number)
      return keyword.value.number;
  error = expression->diagnose(term.offset, "needs a learning rate: lr=...");
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Pipelines, by the passes' public names
//===----------------------------------------------------------------------===//

/// `name="value"` for a pass option, or nothing for an empty value.
static std::string option(llvm::StringRef name, llvm::StringRef value) {
  return value.empty() ? "" : (name + "=\"" + value + "\" ").str();
}

static std::string lossPipeline(const TrainOptions &options) {
  return "mpt-prepare-parameters{" + option("trainable", options.trainable) +
         option("freeze", options.freeze) +
         (options.trainBatchNorm ? "batch-norm=training" : "") +
         "},mpt-attach-loss{" + option("loss", options.loss) + "}";
}

static std::string scalePipeline(const TrainOptions &options,
                                 const LossScaling &scaling) {
  return llvm::formatv("func.func(mpt-scale-loss{{mode={0} init-scale={1} "
                       "growth-interval={2}},mpt-verify-loss-scaling)",
                       scaling.mode, scaling.initial, options.growthInterval);
}

/// Deciding and placing casts; nothing in FP32.
static std::string precisionPipeline(const TrainOptions &options) {
  std::string clean = "canonicalize,cse";
  if (options.precision == Precision::FP32)
    return clean;
  llvm::StringRef low = options.precision == Precision::FP16 ? "f16" : "bf16";
  return clean + ",func.func(mpt-normalize-masks,mpt-assign-precision{low=" +
         low.str() + "},mpt-insert-casts)," + clean;
}

static LogicalResult runPipeline(ModuleOp module, llvm::StringRef pipeline) {
  PassManager manager(module.getContext());
  if (failed(parsePassPipeline(pipeline, manager)))
    return failure();
  return manager.run(module);
}

//===----------------------------------------------------------------------===//
// The model
//===----------------------------------------------------------------------===//

static OwningOpRef<ModuleOp> loadModel(MLIRContext &context,
                                       const TrainOptions &options) {
  llvm::StringRef path = options.model;
  if (path.ends_with(".mlir") || path.ends_with(".mlirbc"))
    return parseSourceFile<ModuleOp>(path, &context);
  ImportOptions importOptions;
  for (const auto &[name, extent] : options.dims)
    importOptions.dims[name] = extent;
  return importONNX(context, path, importOptions);
}

/// The only function of that name, or an error.
static func::FuncOp lookup(ModuleOp module, llvm::StringRef name) {
  auto function = module.lookupSymbol<func::FuncOp>(name);
  if (!function)
    module.emitError() << "has no function @" << name;
  return function;
}

/// Clones `module`, runs a pipeline on the clone and finds its function.
static LogicalResult derive(ModuleOp module, llvm::StringRef pipeline,
                            llvm::StringRef name, BuiltFunction &built) {
  built.module = OwningOpRef<ModuleOp>(module.clone());
  if (failed(runPipeline(*built.module, pipeline)))
    return failure();
  built.function = lookup(*built.module, name);
  return success(built.function != nullptr);
}

/// Operations by decided precision, and the casts that carry the decisions.
static void countPrecisions(func::FuncOp function, BuiltModel &model) {
  function.walk([&](Operation *op) {
    if (isa<mp::CastOp>(op)) {
      ++model.casts;
      return;
    }
    if (isa<func::FuncOp, func::ReturnOp, nn::ConstantOp>(op))
      return;
    auto isFloat = [](Type type, auto test) {
      auto element = dyn_cast<FloatType>(getElementTypeOrSelf(type));
      return element && test(element.getWidth());
    };
    auto is16 = [](unsigned width) { return width == 16; };
    auto isAny = [](unsigned) { return true; };
    bool low = llvm::any_of(op->getOperandTypes(),
                            [&](Type t) { return isFloat(t, is16); }) ||
               llvm::any_of(op->getResultTypes(),
                            [&](Type t) { return isFloat(t, is16); });
    bool floating = llvm::any_of(op->getResultTypes(),
                                 [&](Type t) { return isFloat(t, isAny); });
    model.opsLow += low;
    model.opsFP32 += !low && floating;
  });
}

std::optional<BuiltModel> training::buildModel(MLIRContext &context,
                                               const TrainOptions &options,
                                               std::string &error) {
  std::optional<LossScaling> scaling = getLossScaling(options, error);
  OwningOpRef<ModuleOp> module = loadModel(context, options);
  if (!scaling || !module ||
      failed(runPipeline(*module, lossPipeline(options))))
    return std::nullopt;

  BuiltModel model;
  func::FuncOp forward = lookup(*module, "forward");
  if (!forward)
    return std::nullopt;
  model.heads = findClassifications(forward);

  std::string precision = precisionPipeline(options);
  if (failed(derive(*module, "mpt-inference-mode," + precision, "eval",
                    model.evaluation)))
    return std::nullopt;

  std::string scale = scalePipeline(options, *scaling);
  std::string optimizer =
      "mpt-attach-optimizer{" + option("optimizer", options.optimizer) +
      llvm::formatv("clip-norm={0}}", options.clipNorm).str();
  if (failed(derive(*module,
                    "mpt-differentiate," + optimizer + "," + scale + "," +
                        precision,
                    "train_step", model.step)))
    return std::nullopt;
  if (!options.dumpGradients.empty() &&
      failed(derive(*module, "mpt-differentiate," + scale + "," + precision,
                    "forward", model.gradients)))
    return std::nullopt;

  countPrecisions(model.step.function, model);
  model.step.function.walk([&](mp::UnscaleOp op) {
    model.gradientNames.push_back(op.getParameter().str());
  });
  return model;
}
