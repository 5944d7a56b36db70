//===- Report.cpp - A training run as one HTML page -----------------------===//

#include "mpt/Training/Report.h"

#include "mpt/Data/FileIO.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace llvm;
using namespace mpt;
using namespace mpt::training;

namespace {

struct Point {
  double x, y;
};

struct Curve {
  std::string name, color;
  std::vector<Point> points;
  bool dots = false;
  bool steps = false; // a value that holds until the next point
  bool line = true;
};

/// Screen geometry of a chart, in pixels.
constexpr double kWidth = 760, kHeight = 260, kLeft = 64, kRight = 16,
                 kTop = 16, kBottom = 36;

} // namespace

static std::string escape(StringRef text) {
  std::string result;
  for (char c : text) {
    switch (c) {
    case '<':
      result += "&lt;";
      break;
    case '>':
      result += "&gt;";
      break;
    case '&':
      result += "&amp;";
      break;
    case '"':
      result += "&quot;";
      break;
    default:
      result += c;
    }
  }
  return result;
}

/// A step between axis ticks: 1, 2 or 5 times a power of ten, about five in
/// `range`.
static double tickStep(double range) {
  double raw = range / 5,
         magnitude = std::pow(10.0, std::floor(std::log10(raw)));
  for (double factor : {1.0, 2.0, 5.0})
    if (raw <= factor * magnitude)
      return factor * magnitude;
  return 10 * magnitude;
}

/// At most `limit` points: means over equal stretches.
static std::vector<Point> thin(const std::vector<Point> &points, size_t limit) {
  if (points.size() <= limit)
    return points;
  std::vector<Point> result;
  for (size_t i = 0; i < limit; ++i) {
    size_t begin = i * points.size() / limit,
           end = (i + 1) * points.size() / limit;
    Point mean = {0, 0};
    for (size_t j = begin; j < end; ++j) {
      mean.x += points[j].x;
      mean.y += points[j].y;
    }
    result.push_back({mean.x / (end - begin), mean.y / (end - begin)});
  }
  return result;
}

/// A chart as inline SVG; `logTwo`: the vertical axis is the binary logarithm.
static void writeChart(raw_ostream &os, StringRef title,
                       const std::vector<Curve> &curves, double lastStep,
                       bool logTwo) {
  double low = HUGE_VAL, high = -HUGE_VAL;
  for (const Curve &curve : curves)
    for (const Point &point : curve.points) {
      if (!std::isfinite(point.y))
        continue;
      low = std::min(low, point.y);
      high = std::max(high, point.y);
    }
  os << "<h2>" << escape(title) << "</h2>\n";
  if (low > high) {
    os << "<p>No finite values.</p>\n";
    return;
  }
  if (high - low < 1e-9) {
    low -= 1;
    high += 1;
  }
  double step = logTwo ? std::max(1.0, std::ceil((high - low) / 6))
                       : tickStep(high - low);
  low = std::floor(low / step) * step;
  high = std::ceil(high / step) * step;
  double right = std::max(lastStep, 1.0);
  auto px = [&](double x) {
    return kLeft + (kWidth - kLeft - kRight) * x / right;
  };
  auto py = [&](double y) {
    return kHeight - kBottom -
           (kHeight - kTop - kBottom) * (y - low) / (high - low);
  };

  os << formatv("<svg viewBox='0 0 {0} {1}' role='img' aria-label='{2}'>\n",
                kWidth, kHeight, escape(title));
  for (double y = low; y <= high + step / 2; y += step) {
    os << formatv(
        "<line x1='{0}' x2='{1}' y1='{2:f1}' y2='{2:f1}' class='grid'/>", kLeft,
        kWidth - kRight, py(y));
    std::string label;
    raw_string_ostream(label) << (logTwo ? "2^" : "") << format("%.4g", y);
    os << formatv(
        "<text x='{0}' y='{1:f1}' class='axis' text-anchor='end'>{2}</text>\n",
        kLeft - 6, py(y) + 4, label);
  }
  double xStep = std::max(1.0, tickStep(right));
  for (double x = 0; x <= right; x += xStep)
    os << formatv("<text x='{0:f1}' y='{1}' class='axis' "
                  "text-anchor='middle'>{2}</text>\n",
                  px(x), kHeight - kBottom + 18, static_cast<int64_t>(x));
  os << formatv(
      "<text x='{0}' y='{1}' class='axis' text-anchor='end'>step</text>\n",
      kWidth - kRight, kHeight - 4);
  double legend = kLeft + 8;
  for (const Curve &curve : curves) {
    os << formatv("<path fill='none' stroke='{0}' stroke-width='1.5' d='",
                  curve.line ? curve.color : "none");
    bool first = true;
    for (const Point &point :
         thin(curve.points, curve.steps ? curve.points.size() : 600)) {
      if (!std::isfinite(point.y)) {
        first = true;
        continue;
      }
      if (curve.steps && !first)
        os << formatv("H{0:f1}", px(point.x));
      os << formatv("{0}{1:f1} {2:f1}", first ? "M" : "L", px(point.x),
                    py(point.y));
      first = false;
    }
    os << "'/>\n";
    if (curve.dots)
      for (const Point &point : curve.points)
        if (std::isfinite(point.y))
          os << formatv(
              "<circle cx='{0:f1}' cy='{1:f1}' r='3.5' fill='{2}'/>\n",
              px(point.x), py(point.y), curve.color);
    os << formatv(
        "<text x='{0:f1}' y='{1}' fill='{2}' class='legend'>{3}</text>\n",
        legend, kTop + 10, curve.color, escape(curve.name));
    legend += 10.0 + 7.5 * curve.name.size();
  }
  os << "</svg>\n";
}

