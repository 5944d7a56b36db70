//===- ReductionTest.cpp - Reductions and mp.all_finite -------------------===//

#include "OpTest.h"

using namespace mpt;
using namespace mpt::test;

namespace {
class ReductionTest : public OpTest {
protected:
  using Shape = std::vector<int64_t>;

  void checkReduce(const Shape &shape, const Shape &axes, llvm::StringRef type,
                   llvm::StringRef resultType, bool keepdims = false) {
    Shape result;
    int64_t terms = 1;
    std::string list;
    for (int64_t axis : axes)
      list += (list.empty() ? ": " : ", ") + std::to_string(axis);
    for (size_t i = 0; i < shape.size(); ++i) {
      bool reduced = llvm::is_contained(axes, int64_t(i));
      if (reduced)
        terms *= shape[i];
      if (!reduced || keepdims)
        result.push_back(reduced ? 1 : shape[i]);
    }
    std::string attributes = " %0 {axes = array<i64" + list +
                             ">, keepdims = " + (keepdims ? "true" : "false") +
                             "}";
    for (llvm::StringRef name :
         {"reduce_sum", "reduce_mean", "reduce_max", "reduce_min"}) {
      bool sums = name == "reduce_sum" || name == "reduce_mean";
      if (!sums && type != resultType)
        continue;
      double scale = name == "reduce_sum" ? double(terms) : 1;
      // Half an ulp per addition of terms below 1; minimum and maximum are
      // exact.
      checkReference(functionText("nn." + name.str() + attributes,
                                  {tensorText(shape, type)},
                                  {tensorText(result, resultType)}),
                     sums ? Tolerance{1e-7 * scale + 1e-6, 1e-6}
                          : Tolerance{0, 0},
                     {}, "reduction");
    }
  }

  /// `bad`: (operand, element, value) that is not finite.
  void checkFinite(const std::vector<Shape> &shapes, llvm::StringRef type,
                   std::vector<std::tuple<size_t, int64_t, double>> bad) {
    std::vector<std::string> types;
    std::string names, arguments;
    for (size_t i = 0; i < shapes.size(); ++i) {
      types.push_back(tensorText(shapes[i], type));
      names += (i ? ", %" : "%") + std::to_string(i);
      arguments += (i ? ", %" : "%") + std::to_string(i) + ": " + types.back();
    }
    std::string text =
        "func.func @f(" + arguments +
        ") -> (tensor<i1>, tensor<i64>) {\n  %r:2 = mp.all_finite " + names +
        " : " + llvm::join(types, ", ") +
        "\n  return %r#0, %r#1 : tensor<i1>, tensor<i64>\n}";
    checkReference(
        text, {0, 0},
        [&](std::vector<Buffer> &inputs) {
          for (auto [operand, element, value] : bad)
            inputs[operand].set(element, value);
        },
        "all_finite");
  }
};
} // namespace

TEST_F(ReductionTest, Axes) {
  for (llvm::StringRef type : {"f32", "f16"}) {
    checkReduce({6, 50}, {1}, type, type);
    checkReduce({6, 50}, {0}, type, type);
    checkReduce({4, 5, 37}, {0, 2}, type, "f32");
    checkReduce({4, 5, 6, 7}, {0, 2, 3}, type, "f32", true);
    checkReduce({4, 5, 6, 19}, {1}, type, type);
    checkReduce({3, 4, 5}, {0, 1, 2}, type, "f32");
  }
  checkReduce({2, 3, 1, 5}, {2}, "f32", "f32");
  checkReduce({1, 1}, {0, 1}, "f32", "f32");
  checkReduce({3, 4}, {}, "f32", "f32");
  checkReduce({7, 3, 2, 2}, {0, 2}, "bf16", "bf16");
}

TEST_F(ReductionTest, ManyElements) {
  checkReduce({70, 1001}, {0, 1}, "f32", "f32"); // blocks and a rest
  checkReduce({1 << 16}, {0}, "f16", "f32");
}

TEST_F(ReductionTest, AllFinite) {
  const double infinity = HUGE_VAL;
  for (llvm::StringRef type : {"f32", "f16", "bf16"}) {
    checkFinite({{5}, {40, 1000}, {3, 7}}, type, {});
    checkFinite({{5}, {40, 1000}, {3, 7}}, type, {{1, 39999, infinity}});
    checkFinite({{5}, {40, 1000}, {3, 7}}, type,
                {{1, 16384, -infinity}, {2, 0, NAN}});
    checkFinite({{5}, {40, 1000}, {3, 7}}, type, {{0, 4, NAN}, {1, 5, NAN}});
  }
  checkFinite({{}}, "f32", {{0, 0, infinity}});
}

TEST_F(ReductionTest, OtherVectorLengths) {
  for (auto [bytes, registers] : {std::pair(64, 32), std::pair(16, 16)}) {
    setVectors(bytes, registers);
    checkReduce({4, 5, 37}, {0, 2}, "f16", "f32");
    checkReduce({4, 5, 6, 19}, {1}, "f32", "f32");
    checkReduce({70, 1001}, {0, 1}, "f32", "f32");
  }
}
