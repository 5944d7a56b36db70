//===- kernels.cpp - Speed of single kernels ------------------------------===//
//
// mpt-kernel-bench [--type=f16] [filter]: for every operation
// of the list whose text holds `filter`, the time of one run on one core, and
// GFLOP/s (contractions) or GB/s (everything else: operands and results once).
//
//===----------------------------------------------------------------------===//

#include "../test/unit/Conversion/CompiledOp.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"

#include <chrono>

using namespace mlir;
using namespace mpt;
using namespace mpt::test;

namespace {
struct Case {
  std::string name, text;
  double flops; // 0: count bytes
};
} // namespace

static std::string shapeText(ArrayRef<int64_t> shape, StringRef element) {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text + element.str() + ">";
}

static Case matmul(int64_t m, int64_t n, int64_t k, bool ta, bool tb,
                   StringRef t, int64_t batch = 0) {
  auto shape = [&](int64_t a, int64_t b) {
    return batch ? shapeText({batch, a, b}, t) : shapeText({a, b}, t);
  };
  std::string a = ta ? shape(k, m) : shape(m, k),
              b = tb ? shape(n, k) : shape(k, n), r = shape(m, n);
  std::string flags =
      "{transpose_lhs = " + std::string(ta ? "true" : "false") +
      ", transpose_rhs = " + std::string(tb ? "true" : "false") + "}";
  return {("matmul " + Twine(batch ? std::to_string(batch) + "x " : "") +
           Twine(m) + "x" + Twine(n) + "x" + Twine(k) + (ta ? " TA" : "") +
           (tb ? " TB" : ""))
              .str(),
          "func.func @f(%a: " + a + ", %b: " + b + ") -> " + r +
              " {\n %0 = nn.matmul %a, %b " + flags + " : (" + a + ", " + b +
              ") -> " + r + "\n return %0 : " + r + "\n}",
          2.0 * m * n * k * std::max<int64_t>(batch, 1)};
}

/// kind: conv, conv_transpose (the input gradient), conv_filter_grad.
static Case conv(StringRef kind, int64_t n, int64_t c, int64_t f,
                 int64_t extent, int64_t kernel, int64_t stride, int64_t pad,
                 int64_t group, StringRef t) {
  int64_t out = (extent + 2 * pad - kernel) / stride + 1;
  std::string x = shapeText({n, c, extent, extent}, t),
              w = shapeText({f, c / group, kernel, kernel}, t),
              y = shapeText({n, f, out, out}, t);
  std::string s = std::to_string(stride), p = std::to_string(pad);
  std::string attributes =
      "{strides = array<i64: " + s + ", " + s + ">, pads = array<i64: " + p +
      ", " + p + ", " + p + ", " + p +
      ">, dilations = array<i64: 1, 1>, group = " + std::to_string(group) +
      " : i64}";
  std::string a = x, b = w, r = y;
  if (kind == "conv_transpose")
    a = y, r = x;
  if (kind == "conv_filter_grad")
    b = y, r = w;
  return {(kind + " n" + Twine(n) + " c" + Twine(c) + " f" + Twine(f) + " " +
           Twine(extent) + "^2 k" + Twine(kernel) + " s" + Twine(stride) +
           (group > 1 ? " g" + Twine(group).str() : std::string()))
              .str(),
          "func.func @f(%a: " + a + ", %b: " + b + ") -> " + r +
              " {\n %0 = nn." + kind.str() + " %a, %b " + attributes + " : (" +
              a + ", " + b + ") -> " + r + "\n return %0 : " + r + "\n}",
          2.0 * n * f * out * out * (c / group) * kernel * kernel};
}

static Case other(StringRef name, StringRef body,
                  ArrayRef<std::string> operands,
                  ArrayRef<std::string> results) {
  std::string arguments, values;
  for (size_t i = 0; i < operands.size(); ++i)
    arguments += (i ? ", %" : "%") + std::to_string(i) + ": " + operands[i];
  for (size_t i = 0; i < results.size(); ++i)
    values += (i ? ", %r#" : "%r#") + std::to_string(i);
  std::string types = llvm::join(results, ", ");
  return {name.str(),
          "func.func @f(" + arguments + ") -> (" + types +
              ") {\n %r:" + std::to_string(results.size()) + " = " +
              body.str() + " : (" + llvm::join(operands, ", ") + ") -> (" +
              types + ")\n return " + values + " : " + types + "\n}",
          0};
}

