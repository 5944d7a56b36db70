//===- Progress.cpp - A progress bar for long work ------------------------===//

#include "mpt/Training/Progress.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <unistd.h>

using namespace llvm;
using namespace mpt::training;

std::string mpt::training::formatDuration(double seconds) {
  auto total = static_cast<int64_t>(seconds + 0.5);
  if (total >= 3600)
    return formatv("{0}:{1,0+2}:{2,0+2}", total / 3600, total / 60 % 60,
                   total % 60);
  if (total >= 60)
    return formatv("{0}:{1,0+2}", total / 60, total % 60);
  return formatv("{0} s", total);
}

Progress::Progress(bool quiet, int64_t total, int64_t done)
    : quiet(quiet), terminal(isatty(STDERR_FILENO)), total(total), first(done),
      lastDone(done), started(Clock::now()), lastDrawn(started) {}

void Progress::update(int64_t done, StringRef status) {
  if (quiet)
    return;
  Clock::time_point now = Clock::now();
  auto elapsed = std::chrono::duration<double>(now - lastDrawn).count();
  bool tenth = total > 0 && done * 10 / total != lastDone * 10 / total;
  bool due = terminal ? elapsed >= 0.1 || done == total
                      : tenth || elapsed >= 30 || done == first + 1;
  if (!due)
    return;
  lastDrawn = now;
  lastDone = done;
  draw(done, status);
}

void Progress::draw(int64_t done, StringRef status) {
  double elapsed =
      std::chrono::duration<double>(Clock::now() - started).count();
  double left = done > first ? elapsed / (done - first) * (total - done) : 0;
  std::string text = formatv("{0}/{1} steps  {2}  {3} left", done, total,
                             status, formatDuration(left));
  if (!terminal) {
    errs() << text << '\n';
    return;
  }
  constexpr int64_t width = 24;
  int64_t filled = total > 0 ? done * width / total : 0;
  std::string bar(filled, '=');
  if (filled < width)
    bar += '>';
  bar.resize(width, ' ');
  errs() << "\r\033[K[" << bar << "] " << text;
  open = true;
}

void Progress::finish() {
  if (open)
    errs() << '\n';
  open = false;
}
