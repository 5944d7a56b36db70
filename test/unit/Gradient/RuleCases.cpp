//===- RuleCases.cpp - The functions of the rule cases --------------------===//

#include "RuleCases.h"

#include "llvm/ADT/STLExtras.h"

std::string mpt::test::textOf(const RuleCase &rule) {
  std::string arguments, body, results;
  for (size_t i = 0; i < rule.arguments.size(); ++i)
    arguments += (i ? ", " : "") + ("%a" + std::to_string(i)) + ": tensor<" +
                 rule.arguments[i].type + "> {mp.name = \"a" +
                 std::to_string(i) + "\", mp.role = #mp.role<input>}";
  body = "  " + rule.body + "\n";
  std::string loss;
  for (size_t i = 0; i < rule.results.size(); ++i) {
    const ResultSpec &result = rule.results[i];
    std::string n = std::to_string(i), type = "tensor<" + result.type + ">";
    arguments +=
        ", %w" + n + ": " + type + " {mp.role = #mp.role<hyperparameter>}";
    std::string axes;
    for (long axis = 0; axis < llvm::count(result.type, 'x'); ++axis)
      axes += (axis ? ", " : "") + std::to_string(axis);
    std::string element = result.type.substr(result.type.find_last_of('x') + 1);
    body += "  %p" + n + " = nn.mul " + result.value + ", %w" + n + " : " +
            type + ", " + type + "\n";
    body += "  %s" + n + " = nn.reduce_sum %p" + n + " {axes = array<i64" +
            (axes.empty() ? "" : ": " + axes) + ">} : (" + type +
            ") -> tensor<" + element + ">\n";
    if (element != "f64") {
      body += "  %c" + n + " = nn.cast %s" + n + " : tensor<" + element +
              "> to tensor<f64>\n";
    }
    std::string term = (element == "f64" ? "%s" : "%c") + n;
    if (loss.empty()) {
      loss = term;
    } else {
      body += "  %l" + n + " = nn.add " + loss + ", " + term +
              " : tensor<f64>, tensor<f64>\n";
      loss = "%l" + n;
    }
  }
  return "func.func @f(" + arguments +
         ") -> (tensor<f64> {mp.name = \"loss\", mp.role = #mp.role<loss>}) "
         "{\n" +
         body + "  return " + loss + " : tensor<f64>\n}\n";
}
