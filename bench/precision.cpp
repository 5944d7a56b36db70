//===- precision.cpp - What deciding and inserting casts costs ------------===//
//
//   mpt-precision-bench [OPERATIONS ...]      (default: 10000 100000 1000000)
//
// Builds training steps of about so many operations (matrix products, residual
// additions, gelu, layer norm, an FP32 operation in every tenth block; forward,
// backward and SGD), and times mpt-assign-precision and mpt-insert-casts beside
// canonicalize + cse on the same step, on one thread. Times are of the
// processor, so that a busy machine changes them less; memory is the growth of
// the process's peak while a pass runs.
//
//===----------------------------------------------------------------------===//

#include "mpt/InitAllDialects.h"
#include "mpt/Pipelines/Pipelines.h"
#include "mpt/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/Format.h"

#include <ctime>
#include <fstream>
#include <malloc.h>

using namespace mlir;
using namespace mpt;

static constexpr int kWeights = 64;

/// `blocks` blocks of a residual network over [16, 64].
static std::string makeForward(int blocks) {
  std::string text = "module {\n", arguments;
  for (int i = 0; i < kWeights; ++i) {
    std::string n = std::to_string(i);
    auto add = [&](const char *prefix, const char *type) {
      text += std::string("nn.parameter @") + prefix + n +
              " trainable = true : " + type + "\n";
      arguments += std::string(", %") + prefix + n + ": " + type +
                   " {mp.name = \"" + prefix + n +
                   "\", mp.role = #mp.role<parameter>, nn.parameter = @" +
                   prefix + n + "}";
    };
    add("w", "tensor<64x64xf32>");
    add("b", "tensor<64xf32>");
  }
  text += "func.func @forward(%x: tensor<16x64xf32> {mp.name = \"x\", mp.role "
          "= #mp.role<input>}" +
          arguments +
          ") -> (tensor<f32> {mp.name = \"loss\", mp.role = "
          "#mp.role<loss>}) {\n";
  const std::string t = "tensor<16x64xf32>", w = "tensor<64x64xf32>",
                    v = "tensor<64xf32>";
  std::string x = "%x";
  for (int i = 0; i < blocks; ++i) {
    std::string n = std::to_string(i), first = std::to_string(i % kWeights),
                second = std::to_string((i + 1) % kWeights);
    text += "%a" + n + " = nn.matmul " + x + ", %w" + first + " : (" + t +
            ", " + w + ") -> " + t + "\n";
    text += "%c" + n + " = nn.add %a" + n + ", %b" + first + " : " + t + ", " +
            v + "\n";
    text += "%d" + n + " = nn.gelu %c" + n + " : " + t + "\n";
    text += "%e" + n + " = nn.matmul %d" + n + ", %w" + second + " : (" + t +
            ", " + w + ") -> " + t + "\n";
    text +=
        "%f" + n + " = nn.add %e" + n + ", " + x + " : " + t + ", " + t + "\n";
    text += "%g" + n + ", %m" + n + ", %r" + n + " = nn.layer_norm %f" + n +
            ", %b" + first + ", %b" + second + " {axis = 1} : (" + t + ", " +
            v + ", " + v + ") -> (" + t +
            ", tensor<16x1xf32>, tensor<16x1xf32>) loc(\"block" + n +
            "/norm\")\n";
    x = "%g" + n;
    if (i % 10 == 9) {
      text += "%h" + n + " = nn.softplus " + x + " : " + t + "\n";
      x = "%h" + n;
    }
  }
  text += "%loss = nn.reduce_mean " + x + " {axes = array<i64: 0, 1>} : (" + t +
          ") -> tensor<f32>\nreturn %loss : tensor<f32>\n}\n}\n";
  return text;
}

//===----------------------------------------------------------------------===//

/// A line of /proc/self/status in KiB.
static double readStatus(StringRef key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (StringRef(line).starts_with(key)) {
      double value = 0;
      StringRef(line)
          .drop_front(key.size() + 1)
          .trim()
          .split(' ')
          .first.getAsDouble(value);
      return value;
    }
  return 0;
}

struct Measurement {
  double seconds = 0, bytes = 0;
};

static Measurement runPass(ModuleOp module,
                           llvm::function_ref<void(OpPassManager &)> add) {
  PassManager manager(module.getContext());
  manager.enableVerifier(false);
  add(manager);
  malloc_trim(0); // what a pass takes is to be seen
  std::ofstream("/proc/self/clear_refs") << "5"; // resets the peak
  double before = readStatus("VmRSS:");
  std::clock_t start = std::clock();
  if (failed(manager.run(module)))
    std::exit(1);
  double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  return {seconds, (readStatus("VmHWM:") - before) * 1024};
}

static void measure(int64_t operations) {
  DialectRegistry registry;
  mpt::registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  // About 20 operations of the step belong to a block.
  auto module =
      parseSourceString<ModuleOp>(makeForward(operations / 20), &context);
  if (!module)
    std::exit(1);
  TrainingOptions options;
  runPass(*module, [&](OpPassManager &manager) {
    addGradientPhase(manager, options);
    addOptimizerPhase(manager, options);
    addScalingPhase(manager, options);
  });
  int64_t count = 0;
  module->walk([&](Operation *) { ++count; });
  OwningOpRef<ModuleOp> copy = module->clone();
  Measurement cleanup =
      runPass(*copy, [](OpPassManager &manager) { addCleanupPhase(manager); });
  copy = nullptr;
  Measurement assign = runPass(*module, [](OpPassManager &manager) {
    manager.addNestedPass<func::FuncOp>(createAssignPrecisionPass());
  });
  Measurement insert = runPass(*module, [](OpPassManager &manager) {
    manager.addNestedPass<func::FuncOp>(createInsertCastsPass());
  });
  auto row = [&](const char *name, const Measurement &m) {
    llvm::outs() << llvm::format(
        "%9lld  %-18s %8.3f s  %6.2f us/op  %5.2f x cleanup  %6.0f bytes/op\n",
        static_cast<long long>(count), name, m.seconds, m.seconds * 1e6 / count,
        m.seconds / cleanup.seconds, m.bytes / count);
  };
  row("canonicalize + cse", cleanup);
  row("assign-precision", assign);
  row("insert-casts", insert);
  llvm::outs().flush();
}

int main(int argc, char **argv) {
  std::vector<int64_t> sizes;
  for (int i = 1; i < argc; ++i) {
    int64_t size = 0;
    if (StringRef(argv[i]).getAsInteger(10, size) || size < 100) {
      llvm::errs() << "mpt-precision-bench: '" << argv[i]
                   << "' is no number of operations (at least 100)\n";
      return 1;
    }
    sizes.push_back(size);
  }
  if (sizes.empty())
    sizes = {10000, 100000, 1000000};
  for (int64_t size : sizes)
    measure(size);
  return 0;
}
