//===- CallExpressionTest.cpp ---------------------------------------------===//

#include "mpt/Support/CallExpression.h"

#include "gtest/gtest.h"

using namespace mpt;

namespace {

CallExpression parseOrDie(std::string_view text) {
  std::string error;
  std::optional<CallExpression> result = CallExpression::parse(text, error);
  EXPECT_TRUE(result) << error;
  return result ? *result : CallExpression{"", {CallTerm{}}};
}

std::string parseError(std::string_view text) {
  std::string error;
  EXPECT_FALSE(CallExpression::parse(text, error)) << text;
  EXPECT_EQ(error.find('\n'), std::string::npos);
  return error;
}

TEST(CallExpression, SumOfTerms) {
  CallExpression e = parseOrDie(
      "cross_entropy(logits, labels, axis=-1) + 0.4*cross_entropy(aux, labels)"
      " - 1e-2 * mse(a,b)");
  ASSERT_EQ(e.terms.size(), 3u);
  EXPECT_EQ(e.terms[0].coefficient, 1);
  EXPECT_EQ(e.terms[0].name, "cross_entropy");
  ASSERT_EQ(e.terms[0].positional.size(), 2u);
  EXPECT_EQ(e.terms[0].positional[1].name, "labels");
  ASSERT_EQ(e.terms[0].keywords.size(), 1u);
  EXPECT_EQ(e.terms[0].keywords[0].value.number, -1);
  EXPECT_EQ(e.terms[1].coefficient, 0.4);
  EXPECT_EQ(e.terms[2].coefficient, -0.01);
}

TEST(CallExpression, NamesAsONNXWritesThem) {
  CallExpression e = parseOrDie(
      "mse(/fc/Gemm_output_0, onnx::Gemm_12, x.1-a, 'any name [0]')");
  ASSERT_EQ(e.terms[0].positional.size(), 4u);
  EXPECT_EQ(e.terms[0].positional[0].name, "/fc/Gemm_output_0");
  EXPECT_EQ(e.terms[0].positional[1].name, "onnx::Gemm_12");
  EXPECT_EQ(e.terms[0].positional[2].name, "x.1-a");
  EXPECT_EQ(e.terms[0].positional[3].name, "any name [0]");

  e = parseOrDie("  /loss/out  ");
  EXPECT_FALSE(e.terms[0].hasParentheses);
  EXPECT_EQ(e.terms[0].name, "/loss/out");
  EXPECT_TRUE(parseOrDie("sgd()").terms[0].hasParentheses);
  EXPECT_EQ(parseOrDie("f('true')").terms[0].positional[0].kind,
            CallValue::Kind::Name);
}

TEST(CallExpression, ArgumentsBindAsInPython) {
  CallExpression e = parseOrDie(
      "adamw(1e-3, betas=(0.9, 0.95), amsgrad=true, groups=2, reduction=sum)");
  CallArguments args(e, e.terms[0]);
  EXPECT_EQ(args.getNumber("lr", 5), 1e-3);
  EXPECT_EQ(args.getTuple("betas", {0.9, 0.999}),
            (std::vector<double>{0.9, 0.95}));
  EXPECT_EQ(args.getNumber("eps", 1e-8), 1e-8);
  EXPECT_TRUE(args.getBoolean("amsgrad", false));
  EXPECT_EQ(args.getInteger("groups", 1), 2);
  EXPECT_EQ(args.getChoice("reduction", "mean", {"mean", "sum", "none"}),
            "sum");
  std::string error;
  EXPECT_TRUE(args.finish(error)) << error;
}

TEST(CallExpression, SyntaxErrorsNameTheColumn) {
  EXPECT_EQ(parseError(""),
            "expected a function or an output (column 1 of '')");
  EXPECT_EQ(parseError("sgd(lr=)"),
            "expected a number, true, false, a name or a tuple (column 8 of "
            "'sgd(lr=)')");
  EXPECT_EQ(parseError("sgd(lr=1"), "expected ',' or ')' (column 9 of "
                                    "'sgd(lr=1')");
  EXPECT_EQ(parseError("a b"), "expected '+', '-' or the end of the expression "
                               "(column 3 of 'a b')");
  EXPECT_NE(parseError("0.4 a").find("expected '*'"), std::string::npos);
  EXPECT_NE(parseError("f(a=1, b)").find("cannot follow"), std::string::npos);
  EXPECT_NE(parseError("f(x=1e)").find("exponent"), std::string::npos);
  EXPECT_NE(parseError("f(x=1e999)").find("range"), std::string::npos);
  EXPECT_NE(parseError("f('x)").find("unterminated"), std::string::npos);
  EXPECT_NE(parseError("f((1,a))").find("number in the tuple"),
            std::string::npos);
  EXPECT_NE(parseError("f(x=2y)").find("quoted"), std::string::npos);
  EXPECT_NE(parseError("f(\n").find("column 4 of 'f( '"), std::string::npos);
  std::string nul("f(\0)", 4);
  EXPECT_NE(parseError(nul).find("column 3"), std::string::npos);
}

std::string bindError(std::string_view text) {
  CallExpression e = parseOrDie(text);
  CallArguments args(e, e.terms[0]);
  args.requireName("logits");
  args.getInteger("axis", -1);
  args.getBoolean("nesterov", false);
  args.getTuple("betas", {0.9, 0.999});
  args.getChoice("reduction", "mean", {"mean", "sum"});
  std::string error;
  EXPECT_FALSE(args.finish(error)) << text;
  return error;
}

TEST(CallExpression, BindingErrorsListWhatIsAllowed) {
  EXPECT_EQ(
      bindError("f(x, axs=1)"),
      "f: unknown argument 'axs'; it takes: logits, axis, nesterov, betas,"
      " reduction (column 6 of 'f(x, axs=1)')");
  EXPECT_EQ(bindError("f()"),
            "f: argument 'logits' is missing (column 1 of 'f()')");
  EXPECT_NE(bindError("f(1)").find("must be a name"), std::string::npos);
  EXPECT_NE(bindError("f(x, 1.5)").find("must be an integer"),
            std::string::npos);
  EXPECT_NE(bindError("f(x, axis=1e300)").find("must be an integer"),
            std::string::npos);
  EXPECT_NE(bindError("f(x, 1, axis=2)").find("given twice"),
            std::string::npos);
  EXPECT_NE(bindError("f(x, axis=1, axis=2)").find("given twice"),
            std::string::npos);
  EXPECT_NE(bindError("f(x, nesterov=1)").find("must be true or false"),
            std::string::npos);
  EXPECT_NE(bindError("f(x, betas=(1,))").find("must have 2 numbers"),
            std::string::npos);
  EXPECT_NE(bindError("f(x, reduction=max)").find("one of: mean, sum"),
            std::string::npos);
  EXPECT_NE(bindError("f(x, 1, true, (1,2), sum, 6)").find("too many"),
            std::string::npos);
}

TEST(CallExpression, CallersAddTheirOwnChecks) {
  CallExpression e = parseOrDie("sgd(lr=-1)");
  CallArguments args(e, e.terms[0]);
  if (args.getNumber("lr", 1e-3) <= 0)
    args.reject("lr", "lr must be positive");
  std::string error;
  EXPECT_FALSE(args.finish(error));
  EXPECT_EQ(error, "sgd: lr must be positive (column 8 of 'sgd(lr=-1)')");
}

} // namespace
