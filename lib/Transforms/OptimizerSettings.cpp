//===- OptimizerSettings.cpp - Optimizer and parameter groups -------------===//

#include "mpt/Transforms/OptimizerSettings.h"

#include "mpt/Support/CallExpression.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"

#include <cmath>

using namespace llvm;
using namespace mpt;

static OptimizerSettings readSGD(CallArguments &args) {
  OptimizerSettings settings;
  settings.learningRate = args.requireNumber("lr");
  settings.momentum = args.getNumber("momentum", 0.0);
  settings.dampening = args.getNumber("dampening", 0.0);
  settings.weightDecay = args.getNumber("weight_decay", 0.0);
  settings.nesterov = args.getBoolean("nesterov", false);
  if (!(settings.momentum >= 0 && settings.momentum < 1))
    args.reject("momentum", "momentum must lie in [0, 1)");
  if (settings.nesterov && (settings.momentum == 0 || settings.dampening != 0))
    args.reject("nesterov", "nesterov needs a momentum and no dampening");
  return settings;
}

static OptimizerSettings readAdam(CallArguments &args, bool decoupled) {
  OptimizerSettings settings;
  settings.kind = OptimizerSettings::Kind::Adam;
  settings.decoupled = decoupled;
  settings.learningRate = args.getNumber("lr", 1e-3);
  std::vector<double> betas = args.getTuple("betas", {0.9, 0.999});
  settings.beta1 = betas[0];
  settings.beta2 = betas[1];
  settings.epsilon = args.getNumber("eps", 1e-8);
  settings.weightDecay = args.getNumber("weight_decay", decoupled ? 0.01 : 0.0);
  for (double beta : betas)
    if (!(beta >= 0 && beta < 1))
      args.reject("betas", "betas must lie in [0, 1)");
  if (!(settings.epsilon >= 0))
    args.reject("eps", "eps must not be negative");
  return settings;
}

/// `expression` is what errors quote.
static std::optional<OptimizerSettings>
readSettings(const CallExpression &expression, const CallTerm &term,
             bool isGroup, std::string &error) {
  CallArguments args(expression, term);
  OptimizerSettings settings;
  if (term.name == "sgd")
    settings = readSGD(args);
  else if (term.name == "adam" || term.name == "adamw")
    settings = readAdam(args, term.name == "adamw");
  else {
    error =
        expression.diagnose(term.offset, "there is no optimizer '" + term.name +
                                             "'; use sgd, adam or adamw");
    return std::nullopt;
  }
  if (isGroup)
    settings.learningRateScale = args.getNumber("lr_scale", 1.0);
  if (!(settings.learningRate >= 0) || std::isinf(settings.learningRate))
    args.reject("lr", "lr must not be negative");
  if (!(settings.learningRateScale >= 0) ||
      std::isinf(settings.learningRateScale))
    args.reject("lr_scale", "lr_scale must not be negative");
  if (!(settings.weightDecay >= 0))
    args.reject("weight_decay", "weight_decay must not be negative");
  if (!args.finish(error))
    return std::nullopt;
  return settings;
}

static std::optional<CallExpression> parseSingleCall(StringRef text,
                                                     std::string &error) {
  auto expression =
      CallExpression::parse(std::string_view(text.data(), text.size()), error);
  if (!expression)
    return std::nullopt;
  const CallTerm &term = expression->terms.front();
  if (expression->terms.size() != 1 || term.coefficient != 1.0) {
    error = expression->diagnose(term.offset, "an optimizer is a single call");
    return std::nullopt;
  }
  return expression;
}

std::optional<OptimizerSettings> OptimizerSettings::parse(StringRef text,
                                                          std::string &error) {
  auto expression = parseSingleCall(text, error);
  if (!expression)
    return std::nullopt;
  return readSettings(*expression, expression->terms.front(),
                      /*isGroup=*/false, error);
}

/// Fills the names of `group`; false when one begins with @ and is no role.
static bool readNames(StringRef names, ParameterGroup &group,
                      std::string &error) {
  SmallVector<StringRef> parts;
  names.split(parts, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  SmallVector<StringRef> named;
  for (StringRef part : parts) {
    part = part.trim();
    if (!part.starts_with("@")) {
      named.push_back(part);
      continue;
    }
    bool *role = part == "@norm"        ? &group.norms
                 : part == "@bias"      ? &group.biases
                 : part == "@embedding" ? &group.embeddings
                 : part == "@weight"    ? &group.weights
                                        : nullptr;
    if (!role) {
      error =
          (llvm::Twine("parameter group '") + group.text + "': there is no '" +
           part + "'; use @norm, @bias, @embedding, @weight, names or regexes")
              .str();
      return false;
    }
    *role = true;
  }
  group.names = llvm::join(named, ",");
  return true;
}

std::optional<std::vector<ParameterGroup>>
mpt::parseParameterGroups(StringRef groups, StringRef optimizer,
                          std::string &error) {
  auto base = parseSingleCall(optimizer, error);
  if (!base)
    return std::nullopt;
  std::vector<ParameterGroup> result;
  SmallVector<StringRef> parts;
  groups.split(parts, ';', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef part : parts) {
    part = part.trim();
    if (part.empty())
      continue;
    // Names may hold colons, settings do not.
    auto [names, settings] = part.rsplit(':');
    ParameterGroup group;
    group.text = part.str();
    if (names.trim().empty() || settings.trim().empty()) {
      error = (llvm::Twine("parameter group '") + part +
               "': needs names, a colon and settings, as in "
               "'@norm,@bias:weight_decay=0'")
                  .str();
      return std::nullopt;
    }
    if (!readNames(names, group, error))
      return std::nullopt;
    CallTerm merged = base->terms.front();
    auto own =
        parseSingleCall(merged.name + "(" + settings.trim().str() + ")", error);
    if (!own)
      return std::nullopt;
    const CallTerm &overrides = own->terms.front();
    if (!overrides.positional.empty()) {
      error = own->diagnose(overrides.positional.front().offset,
                            "a parameter group names its settings, as in "
                            "weight_decay=0");
      return std::nullopt;
    }
    for (const CallTerm::Keyword &keyword : overrides.keywords) {
      if (keyword.key == "lr") {
        error = own->diagnose(keyword.offset,
                              "a parameter group scales the learning rate: use "
                              "lr_scale");
        return std::nullopt;
      }
      llvm::erase_if(merged.keywords, [&](const CallTerm::Keyword &other) {
        return other.key == keyword.key;
      });
    }
    for (const CallTerm::Keyword &keyword : overrides.keywords)
      merged.keywords.push_back(keyword);
    auto read = readSettings(*own, merged, /*isGroup=*/true, error);
    if (!read)
      return std::nullopt;
    group.settings = *read;
    result.push_back(std::move(group));
  }
  return result;
}
