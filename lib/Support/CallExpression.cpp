//===- CallExpression.cpp - The strings of --loss and --optimizer ---------===//

#include "mpt/Support/CallExpression.h"

#include <cctype>
#include <cmath>
#include <cstdlib>

namespace mpt {
namespace {

/// Characters a name may start with. Names with others must be quoted.
bool isNameStart(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '/' ||
         c == '.' || c == ':';
}
bool isNameBody(char c) {
  return isNameStart(c) || std::isdigit(static_cast<unsigned char>(c)) ||
         c == '-';
}

class Parser {
public:
  Parser(CallExpression &result, std::string &error)
      : result(result), text(result.text), error(error) {}

  bool parse() {
    skipSpace();
    double sign = 1;
    if (consume('-'))
      sign = -1;
    while (true) {
      CallTerm term;
      if (!parseTerm(term))
        return false;
      term.coefficient *= sign;
      result.terms.push_back(std::move(term));
      skipSpace();
      if (position == text.size())
        return true;
      if (consume('+'))
        sign = 1;
      else if (consume('-'))
        sign = -1;
      else
        return fail("expected '+', '-' or the end of the expression");
    }
  }

private:
  bool fail(std::string_view message) {
    error = result.diagnose(position, message);
    return false;
  }
  void skipSpace() {
    while (position < text.size() &&
           std::isspace(static_cast<unsigned char>(text[position])))
      ++position;
  }
  char peek() {
    skipSpace();
    return position < text.size() ? text[position] : '\0';
  }
  bool consume(char c) {
    if (peek() != c || position == text.size())
      return false;
    ++position;
    return true;
  }
  /// A sign, a digit, or a dot followed by a digit (a dot may start a name).
  bool atNumber() {
    char c = peek();
    if (c == '.')
      return position + 1 < text.size() &&
             std::isdigit(static_cast<unsigned char>(text[position + 1]));
    return c == '-' || c == '+' || std::isdigit(static_cast<unsigned char>(c));
  }

  bool parseTerm(CallTerm &term) {
    if (atNumber()) {
      if (!parseNumber(term.coefficient))
        return false;
      if (!consume('*'))
        return fail("expected '*' and a call after the coefficient");
    }
    skipSpace();
    term.offset = position;
    if (!parseName(term.name, "a function or an output"))
      return false;
    if (!consume('('))
      return true;
    term.hasParentheses = true;
    if (consume(')'))
      return true;
    while (true) {
      if (!parseArgument(term))
        return false;
      if (consume(')'))
        return true;
      if (!consume(','))
        return fail("expected ',' or ')'");
    }
  }

  bool parseArgument(CallTerm &term) {
    CallValue value;
    if (!parseValue(value))
      return false;
    if (value.kind == CallValue::Kind::Name && peek() == '=') {
      ++position;
      CallTerm::Keyword keyword;
      keyword.key = std::move(value.name);
      keyword.offset = value.offset;
      if (!parseValue(keyword.value))
        return false;
      term.keywords.push_back(std::move(keyword));
      return true;
    }
    if (!term.keywords.empty()) {
      position = value.offset;
      return fail("a positional argument cannot follow a 'key=value' argument");
    }
    term.positional.push_back(std::move(value));
    return true;
  }

  bool parseValue(CallValue &value) {
    char c = peek();
    value.offset = position;
    if (c == '(')
      return parseTuple(value);
    if (atNumber()) {
      value.kind = CallValue::Kind::Number;
      return parseNumber(value.number);
    }
    const bool quoted = c == '"' || c == '\'';
    if (!parseName(value.name, "a number, true, false, a name or a tuple"))
      return false;
    value.kind = CallValue::Kind::Name;
    if (quoted)
      return true;
    if (value.name == "true" || value.name == "True") {
      value.kind = CallValue::Kind::Boolean;
      value.boolean = true;
    } else if (value.name == "false" || value.name == "False") {
      value.kind = CallValue::Kind::Boolean;
    }
    return true;
  }

