//===- PolicyFile.cpp - A user's policy in YAML ---------------------------===//

#include "mpt/Analysis/PolicyFile.h"

#include <yaml-cpp/yaml.h>

#include <functional>
#include <stdexcept>

using namespace mpt;

namespace {

/// What is wrong, and where.
struct PolicyError {
  YAML::Mark mark;
  std::string text;
};

[[noreturn]] void fail(const YAML::Node &node, std::string text) {
  throw PolicyError{node.Mark(), std::move(text)};
}

using Reader = std::function<void(const YAML::Node &)>;

/// Every key of a map by its reader; others are errors.
void readMap(const YAML::Node &node, const char *what,
             const std::map<std::string, Reader> &readers) {
  if (node.IsNull())
    return;
  if (!node.IsMap())
    fail(node, std::string(what) + " should be a map of keys and values");
  for (const auto &entry : node) {
    auto reader = readers.find(entry.first.Scalar());
    if (reader == readers.end()) {
      std::string known;
      for (const auto &[key, unused] : readers)
        known += (known.empty() ? "" : ", ") + key;
      fail(entry.first, "unknown key '" + entry.first.Scalar() + "' in " +
                            what + "; there are " + known);
    }
    reader->second(entry.second);
  }
}

std::string readText(const YAML::Node &node, const char *what) {
  if (!node.IsScalar() || node.Scalar().empty())
    fail(node, std::string(what) + " should be a text");
  return node.Scalar();
}

template <typename T> T readValue(const YAML::Node &node, const char *what) {
  T value;
  if (!node.IsScalar() || !YAML::convert<T>::decode(node, value))
    fail(node, std::string("should be ") + what);
  return value;
}

double readPositive(const YAML::Node &node) {
  double value = readValue<double>(node, "a number");
  if (!(value > 0))
    fail(node, "should be greater than 0");
  return value;
}

std::string readChoice(const YAML::Node &node,
                       const std::vector<std::string> &choices) {
  std::string list;
  for (const std::string &choice : choices) {
    if (node.IsScalar() && node.Scalar() == choice)
      return choice;
    list += (list.empty() ? "" : ", ") + choice;
  }
  fail(node, (node.IsScalar() ? "'" + node.Scalar() + "' " : std::string()) +
                 "should be one of " + list);
}

PolicyFile::Class readClass(const YAML::Node &node) {
  std::string name = readChoice(node, {"fp32", "low", "follow", "default"});
  if (name == "fp32")
    return PolicyFile::Class::FP32;
  if (name == "low")
    return PolicyFile::Class::Low;
  return name == "follow" ? PolicyFile::Class::Follow
                          : PolicyFile::Class::Default;
}

/// `*` stands for any characters, `?` for one.
std::string globToRegex(const std::string &glob) {
  std::string regex;
  for (char c : glob) {
    if (c == '*')
      regex += ".*";
    else if (c == '?')
      regex += '.';
    else if (std::string("\\^$.|+()[]{}").find(c) != std::string::npos)
      regex += std::string("\\") + c;
    else
      regex += c;
  }
  return regex;
}

int lineOf(const YAML::Node &node) { return node.Mark().line + 1; }

void readOperands(const YAML::Node &node, PolicyFile::Rule &rule) {
  if (!node.IsMap())
    fail(node, "operands should be a map of numbers and fp32");
  for (const auto &entry : node) {
    rule.fp32Operands.push_back(
        readValue<unsigned>(entry.first, "the number of an operand"));
    readChoice(entry.second, {"fp32"});
  }
}

/// `- match: glob` or `- regex: expression`, with what is wanted.
PolicyFile::Rule readRule(const YAML::Node &node, bool tensor) {
  PolicyFile::Rule rule;
  rule.line = lineOf(node);
  if (tensor && node.IsScalar()) {
    rule.text = readText(node, "a tensor");
    rule.regex = globToRegex(rule.text);
    return rule;
  }
  std::map<std::string, Reader> readers = {{"match",
                                            [&](const YAML::Node &n) {
                                              rule.text = readText(n, "match");
                                              rule.regex =
                                                  globToRegex(rule.text);
                                            }},
                                           {"regex", [&](const YAML::Node &n) {
                                              rule.text = rule.regex =
                                                  readText(n, "regex");
                                            }}};
  if (!tensor) {
    readers["class"] = [&](const YAML::Node &n) { rule.wanted = readClass(n); };
    readers["operands"] = [&](const YAML::Node &n) { readOperands(n, rule); };
  }
  readMap(node, tensor ? "a tensor" : "a node rule", readers);
  if (rule.regex.empty())
    fail(node, "needs match (a glob) or regex");
  if (!tensor && rule.wanted == PolicyFile::Class::Default &&
      rule.fp32Operands.empty())
    fail(node, "needs class or operands");
  return rule;
}

void readRules(const YAML::Node &node, const char *what, bool tensors,
               std::vector<PolicyFile::Rule> &rules) {
  if (node.IsNull())
    return;
  if (!node.IsSequence())
    fail(node, std::string(what) + " should be a list");
  for (const YAML::Node &entry : node)
    rules.push_back(readRule(entry, tensors));
}

void readOps(const YAML::Node &node,
             std::map<std::string, PolicyFile::Rule> &ops) {
  if (node.IsNull())
    return;
  if (!node.IsMap())
    fail(node, "ops should be a map of operation types and classes");
  for (const auto &entry : node) {
    PolicyFile::Rule rule;
    rule.text = readText(entry.first, "an operation type");
    rule.line = lineOf(entry.first);
    if (entry.second.IsMap())
      readMap(
          entry.second, "an operation type",
          {{"class", [&](const YAML::Node &n) { rule.wanted = readClass(n); }},
           {"operands", [&](const YAML::Node &n) { readOperands(n, rule); }}});
    else
      rule.wanted = readClass(entry.second);
    ops[rule.text] = rule;
  }
}

PolicyFile::Target readTarget(const YAML::Node &node) {
  PolicyFile::Target target;
  target.line = lineOf(node);
  if (node.IsScalar()) {
    target.name = readText(node, "target");
    return target;
  }
  auto number = [](std::optional<double> &value) {
    return [&value](const YAML::Node &n) { value = readPositive(n); };
  };
  readMap(node, "target",
          {{"name",
            [&](const YAML::Node &n) { target.name = readText(n, "name"); }},
           {"bandwidth", number(target.bandwidth)},
           {"flops",
            [&](const YAML::Node &n) {
              readMap(n, "flops",
                      {{"f32", number(target.flopsF32)},
                       {"f16", number(target.flopsF16)},
                       {"bf16", number(target.flopsBF16)}});
            }},
           {"cast_overhead",
            [&](const YAML::Node &n) {
              double value = readValue<double>(n, "seconds");
              if (!(value >= 0))
                fail(n, "should not be negative");
              target.castOverhead = value;
            }},
           {"contractions", [&](const YAML::Node &n) {
              target.alwaysLow = readChoice(n, {"always", "cost"}) == "always";
            }}});
  return target;
}

void readLow(const YAML::Node &node, PolicyFile &policy) {
  if (!node.IsMap()) {
    policy.low = readChoice(node, {"f16", "bf16"});
    return;
  }
  std::string forward = "f16", backward;
  readMap(
      node, "low",
      {{"forward",
        [&](const YAML::Node &n) { forward = readChoice(n, {"f16", "bf16"}); }},
       {"backward", [&](const YAML::Node &n) {
          backward = readChoice(n, {"f16", "bf16"});
        }}});
  policy.low = backward.empty() ? forward : forward + "/" + backward;
}

void readDocument(const YAML::Node &document, PolicyFile &policy) {
  // The preset comes first, wherever it stands.
  if (document.IsMap())
    if (YAML::Node preset = document["preset"]) {
      std::string name =
          readChoice(preset, {"conservative", "default", "aggressive", "bf16"});
      readDocument(YAML::Load(getPolicyPreset(name)), policy);
      // Its lines are not the file's.
      for (auto &[type, rule] : policy.ops)
        rule.line = 0;
    }
  readMap(
      document, "the policy",
      {{"preset", [](const YAML::Node &) {}},
       {"low", [&](const YAML::Node &n) { readLow(n, policy); }},
       {"strategy",
        [&](const YAML::Node &n) {
          policy.strategy = readChoice(n, {"cut", "paint"});
        }},
       {"keep_io_types",
        [&](const YAML::Node &n) {
          policy.keepIO = readValue<bool>(n, "true or false");
        }},
       {"accumulators",
        [&](const YAML::Node &n) {
          if (!n.IsScalar() || n.Scalar() != "f32")
            fail(n, "accumulators are f32 in every kernel (f64 for f64 "
                    "operands); only f32 can be asked for");
        }},
       {"target", [&](const YAML::Node &n) { policy.target = readTarget(n); }},
       {"ops", [&](const YAML::Node &n) { readOps(n, policy.ops); }},
       {"nodes",
        [&](const YAML::Node &n) {
          readRules(n, "nodes", /*tensors=*/false, policy.nodes);
        }},
       {"fp32_tensors",
        [&](const YAML::Node &n) {
          readRules(n, "fp32_tensors", /*tensors=*/true, policy.fp32Tensors);
        }},
       {"thresholds", [&](const YAML::Node &n) {
          readMap(n, "thresholds",
                  {{"constants_may_vanish",
                    [&](const YAML::Node &v) {
                      policy.constantsMayVanish =
                          readValue<bool>(v, "true or false");
                    }},
                   {"max_abs", [&](const YAML::Node &v) {
                      policy.maxAbs = readPositive(v);
                    }}});
        }}});
}

} // namespace

std::optional<PolicyFile> mpt::readPolicy(const std::string &nameOrPath,
                                          std::string &error) {
  PolicyFile policy;
  auto report = [&](const YAML::Mark &mark, const std::string &text) {
    error = nameOrPath;
    if (!mark.is_null())
      error += ":" + std::to_string(mark.line + 1);
    error += ": " + text;
    return std::nullopt;
  };
  try {
    if (const char *preset = getPolicyPreset(nameOrPath)) {
      readDocument(YAML::Load(preset), policy);
      return policy;
    }
    policy.path = nameOrPath;
    readDocument(YAML::LoadFile(nameOrPath), policy);
    return policy;
  } catch (const PolicyError &problem) {
    return report(problem.mark, problem.text);
  } catch (const YAML::BadFile &) {
    return report(YAML::Mark::null_mark(),
                  "cannot be read; a policy is such a file or one of "
                  "conservative, default, aggressive, bf16");
  } catch (const YAML::Exception &problem) {
    return report(problem.mark, "is no YAML: " + problem.msg);
  } catch (const std::exception &problem) {
    return report(YAML::Mark::null_mark(), problem.what());
  }
}