static std::vector<Case> getCases(StringRef t) {
  std::vector<Case> cases;
  for (int64_t n : {64, 128, 192, 384, 768, 1024})
    cases.push_back(matmul(n, n, n, false, false, t));
  for (bool ta : {false, true})
    for (bool tb : {false, true})
      cases.push_back(matmul(128, 1024, 784, ta, tb, t));
  cases.push_back(matmul(256, 192, 64, false, false, t));
  cases.push_back(matmul(64, 64, 16, false, true, t, 32));
  cases.push_back(matmul(64, 16, 64, false, false, t, 32));
  cases.push_back(matmul(64, 10, 128, false, true, t));
  for (StringRef kind : {"conv", "conv_transpose", "conv_filter_grad"}) {
    cases.push_back(conv(kind, 64, 1, 16, 28, 3, 1, 1, 1, t));
    cases.push_back(conv(kind, 64, 16, 16, 28, 3, 1, 1, 1, t));
    cases.push_back(conv(kind, 64, 16, 32, 14, 3, 1, 1, 1, t));
    cases.push_back(conv(kind, 64, 32, 32, 14, 3, 1, 1, 1, t));
    cases.push_back(conv(kind, 64, 32, 64, 7, 3, 1, 1, 1, t));
    cases.push_back(conv(kind, 64, 64, 64, 7, 3, 1, 1, 1, t));
    cases.push_back(conv(kind, 16, 64, 64, 56, 3, 1, 1, 1, t));
    cases.push_back(conv(kind, 32, 3, 16, 32, 3, 1, 1, 1, t));
    cases.push_back(conv(kind, 32, 16, 32, 32, 3, 2, 1, 1, t));
    cases.push_back(conv(kind, 32, 32, 64, 16, 1, 1, 0, 1, t));
    cases.push_back(conv(kind, 32, 32, 64, 16, 1, 2, 0, 1, t));
    cases.push_back(conv(kind, 8, 3, 64, 224, 7, 2, 3, 1, t));
    cases.push_back(conv(kind, 8, 512, 512, 7, 3, 1, 1, 1, t));
    cases.push_back(conv(kind, 32, 32, 32, 28, 3, 1, 1, 32, t));
  }
  // Everything else is bound by memory.
  auto add = [&](StringRef name, StringRef body, ArrayRef<std::string> operands,
                 ArrayRef<std::string> results) {
    cases.push_back(other(name, body, operands, results));
  };
  for (auto [n, c, extent] :
       {std::tuple(64, 8, 28), std::tuple(64, 16, 14), std::tuple(64, 32, 7)}) {
    std::string shape =
        (" n" + Twine(n) + " c" + Twine(c) + " " + Twine(extent) + "^2").str();
    std::string x = shapeText({n, c, extent, extent}, t),
                y = shapeText({n, c, extent / 2, extent / 2}, t),
                taps = shapeText({n, c, extent / 2, extent / 2}, "i8"),
                s = shapeText({c}, "f32");
    std::string window = " {kernel = array<i64: 2, 2>, strides = array<i64: 2, "
                         "2>, pads = array<i64: 0, 0, 0, 0>, dilations = "
                         "array<i64: 1, 1>}";
    add("batch_norm_training" + shape,
        "nn.batch_norm_training %0, %1, %2, %3, %4", {x, s, s, s, s},
        {x, s, s, s, s});
    add("batch_norm_grad" + shape, "nn.batch_norm_grad %0, %1, %2, %3, %4",
        {x, x, s, s, s}, {x, s, s});
    add("max_pool" + shape, "nn.max_pool %0" + window, {x}, {y, taps});
    add("max_pool_grad" + shape, "nn.max_pool_grad %0, %1" + window, {y, taps},
        {x});
    add("reduce_sum" + shape, "nn.reduce_sum %0 {axes = array<i64: 0, 2, 3>}",
        {x}, {s});
  }
  std::string rows = shapeText({2048, 256}, t), m = shapeText({2048, 1}, "f32"),
              g = shapeText({256}, "f32");
  add("layer_norm 2048x256", "nn.layer_norm %0, %1, %2 {axis = 1 : i64}",
      {rows, g, g}, {rows, m, m});
  add("layer_norm_grad 2048x256",
      "nn.layer_norm_grad %0, %1, %2, %3, %4 {axis = 1 : i64}",
      {rows, rows, g, m, m}, {rows, g, g});
  add("reduce_sum leading 2048x256", "nn.reduce_sum %0 {axes = array<i64: 0>}",
      {rows}, {shapeText({256}, t)});
  cases.push_back({"softmax 2048x256",
                   "func.func @f(%0: " + rows + ") -> " + rows +
                       " {\n %r = nn.softmax %0 {axis = 1 : i64} : " + rows +
                       "\n return %r : " + rows + "\n}",
                   0});
  cases.push_back({"all_finite 2048x256",
                   "func.func @f(%0: " + rows +
                       ") -> (tensor<i1>, tensor<i64>) {\n %r:2 = "
                       "mp.all_finite %0 : " +
                       rows +
                       "\n return %r#0, %r#1 : tensor<i1>, tensor<i64>\n}",
                   0});
  return cases;
}

