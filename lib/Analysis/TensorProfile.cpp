//===- TensorProfile.cpp - What was measured of a function's values -------===//

#include "mpt/Analysis/TensorProfile.h"

#include "mpt/Analysis/LossScalePowers.h"
#include "mpt/Analysis/PrecisionAssignment.h"
#include "mpt/Dialect/MP/IR/MPDialect.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>

using namespace mlir;
using namespace mpt;

//===----------------------------------------------------------------------===//
// Statistics
//===----------------------------------------------------------------------===//

void TensorStatistics::add(ArrayRef<double> values) {
  elements += static_cast<int64_t>(values.size());
  // Exponents of double, and then of what is not normal.
  std::vector<int64_t> counts(2048, 0);
  for (double value : values) {
    const double magnitude = std::fabs(value);
    if (magnitude == 0) {
      ++zeros;
    } else if (!(magnitude < NumericRange::kInfinity)) {
      ++(std::isnan(value) ? nans : infinite);
      continue;
    } else {
      subnormal += magnitude < 0x1p-14;
      vanishing += magnitude <= 0x1p-25;
      overflowing += magnitude >= 65520;
      smallest = std::fmin(smallest, magnitude);
      ++counts[std::ilogb(magnitude) + 1074 < 0
                   ? 0
                   : std::min(std::ilogb(magnitude) + 1074, 2047)];
    }
    min = std::fmin(min, value);
    max = std::fmax(max, value);
  }
  for (size_t i = 0; i < counts.size(); ++i)
    if (counts[i])
      exponents[static_cast<int>(i) - 1074] += counts[i];
}

void TensorStatistics::merge(const TensorStatistics &other) {
  elements += other.elements;
  zeros += other.zeros;
  subnormal += other.subnormal;
  vanishing += other.vanishing;
  overflowing += other.overflowing;
  infinite += other.infinite;
  nans += other.nans;
  min = std::fmin(min, other.min);
  max = std::fmax(max, other.max);
  smallest = std::fmin(smallest, other.smallest);
  backward |= other.backward;
  narrow |= other.narrow;
  for (auto [exponent, count] : other.exponents)
    exponents[exponent] += count;
}

double TensorStatistics::absMax() const {
  return min > max ? 0 : std::fmax(std::fabs(min), std::fabs(max));
}

NumericRange TensorStatistics::getRange() const {
  NumericRange range;
  range.lo = min;
  range.hi = max;
  range.smallest = smallest;
  range.posInf = range.negInf = infinite > 0;
  range.nan = nans > 0;
  return range.tidy();
}

void TensorProfile::merge(const TensorProfile &other) {
  runs += other.runs;
  // Statistics under different scales cannot be told apart any more: the
  // smaller scale errs towards larger gradients.
  lossScale = runs == other.runs ? other.lossScale
                                 : std::fmin(lossScale, other.lossScale);
  for (const auto &[name, statistics] : other.tensors)
    tensors[name].merge(statistics);
}

