//===- PassHelp.cpp - The options of passes -------------------------------===//

#include "PassHelp.h"

#include "mpt/Pipelines/Pipelines.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

#include <map>
#include <optional>

using namespace mlir;
using namespace mpt;

namespace {

struct OptionHelp {
  std::string help, initial;
};
using OptionTable = std::map<std::string, OptionHelp>;

/// A pass keeps its options to itself, and MLIR has no way to list them; an
/// explicit instantiation may name a private member.
detail::PassOptions &getOptions(Pass &pass);
template <auto member> struct Opener {
  friend detail::PassOptions &getOptions(Pass &pass) { return pass.*member; }
};
template struct Opener<&Pass::passOptions>;

struct Setting {
  StringRef name, value;
};

} // namespace

/// The length of what stands before the first `stop` outside of quotes, braces
/// and brackets.
static size_t lengthUntil(StringRef text, char stop) {
  SmallVector<char> closing;
  for (auto [i, c] : llvm::enumerate(text)) {
    if (!closing.empty() && c == closing.back())
      closing.pop_back();
    else if (!closing.empty() && closing.back() != '}' && closing.back() != ']')
      continue; // a quoted text ends in its quote only
    else if (closing.empty() && c == stop)
      return i;
    else if (c == '\'' || c == '"')
      closing.push_back(c);
    else if (c == '{' || c == '[')
      closing.push_back(c == '{' ? '}' : ']');
  }
  return text.size();
}

/// The parts of `name=value name={value with spaces}`.
static SmallVector<Setting> splitOptions(StringRef text) {
  SmallVector<Setting> settings;
  for (text = text.trim(); !text.empty(); text = text.ltrim()) {
    StringRef part = text.take_front(lengthUntil(text, ' '));
    text = text.drop_front(part.size());
    auto [name, value] = part.split('=');
    settings.push_back({name, value});
  }
  return settings;
}

/// The options of a set; the base class that has them is protected.
static OptionTable listOptions(const detail::PassOptions &options) {
  OptionTable table;
  for (const auto &[name, option] :
       ((llvm::cl::SubCommand &)options).OptionsMap)
    table[name.str()] = {option->HelpStr.str(), ""};
  std::string text;
  llvm::raw_string_ostream os(text);
  options.print(os);
  StringRef printed = StringRef(text).trim();
  if (printed.consume_front("{"))
    printed.consume_back("}");
  for (const Setting &setting : splitOptions(printed))
    if (auto it = table.find(setting.name.str()); it != table.end())
      it->second.initial = setting.value.str();
  return table;
}

/// The options of a pass or of one of our pipelines; none for what is not known
/// to have any: a pipeline of MLIR's.
static std::optional<OptionTable> findOptions(StringRef name) {
  if (name == "mpt-mixed-precision")
    return listOptions(MixedPrecisionOptions());
  if (name == "mpt-training")
    return listOptions(TrainingOptions());
  if (name == "mpt-lower-to-cpu")
    return listOptions(LowerToCPUOptions());
  const PassInfo *info = PassInfo::lookup(name);
  if (!info)
    return std::nullopt;
  // Nothing is run: any anchor will do.
  MLIRContext context(MLIRContext::Threading::DISABLED);
  PassManager manager(&context);
  OpPassManager nested(OpPassManager::Nesting::Implicit);
  if (failed(info->addToPipeline(nested, "",
                                 [](const Twine &) { return failure(); })) ||
      nested.empty())
    return std::nullopt;
  Pass *pass = &*nested.begin();
  return listOptions(getOptions(*pass));
}

static bool checkOptions(StringRef pass, StringRef text, std::string &error) {
  std::optional<OptionTable> table = findOptions(pass);
  if (!table)
    return true;
  for (const Setting &setting : splitOptions(text)) {
    if (table->count(setting.name.str()))
      continue;
    error = (pass + " has no option '" + setting.name + "'; ").str();
    if (table->empty())
      error += "it takes none";
    else
      error += "it has " + llvm::join(llvm::make_first_range(*table), ", ");
    // loss=cross_entropy(logits, labels)
    if (setting.name.contains(')') && text.contains('('))
      error += " (a value with spaces goes in braces: name={a, b})";
    return false;
  }
  return true;
}