static llvm::cl::opt<std::string> filter(llvm::cl::Positional,
                                         llvm::cl::desc("[part of a name]"),
                                         llvm::cl::init(""));
static llvm::cl::opt<std::string>
    element("type", llvm::cl::desc("element type"), llvm::cl::init("f32"));
static llvm::cl::opt<std::string>
    file("file", llvm::cl::desc("benchmark the function of this file instead"));
static llvm::cl::opt<bool> dump("dump",
                                llvm::cl::desc("print the optimized LLVM IR"));

int main(int argc, char **argv) {
  llvm::cl::ParseCommandLineOptions(argc, argv,
                                    "Speed of single kernels on one core\n");
  DialectRegistry registry;
  registerTestDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  std::vector<Case> cases = getCases(element);
  if (!file.empty()) {
    auto buffer = llvm::MemoryBuffer::getFile(file);
    if (!buffer) {
      llvm::errs() << file << ": " << buffer.getError().message() << "\n";
      return 1;
    }
    cases = {{file, (*buffer)->getBuffer().str(), 0}};
  }
  auto target = conversion::TargetDescription::getHost(1);
  bool failed = false;
  for (const Case &test : cases) {
    if (test.name.find(filter) == std::string::npos)
      continue;
    std::string error;
    auto start = std::chrono::steady_clock::now();
    auto seconds = [&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                           start)
          .count();
    };
    auto compiled =
        CompiledOp::compile(context, test.text, target, error, dump);
    if (!compiled) {
      llvm::errs() << test.name << ": " << error << "\n";
      failed = true;
      continue;
    }
    double compileTime = seconds();
    std::mt19937 generator(1);
    std::vector<Buffer> buffers;
    SmallVector<void *> pointers;
    double bytes = 0;
    for (auto types : {compiled->getInputTypes(), compiled->getOutputTypes()})
      for (RankedTensorType type : types) {
        buffers.emplace_back(type);
        buffers.back().fillRandom(generator);
        bytes += double(conversion::getTensorBytes(type));
      }
    for (Buffer &buffer : buffers)
      pointers.push_back(buffer.data());
    compiled->run(pointers, 1);
    double best = 1e9, total = 0;
    for (int i = 0; (total < 0.3 || i < 3) && i < 1000; ++i) {
      start = std::chrono::steady_clock::now();
      compiled->run(pointers, 1);
      double time = seconds();
      best = std::min(best, time);
      total += time;
    }
    llvm::outs() << llvm::format(
        "%-44s %-18s %9.3f ms  %7.1f %s  (compiled in %.2f s)\n",
        test.name.c_str(), compiled->getEmitter().getName().str().c_str(),
        best * 1e3, (test.flops ? test.flops : bytes) / best / 1e9,
        test.flops ? "GFLOP/s" : "GB/s", compileTime);
    llvm::outs().flush();
  }
  return failed;
}
