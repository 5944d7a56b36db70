//===- CTCTest.cpp - CTC against PyTorch and by hand ----------------------===//

#include "Evaluate.h"

#include <cmath>
#include <limits>

using namespace mpt::reference;

namespace {

class CTCTest : public ReferenceTest {
protected:
  /// Loss and gradient (the slope of the loss is 1) in f64.
  std::vector<Values> lossAndGradient(int64_t frames, int64_t labels,
                                      const std::string &attributes,
                                      const std::vector<Values> &inputs,
                                      bool none = false) {
    const std::string x = "tensor<2x" + std::to_string(frames) + "x3xf64>";
    const std::string l = "tensor<2x" + std::to_string(labels) + "xi64>";
    const std::string alpha = "tensor<2x" + std::to_string(frames) + "x" +
                              std::to_string(2 * labels + 1) + "xf64>";
    const std::string loss = none ? "tensor<2xf64>" : "tensor<f64>";
    const std::string rest = l + ", tensor<2xi64>, tensor<2xi64>";
    std::vector<Values> all = inputs;
    all.push_back(none ? Values{1, 1} : Values{1});
    return values(
        "func.func @f(%x: " + x + ", %l: " + l +
            ", %t: tensor<2xi64>, %s: tensor<2xi64>, %d: " + loss + ") -> (" +
            loss + ", " + x + ") {\n %r:3 = nn.ctc_loss %x, %l, %t, %s " +
            attributes + " : (" + x + ", " + rest + ") -> (" + loss + ", " + x +
            ", " + alpha +
            ")\n %g = nn.ctc_loss_grad %d, %r#1, %r#2, %l, %t, %s " +
            attributes + " : (" + loss + ", " + x + ", " + alpha + ", " + rest +
            ") -> " + x + "\n return %r#0, %g : " + loss + ", " + x + "\n}",
        all);
  }
};

// The numbers are those of torch.nn.functional.ctc_loss(log_softmax(x), ...,
// blank=0) in float64 and its gradient with respect to x (PyTorch 2.13).

TEST_F(CTCTest, MeanIsPyTorchs) {
  // A repeated label that needs a blank between; a sample shorter than the
  // batch.
  auto got = lossAndGradient(
      4, 2, "",
      {{-0.25, 0.125, 0.625, -0.5,  -1.625, -0.75, 0.625,  0.875,
        1.125, 0.375, 0.75,  0.875, 0.5,    -1.5,  -1.875, 0.25,
        0.0,   0.25,  0.75,  -1.0,  1.125,  0.375, 0.125,  -0.125},
       {1, 1, 2, 1},
       {4, 3},
       {2, 1}});
  ASSERT_EQ(got.size(), 2u);
  EXPECT_NEAR(got[0][0], 1.136441149392993, 1e-14);
  expectNear(got[1],
             {0.03648703024050618,
              -0.16004189062244037,
              0.1235548603819342,
              -0.09427802843135549,
              0.0017158591851065906,
              0.09256216924624891,
              -0.04060833427677229,
              -0.06419890362565214,
              0.10480723790242442,
              0.00152192186579797,
              -0.10196275417593298,
              0.10044083231013501,
              -0.054975590698225496,
              0.05508825184498565,
              -0.0001126611467601513,
              -0.00298743429925322,
              0.14013253267666737,
              -0.13714509837741415,
              0.05005543960533385,
              0.03305238767641797,
              -0.08310782728175183,
              0.0,
              0.0,
              0.0},
             1e-15);
}

TEST_F(CTCTest, NoneIsPyTorchs) {
  auto got = lossAndGradient(
      4, 2, "{reduction = #nn<loss_reduction none>}",
      {{-0.375, 0.875,  -0.375, -1.125, -0.0,  -0.625, -1.125, -0.125,
        -0.5,   1.5,    0.125,  2.125,  -1.5,  -0.75,  0.5,    0.625,
        -0.5,   -0.125, -0.0,   3.125,  -1.25, -0.0,   0.0,    0.0},
       {1, 1, 2, 1},
       {4, 3},
       {2, 1}},
      /*none=*/true);
  ASSERT_EQ(got.size(), 2u);
  expectNear(got[0], {3.517970978852254, 3.5706853621169876}, 1e-14);
  expectNear(got[1],
             {0.1342594859913737,
              -0.31639747040287863,
              0.18213798441150492,
              -0.6104567040412625,
              0.3226684200215326,
              0.2877882840197299,
              -0.09024226137857855,
              -0.2441776196341793,
              0.3344198810127579,
              -0.26287817577195954,
              -0.33571033632268943,
              0.5985885120946489,
              0.02517895031655612,
              0.2015028278290511,
              -0.22668177814560722,
              -0.04441513089564039,
              0.18066167565683225,
              -0.13624654476119186,
              -0.8471029479813301,
              0.9464990683543236,
              -0.0993961203729935,
              0.0,
              0.0,
              0.0},
             1e-14);
}

// {1, 1, 2} cannot be given by three frames.

TEST_F(CTCTest, ImpossibleSamplesAreInfiniteAsInPyTorch) {
  auto got = lossAndGradient(
      3, 3, "",
      {{1.625, -0.25, 0.5, 0.125, -0.875, 0.625, -1.25, -1.625, -1.625, 0.75,
        -0.5, 0.625, 0.5, 0.125, 0.25, 1.0, 0.75, -0.375},
       {1, 1, 2, 2, 1, 1},
       {3, 3},
       {3, 2}});
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0][0], std::numeric_limits<double>::infinity());
  for (int i = 0; i < 9; ++i)
    EXPECT_TRUE(std::isnan(got[1][i])) << i;
  expectNear(Values(got[1].begin() + 9, got[1].end()),
             {0.06311673200250752, 0.03302265702852246, -0.09613938903102999,
              0.04228853374016283, -0.023079210538269505, -0.019209323201893325,
              0.07090960750231635, -0.10202234753662923, 0.031112740034312882},
             1e-15);
}