bool mpt::checkPassOptions(llvm::ArrayRef<const char *> arguments,
                           std::string &error) {
  for (size_t i = 1; i < arguments.size(); ++i) {
    StringRef argument = arguments[i];
    if (!argument.consume_front("-"))
      continue;
    argument.consume_front("-");
    auto [name, value] = argument.split('=');
    if (name != "pass-pipeline") {
      if (!value.empty() && !checkOptions(name, value, error))
        return false;
      continue;
    }
    if (value.empty() && i + 1 < arguments.size())
      value = arguments[++i];
    // Names in front of braces: builtin.module(pass{options},func.func(pass)).
    for (size_t brace = value.find('{'); brace != StringRef::npos;
         brace = value.find('{', brace)) {
      StringRef before = value.take_front(brace);
      StringRef rest = value.drop_front(brace + 1);
      StringRef options = rest.take_front(lengthUntil(rest, '}'));
      if (!checkOptions(before.drop_front(before.find_last_of("(,={} ") + 1),
                        options, error))
        return false;
      brace += 1 + options.size();
    }
  }
  return true;
}

static void printPass(StringRef name, StringRef description) {
  llvm::outs() << "  --" << name << "\n      " << description << '\n';
  if (std::optional<OptionTable> table = findOptions(name))
    for (const auto &[option, help] : *table) {
      llvm::outs() << "        " << option;
      if (!help.initial.empty())
        llvm::outs() << '=' << help.initial;
      llvm::outs() << ": " << help.help << '\n';
    }
}

void mpt::printOwnHelp(StringRef overview) {
  llvm::raw_ostream &os = llvm::outs();
  os << overview
     << "\nUsage: mpt-opt [options] [passes] <input file, - for "
        "standard input>\n\nOptions:\n\n";
  const auto &registered = llvm::cl::getRegisteredOptions();
  static constexpr const char *options[] = {
      "o",
      "dim",
      "emit",
      "export-function",
      "explain",
      "remarks",
      "list-onnx-ops",
      "pass-pipeline",
      "dump-pass-pipeline",
      "emit-bytecode",
      "split-input-file",
      "verify-diagnostics",
      "mlir-print-ir-after-all",
      "mlir-print-ir-after-change",
      "mlir-timing",
      "mlir-elide-elementsattrs-if-larger"};
  for (const char *name : options)
    if (auto it = registered.find(name); it != registered.end()) {
      llvm::cl::Option &option = *it->second;
      os << "  -" << (option.ArgStr.size() > 1 ? "-" : "") << option.ArgStr;
      if (!option.ValueStr.empty())
        os << " <" << option.ValueStr << '>';
      os << "\n      " << option.HelpStr << '\n';
    }
  os << "  --help-hidden, --show-dialects, --list-passes, --version\n      all "
        "options and passes, MLIR's and LLVM's included; the dialects; the "
        "passes; the version\n";

  std::map<StringRef, StringRef> pipelines, passes;
  for (const auto &entry : registered) {
    StringRef name = entry.first;
    if (!name.starts_with("mpt-"))
      continue;
    if (const PassInfo *info = PassInfo::lookup(name))
      passes[name] = info->getPassDescription();
    else if (const PassPipelineInfo *info = PassPipelineInfo::lookup(name))
      pipelines[name] = info->getPassDescription();
  }
  os << "\nPipelines (--name, or --name=\"option=value option={value with "
        "spaces}\"; behind an option its default):\n\n";
  for (auto [name, description] : pipelines)
    printPass(name, description);
  os << "\nPasses (docs/Passes.md has examples), and all of MLIR's:\n\n";
  for (auto [name, description] : passes)
    printPass(name, description);
}