static std::string bytes(int64_t count) {
  if (count >= 1 << 20)
    return formatv("{0:f2} MiB", count / 1048576.0);
  return formatv("{0:f1} KiB", count / 1024.0);
}

std::string training::formatScale(double scale) {
  std::string text;
  raw_string_ostream(text) << format("%.10g", scale);
  return text;
}

static void writeTable(raw_ostream &os, const Summary &s) {
  std::vector<std::pair<std::string, std::string>> rows = {
      {"model", s.model},
      {"precision", s.precision},
      {"loss scaling", s.lossScaleMode},
      {"target", formatv("{0}, {1} threads", s.target, s.threads)},
      {"steps", formatv("{0} ({1} skipped)", s.steps, s.skippedSteps)},
      {"training loss", formatv("{0:f4}", s.trainLoss)},
  };
  if (s.testAccuracy >= 0)
    rows.push_back(
        {"test accuracy", formatv("{0:f2} %", 100 * s.testAccuracy)});
  rows.insert(
      rows.end(),
      {
          {"time per step",
           formatv("{0:f2} ms (median)", 1000 * s.secondsPerStep)},
          {"compile time", formatv("{0:f2} s", s.compileSeconds)},
          {"planned memory", bytes(s.plannedPeakBytes)},
          {"planned activations", bytes(s.plannedActivationBytes)},
          {"of them kept for the backward pass", bytes(s.activationBytes)},
          {"training state", bytes(s.stateBytes)},
          {"operations in 16 bits / FP32",
           formatv("{0} / {1}", s.opsLow, s.opsFP32)},
          {"casts inserted",
           formatv("{0} of {1}", s.casts, bytes(s.castBytes))},
          {"arithmetic per step",
           formatv("{0:f3} Gflop", double(s.flops) * 1e-9)},
          {"final loss scale", formatScale(s.finalLossScale)},
      });
  if (s.flopsBefore) {
    rows.push_back({"operations repeated in the backward pass",
                    formatv("{0}", s.recomputedOps)});
    rows.push_back({"kept for the backward pass without that",
                    bytes(s.activationBytesBefore)});
    rows.push_back({"arithmetic without that",
                    formatv("{0:f3} Gflop", double(s.flopsBefore) * 1e-9)});
  }
  os << "<table>\n";
  for (const auto &[name, value] : rows)
    os << "<tr><th>" << escape(name) << "</th><td>" << escape(value)
       << "</td></tr>\n";
  os << "</table>\n";
}

/// The steps that were looked into, the last ones of a long run.
static void writeWatch(raw_ostream &os, const History &history) {
  constexpr size_t kMost = 50;
  std::vector<const StepRecord *> looked;
  for (const StepRecord &step : history.steps)
    if (!step.watchOverflow.empty() || !step.watchUnderflow.empty())
      looked.push_back(&step);
  if (looked.empty())
    return;
  os << "<h2>Gradients closest to their type's ends</h2>\n<table>\n"
        "<tr><th>step</th><th>closest to overflow</th><th>doublings left</th>"
        "<th>most subnormal</th><th>share</th></tr>\n";
  const size_t first = looked.size() > kMost ? looked.size() - kMost : 0;
  for (size_t i = first; i < looked.size(); ++i)
    os << formatv("<tr><td>{0}</td><td>{1}</td><td>{2:f1}</td><td>{3}</td>"
                  "<td>{4:f2} %</td></tr>\n",
                  looked[i]->step, escape(looked[i]->watchOverflow),
                  looked[i]->watchHeadroom, escape(looked[i]->watchUnderflow),
                  100 * looked[i]->watchSubnormal);
  os << "</table>\n";
}

std::vector<std::pair<int64_t, double>>
training::lossScaleChanges(const History &history) {
  std::vector<std::pair<int64_t, double>> changes;
  for (const StepRecord &step : history.steps)
    if (changes.empty() || changes.back().second != step.lossScale)
      changes.emplace_back(step.step, step.lossScale);
  return changes;
}

/// Writes `text` to `path` as a whole or not at all.
static bool writeFile(const std::string &path, StringRef text,
                      std::string &error) {
  data::AtomicFileWriter writer;
  return writer.open(path, error) &&
         writer.write(text.data(), text.size(), error) && writer.commit(error);
}

