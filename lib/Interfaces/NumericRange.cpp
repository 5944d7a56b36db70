//===- NumericRange.cpp - Arithmetic on ranges ----------------------------===//

#include "mpt/Interfaces/NumericRange.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cfloat>
#include <cmath>

using namespace mpt;

static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
static constexpr double kInf = NumericRange::kInfinity;

//===----------------------------------------------------------------------===//
// Sets
//===----------------------------------------------------------------------===//

NumericRange NumericRange::point(double value) {
  NumericRange range;
  if (std::isnan(value)) {
    range.nan = true;
  } else if (std::isinf(value)) {
    (value > 0 ? range.posInf : range.negInf) = true;
  } else {
    range.lo = range.hi = value;
    range.smallest = value == 0 ? kInf : std::fabs(value);
  }
  return range;
}

NumericRange NumericRange::between(double lo, double hi) {
  NumericRange range;
  range.lo = lo;
  range.hi = hi;
  range.smallest = 0;
  range.negInf = lo == -kInf;
  range.posInf = hi == kInf;
  return range.tidy();
}

double NumericRange::absMax() const {
  return hasFinite() ? std::fmax(std::fabs(lo), std::fabs(hi)) : 0;
}

bool NumericRange::contains(double value) const {
  if (std::isnan(value))
    return nan;
  if (std::isinf(value))
    return value > 0 ? posInf : negInf;
  return lo <= value && value <= hi &&
         (value == 0 || std::fabs(value) >= smallest);
}

NumericRange &NumericRange::join(const NumericRange &other) {
  lo = std::fmin(lo, other.lo);
  hi = std::fmax(hi, other.hi);
  smallest = std::fmin(smallest, other.smallest);
  negInf |= other.negInf;
  posInf |= other.posInf;
  nan |= other.nan;
  return *this;
}

NumericRange &NumericRange::meet(const NumericRange &other) {
  const double newLo = std::fmax(lo, other.lo), newHi = std::fmin(hi, other.hi);
  if (newLo <= newHi) {
    lo = newLo;
    hi = newHi;
    smallest = std::fmax(smallest, other.smallest);
  }
  negInf &= other.negInf;
  posInf &= other.posInf;
  nan &= other.nan;
  return tidy();
}

NumericRange &NumericRange::tidy() {
  if (std::isnan(lo) || std::isnan(hi)) {
    lo = -kInf;
    hi = kInf;
    smallest = 0;
    negInf = posInf = nan = true;
    return *this;
  }
  if (std::isnan(smallest))
    smallest = 0;
  if (!hasFinite() || (lo == 0 && hi == 0))
    smallest = kInf;
  else if (lo > 0)
    smallest = std::fmax(smallest, lo);
  else if (hi < 0)
    smallest = std::fmax(smallest, -hi);
  return *this;
}

bool NumericRange::operator==(const NumericRange &other) const {
  return lo == other.lo && hi == other.hi && smallest == other.smallest &&
         negInf == other.negInf && posInf == other.posInf && nan == other.nan;
}

std::string NumericRange::str() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (hasFinite())
    os << '[' << llvm::format("%.7g", lo) << ", " << llvm::format("%.7g", hi)
       << ']';
  auto special = [&](bool present, const char *name) {
    if (present)
      os << (text.empty() ? "" : " or ") << name;
  };
  special(negInf, "-inf");
  special(posInf, "inf");
  special(nan, "nan");
  return text.empty() ? "empty" : text;
}

//===----------------------------------------------------------------------===//
// Arithmetic. One operation in double is monotone in its rounded operands, so
// the ends need no widening.
//===----------------------------------------------------------------------===//

NumericRange mpt::operator-(const NumericRange &a) {
  NumericRange r = a;
  if (a.hasFinite()) {
    r.lo = -a.hi;
    r.hi = -a.lo;
  }
  std::swap(r.negInf, r.posInf);
  return r;
}