  bool parseTuple(CallValue &value) {
    value.kind = CallValue::Kind::Tuple;
    consume('(');
    while (!consume(')')) {
      if (!atNumber())
        return fail("expected a number in the tuple");
      double number = 0;
      if (!parseNumber(number))
        return false;
      value.tuple.push_back(number);
      if (consume(','))
        continue;
      if (peek() != ')')
        return fail("expected ',' or ')' in the tuple");
    }
    return true;
  }

  bool parseNumber(double &number) {
    skipSpace();
    // The extent by hand (strtod would also take hexadecimal, "inf" and "nan").
    size_t end = position;
    auto digits = [&] {
      size_t start = end;
      while (end < text.size() &&
             std::isdigit(static_cast<unsigned char>(text[end])))
        ++end;
      return end - start;
    };
    if (text[end] == '-' || text[end] == '+')
      ++end;
    size_t mantissaDigits = digits();
    if (end < text.size() && text[end] == '.') {
      ++end;
      mantissaDigits += digits();
    }
    if (mantissaDigits == 0)
      return fail("expected a number");
    if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
      size_t beforeExponent = end++;
      if (end < text.size() && (text[end] == '-' || text[end] == '+'))
        ++end;
      if (digits() == 0) {
        position = beforeExponent;
        return fail("expected digits in the exponent");
      }
    }
    if (end < text.size() && isNameStart(text[end])) {
      position = end;
      return fail("unexpected character after a number (names that start with "
                  "a digit must be quoted)");
    }
    number =
        std::strtod(text.substr(position, end - position).c_str(), nullptr);
    if (!std::isfinite(number))
      return fail("number out of the range of a double");
    position = end;
    return true;
  }

  bool parseName(std::string &name, std::string_view wanted) {
    char c = peek();
    if (c == '"' || c == '\'') {
      size_t close = text.find(c, position + 1);
      if (close == std::string::npos)
        return fail("unterminated quote");
      name = text.substr(position + 1, close - position - 1);
      if (name.empty())
        return fail("empty name");
      position = close + 1;
      return true;
    }
    if (!isNameStart(c))
      return fail("expected " + std::string(wanted));
    size_t start = position;
    while (position < text.size() && isNameBody(text[position]))
      ++position;
    name = text.substr(start, position - start);
    return true;
  }

  CallExpression &result;
  const std::string &text;
  std::string &error;
  size_t position = 0;
};

std::string_view describe(CallValue::Kind kind) {
  switch (kind) {
  case CallValue::Kind::Number:
    return "a number";
  case CallValue::Kind::Boolean:
    return "true or false";
  case CallValue::Kind::Name:
    return "a name";
  case CallValue::Kind::Tuple:
    return "a tuple of numbers";
  }
  return "a value";
}

std::string join(const std::vector<std::string> &names) {
  std::string list;
  for (const std::string &name : names)
    list += (list.empty() ? "" : ", ") + name;
  return list;
}

} // namespace

std::optional<CallExpression> CallExpression::parse(std::string_view text,
                                                    std::string &error) {
  CallExpression expression;
  expression.text = std::string(text);
  if (!Parser(expression, error).parse())
    return std::nullopt;
  return expression;
}

std::string CallExpression::diagnose(size_t offset,
                                     std::string_view message) const {
  std::string line = std::string(message) + " (column " +
                     std::to_string(offset + 1) + " of '" + text + "')";
  // One printable line, whatever the text holds.
  for (char &c : line)
    if (std::iscntrl(static_cast<unsigned char>(c)))
      c = ' ';
  return line;
}

//===----------------------------------------------------------------------===//
// CallArguments
//===----------------------------------------------------------------------===//

void CallArguments::fail(size_t offset, std::string_view message) {
  if (firstError.empty())
    firstError =
        expression.diagnose(offset, term.name + ": " + std::string(message));
}

const CallValue *CallArguments::take(std::string_view key) {
  const size_t index = declared.size();
  declared.emplace_back(key);
  const CallValue *value =
      index < term.positional.size() ? &term.positional[index] : nullptr;
  for (const CallTerm::Keyword &keyword : term.keywords) {
    if (keyword.key != key)
      continue;
    if (value)
      fail(keyword.offset, "argument '" + keyword.key + "' is given twice");
    value = &keyword.value;
  }
  return value;
}

