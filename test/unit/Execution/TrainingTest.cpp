//===- TrainingTest.cpp - State, optimizers and scaling, compiled ---------===//

#include "Compare.h"

using namespace mpt::test;

namespace {

std::string state(const char *role, const char *name) {
  return std::string("{mp.role = #mp.role<") + role + ">, mp.name = \"" + name +
         "\", mp.donate}";
}
std::string result(const char *role, const char *name) {
  return std::string("{mp.role = #mp.role<") + role + ">, mp.name = \"" + name +
         "\"}";
}

} // namespace

TEST(Training, SGD) {
  for (const char *attrs :
       {"{momentum = 0.9, nesterov = true, weight_decay = 0.01}", "{}",
        "{momentum = 0.9, dampening = 0.5}"}) {
    CompareOptions options;
    options.ulps = 4; // four operations of magnitude up to 4
    options.scale = 4;
    compare("func.func @f(%p: tensor<3x41xf32> " + state("parameter", "w") +
                ", %g: tensor<3x41xf32>, %v: "
                "tensor<3x41xf32> " +
                state("optimizer_state", "w.momentum") +
                ", %lr: tensor<f32>, %s: tensor<i64>) -> "
                "(tensor<3x41xf32> " +
                result("parameter", "w") + ", tensor<3x41xf32> " +
                result("optimizer_state", "w.momentum") +
                ") {\n"
                "  %a, %b = nn.sgd %p, %g, %v, %lr, %s " +
                attrs +
                " : (tensor<3x41xf32>, tensor<3x41xf32>, "
                "tensor<3x41xf32>, tensor<f32>, tensor<i64>) -> "
                "(tensor<3x41xf32>, tensor<3x41xf32>)\n"
                "  return %a, %b : tensor<3x41xf32>, tensor<3x41xf32>\n}\n",
            options);
  }
}

TEST(Training, AdamGuarded) {
  for (int finite : {0, 1}) {
    CompareOptions options;
    options.ulps = 8;
    options.scale = 2;
    options.value = [&](const std::string &name,
                        int64_t i) -> std::optional<double> {
      if (name == "finite")
        return finite;
      if (name == "step")
        return 7;
      if (name == "w.exp_avg_sq")
        return 0.01 * double(i % 13);
      return std::nullopt;
    };
    compare(
        "func.func @f(%p: tensor<300xf32> " + state("parameter", "w") +
            ", %g: tensor<300xf32>, %m: "
            "tensor<300xf32> " +
            state("optimizer_state", "w.exp_avg") + ", %v: tensor<300xf32> " +
            state("optimizer_state", "w.exp_avg_sq") +
            ", %lr: tensor<f32>, %s: tensor<i64> " + state("step", "step") +
            ", %ok: tensor<i1> {mp.name = \"finite\"}) -> (tensor<300xf32> " +
            result("parameter", "w") + ", tensor<300xf32> " +
            result("optimizer_state", "w.exp_avg") + ", tensor<300xf32> " +
            result("optimizer_state", "w.exp_avg_sq") + ", tensor<i64> " +
            result("step", "step") + R"() {
      %one = nn.constant dense<1> : tensor<i64>
      %next = nn.add %s, %one : tensor<i64>, tensor<i64>
      %a, %b, %c = nn.adam %p, %g, %m, %v, %lr, %next {decoupled = true, weight_decay = 0.01}
        : (tensor<300xf32>, tensor<300xf32>, tensor<300xf32>, tensor<300xf32>, tensor<f32>, tensor<i64>)
        -> (tensor<300xf32>, tensor<300xf32>, tensor<300xf32>)
      %p1 = mp.update %p to %a if %ok : tensor<300xf32>
      %m1 = mp.update %m to %b if %ok : tensor<300xf32>
      %v1 = mp.update %v to %c if %ok : tensor<300xf32>
      %s1 = mp.update %s to %next if %ok : tensor<i64>
      return %p1, %m1, %v1, %s1 : tensor<300xf32>, tensor<300xf32>, tensor<300xf32>, tensor<i64>
    })",
        options);
  }
}

TEST(Training, ScaleState) {
  for (int finite : {0, 1})
    for (int counter : {0, 1999}) {
      CompareOptions options;
      options.ulps = 0;
      options.value = [&](const std::string &name,
                          int64_t) -> std::optional<double> {
        if (name == "arg0")
          return 65536;
        return name == "arg1" ? counter : name == "arg2" ? 1 : finite;
      };
      compare(R"(
        func.func @f(%s: tensor<f32>, %c: tensor<i64>, %b: tensor<i64>, %ok: tensor<i1>)
            -> (tensor<f32>, tensor<i64>, tensor<i64>) {
          %0, %1, %2 = mp.update_scale %s, %c, %b if %ok : tensor<f32>
          return %0, %1, %2 : tensor<f32>, tensor<i64>, tensor<i64>
        })",
              options);
    }
}

// Two arguments that change places, and one value that is the new state of two.
TEST(Training, StateThatIsCopied) {
  CompareOptions options;
  options.ulps = 0.5;
  compare("func.func @f(%a: tensor<5xf32> " + state("parameter", "a") +
              ", %b: tensor<5xf32> " + state("parameter", "b") +
              ", %c: tensor<5xf32> " + state("parameter", "c") +
              ", %d: tensor<5xf32> " + state("parameter", "d") +
              ") -> (tensor<5xf32> " + result("parameter", "a") +
              ", tensor<5xf32> " + result("parameter", "b") +
              ", tensor<5xf32> " + result("parameter", "c") +
              ", tensor<5xf32> " + result("parameter", "d") +
              ", tensor<5xf32>) {\n"
              "  %x = nn.add %c, %d : tensor<5xf32>, tensor<5xf32>\n"
              "  %y = nn.mul %x, %c : tensor<5xf32>, tensor<5xf32>\n"
              "  return %b, %a, %x, %x, %y : tensor<5xf32>, tensor<5xf32>, "
              "tensor<5xf32>, tensor<5xf32>, "
              "tensor<5xf32>\n}\n",
          options);
}