NumericRange mpt::operator+(const NumericRange &a, const NumericRange &b) {
  NumericRange r;
  if (a.hasFinite() && b.hasFinite()) {
    r.lo = a.lo + b.lo;
    r.hi = a.hi + b.hi;
    const bool oneSign = (a.lo >= 0 && b.lo >= 0) || (a.hi <= 0 && b.hi <= 0);
    r.smallest = oneSign ? std::fmin(a.smallest, b.smallest) : 0;
  }
  r.negInf = a.negInf || b.negInf;
  r.posInf = a.posInf || b.posInf;
  r.nan = a.nan || b.nan || (a.posInf && b.negInf) || (a.negInf && b.posInf);
  return r.tidy();
}

NumericRange mpt::operator-(const NumericRange &a, const NumericRange &b) {
  return a + -b;
}

/// The magnitude of a product or quotient from those of its parts.
static double combineSmallest(double product, double a, double b) {
  return a == kInf || b == kInf ? kInf : product;
}

NumericRange mpt::operator*(const NumericRange &a, const NumericRange &b) {
  NumericRange r;
  if (a.hasFinite() && b.hasFinite()) {
    for (double x : {a.lo, a.hi})
      for (double y : {b.lo, b.hi}) {
        // An infinite end is a bound that overflowed: 0 times it is 0.
        const double product = x == 0 || y == 0 ? 0 : x * y;
        r.lo = std::fmin(r.lo, product);
        r.hi = std::fmax(r.hi, product);
      }
    r.smallest =
        combineSmallest(a.smallest * b.smallest, a.smallest, b.smallest);
  }
  auto infinity = [](const NumericRange &inf, const NumericRange &x, bool pos) {
    return (inf.posInf && (pos ? x.mayBePositive() : x.mayBeNegative())) ||
           (inf.negInf && (pos ? x.mayBeNegative() : x.mayBePositive()));
  };
  r.posInf = infinity(a, b, true) || infinity(b, a, true);
  r.negInf = infinity(a, b, false) || infinity(b, a, false);
  r.nan = a.nan || b.nan || (a.hasInf() && b.mayBeZero()) ||
          (b.hasInf() && a.mayBeZero());
  return r.tidy();
}

NumericRange mpt::operator/(const NumericRange &a, const NumericRange &b) {
  NumericRange r;
  if (a.hasFinite() && b.hasFinite()) {
    if (b.lo > 0 || b.hi < 0) {
      for (double x : {a.lo, a.hi})
        for (double y : {b.lo, b.hi}) {
          const double quotient = x / y;
          r.lo = std::fmin(r.lo, quotient);
          r.hi = std::fmax(r.hi, quotient);
        }
    } else if (b.lo != 0 || b.hi != 0) {
      // Quotients by numbers that are not zero.
      const double bound = b.smallest == 0 ? kInf : a.absMax() / b.smallest;
      const bool positive =
          (a.lo >= 0 && b.lo >= 0) || (a.hi <= 0 && b.hi <= 0);
      const bool negative =
          (a.lo >= 0 && b.hi <= 0) || (a.hi <= 0 && b.lo >= 0);
      r.lo = positive ? 0 : -bound;
      r.hi = negative ? 0 : bound;
    }
    r.smallest = combineSmallest(a.smallest / b.absMax(), a.smallest, 1);
  }
  const bool divides = a.mayBePositive() || a.mayBeNegative();
  const bool byZero = b.mayBeZero() && divides;
  // The sign of a zero is not known.
  const bool positiveOnly = b.lo > 0 && !b.negInf;
  r.posInf = byZero || (positiveOnly ? a.posInf : a.hasInf());
  r.negInf = byZero || (positiveOnly ? a.negInf : a.hasInf());
  r.nan = a.nan || b.nan || (a.hasInf() && b.hasInf()) ||
          (a.mayBeZero() && b.mayBeZero());
  r.tidy();
  if (b.hasInf() && a.hasFinite())
    r.joinZero();
  return r;
}

