//===- StepFunction.cpp - Arguments and results with roles ----------------===//

#include "StepFunction.h"

using namespace mlir;
using namespace mpt;

void StepFunction::load() {
  if (loaded)
    return;
  loaded = true;
  function.getAllArgAttrs(argumentAttrs);
  argumentAttrs.resize(function.getNumArguments());
  function.getAllResultAttrs(resultAttrs);
  resultAttrs.resize(function.getNumResults());
  results = llvm::to_vector(getReturn().getOperands());
}

static DictionaryAttr describe(MLIRContext *context, mp::Role role,
                               StringRef name,
                               ArrayRef<NamedAttribute> more = {}) {
  NamedAttrList attrs(mp::getRoleAttrs(context, role, name));
  for (NamedAttribute attr : more)
    attrs.set(attr.getName(), attr.getValue());
  return attrs.getDictionary(context);
}

BlockArgument StepFunction::addArgument(Type type, mp::Role role,
                                        StringRef name,
                                        std::optional<unsigned> index,
                                        ArrayRef<NamedAttribute> more) {
  load();
  MLIRContext *context = function.getContext();
  unsigned at = index.value_or(getBody().getNumArguments());
  argumentAttrs.insert(argumentAttrs.begin() + at,
                       describe(context, role, name, more));
  return getBody().insertArgument(at, type,
                                  NameLoc::get(StringAttr::get(context, name)));
}

void StepFunction::addResult(Value value, mp::Role role, StringRef name,
                             bool front) {
  load();
  results.insert(front ? results.begin() : results.end(), value);
  resultAttrs.insert(front ? resultAttrs.begin() : resultAttrs.end(),
                     describe(function.getContext(), role, name));
}

void StepFunction::eraseArguments(const llvm::BitVector &which) {
  load();
  llvm::BitVector complete(which);
  complete.resize(getBody().getNumArguments());
  SmallVector<DictionaryAttr> kept;
  for (auto [i, attrs] : llvm::enumerate(argumentAttrs))
    if (!complete.test(i))
      kept.push_back(attrs);
  argumentAttrs = std::move(kept);
  getBody().eraseArguments(complete);
}

static std::optional<mp::Role> roleOf(DictionaryAttr attrs) {
  if (!attrs)
    return std::nullopt;
  auto role = attrs.getAs<mp::RoleAttr>(mp::MPDialect::kRoleAttrName);
  return role ? std::optional(role.getValue()) : std::nullopt;
}

void StepFunction::eraseResults(mp::Role role) {
  load();
  SmallVector<Value> keptResults;
  SmallVector<DictionaryAttr> keptAttrs;
  for (auto [value, attrs] : llvm::zip_equal(results, resultAttrs)) {
    if (roleOf(attrs) == role)
      continue;
    keptResults.push_back(value);
    keptAttrs.push_back(attrs);
  }
  results = std::move(keptResults);
  resultAttrs = std::move(keptAttrs);
}

void StepFunction::setArgumentAttr(unsigned index, StringRef name,
                                   Attribute value) {
  load();
  NamedAttrList attrs(argumentAttrs[index]);
  attrs.set(name, value);
  argumentAttrs[index] = attrs.getDictionary(function.getContext());
}

void StepFunction::finish() {
  load();
  getReturn().getOperandsMutable().assign(results);
  function.setFunctionType(FunctionType::get(function.getContext(),
                                             getBody().getArgumentTypes(),
                                             ValueRange(results).getTypes()));
  auto normalize = [&](SmallVectorImpl<DictionaryAttr> &list) {
    for (DictionaryAttr &attrs : list)
      if (!attrs)
        attrs = DictionaryAttr::get(function.getContext());
  };
  normalize(argumentAttrs);
  normalize(resultAttrs);
  function.setAllArgAttrs(argumentAttrs);
  function.setAllResultAttrs(resultAttrs);
  loaded = false;
  argumentAttrs.clear();
  resultAttrs.clear();
  results.clear();
}

bool mpt::hasResult(func::FuncOp function, mp::Role role) {
  for (unsigned i = 0, e = function.getNumResults(); i < e; ++i)
    if (mp::getResultRole(function, i) == role)
      return true;
  return false;
}

LogicalResult mpt::collectFunctions(ModuleOp module, mp::Role resultRole,
                                    SmallVectorImpl<func::FuncOp> &functions) {
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isDeclaration() || function->hasAttr(kEvaluationAttrName) ||
        !hasResult(function, resultRole))
      continue;
    if (!function.getBody().hasOneBlock())
      return emitError(function.getLoc())
             << "function '" << function.getName()
             << "' has control flow between blocks; a training step is one "
                "block";
    functions.push_back(function);
  }
  return success();
}
