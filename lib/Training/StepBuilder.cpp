//===- StepBuilder.cpp - From a model file to the functions of a run ------===//

#include "StepBuilder.h"

#include "mpt/Analysis/FlopCount.h"
#include "mpt/Analysis/PrecisionSummary.h"
#include "mpt/Import/ONNX/ImportONNX.h"
#include "mpt/Pipelines/Pipelines.h"
#include "mpt/Transforms/OptimizerSettings.h"
#include "mpt/Transforms/Passes.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

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
  if (text == "auto" && options.scaleProfile.empty()) {
    error = "--loss-scale auto needs --scale-profile FILE, which mpt-run "
            "--profile writes of a training step";
    return std::nullopt;
  }
  if (text == "auto")
    return LossScaling{"auto", options.initialScale};
  double scale = 0;
  if (text.getAsDouble(scale) || !(scale > 0)) {
    error =
        "--loss-scale takes dynamic, auto, off or a positive number, not '" +
        text.str() + "'";
    return std::nullopt;
  }
  return LossScaling{"static", scale};
}

std::optional<double> training::getLearningRate(const TrainOptions &options,
                                                std::string &error) {
  auto settings = OptimizerSettings::parse(options.optimizer, error);
  if (!settings)
    return std::nullopt;
  return settings->learningRate;
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
  importOptions.batchSize = options.batchSize;
  return importONNX(context, path, importOptions);
}

/// The only function of that name, or an error.
static func::FuncOp lookup(ModuleOp module, llvm::StringRef name) {
  auto function = module.lookupSymbol<func::FuncOp>(name);
  if (!function)
    module.emitError() << "has no function @" << name;
  return function;
}

using Phases = llvm::function_ref<void(OpPassManager &)>;

static LogicalResult runPhases(ModuleOp module, Phases addPhases) {
  PassManager manager(module.getContext());
  addPhases(manager);
  return manager.run(module);
}

/// Runs phases on a clone of `module` and finds the function they make.
static LogicalResult derive(ModuleOp module, llvm::StringRef name,
                            BuiltFunction &built, Phases addPhases) {
  built.module = OwningOpRef<ModuleOp>(module.clone());
  if (failed(runPhases(*built.module, addPhases)))
    return failure();
  built.function = lookup(*built.module, name);
  return success(built.function != nullptr);
}

static void setPipelineOptions(const TrainOptions &options,
                               const LossScaling &scaling,
                               TrainingOptions &pipeline) {
  static constexpr const char *precisions[] = {"fp32", "fp16", "bf16"};
  pipeline.trainable = options.trainable;
  pipeline.freeze = options.freeze;
  pipeline.batchNorm = options.trainBatchNorm ? "training" : "keep";
  pipeline.loss = options.loss;
  pipeline.optimizer = options.optimizer;
  pipeline.paramGroups = options.paramGroups;
  pipeline.clipNorm = options.clipNorm;
  pipeline.ema = options.ema;
  pipeline.microBatches = options.accumulate;
  pipeline.rematerialize = options.rematerialize;
  pipeline.memoryBudget = options.memoryBudget;
  pipeline.lossScale = scaling.mode;
  pipeline.scaleProfile = options.scaleProfile;
  pipeline.initScale = scaling.initial;
  pipeline.growthInterval = options.growthInterval;
  pipeline.policy = options.policy;
  pipeline.precision = precisions[static_cast<int>(options.precision)];
}

std::optional<BuiltModel>
training::buildModel(MLIRContext &context, const TrainOptions &options,
                     const std::vector<std::string> &labelLengths,
                     std::string &error) {
  std::optional<LossScaling> scaling = getLossScaling(options, error);
  if (!scaling)
    return std::nullopt;
  TrainingOptions pipeline;
  setPipelineOptions(options, *scaling, pipeline);
  for (const std::string &length : labelLengths)
    pipeline.labelLengths.push_back(length);

  OwningOpRef<ModuleOp> module = loadModel(context, options);
  if (!module || failed(runPhases(*module, [&](OpPassManager &manager) {
        addLossPhase(manager, pipeline);
      })))
    return std::nullopt;
  func::FuncOp forward = lookup(*module, "forward");
  if (!forward)
    return std::nullopt;
  BuiltModel model;
  model.heads = findClassifications(forward);
  model.transcriptions = findTranscriptions(forward);

  LogicalResult evaluation =
      derive(*module, "eval", model.evaluation, [&](OpPassManager &manager) {
        manager.addPass(createInferenceModePass());
        addTrainingPrecisionPhase(manager, pipeline);
      });
  if (failed(evaluation))
    return std::nullopt;
  LogicalResult step =
      derive(*module, "train_step", model.step, [&](OpPassManager &manager) {
        addGradientPhase(manager, pipeline);
        addOptimizerPhase(manager, pipeline);
        addScalingPhase(manager, pipeline);
        addTrainingPrecisionPhase(manager, pipeline);
        addMemoryPhase(manager, pipeline);
        if (!options.explain.empty())
          manager.addPass(createExplainPrecisionPass({options.explain}));
      });
  if (failed(step))
    return std::nullopt;
  if (!options.dumpGradients.empty() &&
      failed(derive(*module, "forward", model.gradients,
                    [&](OpPassManager &manager) {
                      addGradientPhase(manager, pipeline);
                      addScalingPhase(manager, pipeline);
                      addTrainingPrecisionPhase(manager, pipeline);
                      addMemoryPhase(manager, pipeline);
                    })))
    return std::nullopt;

  PrecisionSummary summary = summarizePrecision(model.step.function);
  model.opsLow = summary.lowOps;
  model.opsFP32 = summary.fp32Ops;
  model.casts = summary.casts;
  model.castBytes = summary.castBytes;
  model.flops = countAllFlops(model.step.function);
  model.step.function.walk([&](mp::UnscaleOp op) {
    model.gradientNames.push_back(op.getParameter().str());
  });
  return model;
}