const CallValue *CallArguments::takeKind(std::string_view key,
                                         CallValue::Kind kind) {
  const CallValue *value = take(key);
  if (value && value->kind != kind) {
    fail(value->offset, "argument '" + std::string(key) + "' must be " +
                            std::string(describe(kind)));
    return nullptr;
  }
  return value;
}

double CallArguments::getNumber(std::string_view key, double defaultValue) {
  const CallValue *value = takeKind(key, CallValue::Kind::Number);
  return value ? value->number : defaultValue;
}

int64_t CallArguments::getInteger(std::string_view key, int64_t defaultValue) {
  const CallValue *value = takeKind(key, CallValue::Kind::Number);
  if (!value)
    return defaultValue;
  // Beyond 2^53 a double no longer holds every integer.
  if (value->number != std::floor(value->number) ||
      std::fabs(value->number) > 9007199254740992.0) {
    fail(value->offset,
         "argument '" + std::string(key) + "' must be an integer");
    return defaultValue;
  }
  return static_cast<int64_t>(value->number);
}

bool CallArguments::getBoolean(std::string_view key, bool defaultValue) {
  const CallValue *value = takeKind(key, CallValue::Kind::Boolean);
  return value ? value->boolean : defaultValue;
}

std::string CallArguments::getName(std::string_view key,
                                   std::string_view defaultValue) {
  const CallValue *value = takeKind(key, CallValue::Kind::Name);
  return value ? value->name : std::string(defaultValue);
}

std::vector<double> CallArguments::getTuple(std::string_view key,
                                            std::vector<double> defaultValue) {
  const CallValue *value = takeKind(key, CallValue::Kind::Tuple);
  if (!value)
    return defaultValue;
  if (value->tuple.size() != defaultValue.size()) {
    fail(value->offset, "argument '" + std::string(key) + "' must have " +
                            std::to_string(defaultValue.size()) + " numbers");
    return defaultValue;
  }
  return value->tuple;
}

std::string
CallArguments::getChoice(std::string_view key, std::string_view defaultValue,
                         const std::vector<std::string_view> &allowed) {
  const CallValue *value = takeKind(key, CallValue::Kind::Name);
  if (!value)
    return std::string(defaultValue);
  for (std::string_view choice : allowed)
    if (value->name == choice)
      return value->name;
  std::vector<std::string> names(allowed.begin(), allowed.end());
  fail(value->offset,
       "argument '" + std::string(key) + "' must be one of: " + join(names));
  return std::string(defaultValue);
}

std::string CallArguments::requireName(std::string_view key) {
  if (const CallValue *value = takeKind(key, CallValue::Kind::Name))
    return value->name;
  fail(term.offset, "argument '" + std::string(key) + "' is missing");
  return {};
}

double CallArguments::requireNumber(std::string_view key) {
  if (const CallValue *value = takeKind(key, CallValue::Kind::Number))
    return value->number;
  fail(term.offset, "argument '" + std::string(key) + "' is missing");
  return 0;
}

void CallArguments::reject(std::string_view key, std::string_view message) {
  size_t offset = term.offset;
  for (size_t i = 0; i < declared.size() && i < term.positional.size(); ++i)
    if (declared[i] == key)
      offset = term.positional[i].offset;
  for (const CallTerm::Keyword &keyword : term.keywords)
    if (keyword.key == key)
      offset = keyword.value.offset;
  fail(offset, message);
}

bool CallArguments::finish(std::string &error) {
  const std::string allowed =
      declared.empty() ? "it takes none" : "it takes: " + join(declared);
  if (term.positional.size() > declared.size())
    fail(term.positional[declared.size()].offset,
         "too many arguments; " + allowed);
  for (const CallTerm::Keyword &keyword : term.keywords) {
    bool known = false;
    for (const std::string &name : declared)
      known |= name == keyword.key;
    if (known)
      continue;
    // Before all else: what is missing may be what is misspelt here.
    firstError.clear();
    fail(keyword.offset, "unknown argument '" + keyword.key + "'; " + allowed);
    break;
  }
  if (firstError.empty())
    return true;
  error = firstError;
  return false;
}

} // namespace mpt