NumericRange mpt::minOf(const NumericRange &a, const NumericRange &b) {
  return -maxOf(-a, -b);
}

NumericRange mpt::maxOf(const NumericRange &a, const NumericRange &b) {
  NumericRange r;
  if (a.hasFinite() && b.hasFinite()) {
    r.lo = std::fmax(a.lo, b.lo);
    r.hi = std::fmax(a.hi, b.hi);
    r.smallest = std::fmin(a.smallest, b.smallest);
    r.tidy();
  }
  NumericRange aFinite = a, bFinite = b;
  for (NumericRange *range : {&aFinite, &bFinite})
    range->negInf = range->posInf = range->nan = false;
  if (a.negInf)
    r.join(bFinite);
  if (b.negInf)
    r.join(aFinite);
  r.posInf = a.posInf || b.posInf;
  r.negInf = a.negInf && b.negInf;
  r.nan = a.nan || b.nan;
  return r;
}

NumericRange mpt::absOf(const NumericRange &a) {
  NumericRange r = a;
  if (a.hasFinite()) {
    r.hi = a.absMax();
    r.lo = a.mayBeZero() ? 0 : std::fmin(std::fabs(a.lo), std::fabs(a.hi));
  }
  r.posInf = a.hasInf();
  r.negInf = false;
  return r.tidy();
}

NumericRange mpt::squareOf(const NumericRange &a) {
  NumericRange r = absOf(a);
  if (r.hasFinite()) {
    r.lo *= r.lo;
    r.hi *= r.hi;
    r.smallest = combineSmallest(r.smallest * r.smallest, r.smallest, 1);
  }
  return r.tidy();
}

NumericRange mpt::sqrtOf(const NumericRange &a) {
  NumericRange r;
  if (a.hasFinite() && a.hi >= 0) {
    r.lo = std::sqrt(std::fmax(a.lo, 0));
    r.hi = std::sqrt(a.hi);
    r.smallest = std::sqrt(a.smallest);
  }
  r.posInf = a.posInf;
  r.nan = a.nan || a.mayBeNegative();
  return r.tidy();
}

NumericRange mpt::expOf(const NumericRange &a) {
  NumericRange r = apply(a, [](double x) { return std::exp(x); });
  r.lo = std::fmax(r.lo, 0);
  if (a.hi <= 0)
    r.hi = std::fmin(r.hi, 1);
  return r.tidy();
}

NumericRange mpt::logOf(const NumericRange &a) {
  NumericRange positive = a;
  positive.negInf = false;
  positive.lo = std::fmax(std::fmax(a.lo, a.smallest), DBL_TRUE_MIN);
  if (!a.hasFinite() || positive.lo > positive.hi) {
    positive.lo = kInf;
    positive.hi = -kInf;
  }
  NumericRange r = apply(positive, [](double x) { return std::log(x); });
  r.negInf = a.mayBeZero();
  r.nan = a.nan || a.mayBeNegative();
  return r;
}

NumericRange mpt::within(double bound, const NumericRange &from) {
  NumericRange r = from;
  if (from.hasFinite()) {
    r.lo = -bound * (1 + kSlack);
    r.hi = bound * (1 + kSlack);
    r.smallest = 0;
  }
  return r.tidy();
}

