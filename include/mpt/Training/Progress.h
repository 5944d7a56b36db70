//===- Progress.h - A progress bar for long work ----------------*- C++ -*-===//

#ifndef MPT_TRAINING_PROGRESS_H
#define MPT_TRAINING_PROGRESS_H

#include "llvm/ADT/StringRef.h"

#include <chrono>
#include <string>

namespace mpt::training {

/// On a terminal: one line, redrawn at most ten times a second. Elsewhere (a
/// log file, a pipe): a line every ten per cent, and at least every thirty
/// seconds. Writes to standard error, so that standard output keeps the
/// results.
class Progress {
public:
  Progress(bool quiet, int64_t total, int64_t done);
  /// `status` is shown behind the bar ("loss 0.412  scale 65536").
  void update(int64_t done, llvm::StringRef status);
  /// Ends the line, so that other output can follow.
  void finish();

private:
  using Clock = std::chrono::steady_clock;
  void draw(int64_t done, llvm::StringRef status);

  bool quiet, terminal;
  int64_t total, first, lastDone;
  Clock::time_point started, lastDrawn;
  bool open = false;
};

/// "1:02:03", "4:05" or "12 s".
std::string formatDuration(double seconds);

} // namespace mpt::training

#endif // MPT_TRAINING_PROGRESS_H