TEST_F(CTCTest, ImpossibleSamplesCanBeLeftOutAsInPyTorch) {
  auto got = lossAndGradient(
      3, 3, "{zero_infinity = true}",
      {{-1.75, 1.375, -0.25, -0.125, -0.0, -0.375, -0.125, 0.125, 0.375, -1.0,
        -1.125, -0.5, -0.75, -0.5, 0.625, 0.5, 1.5, 0.375},
       {1, 1, 2, 2, 1, 1},
       {3, 3},
       {3, 2}});
  ASSERT_EQ(got.size(), 2u);
  EXPECT_NEAR(got[0][0], 0.22732357397677955, 1e-15);
  expectNear(got[1],
             {0, 0, 0, 0, 0, 0, 0, 0, 0,
              // The mean still counts two samples.
              0.004968758038082473, 0.06247821992854244, -0.06744697796662491,
              0.012628533274619864, 0.0032529889506174078,
              -0.015881522225237272, 0.04137625838621007, -0.08932992852415701,
              0.04795367013794694},
             1e-15);
}

TEST_F(CTCTest, LongSequencesKeepTheirGradient) {
  // The probability of the labels is near e^-3000: without its logarithm there
  // would be nothing.
  const int64_t frames = 3000;
  Values logits(2 * frames * 3, 0.0);
  auto got = lossAndGradient(frames, 1, "{reduction = #nn<loss_reduction sum>}",
                             {logits, {1, 2}, {frames, frames}, {1, 1}});
  ASSERT_EQ(got.size(), 2u);
  // Paths b* 1+ b*: frames (frames + 1) / 2 of probability 3^-frames each.
  const double n = frames;
  const double want = 2 * (n * std::log(3.0) - std::log(n * (n + 1) / 2));
  EXPECT_NEAR(got[0][0], want, 1e-10 * want);
  // The label is as likely in the first frame as in the last: in n of the
  // n (n + 1) / 2 paths.
  EXPECT_NEAR(got[1][1], 1.0 / 3 - 2 / (n + 1), 1e-9);
  EXPECT_NEAR(got[1][(frames - 1) * 3 + 1], 1.0 / 3 - 2 / (n + 1), 1e-9);
}

TEST_F(CTCTest, BadLengthsAndLabelsAreErrors) {
  struct Case {
    Values labels, frames, counts;
    const char *message;
  };
  for (const Case &bad :
       {Case{{1, 2}, {3, 2}, {1, 1}, "logit length 3"},
        Case{{1, 2}, {2, -1}, {1, 1}, "logit length -1"},
        Case{{1, 2}, {2, 2}, {1, 2}, "label length 2"},
        Case{{1, 0}, {2, 2}, {1, 1}, "label 0 of sample 1"},
        Case{{3, 1}, {2, 2}, {1, 1}, "label 3 of sample 0"}}) {
    EXPECT_TRUE(
        run("func.func @f(%x: tensor<2x2x3xf32>, %l: tensor<2x1xi64>, %t: "
            "tensor<2xi64>, %s: tensor<2xi64>) -> tensor<f32> {\n %r:3 = "
            "nn.ctc_loss %x, %l, %t, %s : (tensor<2x2x3xf32>, "
            "tensor<2x1xi64>, tensor<2xi64>, tensor<2xi64>) -> (tensor<f32>, "
            "tensor<2x2x3xf32>, tensor<2x2x3xf32>)\n return %r#0 : "
            "tensor<f32>\n}",
            {Values(12, 0.5), bad.labels, bad.frames, bad.counts})
            .empty());
    EXPECT_NE(messages.find(bad.message), std::string::npos) << messages;
  }
  // What is not read is not checked.
  EXPECT_EQ(
      lossAndGradient(2, 1, "", {Values(12, 0.0), {1, 99}, {2, 2}, {1, 0}})
          .size(),
      2u);
}

} // namespace