std::optional<std::pair<double, std::string>>
TensorProfile::largestGradient() const {
  std::optional<std::pair<double, std::string>> largest;
  const bool mixed = llvm::any_of(tensors, [](const auto &entry) {
    return entry.second.backward && entry.second.narrow;
  });
  for (const auto &[name, statistics] : tensors)
    if (statistics.backward && statistics.narrow == mixed &&
        (!largest || statistics.absMax() / lossScale > largest->first))
      largest = {statistics.absMax() / lossScale, name};
  return largest;
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

static llvm::json::Object toObject(const TensorStatistics &s) {
  llvm::json::Object object{{"elements", s.elements}, {"zeros", s.zeros}};
  auto set = [&](const char *key, int64_t count) {
    if (count)
      object[key] = count;
  };
  set("subnormal_f16", s.subnormal);
  set("vanishing_f16", s.vanishing);
  set("overflowing_f16", s.overflowing);
  set("infinite", s.infinite);
  set("nan", s.nans);
  if (s.min <= s.max) {
    object["min"] = s.min;
    object["max"] = s.max;
    object["absmax"] = s.absMax();
  }
  if (s.smallest < NumericRange::kInfinity)
    object["smallest"] = s.smallest;
  const double all = static_cast<double>(std::max<int64_t>(s.elements, 1));
  object["zero_fraction"] = static_cast<double>(s.zeros) / all;
  object["subnormal_fraction"] = static_cast<double>(s.subnormal) / all;
  if (s.backward)
    object["backward"] = true;
  if (s.narrow)
    object["narrow"] = true;
  llvm::json::Object histogram;
  for (auto [exponent, count] : s.exponents)
    histogram[std::to_string(exponent)] = count;
  object["exponents"] = std::move(histogram);
  return object;
}

std::string TensorProfile::toJSON() const {
  llvm::json::Object all;
  for (const auto &[name, statistics] : tensors)
    all[name] = toObject(statistics);
  llvm::json::Object root{{"version", 1},
                          {"runs", runs},
                          {"loss_scale", lossScale},
                          {"tensors", std::move(all)}};
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::formatv("{0:2}\n", llvm::json::Value(std::move(root)));
  return text;
}

static bool fromObject(const llvm::json::Object &object, TensorStatistics &s) {
  auto count = [&](const char *key) {
    return object.getInteger(key).value_or(0);
  };
  s.elements = count("elements");
  s.zeros = count("zeros");
  s.subnormal = count("subnormal_f16");
  s.vanishing = count("vanishing_f16");
  s.overflowing = count("overflowing_f16");
  s.infinite = count("infinite");
  s.nans = count("nan");
  s.min = object.getNumber("min").value_or(s.min);
  s.max = object.getNumber("max").value_or(s.max);
  s.smallest = object.getNumber("smallest").value_or(s.smallest);
  s.backward = object.getBoolean("backward").value_or(false);
  s.narrow = object.getBoolean("narrow").value_or(false);
  if (const llvm::json::Object *histogram = object.getObject("exponents"))
    for (const auto &[key, value] : *histogram) {
      int exponent = 0;
      std::optional<int64_t> number = value.getAsInteger();
      if (StringRef(key).getAsInteger(10, exponent) || !number)
        return false;
      s.exponents[exponent] = *number;
    }
  return object.getInteger("elements").has_value();
}

std::optional<TensorProfile> TensorProfile::read(const std::string &path,
                                                 std::string &error) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer) {
    error = path + ": " + buffer.getError().message();
    return std::nullopt;
  }
  llvm::Expected<llvm::json::Value> value =
      llvm::json::parse((*buffer)->getBuffer());
  if (!value) {
    error = path + ": is no JSON: " + llvm::toString(value.takeError());
    return std::nullopt;
  }
  const llvm::json::Object *root = value->getAsObject();
  const llvm::json::Object *all = root ? root->getObject("tensors") : nullptr;
  if (!all || root->getInteger("version") != 1) {
    error = path + ": is no profile: write one with mpt-run --profile";
    return std::nullopt;
  }
  TensorProfile profile;
  profile.runs = root->getInteger("runs").value_or(0);
  profile.lossScale = root->getNumber("loss_scale").value_or(1);
  for (const auto &[name, entry] : *all) {
    const llvm::json::Object *object = entry.getAsObject();
    if (!object || !fromObject(*object, profile.tensors[name.str()])) {
      error = path + ": has no statistics for \"" + name.str() + "\"";
      return std::nullopt;
    }
  }
  return profile;
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

llvm::DenseMap<Value, std::string>
mpt::nameTensors(FunctionOpInterface function) {
  llvm::DenseMap<Value, std::string> names;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    StringRef name = mp::getArgName(function, i);
    names[function.getArgument(i)] =
        "argument '" + (name.empty() ? std::to_string(i) : name.str()) + "'";
  }
  llvm::StringMap<int64_t> seen;
  function.getFunctionBody().walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op->getNumResults() == 0)
      return;
    std::string base = op->getName().getStringRef().str();
    if (StringRef node = getNodeName(op->getLoc()); !node.empty())
      base += " '" + node.str() + "'";
    const int64_t number = ++seen[base];
    for (OpResult result : op->getResults()) {
      std::string name = base;
      if (result.getResultNumber() > 0)
        name += "#" + std::to_string(result.getResultNumber());
      if (number > 1)
        name += "@" + std::to_string(number);
      names[result] = std::move(name);
    }
  });
  return names;
}

std::function<std::optional<NumericRange>(Value)>
mpt::seedFromProfile(FunctionOpInterface function, const TensorProfile &profile,
                     double margin) {
  auto ranges = std::make_shared<llvm::DenseMap<Value, NumericRange>>();
  for (const auto &[value, name] : nameTensors(function)) {
    auto it = profile.tensors.find(name);
    if (it == profile.tensors.end() || it->second.elements == 0)
      continue;
    NumericRange range = it->second.getRange();
    // A tensor that was zero throughout need not be so.
    if (!range.hasFinite() || range.absMax() == 0)
      continue;
    range.lo *= range.lo < 0 ? margin : 1 / margin;
    range.hi *= range.hi > 0 ? margin : 1 / margin;
    range.smallest /= margin;
    (*ranges)[value] = range;
  }
  return [ranges](Value value) -> std::optional<NumericRange> {
    auto it = ranges->find(value);
    if (it == ranges->end())
      return std::nullopt;
    return it->second;
  };
}

llvm::DenseSet<Value> mpt::findBackward(FunctionOpInterface function) {
  llvm::DenseSet<Value> backward;
  SmallVector<Value> pending;
  auto add = [&](Value value) {
    if (isFloatTensor(value.getType()) && backward.insert(value).second)
      pending.push_back(value);
  };
  if (Value scale = getLossScaleArgument(function))
    add(scale);
  function.getFunctionBody().walk(
      [&](mp::LossSeedOp op) { add(op.getResult()); });
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    for (Operation *user : value.getUsers())
      if (!isa<mp::GradientOp, mp::UnscaleOp, mp::UpdateScaleOp>(user))
        for (Value result : user->getResults())
          add(result);
  }
  return backward;
}