NumericRange mpt::apply(const NumericRange &a,
                        llvm::function_ref<double(double)> function,
                        llvm::ArrayRef<double> turningPoints) {
  NumericRange r;
  if (a.hasFinite()) {
    auto visit = [&](double x) {
      const double y = function(x);
      if (std::isnan(y)) {
        r.lo = r.hi = kNaN;
        return;
      }
      // Not fmin: a NaN stays.
      if (y < r.lo)
        r.lo = y;
      if (y > r.hi)
        r.hi = y;
    };
    visit(a.lo);
    visit(a.hi);
    for (double x : turningPoints)
      if (a.lo < x && x < a.hi)
        visit(x);
    r.lo -= std::fabs(r.lo) * kSlack;
    r.hi += std::fabs(r.hi) * kSlack;
    r.smallest = 0;
    r.tidy();
  }
  if (a.posInf)
    r.join(NumericRange::point(function(kInf)));
  if (a.negInf)
    r.join(NumericRange::point(function(-kInf)));
  r.nan |= a.nan;
  return r;
}

NumericRange mpt::applyOdd(const NumericRange &a,
                           llvm::function_ref<double(double)> function) {
  NumericRange r = apply(a, function);
  if (!a.hasFinite())
    return r;
  const double least =
      a.smallest == kInf ? kInf : function(a.smallest) * (1 - kSlack);
  if (least > r.smallest)
    r.smallest = least;
  return r.tidy();
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// What summing `count` terms in FP32 (double) may add, relative to the sum of
/// their magnitudes (Higham 2002, section 4.2: (1 + u)^(n-1) - 1).
static double sumError(int64_t count, bool wide) {
  const double unit = wide ? 0x1p-53 : 0x1p-24;
  return std::expm1(static_cast<double>(count > 0 ? count - 1 : 0) * unit);
}

/// Special values of a sum, or of a mean, whose terms' magnitudes add up to at
/// most `total`.
static void addSumSpecials(NumericRange &r, const NumericRange &a,
                           int64_t count, double total, bool wide) {
  r.negInf = a.negInf;
  r.posInf = a.posInf;
  // FP32 sums may overflow on the way.
  if (total > (wide ? DBL_MAX : FLT_MAX)) {
    r.negInf |= a.mayBeNegative();
    r.posInf |= a.mayBePositive();
  }
  r.nan = a.nan || (count > 1 && r.negInf && r.posInf);
}

NumericRange mpt::sumOf(const NumericRange &a, int64_t least, int64_t most,
                        bool wide) {
  if (most <= 0)
    return NumericRange::point(0);
  const auto few = static_cast<double>(least), many = static_cast<double>(most);
  const double total = many * a.absMax();
  NumericRange r;
  if (a.hasFinite()) {
    const double error = total * (sumError(most, wide) + kSlack);
    r.lo = (a.lo < 0 ? many : few) * a.lo - (most > 1 ? error : 0);
    r.hi = (a.hi > 0 ? many : few) * a.hi + (most > 1 ? error : 0);
    const bool oneSign = a.lo >= 0 || a.hi <= 0;
    if (a.lo >= 0)
      r.lo = std::fmax(r.lo, 0);
    if (a.hi <= 0)
      r.hi = std::fmin(r.hi, 0);
    r.smallest = oneSign || most == 1 ? a.smallest : 0;
    r.tidy();
  }
  addSumSpecials(r, a, most, total, wide);
  if (least <= 0)
    r.joinZero();
  return r;
}

NumericRange mpt::meanOf(const NumericRange &a, int64_t count, bool wide) {
  if (count <= 0)
    return NumericRange::point(kNaN);
  const double number = static_cast<double>(count);
  NumericRange r;
  if (a.hasFinite()) {
    const double error = a.absMax() * (sumError(count, wide) + kSlack);
    r.lo = a.lo - (count > 1 ? error : 0);
    r.hi = a.hi + (count > 1 ? error : 0);
    const bool oneSign = a.lo >= 0 || a.hi <= 0;
    if (a.lo >= 0)
      r.lo = std::fmax(r.lo, 0);
    if (a.hi <= 0)
      r.hi = std::fmin(r.hi, 0);
    r.smallest = oneSign ? a.smallest / number * (1 - kSlack) : 0;
    r.tidy();
  }
  addSumSpecials(r, a, count, number * a.absMax(), wide);
  return r;
}