bool training::writeReport(const std::string &path, const Summary &summary,
                           const History &history, std::string &error) {
  Curve loss{"training loss", "#2563eb", {}},
      testLoss{"test loss", "#dc2626", {}, true};
  Curve accuracy{"test accuracy (%)", "#16a34a", {}, true},
      scale{"loss scale", "#9333ea", {}, false, true};
  Curve skips{"skipped steps", "#dc2626", {}, true};
  double lastStep = 0;
  for (const StepRecord &step : history.steps) {
    double x = step.step;
    loss.points.push_back({x, step.loss});
    if (step.skipped)
      skips.points.push_back({x, std::log2(step.lossScale)});
    lastStep = std::max(lastStep, x);
  }
  for (const auto &[step, value] : lossScaleChanges(history))
    scale.points.push_back({static_cast<double>(step), std::log2(value)});
  if (!scale.points.empty())
    scale.points.push_back({lastStep, scale.points.back().y});
  for (const EvaluationRecord &evaluation : history.evaluations) {
    double x = evaluation.step;
    testLoss.points.push_back({x, evaluation.loss});
    if (evaluation.accuracy >= 0)
      accuracy.points.push_back({x, 100 * evaluation.accuracy});
  }

  std::string text;
  raw_string_ostream os(text);
  os << "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
     << "<meta name='viewport' content='width=device-width, "
        "initial-scale=1'>\n<title>Training report: "
     << escape(summary.model) << "</title>\n<style>\n"
     << "body{font:15px/1.5 system-ui,sans-serif;max-width:800px;margin:2rem "
        "auto;padding:0 1rem;color:#1f2937}\n"
     << "h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}table{border-"
        "collapse:collapse}\n"
     << "th,td{text-align:left;padding:.25rem 1rem .25rem 0;border-bottom:1px "
        "solid #e5e7eb}th{font-weight:500;color:#4b5563}\n"
     << "svg{width:100%;height:auto;background:#fafafa;border:1px solid "
        "#e5e7eb}.grid{stroke:#e5e7eb}\n"
     << ".axis{font-size:11px;fill:#6b7280}.legend{font-size:12px}\n</"
        "style>\n</head>\n<body>\n<h1>Training report: "
     << escape(summary.model) << ", " << escape(summary.precision) << "</h1>\n";
  writeTable(os, summary);
  writeWatch(os, history);
  writeChart(os, "Loss", {loss, testLoss}, lastStep, false);
  if (!accuracy.points.empty())
    writeChart(os, "Accuracy", {accuracy}, lastStep, false);
  std::vector<Curve> scaleCurves = {scale};
  if (!skips.points.empty()) {
    skips.line = false;
    scaleCurves.push_back(skips);
  }
  writeChart(os, "Loss scale", scaleCurves, lastStep, true);
  os << "</body>\n</html>\n";
  return writeFile(path, text, error);
}

bool training::writeSummary(const std::string &path, const Summary &s,
                            const History &history, std::string &error) {
  std::string text;
  raw_string_ostream os(text);
  json::OStream out(os, 2);
  out.object([&] {
    out.attribute("model", s.model);
    out.attribute("precision", s.precision);
    out.attribute("loss_scale_mode", s.lossScaleMode);
    out.attribute("target", s.target);
    out.attribute("threads", s.threads);
    out.attribute("steps", s.steps);
    out.attribute("skipped_steps", s.skippedSteps);
    out.attribute("train_loss", s.trainLoss);
    if (!history.evaluations.empty())
      out.attribute("test_loss", s.testLoss);
    if (s.testAccuracy >= 0)
      out.attribute("test_accuracy", s.testAccuracy);
    out.attribute("seconds_per_step", s.secondsPerStep);
    out.attribute("compile_seconds", s.compileSeconds);
    out.attribute("planned_peak_bytes", s.plannedPeakBytes);
    out.attribute("planned_activation_bytes", s.plannedActivationBytes);
    out.attribute("activation_bytes", s.activationBytes);
    out.attribute("state_bytes", s.stateBytes);
    out.attribute("kernels", s.kernels);
    out.attribute("distinct_kernels", s.distinctKernels);
    out.attribute("ops_low", s.opsLow);
    out.attribute("ops_fp32", s.opsFP32);
    out.attribute("casts", s.casts);
    out.attribute("cast_bytes", s.castBytes);
    out.attribute("flops", s.flops);
    if (s.flopsBefore) {
      out.attribute("recomputed_ops", s.recomputedOps);
      out.attribute("activation_bytes_without", s.activationBytesBefore);
      out.attribute("live_bytes_without", s.activationPeakBefore);
      out.attribute("live_bytes", s.activationPeakAfter);
      out.attribute("flops_without", s.flopsBefore);
    }
    out.attributeArray("loss_scale_history", [&] {
      for (const std::pair<int64_t, double> &change : lossScaleChanges(history))
        out.array([&] {
          out.value(change.first);
          out.value(change.second);
        });
    });
  });
  os << '\n';
  return writeFile(path, text, error);
}
