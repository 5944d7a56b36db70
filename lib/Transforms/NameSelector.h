//===- NameSelector.h - Names given by the user -----------------*- C++ -*-===//

#ifndef MPT_LIB_TRANSFORMS_NAMESELECTOR_H
#define MPT_LIB_TRANSFORMS_NAMESELECTOR_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Regex.h"

#include <optional>
#include <string>
#include <vector>

namespace mpt {

/// A list of names or regular expressions, separated by commas. An expression
/// selects the names it matches as a whole; with a `!` in front it takes them
/// out again: `.*,!head.*` is everything but the head. The last one that
/// matches a name counts.
class NameSelector {
public:
  /// An expression that is neither a name nor a regular expression is an error
  /// at `loc`.
  static std::optional<NameSelector> parse(llvm::StringRef list,
                                           mlir::Location loc);

  bool empty() const { return entries.empty(); }
  /// Remembers which expressions have matched.
  bool matches(llvm::StringRef name);
  /// Reports an expression that has matched nothing so far: `what` names the
  /// kind of thing selected, `known` are the names there were.
  llvm::LogicalResult checkAllUsed(mlir::Location loc, llvm::StringRef what,
                                   llvm::ArrayRef<std::string> known) const;

private:
  struct Entry {
    std::string text;
    llvm::Regex regex;
    bool excludes = false;
    bool used = false;
  };
  std::vector<Entry> entries;
};

/// "a, b, c, ... (12 more)".
std::string listNames(llvm::ArrayRef<std::string> names, size_t limit = 8);

} // namespace mpt

#endif // MPT_LIB_TRANSFORMS_NAMESELECTOR_H
