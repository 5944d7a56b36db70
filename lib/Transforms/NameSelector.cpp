//===- NameSelector.cpp - Names given by the user -------------------------===//

#include "NameSelector.h"

using namespace mlir;
using namespace mpt;

std::optional<NameSelector> NameSelector::parse(StringRef list, Location loc) {
  NameSelector selector;
  SmallVector<StringRef> parts;
  list.split(parts, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef part : parts) {
    part = part.trim();
    bool excludes = part.consume_front("!");
    if (part.empty())
      continue;
    llvm::Regex regex(("^(" + part + ")$").str());
    std::string error;
    if (!regex.isValid(error)) {
      emitError(loc) << "'" << part << "' is no regular expression: " << error;
      return std::nullopt;
    }
    selector.entries.push_back({part.str(), std::move(regex), excludes});
  }
  return selector;
}

bool NameSelector::matches(StringRef name) {
  bool found = false;
  for (Entry &entry : entries)
    if (entry.text == name || entry.regex.match(name)) {
      entry.used = true;
      found = !entry.excludes;
    }
  return found;
}

LogicalResult NameSelector::checkAllUsed(Location loc, StringRef what,
                                         ArrayRef<std::string> known) const {
  for (const Entry &entry : entries)
    if (!entry.used)
      return emitError(loc) << "'" << entry.text << "' names no " << what
                            << "; there are: " << listNames(known);
  return success();
}

std::string mpt::listNames(ArrayRef<std::string> names, size_t limit) {
  if (names.empty())
    return "none";
  std::string text;
  for (const std::string &name : names.take_front(limit))
    text += (text.empty() ? "'" : ", '") + name + "'";
  if (names.size() > limit)
    text += " and " + std::to_string(names.size() - limit) + " more";
  return text;
}
