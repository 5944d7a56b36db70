//===- Registry.cpp - Which handler imports which operator ----------------===//

#include "Node.h"
#include "mpt/Import/ONNX/ImportONNX.h"

using namespace llvm;

namespace mpt::importer {

/// "ai.onnx" is another name of the default domain.
static StringRef normalizeDomain(StringRef domain) {
  return domain == "ai.onnx" ? "" : domain;
}

static std::string keyOf(StringRef domain, StringRef name) {
  return (normalizeDomain(domain) + ":" + name).str();
}

void Registry::add(StringRef name, int64_t since, StringRef note,
                   Handler handler, Needs needs, StringRef domain) {
  byName[keyOf(domain, name)].push_back(entries.size());
  entries.push_back(
      {domain.str(), name.str(), since, needs, handler, note.str()});
}

const Registry::Entry *Registry::find(StringRef domain, StringRef name,
                                      int64_t opset) const {
  auto it = byName.find(keyOf(domain, name));
  if (it == byName.end())
    return nullptr;
  const Entry *best = nullptr;
  for (size_t index : it->second)
    if (entries[index].since <= opset &&
        (!best || entries[index].since > best->since))
      best = &entries[index];
  return best;
}

const Registry &Registry::get() {
  static const Registry registry = [] {
    Registry result;
    registerActivations(result);
    registerElementwise(result);
    registerContractions(result);
    registerEinsum(result);
    registerPooling(result);
    registerNormalizations(result);
    registerReductions(result);
    registerShapes(result);
    registerIndexing(result);
    registerConstants(result);
    registerSequences(result);
    registerAttention(result);
    registerLosses(result);
    registerRecurrent(result);
    registerResize(result);
    registerControlFlow(result);
    return result;
  }();
  return registry;
}

} // namespace mpt::importer

SmallVector<mpt::SupportedONNXOp> mpt::listSupportedONNXOps() {
  std::map<std::pair<std::string, std::string>, SupportedONNXOp> sorted;
  for (const auto &entry : importer::Registry::get().getEntries()) {
    auto [it, isNew] = sorted.try_emplace(
        {entry.domain, entry.name},
        SupportedONNXOp{entry.domain, entry.name, entry.since, entry.note});
    if (!isNew && entry.since < it->second.sinceVersion)
      it->second.sinceVersion = entry.since;
  }
  SmallVector<SupportedONNXOp> result;
  for (auto &[key, op] : sorted)
    result.push_back(std::move(op));
  return result;
}
