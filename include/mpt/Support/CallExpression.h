//===- CallExpression.h - The strings of --loss and --optimizer -*- C++ -*-===//
//
// A small language shared by the passes and the tools:
//
//   expression := ['-'] term (('+' | '-') term)*
//   term       := [number '*'] call
//   call       := name [ '(' [argument (',' argument)*] ')' ]
//   argument   := value | key '=' value           (positional ones first)
//   value      := number | 'true' | 'false' | name | '(' [number (',' number)*]
//   ')' name       := letters, digits and _ . / : -   (not starting with a
//   digit or
//                 '-'), or any text between single or double quotes
//
// for example `cross_entropy(logits, labels) + 0.4*cross_entropy(aux, labels)`
// and `adamw(lr=1e-3, betas=(0.9,0.999))`. Errors are one line that quotes the
// expression, gives the column (from 1) and says what is allowed there.
//
//===----------------------------------------------------------------------===//

#ifndef MPT_SUPPORT_CALLEXPRESSION_H
#define MPT_SUPPORT_CALLEXPRESSION_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mpt {

/// One argument: a number, a boolean, a name or a tuple of numbers.
struct CallValue {
  enum class Kind { Number, Boolean, Name, Tuple };
  Kind kind = Kind::Number;
  double number = 0;
  bool boolean = false;
  std::string name;
  std::vector<double> tuple;
  size_t offset = 0; // of its first character in the expression
};

/// One term of the sum.
struct CallTerm {
  double coefficient = 1;
  std::string name;
  bool hasParentheses = false; // false: a bare name
  std::vector<CallValue> positional;
  struct Keyword {
    std::string key;
    CallValue value;
    size_t offset = 0;
  };
  std::vector<Keyword> keywords;
  size_t offset = 0;
};

/// A parsed expression: at least one term.
struct CallExpression {
  std::string text;
  std::vector<CallTerm> terms;

  static std::optional<CallExpression> parse(std::string_view text,
                                             std::string &error);

  /// "<message> (column 7 of 'adamw(lrr=1)')".
  std::string diagnose(size_t offset, std::string_view message) const;
};

/// Reads the arguments of one term the way Python binds a call: each getter
/// declares the next parameter, which positional arguments fill in order and
/// keywords by name. Getters never fail by themselves: the first error is kept
/// and finish() reports it, or an argument that no getter asked for.
///
///   CallArguments args(expression, term);
///   double lr = args.getNumber("lr", 1e-3);
///   bool nesterov = args.getBoolean("nesterov", false);
///   if (!args.finish(error)) return std::nullopt;
class CallArguments {
public:
  CallArguments(const CallExpression &expression, const CallTerm &term)
      : expression(expression), term(term) {}

  double getNumber(std::string_view key, double defaultValue);
  int64_t getInteger(std::string_view key, int64_t defaultValue);
  bool getBoolean(std::string_view key, bool defaultValue);
  std::string getName(std::string_view key, std::string_view defaultValue);
  /// A tuple of exactly as many numbers as the default has.
  std::vector<double> getTuple(std::string_view key,
                               std::vector<double> defaultValue);
  /// A name that must be one of `allowed`.
  std::string getChoice(std::string_view key, std::string_view defaultValue,
                        const std::vector<std::string_view> &allowed);

  /// Arguments without a default; absent ones are errors.
  std::string requireName(std::string_view key);
  double requireNumber(std::string_view key);

  /// Records an error of the caller's own about the value of `key`
  /// ("lr must be positive"); an earlier error wins.
  void reject(std::string_view key, std::string_view message);

  /// True when every argument was asked for and had the right type.
  bool finish(std::string &error);

private:
  const CallValue *take(std::string_view key);
  const CallValue *takeKind(std::string_view key, CallValue::Kind kind);
  void fail(size_t offset, std::string_view message);

  const CallExpression &expression;
  const CallTerm &term;
  std::vector<std::string> declared;
  std::string firstError;
};

} // namespace mpt

#endif // MPT_SUPPORT_CALLEXPRESSION_H
